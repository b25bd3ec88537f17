//! `_tasks`: what is under way, by node, by parent or alone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::{Ended, Found, Task};
use crate::elastic::{ElasticError, keep_alive_ms, matches_wildcard, uuid_text};
use crate::error::Result;

/// How long an answer waits for the end of a task unless the request says otherwise.
const WAIT: Duration = Duration::from_secs(30);

/// Longest that an answer waits for the end of a task.
const WAIT_MS_MAX: u64 = 60_000;

/// Most of a request's body in the description of a task.
const BODY_BYTES_MAX: usize = 1 << 10;

/// The name of the task of this number.
pub(super) fn name(edge: &Edge, number: u64) -> String {
    format!("{}:{number}", uuid_text(edge.info.uuid))
}

/// `/_tasks`: all that run, as `actions`, `nodes`, `detailed` and `group_by` choose and show.
pub(super) fn list(edge: &Edge, request: &Request) -> Result<Reply> {
    let detailed = request.switch("detailed")? == Some(true);
    let chosen = chosen(edge, request);
    let shown = chosen
        .iter()
        .map(|task| (name(edge, task.number), shown(edge, task, None, detailed)));
    match request.param("group_by").unwrap_or("nodes") {
        "none" => {
            let tasks: Vec<Value> = shown.map(|(_, task)| task).collect();
            Ok(Reply::value(200, &json!({ "tasks": tasks })))
        }
        "parents" => {
            let tasks: Map<String, Value> = shown.collect();
            Ok(Reply::value(200, &json!({ "tasks": tasks })))
        }
        "nodes" => {
            let tasks: Map<String, Value> = shown.collect();
            Ok(Reply::value(200, &by_node(edge, tasks)))
        }
        other => Err(ElasticError::illegal_argument(format!("No group_by type [{other}]")).into()),
    }
}

fn by_node(edge: &Edge, tasks: Map<String, Value>) -> Value {
    let mut nodes = Map::new();
    if !tasks.is_empty() {
        let mut node = edge.node_head();
        node["tasks"] = tasks.into();
        nodes.insert(uuid_text(edge.info.uuid), node);
    }
    json!({ "nodes": nodes })
}

fn chosen(edge: &Edge, request: &Request) -> Vec<Arc<Task>> {
    let fits = |patterns: Option<&str>, text: &str| {
        let mut patterns = patterns
            .into_iter()
            .flat_map(|list| list.split(','))
            .peekable();
        patterns.peek().is_none() || patterns.any(|pattern| matches_wildcard(pattern, text))
    };
    let node = uuid_text(edge.info.uuid);
    let nodes = request.param("nodes").or(request.param("node_id"));
    let is_here = nodes.is_none_or(|nodes| {
        let mut nodes = nodes.split(',');
        nodes.any(|wanted| {
            matches!(wanted, "_local" | "_all" | "_master" | "_cluster_manager")
                || wanted == node
                || matches_wildcard(wanted, &edge.info.name)
        })
    });
    let mut tasks = edge.db.tasks().running();
    tasks.retain(|task| {
        is_here
            && request.param("parent_task_id").is_none_or(str::is_empty)
            && fits(request.param("actions"), task.start.action)
    });
    tasks
}

/// `/_tasks/{id}`
pub(super) fn one(edge: &Edge, request: &Request, id: &str) -> Result<Reply> {
    let number = number(edge, id)?;
    let wait = match request.switch("wait_for_completion")? {
        Some(true) => match request.param("timeout") {
            None => WAIT,
            Some(text) => {
                Duration::from_millis(keep_alive_ms(text)?.unsigned_abs().min(WAIT_MS_MAX))
            }
        },
        Some(false) | None => Duration::ZERO,
    };
    match edge.db.tasks().find(number, wait) {
        None => Err(missing(id).into()),
        Some(Found::Running(task)) => {
            let task = shown(edge, &task, None, true);
            Ok(Reply::value(
                200,
                &json!({ "completed": false, "task": task }),
            ))
        }
        Some(Found::Ended(ended)) => {
            let mut reply = json!({
                "completed": true,
                "task": shown(edge, &ended.task, Some(&ended), true),
            });
            match &ended.result {
                Ok(response) => reply["response"] = response.clone(),
                Err(error) => reply["error"] = error.to_value(),
            }
            Ok(Reply::value(200, &reply))
        }
    }
}

/// `POST /_tasks[/{id}]/_cancel`: asks tasks to end.
pub(super) fn cancel(edge: &Edge, request: &Request, id: Option<&str>) -> Result<Reply> {
    let mut tasks = match id {
        None => chosen(edge, request),
        Some(id) => match edge.db.tasks().find(number(edge, id)?, Duration::ZERO) {
            Some(Found::Running(task)) => vec![task],
            Some(Found::Ended(_)) | None => return Err(missing(id).into()),
        },
    };
    if id.is_some() && tasks.iter().any(|task| !task.start.is_cancellable) {
        let reason = format!(
            "task [{}] doesn't support cancellation",
            id.unwrap_or_default()
        );
        return Err(ElasticError::illegal_argument(reason).into());
    }
    tasks.retain(|task| task.start.is_cancellable);
    for task in &tasks {
        task.start.stop.set();
    }
    let shown = tasks
        .iter()
        .map(|task| (name(edge, task.number), shown(edge, task, None, true)));
    Ok(Reply::value(200, &by_node(edge, shown.collect())))
}

/// The number in `node:number`.
fn number(edge: &Edge, id: &str) -> Result<u64, ElasticError> {
    let malformed = || ElasticError::illegal_argument(format!("malformed task id {id}"));
    let (node, number) = id.split_once(':').ok_or_else(malformed)?;
    let number = number.parse().map_err(|_| malformed())?;
    if node != uuid_text(edge.info.uuid) {
        let reason = format!(
            "task [{id}] belongs to the node [{node}] which isn't part of the cluster and there \
             is no record of the task"
        );
        return Err(ElasticError::new(
            404,
            "resource_not_found_exception",
            reason,
        ));
    }
    Ok(number)
}

fn missing(id: &str) -> ElasticError {
    let reason = format!("task [{id}] isn't running and hasn't stored its results");
    ElasticError::new(404, "resource_not_found_exception", reason)
}

fn shown(edge: &Edge, task: &Task, ended: Option<&Ended>, detailed: bool) -> Value {
    let running_ns = ended.map_or_else(|| task.running_ns(), |ended| ended.running_ns);
    let start = &task.start;
    let mut shown = json!({
        "node": uuid_text(edge.info.uuid),
        "id": task.number,
        "type": "transport",
        "action": start.action,
        "start_time_in_millis": task.started_ms,
        "running_time_in_nanos": running_ns,
        "cancellable": start.is_cancellable,
        "cancelled": start.stop.is_set(),
        "headers": {},
    });
    if let Some(opaque_id) = &start.opaque_id {
        shown["headers"] = json!({ "X-Opaque-Id": opaque_id });
    }
    if detailed {
        let body = &start.body[..start.body.len().min(BODY_BYTES_MAX)];
        let body = String::from_utf8_lossy(body);
        let description = format!("{} {body}", start.path);
        shown["description"] = description.trim_end().into();
        // OpenSearch's shape; nothing is measured by task.
        shown["resource_stats"] = json!({
            "total": { "cpu_time_in_nanos": 0, "memory_in_bytes": 0 },
            "thread_info": { "thread_executions": 1, "active_threads": 1 },
        });
        if let Some(status) = task.status() {
            shown["status"] = status;
        }
    }
    shown
}
