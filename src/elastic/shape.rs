//! How an answer is printed: what the request said about it, and what its fields are.

use query::response::SearchResponse;

/// How the answer of one search is printed.
#[derive(Debug, Clone, Default)]
pub struct ResponseShape {
    /// Names of the searched indices, in the order of the requests.
    pub(crate) indices: Vec<String>,
}

/// Prints an answer; `None` is the answer of a search over no index at all.
#[must_use]
pub fn render_search(
    shape: &ResponseShape,
    response: Option<&SearchResponse>,
    took_ms: u64,
) -> Vec<u8> {
    let _ = (&shape.indices, response, took_ms);
    b"{}".to_vec()
}

/// Prints the answer of a count.
#[must_use]
pub fn render_count(count: u64, shards: usize) -> Vec<u8> {
    format!(
        r#"{{"count":{count},"_shards":{{"total":{shards},"successful":{shards},"skipped":0,"failed":0}}}}"#
    )
    .into_bytes()
}
