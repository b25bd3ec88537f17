//! Appending to a partition's log.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::compaction::Cleaned;
use super::format::{
    DIRECTORY, FILE_HEADER_BYTES, LOG_ENDING, directory, directory_partition, encode_file_header,
    file_path,
};
use super::index::FileIndex;
use super::reader::{LogFile, LogReader, TimedOffset};
use super::recovery::{Recovered, recover, remove_all};
use super::{LogError, index_file};
use crate::disk::{AppendFile, Disk, FilePath};
use crate::log::RecordBatch;
use crate::model::{Offset, Partition};

/// How a partition's log uses its files.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// A batch that would make the file longer goes to the next file.
    pub file_bytes: u64,
    /// How far the batches are apart that readers can start at.
    pub index_interval_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            index_interval_bytes: 4096,
        }
    }
}

/// When a log begins another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRolls {
    /// A batch that would make the file longer goes to the next one.
    pub file_bytes: u64,
    /// So does a batch whose records are this much later than the first of the file.
    pub file_ms: i64,
}

/// How far a partition's files are durable. A checkpoint keeps it; the default is that of a new
/// partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogEnd {
    /// The offset after the last durable record.
    pub offset: Offset,
    /// The base offset of the last file.
    pub file: Offset,
    /// How many bytes of that file are durable; 0 when there is no file yet.
    pub file_bytes: u64,
}

impl LogEnd {
    /// Of a partition without files whose first record will get `offset`.
    #[must_use]
    pub fn empty(offset: Offset) -> Self {
        Self {
            offset,
            file: offset,
            file_bytes: 0,
        }
    }
}

/// The log of one partition: the half that appends. [`PartitionLog::reader`] gives the other one.
#[derive(Debug)]
pub struct PartitionLog {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) partition: Partition,
    pub(super) options: LogOptions,
    pub(super) reader: LogReader,
    /// The last file; none before the first append.
    pub(super) active: Option<Box<dyn AppendFile>>,
    /// Files that get no more batches but are not synced yet, with their bases.
    pub(super) closed: Vec<(Offset, Box<dyn AppendFile>)>,
    unsynced: Unsynced,
    poisoned: bool,
    pub(super) rolls: LogRolls,
    /// The latest time of the first batch that this process appended to the last file.
    active_since_ms: Option<i64>,
    /// Nobody may read what the last file holds.
    pub(super) must_roll: bool,
    /// What the last checkpoint names: files before its last one change no more.
    pub(super) settled: LogEnd,
    /// What compaction remembers.
    pub(super) cleaned: Cleaned,
}

/// What the next sync has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Nothing,
    Bytes,
    BytesAndNames,
}

impl PartitionLog {
    /// Starts the log of a new partition. Files that a crash left in its folder are removed; the
    /// first file is made by the first append.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn create(
        disk: Arc<dyn Disk>,
        partition: Partition,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        Self::open(
            disk,
            partition,
            &LogEnd::empty(Offset(0)),
            Offset(0),
            options,
        )
    }

    /// Opens a partition's log as it was at `end`: what was written later is cut off, since only
    /// the journal knows how much of it is durable. Files with nothing behind `start` go.
    ///
    /// # Errors
    /// What the disk reports; bytes before `end` that are missing or damaged; another format
    /// version.
    pub fn open(
        disk: Arc<dyn Disk>,
        partition: Partition,
        end: &LogEnd,
        start: Offset,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let recovered = recover(disk.as_ref(), partition, end, start, options)?;
        let Recovered { files, active } = recovered;
        let reader = LogReader::new(partition, files);
        let (closed, unsynced, poisoned) = (Vec::new(), Unsynced::Nothing, false);
        Ok(Self {
            disk,
            partition,
            options,
            reader,
            active,
            closed,
            unsynced,
            poisoned,
            rolls: LogRolls {
                file_bytes: options.file_bytes,
                file_ms: i64::MAX,
            },
            active_since_ms: None,
            must_roll: false,
            settled: *end,
            cleaned: Cleaned::default(),
        })
    }

    /// The partitions that have a folder, whether anybody knows them or not.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn list(disk: &dyn Disk) -> Result<Vec<Partition>, LogError> {
        let folder = FilePath::parse(DIRECTORY).expect("a constant path is plain");
        let found = disk
            .list_directories(&folder)
            .map_err(LogError::disk("list", &folder))?;
        Ok(found
            .iter()
            .filter_map(|path| directory_partition(path.name()))
            .collect())
    }

    /// Removes the files of a partition that is not open, and its folder.
    ///
    /// # Errors
    /// What the disk reports. What is left can be removed by another call.
    pub fn remove(disk: &dyn Disk, partition: Partition) -> Result<(), LogError> {
        remove_all(disk, partition)
    }

    /// Removes the log. Readers may go on with what they have open.
    ///
    /// # Errors
    /// What the disk reports. What is left can be removed by [`PartitionLog::remove`].
    pub fn delete(self) -> Result<(), LogError> {
        remove_all(self.disk.as_ref(), self.partition)
    }

    /// The half that reads.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    /// Appends a batch whose offsets are assigned. It can be read at once and is durable after
    /// the next sync.
    ///
    /// # Errors
    /// What the disk reports; the log is as before then.
    ///
    /// # Panics
    /// When the batch's base offset is before the end.
    pub fn append(&mut self, batch: &RecordBatch) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        let (header, end) = (batch.header(), self.reader.end());
        assert!(
            header.base_offset >= end,
            "batch at offset {} of partition {} is before the log's end {end}",
            header.base_offset,
            self.partition
        );
        let latest_ms = header.max_timestamp_ms;
        if !self.has_room(header.batch_bytes as u64, latest_ms) {
            self.roll(end)?;
        }
        self.active_since_ms.get_or_insert(latest_ms);
        let path = self.active_path();
        let file = self
            .active
            .as_mut()
            .expect("a file was started for the first batch");
        file.append(batch.bytes())
            .map_err(LogError::disk("append to", &path))?;
        if self.unsynced == Unsynced::Nothing {
            self.unsynced = Unsynced::Bytes;
        }
        let mut files = self.reader.files_mut();
        let last = files
            .files
            .last_mut()
            .expect("the batch was appended to it");
        last.index
            .observe(header, self.options.index_interval_bytes);
        files.end = header.next_offset();
        Ok(())
    }

    /// Makes sure that batches of `bytes` together, up to `latest_ms`, can be appended, as far as
    /// the disk can tell. A file that cannot hold them all is left for the next one.
    ///
    /// # Errors
    /// What the disk reports, such as that it is full; nothing was appended then.
    pub fn reserve(&mut self, bytes: u64, latest_ms: i64) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        if !self.has_room(bytes, latest_ms) {
            self.roll(self.reader.end())?;
        }
        let path = self.active_path();
        let file = self.active.as_mut().expect("a file was started");
        file.reserve(bytes)
            .map_err(LogError::disk("reserve room in", &path))
    }

    /// Whether the last file takes another batch. A file without batches takes one of any size.
    fn has_room(&self, batch_bytes: u64, latest_ms: i64) -> bool {
        let since_ms = self.active_since_ms.unwrap_or(latest_ms);
        let is_late = latest_ms.saturating_sub(since_ms) > self.rolls.file_ms;
        self.active.as_ref().is_some_and(|file| {
            let len_bytes = file.len_bytes();
            let is_long = len_bytes + batch_bytes > self.rolls.file_bytes;
            len_bytes == FILE_HEADER_BYTES || !(is_long || is_late || self.must_roll)
        })
    }

    /// Changes when the log begins another file; a file is never longer than it was opened for.
    pub fn set_rolls(&mut self, rolls: LogRolls) {
        self.rolls = LogRolls {
            file_bytes: rolls.file_bytes.min(self.options.file_bytes),
            ..rolls
        };
    }

    /// Starts a file at `base`, where the one before ends, so that files leave no gap.
    fn roll(&mut self, base: Offset) -> Result<(), LogError> {
        let path = file_path(self.partition, base, LOG_ENDING);
        match self.disk.remove(&path) {
            // A failed attempt left it: nothing durable starts at the end of the log.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LogError::disk("remove", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let mut next = self
            .disk
            .create(&path)
            .map_err(LogError::disk("create", &path))?;
        next.append(&encode_file_header(self.partition, base))
            .map_err(LogError::disk("write", &path))?;
        let file = self
            .disk
            .open(&path)
            .map_err(LogError::disk("open", &path))?;
        if let Some(full) = self.active.replace(next) {
            self.closed.push((self.active_base(), full));
        }
        self.unsynced = Unsynced::BytesAndNames;
        self.active_since_ms = None;
        self.must_roll = false;
        let index = FileIndex::new(base);
        self.reader
            .files_mut()
            .files
            .push(LogFile { base, file, index });
        Ok(())
    }

    /// Returns when everything that was appended is durable, with the end to remember.
    ///
    /// # Errors
    /// What the disk reports. Nobody knows then what is durable, and every later call fails.
    pub fn sync(&mut self) -> Result<LogEnd, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        if self.unsynced != Unsynced::Nothing {
            self.poisoned = true;
            self.sync_files()?;
            self.poisoned = false;
            self.unsynced = Unsynced::Nothing;
        }
        let offset = self.reader.end();
        let file_bytes = self.active.as_ref().map_or(0, |file| file.len_bytes());
        let file = if file_bytes == 0 {
            offset
        } else {
            self.active_base()
        };
        Ok(LogEnd {
            offset,
            file,
            file_bytes,
        })
    }

    /// Closed files first, so that a durable file follows durable files only; the index of a file
    /// when the file itself is durable.
    fn sync_files(&mut self) -> Result<(), LogError> {
        for (base, mut file) in std::mem::take(&mut self.closed) {
            let path = file_path(self.partition, base, LOG_ENDING);
            file.sync().map_err(LogError::disk("sync", &path))?;
            let index = self
                .reader
                .index_of(base)
                .expect("closed files can still be read");
            index_file::write(self.disk.as_ref(), self.partition, base, &index)?;
        }
        let path = self.active_path();
        if let Some(active) = &mut self.active {
            active.sync().map_err(LogError::disk("sync", &path))?;
        }
        if self.unsynced == Unsynced::BytesAndNames {
            let folder = directory(self.partition);
            self.disk
                .sync_directory(&folder)
                .map_err(LogError::disk("sync", &folder))?;
        }
        Ok(())
    }

    fn active_base(&self) -> Offset {
        let files = self.reader.files();
        files.files.last().map_or(files.end, |file| file.base)
    }

    fn active_path(&self) -> FilePath {
        file_path(self.partition, self.active_base(), LOG_ENDING)
    }

    /// The first offset that is there; the end when nothing is.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.reader.start()
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.reader.end()
    }

    /// As [`LogReader::read`].
    ///
    /// # Errors
    /// As [`LogReader::read`].
    pub fn read(&self, from: Offset, end: Offset, bytes_max: usize) -> Result<Bytes, LogError> {
        self.reader.read(from, end, bytes_max)
    }

    /// As [`LogReader::offset_at_time`].
    ///
    /// # Errors
    /// As [`LogReader::offset_at_time`].
    pub fn offset_at_time(
        &self,
        time_ms: i64,
        start: Offset,
        end: Offset,
    ) -> Result<Option<TimedOffset>, LogError> {
        self.reader.offset_at_time(time_ms, start, end)
    }

    /// As [`LogReader::max_timestamp`].
    ///
    /// # Errors
    /// As [`LogReader::max_timestamp`].
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, LogError> {
        self.reader.max_timestamp()
    }
}
