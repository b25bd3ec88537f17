//! A write of a document and what became of it.

use bytes::Bytes;
use storage::log::BatchError;
use storage::model::{Offset, Partition, PartitionId};
use storage::segment::SegmentError;
use storage::store::{ReadError, StageError, StoreError};
use thiserror::Error;

use super::Update;
use crate::decode::{DocumentError, ID_BYTES_MAX};

/// Largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 32 << 20;

/// A document to be written, changed or removed.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentWrite {
    /// Its id; a new document without one gets its partition and offset.
    pub id: Option<String>,
    /// What its writer wants it to be found with.
    pub routing: Option<String>,
    /// What is asked for.
    pub action: Action,
    /// When it may be done.
    pub condition: Condition,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// This document as JSON, whatever is there.
    Index(Bytes),
    /// This document as JSON, when there is none.
    Create(Bytes),
    /// The document that is there, changed.
    Update(Box<Update>),
    /// No document.
    Delete,
}

/// When a write may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// When the newest write of the document is this one.
    After {
        /// The offset of its record.
        offset: Offset,
        /// The term that clients were told.
        term: u64,
    },
    /// When the version given is higher than the document's, which then has it.
    Version(u64),
    /// When the version given is not lower than the document's, which then has it.
    VersionFrom(u64),
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// It is a record, and visible shortly, or nothing had to be done.
    Done {
        /// The document's id.
        id: String,
        /// Where the newest record of it is.
        partition: PartitionId,
        /// Where the newest record of it is.
        offset: Offset,
        /// Its version.
        version: u64,
        /// What was done.
        result: WriteResult,
        /// The document after an update.
        source: Option<Bytes>,
    },
    /// What is there does not allow it.
    Conflict {
        /// The id.
        id: String,
        /// Why.
        conflict: Conflict,
    },
    /// There is no document to be updated.
    Missing {
        /// The id.
        id: String,
    },
    /// It cannot be a row.
    Refused(Refusal),
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteResult {
    /// There is a new document.
    Created,
    /// A document has another content.
    Updated,
    /// A document is gone.
    Deleted,
    /// There was no document to be deleted.
    NotFound,
    /// The document is as it should be already.
    Noop,
}

/// Why what is there does not allow a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Conflict {
    /// There is a document and should be none.
    #[error("document already exists (current version [{version}])")]
    Exists {
        /// Its version.
        version: u64,
    },
    /// The newest write is another one.
    #[error(
        "required seqNo [{required}], primary term [{required_term}]. current document has seqNo \
         [{offset}] and primary term [{term}]"
    )]
    Newer {
        /// What the condition says.
        required: Offset,
        /// What the condition says.
        required_term: u64,
        /// Where the newest record is.
        offset: Offset,
        /// The present term.
        term: u64,
    },
    /// There is no document.
    #[error(
        "required seqNo [{required}], primary term [{required_term}]. but no document was found"
    )]
    Absent {
        /// What the condition says.
        required: Offset,
        /// What the condition says.
        required_term: u64,
    },
    /// The version is not higher.
    #[error("current version [{version}] is higher or equal to the one provided [{provided}]")]
    NotHigher {
        /// The document's version.
        version: u64,
        /// The condition's.
        provided: u64,
    },
    /// The version is lower.
    #[error("current version [{version}] is higher than the one provided [{provided}]")]
    Lower {
        /// The document's version.
        version: u64,
        /// The condition's.
        provided: u64,
    },
}

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The document does not fit the mapping, or is none.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The id is missing.
    #[error("an id must be provided")]
    IdMissing,
    /// The id is the empty text.
    #[error("if _id is specified it must not be empty")]
    IdEmpty,
    /// The id is too long.
    #[error(
        "id [{id}] is too long, must be no longer than {ID_BYTES_MAX} bytes but was: {}", id.len()
    )]
    IdTooLong {
        /// The id.
        id: String,
    },
    /// The routing is too long.
    #[error("routing of {bytes} bytes is longer than {ID_BYTES_MAX} bytes")]
    RoutingTooLong {
        /// Its size.
        bytes: usize,
    },
    /// The id would be that of another record.
    #[error("id [{id}] is of the form that records without an id are named by: partition-offset")]
    IdReserved {
        /// The id.
        id: String,
    },
    /// The document is too large.
    #[error("document of {bytes} bytes is larger than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A document that is to be updated is no object.
    #[error("the document to be updated is no JSON object")]
    NotAnObject,
}

/// Why writes could not be done at all. Some of them may have become durable.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The store as a whole.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch could not be staged.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The log, in which ids are looked up, cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log, in which ids are looked up, holds something that is no batch.
    #[error("log of partition {partition} from offset {from}: {source}")]
    Batch {
        /// The partition.
        partition: Partition,
        /// Where reading began.
        from: Offset,
        /// What is wrong.
        source: BatchError,
    },
    /// The rows, in which ids are looked up, cannot be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// Others change the topic's fields all the time.
    #[error("the fields of the topic kept changing; try again")]
    Contended,
}
