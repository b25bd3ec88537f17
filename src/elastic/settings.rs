//! Settings of an index: nested or dotted, with or without `index.` in front.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ElasticError;
use super::read;

/// Settings that do something here.
const WORKING: &[&str] = &[
    "index.id_field",
    "index.mapping.whole_texts",
    "index.materialize",
    "index.number_of_shards",
    "index.retention",
    "index.time_field",
];

/// Settings that are kept and shown: they tune what this server has no part of. A name that ends
/// in a dot stands for everything below it.
const HARMLESS: &[&str] = &[
    "index.analyze.",
    "index.auto_expand_replicas",
    "index.blocks.",
    "index.codec",
    "index.gc_deletes",
    "index.hidden",
    "index.indexing.",
    "index.lifecycle.",
    "index.load_fixed_bitset_filters_eagerly",
    "index.mapping.",
    "index.max_docvalue_fields_search",
    "index.max_inner_result_window",
    "index.max_ngram_diff",
    "index.max_refresh_listeners",
    "index.max_regex_length",
    "index.max_rescore_window",
    "index.max_result_window",
    "index.max_script_fields",
    "index.max_shingle_diff",
    "index.max_slices_per_scroll",
    "index.max_terms_count",
    "index.merge.",
    "index.number_of_replicas",
    "index.number_of_routing_shards",
    "index.priority",
    "index.query.",
    "index.query_string.",
    "index.replication.",
    "index.refresh_interval",
    "index.routing.",
    "index.routing_partition_size",
    "index.search.",
    "index.soft_deletes.",
    "index.sort.",
    "index.store.",
    "index.translog.",
    "index.unassigned.",
    "index.write.",
];

/// Settings that would change answers and do not work yet.
const UNSUPPORTED: &[&str] = &[
    "index.analysis.",
    "index.default_pipeline",
    "index.final_pipeline",
    "index.id_field",
    "index.mode",
    "index.retention",
    "index.routing_path",
    "index.similarity.",
    "index.time_series.",
];

/// Flat settings by their full name.
///
/// # Errors
/// On a name that nobody knows, and on one that would change answers and does not work yet.
pub(super) fn parse_settings(value: &Value) -> Result<BTreeMap<String, Value>, ElasticError> {
    let mut settings = parse_changes(value)?;
    // A null takes a default back, and nothing else was said here.
    settings.retain(|_, value| !value.is_null());
    Ok(settings)
}

/// Flat changes of settings by their full name; a null takes the default back.
///
/// # Errors
/// As [`parse_settings`].
pub(super) fn parse_changes(value: &Value) -> Result<BTreeMap<String, Value>, ElasticError> {
    let mut settings = BTreeMap::new();
    match value {
        Value::Null => {}
        Value::Object(_) => flatten("", value, &mut settings),
        other => return Err(read::wrong(other, "settings")),
    }
    for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        check(name, value)?;
    }
    Ok(settings)
}

/// Reads the body of `PUT /{index}/_settings`: changes by full name; a null takes the default back.
///
/// # Errors
/// As for a new index, and on a setting that is fixed once an index exists.
pub fn parse_settings_change(
    index: &str,
    uuid: &str,
    body: &[u8],
) -> Result<BTreeMap<String, Value>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let mut entries = super::search::parse_object(text)?;
    if entries.is_empty() {
        return Err(ElasticError::validation(&["no settings to update".into()]));
    }
    if let Some(Value::Object(inner)) = entries.get_mut("settings") {
        entries = std::mem::take(inner);
    }
    let changes = parse_changes(&Value::Object(entries))?;
    let fixed: Vec<&str> = FIXED
        .iter()
        .copied()
        .filter(|name| changes.contains_key(*name))
        .collect();
    if !fixed.is_empty() {
        return Err(ElasticError::illegal_argument(format!(
            "Can't update non dynamic settings [[{}]] for open indices [[{index}/{uuid}]]",
            fixed.join(", ")
        )));
    }
    Ok(changes)
}

/// Settings that an index keeps from its first day on.
const FIXED: &[&str] = &[
    "index.number_of_routing_shards",
    "index.number_of_shards",
    "index.routing_partition_size",
    "index.time_field",
];

/// The setting that says that an index is closed.
pub(crate) const CLOSED_SETTING: &str = "index.verified_before_close";

/// Whether nothing can be done with the index until it is opened again.
pub(crate) fn is_closed(topic: &storage::catalog::Topic) -> bool {
    topic.settings.contains_key(CLOSED_SETTING)
}

/// Whether wildcards pass the index by.
pub(crate) fn is_hidden_index(topic: &storage::catalog::Topic) -> bool {
    let hidden = topic.settings.get("index.hidden");
    hidden.is_some_and(|hidden| read::shown(hidden) == "true")
}

/// Settings with every value as a text, or a list of texts.
pub(super) fn normalized(settings: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let text = |value: &Value| Value::String(read::shown(value));
    settings
        .iter()
        .map(|(key, value)| match value {
            Value::Array(values) => (key.clone(), values.iter().map(text).collect()),
            value => (key.clone(), text(value)),
        })
        .collect()
}

/// Flat settings as they are shown: nested by their dots unless they are to be flat.
pub(super) fn shown_settings(settings: &Value, is_flat: bool) -> Value {
    let Value::Object(flat) = settings else {
        return settings.clone();
    };
    if is_flat {
        return settings.clone();
    }
    let mut nested = Value::Object(Map::new());
    for (key, value) in flat {
        insert(&mut nested, key, value.clone());
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

fn flatten(prefix: &str, value: &Value, settings: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{key}"), value, settings);
            }
        }
        value => {
            let name = match prefix.strip_prefix("index.") {
                Some(_) => prefix.to_owned(),
                None => format!("index.{prefix}"),
            };
            settings.insert(name, value.clone());
        }
    }
}

fn check(name: &str, value: &Value) -> Result<(), ElasticError> {
    let is_in = |names: &[&str]| {
        names
            .iter()
            .any(|known| *known == name || (known.ends_with('.') && name.starts_with(known)))
    };
    if is_in(UNSUPPORTED) {
        let is_default = matches!(read::shown(value).as_str(), "_none" | "standard");
        return if is_default {
            Ok(())
        } else {
            Err(ElasticError::unsupported(format!("setting [{name}]")))
        };
    }
    if is_in(WORKING) || is_in(HARMLESS) {
        return Ok(());
    }
    Err(ElasticError::new(
        400,
        "settings_exception",
        format!(
            "unknown setting [{name}] please check that any required plugins are installed, or \
             check the breaking changes documentation for removed settings"
        ),
    ))
}
