//! Records that could not become rows: counted by reason, the newest kept with theirs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Offset, PartitionId};

/// How many rejected records of a topic are remembered one by one.
pub const REJECTED_KEPT_MAX: usize = 100;

/// How many distinct reasons of a topic are counted apart; later ones count as [`OTHER_REASON`].
pub const REJECTED_REASONS_MAX: usize = 100;

/// Longest reason that is kept; the rest of a longer one is cut off.
const REASON_BYTES_MAX: usize = 512;

/// What reasons beyond [`REJECTED_REASONS_MAX`] are counted under.
const OTHER_REASON: &str = "other";

/// A record that could not become a row. The record itself stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its partition.
    pub partition: PartitionId,
    /// Its offset.
    pub offset: Offset,
    /// Why.
    pub reason: Arc<str>,
}

impl Rejected {
    /// The record at `offset` of `partition`; a long `reason` is cut.
    #[must_use]
    pub fn new(partition: PartitionId, offset: Offset, reason: &str) -> Self {
        let reason = Arc::from(&reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]);
        Self {
            partition,
            offset,
            reason,
        }
    }
}

/// All rejected records of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RejectedRecords {
    counts: BTreeMap<Arc<str>, u64>,
    newest: VecDeque<Rejected>,
}

impl RejectedRecords {
    /// How many there were for each reason.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.counts
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The newest, oldest of them first, at most [`REJECTED_KEPT_MAX`].
    pub fn newest(&self) -> impl ExactSizeIterator<Item = &Rejected> {
        self.newest.iter()
    }

    /// Counts `rejected` and remembers the newest of them.
    pub fn add(&mut self, rejected: &[Rejected]) {
        for record in rejected {
            let full = self.counts.len() >= REJECTED_REASONS_MAX;
            let reason = match full && !self.counts.contains_key(&record.reason) {
                true => OTHER_REASON.into(),
                false => Arc::clone(&record.reason),
            };
            *self.counts.entry(reason).or_default() += 1;
        }
        let fresh = &rejected[rejected.len().saturating_sub(REJECTED_KEPT_MAX)..];
        self.newest.extend(fresh.iter().cloned());
        let surplus = self.newest.len().saturating_sub(REJECTED_KEPT_MAX);
        self.newest.drain(..surplus);
    }
}
