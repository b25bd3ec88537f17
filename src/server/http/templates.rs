//! Templates of every kind, data streams, and definitions that are only kept and shown.

use serde_json::{Map, Value, json};
use storage::catalog::DefinitionKind;

use super::Method;
use super::edge::Edge;
use super::indices::acknowledged;
use super::reply::Reply;
use super::request::Request;
use crate::db::{Replace, templates};
use crate::elastic::{ElasticError, TemplateKind, matches_wildcard, render_templates};
use crate::error::Result;

/// `/_index_template[/{name}]`, `/_component_template[/{name}]`, `/_template[/{name}]`
pub(super) fn template(
    edge: &Edge,
    request: &Request,
    kind: TemplateKind,
    name: &str,
) -> Result<Reply> {
    let render = || {
        let is_flat = request.switch("flat_settings")? == Some(true);
        render_templates(kind, name, &templates(&edge.db.catalog()), is_flat)
    };
    match request.method {
        Method::Get => Ok(Reply::ok(render()?)),
        Method::Head => Ok(match render() {
            Ok(found) if found != b"{}" => Reply::empty(200),
            Ok(_) | Err(_) => Reply::empty(404),
        }),
        Method::Put | Method::Post => {
            let replace = match request.switch("create")? {
                Some(true) => Replace::No,
                Some(false) | None => Replace::Yes,
            };
            edge.db.put_template(kind, name, &request.body, replace)?;
            Ok(acknowledged())
        }
        Method::Delete => {
            edge.db.delete_template(kind, name)?;
            Ok(acknowledged())
        }
    }
}

/// `/_data_stream[/{names}]`
pub(super) fn data_stream(edge: &Edge, request: &Request, names: Option<&str>) -> Result<Reply> {
    let names = names.unwrap_or("*");
    match request.method {
        Method::Put | Method::Post => {
            edge.db.create_stream(names)?;
            Ok(acknowledged())
        }
        Method::Delete => {
            edge.db.delete_streams(names)?;
            Ok(acknowledged())
        }
        Method::Get | Method::Head => {
            let catalog = edge.db.catalog();
            let mut shown = Vec::new();
            for (name, body) in catalog.definitions(DefinitionKind::DataStream) {
                if !fits(names, name) {
                    continue;
                }
                let indices = body["indices"].as_array().into_iter().flatten();
                let indices: Vec<Value> = indices
                    .map(|index| json!({ "index_name": index }))
                    .collect();
                shown.push(json!({
                    "name": name,
                    "timestamp_field": body["timestamp_field"],
                    "indices": indices,
                    "generation": body["generation"],
                    "status": "GREEN",
                }));
            }
            if shown.is_empty() && !names.contains('*') {
                return Err(ElasticError::index_not_found(names).into());
            }
            Ok(Reply::value(200, &json!({ "data_streams": shown })))
        }
    }
}

fn fits(names: &str, name: &str) -> bool {
    let mut parts = names.split(',');
    parts.any(|part| part == "_all" || matches_wildcard(part.trim(), name))
}

/// What is kept and shown, and changes nothing: pipelines, policies, scripts. An index that names
/// a pipeline is refused elsewhere.
pub(super) fn definition(
    edge: &Edge,
    request: &Request,
    kind: DefinitionKind,
    name: Option<&str>,
) -> Result<Reply> {
    let missing = |name: &str| {
        let reason = format!("{} [{name}] is missing", kind.as_str());
        ElasticError::new(404, "resource_not_found_exception", reason)
    };
    match (request.method, name) {
        (Method::Put | Method::Post, Some(name)) => {
            let body: Value = serde_json::from_slice(&request.body).map_err(|error| {
                ElasticError::new(400, "json_parse_exception", error.to_string())
            })?;
            edge.db.put_definition(kind, name, &body)?;
            Ok(acknowledged())
        }
        (Method::Delete, Some(name)) => match edge.db.delete_definition(kind, name)? {
            true => Ok(acknowledged()),
            false => Err(missing(name).into()),
        },
        (Method::Get | Method::Head, name) => {
            let catalog = edge.db.catalog();
            let names = name.unwrap_or("*");
            let found: Map<String, Value> = catalog
                .definitions(kind)
                .filter(|(known, _)| fits(names, known))
                .map(|(known, body)| (known.to_owned(), body.as_ref().clone()))
                .collect();
            if found.is_empty() && !names.contains('*') {
                return match request.method {
                    Method::Head => Ok(Reply::empty(404)),
                    _ => Err(missing(names).into()),
                };
            }
            Ok(Reply::value(200, &Value::Object(found)))
        }
        (Method::Put | Method::Post | Method::Delete, None) => {
            Err(ElasticError::validation(&["name is missing".into()]).into())
        }
    }
}
