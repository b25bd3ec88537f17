//! The paths that exist and the methods each takes, as one table.

use super::Method;
use crate::elastic::TemplateKind;
use storage::catalog::DefinitionKind;

/// What a path names. `index` is an index expression: names, commas, wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/`: who is this?
    Root,
    /// `/_cluster/health[/{index}]`
    ClusterHealth { index: Option<String> },
    /// `/_cluster/settings`
    ClusterSettings,
    /// `/_nodes[/...]`
    Nodes,
    /// `/_scrub`: how far scrubbing is. Elasticsearch has no such thing.
    Scrub,
    /// `/_license`, `/_xpack`: asked by shippers before they send.
    License,
    /// `/_cat[/{table}[/{names}]]`
    Cat {
        table: Option<String>,
        names: Option<String>,
    },
    /// `/_cluster/state[/{metrics}[/{index}]]`
    ClusterState {
        metrics: Option<String>,
        index: Option<String>,
    },
    /// `/_cluster/stats`, `/_cluster/pending_tasks` and others without much to tell.
    ClusterStats,
    /// `/_cluster/pending_tasks`
    PendingTasks,
    /// `/_tasks[/{id}]`
    Tasks { id: Option<String> },
    /// `/_tasks[/{id}]/_cancel`
    CancelTasks { id: Option<String> },
    /// `/_reindex`
    Reindex,
    /// `[/{index}]/_async_search`, `/_plugins/_asynchronous_search`
    AsyncSearch {
        index: Option<String>,
        form: AsyncForm,
    },
    /// `/_async_search/{id}`
    AsyncSearchId { id: String, form: AsyncForm },
    /// `/_async_search/status/{id}`
    AsyncSearchStatus { id: String },
    /// `[/{index}]/_analyze`
    Analyze { index: Option<String> },
    /// `/_snapshot[/...]`, `/_remote/info`: there are none.
    Nothing,
    /// `/[{index}/]_stats[/{metrics}]`
    Stats {
        index: Option<String>,
        metrics: Option<String>,
    },
    /// `/_resolve/index/{names}`
    Resolve { names: String },
    /// `/_aliases`
    ChangeAliases,
    /// `/[{index}/]_alias[/{names}]`
    Alias {
        index: Option<String>,
        names: Option<String>,
    },
    /// `/[{index}/]_mapping/field/{names}`
    FieldMapping {
        index: Option<String>,
        names: String,
    },
    /// `/{index}/_close`, `/{index}/_open`
    SetClosed { index: String, closed: bool },
    /// `/{target}/_rollover[/{index}]`
    Rollover {
        target: String,
        index: Option<String>,
    },
    /// `/[{index}/]_cache/clear`
    ClearCache { index: Option<String> },
    /// `/[{index}/]_validate/query`
    ValidateQuery { index: Option<String> },
    /// `/{index}/_explain/{id}`
    Explain { index: String, id: String },
    /// `/_data_stream[/{names}]`
    DataStream { names: Option<String> },
    /// `/_ingest/pipeline/{name}`, `/_ilm/policy/{name}`, `/_scripts/{name}`: kept and shown.
    Definition {
        kind: DefinitionKind,
        name: Option<String>,
    },
    /// `/{index}`
    Index { index: String },
    /// `/[{index}/]_mapping`
    Mapping { index: Option<String> },
    /// `/[{index}/]_settings[/{names}]`
    Settings {
        index: Option<String>,
        names: Option<String>,
    },
    /// `/[{index}/]_field_caps`
    FieldCaps { index: Option<String> },
    /// `/[{index}/]_count`
    Count { index: Option<String> },
    /// `/[{index}/]_search`
    Search { index: Option<String> },
    /// `/_search/scroll[/{id}]`
    Scroll { id: Option<String> },
    /// `/{index}/_pit`, `/_pit`
    Pit { index: Option<String> },
    /// `/{index}/_search/point_in_time`, `/_search/point_in_time[/_all]`
    PointInTime { index: Option<String>, all: bool },
    /// `/[{index}/]_msearch`
    MultiSearch { index: Option<String> },
    /// `/[{index}/]_bulk`
    Bulk { index: Option<String> },
    /// `/{index}/_doc`
    Document { index: String },
    /// `/{index}/_doc/{id}`
    DocumentId { index: String, id: String },
    /// `/{index}/_create/{id}`
    Create { index: String, id: String },
    /// `/{index}/_source/{id}`
    DocumentSource { index: String, id: String },
    /// `/{index}/_update/{id}`
    Update { index: String, id: String },
    /// `/[{index}/]_mget`
    MultiGet { index: Option<String> },
    /// `/{index}/_delete_by_query`
    DeleteByQuery { index: String },
    /// `/{index}/_update_by_query`
    UpdateByQuery { index: String },
    /// `/[{index}/]_refresh`
    Refresh { index: Option<String> },
    /// `/[{index}/]_flush`
    Flush { index: Option<String> },
    /// `/[{index}/]_forcemerge`
    ForceMerge { index: Option<String> },
    /// `/{index}/_rejected`: records that could not become rows. Elasticsearch has no such thing.
    Rejected { index: String },
    /// `/{index}/_dead_letters`: the same records, as they were appended to a topic of their own.
    DeadLetters { index: String },
    /// `/{index}/_dead_letters/_replay`: appends them to the index once more.
    ReplayDeadLetters { index: String },
    /// `/_index_template`, `/_component_template`, `/_template`
    Templates { kind: TemplateKind },
    /// `/_index_template/{name}` and its kin
    Template { kind: TemplateKind, name: String },
}

/// Whose words the answer of an asynchronous search has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AsyncForm {
    Elasticsearch,
    OpenSearch,
}

impl Endpoint {
    /// What `path` names; `None` when nothing answers there.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decode)
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [] => Some(Self::Root),
            [first, rest @ ..] if first.starts_with('_') && *first != "_all" => {
                Self::of_server(first, rest).or_else(|| Self::of_index(None, first, rest))
            }
            [index] => Some(Self::Index {
                index: (*index).into(),
            }),
            [index, action, rest @ ..] => Self::of_index(Some((*index).into()), action, rest),
        }
    }

    fn of_server(first: &str, rest: &[&str]) -> Option<Self> {
        match (first, rest) {
            ("_cluster", ["health"]) => Some(Self::ClusterHealth { index: None }),
            ("_cluster", ["health", index]) => Some(Self::ClusterHealth {
                index: Some((*index).into()),
            }),
            ("_cluster", ["settings"]) => Some(Self::ClusterSettings),
            ("_nodes", [] | [_] | [_, _]) => Some(Self::Nodes),
            ("_scrub", []) => Some(Self::Scrub),
            ("_license" | "_xpack", []) => Some(Self::License),
            ("_cat", []) => Some(Self::Cat {
                table: None,
                names: None,
            }),
            ("_cat", [table, names @ ..]) if names.len() <= 1 => Some(Self::Cat {
                table: Some((*table).into()),
                names: owned(names.first()),
            }),
            ("_cluster", ["state", rest @ ..]) if rest.len() <= 2 => Some(Self::ClusterState {
                metrics: owned(rest.first()),
                index: owned(rest.get(1)),
            }),
            ("_cluster", ["stats", ..]) => Some(Self::ClusterStats),
            ("_cluster", ["pending_tasks"]) => Some(Self::PendingTasks),
            ("_tasks", []) => Some(Self::Tasks { id: None }),
            ("_tasks", ["_cancel"]) => Some(Self::CancelTasks { id: None }),
            ("_tasks", [id]) => Some(Self::Tasks {
                id: Some((*id).into()),
            }),
            ("_tasks", [id, "_cancel"]) => Some(Self::CancelTasks {
                id: Some((*id).into()),
            }),
            ("_reindex", []) => Some(Self::Reindex),
            ("_snapshot", _) | ("_remote", ["info"]) => Some(Self::Nothing),
            ("_resolve", ["index", names]) => Some(Self::Resolve {
                names: (*names).into(),
            }),
            ("_aliases", []) => Some(Self::ChangeAliases),
            ("_data_stream", rest @ ([] | [_])) => Some(Self::DataStream {
                names: owned(rest.first()),
            }),
            ("_async_search" | "_plugins", _) => Self::of_async_search(first, rest),
            _ => Self::of_definition(first, rest),
        }
    }

    /// Searches that somebody comes back for.
    fn of_async_search(first: &str, rest: &[&str]) -> Option<Self> {
        let (form, rest) = match (first, rest) {
            ("_async_search", rest) => (AsyncForm::Elasticsearch, rest),
            ("_plugins", ["_asynchronous_search", rest @ ..]) => (AsyncForm::OpenSearch, rest),
            _ => return None,
        };
        match rest {
            [] => Some(Self::AsyncSearch { index: None, form }),
            [id] => Some(Self::AsyncSearchId {
                id: (*id).into(),
                form,
            }),
            ["status", id] => Some(Self::AsyncSearchStatus { id: (*id).into() }),
            _ => None,
        }
    }

    /// What is kept by name.
    fn of_definition(first: &str, rest: &[&str]) -> Option<Self> {
        let template = match first {
            "_index_template" => Some(TemplateKind::Index),
            "_component_template" => Some(TemplateKind::Component),
            "_template" => Some(TemplateKind::Legacy),
            _ => None,
        };
        if let Some(kind) = template {
            return match rest {
                [] => Some(Self::Templates { kind }),
                [name] => Some(Self::Template {
                    kind,
                    name: (*name).into(),
                }),
                _ => None,
            };
        }
        let (kind, name) = match (first, rest) {
            ("_ingest", ["pipeline", name @ ..]) => (DefinitionKind::IngestPipeline, name),
            ("_ilm", ["policy", name @ ..]) => (DefinitionKind::LifecyclePolicy, name),
            ("_scripts", name) => (DefinitionKind::Script, name),
            _ => return None,
        };
        (name.len() <= 1).then(|| Self::Definition {
            kind,
            name: owned(name.first()),
        })
    }

    fn of_index(index: Option<String>, action: &str, rest: &[&str]) -> Option<Self> {
        match (action, rest) {
            ("_mapping" | "_mappings", []) => Some(Self::Mapping { index }),
            ("_mapping" | "_mappings", ["field", names]) => Some(Self::FieldMapping {
                index,
                names: (*names).into(),
            }),
            ("_settings", names @ ([] | [_])) => Some(Self::Settings {
                index,
                names: owned(names.first()),
            }),
            ("_alias" | "_aliases", names @ ([] | [_])) => Some(Self::Alias {
                index,
                names: owned(names.first()),
            }),
            ("_stats", metrics @ ([] | [_])) => Some(Self::Stats {
                index,
                metrics: owned(metrics.first()),
            }),
            ("_cache", ["clear"]) => Some(Self::ClearCache { index }),
            ("_validate", ["query"]) => Some(Self::ValidateQuery { index }),
            ("_close", []) => index.map(|index| Self::SetClosed {
                index,
                closed: true,
            }),
            ("_open", []) => index.map(|index| Self::SetClosed {
                index,
                closed: false,
            }),
            ("_rollover", new @ ([] | [_])) => index.map(|target| Self::Rollover {
                target,
                index: owned(new.first()),
            }),
            ("_field_caps", []) => Some(Self::FieldCaps { index }),
            ("_count", []) => Some(Self::Count { index }),
            ("_search", []) => Some(Self::Search { index }),
            ("_search", ["scroll", id @ ..]) if index.is_none() && id.len() <= 1 => {
                Some(Self::Scroll {
                    id: owned(id.first()),
                })
            }
            ("_search", ["point_in_time"]) => Some(Self::PointInTime { index, all: false }),
            ("_search", ["point_in_time", "_all"]) if index.is_none() => {
                Some(Self::PointInTime { index, all: true })
            }
            ("_pit", []) => Some(Self::Pit { index }),
            ("_msearch", []) => Some(Self::MultiSearch { index }),
            ("_bulk", []) => Some(Self::Bulk { index }),
            ("_refresh", []) => Some(Self::Refresh { index }),
            ("_flush", []) => Some(Self::Flush { index }),
            ("_forcemerge", []) => Some(Self::ForceMerge { index }),
            ("_dead_letters", []) => index.map(|index| Self::DeadLetters { index }),
            ("_dead_letters", ["_replay"]) => index.map(|index| Self::ReplayDeadLetters { index }),
            ("_rejected", []) => index.map(|index| Self::Rejected { index }),
            ("_mget", []) => Some(Self::MultiGet { index }),
            ("_delete_by_query", []) => index.map(|index| Self::DeleteByQuery { index }),
            ("_update_by_query", []) => index.map(|index| Self::UpdateByQuery { index }),
            ("_analyze", []) => Some(Self::Analyze { index }),
            ("_async_search", []) => Some(Self::AsyncSearch {
                index,
                form: AsyncForm::Elasticsearch,
            }),
            _ => Self::of_document(index?, action, rest),
        }
    }

    /// What is done with documents of `index`.
    fn of_document(index: String, action: &str, rest: &[&str]) -> Option<Self> {
        match (action, rest) {
            ("_doc", []) => Some(Self::Document { index }),
            ("_doc", [id]) => Some(Self::DocumentId {
                index,
                id: (*id).into(),
            }),
            ("_explain", [id]) => Some(Self::Explain {
                index,
                id: (*id).into(),
            }),
            ("_source", [id]) => Some(Self::DocumentSource {
                index,
                id: (*id).into(),
            }),
            ("_update", [id]) => Some(Self::Update {
                index,
                id: (*id).into(),
            }),
            ("_create", [id]) => Some(Self::Create {
                index,
                id: (*id).into(),
            }),
            _ => None,
        }
    }

    /// The methods that it takes, in the order that an error message lists them.
    pub(super) fn methods(&self) -> &'static [Method] {
        use Method as M;
        match self {
            Self::Root => &[M::Get, M::Head],
            Self::ClusterHealth { .. } | Self::Nodes | Self::Cat { .. } => &[M::Get, M::Head],
            Self::ClusterSettings => &[M::Get, M::Put],
            Self::Scrub | Self::PendingTasks | Self::Resolve { .. } => &[M::Get],
            Self::ClusterState { .. } | Self::ClusterStats => &[M::Get],
            Self::Tasks { .. } | Self::Stats { .. } => &[M::Get],
            Self::CancelTasks { .. } | Self::Reindex | Self::AsyncSearch { .. } => &[M::Post],
            Self::AsyncSearchId { .. } => &[M::Get, M::Delete],
            Self::AsyncSearchStatus { .. } => &[M::Get],
            Self::Analyze { .. } => &[M::Get, M::Post],
            Self::License | Self::Nothing => &[M::Get, M::Head],
            Self::Definition { .. } | Self::DataStream { .. } => {
                &[M::Get, M::Head, M::Put, M::Post, M::Delete]
            }
            Self::ChangeAliases => &[M::Get, M::Post],
            Self::Alias { .. } => &[M::Get, M::Head, M::Put, M::Post, M::Delete],
            Self::FieldMapping { .. } => &[M::Get],
            Self::SetClosed { .. } | Self::Rollover { .. } => &[M::Post],
            Self::ClearCache { .. } => &[M::Post, M::Get],
            Self::ValidateQuery { .. } | Self::Explain { .. } => &[M::Get, M::Post],
            Self::Index { .. } => &[M::Get, M::Head, M::Put, M::Delete],
            Self::Mapping { index: Some(_) } => &[M::Get, M::Put, M::Post],
            Self::Mapping { index: None } => &[M::Get, M::Put, M::Post],
            Self::Settings { .. } => &[M::Get, M::Put],
            Self::FieldCaps { .. } | Self::Count { .. } => &[M::Get, M::Post],
            Self::Search { .. } | Self::MultiSearch { .. } => &[M::Post, M::Get],
            Self::Scroll { .. } => &[M::Get, M::Post, M::Delete],
            Self::Pit { index: Some(_) } => &[M::Post],
            Self::Pit { index: None } => &[M::Delete],
            Self::PointInTime { index: Some(_), .. } => &[M::Post],
            Self::PointInTime { index: None, all } => match all {
                true => &[M::Get, M::Delete],
                false => &[M::Delete],
            },
            Self::Bulk { .. } => &[M::Post, M::Put],
            Self::Document { .. } => &[M::Post],
            Self::DocumentId { .. } => &[M::Get, M::Head, M::Post, M::Put, M::Delete],
            Self::Create { .. } => &[M::Post, M::Put],
            Self::DocumentSource { .. } => &[M::Get, M::Head],
            Self::Update { .. } | Self::DeleteByQuery { .. } => &[M::Post],
            Self::UpdateByQuery { .. } => &[M::Post],
            Self::MultiGet { .. } => &[M::Get, M::Post],
            Self::Refresh { .. } | Self::Flush { .. } => &[M::Get, M::Post],
            Self::ForceMerge { .. } => &[M::Post],
            Self::Templates { .. } | Self::Rejected { .. } | Self::DeadLetters { .. } => &[M::Get],
            Self::ReplayDeadLetters { .. } => &[M::Post],
            Self::Template { .. } => &[M::Get, M::Head, M::Put, M::Post, M::Delete],
        }
    }

    /// What it does, in the words of Elasticsearch's task list.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Search { .. } => "indices:data/read/search",
            Self::MultiSearch { .. } => "indices:data/read/msearch",
            Self::Scroll { .. } => "indices:data/read/scroll",
            Self::AsyncSearch { .. } => "indices:data/read/async_search/submit",
            Self::AsyncSearchId { .. } => "indices:data/read/async_search/get",
            Self::Count { .. } => "indices:data/read/search",
            Self::Bulk { .. } => "indices:data/write/bulk",
            Self::Document { .. } | Self::Create { .. } => "indices:data/write/index",
            Self::DocumentId { .. } | Self::DocumentSource { .. } => "indices:data/read/get",
            Self::Update { .. } => "indices:data/write/update",
            Self::MultiGet { .. } => "indices:data/read/mget",
            Self::DeleteByQuery { .. } => "indices:data/write/delete/byquery",
            Self::UpdateByQuery { .. } => "indices:data/write/update/byquery",
            Self::Reindex => "indices:data/write/reindex",
            Self::Refresh { .. } => "indices:admin/refresh",
            Self::Flush { .. } => "indices:admin/flush",
            Self::ForceMerge { .. } => "indices:admin/forcemerge",
            Self::Tasks { id: Some(_) } => "cluster:monitor/task/get",
            Self::Tasks { id: None } | Self::Cat { .. } => "cluster:monitor/tasks/lists",
            Self::CancelTasks { .. } => "cluster:admin/tasks/cancel",
            Self::Root | Self::Nodes | Self::ClusterStats => "cluster:monitor/nodes/info",
            Self::ClusterHealth { .. } => "cluster:monitor/health",
            Self::ClusterState { .. } => "cluster:monitor/state",
            Self::Stats { .. } => "indices:monitor/stats",
            Self::FieldCaps { .. } => "indices:data/read/field_caps",
            _other => "indices:admin/get",
        }
    }

    /// Whether it ends early once nobody waits for its answer.
    pub(super) fn is_cancellable(&self) -> bool {
        matches!(
            self,
            Self::Search { .. }
                | Self::MultiSearch { .. }
                | Self::Scroll { .. }
                | Self::Count { .. }
                | Self::DeleteByQuery { .. }
                | Self::UpdateByQuery { .. }
                | Self::Reindex
        )
    }

    /// Whether it reads rows. All other calls have threads of their own, so that searches never
    /// keep a write from its acknowledgement, nor a client from learning that the server lives.
    pub(super) fn is_search(&self) -> bool {
        match self {
            Self::Count { .. }
            | Self::Search { .. }
            | Self::MultiSearch { .. }
            | Self::Scroll { .. }
            | Self::ValidateQuery { .. }
            | Self::Explain { .. }
            | Self::DeleteByQuery { .. }
            | Self::UpdateByQuery { .. }
            | Self::Reindex
            | Self::AsyncSearch { .. } => true,
            Self::Bulk { .. }
            | Self::Document { .. }
            | Self::DocumentId { .. }
            | Self::Create { .. }
            | Self::DocumentSource { .. }
            | Self::Update { .. }
            | Self::MultiGet { .. }
            | Self::Refresh { .. }
            | Self::Flush { .. }
            | Self::ForceMerge { .. }
            | Self::Index { .. }
            | Self::Mapping { .. }
            | Self::Template { .. }
            | Self::Root
            | Self::ClusterHealth { .. }
            | Self::ClusterSettings
            | Self::Nodes
            | Self::Scrub
            | Self::License
            | Self::Nothing
            | Self::Cat { .. }
            | Self::ClusterState { .. }
            | Self::ClusterStats
            | Self::PendingTasks
            | Self::Tasks { .. }
            | Self::CancelTasks { .. }
            | Self::AsyncSearchId { .. }
            | Self::AsyncSearchStatus { .. }
            | Self::Analyze { .. }
            | Self::Stats { .. }
            | Self::Resolve { .. }
            | Self::ChangeAliases
            | Self::Alias { .. }
            | Self::FieldMapping { .. }
            | Self::SetClosed { .. }
            | Self::Rollover { .. }
            | Self::ClearCache { .. }
            | Self::DataStream { .. }
            | Self::Pit { .. }
            | Self::PointInTime { .. }
            | Self::Definition { .. }
            | Self::Settings { .. }
            | Self::FieldCaps { .. }
            | Self::Rejected { .. }
            | Self::DeadLetters { .. }
            | Self::ReplayDeadLetters { .. }
            | Self::Templates { .. } => false,
        }
    }
}

fn owned(part: Option<&&str>) -> Option<String> {
    part.map(|part| (*part).to_owned())
}

/// `%41` becomes `A`; what is no valid escape stays as it is.
pub(super) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_endpoints() {
        let check =
            |path: &str, wanted: Option<Endpoint>| assert_eq!(Endpoint::parse(path), wanted);
        check("/", Some(Endpoint::Root));
        check("//_search/", Some(Endpoint::Search { index: None }));
        check(
            "/a,b*/_search",
            Some(Endpoint::Search {
                index: Some("a,b*".into()),
            }),
        );
        check(
            "/_all/_count",
            Some(Endpoint::Count {
                index: Some("_all".into()),
            }),
        );
        check(
            "/%61%2Cb",
            Some(Endpoint::Index {
                index: "a,b".into(),
            }),
        );
        check(
            "/a/_doc/x%2Fy",
            Some(Endpoint::DocumentId {
                index: "a".into(),
                id: "x/y".into(),
            }),
        );
        check("/_doc/1", None);
        check("/a/_nothing", None);
        check("/_nothing", None);
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("%ff"), "\u{fffd}");
    }
}
