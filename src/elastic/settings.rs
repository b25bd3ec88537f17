//! Settings of an index: nested or dotted, with or without `index.` in front.

use std::collections::BTreeMap;

use serde_json::Value;

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
    let mut settings = BTreeMap::new();
    match value {
        Value::Null => {}
        Value::Object(_) => flatten("", value, &mut settings),
        other => return Err(read::wrong(other, "settings")),
    }
    for (name, value) in &settings {
        check(name, value)?;
    }
    Ok(settings)
}

fn flatten(prefix: &str, value: &Value, settings: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{key}"), value, settings);
            }
        }
        // A null takes a default back, and nothing else was said here.
        Value::Null => {}
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
