//! `_explain`: one document against one query.

use serde_json::{Map, Value, json};

use super::ElasticError;
use super::read;
use super::search::parse_object;

/// The search that finds the document `id` if it matches the query of `body`.
///
/// # Errors
/// When the body has anything else than a query.
pub(crate) fn explain_body(body: &[u8], id: &str) -> Result<Vec<u8>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = parse_object(text)?;
    if let Some((unknown, value)) = entries.iter().find(|(key, _)| *key != "query") {
        return Err(ElasticError::parsing(format!(
            "Unknown key for a {} in [{unknown}].",
            read::token_name(value)
        ))
        .at_value(unknown)
        .locate(text));
    }
    let mut search = json!({ "size": 1, "post_filter": { "ids": { "values": [id] } } });
    if let (Some(query), Some(search)) = (entries.get("query"), search.as_object_mut()) {
        search.insert("query".into(), query.clone());
    }
    Ok(search.to_string().into_bytes())
}

/// The answer and its status, made of that of the search.
#[must_use]
pub(crate) fn render_explained(
    index: &str,
    id: &str,
    found: &[u8],
    exists: bool,
    with_source: bool,
) -> (u16, Value) {
    let mut found: Value = serde_json::from_slice(found).unwrap_or_default();
    let hit = found.pointer_mut("/hits/hits/0").map(Value::take);
    let mut answer = Map::new();
    answer.insert("_index".into(), index.into());
    answer.insert("_id".into(), id.into());
    answer.insert("matched".into(), hit.is_some().into());
    match hit {
        Some(mut hit) => {
            let taken = |hit: &mut Value, key: &str| hit.get_mut(key).map(Value::take);
            let explanation = taken(&mut hit, "_explanation").unwrap_or_default();
            answer.insert("explanation".into(), explanation);
            if let Some(source) = taken(&mut hit, "_source").filter(|_| with_source) {
                answer.insert("get".into(), json!({ "found": true, "_source": source }));
            }
        }
        None if exists => {
            let none = json!({ "value": 0.0, "description": "no match", "details": [] });
            answer.insert("explanation".into(), none);
        }
        None => {}
    }
    let status = if exists { 200 } else { 404 };
    (status, Value::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_matches_says_its_score() {
        let found = br#"{"hits":{"hits":[{"_source":{"a":1},"_explanation":{"value":1.0}}]}}"#;
        let (status, answer) = render_explained("i", "7", found, true, true);
        assert_eq!(status, 200);
        assert_eq!(answer["matched"], true);
        assert_eq!(answer["get"]["_source"]["a"], 1);
        let (status, answer) = render_explained("i", "7", br#"{"hits":{"hits":[]}}"#, false, true);
        assert_eq!((status, &answer["matched"]), (404, &false.into()));
        assert!(explain_body(br#"{"size":1}"#, "7").is_err());
    }
}
