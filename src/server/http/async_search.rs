//! `_async_search` of Elasticsearch and `_plugins/_asynchronous_search` of OpenSearch.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Method;
use super::edge::Edge;
use super::endpoint::AsyncForm;
use super::params::without;
use super::reply::Reply;
use super::request::Request;
use crate::db::{AsyncView, KEEP_ALIVE_MS, TaskStart};
use crate::elastic::{ElasticError, SearchParams, keep_alive_ms};
use crate::error::Result;

/// How long a start waits for the end unless it says otherwise.
const WAIT_MS: i64 = 1_000;

/// Longest that an answer waits for an end.
const WAIT_MS_MAX: i64 = 60_000;

/// Parameters that no search knows.
const PARAMS: &[&str] = &[
    "keep_alive",
    "keep_on_completion",
    "wait_for_completion_timeout",
];

/// What is said of a search, with its answer.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    entries: &'a Map<String, Value>,
    response: &'a RawValue,
}

/// `POST [/{index}]/_async_search`
pub(super) fn start(edge: &Edge, request: &Request, form: AsyncForm, index: &str) -> Result<Reply> {
    let params = without(request, PARAMS)?;
    if params.scroll.is_some() {
        let reason = "[scroll] queries are not supported";
        return Err(ElasticError::validation(&[reason.into()]).into());
    }
    let task = TaskStart {
        action: "indices:data/read/async_search/submit",
        path: request.path.clone(),
        body: bytes::Bytes::copy_from_slice(request.search_body()),
        opaque_id: request.opaque_id.clone(),
        is_cancellable: true,
        // It goes on when the client leaves.
        ..TaskStart::default()
    };
    let params = SearchParams {
        stop: task.stop.clone(),
        ..params
    };
    let keeps_ended = request.switch("keep_on_completion")? == Some(true);
    let view = edge.db.start_async_search(
        index,
        params,
        task,
        wait(request, WAIT_MS)?,
        keep_ms(request)?.unwrap_or(KEEP_ALIVE_MS),
        keeps_ended,
    )?;
    let is_kept = keeps_ended || view.end.is_none();
    shown(&view, form, is_kept)
}

/// `/_async_search/{id}`
pub(super) fn one(edge: &Edge, request: &Request, form: AsyncForm, id: &str) -> Result<Reply> {
    if request.method == Method::Delete {
        edge.db.delete_async_search(id)?;
        return Ok(Reply::value(200, &json!({ "acknowledged": true })));
    }
    let view = edge
        .db
        .async_search(id, wait(request, 0)?, keep_ms(request)?)?;
    shown(&view, form, true)
}

/// `/_async_search/status/{id}`
pub(super) fn status(edge: &Edge, id: &str) -> Result<Reply> {
    let view = edge.db.async_search(id, Duration::ZERO, None)?;
    let is_running = view.end.is_none();
    let failed = matches!(&view.end, Some(end) if end.answer.is_err());
    let mut reply = json!({
        "id": id,
        "is_running": is_running,
        "is_partial": is_running || failed,
        "start_time_in_millis": view.started_ms,
        "expiration_time_in_millis": view.expires_ms,
        "_shards": { "total": 1, "successful": u8::from(!is_running), "skipped": 0,
                     "failed": u8::from(failed) },
    });
    if let Some(end) = &view.end {
        let status = end
            .answer
            .as_ref()
            .map_or_else(ElasticError::status, |_| 200);
        reply["completion_status"] = status.into();
    }
    Ok(Reply::value(200, &reply))
}

fn wait(request: &Request, default_ms: i64) -> Result<Duration, ElasticError> {
    let given = request.param("wait_for_completion_timeout");
    let wait_ms = given.map_or(Ok(default_ms), keep_alive_ms)?;
    let wait_ms = wait_ms.clamp(0, WAIT_MS_MAX);
    Ok(Duration::from_millis(wait_ms.unsigned_abs()))
}

fn keep_ms(request: &Request) -> Result<Option<i64>, ElasticError> {
    let keep_ms = request.param("keep_alive").map(keep_alive_ms).transpose()?;
    match keep_ms {
        Some(keep_ms) if keep_ms > KEEP_ALIVE_MS => Err(ElasticError::illegal_argument(format!(
            "[keep_alive] must not be longer than {KEEP_ALIVE_MS} ms"
        ))),
        keep_ms => Ok(keep_ms),
    }
}

/// A search that has ended shows its answer byte for byte.
fn shown(view: &AsyncView, form: AsyncForm, is_kept: bool) -> Result<Reply> {
    let mut reply = json!({});
    if is_kept {
        reply["id"] = view.id.as_str().into();
    }
    let failed = matches!(&view.end, Some(end) if end.answer.is_err());
    match form {
        AsyncForm::Elasticsearch => {
            reply["is_partial"] = (view.end.is_none() || failed).into();
            reply["is_running"] = view.end.is_none().into();
        }
        AsyncForm::OpenSearch => {
            reply["state"] = match (&view.end, is_kept) {
                (None, _) => "RUNNING".into(),
                (Some(_), _) if failed => "FAILED".into(),
                (Some(_), true) => "STORE_RESIDENT".into(),
                (Some(_), false) => "CLOSED".into(),
            };
        }
    }
    reply["start_time_in_millis"] = view.started_ms.into();
    reply["expiration_time_in_millis"] = view.expires_ms.into();
    let Some(end) = &view.end else {
        reply["response"] = nothing_yet();
        return Ok(Reply::value(200, &reply));
    };
    reply["completion_time_in_millis"] = end.ended_ms.into();
    match &end.answer {
        Err(error) => {
            reply["error"] = error.to_value();
            Ok(Reply::value(error.status(), &reply))
        }
        Ok(answer) => {
            let Value::Object(entries) = &reply else {
                unreachable!("it was made as an object");
            };
            let text = std::str::from_utf8(answer).expect("answers are printed as UTF-8");
            let answer: &RawValue = serde_json::from_str(text).expect("answers are JSON");
            let whole = Whole {
                entries,
                response: answer,
            };
            let bytes = serde_json::to_vec(&whole).expect("texts and numbers are JSON");
            Ok(Reply::ok(bytes))
        }
    }
}

fn nothing_yet() -> Value {
    json!({
        "took": 0,
        "timed_out": false,
        "_shards": { "total": 1, "successful": 0, "skipped": 0, "failed": 0 },
        "hits": { "total": { "value": 0, "relation": "gte" }, "max_score": null, "hits": [] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;

    fn send(edge: &Edge, request: &str, body: &str) -> (u16, Value) {
        let (method, uri) = request.split_once(' ').expect("method and path");
        let (status, answer) = edge.ask(method, uri, body.as_bytes());
        (status, serde_json::from_slice(&answer).expect("JSON"))
    }

    #[test]
    fn an_answer_can_be_fetched_later_and_deleted() {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        send(&edge, "PUT /a/_doc/1?refresh", r#"{"n": 1}"#);
        let start = "wait_for_completion_timeout=60s&keep_on_completion=true";
        for (path, done) in [
            ("/_async_search", ("is_running", json!(false))),
            (
                "/_plugins/_asynchronous_search",
                ("state", json!("STORE_RESIDENT")),
            ),
        ] {
            let (status, started) = send(&edge, &format!("POST {path}?{start}"), "{}");
            assert_eq!(status, 200, "{started}");
            assert_eq!(started[done.0], done.1, "{started}");
            assert_eq!(started["response"]["hits"]["total"]["value"], 1);
            let id = started["id"].as_str().expect("an id");
            let (_, again) = send(&edge, &format!("GET {path}/{id}?keep_alive=1m"), "");
            assert_eq!(again["response"], started["response"]);
            let before = started["expiration_time_in_millis"].as_i64();
            assert!(
                again["expiration_time_in_millis"].as_i64() < before,
                "{again}"
            );
            let (_, status) = send(&edge, &format!("GET {path}/status/{id}"), "");
            assert_eq!(status["completion_status"], 200);
            assert_eq!(send(&edge, &format!("DELETE {path}/{id}"), "").0, 200);
            assert_eq!(send(&edge, &format!("GET {path}/{id}"), "").0, 404);
        }
        let (status, wrong) = send(
            &edge,
            &format!("POST /a/_async_search?{start}"),
            r#"{"x": 1}"#,
        );
        assert_eq!(status, 400, "{wrong}");
        assert_eq!(wrong["is_partial"], true);
        // Nobody wants to come back for what is there at once.
        let quick = "POST /a/_async_search?wait_for_completion_timeout=60s";
        assert!(send(&edge, quick, "{}").1.get("id").is_none());
    }
}
