//! The log: Kafka's record batches byte for byte, one journal that makes them durable, one folder
//! of files a partition that keeps them.
//!
//! [`RecordBatch`] is the unit: only parsed, checksummed batches are appended. [`Journal`] takes
//! the batches of all partitions and everything else that must be durable, with one sync for all.
//! [`PartitionLog`] holds the same batches for reading, and is synced only now and then: the
//! journal fills in what its files may lose. [`ProducerStates`] knows repeated batches.
//! What is inside a record's value is none of its business, and neither is the Kafka API.

mod aborted;
mod batch;
mod builder;
mod codec;
mod cursor;
mod damage;
mod header;
mod journal;
mod lz4;
mod marker;
mod partition;
mod producers;
mod records;
mod rewrite;
#[cfg(test)]
mod tests;

pub use aborted::{AbortedBatches, AbortedTransaction, AbortedTransactions};
pub use batch::{Batches, RecordBatch};
pub use builder::{BatchBuilder, NewRecord, ProducerStamp};
pub use codec::{Codec, DECOMPRESSED_BYTES_MAX, DecompressionBuffer};
pub use damage::Damage;
pub use header::{BATCH_HEADER_BYTES, BatchError, BatchHeader, RecordFault};
pub use journal::{
    GROUP_BYTES_MAX, Journal, JournalError, JournalFileReport, JournalOptions, JournalPosition,
    JournalSight, Replay, inspect_journal,
};
pub use marker::{Marker, TransactionOutcome};
pub use partition::{
    COMPACTION_KEYS_MAX, CompactedFiles, CompactionPlan, CompactionRules, FileFigures, IndexState,
    LogEnd, LogError, LogFileReport, LogOptions, LogReader, LogRolls, LogSight, PartitionLog,
    TimedOffset, inspect_log_file, log_files, log_partitions,
};
pub use producers::{
    PRODUCERS_MAX, ProducerStates, ProducerSummary, RETAINED_BATCHES, SequenceCheck, SequenceError,
};
pub use records::{Header, Headers, Record, Records};
