//! What is fixed or configured about one topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hex;
use crate::model::{Mapping, Partition, PartitionId, TopicId, TopicName};

/// A topic, which is also an index: one object, one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// Its number, never used again.
    pub id: TopicId,
    /// Its name, free again once the topic is deleted.
    pub name: TopicName,
    /// Its identity for clients that must notice that a name was deleted and created again.
    #[serde(with = "hex")]
    pub uuid: [u8; 16],
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Among how many of them documents are spread by id, when partitions were added since: an id
    /// belongs to one partition for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_partitions: Option<u32>,
    /// When it was created.
    pub created_ms: i64,
    /// Configuration in the log's words (`retention.ms`), as given.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Settings in the index's words, as given, by flat dotted key (`index.number_of_shards`).
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// What happens to a field that the mapping does not know.
    #[serde(default)]
    pub dynamic: Dynamic,
    /// Its fields.
    #[serde(default)]
    pub mapping: Arc<Mapping>,
    /// Which instant a row is sorted by; `None` until the first row fixes it, unless it was said
    /// at creation.
    #[serde(default)]
    pub time_field: Option<TimeField>,
    /// Whether and how records become rows.
    #[serde(default)]
    pub materialize: Materialize,
}

impl Topic {
    /// Its partitions in order.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        let topic = self.id;
        (0..self.partitions).map(move |id| Partition::new(topic, PartitionId(id)))
    }

    /// Among how many partitions documents are spread by id.
    #[must_use]
    pub fn routing_partitions(&self) -> u32 {
        self.routing_partitions.unwrap_or(self.partitions)
    }

    /// Whether a batch's times are those of its append instead of the producer's.
    #[must_use]
    pub fn has_log_append_time(&self) -> bool {
        self.config
            .get("message.timestamp.type")
            .is_some_and(|kind| kind == "LogAppendTime")
    }
}

/// What happens to a field that the mapping does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dynamic {
    /// It is added.
    #[default]
    True,
    /// It stays in the document and has no column.
    False,
    /// The document is rejected.
    Strict,
    /// It is added where a template is about it, and stays in the document else.
    FalseAllowTemplates,
    /// It is added where a template is about it; else the document is rejected.
    StrictAllowTemplates,
}

/// Which instant a row is sorted by. A row without one is sorted by its record's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeField {
    /// The date field at this path.
    Field(String),
    /// The record's time in the log.
    RecordTime,
}

/// Whether and how records become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Materialize {
    /// Whatever looks like a document becomes a row.
    #[default]
    Auto,
    /// Every record must be a JSON document.
    Json,
    /// Records stay records.
    None,
}
