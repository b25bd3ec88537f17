//! The batches of one partition in files, for reading.
//!
//! The files are written after the journal and synced only by checkpoints. What a crash takes
//! from them the journal still has, so that opening them cuts them at the end that the checkpoint
//! knows, and the rest is appended once more. `docs/formats/log.md` has the bytes.

mod buffers;
mod compaction;
mod error;
mod format;
mod index;
mod index_file;
mod inspect;
mod reader;
mod recovery;
mod retention;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use compaction::{COMPACTION_KEYS_MAX, CompactedFiles, CompactionPlan, CompactionRules};
pub use error::LogError;
pub use index_file::IndexState;
pub use inspect::{LogFileReport, LogSight, inspect_log_file, log_files, log_partitions};
pub use reader::{LogReader, TimedOffset};
pub use retention::FileFigures;
pub use writer::{LogEnd, LogOptions, LogRolls, PartitionLog};
