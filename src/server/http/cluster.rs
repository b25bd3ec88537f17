//! Who this is and how it is: what clients, shippers and dashboards ask before anything else.

use serde_json::json;
use storage::catalog::DefinitionKind;
use storage::store::ScrubProgress;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::SERVER_SETTINGS;
use crate::elastic::{
    ElasticError, Expand, Health, HealthLevel, IndexOptions, change_server_settings,
    render_changed_settings, render_health, render_info, render_server_settings, uuid_text,
};
use crate::error::Result;

pub(super) fn root(edge: &Edge) -> Reply {
    Reply::ok(render_info(&edge.info))
}

/// The one node is well, or the process would have stopped; replicas that an index asks for are
/// missing. What is waited for and does not come is answered with 408 at once: nothing changes here
/// by itself.
pub(super) fn health(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let options = request.index_options_on(IndexOptions {
        expand: Expand::ALL,
        ..IndexOptions::default()
    })?;
    let found = edge.db.topics(index.unwrap_or("_all"), options);
    let is_missing = found.is_err();
    let topics = found.unwrap_or_default();
    let topics: Vec<_> = topics.iter().map(AsRef::as_ref).collect();
    let level = match request.param("level") {
        None | Some("cluster") => HealthLevel::Cluster,
        Some("indices") => HealthLevel::Indices,
        Some("shards") => HealthLevel::Shards,
        Some(other) => {
            let reason = format!("level must be one of cluster, indices, shards but was {other}");
            return Err(ElasticError::illegal_argument(reason).into());
        }
    };
    let health = Health::of(&topics);
    let awaited = match request.param("wait_for_status") {
        None => true,
        Some("green") => !health.is_yellow(),
        Some("yellow" | "red") => true,
        Some(other) => {
            let reason = format!("unknown cluster health status [{other}]");
            return Err(ElasticError::illegal_argument(reason).into());
        }
    };
    let timed_out = is_missing
        || !awaited
        || !request.param("wait_for_nodes").is_none_or(is_one)
        || request
            .param("wait_for_active_shards")
            .is_some_and(|shards| {
                let count = shards.parse::<usize>();
                match count {
                    Ok(count) => count > health.shards(),
                    Err(_) => shards == "all" && health.is_yellow(),
                }
            });
    let status = if timed_out { 408 } else { 200 };
    let bytes = render_health(&edge.info, &topics, level, timed_out);
    Ok(Reply::json(status, bytes))
}

/// Whether one node is as many as `wait_for_nodes` says.
fn is_one(wanted: &str) -> bool {
    let forms = [">=", "<=", ">", "<", "ge(", "le(", "gt(", "lt("];
    let form = forms.iter().find(|form| wanted.starts_with(**form));
    let digits = wanted.trim_matches(|c: char| !c.is_ascii_digit());
    let Ok(count) = digits.parse::<u64>() else {
        return true;
    };
    match form.copied() {
        Some(">=" | "ge(") => count <= 1,
        Some("<=" | "le(") => count >= 1,
        Some(">" | "gt(") => count < 1,
        Some(_less) => count > 1,
        None => count == 1,
    }
}

/// `/_cluster/settings`: kept and shown; `action.destructive_requires_name` works.
pub(super) fn settings(edge: &Edge, request: &Request) -> Result<Reply> {
    let catalog = edge.db.catalog();
    let known = catalog.definition(DefinitionKind::ServerSettings, SERVER_SETTINGS);
    let mut settings = known.map_or_else(|| json!({}), |known| known.as_ref().clone());
    let is_flat = request.switch("flat_settings")? == Some(true);
    if request.method == Method::Get {
        let defaults = request.switch("include_defaults")? == Some(true);
        return Ok(Reply::ok(render_server_settings(
            &settings, is_flat, defaults,
        )));
    }
    let changed = change_server_settings(&mut settings, &request.body)?;
    let kind = DefinitionKind::ServerSettings;
    edge.db.put_definition(kind, SERVER_SETTINGS, &settings)?;
    Ok(Reply::ok(render_changed_settings(&changed, is_flat)))
}

pub(super) fn nodes(edge: &Edge) -> Reply {
    let node = json!({
        "name": edge.info.name,
        "transport_address": edge.address,
        "host": edge.address,
        "ip": edge.address,
        "version": edge.info.version,
        "build_type": "tar",
        "roles": ["master", "data", "ingest"],
        "http": { "bound_address": [edge.address], "publish_address": edge.address },
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
