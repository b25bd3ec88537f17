//! Aliases, and what names stand for.

use serde_json::json;

use super::Method;
use super::edge::Edge;
use super::indices::acknowledged;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{
    AliasAction, Aliases, Expand, IndexOptions, parse_alias_actions, parse_put_alias,
    render_aliases, resolve_indices,
};
use crate::error::Result;

/// `/_aliases`
pub(super) fn change(edge: &Edge, request: &Request) -> Result<Reply> {
    if request.method == Method::Get {
        return alias(edge, request, None, None);
    }
    let actions = parse_alias_actions(&request.body)?;
    edge.db.change_aliases(&actions)?;
    Ok(acknowledged())
}

/// `/[{index}/]_alias[/{names}]`
pub(super) fn alias(
    edge: &Edge,
    request: &Request,
    index: Option<&str>,
    names: Option<&str>,
) -> Result<Reply> {
    match request.method {
        Method::Get | Method::Head => {
            let options = request.index_options_on(IndexOptions {
                expand: Expand::ALL,
                ..IndexOptions::default()
            })?;
            let found = edge.db.named(index.unwrap_or("_all"), options)?;
            let shown: Vec<(&str, &Aliases)> = found
                .iter()
                .map(|named| {
                    (
                        named.state.topic.name.as_str(),
                        named.state.aliases.as_ref(),
                    )
                })
                .collect();
            let (status, bytes) = render_aliases(&shown, names);
            if request.method == Method::Head {
                let is_there = status == 200 && bytes != b"{}";
                return Ok(Reply::empty(if is_there { 200 } else { 404 }));
            }
            Ok(Reply::json(status, bytes))
        }
        Method::Put | Method::Post => {
            let action = parse_put_alias(index, names, &request.body)?;
            edge.db.change_aliases(&[action])?;
            Ok(acknowledged())
        }
        Method::Delete => {
            let names = names.unwrap_or("*").split(',').map(str::to_owned);
            let action = AliasAction::Remove {
                indices: index.unwrap_or("_all").into(),
                aliases: names.collect(),
                must_exist: None,
            };
            edge.db.change_aliases(&[action])?;
            Ok(acknowledged())
        }
    }
}

/// `/_resolve/index/{names}`
pub(super) fn resolve(edge: &Edge, request: &Request, names: &str) -> Result<Reply> {
    let options = request.index_options()?;
    let known = edge.db.names();
    let only_indices = IndexOptions {
        aliases: false,
        ignore_unavailable: true,
        ..options
    };
    let catalog = edge.db.catalog();
    let mut indices = Vec::new();
    for named in resolve_indices(names, &known, only_indices)? {
        let Some(state) = catalog.topic_named(&named.name) else {
            continue;
        };
        let is_closed = known
            .index(&named.name)
            .is_some_and(|index| index.is_closed);
        let state_name = if is_closed { "closed" } else { "open" };
        let mut shown = json!({ "name": named.name });
        if !state.aliases.is_empty() {
            shown["aliases"] = state.aliases.keys().cloned().collect();
        }
        shown["attributes"] = json!([state_name]);
        indices.push(shown);
    }
    indices.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    let fits = |name: &str| {
        names
            .split(',')
            .any(|part| part == "_all" || crate::elastic::matches_wildcard(part.trim(), name))
    };
    let (mut aliases, mut streams) = (Vec::new(), Vec::new());
    for alias in known.aliases.iter().filter(|alias| fits(&alias.name)) {
        if alias.is_stream {
            streams.push(json!({
                "name": alias.name, "backing_indices": alias.indices,
                "timestamp_field": "@timestamp",
            }));
        } else {
            aliases.push(json!({ "name": alias.name, "indices": alias.indices }));
        }
    }
    let reply = json!({ "indices": indices, "aliases": aliases, "data_streams": streams });
    Ok(Reply::value(200, &reply))
}
