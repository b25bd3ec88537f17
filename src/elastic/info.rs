//! Answers about the server and its indices.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use storage::catalog::{RejectedRecords, Topic};

use super::alias::Aliases;
use super::index_expression::matches_wildcard;
use super::mapping::mapping_to_value;
use super::settings::{normalized, shown_settings};

/// The version of the index format that old clients look at.
pub const LUCENE_VERSION: &str = "9.12.0";

/// What `version.created` of an index is: 8.19.0 as Elasticsearch counts.
const VERSION_CREATED: &str = "8536000";

/// Whose words and manners answers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Personality {
    /// Elasticsearch 8.
    #[default]
    Elasticsearch,
    /// OpenSearch 3.
    #[value(name = "opensearch")]
    OpenSearch,
}

/// What `GET /` tells about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name of the node and of the cluster.
    pub name: String,
    /// The store's identity.
    pub uuid: [u8; 16],
    /// The version that clients are told.
    pub version: String,
    /// Whose version it is.
    pub personality: Personality,
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
    let mut reply = json!({
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
    if info.personality == Personality::OpenSearch {
        let mut version = json!({ "distribution": "opensearch" });
        if let (Some(all), Some(version)) = (reply["version"].as_object(), version.as_object_mut())
        {
            let others = all.iter().filter(|(key, _)| *key != "build_flavor");
            version.extend(others.map(|(key, value)| (key.clone(), value.clone())));
        }
        reply["version"] = version;
        reply["tagline"] = "The OpenSearch Project: https://opensearch.org/".into();
    }
    reply.to_string().into_bytes()
}

/// Prints the answer of `GET /{index}`.
#[must_use]
pub fn render_indices(topics: &[(&Topic, &Aliases)], shape: SettingsShape<'_>) -> Vec<u8> {
    let shown = topics.iter().map(|(topic, aliases)| {
        let value = json!({
            "aliases": aliases,
            "mappings": mapping(topic),
            "settings": settings(topic, shape),
        });
        (topic.name.to_string(), value)
    });
    Value::Object(shown.collect()).to_string().into_bytes()
}

/// Prints the answer of `GET /{index}/_mapping`.
#[must_use]
pub fn render_mappings(topics: &[&Topic]) -> Vec<u8> {
    by_name(topics, |topic| json!({"mappings": mapping(topic)}))
}

/// Prints the answer of `GET /{index}/_settings`.
#[must_use]
pub fn render_settings(topics: &[&Topic], shape: SettingsShape<'_>) -> Vec<u8> {
    by_name(topics, |topic| {
        let mut reply = json!({"settings": settings(topic, shape)});
        if shape.defaults {
            let defaults = SETTINGS_DEFAULT
                .iter()
                .filter(|(key, _)| !topic.settings.contains_key(*key))
                .map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
            reply["defaults"] = shown(defaults.collect(), shape);
        }
        reply
    })
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

/// Which settings are shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettingsShape<'a> {
    /// With their dots instead of nested.
    pub is_flat: bool,
    /// Only these names and wildcards.
    pub names: Option<&'a str>,
    /// Beside what was said what counts otherwise.
    pub defaults: bool,
    /// With those that only OpenSearch has.
    pub is_open_search: bool,
}

/// Settings, every value a text.
fn settings(topic: &Topic, shape: SettingsShape<'_>) -> Value {
    let mut flat: BTreeMap<String, Value> = topic.settings.clone();
    let mut set = |key: &str, value: String| flat.insert(format!("index.{key}"), value.into());
    set("creation_date", topic.created_ms.to_string());
    set("number_of_shards", topic.partitions.to_string());
    set("uuid", uuid_text(topic.uuid));
    set("version.created", VERSION_CREATED.into());
    set("provided_name", topic.name.to_string());
    if shape.is_open_search {
        set("replication.type", "DOCUMENT".into());
    }
    if !flat.contains_key("index.number_of_replicas") {
        flat.insert("index.number_of_replicas".into(), "0".into());
    }
    shown(normalized(&flat), shape)
}

fn shown(mut flat: BTreeMap<String, Value>, shape: SettingsShape<'_>) -> Value {
    if let Some(names) = shape.names.filter(|names| *names != "_all") {
        flat.retain(|key, _| {
            names
                .split(',')
                .any(|name| matches_wildcard(name.trim(), key))
        });
    }
    shown_settings(&Value::Object(flat.into_iter().collect()), shape.is_flat)
}

/// Settings that count unless something else is said.
const SETTINGS_DEFAULT: &[(&str, &str)] = &[
    ("index.hidden", "false"),
    ("index.max_docvalue_fields_search", "100"),
    ("index.max_result_window", "10000"),
    ("index.query.default_field", "*"),
    ("index.refresh_interval", "1s"),
];

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;
