//! Which records of a partition belong to transactions that were aborted.

use serde::{Deserialize, Serialize};

use super::header::BatchHeader;
use crate::model::Offset;

/// A transaction that was aborted, as one partition saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first: Offset,
    /// Offset of its marker.
    pub last: Offset,
    /// The last stable offset of the partition once it was aborted: every transaction that began
    /// before has an entry up to here.
    pub stable: Offset,
}

/// The aborted transactions of a partition, in the order of their markers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AbortedTransactions(Vec<AbortedTransaction>);

impl AbortedTransactions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the newest, and forgets those whose records lie before `start`, where the log begins.
    pub fn push(&mut self, aborted: AbortedTransaction, start: Offset) {
        let gone = self.0.partition_point(|it| it.last < start);
        self.0.drain(..gone);
        self.0.push(aborted);
    }

    /// Those that may have records among the offsets from `from` up to `until`, in the order of
    /// their markers.
    #[must_use]
    pub fn overlapping(&self, from: Offset, until: Offset) -> Vec<AbortedTransaction> {
        let mut found = Vec::new();
        let first = self.0.partition_point(|it| it.last < from);
        for aborted in &self.0[first..] {
            if aborted.first < until {
                found.push(*aborted);
            }
            if aborted.stable >= until {
                break;
            }
        }
        found
    }
}

/// Some aborted transactions, arranged so that a batch of one is recognised.
#[derive(Debug, Clone, Default)]
pub struct AbortedBatches {
    /// By producer, then marker.
    sorted: Vec<AbortedTransaction>,
}

impl AbortedBatches {
    /// The batches of `aborted`.
    #[must_use]
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|it| (it.producer_id, it.last));
        Self { sorted: aborted }
    }

    /// Whether the records of the batch were aborted.
    #[must_use]
    pub fn contains(&self, header: &BatchHeader) -> bool {
        if !header.is_transactional() || header.is_control() {
            return false;
        }
        let (producer_id, base) = (header.producer_id, header.base_offset);
        let ended = (producer_id, base);
        let next = self
            .sorted
            .partition_point(|it| (it.producer_id, it.last) <= ended);
        self.sorted
            .get(next)
            .is_some_and(|it| it.producer_id == producer_id && it.first <= base)
    }
}
