//! Topics by the identity that clients know them by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use storage::catalog::{Catalog, TopicState};
use storage::model::TopicId;

/// The catalog's topics by UUID, made again when the catalog has changed.
#[derive(Debug, Default)]
pub(super) struct TopicIds {
    newest: Mutex<Arc<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    edit_count: Option<u64>,
    topics: FxHashMap<[u8; 16], TopicId>,
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
            });
        }
        Arc::clone(&newest)
    }
}
