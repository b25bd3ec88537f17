//! Checking, staging and waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use storage::catalog::{Materialize, Topic};
use storage::log::{BatchBuilder, Codec, NewRecord};
use storage::model::{Offset, Partition, PartitionId, TopicId};
use storage::store::{Lsn, Store, StoreError, TopicSnapshot};

use super::partition_of_id;
use super::pending::{PendingIds, header};
use super::write::{
    DOCUMENT_BYTES_MAX, DocumentWrite, ID_BYTES_MAX, Refusal, WriteError, WriteOutcome,
};
use crate::decode::{Document, DocumentDecoder, FieldsCommit, Operation};

/// Bytes of a batch after which the next one begins.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// How often checking begins again because others changed the topic's fields meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// Writes documents by id. All writes by id of a store must go through one writer.
#[derive(Debug, Default)]
pub struct DocumentWriter {
    topics: Mutex<BTreeMap<TopicId, Arc<Mutex<Option<TopicWrites>>>>>,
}

/// What is kept of a topic between writes.
#[derive(Debug)]
struct TopicWrites {
    decoder: DocumentDecoder,
    pending: PendingIds,
    /// Where the next documents without ids go.
    next_partition: u32,
}

/// A batch that is being filled, and the writes in it with their places in the call.
type OpenBatch<'w> = (BatchBuilder, Vec<(usize, &'w DocumentWrite)>);

/// The batches of one call, by partition.
#[derive(Debug)]
struct Batches<'w> {
    topic: TopicId,
    now_ms: i64,
    open: BTreeMap<PartitionId, OpenBatch<'w>>,
    /// Behind the last batch staged.
    lsn: Lsn,
}

impl DocumentWriter {
    /// One that knows no topic yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes documents into `topic` and waits until they are durable. The outcomes are in the
    /// order of `writes`. The topic must be in the catalog already.
    ///
    /// # Errors
    /// When the topic is gone, or the store has stopped or cannot be read.
    pub fn write(
        &self,
        store: &Store,
        topic: TopicId,
        writes: &[DocumentWrite],
        now_ms: i64,
    ) -> Result<Vec<WriteOutcome>, WriteError> {
        let (outcomes, lsn) = {
            let entry = Arc::clone(self.lock_topics().entry(topic).or_default());
            let mut entry = entry.lock().expect(NOBODY_PANICS);
            // Taken out, so that a failure leaves nothing half-done: the next write loads anew.
            let known = entry.take();
            let (writes_of_topic, outcomes, lsn) =
                write_locked(known, store, topic, writes, now_ms).inspect_err(|error| {
                    if matches!(error, WriteError::Store(StoreError::UnknownTopic(_))) {
                        self.lock_topics().remove(&topic);
                    }
                })?;
            *entry = Some(writes_of_topic);
            (outcomes, lsn)
        };
        store.wait_durable(lsn)?;
        Ok(outcomes)
    }

    fn lock_topics(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<TopicId, Arc<Mutex<Option<TopicWrites>>>>> {
        self.topics.lock().expect(NOBODY_PANICS)
    }
}

/// All of a write but the waiting, alone on its topic.
fn write_locked(
    known: Option<TopicWrites>,
    store: &Store,
    id: TopicId,
    writes: &[DocumentWrite],
    now_ms: i64,
) -> Result<(TopicWrites, Vec<WriteOutcome>, Lsn), WriteError> {
    let topic = current_topic(store, id)?;
    let mut state = match known {
        Some(state) => state,
        None => TopicWrites {
            decoder: DocumentDecoder::new(&topic),
            pending: PendingIds::load(store, id, topic.partitions)?,
            next_partition: 0,
        },
    };
    state.pending.grow(topic.partitions);
    let mut refused = state.check_documents(store, id, writes)?;
    state.pending.forget_rows(store);
    let snapshot = store.snapshot(id).ok_or(StoreError::UnknownTopic(id))?;
    let sticky = PartitionId(state.next_partition % topic.partitions);
    state.next_partition = (sticky.0 + 1) % topic.partitions;

    let mut outcomes: Vec<Option<WriteOutcome>> = vec![None; writes.len()];
    let mut batches = Batches {
        topic: id,
        now_ms,
        open: BTreeMap::new(),
        lsn: Lsn::default(),
    };
    let mut ids_of_call: BTreeSet<&str> = BTreeSet::new();
    for (index, write) in writes.iter().enumerate() {
        if let Some(refusal) = refused.remove(&index) {
            outcomes[index] = Some(WriteOutcome::Refused(refusal));
            continue;
        }
        let partition = match &write.id {
            None => sticky,
            Some(id) => {
                let taken = ids_of_call.contains(id.as_str())
                    || state.pending.contains(id)
                    || is_row(&snapshot, id)?;
                if let Some(outcome) = outcome_of_id(store, &topic, id, taken) {
                    outcomes[index] = Some(outcome);
                    continue;
                }
                ids_of_call.insert(id);
                partition_of_id(id.as_bytes(), topic.routing_partitions())
            }
        };
        if batches.push(partition, index, write) {
            batches.stage(store, partition, &mut state.pending, &mut outcomes)?;
        }
    }
    let lsn = batches.finish(store, &mut state.pending, &mut outcomes)?;
    let outcomes = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("each write has one"));
    Ok((state, outcomes.collect(), lsn))
}

impl TopicWrites {
    /// Checks each document against the mapping; new fields are durable afterwards. What is
    /// refused, by index.
    fn check_documents(
        &mut self,
        store: &Store,
        id: TopicId,
        writes: &[DocumentWrite],
    ) -> Result<BTreeMap<usize, Refusal>, WriteError> {
        for _ in 0..ATTEMPTS_MAX {
            let topic = current_topic(store, id)?;
            if !self.decoder.is_current(&topic) {
                self.decoder = DocumentDecoder::new(&topic);
            }
            let mut refused = BTreeMap::new();
            for (index, write) in writes.iter().enumerate() {
                if let Err(refusal) = self.check_document(&topic, write) {
                    refused.insert(index, refusal);
                }
            }
            let outcome = match self.decoder.finish().new_fields {
                Some(fields) => fields.commit(store, id)?,
                None => FieldsCommit::Durable,
            };
            match outcome {
                FieldsCommit::Durable => return Ok(refused),
                FieldsCommit::Outdated => self.decoder = DocumentDecoder::new(&topic),
            }
        }
        Err(WriteError::Contended)
    }

    fn check_document(&mut self, topic: &Topic, write: &DocumentWrite) -> Result<(), Refusal> {
        match &write.id {
            Some(id) if id.is_empty() => return Err(Refusal::IdEmpty),
            Some(id) if id.len() > ID_BYTES_MAX => {
                return Err(Refusal::IdTooLong { id: id.clone() });
            }
            Some(_) | None => {}
        }
        if write.operation == Operation::Delete {
            return Err(Refusal::Unsupported {
                operation: write.operation,
            });
        }
        if write.source.len() > DOCUMENT_BYTES_MAX {
            return Err(Refusal::TooLarge {
                bytes: write.source.len(),
            });
        }
        if topic.materialize == Materialize::None {
            return Ok(());
        }
        // The row itself is made from the log; only whether it can be one counts here.
        self.decoder.decode(&Document {
            partition: PartitionId(0),
            offset: Offset(0),
            timestamp_ms: 0,
            id: None,
            source: &write.source,
        })?;
        Ok(())
    }
}

impl<'w> Batches<'w> {
    /// Adds a record; whether its batch is large enough.
    fn push(&mut self, partition: PartitionId, index: usize, write: &'w DocumentWrite) -> bool {
        let (builder, writes) = self.open.entry(partition).or_default();
        builder
            .push(NewRecord {
                timestamp_ms: self.now_ms,
                key: write.id.as_deref().map(str::as_bytes),
                value: Some(&write.source),
                headers: &[header(write.operation)],
            })
            .expect("batches are cut long before they are full");
        writes.push((index, write));
        builder.len_bytes() >= BATCH_BYTES_MAX
    }

    /// Stages the open batch of `partition`.
    fn stage(
        &mut self,
        store: &Store,
        partition: PartitionId,
        pending: &mut PendingIds,
        outcomes: &mut [Option<WriteOutcome>],
    ) -> Result<(), WriteError> {
        let Some((builder, writes)) = self.open.remove(&partition) else {
            return Ok(());
        };
        let batch = builder.finish(Codec::None);
        let staged =
            store.stage_batch(Partition::new(self.topic, partition), batch, self.now_ms)?;
        self.lsn = self.lsn.max(staged.lsn);
        for ((index, write), place) in writes.into_iter().zip(0..) {
            let offset = staged.base.plus(place);
            let id = match &write.id {
                Some(id) => {
                    pending.add(partition, offset, id);
                    id.clone()
                }
                None => format!("{}-{offset}", partition.0),
            };
            outcomes[index] = Some(WriteOutcome::Created {
                id,
                partition,
                offset,
            });
        }
        Ok(())
    }

    /// Stages what is open; what to wait for.
    fn finish(
        mut self,
        store: &Store,
        pending: &mut PendingIds,
        outcomes: &mut [Option<WriteOutcome>],
    ) -> Result<Lsn, WriteError> {
        while let Some(partition) = self.open.keys().next().copied() {
            self.stage(store, partition, pending, outcomes)?;
        }
        Ok(self.lsn)
    }
}

fn current_topic(store: &Store, id: TopicId) -> Result<Arc<Topic>, StoreError> {
    let catalog = store.catalog();
    let state = catalog.topic(id).ok_or(StoreError::UnknownTopic(id))?;
    Ok(Arc::clone(&state.topic))
}

fn is_row(snapshot: &TopicSnapshot, id: &str) -> Result<bool, WriteError> {
    for source in &snapshot.sources {
        if !source.find_id(id.as_bytes())?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The outcome of a write whose id is taken, or is one that records without an id have.
fn outcome_of_id(store: &Store, topic: &Topic, id: &str, taken: bool) -> Option<WriteOutcome> {
    if taken {
        return Some(WriteOutcome::Conflict { id: id.into() });
    }
    let (partition, offset) = record_name(id)?;
    if partition.0 >= topic.partitions {
        return None;
    }
    let bounds = store.log_bounds(Partition::new(topic.id, partition));
    Some(match bounds {
        Some(bounds) if offset < bounds.high_watermark => WriteOutcome::Conflict { id: id.into() },
        Some(_) | None => WriteOutcome::Refused(Refusal::IdReserved { id: id.into() }),
    })
}

/// The record that `id` names, if it has the form of records without an id of their own.
fn record_name(id: &str) -> Option<(PartitionId, Offset)> {
    let (partition, offset) = id.split_once('-')?;
    let name = (
        PartitionId(partition.parse().ok()?),
        Offset(offset.parse().ok()?),
    );
    // `+1-2` and `01-2` read as numbers, but no record is written like that.
    (format!("{}-{}", name.0.0, name.1) == id).then_some(name)
}

const NOBODY_PANICS: &str = "nothing panics while writes of a topic are being made";
