//! Tables of what the node is and has.

use super::tables::{ADDRESS, printed, size_text};
use super::{Column, Table, column, hidden, number};
use crate::elastic::{ElasticError, IndexOptions, matches_wildcard, uuid_text};
use crate::error::Result;
use crate::metrics::{load_averages, open_files, open_files_max};
use crate::server::http::edge::Edge;
use crate::server::http::monitor::Sizes;
use crate::server::http::request::Request;

/// A column of numbers that is shown when it is asked for.
const fn hidden_number(name: &'static str, aliases: &'static str) -> Column {
    Column {
        right: true,
        ..hidden(name, aliases)
    }
}

/// What share `part` is of `whole`, in percent.
fn percent(part: u64, whole: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "shares are shown with two digits"
    )]
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    share
}

/// `/_cat/allocation`
pub(super) fn allocation(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Table> {
    let topics = edge.db.topics("_all", IndexOptions::default())?;
    let shards: u64 = topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    let bytes: u64 = topics
        .iter()
        .map(|topic| Sizes::of(edge, topic).bytes)
        .sum();
    let (free, total) = edge.db.core().store.disk_room();
    let used = total.saturating_sub(free);
    let size = |bytes: u64| match request.param("bytes") {
        Some("b") => bytes.to_string(),
        _ => size_text(bytes),
    };
    let is_this = names.is_none_or(|names| is_this_node(edge, names));
    Ok(Table {
        columns: vec![
            number("shards", "s"),
            number("disk.indices", "di,diskIndices"),
            number("disk.used", "du,diskUsed"),
            number("disk.avail", "da,diskAvail"),
            number("disk.total", "dt,diskTotal"),
            number("disk.percent", "dp,diskPercent"),
            column("host", "h"),
            column("ip", ""),
            column("node", "n"),
        ],
        rows: match is_this {
            false => Vec::new(),
            true => vec![vec![
                shards.to_string(),
                size(bytes),
                size(used),
                size(free),
                size(total),
                format!("{:.0}", percent(used, total)),
                ADDRESS.into(),
                ADDRESS.into(),
                edge.info.name.clone(),
            ]],
        },
    })
}

fn is_this_node(edge: &Edge, names: &str) -> bool {
    names.split(',').any(|name| {
        matches!(name, "_all" | "_local" | "_master" | "_cluster_manager")
            || name == uuid_text(edge.info.uuid)
            || matches_wildcard(name, &edge.info.name)
    })
}

/// `/_cat/master`, `/_cat/cluster_manager`
pub(super) fn manager(edge: &Edge) -> Table {
    Table {
        columns: vec![
            column("id", ""),
            column("host", "h"),
            column("ip", ""),
            column("node", "n"),
        ],
        rows: vec![vec![
            uuid_text(edge.info.uuid),
            ADDRESS.into(),
            ADDRESS.into(),
            edge.info.name.clone(),
        ]],
    }
}

/// `/_cat/nodes`
pub(super) fn nodes(edge: &Edge, request: &Request) -> Result<Table> {
    let id = uuid_text(edge.info.uuid);
    let id = match request.switch("full_id")? {
        Some(true) => id,
        Some(false) | None => id.chars().take(4).collect(),
    };
    // There is no heap: it is the account of the store's memory.
    let (heap, heap_max) = edge.db.memory_account();
    let (free, total) = edge.db.core().store.disk_room();
    let used = total.saturating_sub(free);
    let [load_1m, load_5m, load_15m] = load_averages();
    let files = open_files().unwrap_or(-1);
    let files_max = open_files_max().unwrap_or(-1);
    let files_percent = match (u64::try_from(files), u64::try_from(files_max)) {
        (Ok(files), Ok(most)) => percent(files, most),
        _ => 0.0,
    };
    let cells = [
        (hidden("id", "nodeId"), id),
        (hidden("pid", "p"), std::process::id().to_string()),
        (column("ip", "i"), ADDRESS.into()),
        (hidden("port", "po"), port(edge)),
        (hidden("http_address", "http"), edge.address.clone()),
        (hidden("version", "v"), edge.info.version.clone()),
        (
            hidden_number("disk.total", "dt,diskTotal"),
            size_text(total),
        ),
        (hidden_number("disk.used", "du,diskUsed"), size_text(used)),
        (
            hidden_number("disk.avail", "d,da,disk,diskAvail"),
            size_text(free),
        ),
        (
            hidden_number("disk.used_percent", "dup,diskUsedPercent"),
            format!("{:.2}", percent(used, total)),
        ),
        (
            hidden_number("heap.current", "hc,heapCurrent"),
            size_text(heap),
        ),
        (
            number("heap.percent", "hp,heapPercent"),
            format!("{:.0}", percent(heap, heap_max)),
        ),
        (hidden_number("heap.max", "hm,heapMax"), size_text(heap_max)),
        (number("ram.percent", "rp,ramPercent"), String::new()),
        (
            hidden_number("file_desc.current", "fdc,fileDescriptorCurrent"),
            files.to_string(),
        ),
        (
            hidden_number("file_desc.percent", "fdp,fileDescriptorPercent"),
            format!("{files_percent:.0}"),
        ),
        (
            hidden_number("file_desc.max", "fdm,fileDescriptorMax"),
            files_max.to_string(),
        ),
        (number("cpu", ""), String::new()),
        (number("load_1m", "l"), load_1m),
        (number("load_5m", ""), load_5m),
        (number("load_15m", ""), load_15m),
        (column("node.role", "r,role,nodeRole"), "dim".into()),
        (
            column("node.roles", "rs,all roles"),
            "data,ingest,cluster_manager".into(),
        ),
        (column("cluster_manager", "m,master"), "*".into()),
        (column("name", "n"), edge.info.name.clone()),
    ];
    let (columns, row) = cells.into_iter().unzip();
    Ok(Table {
        columns,
        rows: vec![row],
    })
}

fn port(edge: &Edge) -> String {
    let port = edge.address.rsplit_once(':').map(|(_, port)| port);
    port.unwrap_or("-").to_owned()
}

/// `/_cat/nodeattrs`: the node has no attributes.
pub(super) fn attributes() -> Table {
    Table {
        columns: vec![
            column("node", "name"),
            hidden("id", "nodeId"),
            hidden("pid", "p"),
            column("host", "h"),
            column("ip", "i"),
            hidden("port", "po"),
            column("attr", "attr.name"),
            column("value", "attr.value"),
        ],
        rows: Vec::new(),
    }
}

/// `/_cat/plugins`: there are none.
pub(super) fn plugins() -> Table {
    Table {
        columns: vec![
            hidden("id", ""),
            column("name", "n"),
            column("component", "c"),
            column("version", "v"),
            hidden("description", "d"),
        ],
        rows: Vec::new(),
    }
}

/// `/_cat/fielddata`: no field is loaded into memory to be aggregated.
pub(super) fn field_data() -> Table {
    Table {
        columns: vec![
            column("id", ""),
            column("host", "h"),
            column("ip", ""),
            column("node", "n"),
            column("field", "f"),
            column("size", ""),
        ],
        rows: Vec::new(),
    }
}

/// `/_cat/repositories` and `/_cat/snapshots`: there are none.
pub(super) fn repositories() -> Table {
    Table {
        columns: vec![column("id", "repoId"), column("type", "t")],
        rows: Vec::new(),
    }
}

/// See [`repositories`].
pub(super) fn snapshots() -> Table {
    let columns = [
        ("id", "snapshot"),
        ("status", "s"),
        ("start_epoch", "ste,startEpoch"),
        ("start_time", "sti,startTime"),
        ("end_epoch", "ete,endEpoch"),
        ("end_time", "eti,endTime"),
        ("duration", "dur"),
        ("indices", "i"),
        ("successful_shards", "ss"),
        ("failed_shards", "fs"),
        ("total_shards", "ts"),
    ];
    let shown = columns.map(|(name, aliases)| column(name, aliases));
    Table {
        columns: shown.into_iter().chain([hidden("reason", "r")]).collect(),
        rows: Vec::new(),
    }
}

/// `/_cat/pending_tasks`: an edit is done when it is answered.
pub(super) fn pending_tasks() -> Table {
    Table {
        columns: vec![
            column("insertOrder", "o"),
            column("timeInQueue", "t"),
            column("priority", "p"),
            column("source", "s"),
        ],
        rows: Vec::new(),
    }
}

/// `/_cat/thread_pool`: the pools that a client may ask for by name, of which only the one that
/// scans has threads of its own.
pub(super) fn thread_pools(edge: &Edge, names: Option<&str>) -> Table {
    const POOLS: [(&str, &str); 6] = [
        ("flush", "scaling"),
        ("force_merge", "fixed"),
        ("generic", "scaling"),
        ("management", "scaling"),
        ("search", "fixed"),
        ("write", "fixed"),
    ];
    let wanted = |name: &str| {
        names.is_none_or(|names| {
            names
                .split(',')
                .any(|pattern| matches_wildcard(pattern, name))
        })
    };
    let zero = || "0".to_owned();
    let row = |(name, kind): &(&str, &str)| {
        let threads = match *name {
            "search" => edge.db.core().options.query_threads.to_string(),
            _others => "1".into(),
        };
        vec![
            edge.info.name.clone(),
            uuid_text(edge.info.uuid),
            uuid_text(edge.info.uuid),
            std::process::id().to_string(),
            ADDRESS.into(),
            ADDRESS.into(),
            port(edge),
            (*name).into(),
            (*kind).into(),
            zero(),
            threads.clone(),
            zero(),
            "-1".into(),
            zero(),
            zero(),
            zero(),
            String::new(),
            String::new(),
            threads,
            String::new(),
            "0s".into(),
        ]
    };
    Table {
        columns: vec![
            column("node_name", "nn"),
            hidden("node_id", "id"),
            hidden("ephemeral_node_id", "eid"),
            hidden("pid", "p"),
            hidden("host", "h"),
            hidden("ip", "i"),
            hidden("port", "po"),
            column("name", "n"),
            hidden("type", "t"),
            number("active", "a"),
            hidden_number("pool_size", "psz"),
            number("queue", "q"),
            hidden_number("queue_size", "qs"),
            number("rejected", "r"),
            hidden_number("largest", "l"),
            hidden_number("completed", "c"),
            hidden_number("core", "cr"),
            hidden_number("max", "mx"),
            hidden_number("size", "sz"),
            hidden("keep_alive", "ka"),
            hidden("total_wait_time", "twt"),
        ],
        rows: POOLS
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(row)
            .collect(),
    }
}

/// `/_cat/tasks`
pub(super) fn tasks(edge: &Edge, request: &Request) -> Result<Table, ElasticError> {
    let detailed = request.switch("detailed")? == Some(true);
    let node = uuid_text(edge.info.uuid);
    let row = |task: &std::sync::Arc<crate::db::Task>| {
        let running_ns = task.running_ns();
        vec![
            node.clone(),
            task.number.to_string(),
            task.start.action.to_owned(),
            format!("{node}:{}", task.number),
            "-".into(),
            "transport".into(),
            task.started_ms.to_string(),
            printed(task.started_ms, "%H:%M:%S"),
            crate::elastic::human_duration(running_ns),
            running_ns.to_string(),
            node.clone(),
            ADDRESS.into(),
            port(edge),
            edge.info.name.clone(),
            edge.info.version.clone(),
            task.start.opaque_id.clone().unwrap_or_else(|| "-".into()),
            task.start.path.clone(),
        ]
    };
    let description = column("description", "desc");
    Ok(Table {
        columns: vec![
            hidden("id", ""),
            hidden("task_number", "tn"),
            column("action", "ac"),
            column("task_id", "ti"),
            column("parent_task_id", "pti"),
            column("type", "ty"),
            column("start_time", "start"),
            column("timestamp", "ts,hms,hhmmss"),
            column("running_time", "time"),
            hidden("running_time_ns", "rtns"),
            hidden("node_id", "ni"),
            column("ip", "i"),
            hidden("port", "po"),
            column("node", "n"),
            hidden("version", "v"),
            hidden("x_opaque_id", "x"),
            Column {
                shown: detailed,
                ..description
            },
        ],
        rows: edge.db.tasks().running().iter().map(row).collect(),
    })
}
