//! What the names in index expressions stand for: topics, their aliases, data streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use storage::catalog::{Catalog, DefinitionKind, Topic, TopicState};

use super::Db;
use crate::elastic::{
    self, ElasticError, IndexOptions, KnownAlias, KnownIndex, Names, is_closed, is_hidden_index,
};
use crate::error::Result;

/// A topic that an expression names.
#[derive(Debug, Clone)]
pub(crate) struct NamedTopic {
    pub(crate) state: Arc<TopicState>,
    /// Filters of the aliases that named it, any of which lets a row pass; none when its own name
    /// did, or an alias without a filter.
    pub(crate) filters: Vec<Value>,
}

impl Db {
    /// The topics that an index expression names.
    pub(crate) fn topics(&self, index: &str, options: IndexOptions) -> Result<Vec<Arc<Topic>>> {
        let named = self.named(index, options)?;
        let topics = named
            .into_iter()
            .map(|named| Arc::clone(&named.state.topic));
        Ok(topics.collect())
    }

    /// All names that expressions can name.
    pub(crate) fn names(&self) -> Names {
        names_of(&self.catalog())
    }

    /// The same, and what aliases let through of them.
    pub(crate) fn named(&self, index: &str, options: IndexOptions) -> Result<Vec<NamedTopic>> {
        let index = elastic::dated_names(index, self.core().now_ms())?;
        named_in(&self.catalog(), &index, options)
    }

    /// The topic that a document written to `name` goes to; `None` when there is no such name.
    pub(super) fn write_target(&self, name: &str) -> Result<Option<Arc<Topic>>> {
        let name = &*elastic::dated_names(name, self.core().now_ms())?;
        let catalog = self.catalog();
        if let Some(state) = catalog.topic_named(name) {
            return Ok(Some(Arc::clone(&state.topic)));
        }
        if let Some(stream) = catalog.definition(DefinitionKind::DataStream, name) {
            let newest = stream_indices(stream).last().cloned();
            let state = newest.and_then(|index| catalog.topic_named(&index).cloned());
            return Ok(state.map(|state| Arc::clone(&state.topic)));
        }
        let holders: Vec<_> = catalog
            .topics_by_name()
            .filter_map(|state| Some((state, state.aliases.get(name)?)))
            .collect();
        let says = |body: &Value| body.get("is_write_index").and_then(Value::as_bool);
        let chosen = holders.iter().find(|(_, body)| says(body) == Some(true));
        let chosen = chosen.or(match holders.as_slice() {
            [only] if says(only.1) != Some(false) => Some(only),
            _ => None,
        });
        match chosen {
            Some((state, _)) => Ok(Some(Arc::clone(&state.topic))),
            None if holders.is_empty() => Ok(None),
            None => {
                let reason = format!(
                    "no write index is defined for alias [{name}]. The write index may be \
                     explicitly disabled using is_write_index=false or the alias points to \
                     multiple indices without one being designated as a write index"
                );
                Err(ElasticError::illegal_argument(reason).into())
            }
        }
    }

    /// The one index that a document is read from by `name`.
    pub(crate) fn only_index(&self, name: &str) -> Result<Arc<Topic>> {
        let options = IndexOptions {
            closed: false,
            ..IndexOptions::default()
        };
        let mut topics = self.topics(name, options)?;
        match topics.pop() {
            Some(only) if topics.is_empty() => Ok(only),
            None => Err(ElasticError::index_not_found(name).into()),
            Some(last) => {
                let names = topics.iter().map(|topic| topic.name.as_str());
                let names: Vec<&str> = names.chain([last.name.as_str()]).collect();
                let reason = format!(
                    "alias [{name}] has more than one index associated with it [{}], can't \
                     execute a single index op",
                    names.join(", ")
                );
                Err(ElasticError::illegal_argument(reason).into())
            }
        }
    }

    /// What the alias `name` says of `key`, which is `index_routing` or `search_routing`.
    pub(super) fn alias_routing(&self, name: &str, key: &str) -> Option<String> {
        let catalog = self.catalog();
        let mut bodies = catalog
            .topics_by_name()
            .filter_map(|state| state.aliases.get(name));
        bodies.find_map(|body| body.get(key).and_then(Value::as_str).map(str::to_owned))
    }

    /// Whether `name` is an alias.
    pub(super) fn is_alias(&self, name: &str) -> bool {
        let catalog = self.catalog();
        catalog
            .topics_by_name()
            .any(|state| state.aliases.contains_key(name))
    }
}

/// The topics of `catalog` that an index expression names.
pub(super) fn named_in(
    catalog: &Catalog,
    index: &str,
    options: IndexOptions,
) -> Result<Vec<NamedTopic>> {
    // The usual case needs no list of all names.
    if let Some(state) = catalog.topic_named(index)
        && !is_closed(&state.topic)
    {
        return Ok(vec![NamedTopic {
            state: Arc::clone(state),
            filters: Vec::new(),
        }]);
    }
    let found = elastic::resolve_indices(index, &names_of(catalog), options)?;
    let named = found.into_iter().filter_map(|found| {
        let state = Arc::clone(catalog.topic_named(&found.name)?);
        let filters = found.aliases.iter().map(|alias| {
            let body = state.aliases.get(alias);
            body.and_then(|body| body.get("filter")).cloned()
        });
        let filters: Option<Vec<Value>> = filters.collect();
        Some(NamedTopic {
            filters: filters.unwrap_or_default(),
            state,
        })
    });
    Ok(named.collect())
}

/// All names of `catalog`.
pub(super) fn names_of(catalog: &Catalog) -> Names {
    let mut aliases: BTreeMap<&str, KnownAlias> = BTreeMap::new();
    let mut indices = Vec::new();
    let mut in_streams = Vec::new();
    for (name, stream) in catalog.definitions(DefinitionKind::DataStream) {
        let backing = stream_indices(stream);
        in_streams.extend(backing.iter().cloned());
        let alias = KnownAlias {
            name: name.into(),
            indices: backing,
            is_hidden: stream.get("hidden").and_then(Value::as_bool) == Some(true),
            is_stream: true,
        };
        aliases.insert(name, alias);
    }
    for state in catalog.topics_by_name() {
        let name = state.topic.name.as_str();
        indices.push(KnownIndex {
            name: name.into(),
            is_hidden: is_hidden_index(&state.topic) || in_streams.iter().any(|own| own == name),
            is_closed: is_closed(&state.topic),
        });
        for (alias, body) in state.aliases.iter() {
            let known = aliases.entry(alias).or_insert_with(|| KnownAlias {
                name: alias.clone(),
                is_hidden: true,
                ..KnownAlias::default()
            });
            known.indices.push(name.into());
            known.is_hidden &= body.get("is_hidden").and_then(Value::as_bool) == Some(true);
        }
    }
    Names {
        indices,
        aliases: aliases.into_values().collect(),
    }
}

/// Names of the indices behind a data stream, the newest last.
pub(super) fn stream_indices(stream: &Value) -> Vec<String> {
    let indices = stream.get("indices").and_then(Value::as_array);
    let names = indices.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
