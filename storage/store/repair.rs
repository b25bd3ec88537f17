//! A damaged segment is made anew from the log, as far as the log reaches back.
//!
//! 1. Say which offsets the segment had ([`Store::lost_rows`]): the ranges that the catalog names,
//!    without what other segments hold of them.
//! 2. The caller decodes these records again and hands over their rows batch by batch; each becomes
//!    a small segment in a temporary file, so that memory is bounded.
//! 3. The small ones are merged into one, and that is compared with what the catalog says about the
//!    damaged one: as many rows, from the same time to the same time. Anything else is not the same
//!    segment, and nothing is changed.
//! 4. If it has the same content, it takes the damaged file's place. Otherwise (another release
//!    wrote it) one edit swaps the two, as for merges. Deleted rows stay deleted either way: rows
//!    keep their order.
//!
//! A crash before the last step leaves temporary files, which the next start removes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::{remove, segment_file, segment_folder};
use super::merge::{Merged, Merging};
use super::seal::roles;
use super::sealed::{SealedSegment, SegmentHealth};
use super::write::meta;
use super::{Store, StoreError};
use crate::catalog::{SegmentId, SegmentMeta, TopicState};
use crate::disk::FilePath;
use crate::model::{ColumnBatch, Offset, OffsetRange, Partition, PartitionId, TopicId};
use crate::segment::{MergeInput, RowSource, SegmentReader, merge_segments, write_segment};

/// What a repaired segment is called, inside its topic's folder, until its content is known.
const REPAIRING_FILE: &str = "repairing.temporary";

/// Which records the rows of a damaged segment came from.
#[derive(Debug, Clone)]
pub struct LostRows {
    /// The topic.
    pub topic: TopicId,
    /// The damaged segment.
    pub segment: Arc<SegmentMeta>,
    /// Offsets inside the segment's ranges whose rows other segments have, ascending.
    others: BTreeMap<PartitionId, Vec<u64>>,
}

/// Why a segment cannot be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Irreparable {
    /// The log begins behind some of its rows.
    LogTooShort {
        /// The partition.
        partition: Partition,
        /// The first offset that is needed.
        needed: Offset,
        /// The first offset that there is.
        start: Offset,
    },
    /// Another segment with some of the same offsets is damaged, too.
    Entangled {
        /// Its file.
        with: String,
    },
    /// What was made from the log is not what the catalog says.
    Differs {
        /// How they differ.
        how: String,
    },
}

/// What became of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repaired {
    /// The segment answers again.
    Done(Arc<SegmentMeta>),
    /// It is gone: merged, or its topic deleted.
    Outdated,
    /// Nothing has changed.
    Not(Irreparable),
}

impl LostRows {
    /// The ranges that hold all of them.
    #[must_use]
    pub fn ranges(&self) -> &[(PartitionId, OffsetRange)] {
        &self.segment.offsets
    }

    /// Whether the row of `offset`, if the record becomes one, is among them.
    #[must_use]
    pub fn contains(&self, partition: PartitionId, offset: Offset) -> bool {
        let others = self.others.get(&partition);
        others.is_none_or(|others| others.binary_search(&offset.0).is_err())
    }
}

impl Store {
    /// The segments that are known to be damaged.
    #[must_use]
    pub fn damaged_segments(&self) -> Vec<(TopicId, Arc<SegmentMeta>, Arc<str>)> {
        let view = self.view();
        let mut damaged = Vec::new();
        for (topic, state) in &view.topics {
            for segment in state.segments.iter() {
                if let SegmentHealth::Damaged(what) = segment.health() {
                    damaged.push((*topic, Arc::clone(&segment.meta), what));
                }
            }
        }
        damaged.sort_by_key(|(topic, meta, _)| (*topic, meta.id));
        damaged
    }

    /// Which records must be decoded again to make `segment` anew; `None` when it is gone.
    ///
    /// # Errors
    /// When segments that hold offsets between its own cannot be read for now.
    pub fn lost_rows(
        &self,
        topic: TopicId,
        segment: SegmentId,
    ) -> Result<Option<Result<LostRows, Irreparable>>, StoreError> {
        let Some((damaged, others)) = self.with_neighbours(topic, segment) else {
            return Ok(None);
        };
        for (id, range) in &damaged.meta.offsets {
            let partition = Partition::new(topic, *id);
            let Some(bounds) = self.log_bounds(partition) else {
                return Ok(None);
            };
            if bounds.start > range.start() {
                return Ok(Some(Err(Irreparable::LogTooShort {
                    partition,
                    needed: range.start(),
                    start: bounds.start,
                })));
            }
        }
        let mut lost = LostRows {
            topic,
            segment: Arc::clone(&damaged.meta),
            others: BTreeMap::new(),
        };
        for other in others {
            let reader = match other.open_aside() {
                Ok(reader) => reader,
                Err(error) if error.is_damage() => {
                    let with = other.meta.file.clone();
                    return Ok(Some(Err(Irreparable::Entangled { with })));
                }
                Err(error) => return Err(error),
            };
            let noted = lost.note(&RowSource::from(reader));
            noted.map_err(StoreError::segment(&segment_file(topic, &other.meta)))?;
        }
        for offsets in lost.others.values_mut() {
            offsets.sort_unstable();
        }
        Ok(Some(Ok(lost)))
    }

    /// Makes the segment of `lost` anew from batches of its rows, which `next` gives until there
    /// are no more; `next` may fail for reasons of its own.
    ///
    /// # Errors
    /// When a file cannot be written, or `next` fails. Nothing has changed then.
    pub fn repair<E: From<StoreError>>(
        &self,
        lost: &LostRows,
        next: &mut dyn FnMut() -> Result<Option<ColumnBatch>, E>,
    ) -> Result<Repaired, E> {
        let topic = lost.topic;
        let work = self.topic_work(topic)?;
        let _merging = work.merging.lock().expect(NOBODY_PANICS);
        let Some(state) = self.catalog().topic(topic).cloned() else {
            return Ok(Repaired::Outdated);
        };
        let mut pieces = Vec::new();
        let repaired = self.repair_from(lost, &state, &mut pieces, next);
        for (file, reader) in pieces {
            drop(reader);
            remove(&*self.disk, &file)?;
        }
        repaired
    }

    fn repair_from<E: From<StoreError>>(
        &self,
        lost: &LostRows,
        state: &TopicState,
        pieces: &mut Vec<(FilePath, Arc<SegmentReader>)>,
        next: &mut dyn FnMut() -> Result<Option<ColumnBatch>, E>,
    ) -> Result<Repaired, E> {
        while let Some(batch) = next()? {
            if batch.row_count() > 0 {
                pieces.push(self.write_piece(state, pieces.len(), &batch)?);
            }
        }
        if pieces.is_empty() {
            let how = "no record became a row".into();
            return Ok(Repaired::Not(Irreparable::Differs { how }));
        }
        let folder = segment_folder(lost.topic);
        let temporary = folder.join(REPAIRING_FILE);
        let inputs: Vec<_> = pieces
            .iter()
            .map(|(_, reader)| MergeInput {
                reader,
                deleted: None,
            })
            .collect();
        let (roles, options) = (roles(&state.topic), &self.options.segment);
        let merged = self.write_new_file(&temporary, |out| {
            merge_segments(&inputs, &roles, options, out)
        })?;
        let mut meta = meta(&merged.written);
        if let Some(how) = difference(&lost.segment, &meta) {
            remove(&*self.disk, &temporary)?;
            return Ok(Repaired::Not(Irreparable::Differs { how }));
        }
        meta.has_ids = lost.segment.has_ids;
        if meta.file != lost.segment.file && lost.segment.overlay.is_some() {
            remove(&*self.disk, &temporary)?;
            let how = "another release wrote it, and rows of it are deleted for good".into();
            return Ok(Repaired::Not(Irreparable::Differs { how }));
        }
        Ok(self.put_in_place(lost, &temporary, meta)?)
    }

    /// Writes one batch as a segment of its own.
    fn write_piece(
        &self,
        state: &TopicState,
        number: usize,
        batch: &ColumnBatch,
    ) -> Result<(FilePath, Arc<SegmentReader>), StoreError> {
        let folder = segment_folder(state.topic.id);
        let path = folder.join(&format!("repairing-{number}.temporary"));
        let (roles, options) = (roles(&state.topic), &self.options.segment);
        self.write_new_file(&path, |out| write_segment(&[batch], &roles, options, out))?;
        let file = self
            .disk
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let reader = SegmentReader::open(file).map_err(StoreError::segment(&path))?;
        Ok((path, Arc::new(reader)))
    }

    fn put_in_place(
        &self,
        lost: &LostRows,
        temporary: &FilePath,
        meta: SegmentMeta,
    ) -> Result<Repaired, StoreError> {
        let topic = lost.topic;
        let Some((damaged, _)) = self.with_neighbours(topic, lost.segment.id) else {
            remove(&*self.disk, temporary)?;
            return Ok(Repaired::Outdated);
        };
        let file = segment_file(topic, &meta);
        self.publish_file(temporary, &file)?;
        if meta.file == lost.segment.file {
            damaged.set_health(&SegmentHealth::Sound);
            return Ok(Repaired::Done(Arc::clone(&damaged.meta)));
        }
        let work = self.topic_work(topic)?;
        // Whoever publishes has looked for rows to delete in the segments that are there.
        let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
        let rows = usize::try_from(meta.row_count).expect("a segment's rows fit memory");
        let removed = vec![lost.segment.id];
        drop(damaged);
        if let Some(view) = self.view_mut().topics.get_mut(&topic) {
            view.merging = Some(Merging::one(lost.segment.id, rows));
        }
        let merged = self.commit_merged(topic, removed, &file, meta);
        if let Some(view) = self.view_mut().topics.get_mut(&topic) {
            // Taken by the commit, unless there was none.
            view.merging = None;
        }
        Ok(match merged? {
            Merged::Done(meta) => Repaired::Done(meta),
            Merged::Outdated | Merged::Stopped => Repaired::Outdated,
        })
    }

    /// A segment, and the others of its topic that may hold offsets between its own.
    fn with_neighbours(
        &self,
        topic: TopicId,
        id: SegmentId,
    ) -> Option<(Arc<SealedSegment>, Vec<Arc<SealedSegment>>)> {
        let view = self.view();
        let segments = &view.topics.get(&topic)?.segments;
        let index = segments.binary_search_by_key(&id, |segment| segment.meta.id);
        let damaged = Arc::clone(&segments[index.ok()?]);
        let touches = |other: &SegmentMeta| {
            other.offsets.iter().any(|(partition, range)| {
                damaged.meta.offsets.iter().any(|(own, lost)| {
                    own == partition && range.start() < lost.end() && lost.start() < range.end()
                })
            })
        };
        let others = segments.iter().filter(|other| other.meta.id != id);
        let others = others.filter(|other| touches(&other.meta)).cloned();
        let others = others.collect();
        Some((damaged, others))
    }
}

impl LostRows {
    /// Notes which offsets between the lost ones `rows` has.
    fn note(&mut self, rows: &RowSource) -> Result<(), crate::segment::SegmentError> {
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        for vector in 0..rows.vector_count() {
            rows.origins(vector, &mut partitions, &mut offsets)?;
            for (id, offset) in partitions.iter().zip(&offsets) {
                let id = PartitionId(*id);
                let mut ranges = self.segment.offsets.iter();
                let is_between = |(own, range): &(PartitionId, OffsetRange)| {
                    *own == id && range.contains(Offset(*offset))
                };
                if ranges.any(is_between) {
                    self.others.entry(id).or_default().push(*offset);
                }
            }
        }
        Ok(())
    }
}

/// How what was made differs from what was lost, if it does.
fn difference(lost: &SegmentMeta, made: &SegmentMeta) -> Option<String> {
    let times = |meta: &SegmentMeta| (meta.time_first_ms, meta.time_last_ms);
    if lost.row_count != made.row_count {
        let (lost, made) = (lost.row_count, made.row_count);
        return Some(format!("it had {lost} rows, the log gives {made}"));
    }
    if times(lost) != times(made) {
        let ((first, last), (made_first, made_last)) = (times(lost), times(made));
        return Some(format!(
            "its rows were from {first} ms to {last} ms, the log gives {made_first} ms to \
             {made_last} ms"
        ));
    }
    (lost.offsets != made.offsets).then(|| "its rows came from other offsets".into())
}

impl std::fmt::Display for Irreparable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LogTooShort {
                partition,
                needed,
                start,
            } => write!(
                formatter,
                "the log of partition {partition} starts at offset {start}, and rows from {needed} \
                 on are lost; restore the segment's file from a copy"
            ),
            Self::Entangled { with } => write!(
                formatter,
                "segment '{with}', which has offsets between its own, is damaged, too; restore \
                 one of the two from a copy"
            ),
            Self::Differs { how } => {
                write!(formatter, "{how}; restore the segment's file from a copy")
            }
        }
    }
}

const NOBODY_PANICS: &str = "nothing panics while a topic's segments are repaired";
