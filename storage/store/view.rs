//! What is visible: one instant of catalog, high watermarks and active rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::active::ActiveRows;
use super::durable::Durable;
use super::journal_record::JournalRecord;
use super::merge::Merging;
use super::partition::PartitionView;
use super::removal::{Deletions, Place};
use super::sealed::{SealedPool, SealedSegment, SegmentFile};
use crate::catalog::{Catalog, CatalogChange, SegmentId, SegmentMeta, Topic, TopicState};
use crate::model::{Offset, Partition, TopicId};
use crate::segment::{DeletedRows, Overlay, SourceRows};

/// Everything that reads answer from; replaced piece by piece under one lock.
#[derive(Debug)]
pub(super) struct View {
    /// Durable edits only.
    pub(super) catalog: Arc<Catalog>,
    /// The same topics as in `catalog`.
    pub(super) topics: HashMap<TopicId, TopicView>,
    /// Files of segments that were merged away; snapshots may still read them.
    pub(super) retired: Vec<Arc<SegmentFile>>,
    /// What opens segments.
    pub(super) pool: Arc<SealedPool>,
}

/// What there is of a topic beside its state in the catalog.
#[derive(Debug, Default)]
pub(super) struct TopicView {
    /// By number.
    pub(super) partitions: Vec<PartitionView>,
    /// Its segments, ascending by number as in the catalog. Snapshots share the list.
    pub(super) segments: Arc<Vec<Arc<SealedSegment>>>,
    /// Deleted rows of segments, those of overlays included.
    pub(super) deleted: BTreeMap<SegmentId, Arc<DeletedRows>>,
    /// What the catalog knows of these rows, and the cells of the others.
    pub(super) overlays: BTreeMap<SegmentId, Arc<Overlay>>,
    /// The merge whose edit is being committed.
    pub(super) merging: Option<Merging>,
    /// Rows that are in no segment yet.
    pub(super) active: ActiveRows,
    /// Who works on the rows.
    pub(super) work: Arc<TopicWork>,
}

/// One thread at a time seals a topic, one merges its segments, and one publishes to it.
#[derive(Debug, Default)]
pub(super) struct TopicWork {
    /// Held from the choice of rows until their segment is committed.
    pub(super) sealing: Mutex<()>,
    /// Held from the choice of segments until the one they become is committed.
    pub(super) merging: Mutex<()>,
    /// Held while chunks are added and folded.
    pub(super) publishing: Mutex<()>,
    /// Held by who deletes rows from the look for them until they are deleted, and by who moves
    /// rows to another segment from the look at what is deleted until the commit has shown them
    /// there.
    pub(super) moving: Mutex<()>,
}

impl View {
    /// What is visible of `durable` at a start.
    pub(super) fn new(durable: &Durable, pool: Arc<SealedPool>) -> Self {
        let mut topics = HashMap::new();
        for state in durable.catalog.topics() {
            let mut topic = TopicView::new(&state.topic, durable);
            topic.segments = Arc::new(pool.segments(state));
            topics.insert(state.topic.id, topic);
        }
        Self {
            catalog: Arc::clone(&durable.catalog),
            topics,
            retired: Vec::new(),
            pool,
        }
    }

    /// Shows what `records`, which led to `durable`, have changed.
    pub(super) fn follow(&mut self, records: &[JournalRecord], durable: &Durable) {
        self.catalog = Arc::clone(&durable.catalog);
        for record in records {
            match record {
                JournalRecord::Batch { partition, .. } => self.advance(*partition, durable),
                JournalRecord::Groups(_) | JournalRecord::Transactions(_) => {}
                JournalRecord::Edit(edit) => {
                    for change in &edit.changes {
                        self.change(change, durable);
                    }
                }
            }
        }
    }

    fn advance(&mut self, partition: Partition, durable: &Durable) {
        let index = usize::try_from(partition.id.0).expect("partitions fit memory");
        let topic = self.topics.get_mut(&partition.topic);
        let shown = topic.and_then(|topic| topic.partitions.get_mut(index));
        if let (Some(shown), Some(log)) = (shown, durable.logs.get(&partition)) {
            shown.high_watermark = log.tail.next;
            shown.last_stable = log.tail.last_stable();
            shown.aborted = Arc::clone(&log.aborted);
            shown.epochs = Arc::clone(&log.tail.epochs);
        }
    }

    fn change(&mut self, change: &CatalogChange, durable: &Durable) {
        match change {
            // Nothing to show of a topic that the same commit deletes again.
            CatalogChange::CreateTopic(topic) if durable.catalog.topic(topic.id).is_some() => {
                self.topics.insert(topic.id, TopicView::new(topic, durable));
            }
            CatalogChange::DeleteTopic(topic) => {
                self.topics.remove(topic);
            }
            CatalogChange::AddPartitions { topic, .. } => {
                if let (Some(shown), Some(state)) =
                    (self.topics.get_mut(topic), durable.catalog.topic(*topic))
                {
                    shown.partitions = partitions(&state.topic, durable);
                }
            }
            CatalogChange::Seal { topic, segment, .. } => {
                if let Some(view) = self.topics.get_mut(topic) {
                    // Its rows were those that were being sealed.
                    let sealed = view.active.sealing.take().map(|sealing| sealing.sealed);
                    let sealed = sealed.unwrap_or_default();
                    view.overlays.extend(sealed.overlays);
                    let deleted = segment.as_ref().zip(sealed.deleted);
                    view.deleted
                        .extend(deleted.map(|(segment, deleted)| (segment.id, deleted)));
                    view.show(&self.pool, *topic, segment.as_ref());
                }
            }
            CatalogChange::Merge {
                topic,
                removed,
                segment,
            } => {
                if let Some(view) = self.topics.get_mut(topic) {
                    let merging = view.merging.take();
                    let deleted = merging
                        .as_ref()
                        .and_then(|merging| merging.carry(&view.deleted));
                    view.deleted.retain(|id, _| !removed.contains(id));
                    view.deleted
                        .extend(deleted.map(|deleted| (segment.id, deleted)));
                    view.overlays.retain(|id, _| !removed.contains(id));
                    let overlay = merging.and_then(|merging| merging.overlay);
                    view.overlays
                        .extend(overlay.map(|overlay| (segment.id, overlay)));
                    self.retired.extend(view.hide(&self.pool, removed));
                    view.show(&self.pool, *topic, Some(segment));
                }
            }
            CatalogChange::DropSegments { topic, removed } => {
                if let Some(view) = self.topics.get_mut(topic) {
                    view.deleted.retain(|id, _| !removed.contains(id));
                    view.overlays.retain(|id, _| !removed.contains(id));
                    self.retired.extend(view.hide(&self.pool, removed));
                }
            }
            CatalogChange::CreateTopic(_)
            | CatalogChange::ChangeFields { .. }
            | CatalogChange::ChangeConfig { .. }
            | CatalogChange::MoveLogStarts { .. }
            | CatalogChange::DeadLetters { .. }
            | CatalogChange::PutTemplate { .. }
            | CatalogChange::DeleteTemplate { .. }
            | CatalogChange::PutDefinition { .. }
            | CatalogChange::DeleteDefinition { .. }
            | CatalogChange::ChangeAliases { .. }
            | CatalogChange::ReserveProducerIds { .. } => {}
        }
    }

    pub(super) fn partition(&self, partition: Partition) -> Option<&PartitionView> {
        let index = usize::try_from(partition.id.0).ok()?;
        self.topics.get(&partition.topic)?.partitions.get(index)
    }

    /// The first offset of `partition` that is not a row (nor rejected) yet.
    pub(super) fn materialized(&self, partition: Partition) -> Offset {
        let active = self.topics.get(&partition.topic);
        let active = active.and_then(|topic| topic.active.next(partition.id));
        active.unwrap_or_else(|| {
            let state = self.catalog.topic(partition.topic);
            state.map_or_else(Offset::default, |state| state.watermark(partition.id))
        })
    }

    /// A topic's state and what there is beside it.
    pub(super) fn topic(&self, id: TopicId) -> Option<(&Arc<TopicState>, &TopicView)> {
        Some((self.catalog.topic(id)?, self.topics.get(&id)?))
    }
}

impl TopicView {
    fn new(topic: &Topic, durable: &Durable) -> Self {
        Self {
            partitions: partitions(topic, durable),
            ..Self::default()
        }
    }

    /// Whether a segment has lost rows that no overlay knows of.
    pub(super) fn has_new_deletions(&self, id: SegmentId) -> bool {
        let known = self.overlays.get(&id);
        let known = known.map_or(0, |overlay| overlay.deleted().count());
        self.deleted
            .get(&id)
            .is_some_and(|deleted| deleted.count() > known)
    }

    /// Deletes rows of sources that are there.
    pub(super) fn delete(&mut self, deletions: Deletions) {
        let active = &mut self.active;
        for (place, deleted) in deletions {
            let chunk = match place {
                Place::Segment(id) => {
                    self.deleted.insert(id, deleted);
                    continue;
                }
                Place::New => None,
                Place::Open(number) => active.open.chunks.get_mut(number),
                Place::Sealing(number) => {
                    let sealing = active.sealing.as_mut();
                    sealing.and_then(|sealing| sealing.gathered.chunks.get_mut(number))
                }
            };
            let chunk = chunk.expect("the publisher keeps chunks where they are");
            *chunk = SourceRows::new(Arc::clone(chunk.rows()), Some(deleted));
        }
    }

    /// Adds a new segment of `topic`, whose number is higher than all others.
    fn show(&mut self, pool: &Arc<SealedPool>, topic: TopicId, segment: Option<&SegmentMeta>) {
        if let Some(meta) = segment {
            let segment = SealedSegment::new(pool, topic, Arc::new(meta.clone()));
            Arc::make_mut(&mut self.segments).push(Arc::new(segment));
        }
    }

    /// Takes segments away; gives their files.
    fn hide(&mut self, pool: &SealedPool, removed: &[SegmentId]) -> Vec<Arc<SegmentFile>> {
        let mut files = Vec::with_capacity(removed.len());
        Arc::make_mut(&mut self.segments).retain(|segment| {
            let stays = !removed.contains(&segment.meta.id);
            if !stays {
                pool.forget(segment.meta.id);
                files.push(Arc::clone(segment.file()));
            }
            stays
        });
        files
    }
}

/// What there is to be read of a topic's partitions.
fn partitions(topic: &Topic, durable: &Durable) -> Vec<PartitionView> {
    let partitions = topic.partitions().map(|partition| {
        let log = durable.logs.get(&partition);
        let log = log.expect("every partition of the catalog has its log");
        PartitionView {
            log: log.reader.clone(),
            high_watermark: log.tail.next,
            last_stable: log.tail.last_stable(),
            aborted: Arc::clone(&log.aborted),
            epochs: Arc::clone(&log.tail.epochs),
        }
    });
    partitions.collect()
}
