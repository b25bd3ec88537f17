//! `_search`, `_count`, `_msearch`.

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{ElasticError, SearchParams, parse_msearch, render_msearch};
use crate::error::{Error, Result};
use crate::options::Stopwatch;

/// `/{index}/_search`
pub(super) fn search(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let params = params(request)?;
    let answer = edge
        .db
        .search_elastic(index, request.search_body(), &params)?;
    Ok(Reply::ok(answer))
}

/// `/{index}/_count`
pub(super) fn count(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let params = params(request)?;
    let answer = edge
        .db
        .count_elastic(index, request.search_body(), &params)?;
    Ok(Reply::ok(answer))
}

/// `/{index}/_msearch`: a bad search fails in its own place.
pub(super) fn multi_search(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let watch = Stopwatch::start();
    let shared = params(request)?;
    let items = parse_msearch(&request.body, index)?;
    let answers: Vec<Result<Vec<u8>, ElasticError>> = items
        .iter()
        .map(|item| {
            let mut params = shared.clone();
            let indices = &mut params.indices;
            indices.ignore_unavailable = item.ignore_unavailable.or(indices.ignore_unavailable);
            indices.allow_no_indices = item.allow_no_indices.or(indices.allow_no_indices);
            let index = if item.index.is_empty() {
                "_all"
            } else {
                &item.index
            };
            edge.db
                .search_elastic(index, item.body, &params)
                .map_err(Error::into_elastic)
        })
        .collect();
    Ok(Reply::ok(render_msearch(watch.elapsed_ms(), &answers)))
}

fn params(request: &Request) -> Result<SearchParams> {
    let pairs = request
        .params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(SearchParams::parse(&request.path, pairs)?)
}
