//! The tables and what stands in them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Column, Table, column, hidden, node_tables, number, shard_tables};
use crate::db::templates;
use crate::elastic::{
    AliasPatterns, ElasticError, Expand, Health, IndexOptions, is_closed, matches_wildcard,
    replicas, uuid_text,
};
use crate::error::Result;
use crate::server::http::edge::Edge;
use crate::server::http::monitor::Sizes;
use crate::server::http::request::Request;

/// All tables.
pub(super) const NAMES: &[&str] = &[
    "aliases",
    "allocation",
    "cluster_manager",
    "count",
    "fielddata",
    "health",
    "indices",
    "master",
    "nodeattrs",
    "nodes",
    "pending_tasks",
    "plugins",
    "recovery",
    "repositories",
    "segments",
    "shards",
    "snapshots",
    "tasks",
    "templates",
    "thread_pool",
];

/// The address that the node is said to have: it does not know its own.
pub(super) const ADDRESS: &str = "127.0.0.1";

/// The table `name`, of `names` alone if there are any.
pub(super) fn table(
    edge: &Edge,
    request: &Request,
    name: &str,
    names: Option<&str>,
) -> Result<Table> {
    match name {
        "aliases" => aliases(edge, request, names),
        "allocation" => node_tables::allocation(edge, request, names),
        "count" => count(edge, request, names),
        "fielddata" => Ok(node_tables::field_data()),
        "health" => health(edge, request),
        "indices" => indices(edge, request, names),
        "master" | "cluster_manager" => Ok(node_tables::manager(edge)),
        "nodeattrs" => Ok(node_tables::attributes()),
        "nodes" => node_tables::nodes(edge, request),
        "pending_tasks" => Ok(node_tables::pending_tasks()),
        "plugins" => Ok(node_tables::plugins()),
        "recovery" => shard_tables::recovery(edge, request, names),
        "repositories" => Ok(node_tables::repositories()),
        "segments" => shard_tables::segments(edge, request, names),
        "shards" => shard_tables::shards(edge, request, names),
        "snapshots" => Ok(node_tables::snapshots()),
        "tasks" => Ok(node_tables::tasks(edge, request)?),
        "templates" => templates_table(edge, names),
        "thread_pool" => Ok(node_tables::thread_pools(edge, names)),
        unknown => {
            let reason = format!("there is no table [{unknown}]");
            Err(ElasticError::illegal_argument(reason).into())
        }
    }
}

fn aliases(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let options = request.index_options_on(IndexOptions {
        expand: Expand::ALL,
        ..IndexOptions::default()
    })?;
    let patterns = names.map(AliasPatterns::parse);
    let mut rows = Vec::new();
    for named in edge.db.named("_all", options)? {
        for (alias, body) in named.state.aliases.iter() {
            if patterns
                .as_ref()
                .is_some_and(|patterns| !patterns.fits(alias))
            {
                continue;
            }
            let text = |key: &str| match body.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => flag.to_string(),
                _ => "-".into(),
            };
            let filter = if body.get("filter").is_some() {
                "*"
            } else {
                "-"
            };
            rows.push(vec![
                alias.clone(),
                named.state.topic.name.to_string(),
                filter.into(),
                text("index_routing"),
                text("search_routing"),
                text("is_write_index"),
            ]);
        }
    }
    rows.sort();
    let columns = vec![
        column("alias", "a"),
        column("index", "i,idx"),
        column("filter", "f,fi"),
        column("routing.index", "ri,routingIndex"),
        column("routing.search", "rs,routingSearch"),
        column("is_write_index", "w,isWriteIndex"),
    ];
    Ok(Table { columns, rows })
}

/// Seconds since 1970 and the time of day.
fn now(edge: &Edge) -> [String; 2] {
    let now_ms = edge.db.core().now_ms();
    [(now_ms / 1000).to_string(), printed(now_ms, "%H:%M:%S")]
}

pub(super) fn printed(ms: i64, format: &str) -> String {
    let instant = Timestamp::from_millisecond(ms);
    instant.map_or_else(
        |_| String::new(),
        |instant| instant.to_zoned(TimeZone::UTC).strftime(format).to_string(),
    )
}

fn count(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let topics = edge
        .db
        .topics(names.unwrap_or("_all"), request.index_options()?)?;
    let rows: usize = topics.iter().map(|topic| edge.db.row_count(topic.id)).sum();
    let [epoch, time] = now(edge);
    Ok(Table {
        columns: vec![
            column("epoch", "t,time"),
            column("timestamp", "ts,hms,hhmmss"),
            column("count", "dc,docs.count,docsCount"),
        ],
        rows: vec![vec![epoch, time, rows.to_string()]],
    })
}

fn health(edge: &Edge, request: &Request) -> Result<Table> {
    let options = IndexOptions {
        expand: Expand::ALL,
        ..IndexOptions::default()
    };
    let topics = edge.db.topics("_all", options)?;
    let topics: Vec<_> = topics.iter().map(AsRef::as_ref).collect();
    let health = Health::of(&topics);
    let [epoch, time] = now(edge);
    let shown = request.switch("ts")? != Some(false);
    let clock = |name, aliases| Column {
        shown,
        ..column(name, aliases)
    };
    Ok(Table {
        columns: vec![
            clock("epoch", "t,time"),
            clock("timestamp", "ts,hms,hhmmss"),
            column("cluster", "cl"),
            column("status", "st"),
            number("node.total", "nt,nodeTotal"),
            number("node.data", "nd,nodeData"),
            column("discovered_cluster_manager", "dcm,dm"),
            number("shards", "t,sh,shards.total,shardsTotal"),
            number("pri", "p,shards.primary,shardsPrimary"),
            number("relo", "r,shards.relocating,shardsRelocating"),
            number("init", "i,shards.initializing,shardsInitializing"),
            number("unassign", "u,shards.unassigned,shardsUnassigned"),
            number("pending_tasks", "pt,pendingTasks"),
            column("max_task_wait_time", "mtwt,maxTaskWaitTime"),
            column("active_shards_percent", "asp,activeShardsPercent"),
        ],
        rows: vec![vec![
            epoch,
            time,
            edge.info.name.clone(),
            health.color().into(),
            "1".into(),
            "1".into(),
            "true".into(),
            health.shards().to_string(),
            health.shards().to_string(),
            "0".into(),
            "0".into(),
            health.missing().to_string(),
            "0".into(),
            "-".into(),
            format!("{:.1}%", health.percent()),
        ]],
    })
}

fn indices(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let wanted = request.param("health");
    if let Some(other) = wanted.filter(|health| !["green", "yellow", "red"].contains(health)) {
        let reason = format!("unknown cluster health status [{other}]");
        return Err(ElasticError::illegal_argument(reason).into());
    }
    let options = request.index_options_on(IndexOptions {
        expand: Expand::SHOWN,
        ..IndexOptions::default()
    })?;
    let mut rows = Vec::new();
    for topic in edge.db.topics(names.unwrap_or("_all"), options)? {
        let color = Health::of(&[&topic]).color();
        if wanted.is_some_and(|wanted| wanted != color) {
            continue;
        }
        let closed = is_closed(&topic);
        let sizes = Sizes::of(edge, &topic);
        let open = |text: String| if closed { String::new() } else { text };
        let bytes = match request.param("bytes") {
            Some("b") => sizes.bytes.to_string(),
            _ => size_text(sizes.bytes),
        };
        let created = printed(topic.created_ms, "%Y-%m-%dT%H:%M:%S%.3fZ");
        rows.push(vec![
            color.into(),
            if closed { "close" } else { "open" }.into(),
            topic.name.to_string(),
            uuid_text(topic.uuid),
            topic.partitions.to_string(),
            replicas(&topic).to_string(),
            open(sizes.rows.to_string()),
            open(sizes.deleted.to_string()),
            open(bytes.clone()),
            open(bytes),
            topic.created_ms.to_string(),
            created,
        ]);
    }
    let columns = vec![
        column("health", "h"),
        column("status", "s"),
        column("index", "i,idx"),
        column("uuid", "id"),
        number("pri", "p,shards.primary,shardsPrimary"),
        number("rep", "r,shards.replica,shardsReplica"),
        number("docs.count", "dc,docsCount"),
        number("docs.deleted", "dd,docsDeleted"),
        number("store.size", "ss,storeSize"),
        number("pri.store.size", ""),
        hidden("creation.date", "cd"),
        hidden("creation.date.string", "cds"),
    ];
    Ok(Table { columns, rows })
}

fn templates_table(edge: &Edge, names: Option<&str>) -> Result<Table> {
    let known = templates(&edge.db.catalog());
    let fits = |name: &str| names.is_none_or(|pattern| matches_wildcard(pattern, name));
    let list = |value: Option<&Value>| {
        let items: Vec<&str> = match value {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        format!("[{}]", items.join(", "))
    };
    let plain = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let mut rows = Vec::new();
    for (name, body) in known.legacy.iter().filter(|(name, _)| fits(name)) {
        let order = body
            .get("order")
            .map_or_else(|| "0".into(), |order| plain(Some(order)));
        rows.push(vec![
            name.clone(),
            list(body.get("index_patterns")),
            order,
            plain(body.get("version")),
            String::new(),
        ]);
    }
    for (name, body) in known.index.iter().filter(|(name, _)| fits(name)) {
        rows.push(vec![
            name.clone(),
            list(body.get("index_patterns")),
            plain(body.get("priority")),
            plain(body.get("version")),
            list(body.get("composed_of")),
        ]);
    }
    let columns = vec![
        column("name", "n"),
        column("index_patterns", "t"),
        column("order", "o,p"),
        column("version", "v"),
        column("composed_of", "c"),
    ];
    Ok(Table { columns, rows })
}

/// Bytes as people read them: `1.5kb`.
pub(super) fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kb", "mb", "gb", "tb", "pb"];
    if bytes < 1024 {
        return format!("{bytes}b");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1}{}", UNITS[unit]).replace(".0", "")
}
