//! Tables of partitions, which clients know as shards, and of what they consist of.

use storage::model::PartitionId;

use super::tables::{ADDRESS, size_text};
use super::{Column, Table, column, hidden, number};
use crate::elastic::{ElasticError, IndexOptions, LUCENE_VERSION, is_closed, replicas, uuid_text};
use crate::error::Result;
use crate::server::http::edge::Edge;
use crate::server::http::monitor::Sizes;
use crate::server::http::request::Request;

/// Columns of `/_cat/shards` about what the server does not count: they can be asked for and are
/// empty.
const UNCOUNTED: &[&str] = &[
    "sync_id",
    "unassigned.reason",
    "unassigned.at",
    "unassigned.for",
    "unassigned.details",
    "recoverysource.type",
    "completion.size",
    "fielddata.memory_size",
    "fielddata.evictions",
    "query_cache.memory_size",
    "query_cache.evictions",
    "flush.total",
    "flush.total_time",
    "get.current",
    "get.time",
    "get.total",
    "get.exists_time",
    "get.exists_total",
    "get.missing_time",
    "get.missing_total",
    "indexing.delete_current",
    "indexing.delete_time",
    "indexing.delete_total",
    "indexing.index_current",
    "indexing.index_time",
    "indexing.index_total",
    "indexing.index_failed",
    "merges.current",
    "merges.current_docs",
    "merges.current_size",
    "merges.total",
    "merges.total_docs",
    "merges.total_size",
    "merges.total_time",
    "merges.warmer.total_invocations",
    "merges.warmer.total_time",
    "merges.warmer.ongoing_count",
    "merges.warmer.total_bytes_received",
    "merges.warmer.total_bytes_sent",
    "merges.warmer.total_receive_time",
    "merges.warmer.total_failure_count",
    "merges.warmer.total_send_time",
    "refresh.total",
    "refresh.time",
    "refresh.external_total",
    "refresh.external_time",
    "refresh.listeners",
    "search.fetch_current",
    "search.fetch_time",
    "search.fetch_total",
    "search.open_contexts",
    "search.query_current",
    "search.query_time",
    "search.query_total",
    "search.query_failed",
    "search.concurrent_query_current",
    "search.concurrent_query_time",
    "search.concurrent_query_total",
    "search.concurrent_avg_slice_count",
    "search.startree_query_current",
    "search.startree_query_time",
    "search.startree_query_total",
    "search.startree_query_failed",
    "search.scroll_current",
    "search.scroll_time",
    "search.scroll_total",
    "search.point_in_time_current",
    "search.point_in_time_time",
    "search.point_in_time_total",
    "search.search_idle_reactivate_count_total",
    "segments.count",
    "segments.memory",
    "segments.index_writer_memory",
    "segments.version_map_memory",
    "segments.fixed_bitset_memory",
    "seq_no.max",
    "seq_no.local_checkpoint",
    "seq_no.global_checkpoint",
    "warmer.current",
    "warmer.total",
    "warmer.total_time",
    "path.data",
    "path.state",
];

/// `/_cat/shards`
pub(super) fn shards(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let mut columns = vec![
        column("index", "i,idx"),
        column("shard", "s,sh"),
        column("prirep", "p,pr,primaryOrReplica"),
        column("state", "st"),
        number("docs", "d,dc"),
        number("store", "sto"),
        column("ip", ""),
        hidden("id", ""),
        column("node", "n"),
    ];
    columns.extend(UNCOUNTED.iter().map(|name| hidden(name, "")));
    columns.push(hidden("docs.deleted", "dd"));
    let width = columns.len();
    let padded = |cells: Vec<String>, deleted: String| {
        let mut row = cells;
        row.resize(width - 1, String::new());
        row.push(deleted);
        row
    };
    let id = uuid_text(edge.info.uuid);
    let mut rows = Vec::new();
    let topics = edge
        .db
        .topics(names.unwrap_or("_all"), request.index_options()?)?;
    for topic in topics {
        let sizes = Sizes::of(edge, &topic);
        for shard in topic.partitions() {
            // Rows of an index are not told apart by partition.
            let is_first = shard.id == PartitionId(0);
            let own = |count: u64| if is_first { count } else { 0 };
            let index = topic.name.to_string();
            let number = shard.id.0.to_string();
            let cells = vec![
                index.clone(),
                number.clone(),
                "p".into(),
                "STARTED".into(),
                own(sizes.rows).to_string(),
                size_text(own(sizes.bytes)),
                ADDRESS.into(),
                id.clone(),
                edge.info.name.clone(),
            ];
            rows.push(padded(cells, own(sizes.deleted).to_string()));
            for _ in 0..replicas(&topic) {
                let cells = vec![
                    index.clone(),
                    number.clone(),
                    "r".into(),
                    "UNASSIGNED".into(),
                ];
                rows.push(padded(cells, String::new()));
            }
        }
    }
    Ok(Table { columns, rows })
}

/// `/_cat/segments`: files, and what is not in a file yet as one more. Segments cover all
/// partitions of an index; they stand with the first.
pub(super) fn segments(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let options = IndexOptions {
        closed: true,
        ..request.index_options()?
    };
    let catalog = edge.db.catalog();
    let mut rows = Vec::new();
    for topic in edge.db.topics(names.unwrap_or("_all"), options)? {
        if is_closed(&topic) {
            return Err(ElasticError::index_closed(topic.name.as_str()).into());
        }
        let Some(state) = catalog.topic(topic.id) else {
            continue;
        };
        let mut push = |rows_count: u64, deleted: u64, bytes: u64, committed: bool| {
            let generation = rows.len();
            rows.push(vec![
                topic.name.to_string(),
                "0".into(),
                "p".into(),
                ADDRESS.into(),
                uuid_text(edge.info.uuid),
                format!("_{generation}"),
                generation.to_string(),
                rows_count.to_string(),
                deleted.to_string(),
                size_text(bytes),
                "0".into(),
                committed.to_string(),
                "true".into(),
                LUCENE_VERSION.into(),
                "false".into(),
            ]);
        };
        let mut sealed = 0;
        for segment in &state.segments {
            let overlay = segment.overlay.as_ref();
            let deleted = overlay.map_or(0, |own| own.deleted_rows);
            let live = segment.row_count.saturating_sub(deleted);
            sealed += live;
            push(live, deleted, segment.bytes, true);
        }
        let all = edge.db.row_count(topic.id) as u64;
        if all > sealed {
            push(all - sealed, 0, 0, false);
        }
    }
    let columns = vec![
        column("index", "i,idx"),
        column("shard", "s,sh"),
        column("prirep", "p,pr,primaryOrReplica"),
        column("ip", ""),
        hidden("id", ""),
        column("segment", "seg"),
        number("generation", "g,gen"),
        number("docs.count", "dc,docsCount"),
        number("docs.deleted", "dd,docsDeleted"),
        number("size", "si"),
        number("size.memory", "sm,sizeMemory"),
        column("committed", "ic,isCommitted"),
        column("searchable", "is,isSearchable"),
        column("version", "v,ver"),
        column("compound", "ico,isCompound"),
    ];
    Ok(Table { columns, rows })
}

/// `/_cat/recovery`: what a start found. Nothing is copied from elsewhere, so all of it is done.
pub(super) fn recovery(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let columns: Vec<Column> = [
        ("index", "i,idx"),
        ("shard", "s,sh"),
        ("time", "t,ti"),
        ("type", "ty"),
        ("stage", "st"),
        ("source_host", "shost"),
        ("source_node", "snode"),
        ("target_host", "thost"),
        ("target_node", "tnode"),
        ("repository", "rep"),
        ("snapshot", "snap"),
        ("files", "f"),
        ("files_recovered", "fr"),
        ("files_percent", "fp"),
        ("files_total", "tf"),
        ("bytes", "b"),
        ("bytes_recovered", "br"),
        ("bytes_percent", "bp"),
        ("bytes_total", "tb"),
        ("translog_ops", "to"),
        ("translog_ops_recovered", "tor"),
        ("translog_ops_percent", "top"),
    ]
    .map(|(name, aliases)| column(name, aliases))
    .into();
    let options = IndexOptions {
        closed: true,
        ..request.index_options()?
    };
    let mut rows = Vec::new();
    for topic in edge.db.topics(names.unwrap_or("_all"), options)? {
        for shard in topic.partitions() {
            let row = [
                topic.name.as_str(),
                &shard.id.0.to_string(),
                "0ms",
                "existing_store",
                "done",
                "n/a",
                "n/a",
                ADDRESS,
                &edge.info.name,
                "n/a",
                "n/a",
                "0",
                "0",
                "100.0%",
                "0",
                "0b",
                "0b",
                "100.0%",
                "0b",
                "0",
                "0",
                "100.0%",
            ];
            rows.push(row.map(str::to_owned).into());
        }
    }
    Ok(Table { columns, rows })
}
