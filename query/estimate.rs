//! Searches that count distinct values, once more with estimates: where exact counts would take
//! more memory than there is, an answer that says that it is an estimate is worth more than none.

use crate::QueryError;
use crate::request::{Aggregation, Counting, NamedAggregation, SearchRequest};
use crate::response::SearchResponse;
use crate::scan::Part;

/// Answers `parts` with `run`, exactly if that fits the memory.
pub(crate) fn answer(
    parts: &[Part<'_>],
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<SearchResponse, QueryError> {
    let is_asked = |part: &Part<'_>| counts_exactly(&part.request.aggregations);
    match run(parts) {
        Err(QueryError::Memory(_) | QueryError::StateTooLarge { .. })
            if parts.iter().any(is_asked) =>
        {
            let requests: Vec<_> = parts.iter().map(|part| estimated(part.request)).collect();
            let parts = parts.iter().zip(&requests);
            let parts: Vec<_> = parts
                .map(|(part, request)| Part { request, ..*part })
                .collect();
            run(&parts)
        }
        answer => answer,
    }
}

fn counts_exactly(aggregations: &[NamedAggregation]) -> bool {
    aggregations.iter().any(|named| match &named.aggregation {
        Aggregation::Cardinality(by) => by.counting == Counting::Exact,
        Aggregation::Bucket { children, .. } => counts_exactly(children),
        Aggregation::Metric(_) | Aggregation::WeightedAvg(_) => false,
        Aggregation::TopRows(_) | Aggregation::Pipeline(_) => false,
        Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => false,
    })
}

fn estimated(request: &SearchRequest) -> SearchRequest {
    let mut request = request.clone();
    estimate_all(&mut request.aggregations);
    request
}

fn estimate_all(aggregations: &mut [NamedAggregation]) {
    for named in aggregations {
        match &mut named.aggregation {
            Aggregation::Cardinality(by) => by.counting = Counting::Estimated,
            Aggregation::Bucket { children, .. } => estimate_all(children),
            Aggregation::Metric(_) | Aggregation::WeightedAvg(_) => {}
            Aggregation::TopRows(_) | Aggregation::Pipeline(_) => {}
            Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => {}
        }
    }
}
