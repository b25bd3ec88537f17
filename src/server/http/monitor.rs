//! What tools that watch a server ask: statistics, tasks, the state of the cluster.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use storage::catalog::Topic;
use storage::model::PartitionId;

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::templates;
use crate::elastic::{
    ElasticError, Expand, Health, IndexOptions, did_you_mean, is_closed, mapping_to_value,
    replicas, uuid_text,
};
use crate::error::Result;

/// What `_stats` tells about, in the order that it is asked by.
const METRICS: &[&str] = &[
    "docs",
    "store",
    "indexing",
    "get",
    "search",
    "merge",
    "refresh",
    "flush",
    "warmer",
    "query_cache",
    "fielddata",
    "completion",
    "segments",
    "translog",
    "request_cache",
    "recovery",
];

/// `/[{index}/]_stats[/{metrics}]`: rows and bytes of each index.
pub(super) fn stats(
    edge: &Edge,
    request: &Request,
    index: &str,
    metrics: Option<&str>,
) -> Result<Reply> {
    let chosen = Metrics::parse(request, metrics)?;
    let topics = edge.db.topics(index, request.index_options()?)?;
    let level = request.param("level").unwrap_or("indices");
    if !matches!(level, "cluster" | "indices" | "shards") {
        let reason = format!(
            "level parameter must be one of [cluster] or [indices] or [shards] but was [{level}]"
        );
        return Err(ElasticError::illegal_argument(reason).into());
    }
    let mut all = Sizes::default();
    let mut indices = Map::new();
    for topic in &topics {
        let sizes = Sizes::of(edge, topic);
        all.add(sizes);
        let mut shown = json!({
            "uuid": uuid_text(topic.uuid),
            "primaries": chosen.of(sizes),
            "total": chosen.of(sizes),
        });
        if level == "shards" {
            shown["shards"] = by_shard(edge, topic, sizes, &chosen);
        }
        indices.insert(topic.name.to_string(), shown);
    }
    let shards = shards(&topics);
    let all = json!({ "primaries": chosen.of(all), "total": chosen.of(all) });
    let mut reply = json!({ "_shards": shards, "_all": all });
    if level != "cluster" {
        reply["indices"] = indices.into();
    }
    Ok(Reply::value(200, &reply))
}

/// Which of the metrics are shown.
#[derive(Debug)]
pub(super) struct Metrics {
    /// All when empty.
    chosen: Vec<String>,
}

impl Metrics {
    pub(super) fn parse(request: &Request, names: Option<&str>) -> Result<Self, ElasticError> {
        let chosen: Vec<String> = names
            .into_iter()
            .flat_map(|names| names.split(','))
            .map(|name| name.trim().to_owned())
            .collect();
        if chosen.iter().any(|name| name == "_all") {
            return match chosen.len() {
                1 => Ok(Self { chosen: Vec::new() }),
                _ => Err(ElasticError::illegal_argument(format!(
                    "request [{}] contains _all and individual metrics [{}]",
                    request.path,
                    chosen.join(",")
                ))),
            };
        }
        match chosen.iter().find(|name| !METRICS.contains(&name.as_str())) {
            None => Ok(Self { chosen }),
            Some(unknown) => Err(ElasticError::illegal_argument(format!(
                "request [{}] contains unrecognized metric: [{unknown}]{}",
                request.path,
                did_you_mean(unknown, METRICS)
            ))),
        }
    }

    /// What is shown of `sizes`. Of what the server does not count, only what is so at this
    /// moment is said.
    pub(super) fn of(&self, sizes: Sizes) -> Value {
        let all = sizes.to_value();
        let mut shown = Map::new();
        for name in METRICS {
            let is_chosen = self.chosen.is_empty() || self.chosen.iter().any(|own| own == name);
            let key = if *name == "merge" { "merges" } else { name };
            if is_chosen && let Some(value) = all.get(key) {
                shown.insert(key.to_owned(), value.clone());
            }
        }
        Value::Object(shown)
    }
}

/// Rows of an index are not told apart by partition: the first has them.
fn by_shard(edge: &Edge, topic: &Topic, sizes: Sizes, chosen: &Metrics) -> Value {
    let routing = json!({
        "state": "STARTED",
        "primary": true,
        "node": uuid_text(edge.info.uuid),
        "relocating_node": null,
    });
    let shards = topic.partitions().map(|shard| {
        let is_first = shard.id == PartitionId(0);
        let own = if is_first { sizes } else { Sizes::default() };
        let mut shown = json!({ "routing": routing });
        if let (Value::Object(shown), Value::Object(own)) = (&mut shown, chosen.of(own)) {
            shown.extend(own);
        }
        (shard.id.0.to_string(), json!([shown]))
    });
    Value::Object(shards.collect())
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
            "indexing": { "is_throttled": false, "throttle_time_in_millis": 0 },
            "get": { "current": 0 },
            "search": { "query_current": 0 },
            "merges": { "current": 0 },
            "refresh": { "listeners": 0 },
            "flush": { "periodic": 0 },
            "warmer": { "current": 0 },
            "query_cache": { "memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0 },
            "fielddata": { "memory_size_in_bytes": 0, "evictions": 0 },
            "completion": { "size_in_bytes": 0 },
            "segments": { "count": self.segments },
            "translog": { "uncommitted_operations": 0 },
            "request_cache": { "memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0 },
            "recovery": { "current_as_source": 0, "current_as_target": 0 },
        })
    }
}

/// Shards that are asked for, copies that one node cannot have among them, and those that answer.
fn shards(topics: &[Arc<Topic>]) -> Value {
    let copies = |topic: &Topic| u64::from(topic.partitions) * (1 + replicas(topic) as u64);
    let total: u64 = topics.iter().map(|topic| copies(topic)).sum();
    let successful: u64 = topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    json!({ "total": total, "successful": successful, "failed": 0 })
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
                "routing_num_shards": shards_by_splitting(topic.partitions),
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

/// Into how many shards an index could be split at most, as OpenSearch reckons it: halved once at
/// least, and as long as there are not more than 1,024.
fn shards_by_splitting(shards: u32) -> u32 {
    const LOG_MAX: u32 = 10;
    let log = u32::BITS - shards.saturating_sub(1).leading_zeros();
    shards.saturating_mul(1 << LOG_MAX.saturating_sub(log).max(1))
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
