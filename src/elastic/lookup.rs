//! `terms` whose values stand in a document, or in those that a query finds: they are put into the
//! request before it is read.

use serde_json::{Map, Value};

use super::ElasticError;
use super::read;
use super::search::parse_object;

/// Deepest that a request is looked through for lookups.
const DEPTH_MAX: usize = 64;

/// Most lookups of a request.
const LOOKUPS_MAX: usize = 64;

/// Where the values of a `terms` query stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lookup {
    pub(crate) index: String,
    pub(crate) source: LookupSource,
    /// The field of the documents.
    pub(crate) path: String,
}

/// Which documents hold the values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LookupSource {
    /// The one of this id.
    Id {
        /// The id.
        id: String,
        /// The routing that it is looked for with.
        routing: Option<String>,
    },
    /// Those that a query finds.
    Query(Value),
}

/// `body` with the values that `fetch` finds instead of lookups; `None` where there are none.
///
/// # Errors
/// When a lookup is incomplete, and when `fetch` fails.
pub(crate) fn resolve_lookups<E: From<ElasticError>>(
    body: &[u8],
    mut fetch: impl FnMut(&Lookup) -> Result<Vec<Value>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let holds = |needle: &[u8]| body.windows(needle.len()).any(|window| window == needle);
    if !holds(b"\"terms\"") || !holds(b"\"path\"") {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Ok(None);
    };
    // What cannot be read is refused later, with its place.
    let Ok(mut entries) = parse_object(text) else {
        return Ok(None);
    };
    let mut known: Vec<(Lookup, Vec<Value>)> = Vec::new();
    let mut fetch_once = |lookup: Lookup| -> Result<Vec<Value>, E> {
        if let Some((_, values)) = known.iter().find(|(other, _)| *other == lookup) {
            return Ok(values.clone());
        }
        if known.len() == LOOKUPS_MAX {
            let reason = format!("a request has at most [{LOOKUPS_MAX}] lookups of terms");
            return Err(ElasticError::illegal_argument(reason).into());
        }
        let values = fetch(&lookup)?;
        known.push((lookup, values.clone()));
        Ok(values)
    };
    for key in ["query", "post_filter", "aggs", "aggregations"] {
        if let Some(value) = entries.get_mut(key) {
            replace(value, 0, &mut fetch_once)?;
        }
    }
    if known.is_empty() {
        return Ok(None);
    }
    Ok(Some(Value::Object(entries).to_string().into_bytes()))
}

fn replace<E: From<ElasticError>>(
    value: &mut Value,
    depth: usize,
    fetch: &mut impl FnMut(Lookup) -> Result<Vec<Value>, E>,
) -> Result<(), E> {
    if depth == DEPTH_MAX {
        return Ok(());
    }
    match value {
        Value::Array(values) => {
            for value in values {
                replace(value, depth + 1, fetch)?;
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                match value.as_object_mut().filter(|_| key == "terms") {
                    Some(terms) => replace_terms(terms, fetch)?,
                    None => replace(value, depth + 1, fetch)?,
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

fn replace_terms<E: From<ElasticError>>(
    terms: &mut Map<String, Value>,
    fetch: &mut impl FnMut(Lookup) -> Result<Vec<Value>, E>,
) -> Result<(), E> {
    for clause in terms.values_mut() {
        let Some(entries) = clause
            .as_object()
            .filter(|entries| entries.contains_key("path"))
        else {
            continue;
        };
        *clause = Value::Array(fetch(lookup(entries)?)?);
    }
    Ok(())
}

fn lookup(entries: &Map<String, Value>) -> Result<Lookup, ElasticError> {
    let (mut index, mut id, mut query, mut path) = (None, None, None, None);
    let mut routing = None;
    for (key, value) in entries {
        match key.as_str() {
            "index" => index = Some(read::text(value, key)?),
            "id" => id = Some(read::text(value, key)?),
            "path" => path = Some(read::text(value, key)?),
            "query" => query = Some(value.clone()),
            "routing" => routing = Some(read::text(value, key)?),
            "store" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[terms_lookup] unknown field [{unknown}]"
                ))
                .at_key(unknown));
            }
        }
    }
    let missing = || {
        ElasticError::illegal_argument(
            "[terms] query lookup element requires specifying the index, the path and either the \
             id or a query",
        )
    };
    let source = match (id, query) {
        (Some(id), None) => LookupSource::Id { id, routing },
        (None, Some(query)) => LookupSource::Query(query),
        (Some(_), Some(_)) | (None, None) => return Err(missing()),
    };
    Ok(Lookup {
        index: index.ok_or_else(missing)?,
        source,
        path: path.ok_or_else(missing)?,
    })
}

/// The values at `path` of a document.
pub(crate) fn values_at(document: &[u8], path: &str) -> Vec<Value> {
    let document: Value = serde_json::from_slice(document).unwrap_or_default();
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    let mut values = Vec::new();
    super::render::collect(&document, &path, 0, &mut |value| values.push(value.clone()));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<&str>) {
        let fetch = |lookup: &Lookup| -> Result<Vec<Value>, ElasticError> {
            Ok(vec![lookup.path.clone().into(), 1.into()])
        };
        let found = resolve_lookups(body.as_bytes(), fetch).expect("it is read");
        let found = found.map(|body| String::from_utf8(body).expect("JSON"));
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn lookups_become_values() {
        check(r#"{"query":{"terms":{"a":[1]}}}"#, None);
        check(
            r#"{"query":{"bool":{"filter":[{"terms":{"a":{"index":"i","id":"1","path":"p"}}}]}}}"#,
            Some(r#"{"query":{"bool":{"filter":[{"terms":{"a":["p",1]}}]}}}"#),
        );
        // An aggregation of this name that is none of them.
        check(r#"{"aggs":{"path":{"terms":{"field":"a"}}}}"#, None);
    }

    #[test]
    fn incomplete_lookups_are_refused() {
        let fetch = |_: &Lookup| -> Result<Vec<Value>, ElasticError> { Ok(Vec::new()) };
        let body = br#"{"query":{"terms":{"a":{"index":"i","path":"p"}}}}"#;
        assert!(resolve_lookups(body, fetch).is_err());
    }
}
