//! What tools that watch a server ask: statistics, tasks, the state of the cluster.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use storage::catalog::Topic;

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::templates;
use crate::elastic::{
    Expand, Health, IndexOptions, is_closed, mapping_to_value, replicas, uuid_text,
};
use crate::error::Result;

/// `/[{index}/]_stats`: rows and bytes of each index.
pub(super) fn stats(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = edge.db.topics(index, request.index_options()?)?;
    let mut all = Sizes::default();
    let mut indices = Map::new();
    for topic in &topics {
        let sizes = Sizes::of(edge, topic);
        all.add(sizes);
        let shown = json!({
            "uuid": uuid_text(topic.uuid),
            "primaries": sizes.to_value(),
            "total": sizes.to_value(),
        });
        indices.insert(topic.name.to_string(), shown);
    }
    let shards = shards(&topics);
    let all = json!({ "primaries": all.to_value(), "total": all.to_value() });
    let reply = json!({ "_shards": shards, "_all": all, "indices": indices });
    Ok(Reply::value(200, &reply))
}

/// How much an index holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) rows: u64,
    pub(super) deleted: u64,
    pub(super) bytes: u64,
    pub(super) segments: u64,
}

impl Sizes {
    pub(super) fn of(edge: &Edge, topic: &Topic) -> Self {
        let catalog = edge.db.catalog();
        let segments = catalog.topic(topic.id).map(|state| &state.segments);
        let segments = segments.into_iter().flatten();
        segments.fold(
            Self {
                rows: edge.db.row_count(topic.id) as u64,
                ..Self::default()
            },
            |sizes, segment| {
                let overlay = segment.overlay.as_ref();
                Self {
                    bytes: sizes.bytes + segment.bytes + overlay.map_or(0, |own| own.bytes),
                    deleted: sizes.deleted + overlay.map_or(0, |own| own.deleted_rows),
                    segments: sizes.segments + 1,
                    ..sizes
                }
            },
        )
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.deleted += other.deleted;
        self.bytes += other.bytes;
        self.segments += other.segments;
    }

    fn to_value(self) -> Value {
        json!({
            "docs": { "count": self.rows, "deleted": self.deleted },
            "store": { "size_in_bytes": self.bytes, "reserved_in_bytes": 0 },
            "segments": { "count": self.segments },
            "fielddata": { "memory_size_in_bytes": 0, "evictions": 0 },
            "query_cache": { "memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0 },
            "request_cache": { "memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0 },
        })
    }
}

fn shards(topics: &[Arc<Topic>]) -> Value {
    let total: u64 = topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    json!({ "total": total, "successful": total, "failed": 0 })
}

/// `/_cluster/state`: as much of it as one node has.
pub(super) fn state(
    edge: &Edge,
    request: &Request,
    metrics: Option<&str>,
    index: &str,
) -> Result<Reply> {
    let options = request.index_options_on(IndexOptions {
        expand: Expand::ALL,
        ..IndexOptions::default()
    })?;
    let node = uuid_text(edge.info.uuid);
    let catalog = edge.db.catalog();
    let mut reply = json!({
        "cluster_name": edge.info.name,
        "cluster_uuid": node,
        "version": catalog.edit_count(),
        "state_uuid": node,
    });
    let wants = |metric: &str| {
        let mut metrics = metrics.unwrap_or("_all").split(',');
        metrics.any(|wanted| wanted == "_all" || wanted == metric)
    };
    for metric in ["master_node", "cluster_manager_node"] {
        if wants(metric) {
            reply[metric] = node.clone().into();
        }
    }
    if wants("nodes") {
        reply["nodes"] = json!({ &node: { "name": edge.info.name, "attributes": {} } });
    }
    if wants("blocks") {
        reply["blocks"] = json!({});
    }
    if wants("metadata") {
        let mut indices = Map::new();
        for named in edge.db.named(index, options)? {
            let topic = &named.state.topic;
            let state = if is_closed(topic) { "close" } else { "open" };
            let shown = json!({
                "state": state,
                "settings": { "index": {
                    "number_of_shards": topic.partitions.to_string(),
                    "number_of_replicas": replicas(topic).to_string(),
                    "uuid": uuid_text(topic.uuid),
                } },
                "mappings": { "_doc": mapping_to_value(&topic.mapping, topic.dynamic) },
                "aliases": named.state.aliases.keys().collect::<Vec<_>>(),
            });
            indices.insert(topic.name.to_string(), shown);
        }
        let known = templates(&catalog);
        reply["metadata"] = json!({
            "cluster_uuid": node,
            "templates": known.legacy.keys().map(|name| (name.clone(), json!({})))
                .collect::<Map<_, _>>(),
            "indices": indices,
        });
    }
    Ok(Reply::value(200, &reply))
}

/// `/_cluster/stats`
pub(super) fn cluster_stats(edge: &Edge) -> Result<Reply> {
    let topics = edge.db.topics("_all", IndexOptions::default())?;
    let mut all = Sizes::default();
    for topic in &topics {
        all.add(Sizes::of(edge, topic));
    }
    let known: Vec<&Topic> = topics.iter().map(AsRef::as_ref).collect();
    let health = Health::of(&known);
    let mut indices = all.to_value();
    indices["count"] = topics.len().into();
    indices["shards"] = json!({ "total": health.shards(), "primaries": health.shards() });
    Ok(Reply::value(
        200,
        &json!({
            "_nodes": { "total": 1, "successful": 1, "failed": 0 },
            "cluster_name": edge.info.name,
            "cluster_uuid": uuid_text(edge.info.uuid),
            "status": health.color(),
            "indices": indices,
            "nodes": { "count": { "total": 1, "data": 1 }, "versions": [edge.info.version] },
        }),
    ))
}

/// `/_cluster/pending_tasks`: an edit is done when it is answered.
pub(super) fn pending_tasks() -> Reply {
    Reply::value(200, &json!({ "tasks": [] }))
}
