//! Ids that are in the log or staged, but not rows yet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use storage::catalog::Edit;
use storage::log::{Batches, DecompressionBuffer};
use storage::model::{Offset, Partition, PartitionId, TopicId};
use storage::store::{Store, StoreError};

use super::WriteError;
use crate::decode::{Meaning, OPERATION_HEADER};

/// Bytes of log that are looked through at once.
const READ_BYTES: usize = 1 << 20;

/// The ids of one topic that are not rows yet.
#[derive(Debug)]
pub(super) struct PendingIds {
    topic: TopicId,
    // Ids come from outside, so the order is by comparison, not by hash.
    ids: BTreeSet<Arc<str>>,
    /// By partition: offsets ascending.
    partitions: Vec<VecDeque<(Offset, Arc<str>)>>,
}

impl PendingIds {
    /// The ids of records that are in the log but not rows: after a restart these are all that
    /// were written since the last seal. What is staged becomes durable first, so that it is in
    /// the log, too.
    pub(super) fn load(store: &Store, topic: TopicId, partitions: u32) -> Result<Self, WriteError> {
        let staged = store.stage_edit::<StoreError>(|_| {
            Ok(Edit {
                changes: Vec::new(),
            })
        })?;
        store.wait_durable(staged)?;
        let mut pending = Self {
            topic,
            ids: BTreeSet::new(),
            partitions: Vec::new(),
        };
        pending.grow(partitions);
        for id in 0..partitions {
            pending.load_partition(store, Partition::new(topic, PartitionId(id)))?;
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
        for (ids, number) in self.partitions.iter_mut().zip(0..) {
            let rows_end = store.materialized(Partition::new(self.topic, PartitionId(number)));
            while let Some((_, id)) = ids.pop_front_if(|(offset, _)| *offset < rows_end) {
                self.ids.remove(&id);
            }
        }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Remembers the id of a record that was staged at `offset`.
    pub(super) fn add(&mut self, partition: PartitionId, offset: Offset, id: &str) {
        let id: Arc<str> = id.into();
        if self.ids.insert(Arc::clone(&id)) {
            let place = usize::try_from(partition.0).expect("partitions are limited");
            self.partitions[place].push_back((offset, id));
        }
    }

    fn load_partition(&mut self, store: &Store, partition: Partition) -> Result<(), WriteError> {
        let Some(bounds) = store.log_bounds(partition) else {
            return Ok(());
        };
        let mut from = store.materialized(partition).max(bounds.start);
        let mut scratch = DecompressionBuffer::default();
        while from < bounds.high_watermark {
            let bytes = store.read(partition, from, READ_BYTES)?;
            let start = from;
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|source| WriteError::Batch {
                    partition,
                    from,
                    source,
                })?;
                from = batch.header().next_offset();
                if batch.header().is_control() {
                    continue;
                }
                // What cannot be unpacked is no row and has no id, here and in materialization.
                let Ok(records) = batch.records(&mut scratch) else {
                    continue;
                };
                for record in records.map_while(Result::ok) {
                    if let Meaning::Document { id: Some(id), .. } = Meaning::of(&record) {
                        self.add(partition.id, record.offset, &String::from_utf8_lossy(id));
                    }
                }
            }
            if from == start {
                break;
            }
        }
        Ok(())
    }
}

/// The header of a write, for a record.
pub(super) fn header(operation: crate::decode::Operation) -> (&'static str, Option<&'static [u8]>) {
    (OPERATION_HEADER, Some(operation.as_str().as_bytes()))
}
