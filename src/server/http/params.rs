//! The query string of a request.

use super::endpoint::percent_decode;
use super::request::Request;
use crate::elastic::SearchParams;
use crate::error::Result;

/// Most bytes of a query string; longer ones are refused.
pub(super) const QUERY_BYTES_MAX: usize = 64 << 10;

/// Names and values in the order given; `+` is a space.
pub(super) fn parse(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The parameters of a search, those of `known` left out.
pub(super) fn without(request: &Request, known: &[&str]) -> Result<SearchParams> {
    let pairs = request.params.iter();
    let pairs = pairs.filter(|(name, _)| !known.contains(&name.as_str()));
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(SearchParams {
        stop: request.stop.clone(),
        opaque_id: request.opaque_id.clone(),
        ..SearchParams::parse(&request.path, pairs)?
    })
}

fn decode(text: &str) -> String {
    percent_decode(&text.replace('+', " "))
}
