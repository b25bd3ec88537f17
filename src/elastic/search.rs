//! Search bodies: JSON and URL parameters to requests and the shape of the answer.

use query::request::SearchRequest;
use storage::model::Mapping;

use super::{ElasticError, ResponseShape, SearchParams};

/// Most hits that `from` and `size` may reach unless the index says otherwise.
pub const RESULT_WINDOW_MAX: usize = 10_000;

/// An index that is searched.
#[derive(Debug, Clone, Copy)]
pub struct SearchTarget<'a> {
    /// Its name.
    pub index: &'a str,
    /// Its fields.
    pub mapping: &'a Mapping,
}

/// What a search asks of each index, and how its answer is printed.
#[derive(Debug, Clone)]
pub struct ParsedSearch {
    /// A request for each target, in their order.
    pub requests: Vec<SearchRequest>,
    /// How the merged answer is printed.
    pub shape: ResponseShape,
}

/// Reads a search over `targets`. An empty body asks for everything. `now_ms` is what date math
/// calls `now`.
///
/// # Errors
/// What Elasticsearch would answer, type and status included.
pub fn parse_search(
    body: &[u8],
    params: &SearchParams,
    targets: &[SearchTarget<'_>],
    now_ms: i64,
) -> Result<ParsedSearch, ElasticError> {
    let _ = (body, params, targets, now_ms);
    Err(ElasticError::unsupported("search"))
}

/// Reads the body of a count: a query and nothing else.
///
/// # Errors
/// As [`parse_search`].
pub fn parse_count(
    body: &[u8],
    params: &SearchParams,
    targets: &[SearchTarget<'_>],
    now_ms: i64,
) -> Result<ParsedSearch, ElasticError> {
    let _ = (body, params, targets, now_ms);
    Err(ElasticError::unsupported("count"))
}
