//! `_msearch`: pairs of lines, a header and a search, answered by position.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{ElasticError, SearchParams};

/// Most searches of one request.
const SEARCHES_MAX: usize = 10_000;

/// One search of a multi-search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchItem<'a> {
    /// The index expression; empty means every index.
    pub index: String,
    /// Whether names without an index are left out instead of an error.
    pub ignore_unavailable: Option<bool>,
    /// Whether no index at all is an answer without hits instead of an error.
    pub allow_no_indices: Option<bool>,
    /// The search as it came.
    pub body: &'a [u8],
}

/// Reads the lines of a multi-search. `index` is the expression of the URL.
///
/// # Errors
/// When a header cannot be read or the last line is not ended; a bad search fails alone, later.
pub fn parse_msearch<'a>(
    body: &'a [u8],
    index: Option<&str>,
) -> Result<Vec<SearchItem<'a>>, ElasticError> {
    if body.is_empty() {
        return Err(ElasticError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    if body.last() != Some(&b'\n') {
        return Err(ElasticError::illegal_argument(
            "The msearch request must be terminated by a newline [\n]",
        ));
    }
    let mut lines = body[..body.len() - 1].split(|byte| *byte == b'\n');
    let mut items = Vec::new();
    while let Some(header) = lines.next() {
        // An empty line in front of the first header is an empty header, as everywhere.
        let search = match lines.next() {
            Some(search) => search,
            None if header.trim_ascii().is_empty() => break,
            None => {
                return Err(ElasticError::validation(&["no requests added".into()]));
            }
        };
        if items.len() == SEARCHES_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "a multi-search holds at most [{SEARCHES_MAX}] searches"
            )));
        }
        items.push(item(header, search, index)?);
    }
    if items.is_empty() {
        return Err(ElasticError::validation(&["no requests added".into()]));
    }
    Ok(items)
}

/// Refuses a request whose totals must be numbers while one of its searches does not count.
///
/// # Errors
/// When it is so.
pub fn check_totals(items: &[SearchItem<'_>], params: &SearchParams) -> Result<(), ElasticError> {
    if !params.total_hits_as_int {
        return Ok(());
    }
    for item in items {
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(item.body) else {
            // Its own answer says so.
            continue;
        };
        if let Some(Value::Number(limit)) = body.get("track_total_hits") {
            return Err(ElasticError::inexact_total(limit));
        }
    }
    Ok(())
}

fn item<'a>(
    header: &[u8],
    body: &'a [u8],
    index: Option<&str>,
) -> Result<SearchItem<'a>, ElasticError> {
    let header: Map<String, Value> = if header.trim_ascii().is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(header)
            .map_err(|error| ElasticError::new(400, "json_parse_exception", error.to_string()))?
    };
    let mut item = SearchItem {
        index: index.unwrap_or("").into(),
        ignore_unavailable: None,
        allow_no_indices: None,
        body,
    };
    for (key, value) in &header {
        match key.as_str() {
            "index" | "indices" => item.index = index_expression(value)?,
            "ignore_unavailable" | "ignoreUnavailable" => {
                item.ignore_unavailable = Some(flag(key, value)?);
            }
            "allow_no_indices" | "allowNoIndices" => {
                item.allow_no_indices = Some(flag(key, value)?);
            }
            // They tell a cluster how to go about it; one node has no choice.
            "search_type"
            | "searchType"
            | "preference"
            | "routing"
            | "request_cache"
            | "requestCache"
            | "allow_partial_search_results"
            | "expand_wildcards"
            | "expandWildcards"
            | "ignore_throttled"
            | "ignoreThrottled"
            | "max_concurrent_shard_requests"
            | "ccs_minimize_roundtrips"
            | "type"
            | "types" => {}
            unknown => {
                return Err(ElasticError::illegal_argument(format!(
                    "key [{unknown}] is not supported in the metadata section"
                )));
            }
        }
    }
    Ok(item)
}

fn index_expression(value: &Value) -> Result<String, ElasticError> {
    let wrong = || ElasticError::illegal_argument("[index] must be a text or a list of texts");
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            Ok(texts.ok_or_else(wrong)?.join(","))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong()),
    }
}

fn flag(key: &str, value: &Value) -> Result<bool, ElasticError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(ElasticError::illegal_argument(format!(
            "Failed to parse value [{other}] of [{key}] as only [true] or [false] are allowed."
        ))),
    }
}

/// Prints the answer of a multi-search from the printed answers of its searches.
///
/// # Panics
/// When an answer is not what `render_search` printed.
#[must_use]
pub fn render_msearch(took_ms: u64, answers: &[Result<Vec<u8>, ElasticError>]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Answer {
        Found(Box<RawValue>),
        Failed(ElasticError),
    }
    #[derive(Serialize)]
    struct Reply {
        took: u64,
        responses: Vec<Answer>,
    }
    let responses = answers
        .iter()
        .map(|answer| match answer {
            Ok(bytes) => Answer::Found(with_status(bytes)),
            Err(error) => Answer::Failed(error.clone()),
        })
        .collect();
    let reply = Reply {
        took: took_ms,
        responses,
    };
    serde_json::to_vec(&reply).expect("printed answers are JSON")
}

/// `{..}` with `"status":200` as its last entry.
fn with_status(answer: &[u8]) -> Box<RawValue> {
    let text = std::str::from_utf8(answer).expect("answers are printed as UTF-8");
    let open = text.strip_suffix('}').expect("an answer is an object");
    let comma = if open.ends_with('{') { "" } else { "," };
    RawValue::from_string(format!("{open}{comma}\"status\":200}}"))
        .expect("an object with one more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_indices_in_every_form() {
        let body = b"{\"index\":\"a,b\",\"ignore_unavailable\":true}\n{\"size\":0}\n{\"index\":[\"c\",\"d\"]}\n{}\n\n{}\n";
        let items = parse_msearch(body, Some("url")).expect("well formed");
        let seen: Vec<_> = items.iter().map(|item| item.index.as_str()).collect();
        assert_eq!(seen, ["a,b", "c,d", "url"]);
        assert_eq!(items[0].ignore_unavailable, Some(true));
        assert_eq!(items[0].body, b"{\"size\":0}");
    }

    #[test]
    fn a_last_line_without_end_is_refused() {
        let error = parse_msearch(b"{}\n{}", None).expect_err("not ended");
        assert_eq!(error.error_type(), "illegal_argument_exception");
    }

    #[test]
    fn answers_and_errors_stand_in_the_order_of_searches() {
        let answers = [
            Ok(b"{\"took\":1}".to_vec()),
            Err(ElasticError::illegal_argument("no")),
        ];
        let text = String::from_utf8(render_msearch(3, &answers)).expect("text");
        assert!(text.starts_with(r#"{"took":3,"responses":[{"took":1,"status":200},{"error":{"#));
        assert!(text.ends_with(r#""status":400}]}"#));
    }
}
