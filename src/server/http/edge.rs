//! From an endpoint to its handler. No socket is needed to ask.

use std::sync::Arc;

use query::Stop;

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::reply::{Content, Kind, Printed, Reply};
use super::request::Request;
use super::{
    Method, aliases, async_search, by_query, cat, cluster, contexts, dead_letters, documents,
    indices, monitor, params, search, tasks, templates,
};
use crate::db::{Db, TaskStart, Wildcards};
use crate::elastic::{
    ByQueryKind, FilterPath, Personality, ServerInfo, pretty, with_human_values, with_stack_traces,
};
use crate::error::Result;
use crate::metrics::Metrics;

/// The setting that says whether an index must be named in full to be deleted.
const NAME_REQUIRED: &str = "action.destructive_requires_name";

/// What handlers know.
#[derive(Debug)]
pub(in crate::server) struct Edge {
    pub(super) db: Db,
    pub(super) info: ServerInfo,
    pub(in crate::server) metrics: Arc<Metrics>,
    /// Where HTTP listens.
    pub(super) address: String,
}

impl Edge {
    /// Answers for `db`, which clients take for `personality` of version `version`.
    /// `address` is where HTTP listens.
    pub(in crate::server) fn new(
        db: Db,
        personality: Personality,
        version: &str,
        address: &str,
    ) -> Self {
        let info = ServerInfo {
            name: "siltstone".into(),
            uuid: db.catalog().store_uuid(),
            version: version.into(),
            personality,
        };
        Self {
            db,
            info,
            address: address.into(),
            metrics: Metrics::new(),
        }
    }

    /// What is said of the only node wherever it is shown.
    pub(super) fn node_head(&self) -> Value {
        let (host, _) = self.address.rsplit_once(':').unwrap_or((&self.address, ""));
        json!({
            "name": self.info.name,
            "transport_address": self.address,
            "host": host,
            "ip": self.address,
            "roles": ["cluster_manager", "data", "ingest", "master"],
        })
    }

    /// Whether indices may be deleted by wildcard: as the setting says, else as is usual.
    pub(super) fn wildcard_deletes(&self) -> Wildcards {
        let said = self.db.server_setting(NAME_REQUIRED);
        match (said.as_deref(), self.info.personality) {
            (Some("true"), _) | (None, Personality::Elasticsearch) => Wildcards::Refused,
            (Some(_), _) | (None, Personality::OpenSearch) => Wildcards::Allowed,
        }
    }

    /// Answers a request that came without a socket: status and body.
    pub(in crate::server) fn ask(&self, method: &str, uri: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let params = params::parse(query);
        let method_given = hyper::Method::from_bytes(method.as_bytes()).ok();
        let reply = match Endpoint::parse(path) {
            None => Reply::no_handler(uri, method),
            Some(endpoint) => match method_given.as_ref().and_then(Method::parse) {
                Some(known) if endpoint.methods().contains(&known) => {
                    let request = Request {
                        method: known,
                        path: path.into(),
                        params: params.clone(),
                        body: bytes::Bytes::copy_from_slice(body),
                        accept: None,
                        opaque_id: None,
                        stop: Stop::default(),
                    };
                    self.handle(&endpoint, &request)
                }
                Some(_) | None => Reply::wrong_method(uri, method, endpoint.methods()),
            },
        };
        let printed = print(reply, &params);
        (printed.status, printed.bytes)
    }

    pub(super) fn handle(&self, endpoint: &Endpoint, request: &Request) -> Reply {
        let _running = self.db.begin_task(TaskStart {
            action: endpoint.action(),
            path: request.path.clone(),
            body: request.body.clone(),
            opaque_id: request.opaque_id.clone(),
            is_cancellable: endpoint.is_cancellable(),
            stop: request.stop.clone(),
        });
        let reply = self.dispatch(endpoint, request);
        reply.unwrap_or_else(|error| Reply::error(&error.into_elastic()))
    }

    fn dispatch(&self, endpoint: &Endpoint, request: &Request) -> Result<Reply> {
        let all = "_all";
        match endpoint {
            Endpoint::Root => Ok(cluster::root(self)),
            Endpoint::ClusterHealth { index } => cluster::health(self, request, index.as_deref()),
            Endpoint::ClusterSettings => cluster::settings(self, request),
            Endpoint::Nodes => Ok(cluster::nodes(self)),
            Endpoint::Scrub => Ok(cluster::scrub(self)),
            Endpoint::License => Ok(cluster::license()),
            // Where Prometheus looks. An index of this name can still be made.
            Endpoint::Index { index } if index == "metrics" && request.method == Method::Get => {
                Ok(Reply::metrics(self.metrics.scrape(&self.db)))
            }
            Endpoint::Index { index } => indices::index(self, request, index),
            Endpoint::Mapping { index } => {
                indices::mapping(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Settings { index, names } => {
                let index = index.as_deref().unwrap_or(all);
                indices::settings(self, request, index, names.as_deref())
            }
            Endpoint::FieldCaps { index } => {
                indices::field_caps(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Refresh { index } => {
                indices::refresh(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Flush { index } => {
                indices::flush(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::ForceMerge { index } => {
                indices::force_merge(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Count { index } => {
                search::count(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Search { index } => {
                search::search(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::MultiSearch { index } => {
                search::multi_search(self, request, index.as_deref())
            }
            Endpoint::Bulk { index } => documents::bulk(self, request, index.as_deref()),
            Endpoint::Document { index } => documents::add(self, request, index),
            Endpoint::DocumentId { index, id } => documents::document(self, request, index, id),
            Endpoint::DocumentSource { index, id } => documents::source(self, request, index, id),
            Endpoint::Update { index, id } => documents::update(self, request, index, id),
            Endpoint::MultiGet { index } => documents::multi_get(self, request, index.as_deref()),
            Endpoint::DeleteByQuery { index } => {
                by_query::change(self, request, index, ByQueryKind::Delete)
            }
            Endpoint::UpdateByQuery { index } => {
                by_query::change(self, request, index, ByQueryKind::Update)
            }
            Endpoint::Reindex => by_query::reindex(self, request),
            Endpoint::Create { index, id } => documents::create(self, request, index, id),
            Endpoint::Rejected { index } => indices::rejected(self, request, index),
            Endpoint::Templates { kind } => templates::template(self, request, *kind, "*"),
            Endpoint::Template { kind, name } => templates::template(self, request, *kind, name),
            other => self.dispatch_rarer(other, request),
        }
    }

    /// What clients ask when they prepare or watch.
    fn dispatch_rarer(&self, endpoint: &Endpoint, request: &Request) -> Result<Reply> {
        let all = "_all";
        match endpoint {
            Endpoint::DeadLetters { index } => dead_letters::list(self, request, index),
            Endpoint::ReplayDeadLetters { index } => dead_letters::replay(self, index),
            Endpoint::Scroll { id } => contexts::scroll(self, request, id.as_deref()),
            Endpoint::Pit { index } => contexts::pit(self, request, index.as_deref()),
            Endpoint::PointInTime { index, all } => {
                contexts::point_in_time(self, request, index.as_deref(), *all)
            }
            Endpoint::Nothing => Ok(Reply::value(200, &serde_json::json!({}))),
            Endpoint::Cat { table, names } => {
                cat::table(self, request, table.as_deref(), names.as_deref())
            }
            Endpoint::ClusterState { metrics, index } => monitor::state(
                self,
                request,
                metrics.as_deref(),
                index.as_deref().unwrap_or(all),
            ),
            Endpoint::ClusterStats => monitor::cluster_stats(self),
            Endpoint::PendingTasks => Ok(monitor::pending_tasks()),
            Endpoint::Tasks { id: None } => tasks::list(self, request),
            Endpoint::Tasks { id: Some(id) } => tasks::one(self, request, id),
            Endpoint::CancelTasks { id } => tasks::cancel(self, request, id.as_deref()),
            Endpoint::AsyncSearch { index, form } => {
                async_search::start(self, request, *form, index.as_deref().unwrap_or(all))
            }
            Endpoint::AsyncSearchId { id, form } => async_search::one(self, request, *form, id),
            Endpoint::AsyncSearchStatus { id } => async_search::status(self, id),
            Endpoint::Analyze { index } => indices::analyze(self, request, index.as_deref()),
            Endpoint::Stats { index, metrics } => {
                let index = index.as_deref().unwrap_or(all);
                monitor::stats(self, request, index, metrics.as_deref())
            }
            Endpoint::Resolve { names } => aliases::resolve(self, request, names),
            Endpoint::ChangeAliases => aliases::change(self, request),
            Endpoint::Alias { index, names } => {
                aliases::alias(self, request, index.as_deref(), names.as_deref())
            }
            Endpoint::FieldMapping { index, names } => {
                indices::field_mapping(self, request, index.as_deref().unwrap_or(all), names)
            }
            Endpoint::SetClosed { index, closed } => {
                indices::set_closed(self, request, index, *closed)
            }
            Endpoint::Rollover { target, index } => {
                indices::rollover(self, request, target, index.as_deref())
            }
            Endpoint::ClearCache { index } => {
                indices::clear_cache(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::ValidateQuery { index } => {
                search::validate(self, request, index.as_deref().unwrap_or(all))
            }
            Endpoint::Explain { index, id } => search::explain(self, request, index, id),
            Endpoint::DataStream { names } => {
                templates::data_stream(self, request, names.as_deref())
            }
            Endpoint::Definition { kind, name } => {
                templates::definition(self, request, *kind, name.as_deref())
            }
            other => unreachable!("{other:?} is answered above"),
        }
    }
}

/// Prints `reply` as the request's parameters ask.
pub(super) fn print(reply: Reply, params: &[(String, String)]) -> Printed {
    let (status, allow) = (reply.status, reply.allow);
    let (kind, bytes) = match reply.content {
        Content::Empty => (Kind::Empty, Vec::new()),
        Content::Text(text) => (Kind::Text, text.into_bytes()),
        Content::Yaml(text) => (Kind::Yaml, text.into_bytes()),
        Content::Metrics(text) => (Kind::Metrics, text.into_bytes()),
        Content::Json(bytes) => (Kind::Json, shaped(bytes, params)),
    };
    Printed {
        status,
        kind,
        bytes,
        allow,
    }
}

/// What `filter_path` leaves of the answer, laid out as `pretty` asks.
fn shaped(mut bytes: Vec<u8>, params: &[(String, String)]) -> Vec<u8> {
    for (name, value) in params {
        match name.as_str() {
            "filter_path" => {
                if let Some(filter) = FilterPath::parse(value) {
                    bytes = filter.apply(&bytes);
                }
            }
            "human" if value != "false" => bytes = with_human_values(&bytes),
            "error_trace" if value != "false" => bytes = with_stack_traces(&bytes),
            "pretty" if value != "false" => bytes = pretty(&bytes),
            _ => {}
        }
    }
    bytes
}
