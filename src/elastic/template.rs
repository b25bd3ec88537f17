//! Index templates: settings and mappings for names that fit a pattern. The one of highest
//! priority applies, alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ElasticError;
use super::index::parse_index;
use super::index_expression::{is_shown, matches_wildcard};
use super::read;
use super::search::parse_object;

/// Stored templates by name, as the catalog keeps them.
pub type Templates = BTreeMap<String, Arc<Value>>;

/// Checks the body of `PUT /_index_template/{name}` and returns what is to be stored.
///
/// # Errors
/// When it has no patterns, its settings or mappings cannot be read, or another template of the
/// same priority fits the same names.
pub fn parse_template(
    name: &str,
    body: &[u8],
    templates: &Templates,
) -> Result<Value, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let body = parse_object(text)?;
    for (key, value) in &body {
        match key.as_str() {
            "index_patterns" => {}
            "priority" => _ = read::count(value, key)?,
            "template" => _ = parse_index(value, "template")?,
            "version"
            | "_meta"
            | "allow_auto_create"
            | "deprecated"
            | "ignore_missing_component_templates" => {}
            "composed_of" if read::one_or_many(value).is_empty() => {}
            "composed_of" | "data_stream" => {
                return Err(ElasticError::unsupported(format!("[{key}] of a template")));
            }
            unknown => {
                return Err(ElasticError::content(format!(
                    "[index_template] unknown field [{unknown}]"
                ))
                .at_key(unknown)
                .locate(text));
            }
        }
    }
    let body = Value::Object(body);
    if patterns(&body).next().is_none() {
        return Err(ElasticError::validation(&[
            "index patterns are missing".into()
        ]));
    }
    check_overlap(name, &body, templates)?;
    Ok(body)
}

fn check_overlap(name: &str, body: &Value, templates: &Templates) -> Result<(), ElasticError> {
    for (other_name, other) in templates.iter().filter(|(other, _)| *other != name) {
        if priority(other) != priority(body) {
            continue;
        }
        let overlaps = patterns(body).any(|own| patterns(other).any(|theirs| overlap(own, theirs)));
        if overlaps {
            let list = |body: &Value| patterns(body).collect::<Vec<_>>().join(", ");
            return Err(ElasticError::illegal_argument(format!(
                "index template [{name}] has index patterns [{}] matching patterns from existing \
                 templates [{other_name}] with patterns ({other_name} => [{}]) that have the same \
                 priority [{}], multiple index templates may not match during index creation, \
                 please use a different priority",
                list(body),
                list(other),
                priority(body)
            )));
        }
    }
    Ok(())
}

/// The template for an index of this name.
pub(super) fn matching<'t>(index: &str, templates: &'t Templates) -> Option<&'t Value> {
    templates
        .values()
        .map(Arc::as_ref)
        .filter(|body| {
            patterns(body)
                .any(|pattern| matches_wildcard(pattern, index) && is_shown(pattern, index))
        })
        .max_by_key(|body| priority(body))
}

fn patterns(body: &Value) -> impl Iterator<Item = &str> {
    let patterns = body.get("index_patterns").unwrap_or(&Value::Null);
    read::one_or_many(patterns).iter().filter_map(Value::as_str)
}

fn priority(body: &Value) -> i64 {
    body.get("priority")
        .and_then(|value| read::integer(value, "priority").ok())
        .unwrap_or(0)
}

/// Whether some name fits both patterns.
fn overlap(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    // `fits[r]`: the patterns' rests from here and from `r` have a name in common.
    let mut fits = vec![false; right.len() + 1];
    for l in (0..=left.len()).rev() {
        let below = fits.clone();
        for r in (0..=right.len()).rev() {
            let left_star = left.get(l) == Some(&b'*');
            let right_star = right.get(r) == Some(&b'*');
            fits[r] = match (left.get(l), right.get(r)) {
                (None, None) => true,
                _ if left_star && right_star => below[r] || fits[r + 1],
                // The star is empty, or takes one more character of the other side.
                _ if left_star => below[r] || (r < right.len() && fits[r + 1]),
                _ if right_star => fits[r + 1] || (l < left.len() && below[r]),
                (Some(a), Some(b)) => a == b && below[r + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
    }
    fits[0]
}

/// Prints stored templates whose names fit `pattern`; an error when a plain name has none.
///
/// # Errors
/// When `pattern` has no `*` and names no template.
pub fn render_templates(pattern: &str, templates: &Templates) -> Result<Vec<u8>, ElasticError> {
    let pattern = if pattern.is_empty() { "*" } else { pattern };
    let found: Vec<Value> = templates
        .iter()
        .filter(|(name, _)| pattern.split(',').any(|part| matches_wildcard(part, name)))
        .map(|(name, body)| json!({"name": name, "index_template": shown(body)}))
        .collect();
    if found.is_empty() && !pattern.contains('*') {
        return Err(ElasticError::new(
            404,
            "resource_not_found_exception",
            format!("index template matching [{pattern}] not found"),
        ));
    }
    Ok(json!({"index_templates": found}).to_string().into_bytes())
}

/// A template with its patterns as a list and `composed_of` present, as Elasticsearch shows it.
fn shown(body: &Value) -> Value {
    let mut shown = Map::new();
    shown.insert(
        "index_patterns".into(),
        patterns(body).collect::<Vec<_>>().into(),
    );
    if let Value::Object(entries) = body {
        let others = entries.iter().filter(|(key, _)| *key != "index_patterns");
        shown.extend(others.map(|(key, value)| (key.clone(), value.clone())));
    }
    shown.entry("composed_of").or_insert_with(|| json!([]));
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_share_a_name() {
        for (left, right, shares) in [
            ("logs-*", "logs-app-*", true),
            ("logs-*", "metrics-*", false),
            ("*", "x", true),
            ("a*c", "ab*", true),
            ("a*c", "b*", false),
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("*a", "b*", true),
        ] {
            assert_eq!(overlap(left, right), shares, "{left} {right}");
            assert_eq!(overlap(right, left), shares, "{right} {left}");
        }
    }

    #[test]
    fn the_highest_priority_applies() {
        let mut templates = Templates::new();
        for (name, body) in [
            ("low", r#"{"index_patterns":["logs-*"]}"#),
            ("high", r#"{"index_patterns":"logs-app*","priority":"10"}"#),
        ] {
            let body = parse_template(name, body.as_bytes(), &templates).expect("a template");
            templates.insert(name.into(), Arc::new(body));
        }
        let chosen = matching("logs-app-1", &templates).expect("fits");
        assert_eq!(priority(chosen), 10);
        assert!(matching("other", &templates).is_none());
        parse_template("x", br#"{"index_patterns":["*-1"]}"#, &templates).expect_err("overlap");
        parse_template("x", br#"{"priority":1}"#, &templates).expect_err("no patterns");
        let text = render_templates("hi*", &templates).expect("found");
        assert_eq!(
            String::from_utf8(text).expect("text"),
            r#"{"index_templates":[{"name":"high","index_template":{"index_patterns":["logs-app*"],"priority":"10","composed_of":[]}}]}"#
        );
        assert_eq!(
            render_templates("nope", &templates)
                .expect_err("none")
                .status(),
            404
        );
    }
}
