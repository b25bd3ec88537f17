//! Topics by the identity that clients know them by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use storage::catalog::{Catalog, TopicState};
use storage::model::TopicId;

use crate::group::consumer::{KnownTopic, KnownTopics};

/// The catalog's topics by UUID, made again when the catalog has changed.
#[derive(Debug, Default)]
pub(super) struct TopicIds {
    newest: Mutex<Arc<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    edit_count: Option<u64>,
    topics: FxHashMap<[u8; 16], TopicId>,
    names: Arc<KnownTopics>,
}

impl TopicIds {
    /// The topic of `catalog` with this identity.
    pub(super) fn find<'a>(
        &self,
        catalog: &'a Catalog,
        uuid: &[u8; 16],
    ) -> Option<&'a Arc<TopicState>> {
        let known = self.known(catalog);
        catalog.topic(*known.topics.get(uuid)?)
    }

    /// All topics of `catalog` as groups see them.
    pub(super) fn names(&self, catalog: &Catalog) -> Arc<KnownTopics> {
        Arc::clone(&self.known(catalog).names)
    }

    fn known(&self, catalog: &Catalog) -> Arc<Known> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.edit_count != Some(catalog.edit_count()) {
            let topics: HashMap<_, _, _> = catalog
                .topics()
                .map(|state| (state.topic.uuid, state.topic.id))
                .collect();
            *newest = Arc::new(Known {
                edit_count: Some(catalog.edit_count()),
                topics,
                names: Arc::new(names(catalog)),
            });
        }
        Arc::clone(&newest)
    }
}

fn names(catalog: &Catalog) -> KnownTopics {
    let topics = catalog.topics().map(|state| {
        let topic = &state.topic;
        let known = KnownTopic {
            uuid: topic.uuid,
            partitions: i32::try_from(topic.partitions).expect("partitions are limited"),
        };
        (topic.name.as_str().to_owned(), known)
    });
    KnownTopics {
        version: catalog.edit_count(),
        topics: topics.collect(),
    }
}
