//! Topics: made, changed, deleted, and found by index expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::broker::{Broker, BrokerOptions, GroupOptions};
use ingest::decode::WHOLE_TEXTS_SETTING;
use ingest::group::GroupLimits;
use serde_json::Value;
use storage::catalog::{Catalog, CatalogChange, DefinitionKind, Edit, Topic};
use storage::model::{TopicId, TopicName};
use storage::store::StoreError;

use super::Db;
use super::aliases::check_free;
use super::identity::random_uuid;
use super::templates::templates;
use crate::elastic::{
    self, ElasticError, IndexDefinition, IndexOptions, Templates, is_closed, is_data_stream,
    uuid_text,
};
use crate::error::{ErrorKind, Result};

impl Db {
    /// Creates a topic. `definition` is the body of Elasticsearch's `PUT /{index}` (`""` is fine):
    /// settings and mappings, on top of what matching index templates say.
    ///
    /// # Errors
    /// When the topic exists, or the name or the definition make no sense.
    ///
    /// ```
    /// # let db = siltstone::Db::builder().in_memory().open()?;
    /// let definition = r#"{"mappings": {"properties": {"symbol": {"type": "keyword"}}}}"#;
    /// db.create_topic("trades", definition)?;
    /// # db.close()?;
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    pub fn create_topic(&self, name: &str, definition: &str) -> Result<()> {
        self.create(&TopicName::parse(name)?, definition.as_bytes())
    }

    /// Deletes a topic with its records and rows.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        match self.catalog().topic_named(name) {
            Some(state) => self.delete(state.topic.id),
            None => Err(ElasticError::index_not_found(name).into()),
        }
    }

    /// The names of all topics, ascending.
    #[must_use]
    pub fn topic_names(&self) -> Vec<String> {
        let catalog = self.catalog();
        catalog
            .topics_by_name()
            .map(|state| state.topic.name.as_str().into())
            .collect()
    }

    /// `PUT /{index}`: under Elasticsearch's rules for names.
    pub(crate) fn create_index(&self, name: &str, body: &[u8]) -> Result<()> {
        let name = &*elastic::dated_names(name, self.core().now_ms())?;
        elastic::check_index_name(name)?;
        self.create(&TopicName::parse(name)?, body)
    }

    /// The index that a document written to `name` goes to: its own, that of an alias, the newest
    /// of a data stream, else one that is made now under Elasticsearch's rules.
    pub(super) fn index_for_write(&self, name: &str) -> Result<Arc<Topic>> {
        if let Some(topic) = self.write_target(name)? {
            return match is_closed(&topic) {
                true => Err(ElasticError::index_closed(name).into()),
                false => Ok(topic),
            };
        }
        let name = &*elastic::dated_names(name, self.core().now_ms())?;
        elastic::check_index_name(name)?;
        if self.core().options.auto_create_topics
            && is_data_stream(name, &templates(&self.catalog()))
        {
            match self.create_stream(name) {
                Ok(()) => {}
                // Somebody else was quicker.
                Err(error) if error.kind() == ErrorKind::Exists => {}
                Err(error) => return Err(error),
            }
            let target = self.write_target(name)?;
            return target.ok_or_else(|| super::core::gone(name));
        }
        self.topic_for_write(name)
    }

    /// The topic `name`, made now when it is missing and that is allowed.
    pub(super) fn topic_for_write(&self, name: &str) -> Result<Arc<Topic>> {
        let find = || {
            self.catalog()
                .topic_named(name)
                .map(|state| Arc::clone(&state.topic))
        };
        if let Some(topic) = find() {
            return Ok(topic);
        }
        if !self.core().options.auto_create_topics {
            return Err(ElasticError::index_not_found(name).into());
        }
        match self.create(&TopicName::parse(name)?, b"") {
            Ok(()) => {}
            // Somebody else was quicker.
            Err(error) if error.kind() == ErrorKind::Exists => {}
            Err(error) => return Err(error),
        }
        find().ok_or_else(|| super::core::gone(name))
    }

    /// `DELETE /{index}`. Unless wildcards may delete, only what is named in full, so that no slip
    /// deletes everything.
    pub(crate) fn delete_topics(
        &self,
        index: &str,
        options: IndexOptions,
        wildcards: Wildcards,
    ) -> Result<()> {
        let is_pattern = |name: &str| name.is_empty() || name == "_all" || name.contains('*');
        let has_pattern = index.split(',').map(str::trim).any(is_pattern);
        if has_pattern && wildcards == Wildcards::Refused {
            let reason = "Wildcard expressions or all indices are not allowed";
            return Err(ElasticError::illegal_argument(reason).into());
        }
        let options = IndexOptions {
            aliases: false,
            ..options
        };
        let catalog = self.catalog();
        for topic in self.topics(index, options)? {
            super::streams::check_not_newest(&catalog, topic.name.as_str())?;
            self.delete(topic.id)?;
        }
        Ok(())
    }

    /// `PUT /{index}/_mapping`
    pub(crate) fn put_mapping(&self, topic: TopicId, body: &[u8]) -> Result<()> {
        self.edit(|catalog| {
            let state = catalog
                .topic(topic)
                .ok_or(StoreError::UnknownTopic(topic))?;
            let (mapping, dynamic) = elastic::put_mapping(&state.topic, body)?;
            Ok(Edit::of(CatalogChange::ChangeFields {
                topic,
                mapping: Arc::new(mapping),
                time_field: state.topic.time_field.clone(),
                dynamic: (dynamic != state.topic.dynamic).then_some(dynamic),
            }))
        })
    }

    /// A Kafka broker over this store that tells its clients to come to `host` and `port`.
    pub(crate) fn broker(&self, host: &str, port: u16) -> Arc<Broker> {
        let options = &self.core().options;
        let clock = options.clock.clone();
        let partitions_default = options.partitions;
        let new_topic = move |name: &TopicName, catalog: &Catalog| {
            let definition = elastic::parse_create_index(name.as_str(), b"", &templates(catalog));
            let definition = definition.unwrap_or_else(|error| {
                // Templates are checked when they are put; two that contradict each other may
                // still fail together. The records matter more than the mapping.
                tracing::warn!(topic = %name, %error, "index templates are left out");
                let none = elastic::parse_create_index(name.as_str(), b"", &Templates::new());
                none.expect("a definition that says nothing is sound")
            });
            let uuid = random_uuid().unwrap_or_else(|error| {
                tracing::warn!(%error, "a topic's identity is made of its number");
                let number = u128::from(catalog.next_topic_id().0);
                (u128::from_le_bytes(catalog.store_uuid()) ^ number).to_le_bytes()
            });
            let mut topic = new_topic(
                name,
                definition.or_partitions(partitions_default),
                catalog,
                uuid,
                clock.now_ms(),
            );
            // Nobody chose between text and keyword for records: their texts are to serve as both.
            let whole_texts = topic.settings.entry(WHOLE_TEXTS_SETTING.into());
            whole_texts.or_insert(Value::Bool(true));
            topic
        };
        let new_uuid = || random_uuid().expect("the system gave random bytes at the start");
        let broker = BrokerOptions {
            groups: GroupOptions {
                offsets_retention_ms: options.offsets_retention_ms,
                groups_max: options.groups_max,
                limits: GroupLimits {
                    initial_delay_ms: options.group_initial_delay_ms,
                    members_max: options.group_members_max,
                    ..GroupLimits::default()
                },
                ..GroupOptions::default()
            },
            auto_create_topics: options.auto_create_topics,
            partitions_default: options.partitions,
            partitions_max: options.partitions_max,
            ..BrokerOptions::new(host, port, Box::new(new_topic), Box::new(new_uuid))
        };
        Arc::new(Broker::new(Arc::clone(&self.core().store), broker))
    }

    fn create(&self, name: &TopicName, body: &[u8]) -> Result<()> {
        let uuid = random_uuid()?;
        let now_ms = self.core().now_ms();
        let partitions_default = self.core().options.partitions;
        self.edit(|catalog| {
            if let Some(state) = catalog.topic_named(name.as_str()) {
                let uuid = uuid_text(state.topic.uuid);
                return Err(ElasticError::index_exists(name.as_str(), &uuid).into());
            }
            check_not_alias(catalog, name.as_str())?;
            let definition = elastic::parse_create_index(name.as_str(), body, &templates(catalog))?;
            let definition = definition.or_partitions(partitions_default);
            create_changes(name, definition, catalog, uuid, now_ms)
        })
    }

    fn delete(&self, topic: TopicId) -> Result<()> {
        self.edit(|_| Ok(Edit::of(CatalogChange::DeleteTopic(topic))))
    }

    /// Stages the edit and waits until it is durable.
    pub(super) fn edit(&self, make: impl FnOnce(&Catalog) -> Result<Edit>) -> Result<()> {
        let store = &self.core().store;
        let lsn = store.stage_edit(make)?;
        store.wait_durable(lsn)?;
        Ok(())
    }
}

/// What creating an index changes.
pub(super) fn create_changes(
    name: &TopicName,
    mut definition: IndexDefinition,
    catalog: &Catalog,
    uuid: [u8; 16],
    now_ms: i64,
) -> Result<Edit> {
    let aliases = std::mem::take(&mut definition.aliases);
    for alias in aliases.keys() {
        check_free(catalog, alias, &BTreeSet::new())?;
    }
    let topic = new_topic(name, definition, catalog, uuid, now_ms);
    let id = topic.id;
    let mut changes = vec![CatalogChange::CreateTopic(Box::new(topic))];
    if !aliases.is_empty() {
        changes.push(CatalogChange::ChangeAliases { topic: id, aliases });
    }
    Ok(Edit { changes })
}

/// An index cannot have the name of an alias or a data stream.
pub(super) fn check_not_alias(catalog: &Catalog, name: &str) -> Result<()> {
    let stream = catalog.definition(DefinitionKind::DataStream, name);
    let mut topics = catalog.topics();
    let reason = match stream {
        Some(_) => format!("data_stream [{name}] already exists"),
        None if topics.any(|state| state.aliases.contains_key(name)) => {
            let reason = format!("Invalid index name [{name}], already exists as alias");
            let error = ElasticError::new(400, "invalid_index_name_exception", reason);
            return Err(error.with("index_uuid", "_na_").with("index", name).into());
        }
        None => return Ok(()),
    };
    Err(ElasticError::new(400, "resource_already_exists_exception", reason).into())
}

/// Whether wildcards may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wildcards {
    /// They may.
    Allowed,
    /// They are an error.
    Refused,
}

fn new_topic(
    name: &TopicName,
    definition: IndexDefinition,
    catalog: &Catalog,
    uuid: [u8; 16],
    now_ms: i64,
) -> Topic {
    Topic {
        id: catalog.next_topic_id(),
        name: name.clone(),
        uuid,
        partitions: definition.partitions,
        routing_partitions: None,
        created_ms: now_ms,
        config: BTreeMap::new(),
        settings: definition.settings,
        dynamic: definition.dynamic,
        mapping: Arc::new(definition.mapping),
        time_field: definition.time_field,
        materialize: definition.materialize,
    }
}
