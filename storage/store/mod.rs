//! The store: log, segments and catalog opened together, changed through one journal.
//!
//! A change is *staged* (it has its place in the order), then *committed* together with all others
//! staged by then: one write and one sync of the journal for any number of batches and edits of any
//! number of partitions. Nothing is visible before its commit.
//!
//! ```text
//! stage_batch ─┐                                  ┌→ partition files, high watermarks → read
//! stage_edit  ─┴→ staged, in order ─commit→ journal ┴→ catalog                         → snapshot
//!                                                      active rows ← publish (caller decodes)
//!                                                      segments    ← seal, merge
//! ```
//!
//! A checkpoint makes the partition files durable, writes the rest of the state to the
//! [`crate::catalog::CheckpointStore`] and trims the journal. Recovery is the same way back: the
//! checkpoint, partition files cut at the ends that it names, then the journal from the position
//! that it covers. Rows are made again by the caller from the watermarks on.
//!
//! Locks, always taken in this order, none held across a sync except the turn to commit and
//! `moving`, which are there for that: `checkpointer` → a topic's `merging` → its `sealing` → its
//! `publishing` → its `moving` → turn → `staging` → `view`.
//!
//! Nothing here knows what a record holds, how it becomes a row, or how a query reads rows.

mod active;
mod checkpoint;
mod commit;
mod dead_letters;
mod durable;
mod error;
mod files;
mod find;
mod groups;
mod inspect;
mod journal_record;
mod log_state;
mod lsn;
mod merge;
mod open;
mod options;
mod overlays;
mod partition;
mod produce;
mod recent;
mod recovery;
mod removal;
mod repair;
mod retention;
mod room;
mod rows;
mod scrub;
mod seal;
mod sealed;
mod snapshot;
mod staging;
mod transactions;
mod turn;
mod verify;
mod view;
mod write;

#[cfg(test)]
mod tests;

pub use commit::CommitSoon;
pub use dead_letters::DeadLetters;
pub use error::{ReadError, StageError, StoreError};
pub use find::FoundRow;
pub use inspect::{
    CatalogSight, Damage, HeadSight, Inspection, JournalEntry, JournalItem, PartitionSight,
    SegmentFileState,
};
pub use journal_record::JournalRecordError;
pub use log_state::EpochEnd;
pub use lsn::Lsn;
pub use merge::{MERGE_PAGES_BYTES, Merged};
pub use open::Store;
pub use options::{
    CHECKPOINT_JOURNAL_BYTES, DISK_RESERVE_BYTES, EDIT_BYTES_MAX, STAGED_BYTES_MAX, StoreOptions,
};
pub use partition::LogBounds;
pub use produce::Staged;
pub use recovery::Recovery;
pub use removal::{NewRows, Removal};
pub use repair::{Irreparable, LostRows, Repaired};
pub use retention::CompactedLog;
pub use rows::ActiveSize;
pub use scrub::{ScrubFinding, ScrubPass, ScrubProgress};
pub use sealed::{SEGMENT_FILES_MAX, SEGMENT_READERS_MAX, SegmentFailure, SegmentHealth};
pub use snapshot::{TopicInstant, TopicSnapshot};
pub use transactions::MembershipError;
pub use turn::Outcome;
pub use verify::{VerifyProgress, VerifyReport};
