//! `_search`, `_count`, `_msearch`.

use serde_json::{Value, json};

use super::edge::Edge;
use super::params::without;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{
    ElasticError, Personality, SearchParams, check_totals, parse_msearch, render_msearch,
};
use crate::error::{Error, Result};
use crate::options::Stopwatch;

/// Bytes of answers after which further searches of one request are refused.
const ANSWERS_BYTES_MAX: usize = 100 << 20;

/// `/{index}/_search`
pub(super) fn search(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let mut params = params(request)?;
    params.says_early_end = edge.info.personality == Personality::OpenSearch;
    let answer = edge
        .db
        .search_elastic(index, request.search_body(), &params)?;
    Ok(Reply::ok(answer))
}

/// `/{index}/_count`
pub(super) fn count(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let params = params(request)?;
    let answer = edge
        .db
        .count_elastic(index, request.search_body(), &params)?;
    Ok(Reply::ok(answer))
}

/// `/{index}/_validate/query`
pub(super) fn validate(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let explain = request.switch("explain")? == Some(true);
    let params = without(request, &["explain", "rewrite", "all_shards"])?;
    let body = request.search_body();
    let reply = match edge.db.validate_elastic(index, body, &params) {
        Ok(names) => {
            let mut reply = json!({
                "_shards": { "total": 1, "successful": 1, "failed": 0 },
                "valid": true,
            });
            if explain {
                let explained = names.iter().map(|name| {
                    json!({ "index": name, "valid": true, "explanation": explanation(body) })
                });
                reply["explanations"] = explained.collect();
            }
            reply
        }
        Err(error) => {
            let error = error.into_elastic();
            if error.status() != 400 {
                return Err(error.into());
            }
            let mut reply = json!({ "valid": false });
            if explain {
                reply["error"] = validation_text(&error).into();
            }
            reply
        }
    };
    Ok(Reply::value(200, &reply))
}

/// `/{index}/_explain/{id}`
pub(super) fn explain(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    let params = params(request)?;
    let (status, answer) = edge
        .db
        .explain_elastic(index, id, request.search_body(), &params)?;
    Ok(Reply::value(status, &answer))
}

/// The query as it was read, in its own words: rows match it or not, there is nothing to rewrite.
fn explanation(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body.get("query") {
        None | Some(Value::Null) => "*:*".into(),
        Some(query) => query.to_string(),
    }
}

/// An error as one sentence.
fn validation_text(error: &ElasticError) -> String {
    format!("org.opensearch.{}: {} ", error.error_type(), error.reason())
}

/// `/{index}/_msearch`: a bad search fails in its own place.
pub(super) fn multi_search(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let watch = Stopwatch::start();
    let shared = params(request)?;
    let items = parse_msearch(&request.body, index)?;
    check_totals(&items, &shared)?;
    let mut bytes = 0;
    let answers: Vec<Result<Vec<u8>, ElasticError>> = items
        .iter()
        .map(|item| {
            if bytes > ANSWERS_BYTES_MAX {
                return Err(too_long());
            }
            let mut params = shared.clone();
            params.says_early_end = edge.info.personality == Personality::OpenSearch;
            let indices = &mut params.indices;
            indices.ignore_unavailable = item.ignore_unavailable.or(indices.ignore_unavailable);
            indices.allow_no_indices = item.allow_no_indices.or(indices.allow_no_indices);
            let index = if item.index.is_empty() {
                "_all"
            } else {
                &item.index
            };
            let answer = edge.db.search_elastic(index, item.body, &params);
            bytes += answer.as_ref().map_or(0, Vec::len);
            answer.map_err(Error::into_elastic)
        })
        .collect();
    Ok(Reply::ok(render_msearch(watch.elapsed_ms(), &answers)))
}

/// The answers before this search fill what one reply may hold.
fn too_long() -> ElasticError {
    let reason = format!("the answers of one request are longer than {ANSWERS_BYTES_MAX} bytes");
    ElasticError::new(429, "circuit_breaking_exception", reason)
}

fn params(request: &Request) -> Result<SearchParams> {
    without(request, &[])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::db::Db;

    fn send(edge: &Edge, method: &str, uri: &str, body: &str) -> Value {
        let (_, answer) = edge.ask(method, uri, body.as_bytes());
        serde_json::from_slice(&answer).expect("JSON")
    }

    fn edge() -> Edge {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        let mapping = json!({"mappings": {"properties": {
            "at": {"type": "date"},
            "n": {"type": "long", "store": true},
            "k": {"type": "keyword"},
            "span": {"type": "integer_range"},
            "t": {"type": "text"},
        }}});
        send(&edge, "PUT", "/a", &mapping.to_string());
        let document = json!({
            "at": ["2024-05-01", "2024-04-01"], "n": [10, 9, 10], "k": ["b", "a", "b"],
            "span": {"gte": 1, "lt": 3}, "t": "the quick fox",
        });
        send(&edge, "PUT", "/a/_doc/1?refresh", &document.to_string());
        edge
    }

    /// What `shown` of the first hit is.
    fn check(body: &Value, shown: &str, expected: &Value) {
        let answer = send(&edge(), "POST", "/a/_search", &body.to_string());
        let found = answer["hits"]["hits"][0].pointer(shown);
        assert_eq!(found, Some(expected), "{body}: {answer}");
    }

    #[test]
    fn columns_are_in_order_and_documents_as_they_are() {
        let body = json!({"docvalue_fields": ["n", "k", {"field": "at", "format": "MM"}]});
        check(
            &body,
            "/fields",
            &json!({"n": [9, 10, 10], "k": ["a", "b"], "at": ["04", "05"]}),
        );
        let body = json!({"fields": ["n", "k", "span"]});
        check(
            &body,
            "/fields",
            &json!({"n": [10, 9, 10], "k": ["b", "a", "b"], "span": [{"gte": 1, "lt": 3}]}),
        );
        let body = json!({"stored_fields": ["n", "k"]});
        check(&body, "/fields", &json!({"n": [10, 9, 10]}));
    }

    #[test]
    fn highlights_mark_what_they_are_asked_for() {
        let asked = json!({"match": {"t": "quick"}});
        let body = json!({
            "query": {"match": {"t": "fox"}},
            "highlight": {"fields": {"t": {"highlight_query": asked}}},
        });
        check(&body, "/highlight/t/0", &json!("the <em>quick</em> fox"));
        let body = json!({"highlight": {"no_match_size": 5, "fields": {"t": {}}}});
        check(&body, "/highlight/t/0", &json!("the quick"));
    }

    #[test]
    fn totals_that_are_not_counted_fail_the_whole_request() {
        let edge = edge();
        let body = "{}\n{\"track_total_hits\":10}\n";
        let answer = send(&edge, "POST", "/_msearch?rest_total_hits_as_int=true", body);
        assert_eq!(answer["status"], 400, "{answer}");
    }
}
