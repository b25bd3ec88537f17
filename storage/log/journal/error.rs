//! What can be wrong with a journal.

use std::io;

use thiserror::Error;

use super::format::{GROUP_BYTES_MAX, JOURNAL_FORMAT_VERSION, JournalPosition};
use crate::disk::FilePath;

/// Why the journal cannot be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("could not {action} journal file '{path}': {source}")]
    Disk {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: FilePath,
        /// What the disk reports.
        source: io::Error,
    },
    /// There was no room for a group. Nothing was written; the same may be tried again.
    #[error("no room to write journal file '{path}': {source}")]
    Full {
        /// The file.
        path: FilePath,
        /// What the disk reports.
        source: io::Error,
    },
    /// The folder of journal files could not be listed.
    #[error("could not list the journal's files: {source}")]
    List {
        /// What the disk reports.
        source: io::Error,
    },
    /// Bytes that were synced have changed: other synced groups follow them.
    #[error(
        "journal file '{path}' is damaged at byte {offset} ({what}), before data that was \
         acknowledged; restore the file from a copy, or give up all later data by cutting the \
         file to {offset} bytes and removing the journal files with higher numbers"
    )]
    Damaged {
        /// The file.
        path: FilePath,
        /// Where the damage begins.
        offset: u64,
        /// What does not hold there.
        what: &'static str,
    },
    /// Written by another version of the program.
    #[error(
        "journal file '{path}' has format version {version}, this program reads version {JOURNAL_FORMAT_VERSION}; \
         open it with the program that wrote it"
    )]
    UnknownVersion {
        /// The file.
        path: FilePath,
        /// Its version.
        version: u32,
    },
    /// There are no files, but there should be.
    #[error(
        "the folder 'log/journal' holds no journal files, but the checkpoint needs the journal \
         from position {from}; restore them from a copy"
    )]
    Lost {
        /// The position that the checkpoint names.
        from: JournalPosition,
    },
    /// What is to be replayed is not there.
    #[error(
        "the journal reaches from position {start} to {end}, but the checkpoint needs it from \
         position {from}; restore the files of the folder 'log/journal' from a copy"
    )]
    Missing {
        /// The position that the checkpoint names.
        from: JournalPosition,
        /// Where the oldest file starts.
        start: JournalPosition,
        /// Where the newest file ends.
        end: JournalPosition,
    },
    /// A file in the middle is missing or too short.
    #[error(
        "journal file '{path}' ends at position {end}, but the next file starts at {next}; \
         restore the missing file from a copy"
    )]
    Gap {
        /// The file before the gap.
        path: FilePath,
        /// Where it ends.
        end: JournalPosition,
        /// Where the next one starts.
        next: JournalPosition,
    },
    /// The checkpoint names a position inside a group.
    #[error("position {from} of the checkpoint lies inside a group of journal file '{path}'")]
    NotAtGroup {
        /// The position.
        from: JournalPosition,
        /// The file.
        path: FilePath,
    },
    /// More than one group may hold. Nothing was written.
    #[error("a journal group of {bytes} bytes is larger than the limit of {GROUP_BYTES_MAX}")]
    GroupTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// An earlier write failed, and nobody knows what of it is on the disk.
    #[error("an earlier write of the journal failed; restart to recover what is durable")]
    Poisoned,
}

impl JournalError {
    /// A failure before anything was synced: a full disk has changed nothing.
    pub(super) fn unsynced(self) -> Self {
        match self {
            Self::Disk { path, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::Full { path, source }
            }
            other => other,
        }
    }

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
