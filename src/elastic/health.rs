//! How well the node and its indices are: `_cluster/health`.

use serde_json::{Map, Value, json};
use storage::catalog::Topic;

use super::ServerInfo;
use super::read;

/// How much is said of each index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthLevel {
    /// Nothing.
    Cluster,
    /// Counts of each index.
    Indices,
    /// And its shards.
    Shards,
}

/// Shards that are there, and copies of them that are asked for and missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    shards: usize,
    missing: usize,
}

impl Health {
    /// Of these indices together.
    #[must_use]
    pub fn of(topics: &[&Topic]) -> Self {
        topics.iter().fold(Self::default(), |all, topic| {
            let shards = usize::try_from(topic.partitions).unwrap_or(usize::MAX);
            Self {
                shards: all.shards + shards,
                missing: all.missing + shards.saturating_mul(replicas(topic)),
            }
        })
    }

    /// Whether copies are missing.
    #[must_use]
    pub fn is_yellow(self) -> bool {
        self.missing > 0
    }

    /// Shards that are there.
    #[must_use]
    pub fn shards(self) -> usize {
        self.shards
    }

    /// Copies that are asked for and missing.
    #[must_use]
    pub fn missing(self) -> usize {
        self.missing
    }

    /// How many of a hundred shards and copies are there.
    #[must_use]
    pub fn percent(self) -> f64 {
        match self.shards + self.missing {
            0 => 100.0,
            known => 100.0 * self.shards as f64 / known as f64,
        }
    }

    /// `green` or `yellow`: what is there is well, or the process would have stopped.
    #[must_use]
    pub fn color(self) -> &'static str {
        if self.is_yellow() { "yellow" } else { "green" }
    }
}

/// How many copies of its shards an index asks for; a node has none to give.
#[must_use]
pub fn replicas(topic: &Topic) -> usize {
    let setting = topic.settings.get("index.number_of_replicas");
    let count = setting.and_then(|value| read::integer(value, "number_of_replicas").ok());
    count
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}

/// Prints the answer of `GET /_cluster/health`; `topics` are those it was asked for.
#[must_use]
pub fn render_health(
    info: &ServerInfo,
    topics: &[&Topic],
    level: HealthLevel,
    timed_out: bool,
) -> Vec<u8> {
    let health = Health::of(topics);
    let mut reply = json!({
        "cluster_name": info.name,
        "status": health.color(),
        "timed_out": timed_out,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": true,
        "discovered_cluster_manager": true,
        "active_primary_shards": health.shards,
        "active_shards": health.shards,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": health.missing,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": health.percent(),
    });
    if level != HealthLevel::Cluster {
        let indices = topics
            .iter()
            .map(|topic| (topic.name.to_string(), index(topic, level)));
        reply["indices"] = indices.collect::<Map<_, _>>().into();
    }
    reply.to_string().into_bytes()
}

fn index(topic: &Topic, level: HealthLevel) -> Value {
    let health = Health::of(&[topic]);
    let copies = replicas(topic);
    let mut index = json!({
        "status": health.color(),
        "number_of_shards": topic.partitions,
        "number_of_replicas": copies,
        "active_primary_shards": health.shards,
        "active_shards": health.shards,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": health.missing,
    });
    if level == HealthLevel::Shards {
        let shard = |number: u32| {
            let shard = json!({
                "status": health.color(),
                "primary_active": true,
                "active_shards": 1,
                "relocating_shards": 0,
                "initializing_shards": 0,
                "unassigned_shards": copies,
            });
            (number.to_string(), shard)
        };
        index["shards"] = (0..topic.partitions)
            .map(shard)
            .collect::<Map<_, _>>()
            .into();
    }
    index
}
