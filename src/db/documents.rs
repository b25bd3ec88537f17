//! Documents in and out by id: Elasticsearch's way to write and to read one.

use bytes::Bytes;
use ingest::decode::DocumentError;
use ingest::documents::{self, Action, Condition, Refusal, Update, WriteOutcome, WriteResult};
use query::request::HitsRequest;
use query::response::Hit;
use storage::catalog::Topic;
use storage::model::Offset;

use super::Db;
use crate::elastic::{
    BulkOperation, Deleted, ElasticError, IndexOptions, SearchParams, SearchTarget, Stored,
    UpdateBody, WriteAnswer, WriteCondition, WrittenDocument, parse_count, uuid_text,
};
use crate::error::{Error, Result};

/// Documents that a delete by query finds at once.
const DELETE_HITS_MAX: usize = 10_000;

/// One document to store, change or remove.
#[derive(Debug)]
pub(crate) struct DocumentWrite {
    /// The index to store it in, made when it is missing and that is allowed.
    pub(crate) index: String,
    /// Its id; `None` when the server makes one.
    pub(crate) id: Option<String>,
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
        for (index, numbers, writes) in by_index {
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
        let index = topic.name.as_str();
        let core = self.core();
        let written = core
            .documents
            .write(&core.store, topic.id, writes, core.now_ms())?;
        let uuid = uuid_text(topic.uuid);
        let outcome = |outcome| match outcome {
            WriteOutcome::Done {
                id,
                offset,
                version,
                result,
                ..
            } => Ok(WrittenDocument {
                index: index.into(),
                id,
                version,
                answer: answer(result),
                sequence_number: offset.0,
                primary_term: self.primary_term(),
                forced_refresh: false,
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

    /// The document with this id as the last acknowledged write left it, visible to searches or
    /// not.
    pub(crate) fn stored_document(&self, index: &str, id: &str) -> Result<Option<Stored>> {
        let topic = self.only_index(index)?;
        let core = self.core();
        let stored = core.documents.get(&core.store, topic.id, id)?;
        Ok(stored.map(|stored| Stored {
            index: topic.name.to_string(),
            sequence_number: stored.offset.0,
            primary_term: self.primary_term(),
            version: stored.version,
            source: stored.source.to_vec(),
        }))
    }

    /// Deletes the documents that a query finds. Those that are changed meanwhile stay; with
    /// `goes_on` the others are deleted all the same.
    pub(crate) fn delete_by_query(
        &self,
        index: &str,
        body: &[u8],
        params: &SearchParams,
        goes_on: bool,
    ) -> Result<Deleted> {
        let mut done = Deleted::default();
        for topic in self.topics(index, IndexOptions::default())? {
            self.refresh_topic(topic.id)?;
            let mut left = None;
            loop {
                let (matched, hits) = self.find_to_delete(&topic, body, params)?;
                let left = left.get_or_insert_with(|| {
                    done.total += matched;
                    matched
                });
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(hits.len());
                if count == 0 {
                    break;
                }
                *left -= count as u64;
                done.batches += 1;
                let conflicts = self.delete_hits(&topic, &hits[..count], &mut done)?;
                if conflicts > 0 && !goes_on || !done.failures.is_empty() {
                    return Ok(done);
                }
                // What is deleted must not be found again.
                self.refresh_topic(topic.id)?;
            }
        }
        Ok(done)
    }

    fn find_to_delete(
        &self,
        topic: &Topic,
        body: &[u8],
        params: &SearchParams,
    ) -> Result<(u64, Vec<Hit>)> {
        let core = self.core();
        let Some(snapshot) = core.store.snapshot(topic.id) else {
            return Ok((0, Vec::new()));
        };
        let target = SearchTarget {
            index: snapshot.topic.name.as_str(),
            mapping: &snapshot.topic.mapping,
            filters: &[],
        };
        let mut parsed = parse_count(body, params, &[target], core.now_ms())?;
        let mut request = parsed.requests.remove(0);
        request.hits = HitsRequest {
            size: DELETE_HITS_MAX,
            ..request.hits
        };
        let response = query::search(&request, &snapshot, &core.scans)?;
        Ok((response.matched, response.hits))
    }

    /// Deletes `hits` where they still are what was found; how many are not.
    fn delete_hits(&self, topic: &Topic, hits: &[Hit], done: &mut Deleted) -> Result<u64> {
        let deletes: Vec<_> = hits
            .iter()
            .map(|hit| documents::DocumentWrite {
                id: Some(hit.id.clone()),
                action: Action::Delete,
                condition: Condition::After {
                    offset: Offset(hit.offset),
                    term: self.primary_term(),
                },
            })
            .collect();
        let core = self.core();
        let outcomes = core
            .documents
            .write(&core.store, topic.id, &deletes, core.now_ms())?;
        let name = topic.name.as_str();
        let mut conflicts = 0;
        for outcome in outcomes {
            match outcome {
                WriteOutcome::Done { .. } => done.deleted += 1,
                WriteOutcome::Conflict { .. } | WriteOutcome::Missing { .. } => conflicts += 1,
                WriteOutcome::Refused(refusal) => {
                    let error = refused(&refusal, topic);
                    done.failures.push((name.into(), String::new(), error));
                }
            }
        }
        done.version_conflicts += conflicts;
        Ok(conflicts)
    }

    /// Terms start at 1.
    fn primary_term(&self) -> u64 {
        u64::try_from(self.core().store.epoch().0 + 1).unwrap_or(1)
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
            action,
            condition,
        },
    ))
}

/// A refusal in Elasticsearch's words.
fn refused(refusal: &Refusal, topic: &Topic) -> ElasticError {
    let reason = refusal.to_string();
    let error = match refusal {
        Refusal::Document(error) => error,
        Refusal::IdMissing
        | Refusal::IdEmpty
        | Refusal::IdTooLong { .. }
        | Refusal::IdReserved { .. }
        | Refusal::TooLarge { .. }
        | Refusal::NotAnObject => return ElasticError::illegal_argument(reason),
    };
    match error {
        DocumentError::Strict { .. } => {
            ElasticError::new(400, "strict_dynamic_mapping_exception", reason)
        }
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
