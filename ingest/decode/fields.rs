//! New fields into the catalog, before any row that has them is seen.

use std::sync::Arc;

use storage::catalog::{CatalogChange, Edit};
use storage::model::TopicId;
use storage::store::{Store, StoreError};

use super::NewFields;

/// What became of new fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldsCommit {
    /// They are durable.
    Durable,
    /// The topic's fields are others by now; decode again with those.
    Outdated,
}

/// Why an edit is not made.
enum Refusal {
    Outdated,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl NewFields {
    /// Makes them durable, unless the topic's fields changed since they were found.
    ///
    /// # Errors
    /// When the topic is gone or the store has stopped.
    pub fn commit(&self, store: &Store, topic: TopicId) -> Result<FieldsCommit, StoreError> {
        let staged = store.stage_edit(|catalog| {
            let Some(state) = catalog.topic(topic) else {
                return Err(Refusal::Store(StoreError::UnknownTopic(topic)));
            };
            let same_mapping = state.topic.mapping == self.base;
            if !same_mapping || state.topic.time_field != self.base_time_field {
                return Err(Refusal::Outdated);
            }
            Ok(Edit::of(CatalogChange::ChangeFields {
                topic,
                mapping: Arc::clone(&self.mapping),
                time_field: self.time_field.clone(),
                dynamic: None,
            }))
        });
        match staged {
            Ok(lsn) => {
                store.wait_durable(lsn)?;
                Ok(FieldsCommit::Durable)
            }
            Err(Refusal::Outdated) => Ok(FieldsCommit::Outdated),
            Err(Refusal::Store(error)) => Err(error),
        }
    }
}
