//! How far the records of a topic that could not become rows are dead letters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RejectKind;
use crate::model::{Offset, PartitionId};

/// A topic's dead letters lie in the topic of its name with this behind it.
pub const DEAD_LETTER_SUFFIX: &str = ".dead-letter";

/// The dead letters of one topic. It changes in the same group of the journal as the topic that
/// has them, so that each record is a dead letter once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeadLetterState {
    /// Each partition's first offset that may still become one; partitions at 0 are left out.
    #[serde(with = "pairs")]
    pub next: BTreeMap<PartitionId, Offset>,
    /// How many there have been of each kind.
    pub counts: BTreeMap<RejectKind, u64>,
}

impl DeadLetterState {
    /// The first offset of `partition` that may still become a dead letter.
    #[must_use]
    pub fn next(&self, partition: PartitionId) -> Offset {
        self.next.get(&partition).copied().unwrap_or_default()
    }

    /// How many there have been.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Counts `counts` more, which lie before `next` of `partition`.
    pub(super) fn add(
        &mut self,
        partition: PartitionId,
        next: Offset,
        counts: &BTreeMap<RejectKind, u64>,
    ) {
        let known = self.next.entry(partition).or_default();
        *known = (*known).max(next);
        for (kind, count) in counts {
            *self.counts.entry(*kind).or_default() += count;
        }
    }
}

/// Partitions as a list of pairs, as watermarks are written.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::{Offset, PartitionId};

    pub(super) fn serialize<S: Serializer>(
        next: &BTreeMap<PartitionId, Offset>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(next.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<PartitionId, Offset>, D::Error> {
        let pairs = Vec::<(PartitionId, Offset)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}
