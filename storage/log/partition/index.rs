//! Where in a file to start looking for an offset or a time.

use super::format::FILE_HEADER_BYTES;
use crate::log::BatchHeader;
use crate::model::Offset;

/// What is known about one log file without reading it: a few batches that readers can start at,
/// and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileIndex {
    /// Ascending; the first batch of the file is the first entry.
    pub(super) entries: Vec<IndexEntry>,
    /// The offset after the last batch.
    pub(super) end: Offset,
    /// The length of the file up to the end of the last batch.
    pub(super) bytes: u64,
    /// The batch with the latest time; the first one of several.
    pub(super) latest: Option<Latest>,
}

/// A batch that readers can start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Its base offset.
    pub(super) offset: Offset,
    /// Where in the file it starts.
    pub(super) position: u64,
    /// The latest time of all batches of the file before it; `i64::MIN` before the first one.
    pub(super) latest_before_ms: i64,
}

/// The latest time in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) timestamp_ms: i64,
    /// Base offset of the batch that has it.
    pub(super) batch: Offset,
}

impl FileIndex {
    /// Of a file that has only its header.
    pub(super) fn new(base: Offset) -> Self {
        Self {
            entries: Vec::new(),
            end: base,
            bytes: FILE_HEADER_BYTES,
            latest: None,
        }
    }

    /// Notes the next batch of the file.
    pub(super) fn observe(&mut self, header: &BatchHeader, interval_bytes: u64) {
        let position = self.bytes;
        let far = |last: &IndexEntry| position - last.position >= interval_bytes;
        if self.entries.last().is_none_or(far) {
            let latest_before_ms = self.latest.map_or(i64::MIN, |latest| latest.timestamp_ms);
            let offset = header.base_offset;
            self.entries.push(IndexEntry {
                offset,
                position,
                latest_before_ms,
            });
        }
        let timestamp_ms = header.max_timestamp_ms;
        if self
            .latest
            .is_none_or(|latest| timestamp_ms > latest.timestamp_ms)
        {
            self.latest = Some(Latest {
                timestamp_ms,
                batch: header.base_offset,
            });
        }
        self.end = header.next_offset();
        self.bytes += header.batch_bytes as u64;
    }

    /// Where to start looking for the batch that holds `offset`.
    pub(super) fn position_of(&self, offset: Offset) -> u64 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        self.entry_before(after)
    }

    /// Where to start looking for the first batch with a time of at least `time_ms`.
    pub(super) fn position_of_time(&self, time_ms: i64) -> u64 {
        let after = self
            .entries
            .partition_point(|entry| entry.latest_before_ms < time_ms);
        self.entry_before(after)
    }

    fn entry_before(&self, index: usize) -> u64 {
        let entry = index
            .checked_sub(1)
            .and_then(|index| self.entries.get(index));
        entry.map_or(FILE_HEADER_BYTES, |entry| entry.position)
    }

    /// Whether a batch of the file says that it reaches `time_ms`.
    pub(super) fn reaches_time(&self, time_ms: i64) -> bool {
        self.latest
            .is_some_and(|latest| latest.timestamp_ms >= time_ms)
    }
}
