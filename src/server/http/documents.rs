//! Documents: one at a time and in bulk.

use bytes::Bytes;
use serde_json::Value;
use storage::catalog::DefinitionKind;

use super::edge::Edge;
use super::reply::Reply;
use super::request::{Refresh, Request};
use super::{Method, params};
use crate::db::DocumentWrite;
use crate::elastic::{
    BulkAction, BulkOperation, BulkOutcome, ElasticError, SourceShape, StoredShape, WriteCondition,
    WrittenDocument, parse_bulk, parse_multi_get, parse_update, render_bulk, render_document,
    render_multi_get, render_stored, render_stored_source,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// `/[{index}/]_bulk`
pub(super) fn bulk(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let watch = Stopwatch::start();
    let refresh = request.refresh()?;
    let require_alias = request.switch("require_alias")? == Some(true);
    check_pipeline(edge, request.param("pipeline"))?;
    let params = params::without(request, WRITE_PARAMS)?;
    let routing = request.param("routing");
    let actions = parse_bulk(&request.body, index, &params)?;
    let writes = actions
        .iter()
        .map(|action| {
            let mut write = as_write(edge, action, &request.body, require_alias);
            write.routing = write.routing.or_else(|| routing.map(str::to_owned));
            write
        })
        .collect();
    let mut written = edge.db.write_documents(writes);
    if refresh != Refresh::No {
        make_visible(edge, &mut written, refresh)?;
    }
    let outcomes: Vec<BulkOutcome> = actions
        .into_iter()
        .zip(written)
        .map(|(action, result)| {
            let id = match &result {
                Ok(written) => Some(written.id.clone()),
                Err(_) => action.id,
            };
            let index = action.index.into_owned();
            BulkOutcome {
                operation: action.operation,
                index,
                id,
                shown: action
                    .update
                    .map_or(SourceShape::None, |update| update.shown),
                result,
            }
        })
        .collect();
    Ok(Reply::ok(render_bulk(watch.elapsed_ms(), &outcomes)))
}

/// `POST /{index}/_doc`
pub(super) fn add(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    one(edge, request, index, None, BulkOperation::Index)
}

/// `/{index}/_doc/{id}`
pub(super) fn document(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    match request.method {
        Method::Get | Method::Head => stored(edge, request, index, id),
        Method::Delete => one(edge, request, index, Some(id), BulkOperation::Delete),
        Method::Put | Method::Post => {
            let operation = match request.param("op_type") {
                Some("create") => BulkOperation::Create,
                Some(_) | None => BulkOperation::Index,
            };
            one(edge, request, index, Some(id), operation)
        }
    }
}

/// `/{index}/_create/{id}`
pub(super) fn create(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    one(edge, request, index, Some(id), BulkOperation::Create)
}

/// `POST /{index}/_update/{id}`
pub(super) fn update(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    one(edge, request, index, Some(id), BulkOperation::Update)
}

/// `GET /{index}/_doc/{id}`: the newest acknowledged state, searchable or not.
fn stored(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    let shape = shape(request)?;
    let stored = edge
        .db
        .stored_document(index, id, request.param("routing"))?;
    shape.check(id, stored.as_ref())?;
    let status = if stored.is_some() { 200 } else { 404 };
    if request.method == Method::Head {
        return Ok(Reply::empty(status));
    }
    let bytes = render_stored(index, id, stored.as_ref(), &shape);
    Ok(Reply::json(status, bytes))
}

/// `GET /{index}/_source/{id}`
pub(super) fn source(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    let shape = shape(request)?;
    let stored = edge
        .db
        .stored_document(index, id, request.param("routing"))?;
    shape.check(id, stored.as_ref())?;
    match (stored, request.method) {
        (Some(stored), Method::Head) if stored.hides_source => Ok(Reply::empty(404)),
        (Some(_), Method::Head) => Ok(Reply::empty(200)),
        (None, Method::Head) => Ok(Reply::empty(404)),
        (Some(stored), _) if stored.hides_source => {
            let reason = format!("Source not found [{index}]/[{id}]");
            Err(ElasticError::new(404, "resource_not_found_exception", reason).into())
        }
        (Some(stored), _) => Ok(Reply::ok(render_stored_source(&stored, &shape))),
        (None, _) => {
            let reason = format!("Document not found [{index}]/[{id}]");
            Err(ElasticError::new(404, "resource_not_found_exception", reason).into())
        }
    }
}

/// `/[{index}/]_mget`
pub(super) fn multi_get(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let params = params::without(request, READ_PARAMS)?;
    let items = parse_multi_get(&request.body, index, request.param("routing"), &params)?;
    let outcomes: Vec<_> = items
        .iter()
        .map(|item| {
            let stored = edge
                .db
                .stored_document(&item.index, &item.id, item.routing.as_deref());
            stored.map_err(crate::error::Error::into_elastic)
        })
        .collect();
    Ok(Reply::ok(render_multi_get(&items, &outcomes)))
}

/// Parameters of reads by id that say nothing about what is shown.
const READ_PARAMS: &[&str] = &["realtime", "refresh", "routing", "version", "version_type"];

/// Parameters of writes that say nothing about what is shown.
const WRITE_PARAMS: &[&str] = &[
    "if_primary_term",
    "if_seq_no",
    "list_executed_pipelines",
    "op_type",
    "pipeline",
    "refresh",
    "require_alias",
    "require_data_stream",
    "retry_on_conflict",
    "routing",
    "timeout",
    "type",
    "version",
    "version_type",
    "wait_for_active_shards",
];

/// What is shown of a document that is read by id.
fn shape(request: &Request) -> Result<StoredShape> {
    let params = params::without(request, READ_PARAMS)?;
    Ok(StoredShape::of(&params, request.param("version"))?)
}

/// Refuses a pipeline: none is run.
fn check_pipeline(edge: &Edge, pipeline: Option<&str>) -> Result<(), ElasticError> {
    match pipeline {
        None | Some("" | "_none") => Ok(()),
        Some(name) if is_known_pipeline(edge, name) => Err(ElasticError::unsupported(format!(
            "running the pipeline [{name}]"
        ))),
        Some(name) => Err(ElasticError::illegal_argument(format!(
            "pipeline with id [{name}] does not exist"
        ))),
    }
}

fn is_known_pipeline(edge: &Edge, name: &str) -> bool {
    let catalog = edge.db.catalog();
    catalog
        .definition(DefinitionKind::IngestPipeline, name)
        .is_some()
}

fn one(
    edge: &Edge,
    request: &Request,
    index: &str,
    id: Option<&str>,
    operation: BulkOperation,
) -> Result<Reply> {
    let refresh = request.refresh()?;
    let condition = WriteCondition::parse(|name| request.param(name).map(Value::from))?;
    check_pipeline(edge, request.param("pipeline"))?;
    if operation == BulkOperation::Create && request.param("version_type").is_some() {
        let reason = "create operations only support internal versioning. use index instead";
        return Err(ElasticError::validation(&[reason.into()]).into());
    }
    let params = params::without(request, WRITE_PARAMS)?;
    let update = match operation {
        BulkOperation::Update => Some(parse_update(&request.body, &params)?),
        BulkOperation::Index | BulkOperation::Create | BulkOperation::Delete => None,
    };
    let shown = update
        .as_ref()
        .map_or(SourceShape::None, |update| update.shown.clone());
    let write = DocumentWrite {
        index: index.into(),
        id: id.map(str::to_owned),
        routing: request.param("routing").map(str::to_owned),
        operation,
        document: request.body.clone(),
        condition,
        update,
        require_alias: request.switch("require_alias")? == Some(true),
        refused: None,
    };
    let mut written = edge.db.write_documents(vec![write]);
    if refresh != Refresh::No {
        make_visible(edge, &mut written, refresh)?;
    }
    let written = written.pop().expect("one result for one write")?;
    Ok(Reply::json(
        written.answer.status(),
        render_document(&written, &shown),
    ))
}

/// The document shares the bytes of the request's body.
fn as_write(
    edge: &Edge,
    action: &BulkAction<'_>,
    body: &Bytes,
    require_alias: bool,
) -> DocumentWrite {
    let refused = check_pipeline(edge, action.pipeline.as_deref()).err();
    DocumentWrite {
        index: action.index.as_ref().into(),
        id: action.id.clone(),
        routing: action.routing.clone(),
        operation: action.operation,
        condition: action.condition,
        update: action.update.clone(),
        document: if action.document.is_empty() {
            Bytes::new()
        } else {
            body.slice_ref(action.document)
        },
        require_alias: action.require_alias.unwrap_or(require_alias),
        refused: action.error.clone().or(refused),
    }
}

/// Waits until what was written is visible.
fn make_visible(
    edge: &Edge,
    written: &mut [Result<WrittenDocument, ElasticError>],
    refresh: Refresh,
) -> Result<()> {
    let mut indices: Vec<&str> = written
        .iter()
        .flatten()
        .map(|written| written.index.as_str())
        .collect();
    indices.sort_unstable();
    indices.dedup();
    for index in indices {
        edge.db.refresh(index)?;
    }
    for written in written.iter_mut().flatten() {
        written.forced_refresh = refresh == Refresh::Forced;
    }
    Ok(())
}
