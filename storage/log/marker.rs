//! Markers: the batches by which the broker ends a transaction in each partition that it wrote to.
//!
//! A marker is a control batch of one record that takes an offset of its own:
//!
//! ```text
//! key    version i16 = 0 · kind i16: 0 aborted, 1 committed
//! value  version i16 = 0 · epoch of the coordinator i32          (big-endian)
//! ```

use serde::{Deserialize, Serialize};

use super::batch::RecordBatch;
use super::builder::{BatchBuilder, NewRecord, ProducerStamp};
use super::codec::DecompressionBuffer;

const VERSION: i16 = 0;
const ABORTED: i16 = 0;
const COMMITTED: i16 = 1;

/// Markers have no sequence.
const NO_SEQUENCE: i32 = -1;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionOutcome {
    /// Its records count.
    Committed,
    /// Its records never were.
    Aborted,
}

/// Who ended a transaction, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// How it ended.
    pub outcome: TransactionOutcome,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch; batches of earlier ones are refused from now on.
    pub producer_epoch: i16,
    /// The epoch of whoever decided.
    pub coordinator_epoch: i32,
    /// When.
    pub at_ms: i64,
}

impl Marker {
    /// Its batch, with base offset 0 and leader epoch -1.
    ///
    /// # Panics
    /// Never: one small record fits every batch.
    #[must_use]
    pub fn batch(&self) -> RecordBatch {
        let kind = match self.outcome {
            TransactionOutcome::Aborted => ABORTED,
            TransactionOutcome::Committed => COMMITTED,
        };
        let mut key = Vec::with_capacity(4);
        key.extend_from_slice(&VERSION.to_be_bytes());
        key.extend_from_slice(&kind.to_be_bytes());
        let mut value = Vec::with_capacity(6);
        value.extend_from_slice(&VERSION.to_be_bytes());
        value.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        let stamp = ProducerStamp {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: NO_SEQUENCE,
        };
        let mut builder = BatchBuilder::new().with_stamp(stamp);
        let pushed = builder.push(NewRecord {
            timestamp_ms: self.at_ms,
            key: Some(&key),
            value: Some(&value),
            headers: &[],
        });
        pushed.expect("one small record fits every batch");
        builder.finish_control()
    }
}

impl RecordBatch {
    /// How the transaction ended that this batch is the marker of; `None` when it is none, or one
    /// of a kind that is not known.
    #[must_use]
    pub fn outcome(&self) -> Option<TransactionOutcome> {
        if !self.header().is_control() {
            return None;
        }
        let mut scratch = DecompressionBuffer::default();
        let record = self.records(&mut scratch).ok()?.next()?.ok()?;
        let kind = record.key?.get(2..4)?;
        match i16::from_be_bytes(kind.try_into().ok()?) {
            ABORTED => Some(TransactionOutcome::Aborted),
            COMMITTED => Some(TransactionOutcome::Committed),
            _ => None,
        }
    }
}
