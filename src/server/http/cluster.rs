//! Who this is and how it is: what clients, shippers and dashboards ask before anything else.

use serde_json::json;
use storage::store::ScrubProgress;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{ElasticError, render_health, render_info, uuid_text};
use crate::error::Result;

pub(super) fn root(edge: &Edge) -> Reply {
    Reply::ok(render_info(&edge.info))
}

/// The one node is well, or the process would have stopped. A concrete index that does not exist
/// is never well: Elasticsearch answers 408 after its wait.
pub(super) fn health(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let found = edge
        .db
        .topics(index.unwrap_or("_all"), request.index_options()?);
    let missing = found.is_err();
    let topics = found.unwrap_or_default();
    let topics: Vec<_> = topics.iter().map(AsRef::as_ref).collect();
    let status = if missing { 408 } else { 200 };
    Ok(Reply::json(status, render_health(&edge.info, &topics)))
}

pub(super) fn settings() -> Reply {
    Reply::value(200, &json!({ "persistent": {}, "transient": {} }))
}

pub(super) fn nodes(edge: &Edge) -> Reply {
    let node = json!({
        "name": edge.info.name,
        "version": edge.info.version,
        "roles": ["master", "data", "ingest"],
    });
    let id = uuid_text(edge.info.uuid);
    Reply::value(
        200,
        &json!({
            "_nodes": { "total": 1, "successful": 1, "failed": 0 },
            "cluster_name": edge.info.name,
            "nodes": { id: node },
        }),
    )
}

/// How far scrubbing is, and what it found.
pub(super) fn scrub(edge: &Edge) -> Reply {
    let status = edge.db.scrub_status();
    let progress = |progress: ScrubProgress| {
        json!({
            "bytes": progress.bytes,
            "bytes_total": progress.bytes_total.max(progress.bytes),
            "segments": progress.segments,
            "partitions": progress.partitions,
            "findings": progress.findings,
        })
    };
    Reply::value(
        200,
        &json!({
            "running": status.running.map(progress),
            "passes": status.passes,
            "last_finished_ms": status.finished_ms,
            "last": status.last.map(progress),
            "findings": status.findings,
            "repaired": status.repaired,
            "messages": status.messages,
        }),
    )
}

pub(super) fn license() -> Reply {
    let license = json!({ "status": "active", "uid": "siltstone", "type": "basic" });
    Reply::value(200, &json!({ "license": license }))
}

/// A feature that this server does without.
pub(super) fn absent(request: &Request) -> Reply {
    match request.method {
        Method::Head => Reply::empty(404),
        Method::Get | Method::Put | Method::Post | Method::Delete => {
            let reason = "this server has no such feature, and needs none";
            Reply::error(&ElasticError::new(
                404,
                "resource_not_found_exception",
                reason,
            ))
        }
    }
}

/// A line an index: health, status, name, uuid, primaries, replicas, documents.
pub(super) fn cat_indices(edge: &Edge, request: &Request) -> Result<Reply> {
    let mut rows = Vec::new();
    for topic in edge.db.topics("_all", request.index_options()?)? {
        let count = edge.db.row_count(topic.id);
        let partitions = topic.partitions.to_string();
        rows.push(json!({
            "health": "green",
            "status": "open",
            "index": topic.name.as_str(),
            "uuid": uuid_text(topic.uuid),
            "pri": partitions,
            "rep": "0",
            "docs.count": count.to_string(),
        }));
    }
    let wants_json = request.param("format") == Some("json")
        || request
            .accept
            .as_deref()
            .is_some_and(|accept| accept.contains("json"));
    if wants_json {
        return Ok(Reply::value(200, &rows.into()));
    }
    let mut text = String::new();
    for row in rows.iter().filter_map(serde_json::Value::as_object) {
        let cells: Vec<_> = row.values().filter_map(serde_json::Value::as_str).collect();
        text.push_str(&cells.join(" "));
        text.push('\n');
    }
    Ok(Reply::text(text))
}
