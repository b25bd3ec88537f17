//! Settings of the server: `_cluster/settings`. They are kept and shown.

use serde_json::{Map, Value, json};

use super::ElasticError;
use super::read;
use super::search::parse_object;
use super::settings::shown_settings;

/// The two sets that clients know. Both outlive a restart here.
const SETS: [&str; 2] = ["persistent", "transient"];

/// Puts the changes of a body into `settings`; a null takes a setting away. Names what was set.
///
/// # Errors
/// When the body cannot be read or changes nothing.
pub fn change_server_settings(settings: &mut Value, body: &[u8]) -> Result<Value, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = parse_object(text)?;
    let mut changed = json!({});
    for (set, value) in &entries {
        if !SETS.contains(&set.as_str()) {
            let reason = format!("[cluster_update_settings_request] unknown field [{set}]");
            return Err(ElasticError::content(reason));
        }
        let mut flat = Map::new();
        flatten("", value, &mut flat);
        for (name, value) in flat {
            let known = settings[set].as_object_mut();
            match (value, known) {
                (Value::Null, Some(known)) => _ = known.shift_remove(&name),
                (Value::Null, None) => {}
                (value, _) => {
                    settings[set][&name] = value.clone();
                    changed[set][&name] = value;
                }
            }
        }
    }
    if entries
        .values()
        .all(|value| value.as_object().is_none_or(Map::is_empty))
    {
        return Err(ElasticError::validation(&["no settings to update".into()]));
    }
    Ok(changed)
}

fn flatten(prefix: &str, value: &Value, settings: &mut Map<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{key}"), value, settings);
            }
        }
        Value::Null => _ = settings.insert(prefix.into(), Value::Null),
        value => _ = settings.insert(prefix.into(), read::shown(value).into()),
    }
}

fn sets(settings: &Value, is_flat: bool) -> Map<String, Value> {
    let empty = json!({});
    let set = |name: &str| {
        let set = settings.get(name).unwrap_or(&empty);
        (name.to_owned(), shown_settings(set, is_flat))
    };
    SETS.map(set).into_iter().collect()
}

/// Prints the answer of `GET /_cluster/settings`.
#[must_use]
pub fn render_server_settings(settings: &Value, is_flat: bool, defaults: bool) -> Vec<u8> {
    let mut reply = sets(settings, is_flat);
    if defaults {
        let known = json!({ "search.max_buckets": query::request::BUCKETS_MAX.to_string() });
        reply.insert("defaults".into(), shown_settings(&known, is_flat));
    }
    Value::Object(reply).to_string().into_bytes()
}

/// Prints the answer of `PUT /_cluster/settings`.
#[must_use]
pub fn render_changed_settings(changed: &Value, is_flat: bool) -> Vec<u8> {
    let mut reply = Map::new();
    reply.insert("acknowledged".into(), true.into());
    reply.extend(sets(changed, is_flat));
    Value::Object(reply).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_and_go() {
        let mut settings = json!({});
        let body = br#"{"persistent": {"a": {"b": 1}, "c.d": true}}"#;
        let changed = change_server_settings(&mut settings, body).expect("sound");
        assert_eq!(changed, json!({"persistent": {"a.b": "1", "c.d": "true"}}));
        let body = br#"{"persistent": {"a.b": null}}"#;
        change_server_settings(&mut settings, body).expect("sound");
        let shown = render_server_settings(&settings, false, false);
        let shown: Value = serde_json::from_slice(&shown).expect("JSON");
        assert_eq!(
            shown,
            json!({"persistent": {"c": {"d": "true"}}, "transient": {}})
        );
        change_server_settings(&mut settings, b"{}").expect_err("nothing");
        change_server_settings(&mut settings, br#"{"x": {}}"#).expect_err("no set");
    }
}
