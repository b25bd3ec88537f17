//! What readers see of a partition.

use std::sync::Arc;

use bytes::Bytes;

use super::log_state::EpochStarts;
use super::{ReadError, Store};
use crate::log::{AbortedTransactions, LogReader, TimedOffset};
use crate::model::{Offset, Partition};

/// A partition's log and its durable end.
#[derive(Debug, Clone)]
pub(super) struct PartitionView {
    pub(super) log: LogReader,
    pub(super) high_watermark: Offset,
    pub(super) last_stable: Offset,
    pub(super) aborted: Arc<AbortedTransactions>,
    pub(super) epochs: Arc<EpochStarts>,
}

/// Which offsets of a partition can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// The first one.
    pub start: Offset,
    /// The first one that is not durable yet.
    pub high_watermark: Offset,
    /// The first one of a transaction that is open; the high watermark when there is none.
    pub last_stable: Offset,
}

impl Store {
    /// Which offsets of `partition` can be read; `None` when there is no such partition.
    #[must_use]
    pub fn log_bounds(&self, partition: Partition) -> Option<LogBounds> {
        let view = self.view().partition(partition).cloned()?;
        Some(LogBounds {
            start: view.log.start(),
            high_watermark: view.high_watermark,
            last_stable: view.last_stable,
        })
    }

    /// Whole batches of `partition`, the first of which holds `from`; at least one, then as many
    /// as fit `bytes_max`. Empty at the high watermark, which is never passed.
    ///
    /// # Errors
    /// When there is no such partition or offset, or its file cannot be read.
    pub fn read(
        &self,
        partition: Partition,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Bytes, ReadError> {
        let view = self.partition_view(partition)?;
        let until = view.high_watermark;
        read(&view, partition, from, until, bytes_max)
    }

    /// As [`Store::read`], but not beyond the last stable offset: what is returned belongs to no
    /// open transaction. Some of it may be aborted, see [`Store::aborted`].
    ///
    /// # Errors
    /// As for [`Store::read`].
    pub fn read_stable(
        &self,
        partition: Partition,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Bytes, ReadError> {
        let view = self.partition_view(partition)?;
        let until = view.last_stable;
        read(&view, partition, from, until, bytes_max)
    }

    /// The first record of `partition`, from `start` on and before `until`, whose time is not
    /// before `time_ms`: its offset and time.
    ///
    /// # Errors
    /// When there is no such partition, or its file cannot be read.
    pub fn offset_at_time(
        &self,
        partition: Partition,
        time_ms: i64,
        start: Offset,
        until: Offset,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let view = self.partition_view(partition)?;
        view.log
            .offset_at_time(time_ms, start, until.min(view.high_watermark))
            .map_err(|source| ReadError::Log { partition, source })
    }

    /// The first record of `partition` with the latest time of all.
    ///
    /// # Errors
    /// When there is no such partition, or its file cannot be read.
    pub fn max_timestamp(&self, partition: Partition) -> Result<Option<TimedOffset>, ReadError> {
        let view = self.partition_view(partition)?;
        let found = view.log.max_timestamp();
        let found = found.map_err(|source| ReadError::Log { partition, source })?;
        Ok(found.filter(|record| record.offset < view.high_watermark))
    }

    fn partition_view(&self, partition: Partition) -> Result<PartitionView, ReadError> {
        let view = self.view().partition(partition).cloned();
        view.ok_or(ReadError::UnknownPartition(partition))
    }
}

/// Whole batches from `from` up to `until`, where one must end.
fn read(
    view: &PartitionView,
    partition: Partition,
    from: Offset,
    until: Offset,
    bytes_max: usize,
) -> Result<Bytes, ReadError> {
    let start = view.log.start();
    if from < start || from > view.high_watermark {
        return Err(ReadError::OutOfRange {
            partition,
            from,
            start,
            high_watermark: view.high_watermark,
        });
    }
    if from >= until {
        return Ok(Bytes::new());
    }
    view.log
        .read(from, until, bytes_max)
        .map_err(|source| ReadError::Log { partition, source })
}
