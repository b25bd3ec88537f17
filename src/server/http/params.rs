//! The query string of a request.

use super::endpoint::percent_decode;

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

fn decode(text: &str) -> String {
    percent_decode(&text.replace('+', " "))
}
