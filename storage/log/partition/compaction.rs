//! Compaction: files that are closed keep the last record of each key, and younger deletions.
//!
//! 1. Plan: the files that may be touched, up to a limit; what was cleaned before is known from
//!    the last pass of this process. Too little that is new means that nothing is done.
//! 2. Note the last offset of each key in the new files, as many as memory allows.
//! 3. Write each file anew, without records that have a later one, into a file of another name.
//!    Offsets and bytes of what stays are as before. Neighbouring batches that have lost all
//!    records become one without records, so that offsets leave no hole.
//! 4. Exchange the files one by one: index away, new file under the old name, new index. The
//!    folder is synced in between, so that a crash leaves an old file, a new one, or a new one
//!    without its index, which recovery makes anew.
//!
//! Records of transactions count as others do once they are committed, and aborted ones go; the
//! caller says which were aborted, and that none is open before the limit. Markers stay: readers
//! end their lists of aborted transactions by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::format::{FILE_HEADER_BYTES, LOG_ENDING, directory, encode_file_header, file_path};
use super::index::FileIndex;
use super::reader::LogFile;
use super::walk::Walk;
use super::{LogError, LogOptions, PartitionLog, index_file};
use crate::disk::{AppendFile, Disk, FilePath, ReadFile};
use crate::log::{AbortedBatches, AbortedTransactions, DecompressionBuffer, Record, RecordBatch};
use crate::model::{Offset, Partition};

/// Ending of a file that is to take the place of another; recovery removes what it finds of it.
const CLEANED_ENDING: &str = ".cleaned";

/// Keys that one pass can tell apart; what lies behind the last of them waits for the next pass.
pub const COMPACTION_KEYS_MAX: usize = 1 << 19;

/// What a topic says about compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionRules {
    /// Part of the bytes that must be new, from 0 to 1.
    pub dirty_ratio_min: f64,
    /// Files with records younger than this stay as they are.
    pub lag_ms_min: i64,
    /// Files with new records older than this are compacted however few they are.
    pub lag_ms_max: i64,
    /// How long deletions of keys stay readable.
    pub tombstones_ms: i64,
}

/// What is remembered between passes.
#[derive(Debug, Clone, Default)]
pub(super) struct Cleaned {
    /// Records before it are the last of their keys among themselves.
    to: Offset,
    /// When files, by their bases, were first cleaned with deletions in them.
    tombstones_ms: BTreeMap<Offset, i64>,
}

/// A pass that is worth doing.
#[derive(Debug)]
pub struct CompactionPlan {
    disk: Arc<dyn Disk>,
    partition: Partition,
    options: LogOptions,
    rules: CompactionRules,
    aborted: AbortedBatches,
    cleaned: Cleaned,
    files: Vec<Candidate>,
    now_ms: i64,
}

#[derive(Debug)]
struct Candidate {
    base: Offset,
    end: Offset,
    bytes: u64,
    file: Arc<dyn ReadFile>,
}

/// What a pass has made; it counts when [`PartitionLog::exchange`] has taken it.
#[derive(Debug)]
pub struct CompactedFiles {
    files: Vec<(Offset, FileIndex)>,
    cleaned: Cleaned,
    /// Records that are gone.
    pub removed_records: u64,
    /// Bytes that are gone.
    pub removed_bytes: u64,
}

impl PartitionLog {
    /// What there is to compact before `limit`, before which all transactions are over; `None` when
    /// it is not worth it now.
    #[must_use]
    pub fn plan_compaction(
        &self,
        rules: CompactionRules,
        aborted: &AbortedTransactions,
        limit: Offset,
        now_ms: i64,
    ) -> Option<CompactionPlan> {
        let (mut files, mut dirty_bytes, mut bytes) = (Vec::new(), 0, 0);
        let (mut is_overdue, mut has_old_tombstones) = (false, false);
        for file in &self.reader.files().files {
            let latest_ms = file
                .index
                .latest
                .map_or(i64::MIN, |latest| latest.timestamp_ms);
            let is_young = latest_ms > now_ms.saturating_sub(rules.lag_ms_min);
            // A file that the checkpoint cuts must keep its length.
            if file.base >= self.settled.file || file.index.end > limit || is_young {
                break;
            }
            bytes += file.index.bytes;
            if file.base >= self.cleaned.to {
                dirty_bytes += file.index.bytes;
                is_overdue |= latest_ms < now_ms.saturating_sub(rules.lag_ms_max);
            }
            let since_ms = self.cleaned.tombstones_ms.get(&file.base);
            has_old_tombstones |= since_ms
                .is_some_and(|since_ms| now_ms.saturating_sub(*since_ms) >= rules.tombstones_ms);
            files.push(Candidate {
                base: file.base,
                end: file.index.end,
                bytes: file.index.bytes,
                file: Arc::clone(&file.file),
            });
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ratio is compared with a setting"
        )]
        let is_dirty = dirty_bytes > 0
            && dirty_bytes as f64 > rules.dirty_ratio_min * bytes as f64 - f64::EPSILON;
        let is_worth_it = is_dirty || is_overdue || has_old_tombstones;
        is_worth_it.then(|| CompactionPlan {
            disk: Arc::clone(&self.disk),
            partition: self.partition,
            options: self.options,
            rules,
            aborted: AbortedBatches::new(aborted.overlapping(Offset(0), limit)),
            cleaned: self.cleaned.clone(),
            files,
            now_ms,
        })
    }

    /// Lets the files that a pass has made take the places of those that they were made of.
    ///
    /// # Errors
    /// What the disk reports. A file is the old one or the new one then.
    pub fn exchange(&mut self, compacted: CompactedFiles) -> Result<(), LogError> {
        let folder = directory(self.partition);
        let sync = |disk: &dyn Disk| {
            let synced = disk.sync_directory(&folder);
            synced.map_err(LogError::disk("sync", &folder))
        };
        for (base, index) in compacted.files {
            let made = file_path(self.partition, base, CLEANED_ENDING);
            let path = file_path(self.partition, base, LOG_ENDING);
            if self.reader.index_of(base).is_none() {
                // The log was trimmed meanwhile.
                self.disk
                    .remove(&made)
                    .map_err(LogError::disk("remove", &made))?;
                continue;
            }
            index_file::remove(self.disk.as_ref(), self.partition, base)?;
            sync(self.disk.as_ref())?;
            let renamed = self.disk.rename(&made, &path);
            renamed.map_err(LogError::disk("rename", &made))?;
            sync(self.disk.as_ref())?;
            let file = self
                .disk
                .open(&path)
                .map_err(LogError::disk("open", &path))?;
            index_file::write(self.disk.as_ref(), self.partition, base, &index)?;
            let mut files = self.reader.files_mut();
            let place = files.files.iter_mut().find(|file| file.base == base);
            *place.expect("only this half changes the files") = LogFile { base, file, index };
        }
        self.cleaned = compacted.cleaned;
        Ok(())
    }
}

impl CompactionPlan {
    /// Writes the new files. The log goes on meanwhile.
    ///
    /// # Errors
    /// What the disk reports; damage of a batch.
    pub fn run(self) -> Result<CompactedFiles, LogError> {
        let mut keys = LastOffsets::default();
        let mut to = self.cleaned.to;
        for file in self
            .files
            .iter()
            .filter(|file| file.base >= self.cleaned.to)
        {
            if !self.note_keys(file, &mut keys)? {
                break;
            }
            to = file.end;
        }
        let mut compacted = CompactedFiles {
            files: Vec::new(),
            cleaned: Cleaned {
                to,
                tombstones_ms: BTreeMap::new(),
            },
            removed_records: 0,
            removed_bytes: 0,
        };
        for file in self.files.iter().filter(|file| file.end <= to) {
            self.clean(file, &keys, &mut compacted)?;
        }
        Ok(compacted)
    }

    /// Notes the keys of a file; false when they are too many for this pass. Of the first file as
    /// many count as there is room for, or its log would never be compacted.
    fn note_keys(&self, file: &Candidate, keys: &mut LastOffsets) -> Result<bool, LogError> {
        let mut scratch = DecompressionBuffer::new();
        let mut walk = self.walk(file);
        while let Some(found) = walk.next()? {
            let batch = walk.batch(found)?;
            if batch.header().is_control() || self.aborted.contains(batch.header()) {
                continue;
            }
            let records = batch.records(&mut scratch);
            for record in records.map_err(|error| self.unreadable(file, error))? {
                let record = record.map_err(|error| self.unreadable(file, error))?;
                if let Some(key) = record.key
                    && !keys.note(key, record.offset)
                {
                    return Ok(keys.files == 0);
                }
            }
        }
        keys.files += 1;
        Ok(true)
    }

    /// Writes `file` anew, unless all of it stays.
    fn clean(
        &self,
        file: &Candidate,
        keys: &LastOffsets,
        compacted: &mut CompactedFiles,
    ) -> Result<(), LogError> {
        let since_ms = self.cleaned.tombstones_ms.get(&file.base).copied();
        let drops_tombstones = since_ms.is_some_and(|since_ms| {
            self.now_ms.saturating_sub(since_ms) >= self.rules.tombstones_ms
        });
        let (mut removed, mut has_tombstones) = (0, false);
        let mut scratch = DecompressionBuffer::new();
        let mut walk = self.walk(file);
        let mut out = self.create(file)?;
        while let Some(found) = walk.next()? {
            let batch = walk.batch(found)?;
            if batch.header().is_control() {
                out.append(&batch)?;
                continue;
            }
            let is_aborted = self.aborted.contains(batch.header());
            let kept = batch.rewritten(found.header.codec, &mut scratch, |record| {
                let is_tombstone = record.key.is_some() && record.value.is_none();
                let is_wanted = keys.keeps(record) && !(drops_tombstones && is_tombstone);
                let stays = is_wanted && !is_aborted;
                has_tombstones |= stays && is_tombstone;
                stays
            });
            let kept = kept.map_err(|error| self.unreadable(file, error))?;
            let count = kept.header().record_count;
            removed += u64::from(found.header.record_count - count);
            match count {
                0 => out.append_empty(kept)?,
                count if count == found.header.record_count => out.append(&batch)?,
                _ => out.append(&kept)?,
            }
        }
        if has_tombstones {
            let since_ms = since_ms.unwrap_or(self.now_ms);
            compacted.cleaned.tombstones_ms.insert(file.base, since_ms);
        }
        if removed == 0 {
            return out.give_up(self.disk.as_ref());
        }
        let index = out.finish()?;
        compacted.removed_records += removed;
        compacted.removed_bytes += file.bytes.saturating_sub(index.bytes);
        compacted.files.push((file.base, index));
        Ok(())
    }

    /// The file that is to take the place of `file`.
    fn create(&self, file: &Candidate) -> Result<NewFile, LogError> {
        let path = file_path(self.partition, file.base, CLEANED_ENDING);
        // An earlier pass may have failed half way.
        let _ = self.disk.remove(&path);
        let created = self.disk.create(&path);
        let mut out = created.map_err(LogError::disk("create", &path))?;
        let header = encode_file_header(self.partition, file.base);
        out.append(&header)
            .map_err(LogError::disk("write", &path))?;
        Ok(NewFile {
            path,
            out,
            empty: None,
            index: FileIndex::new(file.base),
            interval_bytes: self.options.index_interval_bytes,
        })
    }

    fn walk(&self, file: &Candidate) -> Walk {
        let path = file_path(self.partition, file.base, LOG_ENDING);
        Walk::new(Arc::clone(&file.file), path, FILE_HEADER_BYTES, file.bytes)
    }

    fn unreadable(&self, file: &Candidate, source: crate::log::BatchError) -> LogError {
        LogError::Batch {
            path: file_path(self.partition, file.base, LOG_ENDING),
            offset: FILE_HEADER_BYTES,
            source,
        }
    }
}

/// A file on its way.
struct NewFile {
    path: FilePath,
    out: Box<dyn AppendFile>,
    /// Stands for batches that have lost all their records and are not written yet.
    empty: Option<RecordBatch>,
    index: FileIndex,
    interval_bytes: u64,
}

impl NewFile {
    fn append(&mut self, batch: &RecordBatch) -> Result<(), LogError> {
        if let Some(empty) = self.empty.take() {
            self.write(&empty)?;
        }
        self.write(batch)
    }

    /// Adds a batch that has no records any more.
    fn append_empty(&mut self, batch: RecordBatch) -> Result<(), LogError> {
        let last = batch.header().last_offset();
        let first = self.empty.take();
        let joined = first.as_ref().unwrap_or(&batch).placeholder(last);
        self.empty = match (first, joined) {
            (_, Some(joined)) => Some(joined),
            (first, None) => {
                if let Some(first) = first {
                    self.write(&first)?;
                }
                Some(batch)
            }
        };
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), LogError> {
        let appended = self.out.append(batch.bytes());
        appended.map_err(LogError::disk("write", &self.path))?;
        self.index.observe(batch.header(), self.interval_bytes);
        Ok(())
    }

    fn finish(mut self) -> Result<FileIndex, LogError> {
        if let Some(empty) = self.empty.take() {
            self.write(&empty)?;
        }
        self.out
            .sync()
            .map_err(LogError::disk("sync", &self.path))?;
        Ok(self.index)
    }

    fn give_up(self, disk: &dyn Disk) -> Result<(), LogError> {
        drop(self.out);
        disk.remove(&self.path)
            .map_err(LogError::disk("remove", &self.path))
    }
}

/// The last offset of each key, by a hash that no accident makes collide.
#[derive(Debug, Default)]
struct LastOffsets {
    offsets: FxHashMap<[u8; 16], Offset>,
    /// Files whose keys are all here.
    files: usize,
}

impl LastOffsets {
    /// Notes that `key` has a record at `offset`; false when there is no room for another key.
    fn note(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = hash(key);
        if self.offsets.len() >= COMPACTION_KEYS_MAX && !self.offsets.contains_key(&hash) {
            return false;
        }
        self.offsets.insert(hash, offset);
        true
    }

    fn keeps(&self, record: &Record<'_>) -> bool {
        let Some(key) = record.key else {
            return true;
        };
        let last = self.offsets.get(&hash(key));
        last.is_none_or(|last| record.offset >= *last)
    }
}

fn hash(key: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(key);
    let (half, _) = hash
        .as_bytes()
        .split_first_chunk()
        .expect("a hash has 32 bytes");
    *half
}
