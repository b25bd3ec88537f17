//! Whether everything on disk still says the same: files, edits, cells, and rows against the log.
//!
//! Rows are compared with records by digest, one window of a partition's offsets at a time, so
//! that memory is bounded and both sides are read in their own order.

use std::sync::Arc;

use super::Store;
use super::files::{open_overlay, segment_file, segment_folder};
use super::sealed::{SealedPool, SealedSegment};
use crate::catalog::{SegmentMeta, TopicState};
use crate::disk::FilePath;
use crate::log::{BatchHeader, Batches, DecompressionBuffer};
use crate::model::{LeaderEpoch, Offset, OffsetRange, Partition, TopicId, TopicName};
use crate::segment::{ContentHash, PageCache, RowSource, SegmentError, SegmentReader, SourceRows};

/// Records of a partition that are compared at once.
const WINDOW_RECORDS: u64 = 4 * 1024 * 1024;

/// Bytes of a log or a file read at once.
const READ_BYTES: usize = 1024 * 1024;

/// How many problems are described; all are counted.
const PROBLEMS_KEPT_MAX: usize = 1000;

/// What is being looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyProgress {
    /// A segment's file, pages and cells.
    Segment {
        /// Its topic.
        topic: TopicName,
        /// Its file's name.
        file: String,
    },
    /// A partition's log, and its rows.
    Partition {
        /// Its topic.
        topic: TopicName,
        /// The partition.
        partition: Partition,
    },
}

/// What verification has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Segments whose files were read.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Records in the logs.
    pub records: u64,
    /// Rows that were compared with their record; the log of others does not reach back so far.
    pub rows_compared: u64,
    /// How many things were wrong.
    pub problem_count: u64,
    /// The first of them in words.
    pub problems: Vec<String>,
}

/// A record's or a row's document, in little.
type Digest = [u8; 16];

/// Records of one window, by offset.
struct Window {
    range: OffsetRange,
    /// `None` where no record with a value is.
    digests: Vec<Option<Digest>>,
    has_row: Vec<bool>,
}

impl VerifyReport {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, text: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_KEPT_MAX {
            self.problems.push(text);
        }
    }
}

impl Store {
    /// Reads everything: segment files against their names, pages, cells and edits, logs against
    /// their checksums, and the rows of segments against the log as far as it reaches. Nothing is
    /// changed. Work goes on meanwhile; what it adds is not looked at.
    pub fn verify(&self, progress: &mut dyn FnMut(&VerifyProgress)) -> VerifyReport {
        let mut report = VerifyReport::default();
        let catalog = self.catalog();
        for id in catalog.topics().map(|state| state.topic.id) {
            // Whoever holds the segments keeps their files from being removed by merges.
            let (state, _segments) = match self.view().topic(id) {
                Some((state, view)) => (Arc::clone(state), Arc::clone(&view.segments)),
                None => continue,
            };
            let topic = &state.topic.name;
            let mut readers = Vec::new();
            // Not the store's: what queries have read may hide what the disk has lost since.
            let pages = Arc::new(PageCache::within(
                self.options.page_cache_bytes,
                Arc::clone(&self.memory),
            ));
            let pool = SealedPool::new(Arc::clone(&self.disk), pages, Arc::clone(&self.memory));
            for meta in &state.segments {
                progress(&VerifyProgress::Segment {
                    topic: topic.clone(),
                    file: meta.file.clone(),
                });
                report.segments += 1;
                let path = segment_file(state.topic.id, meta);
                let verified = self.verify_segment(state.topic.id, meta, &pool);
                let id = state.topic.id;
                match verified.and_then(|reader| self.verify_overlay(id, meta, reader)) {
                    Ok(reader) => readers.push((meta.as_ref(), reader)),
                    Err(problem) => report.problem(format!("segment '{path}': {problem}")),
                }
                report.rows += meta.row_count;
            }
            let mut rowless = 0;
            for partition in state.topic.partitions() {
                progress(&VerifyProgress::Partition {
                    topic: topic.clone(),
                    partition,
                });
                let compared = self.verify_partition(&state, partition, &readers, &mut report);
                match compared {
                    Ok(records) => rowless += records,
                    Err(problem) => report.problem(format!("partition {partition}: {problem}")),
                }
            }
            let rejected = state.rejected.total();
            if rowless > rejected + state.dropped && readers.len() == state.segments.len() {
                report.problem(format!(
                    "topic '{topic}': {rowless} records below the watermarks have no row, but \
                     only {rejected} were rejected and {} deleted",
                    state.dropped
                ));
            }
        }
        report
    }

    /// Whether a segment's file is what its name and the catalog say, and holds together.
    fn verify_segment(
        &self,
        topic: TopicId,
        meta: &Arc<SegmentMeta>,
        pool: &Arc<SealedPool>,
    ) -> Result<Arc<SegmentReader>, String> {
        let path = &segment_file(topic, meta);
        let hash = self.content_hash(path, meta.bytes)?;
        if format!("{hash}.segment") != meta.file {
            return Err("its content has another hash than its name".into());
        }
        let reader = SealedSegment::new(pool, topic, Arc::clone(meta)).open();
        let reader = reader.map_err(|error| error.to_string())?;
        reader.verify().map_err(|error| error.to_string())?;
        let summary = reader.summary();
        let found = (
            summary.row_count,
            summary.time_first_ms,
            summary.time_last_ms,
        );
        if found != (meta.row_count, meta.time_first_ms, meta.time_last_ms) {
            return Err("its footer and the catalog differ".into());
        }
        Ok(reader)
    }

    /// Whether a segment's overlay is what its name and the catalog say, and fits its rows.
    fn verify_overlay(
        &self,
        topic: TopicId,
        meta: &SegmentMeta,
        reader: Arc<SegmentReader>,
    ) -> Result<RowSource, String> {
        let Some(overlay) = &meta.overlay else {
            return Ok(RowSource::from(reader));
        };
        let check = || -> Result<RowSource, String> {
            let path = segment_folder(topic).join(&overlay.file);
            let hash = self.content_hash(&path, overlay.bytes)?;
            if format!("{hash}.overlay") != overlay.file {
                return Err("its content has another hash than its name".into());
            }
            let open = open_overlay(&self.disk, topic, meta).map_err(|error| error.to_string())?;
            let open = open.expect("the segment has an overlay");
            if open.deleted().count() as u64 != overlay.deleted_rows {
                return Err("it deletes another number of rows than the catalog says".into());
            }
            open.verify(&reader).map_err(|error| error.to_string())?;
            let deleted = Some(Arc::clone(open.deleted()));
            let rows = SourceRows::new(Arc::clone(&reader), deleted);
            Ok(RowSource::Segment(rows.with_overlay(Some(open))))
        };
        check().map_err(|problem| format!("overlay '{}': {problem}", overlay.file))
    }

    /// The hash of the first `bytes` of a file.
    fn content_hash(&self, path: &FilePath, bytes: u64) -> Result<ContentHash, String> {
        let file = self.disk.open(path).map_err(|error| error.to_string())?;
        let mut hash = blake3::Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut offset = 0;
        while offset < bytes {
            let len = usize::try_from(bytes - offset).map_or(READ_BYTES, |len| len.min(READ_BYTES));
            let part = &mut buffer[..len];
            let read = file.read_exact_at(offset, part);
            read.map_err(|error| error.to_string())?;
            hash.update(part);
            offset += len as u64;
        }
        Ok(ContentHash(*hash.finalize().as_bytes()))
    }

    /// Compares a partition's log with its rows. Returns how many records below the watermark
    /// have a value and no row.
    fn verify_partition(
        &self,
        state: &TopicState,
        partition: Partition,
        segments: &[(&SegmentMeta, RowSource)],
        report: &mut VerifyReport,
    ) -> Result<u64, String> {
        let bounds = self.log_bounds(partition).ok_or("its log is gone")?;
        let watermark = state.watermark(partition.id);
        let beyond = segments.iter().flat_map(|(meta, _)| &meta.offsets);
        let beyond = beyond.filter(|(id, range)| *id == partition.id && range.end() > watermark);
        if beyond.count() > 0 || watermark > bounds.high_watermark {
            report.problem(format!(
                "partition {partition}: the watermark {watermark} is not between the rows' end \
                 and the log's end {}",
                bounds.high_watermark
            ));
        }
        let mut rowless = 0;
        let mut from = bounds.start;
        while from < bounds.high_watermark {
            let end = from.plus(WINDOW_RECORDS).min(bounds.high_watermark);
            let mut window = Window::new(OffsetRange::new(from, end));
            report.records += self.fill(partition, &mut window)?;
            // Rows outlive the records that compaction took away.
            let compared = if state.topic.log_rules().compacts {
                &[]
            } else {
                segments
            };
            for (meta, rows) in compared {
                let touches = |(id, range): &&(_, OffsetRange)| {
                    *id == partition.id && range.start() < end && range.end() > from
                };
                if meta.offsets.iter().any(|range| touches(&range)) {
                    report.rows_compared += window
                        .compare(partition, rows, report)
                        .map_err(|error| error.to_string())?;
                }
            }
            rowless += window.rowless_below(watermark);
            from = end;
        }
        Ok(rowless)
    }

    /// Reads the records of a window. Returns how many there are.
    fn fill(&self, partition: Partition, window: &mut Window) -> Result<u64, String> {
        let mut scratch = DecompressionBuffer::default();
        let mut records = 0;
        let mut next = window.range.start();
        while next < window.range.end() {
            let from = next;
            let bytes = self.read(partition, from, READ_BYTES);
            for batch in Batches::new(bytes.map_err(|error| error.to_string())?) {
                let batch = batch.map_err(|error| error.to_string())?;
                self.check_header(partition, batch.header(), next)?;
                next = batch.header().next_offset();
                let parsed = batch.records(&mut scratch);
                for record in parsed.map_err(|error| error.to_string())? {
                    let record = record.map_err(|error| error.to_string())?;
                    records += u64::from(window.note(record.offset, record.value));
                }
            }
            if next == from {
                return Err(format!("no batch holds offset {next}"));
            }
        }
        Ok(records)
    }

    /// Checks the two fields that a batch's checksum does not cover. `next` is the offset that
    /// the batch must hold.
    pub(super) fn check_header(
        &self,
        partition: Partition,
        header: &BatchHeader,
        next: Offset,
    ) -> Result<(), String> {
        let (base, epoch) = (header.base_offset, header.leader_epoch);
        if !OffsetRange::new(base, header.next_offset()).contains(next) {
            return Err(format!("a batch says offset {base} where {next} belongs"));
        }
        let LeaderEpoch(found) = epoch;
        if epoch > self.epoch || epoch < LeaderEpoch::default() {
            return Err(format!("the batch at offset {base} has epoch {found}"));
        }
        if let Some(LeaderEpoch(stored)) = self.epoch_at(partition, base)
            && stored != found
        {
            return Err(format!(
                "the batch at offset {base} has epoch {found} and was stored in epoch {stored}"
            ));
        }
        Ok(())
    }
}

impl Window {
    fn new(range: OffsetRange) -> Self {
        let len = usize::try_from(range.end().0 - range.start().0);
        let len = len.expect("a window fits memory");
        Self {
            range,
            digests: vec![None; len],
            has_row: vec![false; len],
        }
    }

    fn index(&self, offset: Offset) -> Option<usize> {
        let inside = self.range.contains(offset);
        inside.then(|| usize::try_from(offset.0 - self.range.start().0).ok())?
    }

    /// Remembers a record; returns whether it lies in the window.
    fn note(&mut self, offset: Offset, value: Option<&[u8]>) -> bool {
        let Some(index) = self.index(offset) else {
            return false;
        };
        self.digests[index] = value.map(digest);
        true
    }

    /// Compares the rows of a segment that lie in the window. Returns how many do.
    fn compare(
        &mut self,
        partition: Partition,
        rows: &RowSource,
        report: &mut VerifyReport,
    ) -> Result<u64, SegmentError> {
        let mut compared = 0;
        let mut documents = rows.document_reader()?;
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        for vector in 0..rows.vector_count() {
            rows.origins(vector, &mut partitions, &mut offsets)?;
            let origins = partitions.iter().zip(&offsets);
            for (row, (id, offset)) in rows.vector_rows(vector).zip(origins) {
                let index = self.index(Offset(*offset));
                let Some(index) = index.filter(|_| *id == partition.id.0) else {
                    continue;
                };
                compared += 1;
                if std::mem::replace(&mut self.has_row[index], true) {
                    report.problem(format!(
                        "partition {partition}: two rows of offset {offset}"
                    ));
                }
                match self.digests[index] {
                    None => report.problem(format!(
                        "partition {partition}: a row of offset {offset}, which has no record"
                    )),
                    Some(expected) if expected != digest(&documents.document(row)?) => {
                        report.problem(format!(
                            "partition {partition}: the row of offset {offset} differs from its \
                             record"
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(compared)
    }

    fn rowless_below(&self, watermark: Offset) -> u64 {
        let below = watermark.0.saturating_sub(self.range.start().0);
        let below = usize::try_from(below).unwrap_or(usize::MAX);
        let records = self.digests.iter().zip(&self.has_row).take(below);
        let rowless = records.filter(|(digest, has_row)| digest.is_some() && !**has_row);
        rowless.count() as u64
    }
}

fn digest(document: &[u8]) -> Digest {
    let hash = blake3::hash(document);
    let mut digest = Digest::default();
    digest.copy_from_slice(&hash.as_bytes()[..16]);
    digest
}
