//! Indices: made, shown, changed, deleted, refreshed, flushed.

use std::sync::Arc;

use serde_json::json;
use storage::catalog::Topic;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{ElasticError, render_indices, render_mappings, render_settings};
use crate::error::Result;

/// `/{index}`
pub(super) fn index(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    match request.method {
        Method::Get => Ok(Reply::ok(render_indices(&borrowed(&found(
            edge, request, index,
        )?)))),
        Method::Head => Ok(match found(edge, request, index) {
            Ok(topics) if !topics.is_empty() => Reply::empty(200),
            Ok(_) | Err(_) => Reply::empty(404),
        }),
        Method::Put | Method::Post => {
            edge.db.create_index(index, &request.body)?;
            Ok(Reply::value(
                200,
                &json!({ "acknowledged": true, "shards_acknowledged": true, "index": index }),
            ))
        }
        Method::Delete => {
            edge.db.delete_topics(index, request.index_options()?)?;
            Ok(acknowledged())
        }
    }
}

/// `/{index}/_mapping`
pub(super) fn mapping(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    match request.method {
        Method::Get | Method::Head => Ok(Reply::ok(render_mappings(&borrowed(&found(
            edge, request, index,
        )?)))),
        Method::Put | Method::Post | Method::Delete => {
            for topic in found(edge, request, index)? {
                edge.db.put_mapping(topic.id, &request.body)?;
            }
            Ok(acknowledged())
        }
    }
}

/// `/{index}/_settings`
pub(super) fn settings(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    Ok(Reply::ok(render_settings(&borrowed(&found(
        edge, request, index,
    )?))))
}

/// `/{index}/_field_caps`
pub(super) fn field_caps(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let fields = request
        .param("fields")
        .ok_or_else(|| ElasticError::validation(&["no fields specified".into()]))?;
    let topics = found(edge, request, index)?;
    Ok(Reply::ok(crate::elastic::render_field_caps(
        fields,
        &borrowed(&topics),
    )))
}

/// `/{index}/_refresh`: answers when everything acknowledged before is visible.
pub(super) fn refresh(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    for topic in &topics {
        edge.db.refresh_topic(topic.id)?;
    }
    Ok(shards(&topics))
}

/// `/{index}/_flush`: answers when all active rows are in segments.
pub(super) fn flush(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    for topic in &topics {
        edge.db.flush_topic(topic.id)?;
    }
    Ok(shards(&topics))
}

pub(super) fn acknowledged() -> Reply {
    Reply::value(200, &json!({ "acknowledged": true }))
}

fn shards(topics: &[Arc<Topic>]) -> Reply {
    let total: u64 = topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    Reply::value(
        200,
        &json!({ "_shards": { "total": total, "successful": total, "failed": 0 } }),
    )
}

fn found(edge: &Edge, request: &Request, index: &str) -> Result<Vec<Arc<Topic>>> {
    edge.db.topics(index, request.index_options()?)
}

fn borrowed(topics: &[Arc<Topic>]) -> Vec<&Topic> {
    topics.iter().map(AsRef::as_ref).collect()
}
