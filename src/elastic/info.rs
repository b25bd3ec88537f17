//! Answers about the server and its indices.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use storage::catalog::{RejectedRecords, Topic};
use storage::model::{Field, FieldType};

use super::field_types::type_name;
use super::index_expression::matches_wildcard;
use super::mapping::mapping_to_value;
use super::read;

/// The version of the index format that old clients look at.
const LUCENE_VERSION: &str = "9.12.0";

/// What `version.created` of an index is: 8.19.0 as Elasticsearch counts.
const VERSION_CREATED: &str = "8536000";

/// What `GET /` tells about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name of the node and of the cluster.
    pub name: String,
    /// The store's identity.
    pub uuid: [u8; 16],
    /// The version of Elasticsearch that clients are told.
    pub version: String,
}

/// An identity as Elasticsearch writes it: 22 characters of URL-safe base 64.
#[must_use]
pub fn uuid_text(uuid: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(uuid);
    // 128 bits are 21 digits of 6 bits and one of 2, which stands in the upper bits of its digit.
    let digit = |index: u32| {
        let bits = if index < 21 {
            number >> (122 - 6 * index)
        } else {
            number << 4
        };
        char::from(DIGITS[(bits & 0x3f) as usize])
    };
    (0..22).map(digit).collect()
}

/// Prints the answer of `GET /`.
#[must_use]
pub fn render_info(info: &ServerInfo) -> Vec<u8> {
    let reply = json!({
        "name": info.name,
        "cluster_name": info.name,
        "cluster_uuid": uuid_text(info.uuid),
        "version": {
            "number": info.version,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "unknown",
            "build_date": "1970-01-01T00:00:00.000Z",
            "build_snapshot": false,
            "lucene_version": LUCENE_VERSION,
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    });
    reply.to_string().into_bytes()
}

/// Prints the answer of `GET /_cluster/health`; `topics` are those it was asked for.
#[must_use]
pub fn render_health(info: &ServerInfo, topics: &[&Topic]) -> Vec<u8> {
    let reply = json!({
        "cluster_name": info.name,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": true,
        "discovered_cluster_manager": true,
        "active_primary_shards": topics.len(),
        "active_shards": topics.len(),
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    });
    reply.to_string().into_bytes()
}

/// Prints the answer of `GET /{index}`.
#[must_use]
pub fn render_indices(topics: &[&Topic]) -> Vec<u8> {
    by_name(
        topics,
        |topic| json!({"aliases": {}, "mappings": mapping(topic), "settings": settings(topic)}),
    )
}

/// Prints the answer of `GET /{index}/_mapping`.
#[must_use]
pub fn render_mappings(topics: &[&Topic]) -> Vec<u8> {
    by_name(topics, |topic| json!({"mappings": mapping(topic)}))
}

/// Prints the answer of `GET /{index}/_settings`.
#[must_use]
pub fn render_settings(topics: &[&Topic]) -> Vec<u8> {
    by_name(topics, |topic| json!({"settings": settings(topic)}))
}

/// Prints the answer of `GET /{index}/_rejected`: records that could not become rows, counted by
/// reason, and the newest one by one. The records themselves stay in the log.
#[must_use]
pub fn render_rejected(topics: &[(&Topic, Arc<RejectedRecords>)]) -> Vec<u8> {
    let mut shown = Map::new();
    for (topic, rejected) in topics {
        let reasons: Map<String, Value> = rejected
            .counts()
            .iter()
            .map(|(reason, count)| (reason.to_string(), (*count).into()))
            .collect();
        let newest: Vec<Value> = rejected
            .newest()
            .map(|record| {
                json!({
                    "partition": record.partition.0,
                    "offset": record.offset.0,
                    "reason": &*record.reason,
                })
            })
            .collect();
        let total = rejected.total();
        let value = json!({"total": total, "reasons": reasons, "newest": newest});
        shown.insert(topic.name.to_string(), value);
    }
    Value::Object(shown).to_string().into_bytes()
}

fn by_name(topics: &[&Topic], show: impl Fn(&Topic) -> Value) -> Vec<u8> {
    let shown: Map<String, Value> = topics
        .iter()
        .map(|topic| (topic.name.to_string(), show(topic)))
        .collect();
    Value::Object(shown).to_string().into_bytes()
}

fn mapping(topic: &Topic) -> Value {
    mapping_to_value(&topic.mapping, topic.dynamic)
}

/// Settings nested by their dots; every value is a text.
fn settings(topic: &Topic) -> Value {
    let mut flat: BTreeMap<String, Value> = topic.settings.clone();
    let mut set = |key: &str, value: String| flat.insert(format!("index.{key}"), value.into());
    set("creation_date", topic.created_ms.to_string());
    set("number_of_shards", topic.partitions.to_string());
    set("uuid", uuid_text(topic.uuid));
    set("version.created", VERSION_CREATED.into());
    set("provided_name", topic.name.to_string());
    if !flat.contains_key("index.number_of_replicas") {
        flat.insert("index.number_of_replicas".into(), "0".into());
    }
    let mut nested = Value::Object(Map::new());
    for (key, value) in flat {
        let text = match value {
            Value::Array(values) => {
                let texts = values.iter().map(|value| Value::String(read::shown(value)));
                Value::Array(texts.collect())
            }
            value => Value::String(read::shown(&value)),
        };
        insert(&mut nested, &key, text);
    }
    nested
}

fn insert(object: &mut Value, key: &str, value: Value) {
    let Value::Object(entries) = object else {
        return;
    };
    match key.split_once('.') {
        None => _ = entries.insert(key.into(), value),
        Some((first, rest)) => match entries.entry(first).or_insert_with(|| Map::new().into()) {
            inner @ Value::Object(_) => insert(inner, rest, value),
            // A setting above has a value of its own; this one keeps its dots.
            _value => _ = entries.insert(key.into(), value),
        },
    }
}

/// Prints the answer of `GET /{index}/_field_caps?fields=a,b*`.
#[must_use]
pub fn render_field_caps(fields: &str, topics: &[&Topic]) -> Vec<u8> {
    let patterns: Vec<&str> = fields.split(',').map(str::trim).collect();
    // Which indices have the field as which type.
    let mut found: BTreeMap<String, BTreeMap<String, Capabilities>> = BTreeMap::new();
    for topic in topics {
        for (path, field) in &topic.mapping.fields {
            note(&mut found, &patterns, topic, path, field);
            for (name, subfield) in &field.subfields {
                note(
                    &mut found,
                    &patterns,
                    topic,
                    &format!("{path}.{name}"),
                    subfield,
                );
            }
        }
        for (path, type_name) in METADATA_FIELDS {
            if patterns
                .iter()
                .any(|pattern| matches_wildcard(pattern, path))
            {
                let capabilities = found.entry((*path).into()).or_default();
                capabilities
                    .entry((*type_name).into())
                    .or_default()
                    .note(topic, true, true);
            }
        }
    }
    let indices: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let fields: Map<String, Value> = found
        .into_iter()
        .map(|(path, types)| {
            let several = types.len() > 1;
            let types: Map<String, Value> = types
                .into_iter()
                .map(|(name, capabilities)| {
                    let shown = capabilities.to_value(&name, several);
                    (name, shown)
                })
                .collect();
            (path, Value::Object(types))
        })
        .collect();
    json!({"indices": indices, "fields": fields})
        .to_string()
        .into_bytes()
}

/// Values of a row that are no field.
const METADATA_FIELDS: &[(&str, &str)] =
    &[("_id", "_id"), ("_index", "_index"), ("_source", "_source")];

fn note(
    found: &mut BTreeMap<String, BTreeMap<String, Capabilities>>,
    patterns: &[&str],
    topic: &Topic,
    path: &str,
    field: &Field,
) {
    if patterns
        .iter()
        .any(|pattern| matches_wildcard(pattern, path))
    {
        let can_aggregate = field.field_type != FieldType::Text || field.has_whole_texts();
        let types = found.entry(path.into()).or_default();
        let capabilities = types.entry(type_name(field).into()).or_default();
        capabilities.note(topic, can_aggregate, false);
    }
}

/// What can be done with a field of one type.
#[derive(Default)]
struct Capabilities {
    indices: Vec<String>,
    can_aggregate: bool,
    is_metadata: bool,
}

impl Capabilities {
    fn note(&mut self, topic: &Topic, can_aggregate: bool, is_metadata: bool) {
        self.indices.push(topic.name.to_string());
        self.can_aggregate = can_aggregate;
        self.is_metadata = is_metadata;
    }

    fn to_value(&self, type_name: &str, name_indices: bool) -> Value {
        let mut value = json!({
            "type": type_name,
            "metadata_field": self.is_metadata,
            "searchable": true,
            "aggregatable": self.can_aggregate,
        });
        if name_indices {
            value["indices"] = self.indices.clone().into();
        }
        value
    }
}

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;
