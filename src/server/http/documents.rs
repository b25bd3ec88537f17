//! Documents: one at a time and in bulk.

use bytes::Bytes;
use serde_json::Value;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::{Refresh, Request};
use crate::db::DocumentWrite;
use crate::elastic::{
    BulkAction, BulkOperation, BulkOutcome, ElasticError, SearchParams, StoredShape,
    WriteCondition, WrittenDocument, parse_bulk, parse_multi_get, parse_update, render_bulk,
    render_deleted, render_document, render_multi_get, render_stored, render_stored_source,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// `/[{index}/]_bulk`
pub(super) fn bulk(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let watch = Stopwatch::start();
    let refresh = request.refresh()?;
    let require_alias = request.switch("require_alias")? == Some(true);
    let actions = parse_bulk(&request.body, index)?;
    let writes = actions
        .iter()
        .map(|action| as_write(action, &request.body, require_alias))
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
    let shape = StoredShape::of(&read_params(request)?)?;
    let stored = edge.db.stored_document(index, id)?;
    let status = if stored.is_some() { 200 } else { 404 };
    if request.method == Method::Head {
        return Ok(Reply::empty(status));
    }
    let bytes = render_stored(index, id, stored.as_ref(), &shape);
    Ok(Reply::json(status, bytes))
}

/// `GET /{index}/_source/{id}`
pub(super) fn source(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    let shape = StoredShape::of(&read_params(request)?)?;
    let stored = edge.db.stored_document(index, id)?;
    match (stored, request.method) {
        (Some(_), Method::Head) => Ok(Reply::empty(200)),
        (None, Method::Head) => Ok(Reply::empty(404)),
        (Some(stored), _) => Ok(Reply::ok(render_stored_source(&stored, &shape))),
        (None, _) => {
            let reason = format!("Document not found [{index}]/[{id}]");
            Err(ElasticError::new(404, "resource_not_found_exception", reason).into())
        }
    }
}

/// `/[{index}/]_mget`
pub(super) fn multi_get(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let params = read_params(request)?;
    let items = parse_multi_get(&request.body, index, &params)?;
    let outcomes: Vec<_> = items
        .iter()
        .map(|item| {
            let stored = edge.db.stored_document(&item.index, &item.id);
            stored.map_err(crate::error::Error::into_elastic)
        })
        .collect();
    Ok(Reply::ok(render_multi_get(&items, &outcomes)))
}

/// `POST /{index}/_delete_by_query`
pub(super) fn delete_by_query(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let watch = Stopwatch::start();
    let refresh = request.refresh()?;
    let goes_on = match request.param("conflicts") {
        Some("proceed") => true,
        Some("abort") | None => false,
        Some(other) => {
            let reason =
                format!("conflicts may only be \"proceed\" or \"abort\" but was [{other}]");
            return Err(ElasticError::illegal_argument(reason).into());
        }
    };
    if request.switch("wait_for_completion")? == Some(false) {
        return Err(ElasticError::unsupported("[wait_for_completion=false]").into());
    }
    let params = params_without(request, BY_QUERY_PARAMS)?;
    if request.body.trim_ascii().is_empty() && params.q.is_none() {
        return Err(ElasticError::validation(&["query is missing".into()]).into());
    }
    let done = edge
        .db
        .delete_by_query(index, request.search_body(), &params, goes_on)?;
    if refresh != Refresh::No {
        edge.db.refresh(index)?;
    }
    let status = match done.version_conflicts > 0 && !goes_on {
        true => 409,
        false => 200,
    };
    Ok(Reply::json(
        status,
        render_deleted(watch.elapsed_ms(), &done),
    ))
}

/// Parameters of a delete by query that no search knows. What tells a cluster how to go about it
/// has no effect.
const BY_QUERY_PARAMS: &[&str] = &[
    "conflicts",
    "refresh",
    "requests_per_second",
    "scroll",
    "scroll_size",
    "slices",
    "wait_for_active_shards",
    "wait_for_completion",
];

/// Parameters of reads by id that have no effect: an id is found wherever it is.
const READ_PARAMS: &[&str] = &[
    "realtime",
    "refresh",
    "stored_fields",
    "version",
    "version_type",
];

fn read_params(request: &Request) -> Result<SearchParams> {
    if request.param("stored_fields").is_some() {
        return Err(ElasticError::unsupported("[stored_fields]").into());
    }
    params_without(request, READ_PARAMS)
}

fn params_without(request: &Request, known: &[&str]) -> Result<SearchParams> {
    let pairs = request.params.iter();
    let pairs = pairs.filter(|(name, _)| !known.contains(&name.as_str()));
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(SearchParams::parse(&request.path, pairs)?)
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
    let update = match operation {
        BulkOperation::Update => Some(parse_update(&request.body)?),
        BulkOperation::Index | BulkOperation::Create | BulkOperation::Delete => None,
    };
    let write = DocumentWrite {
        index: index.into(),
        id: id.map(str::to_owned),
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
        render_document(&written),
    ))
}

/// The document shares the bytes of the request's body.
fn as_write(action: &BulkAction<'_>, body: &Bytes, require_alias: bool) -> DocumentWrite {
    DocumentWrite {
        index: action.index.as_ref().into(),
        id: action.id.clone(),
        operation: action.operation,
        condition: action.condition,
        update: action.update.clone(),
        document: if action.document.is_empty() {
            Bytes::new()
        } else {
            body.slice_ref(action.document)
        },
        require_alias: action.require_alias.unwrap_or(require_alias),
        refused: action.error.clone(),
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
