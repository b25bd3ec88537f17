//! What can be wrong with a partition's log.

use std::io;

use thiserror::Error;

use super::format::LOG_FORMAT_VERSION;
use crate::disk::FilePath;
use crate::log::BatchError;
use crate::model::Offset;

/// Why a partition's log cannot be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The disk failed.
    #[error("could not {action} '{path}': {source}")]
    Disk {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: FilePath,
        /// What the disk reports.
        source: io::Error,
    },
    /// Bytes that were synced have changed.
    #[error("log file '{path}' is damaged at byte {offset}: {what}; restore it from a copy")]
    Damaged {
        /// The file.
        path: FilePath,
        /// Where the damage begins.
        offset: u64,
        /// What does not hold there.
        what: &'static str,
    },
    /// A batch that was synced is none any more.
    #[error("log file '{path}' is damaged at byte {offset}: {source}; restore it from a copy")]
    Batch {
        /// The file.
        path: FilePath,
        /// Where the batch begins.
        offset: u64,
        /// What does not hold.
        source: BatchError,
    },
    /// Written by another version of the program.
    #[error(
        "file '{path}' has format version {version}, this program reads version {LOG_FORMAT_VERSION}; \
         open it with the program that wrote it"
    )]
    UnknownVersion {
        /// The file.
        path: FilePath,
        /// Its version.
        version: u32,
    },
    /// A file is shorter than it was when it was last synced, or gone.
    #[error(
        "log file '{path}' has {found_bytes} bytes, but {durable_bytes} were synced; \
         restore it from a copy"
    )]
    Short {
        /// The file.
        path: FilePath,
        /// How long it is, 0 when it is gone.
        found_bytes: u64,
        /// How long it must be at least.
        durable_bytes: u64,
    },
    /// A file in the middle is missing.
    #[error(
        "log file '{path}' ends at offset {end}, but the next file starts at {next}; \
         restore the missing file from a copy"
    )]
    Gap {
        /// The file before the gap.
        path: FilePath,
        /// The offset where it ends.
        end: Offset,
        /// The offset where the next one starts.
        next: Offset,
    },
    /// The log does not hold the offset that was asked for.
    #[error("offset {from} is outside the log, which reaches from {start} to {end}")]
    OutOfRange {
        /// The offset.
        from: Offset,
        /// The first offset that is there.
        start: Offset,
        /// The offset that the next record gets.
        end: Offset,
    },
    /// An earlier sync failed, and nobody knows what of it is on the disk.
    #[error("an earlier sync of this log failed; restart to recover what is durable")]
    Poisoned,
}

impl LogError {
    pub(super) fn disk<'a>(
        action: &'static str,
        path: &'a FilePath,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Disk {
            action,
            path: path.clone(),
            source,
        }
    }
}
