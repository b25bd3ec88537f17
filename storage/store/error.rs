//! What can go wrong with a store.

use std::io;

use thiserror::Error;

use super::journal_record::JournalRecordError;
use super::{EDIT_BYTES_MAX, MembershipError};
use crate::catalog::{CatalogError, EditError};
use crate::disk::FilePath;
use crate::log::{JournalError, JournalPosition, LogError, SequenceError};
use crate::model::{Offset, Partition, TopicId};
use crate::segment::SegmentError;

/// Why the store as a whole cannot do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Something failed after which nobody can say what is durable. Every call answers this from
    /// then on.
    #[error("the store has stopped because {0}; restart it, and it recovers from its journal")]
    Stopped(String),
    /// It was closed in good order.
    #[error("the store is closed")]
    Closed,
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record of the journal is whole but makes no sense.
    #[error("the record at journal position {} cannot be used: {source}", position.0)]
    JournalRecord {
        /// Where it is.
        position: JournalPosition,
        /// What is wrong with it.
        source: JournalRecordError,
    },
    /// A batch of the journal does not continue its partition.
    #[error(
        "the log of partition {partition} ends at offset {expected}, the journal goes on at \
         {found}; restore the folder 'log' from a copy"
    )]
    JournalGap {
        /// The partition.
        partition: Partition,
        /// Where its log ends.
        expected: Offset,
        /// Where the journal goes on.
        found: Offset,
    },
    /// A partition's log cannot be read or written.
    #[error("log of partition {partition}: {source}")]
    Log {
        /// The partition.
        partition: Partition,
        /// What is wrong.
        source: LogError,
    },
    /// A segment cannot be made, read or understood.
    #[error("segment '{file}': {source}")]
    Segment {
        /// Its file.
        file: String,
        /// What is wrong.
        source: SegmentError,
    },
    /// Rows in memory do not go together.
    #[error("rows that are not sealed yet: {0}")]
    ActiveRows(SegmentError),
    /// The catalog names a segment whose file is gone or has another size.
    #[error("segment file '{file}' {what}; restore the folder 'segments' from a copy")]
    SegmentFile {
        /// Its file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} '{path}': {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Which file or folder.
        path: FilePath,
        /// What the file system said.
        source: io::Error,
    },
    /// The disk has too little room for writes. They go on when it has more.
    #[error(
        "{free_bytes} bytes of the disk are free, and {reserve_bytes} are kept in reserve; make \
         room, and writes go on by themselves"
    )]
    DiskFull {
        /// What is free.
        free_bytes: u64,
        /// What must be.
        reserve_bytes: u64,
    },
    /// An edit does not fit the catalog.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Larger than a journal's group should be.
    #[error("an edit of {bytes} bytes is larger than the limit of {EDIT_BYTES_MAX}")]
    EditTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No topic has this number.
    #[error("there is no topic with number {}", .0.0)]
    UnknownTopic(TopicId),
    /// Rows were published that do not continue where the partition's rows end, or go beyond
    /// what is durable. Two materializers of one topic are at work.
    #[error(
        "rows of partition {partition} up to offset {next} cannot be published: its rows end at \
         {materialized} and its log at {high_watermark}"
    )]
    NotNext {
        /// The partition.
        partition: Partition,
        /// How far the rows would have reached.
        next: Offset,
        /// How far they reach.
        materialized: Offset,
        /// How far they may reach.
        high_watermark: Offset,
    },
}

impl StoreError {
    /// Whether it says that the disk has no room, and nothing else is wrong: the same may be tried
    /// again later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let is_full = |source: &io::Error| source.kind() == io::ErrorKind::StorageFull;
        matches!(
            self,
            Self::DiskFull { .. } | Self::Journal(JournalError::Full { .. })
        ) || matches!(self, Self::Io { source, .. } if is_full(source))
            || matches!(self, Self::Catalog(CatalogError::Io { source, .. }) if is_full(source))
            || matches!(
                self,
                Self::Log { source: LogError::Disk { source, .. }, .. } if is_full(source)
            )
    }

    /// Whether it says that bytes on disk are not what was written, which no second try changes.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::SegmentFile { .. } => true,
            Self::Segment { source, .. } => !matches!(source, SegmentError::Io { .. }),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Stopped(_)
            | Self::Closed
            | Self::Catalog(_)
            | Self::Journal(_)
            | Self::JournalRecord { .. }
            | Self::JournalGap { .. }
            | Self::Log { .. }
            | Self::ActiveRows(_)
            | Self::DiskFull { .. }
            | Self::Edit(_)
            | Self::EditTooLarge { .. }
            | Self::UnknownTopic(_)
            | Self::NotNext { .. } => false,
        }
    }

    /// The answer of a stopped store, once more.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Closed => Self::Closed,
            Self::Stopped(reason) => Self::Stopped(reason.clone()),
            other => Self::Stopped(other.to_string()),
        }
    }

    pub(super) fn io(action: &'static str, path: &FilePath) -> impl FnOnce(io::Error) -> Self {
        let path = path.clone();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(super) fn log(partition: Partition) -> impl FnOnce(LogError) -> Self {
        move |source| Self::Log { partition, source }
    }

    pub(super) fn segment(file: &FilePath) -> impl FnOnce(SegmentError) -> Self {
        let file = file.to_string();
        move |source| Self::Segment { file, source }
    }
}

/// Why a batch cannot be staged.
#[derive(Debug, Error)]
pub enum StageError {
    /// The store as a whole.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such partition.
    #[error("there is no partition {0}")]
    UnknownPartition(Partition),
    /// The producer's sequence or epoch does not fit.
    #[error(transparent)]
    Producer(#[from] SequenceError),
    /// The batch is not in the transaction that it should be in.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// Larger than everything that may be staged at once.
    #[error("batch of {bytes} bytes is larger than the {max} bytes that may be staged")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// Why a partition cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No such partition.
    #[error("there is no partition {0}")]
    UnknownPartition(Partition),
    /// Before the log's start or beyond its durable end.
    #[error("offset {from} of partition {partition} is outside {start}..={high_watermark}")]
    OutOfRange {
        /// The partition.
        partition: Partition,
        /// The offset asked for.
        from: Offset,
        /// The first offset that there is.
        start: Offset,
        /// The first offset that is not durable yet.
        high_watermark: Offset,
    },
    /// The file cannot be read.
    #[error("log of partition {partition}: {source}")]
    Log {
        /// The partition.
        partition: Partition,
        /// What is wrong.
        source: LogError,
    },
}
