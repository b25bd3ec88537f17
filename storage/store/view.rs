//! What is visible: one instant of catalog, high watermarks and active rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::active::ActiveRows;
use super::durable::Durable;
use super::journal_record::JournalRecord;
use super::partition::PartitionView;
use super::removal::{Deletions, Place};
use crate::catalog::{Catalog, CatalogChange, SegmentId, SegmentMeta, Topic, TopicState};
use crate::model::{Offset, Partition, TopicId};
use crate::segment::{DeletedRows, SegmentReader, SourceRows};

/// Everything that reads answer from; replaced piece by piece under one lock.
#[derive(Debug)]
pub(super) struct View {
    /// Durable edits only.
    pub(super) catalog: Arc<Catalog>,
    /// The same topics as in `catalog`.
    pub(super) topics: HashMap<TopicId, TopicView>,
}

/// What there is of a topic beside its state in the catalog.
#[derive(Debug, Default)]
pub(super) struct TopicView {
    /// By number.
    pub(super) partitions: Vec<PartitionView>,
    /// The open file of each segment, by its file name.
    pub(super) readers: BTreeMap<String, Arc<SegmentReader>>,
    /// Deleted rows of segments, those of overlays included.
    pub(super) deleted: BTreeMap<SegmentId, Arc<DeletedRows>>,
    /// Rows that are in no segment yet.
    pub(super) active: ActiveRows,
    /// Who works on the rows.
    pub(super) work: Arc<TopicWork>,
}

/// One thread at a time seals a topic, and one publishes to it.
#[derive(Debug, Default)]
pub(super) struct TopicWork {
    /// Held from the choice of rows until their segment is committed.
    pub(super) sealing: Mutex<()>,
    /// Held while chunks are added and folded.
    pub(super) publishing: Mutex<()>,
}

impl View {
    /// What is visible of `durable` at a start. Segments are opened by the caller.
    pub(super) fn new(durable: &Durable) -> Self {
        let mut view = Self {
            catalog: Arc::clone(&durable.catalog),
            topics: HashMap::new(),
        };
        for state in durable.catalog.topics() {
            view.topics
                .insert(state.topic.id, TopicView::new(&state.topic, durable));
        }
        view
    }

    /// Shows what `records`, which led to `durable`, have changed.
    pub(super) fn follow(&mut self, records: &[JournalRecord], durable: &Durable) {
        self.catalog = Arc::clone(&durable.catalog);
        for record in records {
            match record {
                JournalRecord::Batch { partition, .. } => self.advance(*partition, durable),
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
            CatalogChange::Seal { topic, segment, .. } => {
                if let Some(topic) = self.topics.get_mut(topic) {
                    topic.show_sealed(segment.as_ref());
                }
            }
            CatalogChange::CreateTopic(_)
            | CatalogChange::ChangeFields { .. }
            | CatalogChange::ChangeConfig { .. }
            | CatalogChange::PutTemplate { .. }
            | CatalogChange::DeleteTemplate { .. }
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
        let partitions = topic.partitions().map(|partition| {
            let log = durable.logs.get(&partition);
            let log = log.expect("every partition of the catalog has its log");
            PartitionView {
                log: log.reader.clone(),
                high_watermark: log.tail.next,
            }
        });
        Self {
            partitions: partitions.collect(),
            ..Self::default()
        }
    }

    /// The rows of a segment that the catalog names.
    pub(super) fn segment_rows(&self, meta: &SegmentMeta) -> SourceRows<SegmentReader> {
        let reader = self.readers.get(&meta.file);
        let reader = reader.expect("every segment has its reader");
        SourceRows::new(Arc::clone(reader), self.deleted.get(&meta.id).cloned())
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

    /// The rows that were being sealed are in `segment` now.
    fn show_sealed(&mut self, segment: Option<&SegmentMeta>) {
        let reader = self
            .active
            .sealing
            .take()
            .and_then(|sealing| sealing.reader);
        if let (Some(reader), Some(segment)) = (reader, segment) {
            self.readers.insert(segment.file.clone(), reader);
        }
    }
}
