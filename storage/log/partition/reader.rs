//! Reading a partition's log while it grows.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::LogError;
use super::format::{LOG_ENDING, file_path};
use super::index::FileIndex;
use super::walk::{Found, Walk};
use crate::disk::ReadFile;
use crate::log::{BatchHeader, DecompressionBuffer};
use crate::model::{LeaderEpoch, Offset, Partition};

/// The half of a [`PartitionLog`](super::PartitionLog) that many threads may use while another
/// one appends. Clones read the same log. A batch is seen as a whole once its append returned.
#[derive(Debug, Clone)]
pub struct LogReader {
    partition: Partition,
    files: Arc<RwLock<LogFiles>>,
}

/// A record's offset and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOffset {
    /// The record's offset.
    pub offset: Offset,
    /// The record's time.
    pub timestamp_ms: i64,
    /// The epoch in which its batch was appended.
    pub leader_epoch: LeaderEpoch,
}

/// The files of a partition, oldest first.
#[derive(Debug)]
pub(super) struct LogFiles {
    pub(super) files: Vec<LogFile>,
    /// The offset that the next batch gets.
    pub(super) end: Offset,
}

/// One file, open for reading.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) base: Offset,
    pub(super) file: Arc<dyn ReadFile>,
    pub(super) index: FileIndex,
}

impl LogFiles {
    pub(super) fn start(&self) -> Offset {
        self.files.first().map_or(self.end, |file| file.base)
    }

    /// The file that holds `offset`, or would.
    fn holding(&self, offset: Offset) -> Option<&LogFile> {
        let after = self.files.partition_point(|file| file.base <= offset);
        self.files.get(after.checked_sub(1)?)
    }
}

impl LogReader {
    pub(super) fn new(partition: Partition, files: LogFiles) -> Self {
        Self {
            partition,
            files: Arc::new(RwLock::new(files)),
        }
    }

    // Writers change the files in one step that cannot panic half-way.
    pub(super) fn files(&self) -> RwLockReadGuard<'_, LogFiles> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn files_mut(&self) -> RwLockWriteGuard<'_, LogFiles> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the file that starts at `base`.
    pub(super) fn index_of(&self, base: Offset) -> Option<FileIndex> {
        let files = self.files();
        files
            .files
            .iter()
            .find(|file| file.base == base)
            .map(|file| file.index.clone())
    }

    /// The first offset that is there; the end when nothing is.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.files().start()
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.files().end
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().files.iter().map(|file| file.index.bytes).sum()
    }

    /// Whole batches, as they were written, from the one that holds `from` on: at least that one,
    /// further ones as long as all together have at most `bytes_max` bytes and stand in the same
    /// file. Batches that reach beyond `end` are left out. Nothing when `from` is `end` already.
    ///
    /// Checksums of batches are left to those who look inside.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when the log does not reach to `from`; what the disk reports;
    /// damage of a batch's header.
    pub fn read(&self, from: Offset, end: Offset, bytes_max: usize) -> Result<Bytes, LogError> {
        let (mut walk, file_bytes) = {
            let files = self.files();
            let (start, log_end) = (files.start(), files.end);
            if from < start || from > log_end {
                return Err(LogError::OutOfRange {
                    from,
                    start,
                    end: log_end,
                });
            }
            if from >= end.min(log_end) {
                return Ok(Bytes::new());
            }
            let file = files
                .holding(from)
                .expect("offsets from the start on are in some file");
            (
                self.walk(file, file.index.position_of(from)),
                file.index.bytes,
            )
        };
        while let Some(found) = walk.next()? {
            if found.header.last_offset() >= from {
                return read_batches(&walk, found, file_bytes, end, bytes_max);
            }
        }
        // Only the space after the last batch of a file whose records were compacted away.
        Ok(Bytes::new())
    }

    /// The first record, in the order of offsets, whose time is at least `time_ms` and whose
    /// offset lies from `start` up to `end`.
    ///
    /// Batches are chosen by the latest time in their header, which is the producer's word. A
    /// batch whose records cannot be read answers with its first offset.
    ///
    /// # Errors
    /// What the disk reports; damage of a batch.
    pub fn offset_at_time(
        &self,
        time_ms: i64,
        start: Offset,
        end: Offset,
    ) -> Result<Option<TimedOffset>, LogError> {
        let walks: Vec<Walk> = {
            let files = self.files();
            let reaching = files
                .files
                .iter()
                .filter(|file| file.index.reaches_time(time_ms));
            reaching
                .map(|file| self.walk(file, file.index.position_of_time(time_ms)))
                .collect()
        };
        for mut walk in walks {
            while let Some(found) = walk.next()? {
                if found.header.base_offset >= end {
                    return Ok(None);
                }
                let is_before = found.header.next_offset() <= start;
                if is_before || found.header.max_timestamp_ms < time_ms {
                    continue;
                }
                if let Some(record) = first_at_time(&walk, found, time_ms, start)? {
                    return Ok(Some(record).filter(|record| record.offset < end));
                }
            }
        }
        Ok(None)
    }

    /// The first record with the latest time of all.
    ///
    /// # Errors
    /// What the disk reports; damage of a batch.
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, LogError> {
        let (latest, mut walk) = {
            let files = self.files();
            let latest = files
                .files
                .iter()
                .filter_map(|file| Some((file.index.latest?, file)));
            // The first of equals: `max_by_key` would take the last one.
            let Some((latest, file)) =
                latest.min_by_key(|(latest, _)| Reverse(latest.timestamp_ms))
            else {
                return Ok(None);
            };
            (
                latest,
                self.walk(file, file.index.position_of(latest.batch)),
            )
        };
        while let Some(found) = walk.next()? {
            if found.header.base_offset == latest.batch {
                let record = first_at_time(&walk, found, latest.timestamp_ms, latest.batch)?;
                return Ok(Some(record.unwrap_or_else(|| by_header(&found.header))));
            }
        }
        Ok(None)
    }

    fn walk(&self, file: &LogFile, position: u64) -> Walk {
        let path = file_path(self.partition, file.base, LOG_ENDING);
        Walk::new(Arc::clone(&file.file), path, position, file.index.bytes)
    }
}

/// The batches from `first` on that fit `bytes_max`, but `first` in any case.
fn read_batches(
    walk: &Walk,
    first: Found,
    file_bytes: u64,
    end: Offset,
    bytes_max: usize,
) -> Result<Bytes, LogError> {
    if first.header.next_offset() > end {
        return Ok(Bytes::new());
    }
    let left = usize::try_from(file_bytes - first.position).unwrap_or(usize::MAX);
    let mut bytes = walk.read(
        first.position,
        bytes_max.max(first.header.batch_bytes).min(left),
    )?;
    let mut whole = first.header.batch_bytes;
    // Bytes that make no header are a batch that was cut; a damaged one is found when it is the
    // first of a read.
    while let Some(Ok(next)) = bytes.get(whole..).map(BatchHeader::parse) {
        if next.batch_bytes > bytes.len() - whole || next.next_offset() > end {
            break;
        }
        whole += next.batch_bytes;
    }
    bytes.truncate(whole);
    Ok(bytes)
}

/// The first record of a batch that is not before `time_ms` nor before `start`; `None` when there
/// is none, because the header promised too much.
fn first_at_time(
    walk: &Walk,
    found: Found,
    time_ms: i64,
    start: Offset,
) -> Result<Option<TimedOffset>, LogError> {
    let batch = walk.batch(found)?;
    let mut scratch = DecompressionBuffer::new();
    let Ok(records) = batch.records(&mut scratch) else {
        return Ok(Some(by_header(&found.header)));
    };
    for record in records {
        match record {
            Err(_) => return Ok(Some(by_header(&found.header))),
            Ok(record) if record.timestamp_ms >= time_ms && record.offset >= start => {
                return Ok(Some(TimedOffset {
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    leader_epoch: found.header.leader_epoch,
                }));
            }
            Ok(_) => {}
        }
    }
    Ok(None)
}

fn by_header(header: &BatchHeader) -> TimedOffset {
    TimedOffset {
        offset: header.base_offset,
        timestamp_ms: header.max_timestamp_ms,
        leader_epoch: header.leader_epoch,
    }
}
