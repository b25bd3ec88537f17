//! Making topics: the checks that every way of creation shares, and one edit for many of them.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;
use storage::catalog::{Catalog, CatalogChange, Edit, PARTITIONS_MAX, Topic};
use storage::model::{NAME_BYTES_MAX, NameError, TopicId, TopicName};
use storage::store::{Lsn, StoreError};

use super::Broker;
use super::refusal::Refusal;
use crate::wire::KafkaError;

/// Topics that Kafka keeps for itself. Here they do not exist, and nobody else may make them.
const RESERVED: &[&str] = &[
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

/// A topic that someone wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: StrBytes,
    /// As many as the template or the default says when `None`.
    pub(super) partitions: Option<u32>,
    pub(super) config: BTreeMap<String, String>,
}

/// Whether the topics are made, or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Creation {
    Make,
    CheckOnly,
}

/// What became of a list of wishes.
#[derive(Debug)]
pub(super) struct Created {
    /// One result a wish, in their order.
    pub(super) results: Vec<Result<Box<Topic>, Refusal>>,
    /// Where the edit ends; `None` when nothing was made.
    pub(super) lsn: Option<Lsn>,
}

impl Broker {
    /// Makes the topics that can be made, in one edit.
    pub(super) fn create(
        &self,
        wanted: &[Wanted],
        creation: Creation,
        now_ms: i64,
    ) -> Result<Created, StoreError> {
        let mut results = Vec::with_capacity(wanted.len());
        let mut is_made = false;
        let lsn = self.store.stage_edit(|catalog| {
            let mut plan = Plan::new(catalog);
            results.extend(wanted.iter().map(|wanted| plan.add(self, wanted, now_ms)));
            if creation == Creation::CheckOnly {
                plan.changes.clear();
            }
            is_made = !plan.changes.is_empty();
            Ok::<_, StoreError>(Edit {
                changes: plan.changes,
            })
        })?;
        Ok(Created {
            results,
            lsn: is_made.then_some(lsn),
        })
    }
}

/// An edit in the making, on top of a catalog.
struct Plan<'a> {
    catalog: &'a Catalog,
    next_id: TopicId,
    partition_count: u64,
    /// Names as metrics know them, where `.` and `_` are one; made when first needed.
    metric_names: Option<BTreeMap<String, TopicName>>,
    new_names: BTreeSet<TopicName>,
    changes: Vec<CatalogChange>,
}

impl<'a> Plan<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        let counts = catalog
            .topics()
            .map(|state| u64::from(state.topic.partitions));
        Self {
            catalog,
            next_id: catalog.next_topic_id(),
            partition_count: counts.sum(),
            metric_names: None,
            new_names: BTreeSet::new(),
            changes: Vec::new(),
        }
    }

    fn add(
        &mut self,
        broker: &Broker,
        wanted: &Wanted,
        now_ms: i64,
    ) -> Result<Box<Topic>, Refusal> {
        let name = new_name(&wanted.name)?;
        if self.catalog.topic_named(name.as_str()).is_some() || self.new_names.contains(&name) {
            let text = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(KafkaError::TopicAlreadyExists, text));
        }
        self.check_metric_name(&name)?;
        let make = &broker.options.new_topic;
        let mut topic = Box::new(make(&name, self.catalog));
        topic.partitions = wanted.partitions.unwrap_or(topic.partitions);
        self.check_partitions(topic.partitions, broker.options.partitions_max)?;
        topic.id = self.next_id;
        topic.created_ms = now_ms;
        topic.config.extend(wanted.config.clone());
        self.next_id = TopicId(self.next_id.0 + 1);
        self.partition_count += u64::from(topic.partitions);
        self.metric_names().insert(metric_name(&name), name.clone());
        self.new_names.insert(name);
        self.changes.push(CatalogChange::CreateTopic(topic.clone()));
        Ok(topic)
    }

    fn check_partitions(&self, partitions: u32, all_max: u32) -> Result<(), Refusal> {
        if partitions > PARTITIONS_MAX {
            let text = "Excessively large number of partitions per request.";
            return Err(Refusal::new(KafkaError::PolicyViolation, text));
        }
        if self.partition_count + u64::from(partitions) > u64::from(all_max) {
            let text = format!(
                "the store has {} partitions, {partitions} more would pass its limit of {all_max}",
                self.partition_count
            );
            return Err(Refusal::new(KafkaError::PolicyViolation, text));
        }
        Ok(())
    }

    fn check_metric_name(&mut self, name: &TopicName) -> Result<(), Refusal> {
        if !name.as_str().contains(['.', '_']) {
            return Ok(());
        }
        match self.metric_names().get(&metric_name(name)) {
            Some(other) => {
                let text = format!("Topic '{name}' collides with existing topic: {other}");
                Err(Refusal::new(KafkaError::InvalidTopicException, text))
            }
            None => Ok(()),
        }
    }

    fn metric_names(&mut self) -> &mut BTreeMap<String, TopicName> {
        let catalog = self.catalog;
        self.metric_names.get_or_insert_with(|| {
            let names = catalog.topics().map(|state| state.topic.name.clone());
            names.map(|name| (metric_name(&name), name)).collect()
        })
    }
}

fn metric_name(name: &TopicName) -> String {
    name.as_str().replace('.', "_")
}

/// A name that a new topic may have.
pub(super) fn new_name(text: &str) -> Result<TopicName, Refusal> {
    if RESERVED.contains(&text) {
        let text = format!("Topic name '{text}' is reserved.");
        return Err(Refusal::new(KafkaError::InvalidTopicException, text));
    }
    valid_name(text)
}

/// Whether Kafka keeps the name for itself.
pub(super) fn is_reserved(text: &str) -> bool {
    RESERVED.contains(&text)
}

/// A name by Kafka's rules, with Kafka's words when it is none.
pub(super) fn valid_name(text: &str) -> Result<TopicName, Refusal> {
    TopicName::parse(text).map_err(|error| {
        let reason = match error {
            NameError::Empty => "the empty string is not allowed".to_owned(),
            NameError::Dots => format!("'{text}' is not allowed"),
            NameError::TooLong { .. } => {
                format!(
                    "the length of '{text}' is longer than the max allowed length {NAME_BYTES_MAX}"
                )
            }
            NameError::Character { .. } => format!(
                "'{text}' contains one or more characters other than ASCII alphanumerics, '.', \
                 '_' and '-'"
            ),
        };
        let text = format!("Topic name is invalid: {reason}");
        Refusal::new(KafkaError::InvalidTopicException, text)
    })
}
