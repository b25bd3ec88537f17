//! A write of a document and what became of it.

use bytes::Bytes;
use storage::log::BatchError;
use storage::model::{Offset, Partition, PartitionId};
use storage::segment::SegmentError;
use storage::store::{ReadError, StageError, StoreError};
use thiserror::Error;

use crate::decode::{DocumentError, Operation};

/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// Largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 32 << 20;

/// A document to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// Its id; without one it gets its partition and offset.
    pub id: Option<String>,
    /// What is asked for. Deletes are refused.
    pub operation: Operation,
    /// The document as JSON.
    pub source: Bytes,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is a record, and a row shortly.
    Created {
        /// The document's id.
        id: String,
        /// Where the record is.
        partition: PartitionId,
        /// Where the record is.
        offset: Offset,
    },
    /// A document with this id exists.
    Conflict {
        /// The id.
        id: String,
    },
    /// It cannot be a row.
    Refused(Refusal),
}

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The document does not fit the mapping, or is none.
    #[error(transparent)]
    Document(#[from] DocumentError),
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
    /// The operation cannot be done yet.
    #[error("operation [{}] is not supported yet", operation.as_str())]
    Unsupported {
        /// The operation.
        operation: Operation,
    },
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
