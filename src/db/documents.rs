//! Documents in and out by id: Elasticsearch's way to write and to read one.

use bytes::Bytes;
use ingest::decode::DocumentError;
use ingest::documents::{self, Action, Condition, Refusal, Update, WriteOutcome, WriteResult};
use storage::catalog::Topic;
use storage::model::Offset;

use super::{Db, slow};
use crate::elastic::{
    BulkOperation, DocumentScript, ElasticError, ScriptPlace, ScriptResult, SlowWork, Stored,
    UpdateBody, WriteAnswer, WriteCondition, WrittenDocument, uuid_text,
};
use crate::error::{Error, Result};
use crate::options::Stopwatch;

/// How often an update by a script begins again because the document was changed meanwhile.
const SCRIPT_ATTEMPTS_MAX: usize = 16;

/// One document to store, change or remove.
#[derive(Debug)]
pub(crate) struct DocumentWrite {
    /// The index to store it in, made when it is missing and that is allowed.
    pub(crate) index: String,
    /// Its id; `None` when the server makes one.
    pub(crate) id: Option<String>,
    /// What it is to be found with.
    pub(crate) routing: Option<String>,
    /// What is to be done.
    pub(crate) operation: BulkOperation,
    /// The document, byte for byte.
    pub(crate) document: Bytes,
    /// When it may be done.
    pub(crate) condition: WriteCondition,
    /// How the document is to be changed, for an update.
    pub(crate) update: Option<UpdateBody>,
    /// Whether the name must be that of an alias.
    pub(crate) require_alias: bool,
    /// Why it cannot be done whatever the store says.
    pub(crate) refused: Option<ElasticError>,
}

type Outcome = Result<WrittenDocument, ElasticError>;

impl Db {
    /// Stores documents; they are on disk when this returns. Each one succeeds or fails alone;
    /// outcomes are in the order of `writes`.
    pub(crate) fn write_documents(&self, writes: Vec<DocumentWrite>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut together = Vec::with_capacity(writes.len());
        for write in writes {
            let script = write
                .update
                .as_ref()
                .and_then(|update| update.script.clone());
            match script {
                None => together.push(write),
                Some(script) => {
                    // It sees what those before it did.
                    outcomes.extend(self.write_together(std::mem::take(&mut together)));
                    outcomes.push(self.write_by_script(write, &script));
                }
            }
        }
        outcomes.extend(self.write_together(together));
        outcomes
    }

    /// Changes a document by a script, which runs again when somebody else was quicker.
    fn write_by_script(&self, write: DocumentWrite, script: &DocumentScript) -> Outcome {
        if let Some(error) = write.refused {
            return Err(error);
        }
        if write.require_alias && !self.is_alias(&write.index) {
            return Err(ElasticError::alias_required(&write.index));
        }
        let id = write.id.clone().unwrap_or_default();
        let update = write.update.as_ref().expect("it has a script");
        let topic = self.index_for_write(&write.index)?;
        let index = topic.name.to_string();
        if topic.mapping.hides_source {
            return Err(ElasticError::source_missing(&index, &id));
        }
        let mut last = None;
        for _ in 0..SCRIPT_ATTEMPTS_MAX {
            let routing = write.routing.as_deref();
            let stored = self.stored_document(&index, &id, routing)?;
            let (source, operation) = match (&stored, &update.upsert) {
                (Some(stored), _) => (stored.source.as_slice(), "index"),
                (None, Some(upsert)) => (upsert.as_slice(), "create"),
                (None, None) => {
                    let uuid = uuid_text(topic.uuid);
                    return Err(ElasticError::document_missing(&index, &uuid, &id));
                }
            };
            let place = ScriptPlace {
                index: &index,
                id: &id,
                version: stored.as_ref().map_or(0, |stored| stored.version),
                now_ms: self.core().now_ms(),
                operation,
            };
            let result = match stored.is_some() || update.scripted_upsert {
                true => script.apply(source, &place)?,
                false => ScriptResult::Document(source.to_vec()),
            };
            let Some(step) = scripted(&write, stored.as_ref(), result) else {
                let stored = stored.as_ref();
                return Ok(untouched(index, id, stored, self.primary_term()));
            };
            let source = step.document.clone();
            let outcome = self.write_together(vec![step]).pop();
            match outcome.expect("one outcome for one write") {
                Err(error)
                    if error.status() == 409 && write.condition == WriteCondition::Always =>
                {
                    last = Some(error);
                }
                outcome => {
                    return outcome.map(|written| WrittenDocument {
                        source: Some(source),
                        ..written
                    });
                }
            }
        }
        Err(last.expect("there was an attempt"))
    }

    /// Stores documents that no script changes.
    fn write_together(&self, writes: Vec<DocumentWrite>) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; writes.len()];
        let mut by_index: Vec<(String, Vec<usize>, Vec<documents::DocumentWrite>)> = Vec::new();
        for (number, write) in writes.into_iter().enumerate() {
            if write.require_alias && !self.is_alias(&write.index) {
                outcomes[number] = Some(Err(ElasticError::alias_required(&write.index)));
                continue;
            }
            let (index, write) = match checked(write) {
                Ok(write) => write,
                Err(error) => {
                    outcomes[number] = Some(Err(error));
                    continue;
                }
            };
            // Requests name few indices, mostly one.
            match by_index.iter_mut().find(|(name, ..)| *name == index) {
                Some((_, numbers, writes)) => {
                    numbers.push(number);
                    writes.push(write);
                }
                None => by_index.push((index, vec![number], vec![write])),
            }
        }
        for (index, numbers, mut writes) in by_index {
            if let Some(routing) = self.alias_routing(&index, "index_routing") {
                for write in &mut writes {
                    write.routing.get_or_insert_with(|| routing.clone());
                }
            }
            let written = match self.write_to(&index, &writes) {
                Ok(written) => written,
                Err(error) => {
                    let error = error.into_elastic();
                    numbers.iter().map(|_| Err(error.clone())).collect()
                }
            };
            for (number, outcome) in numbers.into_iter().zip(written) {
                outcomes[number] = Some(outcome);
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.expect("each write was decided"))
            .collect()
    }

    fn write_to(&self, index: &str, writes: &[documents::DocumentWrite]) -> Result<Vec<Outcome>> {
        // Nothing is there to be deleted, and that is no reason to make an index.
        let only_deletes = writes.iter().all(|write| write.action == Action::Delete);
        if only_deletes && self.write_target(index)?.is_none() {
            return Err(ElasticError::index_not_found(index).into());
        }
        let topic = self.index_for_write(index)?;
        if writes
            .iter()
            .any(|write| forbidden(&topic, write).is_some())
        {
            return Ok(self.write_allowed(&topic, writes));
        }
        let index = topic.name.as_str();
        let core = self.core();
        let watch = Stopwatch::start();
        let written = core
            .documents
            .write(&core.store, topic.id, writes, core.now_ms())?;
        let first = writes.first().map_or(&[][..], |write| match &write.action {
            Action::Index(document) | Action::Create(document) => document,
            Action::Update(_) | Action::Delete => &[],
        });
        slow::tell(&topic, SlowWork::Write, watch.elapsed_ms(), None, first);
        let uuid = uuid_text(topic.uuid);
        let outcome = |outcome| match outcome {
            WriteOutcome::Done {
                id,
                offset,
                version,
                result,
                source,
                ..
            } => Ok(WrittenDocument {
                index: index.into(),
                id,
                version,
                answer: answer(result),
                sequence_number: offset.0,
                primary_term: self.primary_term(),
                forced_refresh: false,
                source,
            }),
            WriteOutcome::Conflict { id, conflict } => Err(ElasticError::version_conflict(
                index,
                &uuid,
                &id,
                &conflict.to_string(),
            )),
            WriteOutcome::Missing { id } => Err(ElasticError::document_missing(index, &uuid, &id)),
            WriteOutcome::Refused(refusal) => Err(refused(&refusal, &topic)),
        };
        Ok(written.into_iter().map(outcome).collect())
    }

    /// Writes into an index whose mapping forbids some of the writes: those fail alone.
    fn write_allowed(&self, topic: &Topic, writes: &[documents::DocumentWrite]) -> Vec<Outcome> {
        let one = |write: &documents::DocumentWrite| {
            if let Some(error) = forbidden(topic, write) {
                return Err(error);
            }
            let written = self.write_to(topic.name.as_str(), std::slice::from_ref(write));
            let mut written = written.map_err(Error::into_elastic)?;
            written.pop().expect("one outcome for one write")
        };
        writes.iter().map(one).collect()
    }

    /// The document with this id as the last acknowledged write left it, visible to searches or
    /// not, if it is found with this routing.
    pub(crate) fn stored_document(
        &self,
        index: &str,
        id: &str,
        routing: Option<&str>,
    ) -> Result<Option<Stored>> {
        let topic = self.only_index(index)?;
        let of_alias = self.alias_routing(index, "search_routing");
        let routing = routing.or(of_alias.as_deref());
        if topic.mapping.requires_routing && routing.is_none() {
            return Err(ElasticError::routing_missing(topic.name.as_str(), Some(id)).into());
        }
        let core = self.core();
        let stored = core.documents.get(&core.store, topic.id, id, routing)?;
        Ok(stored.map(|stored| Stored {
            index: topic.name.to_string(),
            sequence_number: stored.offset.0,
            primary_term: self.primary_term(),
            version: stored.version,
            routing: stored.routing.as_deref().map(str::to_owned),
            source: stored.source.to_vec(),
            hides_source: topic.mapping.hides_source,
        }))
    }

    /// Terms start at 1.
    pub(super) fn primary_term(&self) -> u64 {
        u64::try_from(self.core().store.epoch().0 + 1).unwrap_or(1)
    }
}

/// Why the mapping of `topic` forbids a write, if it does.
fn forbidden(topic: &Topic, write: &documents::DocumentWrite) -> Option<ElasticError> {
    let index = topic.name.as_str();
    let id = write.id.as_deref();
    if topic.mapping.requires_routing && write.routing.is_none() {
        return Some(ElasticError::routing_missing(index, id));
    }
    if topic.mapping.hides_source && matches!(write.action, Action::Update(_)) {
        return Some(ElasticError::source_missing(index, id.unwrap_or("null")));
    }
    None
}

/// The write that `result` asks for; `None` when the document stays as it is.
fn scripted(
    write: &DocumentWrite,
    stored: Option<&Stored>,
    result: ScriptResult,
) -> Option<DocumentWrite> {
    let (operation, document) = match (result, stored) {
        (ScriptResult::Nothing, _) | (ScriptResult::Delete, None) => return None,
        (ScriptResult::Document(source), None) => (BulkOperation::Create, source),
        (ScriptResult::Document(source), Some(_)) => (BulkOperation::Index, source),
        (ScriptResult::Delete, Some(_)) => (BulkOperation::Delete, Vec::new()),
    };
    let condition = match (write.condition, stored) {
        (WriteCondition::Always, Some(stored)) => WriteCondition::After {
            sequence_number: stored.sequence_number,
            primary_term: stored.primary_term,
        },
        (given, _) => given,
    };
    Some(DocumentWrite {
        index: write.index.clone(),
        id: write.id.clone(),
        routing: write.routing.clone(),
        operation,
        document: document.into(),
        condition,
        update: None,
        require_alias: false,
        refused: None,
    })
}

/// What is said of a document that a script left alone.
fn untouched(
    index: String,
    id: String,
    stored: Option<&Stored>,
    primary_term: u64,
) -> WrittenDocument {
    WrittenDocument {
        index,
        id,
        version: stored.map_or(0, |stored| stored.version),
        answer: WriteAnswer::Noop,
        sequence_number: stored.map_or(0, |stored| stored.sequence_number),
        primary_term,
        forced_refresh: false,
        source: stored.map(|stored| stored.source.clone().into()),
    }
}

fn answer(result: WriteResult) -> WriteAnswer {
    match result {
        WriteResult::Created => WriteAnswer::Created,
        WriteResult::Updated => WriteAnswer::Updated,
        WriteResult::Deleted => WriteAnswer::Deleted,
        WriteResult::NotFound => WriteAnswer::NotFound,
        WriteResult::Noop => WriteAnswer::Noop,
    }
}

/// What can be done at all.
fn checked(write: DocumentWrite) -> Result<(String, documents::DocumentWrite), ElasticError> {
    if let Some(error) = write.refused {
        return Err(error);
    }
    let action = match write.operation {
        BulkOperation::Index => Action::Index(write.document),
        BulkOperation::Create => Action::Create(write.document),
        BulkOperation::Delete => Action::Delete,
        BulkOperation::Update => {
            let update = write
                .update
                .ok_or_else(|| ElasticError::validation(&["script or doc is missing".into()]))?;
            Action::Update(Box::new(Update {
                doc: update.doc,
                upsert: update.upsert.map(Bytes::from),
                doc_as_upsert: update.doc_as_upsert,
                detect_noop: update.detect_noop,
            }))
        }
    };
    let condition = match write.condition {
        WriteCondition::Always => Condition::Always,
        WriteCondition::After {
            sequence_number,
            primary_term,
        } => Condition::After {
            offset: Offset(sequence_number),
            term: primary_term,
        },
        WriteCondition::External(version) => Condition::Version(version),
        WriteCondition::ExternalOrEqual(version) => Condition::VersionFrom(version),
    };
    Ok((
        write.index,
        documents::DocumentWrite {
            id: write.id,
            routing: write.routing,
            action,
            condition,
        },
    ))
}

/// A refusal in Elasticsearch's words.
pub(super) fn refused(refusal: &Refusal, topic: &Topic) -> ElasticError {
    let reason = refusal.to_string();
    let error = match refusal {
        Refusal::Document(error) => error,
        Refusal::IdMissing
        | Refusal::IdEmpty
        | Refusal::IdTooLong { .. }
        | Refusal::IdReserved { .. }
        | Refusal::RoutingTooLong { .. }
        | Refusal::TooLarge { .. }
        | Refusal::NotAnObject => return ElasticError::illegal_argument(reason),
    };
    match error {
        DocumentError::Strict { .. } => {
            ElasticError::new(400, "strict_dynamic_mapping_exception", reason)
        }
        DocumentError::Alias { .. } => ElasticError::mapping("failed to parse")
            .caused_by(ElasticError::illegal_argument(reason)),
        DocumentError::FieldCount { .. } | DocumentError::Depth { .. } => {
            let reason = format!("{reason} in index [{}]", topic.name);
            ElasticError::illegal_argument(reason)
        }
        DocumentError::Utf8
        | DocumentError::Json { .. }
        | DocumentError::NotObject
        | DocumentError::DuplicateKey { .. }
        | DocumentError::FieldName { .. }
        | DocumentError::MetadataField { .. }
        | DocumentError::Value { .. }
        | DocumentError::NotAnObject { .. }
        | DocumentError::BelowValue { .. } => {
            let parsing = |reason| ElasticError::mapping(reason);
            match error.value_cause() {
                None => parsing(reason),
                Some((preview, cause)) => {
                    parsing(format!("{reason}. Preview of field's value: '{preview}'"))
                        .caused_by(ElasticError::illegal_argument(cause))
                }
            }
        }
    }
}

impl From<documents::WriteError> for Error {
    fn from(error: documents::WriteError) -> Self {
        use crate::error::ErrorKind;
        use documents::WriteError as W;
        match error {
            W::Store(error) => error.into(),
            W::Stage(error) => error.into(),
            W::Read(_) | W::Batch { .. } | W::Segment(_) => Self::caused(ErrorKind::Corrupt, error),
            W::Contended => Self::caused(ErrorKind::Unavailable, error),
        }
    }
}
