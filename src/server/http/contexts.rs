//! Scrolls and points in time.

use serde_json::json;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::ContextKind;
use crate::elastic::{ElasticError, texts_of};
use crate::error::Result;

/// `/_search/scroll[/{id}]`
pub(super) fn scroll(edge: &Edge, request: &Request, id: Option<&str>) -> Result<Reply> {
    let body = request.search_body();
    let mut ids = texts_of(body, "scroll_id")?;
    if ids.is_empty() {
        let given = id.or_else(|| request.param("scroll_id"));
        ids = given
            .into_iter()
            .flat_map(|ids| ids.split(','))
            .map(str::to_owned)
            .collect();
    }
    if request.method == Method::Delete {
        let all = ids.iter().any(|id| id == "_all");
        if ids.is_empty() {
            return Err(ElasticError::validation(&["no scroll ids specified".into()]).into());
        }
        let wanted = (!all).then_some(ids.as_slice());
        let closed = edge
            .db
            .close_contexts(wanted, |kind| kind == ContextKind::Scroll);
        let status = if closed.is_empty() && !all { 404 } else { 200 };
        let reply = json!({ "succeeded": true, "num_freed": closed.len() });
        return Ok(Reply::value(status, &reply));
    }
    let Some(id) = ids.first() else {
        return Err(ElasticError::validation(&["scrollId is missing".into()]).into());
    };
    let own = texts_of(body, "scroll")?;
    let keep_alive = own
        .first()
        .map(String::as_str)
        .or_else(|| request.param("scroll"));
    let as_int = request.switch("rest_total_hits_as_int")? == Some(true);
    Ok(Reply::ok(edge.db.scroll_on(id, keep_alive, as_int)?))
}

/// Elasticsearch's form: `/{index}/_pit`, `/_pit`
pub(super) fn pit(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let Some(index) = index else {
        let ids = texts_of(&request.body, "id")?;
        let closed = edge.db.close_contexts(Some(&ids), is_pit);
        let status = if closed.is_empty() { 404 } else { 200 };
        let reply = json!({ "succeeded": !closed.is_empty(), "num_freed": closed.len() });
        return Ok(Reply::value(status, &reply));
    };
    let kind = ContextKind::Pit { tie_break: true };
    let (id, _, shards) = open(edge, request, index, kind)?;
    let shards = json!({ "total": shards, "successful": shards, "skipped": 0, "failed": 0 });
    Ok(Reply::value(200, &json!({ "id": id, "_shards": shards })))
}

fn is_pit(kind: ContextKind) -> bool {
    kind != ContextKind::Scroll
}

fn open(
    edge: &Edge,
    request: &Request,
    index: &str,
    kind: ContextKind,
) -> Result<(String, i64, u64)> {
    let keep_alive = request
        .param("keep_alive")
        .ok_or_else(|| ElasticError::validation(&["keep alive not specified".into()]))?;
    let options = request.index_options()?;
    edge.db.open_pit(index, options, keep_alive, kind)
}

/// OpenSearch's form: `/{index}/_search/point_in_time`, `/_search/point_in_time[/_all]`
pub(super) fn point_in_time(
    edge: &Edge,
    request: &Request,
    index: Option<&str>,
    all: bool,
) -> Result<Reply> {
    if let Some(index) = index {
        let kind = ContextKind::Pit { tie_break: false };
        let (id, created_ms, shards) = open(edge, request, index, kind)?;
        let shards = json!({ "total": shards, "successful": shards, "skipped": 0, "failed": 0 });
        let reply = json!({ "pit_id": id, "_shards": shards, "creation_time": created_ms });
        return Ok(Reply::value(200, &reply));
    }
    if request.method == Method::Get {
        let pits = edge.db.open_pits().into_iter().map(|(id, created_ms, kept_ms)| {
            json!({ "pit_id": id, "creation_time": created_ms, "keep_alive": kept_ms })
        });
        let pits: Vec<_> = pits.collect();
        return Ok(Reply::value(200, &json!({ "pits": pits })));
    }
    let ids = texts_of(&request.body, "pit_id")?;
    let closed = edge
        .db
        .close_contexts((!all).then_some(ids.as_slice()), is_pit);
    let shown = |id: &String, successful: bool| json!({ "pit_id": id, "successful": successful });
    let named: Vec<_> = match all {
        true => closed.iter().map(|id| shown(id, true)).collect(),
        false => ids
            .iter()
            .map(|id| shown(id, closed.contains(id)))
            .collect(),
    };
    let status = if closed.is_empty() && !all { 404 } else { 200 };
    Ok(Reply::value(status, &json!({ "pits": named })))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;
    use crate::options::{Options, Work};

    fn edge() -> Edge {
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().in_memory().options(options).open();
        let db = db.expect("memory opens");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        for index in ["a", "b"] {
            let lines: String = (0..5)
                .map(|n| format!("{{\"index\": {{}}}}\n{{\"n\": {n}, \"of\": \"{index}\"}}\n"))
                .collect();
            send(&edge, "POST", &format!("/{index}/_bulk?refresh"), &lines);
        }
        edge
    }

    fn send(edge: &Edge, method: &str, uri: &str, body: &str) -> (u16, Value) {
        let (status, answer) = edge.ask(method, uri, body.as_bytes());
        (status, serde_json::from_slice(&answer).expect("JSON"))
    }

    fn numbers(answer: &Value) -> Vec<i64> {
        let hits = answer["hits"]["hits"].as_array().expect("hits").iter();
        hits.filter_map(|hit| hit["_source"]["n"].as_i64())
            .collect()
    }

    #[test]
    fn a_scroll_shows_each_row_once_and_no_later_one() {
        let edge = edge();
        let body =
            r#"{"size": 3, "sort": [{"n": "desc"}], "aggs": {"s": {"sum": {"field": "n"}}}}"#;
        let (status, first) = send(&edge, "POST", "/a,b/_search?scroll=1m", body);
        assert_eq!(status, 200, "{first}");
        assert_eq!(first["hits"]["total"]["value"], 10);
        assert_eq!(first["aggregations"]["s"]["value"], 20.0);
        let id = first["_scroll_id"].as_str().expect("an id").to_owned();
        send(&edge, "PUT", "/a/_doc/late?refresh", r#"{"n": 0}"#);
        let mut seen = numbers(&first);
        loop {
            let body = format!(r#"{{"scroll_id": "{id}", "scroll": "1m"}}"#);
            let (_, next) = send(&edge, "POST", "/_search/scroll", &body);
            assert!(next.get("aggregations").is_none(), "{next}");
            match numbers(&next) {
                rest if rest.is_empty() => break,
                rest => seen.extend(rest),
            }
        }
        assert_eq!(seen, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]);
        let body = format!(r#"{{"scroll_id": ["{id}"]}}"#);
        assert_eq!(
            send(&edge, "DELETE", "/_search/scroll", &body).1["num_freed"],
            1
        );
        let (status, gone) = send(&edge, "GET", &format!("/_search/scroll/{id}"), "");
        assert_eq!(status, 404);
        assert_eq!(gone["error"]["type"], "search_context_missing_exception");
    }

    #[test]
    fn pages_of_a_point_in_time_go_on_behind_the_last_hit() {
        let edge = edge();
        for (uri, key, close) in [
            ("/a,b/_pit?keep_alive=1m", "id", "/_pit"),
            (
                "/a,b/_search/point_in_time?keep_alive=1m",
                "pit_id",
                "/_search/point_in_time",
            ),
        ] {
            let (_, pit) = send(&edge, "POST", uri, "");
            let id = pit[key].as_str().expect("an id");
            send(&edge, "POST", "/a/_doc?refresh", r#"{"n": 1}"#);
            let mut seen = Vec::new();
            let mut after = Value::Null;
            loop {
                let mut body = json!({
                    "size": 4, "pit": {"id": id}, "sort": [{"n": "asc"}, {"_doc": "asc"}],
                });
                if !after.is_null() {
                    body["search_after"] = after;
                }
                let (status, page) = send(&edge, "POST", "/_search", &body.to_string());
                assert_eq!(status, 200, "{page}");
                let hits = page["hits"]["hits"].as_array().expect("hits");
                let Some(last) = hits.last() else { break };
                after = last["sort"].clone();
                seen.extend(numbers(&page));
            }
            assert_eq!(seen, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], "{uri}");
            let body = json!({ key: id }).to_string();
            assert_eq!(send(&edge, "DELETE", close, &body).0, 200);
            assert_eq!(send(&edge, "DELETE", close, &body).0, 404);
            // The next form sees as many rows as this one did.
            let query = r#"{"query": {"bool": {"must_not": {"exists": {"field": "of"}}}}}"#;
            send(&edge, "POST", "/a/_delete_by_query?refresh", query);
        }
    }

    #[test]
    fn search_after_without_a_place_passes_equal_rows() {
        let edge = edge();
        let body = r#"{"sort": "n", "search_after": [2]}"#;
        assert_eq!(
            numbers(&send(&edge, "POST", "/a,b/_search", body).1),
            [3, 3, 4, 4]
        );
        for wrong in [
            r#"{"search_after": [2]}"#,
            r#"{"sort": "n", "search_after": [1, 2]}"#,
        ] {
            assert_eq!(send(&edge, "POST", "/a/_search", wrong).0, 400, "{wrong}");
        }
    }
}
