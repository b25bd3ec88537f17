//! What readers see of a partition.

use std::sync::Arc;

use bytes::Bytes;

use super::log_state::EpochStarts;
use super::{ReadError, Store};
use crate::log::{LogReader, TimedOffset};
use crate::model::{Offset, Partition};

/// A partition's log and its durable end.
#[derive(Debug, Clone)]
pub(super) struct PartitionView {
    pub(super) log: LogReader,
    pub(super) high_watermark: Offset,
    pub(super) epochs: Arc<EpochStarts>,
}

/// Which offsets of a partition can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// The first one.
    pub start: Offset,
    /// The first one that is not durable yet.
    pub high_watermark: Offset,
}

impl Store {
    /// Which offsets of `partition` can be read; `None` when there is no such partition.
    #[must_use]
    pub fn log_bounds(&self, partition: Partition) -> Option<LogBounds> {
        let view = self.view().partition(partition).cloned()?;
        Some(LogBounds {
            start: view.log.start(),
            high_watermark: view.high_watermark,
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
        let start = view.log.start();
        if from < start || from > view.high_watermark {
            return Err(ReadError::OutOfRange {
                partition,
                from,
                start,
                high_watermark: view.high_watermark,
            });
        }
        if from == view.high_watermark {
            return Ok(Bytes::new());
        }
        view.log
            .read(from, view.high_watermark, bytes_max)
            .map_err(|source| ReadError::Log { partition, source })
    }

    /// The first record of `partition`, from `start` on, whose time is not before `time_ms`: its
    /// offset and time.
    ///
    /// # Errors
    /// When there is no such partition, or its file cannot be read.
    pub fn offset_at_time(
        &self,
        partition: Partition,
        time_ms: i64,
        start: Offset,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let view = self.partition_view(partition)?;
        view.log
            .offset_at_time(time_ms, start, view.high_watermark)
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
