//! `_delete_by_query`, `_update_by_query` and `_reindex`.

use serde_json::json;

use super::edge::Edge;
use super::params::without;
use super::reply::Reply;
use super::request::{Refresh, Request};
use super::tasks;
use crate::db::{ByQuery, TaskStart};
use crate::elastic::{
    ByQueryKind, ByQueryRequest, ElasticError, batch_documents, documents_max, parse_conflicts,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// Parameters that no search knows. What tells a cluster how to go about it has no effect.
const PARAMS: &[&str] = &[
    "conflicts",
    "max_docs",
    "refresh",
    "requests_per_second",
    "require_alias",
    "scroll",
    "scroll_size",
    "slices",
    "wait_for_active_shards",
    "wait_for_completion",
];

/// `POST /{index}/_delete_by_query`, `POST /{index}/_update_by_query`
pub(super) fn change(
    edge: &Edge,
    request: &Request,
    index: &str,
    kind: ByQueryKind,
) -> Result<Reply> {
    let body = request.search_body();
    let is_empty = body.trim_ascii().is_empty() && request.param("q").is_none();
    if is_empty && kind == ByQueryKind::Delete {
        return Err(ElasticError::validation(&["query is missing".into()]).into());
    }
    let mut parsed = ByQueryRequest::parse(kind, body)?;
    parsed.index = index.into();
    run(edge, request, parsed)
}

/// `POST /_reindex`
pub(super) fn reindex(edge: &Edge, request: &Request) -> Result<Reply> {
    run(edge, request, ByQueryRequest::parse_reindex(&request.body)?)
}

/// The kind of work, in Elasticsearch's words.
fn action(kind: ByQueryKind) -> &'static str {
    match kind {
        ByQueryKind::Delete => "indices:data/write/delete/byquery",
        ByQueryKind::Update => "indices:data/write/update/byquery",
        ByQueryKind::Reindex => "indices:data/write/reindex",
    }
}

/// Does it now, or after the answer when nobody waits.
fn run(edge: &Edge, request: &Request, mut parsed: ByQueryRequest) -> Result<Reply> {
    let watch = Stopwatch::start();
    if let Some(conflicts) = request.param("conflicts") {
        parsed.goes_on = Some(parse_conflicts(conflicts)?);
    }
    if let Some(count) = request.param("max_docs") {
        parsed.documents_max = Some(documents_max(count)?);
    }
    if let Some(count) = request.param("scroll_size") {
        parsed.batch_documents = batch_documents(count)?;
    }
    let kind = parsed.kind;
    let work = ByQuery {
        goes_on: parsed.goes_on.unwrap_or(false),
        refreshes: request.refresh()? != Refresh::No,
        params: without(request, PARAMS)?,
        request: parsed,
    };
    if request.switch("wait_for_completion")? == Some(false) {
        let start = TaskStart {
            action: action(kind),
            path: request.path.clone(),
            body: request.body.clone(),
            opaque_id: request.opaque_id.clone(),
            is_cancellable: true,
            ..TaskStart::default()
        };
        let number = edge.db.start_by_query(work, start)?;
        let task = tasks::name(edge, number);
        return Ok(Reply::value(200, &json!({ "task": task })));
    }
    let done = edge.db.by_query(&work, &request.stop, |_| {})?;
    let reply = done.to_value(kind, watch.elapsed_ms());
    Ok(Reply::value(done.status(work.goes_on), &reply))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;

    /// Five documents `{"n": 0}` to `{"n": 4}` under ids of the same name.
    fn edge() -> Edge {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        let lines: String = (0..5)
            .map(|n| format!("{{\"index\": {{\"_id\": \"{n}\"}}}}\n{{\"n\": {n}}}\n"))
            .collect();
        send(&edge, "POST /a/_bulk?refresh", &lines);
        edge
    }

    fn send(edge: &Edge, request: &str, body: &str) -> (u16, Value) {
        let (method, uri) = request.split_once(' ').expect("method and path");
        let (status, answer) = edge.ask(method, uri, body.as_bytes());
        (status, serde_json::from_slice(&answer).expect("JSON"))
    }

    /// The documents of an index by id.
    fn shown(edge: &Edge, index: &str) -> String {
        let body = r#"{"size": 100, "sort": "n"}"#;
        let (_, found) = send(edge, &format!("POST /{index}/_search"), body);
        let hits = found["hits"]["hits"].as_array().expect("hits").iter();
        let hits = hits.map(|hit| {
            let version = hit["_version"].as_u64();
            let id = hit["_id"].as_str().unwrap_or_default();
            format!(
                "{id}={}{}",
                hit["_source"]["n"],
                version.map_or("", |_| "v")
            )
        });
        hits.collect::<Vec<_>>().join(" ")
    }

    fn check(request: &str, body: &str, counts: &[(&str, u64)], index: &str, left: &str) {
        let edge = edge();
        let (status, done) = send(&edge, request, body);
        assert_eq!(status, 200, "{done}");
        for (name, count) in counts {
            assert_eq!(done[name], *count, "{name} of {done}");
        }
        assert_eq!(shown(&edge, index), left, "{request}");
    }

    #[test]
    fn scripts_change_what_a_query_finds() {
        let script = "if (ctx._source.n == 3) { ctx.op = 'delete' } \
                      else if (ctx._source.n == 2) { ctx.op = 'noop' } \
                      else { ctx._source.n += params.by }";
        let body = json!({
            "query": { "range": { "n": { "gte": 1 } } },
            "script": { "source": script, "params": { "by": 10 } },
        });
        let counts = [
            ("total", 4),
            ("updated", 2),
            ("deleted", 1),
            ("noops", 1),
            ("batches", 2),
        ];
        check(
            "POST /a/_update_by_query?refresh&scroll_size=3",
            &body.to_string(),
            &counts,
            "a",
            "0=0 2=2 1=11 4=14",
        );
    }

    #[test]
    fn documents_are_written_again_without_a_script() {
        let edge = edge();
        let (_, done) = send(&edge, "POST /a/_update_by_query?refresh&max_docs=2", "");
        assert_eq!(
            (&done["total"], &done["updated"]),
            (&json!(2), &json!(2)),
            "{done}"
        );
        let (_, first) = send(&edge, "GET /a/_doc/0", "");
        assert_eq!(first["_version"], 2);
        assert_eq!(shown(&edge, "a"), "0=0 1=1 2=2 3=3 4=4");
    }

    #[test]
    fn documents_are_copied_with_their_ids() {
        let body = json!({
            "source": { "index": "a", "query": { "range": { "n": { "lt": 3 } } } },
            "dest": { "index": "b" },
            "script": "ctx._source.n *= 2",
        });
        let counts = [("total", 3), ("created", 3), ("updated", 0)];
        check(
            "POST /_reindex?refresh",
            &body.to_string(),
            &counts,
            "b",
            "0=0 1=2 2=4",
        );
    }

    #[test]
    fn what_is_there_may_stay() {
        let edge = edge();
        send(&edge, "PUT /b/_doc/1?refresh", r#"{"n": 70}"#);
        let body = json!({
            "source": { "index": "a" }, "dest": { "index": "b", "op_type": "create" },
        });
        let (status, done) = send(&edge, "POST /_reindex?refresh", &body.to_string());
        assert_eq!(
            (status, &done["version_conflicts"]),
            (409, &json!(1)),
            "{done}"
        );
        let body = json!({
            "source": { "index": "a" }, "dest": { "index": "b", "op_type": "create" },
            "conflicts": "proceed",
        });
        let (status, done) = send(&edge, "POST /_reindex?refresh", &body.to_string());
        assert_eq!(
            (status, &done["version_conflicts"]),
            (200, &json!(5)),
            "{done}"
        );
        assert_eq!(shown(&edge, "b"), "0=0 2=2 3=3 4=4 1=70");
    }

    #[test]
    fn a_task_tells_how_it_ended() {
        let edge = edge();
        let request = "POST /a/_delete_by_query?wait_for_completion=false&refresh";
        let (_, started) = send(&edge, request, r#"{"query": {"range": {"n": {"gte": 2}}}}"#);
        let task = started["task"].as_str().expect("a task").to_owned();
        let uri = format!("GET /_tasks/{task}?wait_for_completion=true&timeout=60s");
        let (status, ended) = send(&edge, &uri, "");
        assert_eq!(
            (status, &ended["completed"]),
            (200, &json!(true)),
            "{ended}"
        );
        assert_eq!(ended["response"]["deleted"], 3, "{ended}");
        assert_eq!(ended["task"]["status"]["deleted"], 3);
        assert_eq!(shown(&edge, "a"), "0=0 1=1");
        let (status, _) = send(&edge, &format!("POST /_tasks/{task}/_cancel"), "");
        assert_eq!(status, 404, "it has ended");
    }

    #[test]
    fn a_stop_ends_it_between_two_rounds() {
        let edge = edge();
        let stop = query::Stop::default();
        let work = ByQuery {
            request: ByQueryRequest {
                index: "a".into(),
                batch_documents: 2,
                ..ByQueryRequest::parse(ByQueryKind::Delete, b"").expect("a body")
            },
            params: crate::elastic::SearchParams::default(),
            goes_on: false,
            refreshes: true,
        };
        let done = edge
            .db
            .by_query(&work, &stop, |_| stop.set())
            .expect("done");
        assert_eq!((done.total, done.deleted), (5, 2));
        assert_eq!(done.canceled, Some("by user request"));
        assert_eq!(shown(&edge, "a"), "2=2 3=3 4=4");
    }

    #[test]
    fn updates_run_scripts_and_show_documents() {
        let edge = edge();
        let check = |request: &str, body: &str, status: u16, path: &str, expected: Value| {
            let (found, answer) = send(&edge, request, body);
            assert_eq!(found, status, "{answer}");
            assert_eq!(answer.pointer(path), Some(&expected), "{answer}");
        };
        let count = r#"{"script": "ctx._source.n += 5"}"#;
        let update = "POST /a/_update/1?_source=true";
        check(update, count, 200, "/get/_source", json!({ "n": 6 }));
        check(
            update,
            r#"{"script": "ctx.op = 'none'"}"#,
            200,
            "/result",
            json!("noop"),
        );
        check(
            update,
            r#"{"script": "ctx.op = 'delete'"}"#,
            200,
            "/result",
            json!("deleted"),
        );
        check(
            update,
            count,
            404,
            "/error/type",
            json!("document_missing_exception"),
        );
        let upsert = r#"{"script": "ctx._source.n += 5", "upsert": {"n": 1}}"#;
        check(update, upsert, 201, "/get/_source/n", json!(1));
        check(update, upsert, 200, "/get/_source/n", json!(6));
        let scripted = r#"{"script": "ctx._source.n = 9", "scripted_upsert": true, "upsert": {}}"#;
        check(
            "POST /a/_update/x?_source=n",
            scripted,
            201,
            "/get/_source/n",
            json!(9),
        );
        let lines = "{\"index\":{\"_id\":\"y\"}}\n{\"n\":1}\n{\"update\":{\"_id\":\"y\"}}\n\
                     {\"script\":\"ctx._source.n++\",\"_source\":true}\n";
        let path = "/items/1/update/get/_source/n";
        check("POST /a/_bulk", lines, 200, path, json!(2));
        check(
            "GET /a/_doc/y?stored_fields=n",
            "",
            200,
            "/fields/n",
            json!([2]),
        );
        check("GET /a/_doc/y?version=1", "", 409, "/status", json!(409));
        let reason = "/error/reason";
        let unknown = json!("pipeline with id [p] does not exist");
        check("PUT /a/_doc/z?pipeline=p", "{}", 400, reason, unknown);
    }
}
