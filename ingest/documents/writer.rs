//! Deciding, staging and waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use storage::catalog::{Materialize, Topic};
use storage::model::{Offset, Partition, PartitionId, TopicId, origin_of_name};
use storage::store::{Lsn, Store, StoreError, TopicInstant};

use super::batches::Batches;
use super::latest::{Content, Latest, StoredDocument};
use super::pending::PendingIds;
use super::update::{Update, Updated};
use super::write::{
    Action, Condition, Conflict, DOCUMENT_BYTES_MAX, DocumentWrite, Refusal, WriteError,
    WriteOutcome, WriteResult,
};
use crate::decode::{Document, DocumentDecoder, FieldsCommit, ID_BYTES_MAX, Operation, Spread};

/// How often deciding begins again because others changed the topic's fields meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// Writes documents by id. All writes by id of a store must go through one writer.
#[derive(Debug, Default)]
pub struct DocumentWriter {
    topics: Mutex<BTreeMap<TopicId, Entry>>,
}

type Entry = Arc<Mutex<Option<TopicWrites>>>;

/// What is kept of a topic between writes.
#[derive(Debug)]
struct TopicWrites {
    decoder: DocumentDecoder,
    pending: PendingIds,
    /// Where the next documents without ids go.
    next_partition: u32,
    /// How often staged writes had been refused when this was made.
    refusals: u64,
}

/// What was decided about one write.
#[derive(Debug)]
enum Decision {
    /// It becomes a record.
    Record(Planned),
    /// This is all.
    Outcome(WriteOutcome),
    /// Nothing is to be done beyond an earlier write of the same call, by its number.
    Same(usize),
}

/// A record that is to be staged.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) partition: PartitionId,
    pub(super) operation: Operation,
    pub(super) version: u64,
    pub(super) value: Option<Bytes>,
    pub(super) result: WriteResult,
    /// Whether the writer wants to see the document.
    pub(super) shows_source: bool,
}

/// The newest write of an id in this call: its number and what it made of the document.
type OfCall<'w> = BTreeMap<&'w str, (usize, Latest)>;

impl DocumentWriter {
    /// One that knows no topic yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes documents into `topic` and waits until they are durable. The outcomes are in the
    /// order of `writes`, each of which sees what those before it did. The topic must be in the
    /// catalog already.
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
        let (outcomes, lsn) = self.with_topic(store, topic, |state| {
            let mut call = Call {
                store,
                topic: current_topic(store, topic)?,
                writes,
                now_ms,
            };
            let decisions = call.decide_all(state)?;
            call.stage_all(state, decisions)
        })?;
        store.wait_durable(lsn)?;
        Ok(outcomes)
    }

    /// The document with this id, as the last write that was acknowledged left it, if it is found
    /// with this routing.
    ///
    /// # Errors
    /// When the topic is gone, or the store has stopped or cannot be read; also when a segment is
    /// damaged that may have had the document, and nothing else has it.
    pub fn get(
        &self,
        store: &Store,
        topic: TopicId,
        id: &str,
        routing: Option<&str>,
    ) -> Result<Option<StoredDocument>, WriteError> {
        let latest = self.with_topic(store, topic, |state| {
            state.pending.forget_rows(store);
            match state.pending.get(id) {
                Some(latest) => Ok(Some(latest)),
                None => newest(state, store, &instant(store, topic)?, id),
            }
        })?;
        let topic_now = current_topic(store, topic)?;
        let is_found = |latest: &Latest| {
            latest.is_live && is_reached(&topic_now, id, routing, latest.routing.as_deref())
        };
        let Some(latest) = latest.filter(is_found) else {
            return Ok(None);
        };
        Ok(Some(StoredDocument {
            partition: latest.partition,
            offset: latest.offset,
            version: latest.version,
            routing: latest.routing.clone(),
            source: latest.source(store, topic)?,
        }))
    }

    /// Does `work` alone on a topic.
    fn with_topic<T>(
        &self,
        store: &Store,
        topic: TopicId,
        work: impl FnOnce(&mut TopicWrites) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let entry = Arc::clone(self.lock_topics().entry(topic).or_default());
        let mut entry = entry.lock().expect(NOBODY_PANICS);
        // Taken out, so that a failure leaves nothing half-done: the next call loads anew.
        let refusals = store.refusals();
        // What it knows of staged writes is wrong once some were refused.
        let known = entry.take();
        let known = known.filter(|state| state.refusals == refusals);
        let try_work = || {
            let topic = current_topic(store, topic)?;
            let mut state = match known {
                Some(state) => state,
                None => TopicWrites {
                    decoder: DocumentDecoder::new(&topic),
                    pending: PendingIds::load(store, &topic)?,
                    next_partition: 0,
                    refusals,
                },
            };
            state.pending.grow(topic.partitions);
            let done = work(&mut state)?;
            Ok((state, done))
        };
        let (state, done) = try_work().inspect_err(|error| {
            if matches!(error, WriteError::Store(StoreError::UnknownTopic(_))) {
                self.lock_topics().remove(&topic);
            }
        })?;
        *entry = Some(state);
        Ok(done)
    }

    fn lock_topics(&self) -> MutexGuard<'_, BTreeMap<TopicId, Entry>> {
        self.topics.lock().expect(NOBODY_PANICS)
    }
}

/// Writes of one call.
pub(super) struct Call<'w> {
    pub(super) store: &'w Store,
    pub(super) topic: Arc<Topic>,
    pub(super) writes: &'w [DocumentWrite],
    pub(super) now_ms: i64,
}

impl<'w> Call<'w> {
    /// Decides what becomes of each write; new fields of its documents are durable afterwards.
    fn decide_all(&mut self, state: &mut TopicWrites) -> Result<Vec<Decision>, WriteError> {
        for _ in 0..ATTEMPTS_MAX {
            self.topic = current_topic(self.store, self.topic.id)?;
            if !state.decoder.is_current(&self.topic) {
                state.decoder = DocumentDecoder::new(&self.topic);
            }
            state.pending.forget_rows(self.store);
            let instant = instant(self.store, self.topic.id)?;
            let sticky = PartitionId(state.next_partition % self.topic.partitions);
            let mut of_call = OfCall::new();
            let mut decisions = Vec::with_capacity(self.writes.len());
            for number in 0..self.writes.len() {
                decisions.push(self.decide(number, state, &instant, sticky, &mut of_call)?);
            }
            let outcome = match state.decoder.finish().new_fields {
                Some(fields) => fields.commit(self.store, self.topic.id)?,
                None => FieldsCommit::Durable,
            };
            match outcome {
                FieldsCommit::Durable => {
                    state.next_partition = (sticky.0 + 1) % self.topic.partitions;
                    return Ok(decisions);
                }
                FieldsCommit::Outdated => state.decoder = DocumentDecoder::new(&self.topic),
            }
        }
        Err(WriteError::Contended)
    }

    fn decide(
        &self,
        number: usize,
        state: &mut TopicWrites,
        instant: &TopicInstant,
        sticky: PartitionId,
        of_call: &mut OfCall<'w>,
    ) -> Result<Decision, WriteError> {
        let write = &self.writes[number];
        let Some(id) = write.id.as_deref() else {
            return Ok(match &write.action {
                Action::Index(document) | Action::Create(document) => {
                    if let Err(refusal) = check_routing(write.routing.as_deref()) {
                        return Ok(refused(refusal));
                    }
                    self.new_record(&mut state.decoder, sticky, document)
                }
                Action::Update(_) | Action::Delete => refused(Refusal::IdMissing),
            });
        };
        if let Err(refusal) = check_id(id).and_then(|()| check_routing(write.routing.as_deref())) {
            return Ok(refused(refusal));
        }
        let earlier = of_call.get(id).cloned();
        let latest = match &earlier {
            Some((_, latest)) => Some(latest.clone()),
            None => match state.pending.get(id) {
                Some(latest) => Some(latest),
                None => match newest(state, self.store, instant, id) {
                    // Writes go on while a segment is damaged, as if nothing had been in it.
                    Err(WriteError::Store(error)) if error.is_damage() => None,
                    newest => newest?,
                },
            },
        };
        let live = latest.filter(|latest| latest.is_live);
        let partition = Spread::of(&self.topic).partition_of(id.as_bytes());
        let planned = match self.plan(write, id, partition, live.as_ref())? {
            Ok(planned) => planned,
            Err(WriteOutcome::Done {
                result: WriteResult::Noop,
                ..
            }) if earlier.is_some() => {
                let (number, _) = earlier.expect("it was just looked at");
                return Ok(Decision::Same(number));
            }
            Err(outcome) => return Ok(Decision::Outcome(outcome)),
        };
        if let Some(document) = &planned.value
            && let Err(refusal) = self.check_document(&mut state.decoder, document)
        {
            return Ok(refused(refusal));
        }
        let latest = Latest {
            partition,
            // Nobody can name it before it is staged.
            offset: Offset(u64::MAX),
            version: planned.version,
            is_live: planned.value.is_some(),
            routing: write.routing.as_deref().map(Into::into),
            content: Content::Here(planned.value.clone().unwrap_or_default()),
        };
        of_call.insert(id, (number, latest));
        Ok(Decision::Record(planned))
    }

    fn new_record(
        &self,
        decoder: &mut DocumentDecoder,
        partition: PartitionId,
        document: &Bytes,
    ) -> Decision {
        match self.check_document(decoder, document) {
            Err(refusal) => refused(refusal),
            Ok(()) => Decision::Record(Planned {
                partition,
                operation: Operation::Index,
                version: 1,
                value: Some(document.clone()),
                result: WriteResult::Created,
                shows_source: false,
            }),
        }
    }

    /// The record of a write by id, or what becomes of the write without one.
    fn plan(
        &self,
        write: &DocumentWrite,
        id: &str,
        partition: PartitionId,
        live: Option<&Latest>,
    ) -> Result<Result<Planned, WriteOutcome>, WriteError> {
        let live = match self.reached(write, id, live) {
            Ok(live) => live,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let version = match self.check(write, id, live) {
            Ok(version) => version,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let results = [WriteResult::Created, WriteResult::Updated];
        let stored = results[usize::from(live.is_some())];
        let planned = |operation, value, result| Planned {
            partition,
            operation,
            version,
            value,
            result,
            shows_source: false,
        };
        let done = |offset, version, result, source| WriteOutcome::Done {
            id: id.into(),
            partition,
            offset,
            version,
            result,
            source,
        };
        Ok(match &write.action {
            Action::Index(document) => {
                Ok(planned(Operation::Index, Some(document.clone()), stored))
            }
            Action::Create(document) => match live.map(|latest| latest.version) {
                None => Ok(planned(Operation::Create, Some(document.clone()), stored)),
                Some(version) => Err(conflicting(id, Conflict::Exists { version })),
            },
            Action::Delete => match live {
                Some(_) => Ok(planned(Operation::Delete, None, WriteResult::Deleted)),
                None => Err(done(
                    self.last_offset(partition),
                    version,
                    WriteResult::NotFound,
                    None,
                )),
            },
            Action::Update(update) => {
                let current = live.map(|latest| latest.source(self.store, self.topic.id));
                let current = current.transpose()?;
                match updated(update, current.as_deref(), live, id) {
                    Ok(Some(document)) => Ok(Planned {
                        shows_source: true,
                        ..planned(Operation::Index, Some(document), stored)
                    }),
                    Ok(None) => {
                        let offset = live.map_or(Offset(0), |latest| latest.offset);
                        let version = live.map_or(1, |latest| latest.version);
                        Err(done(offset, version, WriteResult::Noop, current))
                    }
                    Err(outcome) => Err(outcome),
                }
            }
        })
    }

    /// The document that `write` is about: `live`, if it is found with the write's routing. Under
    /// another one it is another document to those who change or delete it; ids are unique all the
    /// same, so that a new document takes its place.
    fn reached<'l>(
        &self,
        write: &DocumentWrite,
        id: &str,
        live: Option<&'l Latest>,
    ) -> Result<Option<&'l Latest>, WriteOutcome> {
        let is_found = |latest: &&Latest| {
            let own = latest.routing.as_deref();
            is_reached(&self.topic, id, write.routing.as_deref(), own)
        };
        match write.action {
            Action::Index(_) | Action::Create(_) => Ok(live),
            Action::Update(_) if live.is_some_and(|latest| !is_found(&latest)) => {
                Err(WriteOutcome::Missing { id: id.into() })
            }
            Action::Update(_) | Action::Delete => Ok(live.filter(is_found)),
        }
    }

    /// The version that the document has after `write`, if that may be done.
    fn check(
        &self,
        write: &DocumentWrite,
        id: &str,
        live: Option<&Latest>,
    ) -> Result<u64, WriteOutcome> {
        if live.is_none()
            && let Action::Update(update) = &write.action
            && update.upsert.is_none()
            && !update.doc_as_upsert
        {
            return Err(WriteOutcome::Missing { id: id.into() });
        }
        let version = self.check_condition(write.condition, live);
        let version = version.map_err(|conflict| conflicting(id, conflict))?;
        if live.is_none() && self.is_reserved(id) && write.action != Action::Delete {
            let refusal = Refusal::IdReserved { id: id.into() };
            return Err(WriteOutcome::Refused(refusal));
        }
        Ok(version)
    }

    /// The version that the document has afterwards.
    fn check_condition(
        &self,
        condition: Condition,
        live: Option<&Latest>,
    ) -> Result<u64, Conflict> {
        let current = live.map(|latest| latest.version);
        match condition {
            Condition::Always => Ok(current.map_or(1, |version| version + 1)),
            Condition::After { offset, term } => match live {
                None => Err(Conflict::Absent {
                    required: offset,
                    required_term: term,
                }),
                Some(latest) if (latest.offset, self.term()) == (offset, term) => {
                    Ok(latest.version + 1)
                }
                Some(latest) => Err(Conflict::Newer {
                    required: offset,
                    required_term: term,
                    offset: latest.offset,
                    term: self.term(),
                }),
            },
            Condition::Version(provided) => match current {
                Some(version) if version >= provided => {
                    Err(Conflict::NotHigher { version, provided })
                }
                Some(_) | None => Ok(provided),
            },
            Condition::VersionFrom(provided) => match current {
                Some(version) if version > provided => Err(Conflict::Lower { version, provided }),
                Some(_) | None => Ok(provided),
            },
        }
    }

    /// Terms start at 1.
    fn term(&self) -> u64 {
        u64::try_from(self.store.epoch().0 + 1).unwrap_or(1)
    }

    /// Whether `id` is the name that a record to come would have.
    fn is_reserved(&self, id: &str) -> bool {
        let Some((partition, offset)) = origin_of_name(id.as_bytes()) else {
            return false;
        };
        let bounds = self
            .store
            .log_bounds(Partition::new(self.topic.id, partition));
        bounds.is_some_and(|bounds| offset >= bounds.high_watermark)
    }

    fn last_offset(&self, partition: PartitionId) -> Offset {
        let bounds = self
            .store
            .log_bounds(Partition::new(self.topic.id, partition));
        let end = bounds.map_or(0, |bounds| bounds.high_watermark.0);
        Offset(end.saturating_sub(1))
    }

    fn check_document(
        &self,
        decoder: &mut DocumentDecoder,
        document: &Bytes,
    ) -> Result<(), Refusal> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(Refusal::TooLarge {
                bytes: document.len(),
            });
        }
        if self.topic.materialize == Materialize::None {
            return Ok(());
        }
        // The row itself is made from the log; only whether it can be one counts here.
        decoder.decode(&Document {
            partition: PartitionId(0),
            offset: Offset(0),
            timestamp_ms: 0,
            id: None,
            source: document,
        })?;
        Ok(())
    }

    /// Stages what was decided; the outcomes, and what to wait for.
    fn stage_all(
        &self,
        state: &mut TopicWrites,
        decisions: Vec<Decision>,
    ) -> Result<(Vec<WriteOutcome>, Lsn), WriteError> {
        let mut outcomes: Vec<Option<WriteOutcome>> = vec![None; decisions.len()];
        let mut same = Vec::new();
        let mut batches = Batches::default();
        for (number, decision) in decisions.into_iter().enumerate() {
            match decision {
                Decision::Outcome(outcome) => outcomes[number] = Some(outcome),
                Decision::Same(earlier) => same.push((number, earlier)),
                Decision::Record(planned) => {
                    let partition = planned.partition;
                    if batches.push(self, number, planned) {
                        batches.stage(self, partition, &mut state.pending, &mut outcomes)?;
                    }
                }
            }
        }
        while let Some(partition) = batches.open.keys().next().copied() {
            batches.stage(self, partition, &mut state.pending, &mut outcomes)?;
        }
        for (number, earlier) in same {
            let mut outcome = outcomes[earlier].clone();
            if let Some(WriteOutcome::Done { result, .. }) = &mut outcome {
                *result = WriteResult::Noop;
            }
            outcomes[number] = outcome;
        }
        let outcomes = outcomes.into_iter();
        let outcomes = outcomes.map(|outcome| outcome.expect("each write has one"));
        Ok((outcomes.collect(), batches.lsn))
    }
}

/// The document after `update`, `None` when it stays what it is, or why there is none.
fn updated(
    update: &Update,
    current: Option<&[u8]>,
    live: Option<&Latest>,
    id: &str,
) -> Result<Option<Bytes>, WriteOutcome> {
    match (update.apply(current), live) {
        (Updated::Document(document), _) => Ok(Some(document)),
        (Updated::Unchanged, Some(_)) => Ok(None),
        (Updated::Unchanged | Updated::Missing, _) => Err(WriteOutcome::Missing { id: id.into() }),
        (Updated::NotAnObject, _) => Err(WriteOutcome::Refused(Refusal::NotAnObject)),
    }
}

fn current_topic(store: &Store, id: TopicId) -> Result<Arc<Topic>, StoreError> {
    let catalog = store.catalog();
    let state = catalog.topic(id).ok_or(StoreError::UnknownTopic(id))?;
    Ok(Arc::clone(&state.topic))
}

fn instant(store: &Store, topic: TopicId) -> Result<TopicInstant, StoreError> {
    store.instant(topic).ok_or(StoreError::UnknownTopic(topic))
}

/// The newest row of `id`, or the record that will be one.
fn newest(
    state: &TopicWrites,
    store: &Store,
    instant: &TopicInstant,
    id: &str,
) -> Result<Option<Latest>, WriteError> {
    let row = match row(instant, id) {
        Ok(Some(row)) => return Ok(Some(row)),
        row => row,
    };
    match state.pending.unread(store, id)? {
        Some(record) => Ok(Some(record)),
        None => row,
    }
}

/// The newest row of `id`.
fn row(instant: &TopicInstant, id: &str) -> Result<Option<Latest>, WriteError> {
    let found = instant.find_row(id.as_bytes())?;
    found.map(Latest::of_row).transpose()
}

/// Whether the document `id`, written with the routing `own`, is found with the routing `given`: in
/// one partition always, among several with the same alone, as where the routing chooses the
/// partition. A document without one is routed by its id.
fn is_reached(topic: &Topic, id: &str, given: Option<&str>, own: Option<&str>) -> bool {
    topic.partitions == 1 || given.unwrap_or(id) == own.unwrap_or(id)
}

fn check_routing(routing: Option<&str>) -> Result<(), Refusal> {
    match routing.map_or(0, str::len) {
        0..=ID_BYTES_MAX => Ok(()),
        bytes => Err(Refusal::RoutingTooLong { bytes }),
    }
}

fn check_id(id: &str) -> Result<(), Refusal> {
    match id.len() {
        0 => Err(Refusal::IdEmpty),
        1..=ID_BYTES_MAX => Ok(()),
        _ => Err(Refusal::IdTooLong { id: id.into() }),
    }
}

fn refused(refusal: Refusal) -> Decision {
    Decision::Outcome(WriteOutcome::Refused(refusal))
}

fn conflicting(id: &str, conflict: Conflict) -> WriteOutcome {
    WriteOutcome::Conflict {
        id: id.into(),
        conflict,
    }
}

const NOBODY_PANICS: &str = "nothing panics while writes of a topic are being made";
