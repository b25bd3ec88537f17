//! Topics: made, changed, deleted, and found by index expressions.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::broker::{Broker, BrokerOptions, GroupOptions};
use ingest::decode::WHOLE_TEXTS_SETTING;
use ingest::group::GroupLimits;
use serde_json::Value;
use storage::catalog::{Catalog, CatalogChange, Edit, Topic};
use storage::model::{TopicId, TopicName};
use storage::store::StoreError;

use super::Db;
use super::identity::random_uuid;
use crate::elastic::{self, ElasticError, IndexDefinition, IndexOptions, uuid_text};
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

    /// The topics that an index expression names.
    pub(crate) fn topics(&self, index: &str, options: IndexOptions) -> Result<Vec<Arc<Topic>>> {
        let catalog = self.catalog();
        let names: Vec<&str> = catalog
            .topics_by_name()
            .map(|state| state.topic.name.as_str())
            .collect();
        let found = elastic::resolve_indices(index, &names, options)?;
        let topics = found.iter().filter_map(|name| catalog.topic_named(name));
        Ok(topics.map(|state| Arc::clone(&state.topic)).collect())
    }

    /// `PUT /{index}`: under Elasticsearch's rules for names.
    pub(crate) fn create_index(&self, name: &str, body: &[u8]) -> Result<()> {
        elastic::check_index_name(name)?;
        self.create(&TopicName::parse(name)?, body)
    }

    /// The index `name`, made now under Elasticsearch's rules when it is missing.
    pub(super) fn index_for_write(&self, name: &str) -> Result<Arc<Topic>> {
        if self.catalog().topic_named(name).is_none() {
            elastic::check_index_name(name)?;
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

    /// `DELETE /{index}`: only what is named in full, so that no slip deletes everything.
    pub(crate) fn delete_topics(&self, index: &str, options: IndexOptions) -> Result<()> {
        let is_pattern = |name: &str| name.is_empty() || name == "_all" || name.contains('*');
        if index.split(',').map(str::trim).any(is_pattern) {
            let reason = "Wildcard expressions or all indices are not allowed";
            return Err(ElasticError::illegal_argument(reason).into());
        }
        for topic in self.topics(index, options)? {
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
            let (mapping, _) = elastic::put_mapping(&state.topic, body)?;
            Ok(Edit::of(CatalogChange::ChangeFields {
                topic,
                mapping: Arc::new(mapping),
                time_field: state.topic.time_field.clone(),
            }))
        })
    }

    /// `PUT /_index_template/{name}`
    pub(crate) fn put_template(&self, name: &str, body: &[u8]) -> Result<()> {
        self.edit(|catalog| {
            let body = elastic::parse_template(name, body, &templates(catalog))?;
            Ok(Edit::of(CatalogChange::PutTemplate {
                name: name.into(),
                body,
            }))
        })
    }

    /// `DELETE /_index_template/{name}`
    pub(crate) fn delete_template(&self, name: &str) -> Result<()> {
        self.edit(|catalog| {
            if catalog.template(name).is_none() {
                let reason = format!("index_template [{name}] missing");
                return Err(
                    ElasticError::new(404, "index_template_missing_exception", reason).into(),
                );
            }
            Ok(Edit::of(CatalogChange::DeleteTemplate {
                name: name.into(),
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
                let none = elastic::parse_create_index(name.as_str(), b"", &BTreeMap::new());
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
            let definition = elastic::parse_create_index(name.as_str(), body, &templates(catalog))?;
            let definition = definition.or_partitions(partitions_default);
            let topic = new_topic(name, definition, catalog, uuid, now_ms);
            Ok(Edit::of(CatalogChange::CreateTopic(Box::new(topic))))
        })
    }

    fn delete(&self, topic: TopicId) -> Result<()> {
        self.edit(|_| Ok(Edit::of(CatalogChange::DeleteTopic(topic))))
    }

    /// Stages the edit and waits until it is durable.
    fn edit(&self, make: impl FnOnce(&Catalog) -> Result<Edit>) -> Result<()> {
        let store = &self.core().store;
        let lsn = store.stage_edit(make)?;
        store.wait_durable(lsn)?;
        Ok(())
    }
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

/// All index templates by name.
pub(crate) fn templates(catalog: &Catalog) -> BTreeMap<String, Arc<Value>> {
    catalog
        .templates()
        .map(|(name, body)| (name.to_owned(), Arc::clone(body)))
        .collect()
}
