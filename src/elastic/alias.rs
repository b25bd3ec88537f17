//! Aliases: other names of indices, with a filter and a place to write to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ElasticError;
use super::index_expression::{check_index_name, matches_wildcard};
use super::read;
use super::search::parse_object;

/// What is said of each alias of an index.
pub type Aliases = BTreeMap<String, Value>;

/// One change of aliases.
#[derive(Debug, Clone, PartialEq)]
pub enum AliasAction {
    /// Indices get other names.
    Add {
        /// An index expression.
        indices: String,
        /// The names.
        aliases: Vec<String>,
        /// What is said of them.
        body: Value,
    },
    /// Indices lose other names.
    Remove {
        /// An index expression.
        indices: String,
        /// The names; wildcards work.
        aliases: Vec<String>,
        /// Whether a name that is not there fails the request; without a word, when none is.
        must_exist: Option<bool>,
    },
    /// Indices are deleted.
    RemoveIndex {
        /// An index expression.
        indices: String,
    },
}

/// Reads the body of `POST /_aliases`.
///
/// # Errors
/// On an action that does not exist, and on one without indices or names.
pub fn parse_alias_actions(body: &[u8]) -> Result<Vec<AliasAction>, ElasticError> {
    let entries = body_object(body)?;
    let actions = entries.get("actions").map_or(&[][..], read::one_or_many);
    if actions.is_empty() {
        return Err(ElasticError::illegal_argument("No action specified"));
    }
    actions.iter().map(action).collect()
}

fn body_object(body: &[u8]) -> Result<Map<String, Value>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    parse_object(text)
}

fn action(value: &Value) -> Result<AliasAction, ElasticError> {
    let entry = value.as_object().and_then(|action| action.iter().next());
    let (kind, value) = entry.ok_or_else(|| ElasticError::parsing("an alias action is empty"))?;
    let body = value.as_object().ok_or_else(|| read::wrong(value, kind))?;
    let indices = list(body, "index", "indices")?;
    if indices.is_empty() {
        let reason = "One of [index] or [indices] is required";
        return Err(ElasticError::illegal_argument(reason));
    }
    let indices = indices.join(",");
    if kind == "remove_index" {
        return Ok(AliasAction::RemoveIndex { indices });
    }
    if body
        .get("aliases")
        .is_some_and(|aliases| read::one_or_many(aliases).is_empty())
    {
        return Err(ElasticError::illegal_argument("[aliases] can't be empty"));
    }
    let aliases = list(body, "alias", "aliases")?;
    if aliases.is_empty() {
        let reason = "One of [alias] or [aliases] is required";
        return Err(ElasticError::illegal_argument(reason));
    }
    match kind.as_str() {
        "add" => Ok(AliasAction::Add {
            indices,
            aliases,
            body: alias_body(
                body,
                &["index", "indices", "alias", "aliases", "must_exist"],
            )?,
        }),
        "remove" => Ok(AliasAction::Remove {
            indices,
            aliases,
            must_exist: body
                .get("must_exist")
                .map(|value| read::flag(value, "must_exist"))
                .transpose()?,
        }),
        unknown => Err(ElasticError::content(format!(
            "[alias_action] unknown field [{unknown}]"
        ))),
    }
}

/// One name, or a list of them.
fn list(body: &Map<String, Value>, one: &str, many: &str) -> Result<Vec<String>, ElasticError> {
    let mut names = Vec::new();
    for key in [one, many] {
        for value in body.get(key).map_or(&[][..], read::one_or_many) {
            let text = read::text(value, key)?;
            names.extend(text.split(',').map(|name| name.trim().to_owned()));
        }
    }
    Ok(names)
}

/// Reads `PUT /{index}/_alias/{name}`; the body may name both instead.
///
/// # Errors
/// When no index or no name is given, and on a parameter that does not exist.
pub fn parse_put_alias(
    index: Option<&str>,
    name: Option<&str>,
    body: &[u8],
) -> Result<AliasAction, ElasticError> {
    let entries = body_object(body)?;
    let own = |key: &str| match entries.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read::text(value, key).map(Some),
    };
    let indices = own("index")?.or_else(|| index.map(str::to_owned));
    let alias = own("alias")?.or_else(|| name.map(str::to_owned));
    let (Some(indices), Some(alias)) = (indices, alias) else {
        return Err(ElasticError::validation(&[
            "an index and an alias are required".into(),
        ]));
    };
    Ok(AliasAction::Add {
        indices,
        aliases: vec![alias],
        body: alias_body(&entries, &["index", "alias"])?,
    })
}

/// Reads `aliases` of an index or a template.
///
/// # Errors
/// On a name that no alias can have, and on a parameter that does not exist.
pub(super) fn parse_aliases(value: &Value) -> Result<Aliases, ElasticError> {
    let entries = match value {
        Value::Null => return Ok(Aliases::new()),
        value => value
            .as_object()
            .ok_or_else(|| read::wrong(value, "aliases"))?,
    };
    let mut aliases = Aliases::new();
    for (name, body) in entries {
        check_alias_name(name)?;
        let body = match body {
            Value::Object(body) => alias_body(body, &[])?,
            Value::Null => json!({}),
            other => return Err(read::wrong(other, name)),
        };
        aliases.insert(name.clone(), body);
    }
    Ok(aliases)
}

/// What is said of an alias; `others` were read elsewhere.
fn alias_body(body: &Map<String, Value>, others: &[&str]) -> Result<Value, ElasticError> {
    let mut kept = Map::new();
    for (key, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            key if others.contains(&key) => {}
            "filter" if value.as_object().is_some_and(Map::is_empty) => {}
            "filter" if value.is_object() => _ = kept.insert(key.clone(), value.clone()),
            "routing" => {
                let routing = Value::String(read::text(value, key)?);
                for key in ["index_routing", "search_routing"] {
                    kept.entry(key).or_insert_with(|| routing.clone());
                }
            }
            "index_routing" | "search_routing" => {
                kept.insert(key.clone(), read::text(value, key)?.into());
            }
            "is_write_index" | "is_hidden" => {
                kept.insert(key.clone(), read::flag(value, key)?.into());
            }
            unknown => {
                return Err(ElasticError::illegal_argument(format!(
                    "unknown field [{unknown}]"
                )));
            }
        }
    }
    Ok(Value::Object(kept))
}

/// Checks a name that an alias is to have.
///
/// # Errors
/// Names what is wrong with it.
pub fn check_alias_name(name: &str) -> Result<(), ElasticError> {
    // Letters of both cases, and of any script: only what an expression needs is taken.
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() { 'a' } else { c })
        .collect();
    check_index_name(&plain).map_err(|error| {
        let why = error.reason().split_once("], ").map_or("", |(_, why)| why);
        invalid_alias(name, why)
    })
}

/// An alias that cannot have this name.
#[must_use]
pub fn invalid_alias(name: &str, why: &str) -> ElasticError {
    let reason = format!("Invalid alias name [{name}]: {why}");
    ElasticError::new(400, "invalid_alias_name_exception", reason)
}

/// Names of aliases that none of these indices has, as a removal says it.
#[must_use]
pub fn aliases_missing(names: &[String]) -> ElasticError {
    let reason = format!("aliases [{}] missing", names.join(","));
    ElasticError::new(404, "aliases_not_found_exception", reason)
        .with("resource.type", "aliases")
        .with("resource.id", names.join(","))
}

/// A list of names, wildcards and exclusions that aliases are looked up by.
#[derive(Debug)]
pub struct AliasPatterns<'a> {
    parts: Vec<&'a str>,
}

impl<'a> AliasPatterns<'a> {
    /// Reads `a,b*,-c`.
    #[must_use]
    pub fn parse(names: &'a str) -> Self {
        Self {
            parts: names.split(',').map(str::trim).collect(),
        }
    }

    /// Whether an alias of this name is shown.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        self.parts
            .iter()
            .fold(false, |shown, part| match part.strip_prefix('-') {
                Some(pattern) => shown && !is_match(pattern, name),
                None => shown || is_match(part, name),
            })
    }

    /// The names that were asked for one by one, and are not among `shown`.
    fn missing(&self, shown: &BTreeSet<&str>) -> BTreeSet<&'a str> {
        let is_wildcard = |part: &str| part == "_all" || part.contains('*');
        let first_wildcard = self.parts.iter().position(|part| is_wildcard(part));
        let first_wildcard = first_wildcard.unwrap_or(self.parts.len());
        let mut missing = BTreeSet::new();
        for (place, part) in self.parts.iter().enumerate() {
            let excludes = place > first_wildcard && part.starts_with('-');
            if is_wildcard(part) || excludes {
                continue;
            }
            let later = self
                .parts
                .get((place + 1).max(first_wildcard)..)
                .unwrap_or(&[]);
            let is_excluded = later.iter().any(|later| {
                later
                    .strip_prefix('-')
                    .is_some_and(|pattern| is_match(pattern, part))
            });
            if !is_excluded && !shown.contains(part) {
                missing.insert(*part);
            }
        }
        missing
    }
}

fn is_match(pattern: &str, name: &str) -> bool {
    pattern == "_all" || matches_wildcard(pattern, name)
}

/// The answer of `GET /_alias`: status and body. `indices` are those that were asked for.
#[must_use]
pub fn render_aliases(indices: &[(&str, &Aliases)], names: Option<&str>) -> (u16, Vec<u8>) {
    let mut shown = Map::new();
    let mut found = BTreeSet::new();
    let patterns = names.map(AliasPatterns::parse);
    for (index, aliases) in indices {
        let own: Map<String, Value> = aliases
            .iter()
            .filter(|(name, _)| patterns.as_ref().is_none_or(|known| known.fits(name)))
            .map(|(name, body)| (name.clone(), body.clone()))
            .collect();
        found.extend(
            aliases
                .keys()
                .map(String::as_str)
                .filter(|name| own.contains_key(*name)),
        );
        if !own.is_empty() || patterns.is_none() {
            shown.insert((*index).into(), json!({ "aliases": own }));
        }
    }
    let missing: Vec<&str> = patterns
        .map(|patterns| patterns.missing(&found).into_iter().collect())
        .unwrap_or_default();
    if missing.is_empty() {
        return (200, Value::Object(shown).to_string().into_bytes());
    }
    let word = if missing.len() == 1 {
        "alias"
    } else {
        "aliases"
    };
    let error = format!("{word} [{}] missing", missing.join(","));
    let mut reply = Map::new();
    reply.insert("error".into(), error.into());
    reply.insert("status".into(), 404.into());
    reply.extend(shown);
    (404, Value::Object(reply).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str, status: u16, expected: &str) {
        let aliases: Aliases = ["a1", "a2", "b1"]
            .map(|name| (name.to_owned(), json!({})))
            .into();
        let (found, body) = render_aliases(&[("i", &aliases)], Some(names));
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let shown = body["i"]["aliases"].as_object();
        let shown: Vec<&str> = shown
            .into_iter()
            .flatten()
            .map(|(name, _)| &**name)
            .collect();
        let error = body["error"].as_str().unwrap_or("");
        let text = format!("{} {error}", shown.join(" "));
        assert_eq!((found, text.trim()), (status, expected), "{names}");
    }

    #[test]
    fn names_find_aliases() {
        check("a1", 200, "a1");
        check("_all", 200, "a1 a2 b1");
        check("a*,-a1", 200, "a2");
        check("a1,b1,-a*", 200, "b1");
        check("a1,x", 404, "a1 alias [x] missing");
        check("x,y", 404, "aliases [x,y] missing");
        check("-a1,a*,-a2", 404, "a1 alias [-a1] missing");
        check("a*,-x", 200, "a1 a2");
        check("x*", 200, "");
    }

    #[test]
    fn bodies_are_kept_in_one_form() {
        let action = parse_put_alias(Some("i"), Some("a"), br#"{"routing": 5}"#);
        let Ok(AliasAction::Add { body, .. }) = action else {
            panic!("{action:?}");
        };
        let wanted = json!({"index_routing": "5", "search_routing": "5"});
        assert_eq!(body, wanted);
        let own = br#"{"search_routing": "s", "routing": "r", "filter": {"term": {"a": 1}}}"#;
        let action = parse_put_alias(Some("i"), Some("a"), own);
        let Ok(AliasAction::Add { body, .. }) = action else {
            panic!("{action:?}");
        };
        assert_eq!(body["search_routing"], "s");
        assert_eq!(body["index_routing"], "r");
        parse_put_alias(Some("i"), Some("a"), br#"{"abc": 1}"#).expect_err("unknown");
        parse_put_alias(Some("i"), None, b"").expect_err("no name");
        parse_alias_actions(b"{}").expect_err("no actions");
        check_alias_name("a*").expect_err("a wildcard");
        check_alias_name("Any-Case").expect("fine");
    }
}
