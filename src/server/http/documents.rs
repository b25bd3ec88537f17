//! Documents: one at a time and in bulk.

use bytes::Bytes;

use super::edge::Edge;
use super::reply::Reply;
use super::request::{Refresh, Request};
use crate::db::DocumentWrite;
use crate::elastic::{
    BulkAction, BulkOperation, BulkOutcome, ElasticError, WrittenDocument, parse_bulk, render_bulk,
    render_document,
};
use crate::error::Result;
use crate::options::Stopwatch;

/// `/[{index}/]_bulk`
pub(super) fn bulk(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let watch = Stopwatch::start();
    let refresh = request.refresh()?;
    let actions = parse_bulk(&request.body, index)?;
    let writes = actions
        .iter()
        .map(|action| as_write(action, &request.body))
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
pub(super) fn index(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    let operation = match request.param("op_type") {
        Some("create") => BulkOperation::Create,
        Some(_) | None => BulkOperation::Index,
    };
    one(edge, request, index, Some(id), operation)
}

/// `/{index}/_create/{id}`
pub(super) fn create(edge: &Edge, request: &Request, index: &str, id: &str) -> Result<Reply> {
    one(edge, request, index, Some(id), BulkOperation::Create)
}

fn one(
    edge: &Edge,
    request: &Request,
    index: &str,
    id: Option<&str>,
    operation: BulkOperation,
) -> Result<Reply> {
    let refresh = request.refresh()?;
    let write = DocumentWrite {
        index: index.into(),
        id: id.map(str::to_owned),
        operation,
        document: request.body.clone(),
        refused: None,
    };
    let mut written = edge.db.write_documents(vec![write]);
    if refresh != Refresh::No {
        make_visible(edge, &mut written, refresh)?;
    }
    let written = written.pop().expect("one result for one write")?;
    Ok(Reply::json(201, render_document(&written)))
}

/// The document shares the bytes of the request's body.
fn as_write(action: &BulkAction<'_>, body: &Bytes) -> DocumentWrite {
    DocumentWrite {
        index: action.index.as_ref().into(),
        id: action.id.clone(),
        operation: action.operation,
        document: if action.document.is_empty() {
            Bytes::new()
        } else {
            body.slice_ref(action.document)
        },
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
