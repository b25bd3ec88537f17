//! Rows that later records take away: found here, deleted by `publish` in the same instant in
//! which the rows of those records become visible.
//!
//! An id names at most one live row of a partition: a record with the same id, later in the same
//! partition, takes its place or removes it. So what is deleted follows from the records alone, in
//! the order of each partition, and is the same when they are read again after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreError;
use super::files::segment_file;
use super::sealed::SealedSegment;
use super::view::TopicView;
use crate::catalog::{SegmentId, SegmentMeta, TopicState};
use crate::model::{ColumnBatch, Offset, PartitionId, TopicId, origin_of_name};
use crate::segment::{ActiveChunk, DeletedRows, RowSource, SegmentError, SourceRows};

/// A record that takes a row away and puts none in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Where the record is.
    pub partition: PartitionId,
    /// Where the record is: only rows before it are taken away.
    pub offset: Offset,
    /// The id of the row, which is of the same partition; a row without one is named by
    /// `partition-offset`.
    pub id: Vec<u8>,
}

/// Rows and removals that become visible together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRows {
    /// The rows. One that has an id takes the place of earlier ones with that id in its partition.
    pub rows: ColumnBatch,
    /// What the same records take away.
    pub removals: Vec<Removal>,
}

impl From<ColumnBatch> for NewRows {
    fn from(rows: ColumnBatch) -> Self {
        Self {
            rows,
            removals: Vec::new(),
        }
    }
}

/// Where rows lie that are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In the chunk that is being published.
    New,
    /// In an open chunk, by its number.
    Open(usize),
    /// In a chunk that is being sealed, by its number.
    Sealing(usize),
    /// In a segment.
    Segment(SegmentId),
}

/// All deleted rows of the places in which some were added.
pub(super) type Deletions = BTreeMap<Place, Arc<DeletedRows>>;

/// What a record says about the row of an id.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event<'a> {
    partition: PartitionId,
    id: &'a [u8],
    offset: Offset,
    /// The row that it puts in its place.
    row: Option<usize>,
}

/// A source that may hold rows that are taken away.
struct Target {
    place: Place,
    source: Source,
    meta: Option<Arc<SegmentMeta>>,
    deleted: Option<DeletedRows>,
}

/// Rows in memory, or those of a segment that is opened when something may be in it.
enum Source {
    Open(RowSource),
    Sealed(Arc<SealedSegment>, Option<Arc<DeletedRows>>),
}

/// What is looked through, newest first, and what was found.
pub(super) struct Search {
    topic: TopicId,
    targets: Vec<Target>,
}

impl Search {
    /// A search through all rows of a topic. The caller is publishing: they stay what they are.
    pub(super) fn new(state: &TopicState, view: &TopicView) -> Self {
        let chunk = |place: Place, rows: &SourceRows<ActiveChunk>| Target {
            place,
            source: Source::Open(RowSource::Active(rows.clone())),
            meta: None,
            deleted: None,
        };
        let open = view.active.open.chunks.iter().enumerate().rev();
        let mut targets: Vec<_> = open
            .map(|(number, rows)| chunk(Place::Open(number), rows))
            .collect();
        let sealing = view.active.sealing.iter();
        let sealing = sealing.flat_map(|sealing| sealing.gathered.chunks.iter().enumerate().rev());
        targets.extend(sealing.map(|(number, rows)| chunk(Place::Sealing(number), rows)));
        targets.extend(view.segments.iter().rev().map(|segment| {
            let meta = &segment.meta;
            let deleted = view.deleted.get(&meta.id).cloned();
            Target {
                place: Place::Segment(meta.id),
                source: Source::Sealed(Arc::clone(segment), deleted),
                meta: Some(Arc::clone(meta)),
                deleted: None,
            }
        }));
        Self {
            topic: state.topic.id,
            targets,
        }
    }

    /// What `removals` and the ids of `rows` take away, from `rows` as well.
    pub(super) fn run(
        mut self,
        rows: &Arc<ActiveChunk>,
        removals: &[Removal],
    ) -> Result<Deletions, StoreError> {
        let mut new = DeletedRows::new(rows.row_count());
        let mut origins = Vec::new();
        let mut last: Option<Event<'_>> = None;
        for event in events(rows.batch(), removals) {
            let is_same =
                |last: &&Event<'_>| (last.partition, last.id) == (event.partition, event.id);
            match last.as_ref().filter(is_same) {
                Some(earlier) => {
                    if let Some(row) = earlier.row {
                        new.insert(row);
                    }
                }
                None => {
                    self.find(event.partition, event.id)?;
                    let origin = origin_of_name(event.id);
                    let origin = origin.filter(|(partition, _)| *partition == event.partition);
                    origins.extend(origin.filter(|(_, offset)| *offset < event.offset));
                }
            }
            last = Some(event);
        }
        self.targets.push(Target {
            place: Place::New,
            source: Source::Open(RowSource::from(Arc::clone(rows))),
            meta: None,
            deleted: (!new.is_empty()).then_some(new),
        });
        self.find_origins(origins)?;
        let found = self.targets.into_iter().filter_map(|target| {
            let deleted = target.deleted?;
            Some((target.place, Arc::new(deleted)))
        });
        Ok(found.collect())
    }

    /// Marks the row of `partition` with `id`.
    fn find(&mut self, partition: PartitionId, id: &[u8]) -> Result<(), StoreError> {
        for target in &mut self.targets {
            if !target.may_hold_id(partition) || !target.open()? {
                continue;
            }
            let found = target.find(partition, id);
            if found.map_err(|error| target.failure(self.topic, error))? {
                break;
            }
        }
        Ok(())
    }

    /// Marks the rows without ids that `origins` name.
    fn find_origins(&mut self, mut origins: Vec<(PartitionId, Offset)>) -> Result<(), StoreError> {
        if origins.is_empty() {
            return Ok(());
        }
        origins.sort_unstable();
        for target in &mut self.targets {
            let may_hold = origins.iter().any(|origin| target.may_hold(*origin));
            if !may_hold || !target.open()? {
                continue;
            }
            let found = target.find_origins(&origins);
            found.map_err(|error| target.failure(self.topic, error))?;
        }
        Ok(())
    }
}

impl Target {
    /// Opens its segment; false when that is damaged, so that its rows are in no answer anyway.
    fn open(&mut self) -> Result<bool, StoreError> {
        let (segment, deleted) = match &self.source {
            Source::Open(_) => return Ok(true),
            Source::Sealed(segment, deleted) => (segment, deleted),
        };
        match segment.open() {
            Ok(reader) => {
                let rows = SourceRows::new(reader, deleted.clone());
                self.source = Source::Open(RowSource::Segment(rows));
                Ok(true)
            }
            Err(error) if error.is_damage() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn rows(&self) -> &RowSource {
        match &self.source {
            Source::Open(rows) => rows,
            Source::Sealed(..) => unreachable!("a target is opened before it is read"),
        }
    }

    fn may_hold_id(&self, partition: PartitionId) -> bool {
        self.meta.as_ref().is_none_or(|meta| {
            let mut offsets = meta.offsets.iter();
            meta.has_ids && offsets.any(|(id, _)| *id == partition)
        })
    }

    fn may_hold(&self, (partition, offset): (PartitionId, Offset)) -> bool {
        self.meta.as_ref().is_none_or(|meta| {
            let mut offsets = meta.offsets.iter();
            offsets.any(|(id, range)| *id == partition && range.contains(offset))
        })
    }

    fn find(&mut self, partition: PartitionId, id: &[u8]) -> Result<bool, SegmentError> {
        let source = self.rows().clone();
        for row in source.find_id(id)? {
            if source.origin(row)?.0 == partition {
                self.delete(row);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `origins` ascend.
    fn find_origins(&mut self, origins: &[(PartitionId, Offset)]) -> Result<(), SegmentError> {
        let source = self.rows().clone();
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        for vector in 0..source.vector_count() {
            source.origins(vector, &mut partitions, &mut offsets)?;
            let places = partitions.iter().zip(&offsets);
            for (row, (partition, offset)) in source.vector_rows(vector).zip(places) {
                let origin = (PartitionId(*partition), Offset(*offset));
                let is_named = origins.binary_search(&origin).is_ok();
                if is_named && source.is_live(row) && source.id(row)?.is_none() {
                    self.delete(row);
                }
            }
        }
        Ok(())
    }

    fn delete(&mut self, row: usize) {
        let source = self.rows().clone();
        let deleted = self.deleted.get_or_insert_with(|| {
            let deleted = match &source {
                RowSource::Segment(rows) => rows.deleted(),
                RowSource::Active(rows) => rows.deleted(),
            };
            let none = || DeletedRows::new(source.row_count());
            deleted.map_or_else(none, |deleted| DeletedRows::clone(deleted))
        });
        deleted.insert(row);
    }

    fn failure(&self, topic: TopicId, error: SegmentError) -> StoreError {
        match &self.meta {
            Some(meta) => StoreError::segment(&segment_file(topic, meta))(error),
            None => StoreError::ActiveRows(error),
        }
    }
}

/// What the records of a batch say about ids, by partition, id and offset.
fn events<'a>(rows: &'a ColumnBatch, removals: &'a [Removal]) -> Vec<Event<'a>> {
    let mut events: Vec<Event<'a>> = rows
        .ids_of_rows()
        .into_iter()
        .map(|(row, id)| Event {
            partition: PartitionId(rows.partitions[row]),
            id,
            offset: Offset(rows.offsets[row]),
            row: Some(row),
        })
        .collect();
    events.extend(removals.iter().map(|removal| Event {
        partition: removal.partition,
        id: &removal.id,
        offset: removal.offset,
        row: None,
    }));
    events.sort_unstable();
    events
}
