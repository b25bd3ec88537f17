//! What is known about a partition's log beside its records.

use std::collections::BTreeMap;

use super::Store;
use super::partition::LogBounds;
use crate::log::ProducerSummary;
use crate::model::{LeaderEpoch, Offset, Partition};

/// The first offset that was stored in each epoch, ascending.
pub(super) type EpochStarts = Vec<(LeaderEpoch, Offset)>;

/// Where an epoch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The latest epoch up to the one asked for in which something was stored.
    pub epoch: LeaderEpoch,
    /// The first offset of a later one; the high watermark when there is none.
    pub end: Offset,
}

impl Store {
    /// Which offsets of `partition` clients may read. Records before the start that was moved may
    /// be stored still, and become rows; [`Store::log_bounds`] counts them.
    #[must_use]
    pub fn client_bounds(&self, partition: Partition) -> Option<LogBounds> {
        let view = self.view();
        let shown = view.partition(partition)?;
        let moved = view
            .catalog
            .topic(partition.topic)
            .map_or_else(Offset::default, |state| state.log_start(partition.id));
        Some(LogBounds {
            start: shown.log.start().max(moved),
            high_watermark: shown.high_watermark,
            last_stable: shown.last_stable,
        })
    }

    /// Where `epoch` ends in `partition`; `None` when there is no such partition, or the epoch is
    /// still to come.
    #[must_use]
    pub fn epoch_end(&self, partition: Partition, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let view = self.view();
        let shown = view.partition(partition)?;
        if epoch >= self.epoch {
            let end = shown.high_watermark;
            return (epoch == self.epoch).then_some(EpochEnd { epoch, end });
        }
        let after = shown
            .epochs
            .partition_point(|(started, _)| *started <= epoch);
        let end = match shown.epochs.get(after) {
            Some((_, start)) => *start,
            None => shown.high_watermark,
        };
        let last = after.checked_sub(1).and_then(|last| shown.epochs.get(last));
        let epoch = last.map_or(epoch, |(started, _)| *started);
        Some(EpochEnd { epoch, end })
    }

    /// The epoch in which `offset` was stored, if that is known.
    pub(super) fn epoch_at(&self, partition: Partition, offset: Offset) -> Option<LeaderEpoch> {
        let view = self.view();
        let epochs = &view.partition(partition)?.epochs;
        let after = epochs.partition_point(|(_, start)| *start <= offset);
        Some(epochs.get(after.checked_sub(1)?)?.0)
    }

    /// Bytes of the files of `partition`.
    #[must_use]
    pub fn log_bytes(&self, partition: Partition) -> Option<u64> {
        let shown = self.view().partition(partition).cloned()?;
        Some(shown.log.bytes())
    }

    /// The producers whose transaction is open in `partition`, with the offset of its first record;
    /// batches that wait for their commit are counted.
    #[must_use]
    pub fn open_transactions(&self, partition: Partition) -> BTreeMap<i64, Offset> {
        let mut staging = self.staging();
        let tail = staging.tail(partition);
        tail.map_or_else(BTreeMap::new, |tail| tail.open.clone())
    }

    /// The producers that number their batches to `partition`, ascending by id; batches that wait
    /// for their commit are counted.
    #[must_use]
    pub fn producers(&self, partition: Partition) -> Option<Vec<ProducerSummary>> {
        let mut staging = self.staging();
        let mut producers: Vec<_> = staging.tail(partition)?.producers.summaries().collect();
        drop(staging);
        producers.sort_unstable_by_key(|producer| producer.id);
        Some(producers)
    }
}
