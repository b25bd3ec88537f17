//! Ids that are in the log or staged, but not rows yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use storage::catalog::{Edit, Topic};
use storage::log::{AbortedBatches, Batches, DecompressionBuffer};
use storage::model::{Offset, Partition, PartitionId, TopicId, origin_of_name};
use storage::store::{Store, StoreError};

use super::WriteError;
use super::latest::{Content, Latest, nameless_document};
use crate::decode::{Meaning, Spread};

/// Bytes of log that are looked through at once.
const READ_BYTES: usize = 1 << 20;

/// The ids of one topic that are not rows yet.
#[derive(Debug)]
pub(super) struct PendingIds {
    topic: TopicId,
    /// The newest write of each. Ids come from outside, so the order is by comparison, not by hash.
    ids: BTreeMap<Arc<str>, Written>,
    /// Where the rows of each partition ended when rows were last forgotten.
    rows_end: Vec<Offset>,
    /// By partition: offsets ascending.
    partitions: Vec<VecDeque<(Offset, Arc<str>)>>,
}

/// A write whose record is not a row yet.
#[derive(Debug, Clone)]
struct Written {
    partition: PartitionId,
    offset: Offset,
    version: u64,
    is_live: bool,
    routing: Option<Arc<str>>,
}

impl PendingIds {
    /// The ids of records that are in the log but not rows: after a restart these are all that
    /// were written since the last seal. What is staged becomes durable first, so that it is in
    /// the log, too.
    pub(super) fn load(store: &Store, topic: &Topic) -> Result<Self, WriteError> {
        let staged = store.stage_edit::<StoreError>(|_| {
            Ok(Edit {
                changes: Vec::new(),
            })
        })?;
        store.wait_durable(staged)?;
        let mut pending = Self {
            topic: topic.id,
            ids: BTreeMap::new(),
            rows_end: Vec::new(),
            partitions: Vec::new(),
        };
        pending.grow(topic.partitions);
        for partition in topic.partitions() {
            pending.load_partition(store, partition, Spread::of(topic))?;
        }
        Ok(pending)
    }

    /// Makes room for partitions that were added.
    pub(super) fn grow(&mut self, partitions: u32) {
        let count = usize::try_from(partitions).expect("partitions are limited");
        self.partitions
            .resize(self.partitions.len().max(count), VecDeque::new());
    }

    /// Forgets ids that are rows by now. Rows that a snapshot taken afterwards holds are all that
    /// were forgotten.
    pub(super) fn forget_rows(&mut self, store: &Store) {
        self.rows_end.clear();
        for (ids, number) in self.partitions.iter_mut().zip(0..) {
            let rows_end = store.materialized(Partition::new(self.topic, PartitionId(number)));
            self.rows_end.push(rows_end);
            while let Some((_, id)) = ids.pop_front_if(|(offset, _)| *offset < rows_end) {
                // A newer write of the same id may wait.
                if self
                    .ids
                    .get(&id)
                    .is_some_and(|newest| newest.offset < rows_end)
                {
                    self.ids.remove(&id);
                }
            }
        }
    }

    /// The newest write of `id`, if its record is not a row yet.
    pub(super) fn get(&self, id: &str) -> Option<Latest> {
        let written = self.ids.get(id)?;
        Some(Latest {
            partition: written.partition,
            offset: written.offset,
            version: written.version,
            is_live: written.is_live,
            routing: written.routing.clone(),
            content: Content::Log,
        })
    }

    /// The record that `id` names by partition and offset, if it is in the log, was no row when
    /// rows were last forgotten, and will be one without an id.
    pub(super) fn unread(&self, store: &Store, id: &str) -> Result<Option<Latest>, WriteError> {
        let Some((partition, offset)) = origin_of_name(id.as_bytes()) else {
            return Ok(None);
        };
        let rows_end = usize::try_from(partition.0).ok();
        let rows_end = rows_end.and_then(|index| self.rows_end.get(index));
        let place = Partition::new(self.topic, partition);
        let end = store.log_bounds(place).map(|bounds| bounds.high_watermark);
        if rows_end.is_none_or(|rows_end| offset < *rows_end) || end.is_none_or(|end| offset >= end)
        {
            return Ok(None);
        }
        let document = nameless_document(store, place, offset)?;
        Ok(document.map(|document| Latest {
            partition,
            offset,
            version: 1,
            is_live: true,
            routing: document.routing,
            content: Content::Log,
        }))
    }

    /// Remembers a write of `id` whose record was staged.
    pub(super) fn add(&mut self, id: &str, latest: &Latest) {
        let written = Written {
            partition: latest.partition,
            offset: latest.offset,
            version: latest.version,
            is_live: latest.is_live,
            routing: latest.routing.clone(),
        };
        let id: Arc<str> = id.into();
        self.ids.insert(Arc::clone(&id), written);
        let place = usize::try_from(latest.partition.0).expect("partitions are limited");
        self.partitions[place].push_back((latest.offset, id));
    }

    fn load_partition(
        &mut self,
        store: &Store,
        partition: Partition,
        spread: Spread,
    ) -> Result<(), WriteError> {
        let Some(bounds) = store.log_bounds(partition) else {
            return Ok(());
        };
        let mut from = store.materialized(partition).max(bounds.start);
        let mut scratch = DecompressionBuffer::default();
        while from < bounds.high_watermark {
            let bytes = store.read(partition, from, READ_BYTES)?;
            let end = Batches::new(bytes.clone()).end(from);
            let aborted = AbortedBatches::new(store.aborted(partition, from, end));
            let start = from;
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|source| WriteError::Batch {
                    partition,
                    from,
                    source,
                })?;
                from = batch.header().next_offset();
                if batch.header().is_control() || aborted.contains(batch.header()) {
                    continue;
                }
                // What cannot be unpacked is no row and has no id, here and in materialization.
                let Ok(records) = batch.records(&mut scratch) else {
                    continue;
                };
                for record in records.map_while(Result::ok) {
                    let meaning = Meaning::of(&record, partition.id, spread);
                    let (id, version, routing, is_live) = match meaning {
                        Meaning::Document {
                            id: Some(id),
                            version,
                            routing,
                            ..
                        } => (id, version, routing, true),
                        Meaning::Delete { id, version } => (id, version, None, false),
                        Meaning::Document { id: None, .. }
                        | Meaning::Nothing
                        | Meaning::Malformed(_) => continue,
                    };
                    let latest = Latest {
                        partition: partition.id,
                        offset: record.offset,
                        version,
                        is_live,
                        routing: routing.map(Into::into),
                        content: Content::Log,
                    };
                    self.add(id, &latest);
                }
            }
            if from == start {
                break;
            }
        }
        Ok(())
    }
}
