//! Index templates: settings, mappings and aliases for names that fit a pattern.
//!
//! Of index templates the one of highest priority applies, on top of its component templates. Only
//! where there is none, all templates of the old kind that fit apply, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ElasticError;
use super::alias::parse_aliases;
use super::index::{WrittenIndex, parse_index};
use super::index_expression::{is_shown, matches_wildcard};
use super::read;
use super::search::parse_object;
use super::settings::{normalized, parse_settings, shown_settings};

/// Stored bodies by name.
type Bodies = BTreeMap<String, Arc<Value>>;

/// Stored templates, as the catalog keeps them.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Index templates.
    pub index: BTreeMap<String, Arc<Value>>,
    /// Parts of index templates.
    pub components: BTreeMap<String, Arc<Value>>,
    /// Templates of the old kind.
    pub legacy: BTreeMap<String, Arc<Value>>,
}

impl Templates {
    /// None at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Which kind of template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// `/_index_template`
    Index,
    /// `/_component_template`
    Component,
    /// `/_template`
    Legacy,
}

impl TemplateKind {
    fn name(self) -> &'static str {
        match self {
            Self::Index => "index_template",
            Self::Component => "component_template",
            Self::Legacy => "template",
        }
    }
}

/// Checks the body of `PUT /_index_template/{name}` and its kin and returns what is to be stored.
///
/// # Errors
/// When it has no patterns, its settings or mappings cannot be read, it names component templates
/// that do not exist, or another template of the same priority fits the same names.
pub fn parse_template(
    kind: TemplateKind,
    name: &str,
    body: &[u8],
    templates: &Templates,
) -> Result<Value, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let mut body = parse_object(text)?;
    for (key, value) in &body {
        check_entry(kind, key, value, templates).map_err(|error| error.locate(text))?;
    }
    match kind {
        TemplateKind::Component => {
            let inner = body.get_mut("template").ok_or_else(|| {
                let reason = "Required [template]";
                ElasticError::illegal_argument(reason)
            })?;
            *inner = kept_index(inner)?;
            return Ok(Value::Object(body));
        }
        TemplateKind::Index => {
            if let Some(inner) = body.get_mut("template") {
                *inner = kept_index(inner)?;
            }
        }
        TemplateKind::Legacy => {
            let kept = kept_index(&Value::Object(body.clone()))?;
            for key in ["settings", "mappings", "aliases"] {
                body.insert(
                    key.into(),
                    kept.get(key).cloned().unwrap_or_else(|| json!({})),
                );
            }
        }
    }
    let body = Value::Object(body);
    if patterns(&body).next().is_none() {
        return Err(ElasticError::validation(&[
            "index patterns are missing".into()
        ]));
    }
    if kind == TemplateKind::Index {
        check_overlap(name, &body, &templates.index)?;
    }
    Ok(body)
}

/// One entry of a template's body.
fn check_entry(
    kind: TemplateKind,
    key: &str,
    value: &Value,
    templates: &Templates,
) -> Result<(), ElasticError> {
    let is_legacy = kind == TemplateKind::Legacy;
    match key {
        "version" | "_meta" => {}
        "template" if !is_legacy => _ = parse_index(value, "template")?,
        "index_patterns" if kind != TemplateKind::Component => {}
        "order" if is_legacy => _ = read::integer(value, key)?,
        "settings" if is_legacy => _ = parse_settings(value)?,
        "mappings" | "aliases" if is_legacy => {
            _ = parse_index(&json!({key: value}), "template")?;
        }
        "priority" if kind == TemplateKind::Index => _ = read::count(value, key)?,
        "allow_auto_create" | "deprecated" | "ignore_missing_component_templates" if !is_legacy => {
        }
        "composed_of" if kind == TemplateKind::Index => {
            let names = read::one_or_many(value).iter().filter_map(Value::as_str);
            let missing: Vec<&str> = names
                .filter(|name| !templates.components.contains_key(*name))
                .collect();
            if !missing.is_empty() {
                return Err(ElasticError::new(
                    400,
                    "invalid_index_template_exception",
                    format!(
                        "index_template [] invalid, cause [index template refers to component \
                         templates that do not exist: [{}]]",
                        missing.join(", ")
                    ),
                ));
            }
        }
        "data_stream" if kind == TemplateKind::Index && value.is_object() => {}
        unknown => {
            return Err(ElasticError::content(format!(
                "[{}] unknown field [{unknown}]",
                kind.name()
            ))
            .at_key(unknown));
        }
    }
    Ok(())
}

/// Settings, mappings and aliases in the one form in which they are kept.
fn kept_index(value: &Value) -> Result<Value, ElasticError> {
    let mut kept = value.as_object().cloned().unwrap_or_default();
    if let Some(settings) = kept.get_mut("settings") {
        let flat = normalized(&parse_settings(settings)?);
        *settings = Value::Object(flat.into_iter().collect());
    }
    if let Some(aliases) = kept.get_mut("aliases") {
        let aliases_kept = parse_aliases(aliases)?;
        *aliases = Value::Object(aliases_kept.into_iter().collect());
    }
    Ok(Value::Object(kept))
}

/// What the templates say of an index of this name.
pub(super) fn of_index(index: &str, templates: &Templates) -> Result<WrittenIndex, ElasticError> {
    let mut written = WrittenIndex::default();
    if let Some(template) = matching(index, &templates.index) {
        let components = template.get("composed_of").unwrap_or(&Value::Null);
        for name in read::one_or_many(components)
            .iter()
            .filter_map(Value::as_str)
        {
            if let Some(inner) = templates
                .components
                .get(name)
                .and_then(|body| body.get("template"))
            {
                written.add(parse_index(inner, "template")?);
            }
        }
        if let Some(inner) = template.get("template") {
            written.add(parse_index(inner, "template")?);
        }
        return Ok(written);
    }
    let mut fitting: Vec<&Value> = templates
        .legacy
        .values()
        .map(Arc::as_ref)
        .filter(|body| fits(body, index))
        .collect();
    fitting.sort_by_key(|body| order(body));
    for body in fitting {
        let parts = ["settings", "mappings", "aliases"];
        let parts = parts.map(|key| (key.to_owned(), body.get(key).cloned().unwrap_or_default()));
        written.add(parse_index(
            &Value::Object(Map::from_iter(parts)),
            "template",
        )?);
    }
    Ok(written)
}

/// Whether an index of this name is to be a data stream.
#[must_use]
pub fn is_data_stream(index: &str, templates: &Templates) -> bool {
    matching(index, &templates.index).is_some_and(|body| body.get("data_stream").is_some())
}

fn order(body: &Value) -> i64 {
    let order = body.get("order");
    order
        .and_then(|value| read::integer(value, "order").ok())
        .unwrap_or(0)
}

fn fits(body: &Value, index: &str) -> bool {
    patterns(body).any(|pattern| matches_wildcard(pattern, index) && is_shown(pattern, index))
}

fn check_overlap(name: &str, body: &Value, templates: &Bodies) -> Result<(), ElasticError> {
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
fn matching<'t>(index: &str, templates: &'t Bodies) -> Option<&'t Value> {
    templates
        .values()
        .map(Arc::as_ref)
        .filter(|body| fits(body, index))
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
pub fn render_templates(
    kind: TemplateKind,
    pattern: &str,
    templates: &Templates,
    is_flat: bool,
) -> Result<Vec<u8>, ElasticError> {
    let pattern = if pattern.is_empty() { "*" } else { pattern };
    let bodies = match kind {
        TemplateKind::Index => &templates.index,
        TemplateKind::Component => &templates.components,
        TemplateKind::Legacy => &templates.legacy,
    };
    let found: Vec<(&String, Value)> = bodies
        .iter()
        .filter(|(name, _)| pattern.split(',').any(|part| matches_wildcard(part, name)))
        .map(|(name, body)| (name, shown(kind, body, is_flat)))
        .collect();
    if found.is_empty() && !pattern.contains('*') {
        return match kind {
            TemplateKind::Legacy => Err(missing_legacy(pattern)),
            TemplateKind::Index | TemplateKind::Component => Err(ElasticError::new(
                404,
                "resource_not_found_exception",
                format!(
                    "{} matching [{pattern}] not found",
                    kind.name().replace('_', " ")
                ),
            )),
        };
    }
    let entries = found.into_iter();
    let reply = match kind {
        TemplateKind::Legacy => {
            Value::Object(entries.map(|(name, body)| (name.clone(), body)).collect())
        }
        TemplateKind::Index | TemplateKind::Component => {
            let entries = entries.map(|(name, body)| json!({"name": name, kind.name(): body}));
            json!({format!("{}s", kind.name()): entries.collect::<Vec<_>>()})
        }
    };
    Ok(reply.to_string().into_bytes())
}

/// No template of the old kind has this name.
#[must_use]
pub fn missing_legacy(pattern: &str) -> ElasticError {
    let reason = format!("index_template [{pattern}] missing");
    ElasticError::new(404, "index_template_missing_exception", reason)
}

/// A template as Elasticsearch shows it: patterns as a list, settings as texts, nested or flat.
fn shown(kind: TemplateKind, body: &Value, is_flat: bool) -> Value {
    let mut shown = Map::new();
    if kind == TemplateKind::Legacy {
        shown.insert("order".into(), order(body).into());
    }
    if kind != TemplateKind::Component {
        let patterns: Vec<&str> = patterns(body).collect();
        shown.insert("index_patterns".into(), patterns.into());
    }
    for (key, value) in body.as_object().into_iter().flatten() {
        match key.as_str() {
            "index_patterns" | "order" => {}
            "settings" => _ = shown.insert(key.clone(), shown_settings(value, is_flat)),
            "template" => {
                let mut inner = value.clone();
                if let Some(settings) = inner.get_mut("settings") {
                    *settings = shown_settings(settings, is_flat);
                }
                shown.insert(key.clone(), inner);
            }
            _ => _ = shown.insert(key.clone(), value.clone()),
        }
    }
    if kind == TemplateKind::Index {
        shown.entry("composed_of").or_insert_with(|| json!([]));
    }
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
            let body = parse_template(TemplateKind::Index, name, body.as_bytes(), &templates);
            let body = Arc::new(body.expect("a template"));
            templates.index.insert(name.into(), body);
        }
        let chosen = matching("logs-app-1", &templates.index).expect("fits");
        assert_eq!(priority(chosen), 10);
        assert!(matching("other", &templates.index).is_none());
        let parse =
            |body: &str| parse_template(TemplateKind::Index, "x", body.as_bytes(), &templates);
        parse(r#"{"index_patterns":["*-1"]}"#).expect_err("overlap");
        parse(r#"{"priority":1}"#).expect_err("no patterns");
        parse(r#"{"index_patterns":["q"],"composed_of":["none"]}"#).expect_err("no component");
        let render = |name| render_templates(TemplateKind::Index, name, &templates, false);
        let text = render("hi*").expect("found");
        assert_eq!(
            String::from_utf8(text).expect("text"),
            r#"{"index_templates":[{"name":"high","index_template":{"index_patterns":["logs-app*"],"priority":"10","composed_of":[]}}]}"#
        );
        assert_eq!(render("nope").expect_err("none").status(), 404);
    }

    #[test]
    fn parts_and_old_templates_add_up() {
        let mut templates = Templates::new();
        let mut put = |kind, name: &str, body: &str| {
            let body = parse_template(kind, name, body.as_bytes(), &templates).expect("sound");
            let bodies = match kind {
                TemplateKind::Index => &mut templates.index,
                TemplateKind::Component => &mut templates.components,
                TemplateKind::Legacy => &mut templates.legacy,
            };
            bodies.insert(name.into(), Arc::new(body));
        };
        let low = r#"{"template":{"settings":{"number_of_replicas":1},"aliases":{"a":{}}}}"#;
        put(TemplateKind::Component, "low", low);
        let high = r#"{"template":{"settings":{"index.number_of_replicas":2}}}"#;
        put(TemplateKind::Component, "high", high);
        let index = r#"{"index_patterns":"new-*","composed_of":["low","high"]}"#;
        put(TemplateKind::Index, "new", index);
        let last = r#"{"index_patterns":"*","order":2,"settings":{"priority":2}}"#;
        put(TemplateKind::Legacy, "last", last);
        let first = r#"{"index_patterns":"*","order":1,"settings":{"priority":1,"codec":"x"}}"#;
        put(TemplateKind::Legacy, "first", first);
        let setting = |index: &str, name: &str| {
            let written = of_index(index, &templates).expect("sound");
            written.settings.get(name).map(read::shown)
        };
        assert_eq!(
            setting("new-1", "index.number_of_replicas").as_deref(),
            Some("2")
        );
        assert_eq!(setting("new-1", "index.priority"), None);
        assert_eq!(setting("old-1", "index.priority").as_deref(), Some("2"));
        assert_eq!(setting("old-1", "index.codec").as_deref(), Some("x"));
        let written = of_index("new-1", &templates).expect("sound");
        assert!(written.aliases.contains_key("a"));
    }
}
