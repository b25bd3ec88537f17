//! Looking at a partition's files without opening the log: nothing is cut, made or repaired, and
//! what is damaged does not hide what is not.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::format::{
    DIRECTORY, FILE_HEADER_BYTES, LOG_ENDING, check_file_header, directory, directory_partition,
    file_base, file_path,
};
use super::index_file::{self, IndexState};
use crate::disk::{Disk, FilePath, ReadFile};
use crate::log::{BATCH_HEADER_BYTES, BatchError, BatchHeader, Damage, RecordBatch};
use crate::model::{Offset, Partition};

/// How much is read at once behind damage, where the next batch is looked for.
const SEARCH_BYTES: usize = 1 << 20;

/// How many places behind damages of one file are tried as a whole batch. Records may hold bytes
/// that look like headers; a file of nothing else must not be read for ever.
const CANDIDATES_MAX: usize = 4096;

/// Where a batch keeps the number of its format, and that number.
const FORMAT_AT: usize = 16;
const FORMAT: u8 = 2;

/// What inspection comes by in a log file, in its order.
#[derive(Debug, Clone)]
pub enum LogSight {
    /// A batch whose checksum holds.
    Batch {
        /// Where in the file it starts.
        position: u64,
        /// What it says about itself.
        header: BatchHeader,
    },
    /// Something that does not hold.
    Damage(Damage),
}

/// What inspection saw of a log file.
#[derive(Debug, Clone)]
pub struct LogFileReport {
    /// The partition.
    pub partition: Partition,
    /// The file.
    pub path: FilePath,
    /// Its length.
    pub length_bytes: u64,
    /// Its first offset, by its name.
    pub base: Offset,
    /// The offset after its last sound batch.
    pub end: Offset,
    /// Sound batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Its index file.
    pub index: IndexState,
    /// Places that do not hold.
    pub damages: u64,
}

/// The partitions that have a folder, ascending.
///
/// # Errors
/// What the disk reports.
pub fn log_partitions(disk: &dyn Disk) -> io::Result<Vec<Partition>> {
    let root = FilePath::parse(DIRECTORY).expect("a constant path is plain");
    let folders = disk.list_directories(&root)?;
    let mut partitions: Vec<Partition> = folders
        .iter()
        .filter_map(|folder| directory_partition(folder.name()))
        .collect();
    partitions.sort();
    Ok(partitions)
}

/// The first offsets of a partition's log files, ascending.
///
/// # Errors
/// What the disk reports.
pub fn log_files(disk: &dyn Disk, partition: Partition) -> io::Result<Vec<Offset>> {
    let files = disk.list(&directory(partition))?;
    let bases = files
        .iter()
        .filter_map(|path| file_base(path.name(), LOG_ENDING));
    Ok(bases.collect())
}

/// Reads all of the log file of `partition` that starts at `base` and says what is in it. Batches
/// are checked but not unpacked.
///
/// # Errors
/// What the disk reports.
pub fn inspect_log_file(
    disk: &dyn Disk,
    partition: Partition,
    base: Offset,
    see: &mut dyn FnMut(LogSight),
) -> io::Result<LogFileReport> {
    let path = file_path(partition, base, LOG_ENDING);
    let file = disk.open(&path)?;
    let length_bytes = file.len_bytes()?;
    let mut inspector = Inspector {
        report: LogFileReport {
            partition,
            path: path.clone(),
            length_bytes,
            base,
            end: base,
            batches: 0,
            records: 0,
            index: index_file::state(disk, partition, base),
            damages: 0,
        },
        file,
        candidates: 0,
        see,
    };
    let header = inspector.read(0, length_bytes.min(FILE_HEADER_BYTES))?;
    if let Err(error) = check_file_header(&header, partition, base, &path) {
        inspector.damage(0, FILE_HEADER_BYTES.min(length_bytes), &error);
    }
    inspector.walk()?;
    if inspector.report.index == IndexState::Damaged {
        let index = file_path(partition, base, super::format::INDEX_ENDING);
        inspector.report.damages += 1;
        (inspector.see)(LogSight::Damage(Damage {
            path: index,
            offset: 0,
            length_bytes: 0,
            what: "the index does not hold; it is made anew from the log file at a start".into(),
        }));
    }
    Ok(inspector.report)
}

struct Inspector<'a> {
    report: LogFileReport,
    file: Arc<dyn ReadFile>,
    candidates: usize,
    see: &'a mut dyn FnMut(LogSight),
}

impl Inspector<'_> {
    fn walk(&mut self) -> io::Result<()> {
        let mut position = FILE_HEADER_BYTES;
        while position < self.report.length_bytes {
            match self.batch_at(position)? {
                Ok(header) if header.base_offset == self.report.end => {
                    self.found(position, header);
                    position += header.batch_bytes as u64;
                }
                Ok(header) => {
                    let what = format!(
                        "a batch says offset {} where {} belongs",
                        header.base_offset, self.report.end
                    );
                    self.damage(position, header.batch_bytes as u64, &what);
                    if header.base_offset > self.report.end {
                        self.found(position, header);
                    }
                    position += header.batch_bytes as u64;
                }
                Err(error) => {
                    let next = self.next_batch(position + 1)?;
                    let end = next.map_or(self.report.length_bytes, |next| next.0);
                    self.damage(position, end - position, &error);
                    let Some((next, header)) = next else {
                        return Ok(());
                    };
                    self.found(next, header);
                    position = next + header.batch_bytes as u64;
                }
            }
        }
        Ok(())
    }

    fn found(&mut self, position: u64, header: BatchHeader) {
        self.report.batches += 1;
        self.report.records += u64::from(header.record_count);
        self.report.end = header.next_offset();
        (self.see)(LogSight::Batch { position, header });
    }

    fn damage(&mut self, offset: u64, length_bytes: u64, what: &dyn ToString) {
        self.report.damages += 1;
        (self.see)(LogSight::Damage(Damage {
            path: self.report.path.clone(),
            offset,
            length_bytes,
            what: what.to_string(),
        }));
    }

    /// The batch that starts at `position`, if it is whole.
    fn batch_at(&self, position: u64) -> io::Result<Result<BatchHeader, BatchError>> {
        let left = self.report.length_bytes - position;
        let header = self.read(position, left.min(BATCH_HEADER_BYTES as u64))?;
        let header = match BatchHeader::parse(&header) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        // Reads no more than the file has, whatever the header claims.
        let bytes = self.read(position, left.min(header.batch_bytes as u64))?;
        Ok(RecordBatch::parse(bytes).map(|batch| *batch.header()))
    }

    /// The next whole batch at or behind `from` that can follow what was found.
    fn next_batch(&mut self, from: u64) -> io::Result<Option<(u64, BatchHeader)>> {
        let mut start = from;
        while start < self.report.length_bytes {
            let left = self.report.length_bytes - start;
            let chunk = self.read(start, left.min(SEARCH_BYTES as u64))?;
            let places = chunk.len().saturating_sub(BATCH_HEADER_BYTES - 1);
            for (place, position) in (0..places).zip(start..) {
                if chunk[place + FORMAT_AT] != FORMAT || !self.may_follow(&chunk[place..]) {
                    continue;
                }
                if self.candidates == CANDIDATES_MAX {
                    return Ok(None);
                }
                self.candidates += 1;
                if let Ok(header) = self.batch_at(position)? {
                    return Ok(Some((position, header)));
                }
            }
            if places == 0 {
                break;
            }
            start += places as u64;
        }
        Ok(None)
    }

    /// Whether `bytes` start with the header of a batch behind all that was found.
    fn may_follow(&self, bytes: &[u8]) -> bool {
        BatchHeader::parse(bytes).is_ok_and(|header| {
            let ahead = header.base_offset.0.checked_sub(self.report.end.0);
            // A record takes more than a byte, so a file cannot skip more offsets than it has.
            ahead.is_some_and(|ahead| ahead <= self.report.length_bytes)
        })
    }

    fn read(&self, position: u64, length_bytes: u64) -> io::Result<Bytes> {
        let length = usize::try_from(length_bytes).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(position, &mut bytes)?;
        Ok(Bytes::from(bytes))
    }
}
