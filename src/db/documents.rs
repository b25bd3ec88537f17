//! Documents in: Elasticsearch's way to write.

use bytes::Bytes;
use ingest::decode::{DocumentError, Operation};
use ingest::documents::{self, Refusal, WriteOutcome};
use storage::catalog::Topic;

use super::Db;
use crate::elastic::{BulkOperation, ElasticError, WrittenDocument, uuid_text};
use crate::error::{Error, Result};

/// One document to store.
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
        let topic = self.index_for_write(index)?;
        let core = self.core();
        let written = core
            .documents
            .write(&core.store, topic.id, writes, core.now_ms())?;
        let primary_term = i64::from(core.store.epoch().0) + 1;
        let primary_term = u64::try_from(primary_term).unwrap_or(1);
        let outcome = |outcome| match outcome {
            WriteOutcome::Created {
                id,
                partition: _,
                offset,
            } => Ok(WrittenDocument {
                index: index.into(),
                id,
                sequence_number: offset.0,
                primary_term,
                forced_refresh: false,
            }),
            WriteOutcome::Conflict { id } => Err(ElasticError::document_exists(
                index,
                &uuid_text(topic.uuid),
                &id,
            )),
            WriteOutcome::Refused(refusal) => Err(refused(&refusal, &topic)),
        };
        Ok(written.into_iter().map(outcome).collect())
    }
}

/// What can be done at all.
fn checked(write: DocumentWrite) -> Result<(String, documents::DocumentWrite), ElasticError> {
    if let Some(error) = write.refused {
        return Err(error);
    }
    let operation = match write.operation {
        BulkOperation::Index => Operation::Index,
        BulkOperation::Create => Operation::Create,
        BulkOperation::Update => return Err(ElasticError::unsupported("[update]")),
        BulkOperation::Delete => return Err(ElasticError::unsupported("[delete]")),
    };
    let source = write.document;
    Ok((
        write.index,
        documents::DocumentWrite {
            id: write.id,
            operation,
            source,
        },
    ))
}

/// A refusal in Elasticsearch's words.
fn refused(refusal: &Refusal, topic: &Topic) -> ElasticError {
    let reason = refusal.to_string();
    let error = match refusal {
        Refusal::Document(error) => error,
        Refusal::IdEmpty
        | Refusal::IdTooLong { .. }
        | Refusal::IdReserved { .. }
        | Refusal::TooLarge { .. }
        | Refusal::Unsupported { .. } => return ElasticError::illegal_argument(reason),
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
            let parsing = |reason| ElasticError::new(400, "document_parsing_exception", reason);
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
