//! Aggregations over all rows beside those over the rows that match: a search of its own for each.

use crate::QueryError;
use crate::request::{
    Aggregation, BucketBy, Filter, HitsRequest, Limits, NamedAggregation, SearchRequest,
};
use crate::response::{AggregationResult, Bucket, BucketKey, SearchResponse};
use crate::scan::Part;

/// What stands below an aggregation over all rows.
fn below(named: &NamedAggregation) -> Option<&[NamedAggregation]> {
    match &named.aggregation {
        Aggregation::Bucket {
            by: BucketBy::Global,
            children,
        } => Some(children),
        _below_the_filter => None,
    }
}

/// Whether some part asks for all rows.
pub(crate) fn is_asked(parts: &[Part<'_>]) -> bool {
    parts.iter().any(|part| is_asked_by(part.request))
}

/// Whether `request` asks for all rows.
pub(crate) fn is_asked_by(request: &SearchRequest) -> bool {
    let mut aggregations = request.aggregations.iter();
    aggregations.any(|named| below(named).is_some())
}

/// Answers `parts` with `run`, which answers searches without such aggregations.
pub(crate) fn answer(
    parts: &[Part<'_>],
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<SearchResponse, QueryError> {
    let run_with = |change: &dyn Fn(&SearchRequest) -> SearchRequest| {
        let requests: Vec<_> = parts.iter().map(|part| change(part.request)).collect();
        let parts: Vec<_> = parts
            .iter()
            .zip(&requests)
            .map(|(part, request)| Part { request, ..*part })
            .collect();
        run(&parts)
    };
    let mut response = run_with(&|request| {
        let mut request = request.clone();
        request.aggregations.retain(|named| below(named).is_none());
        request
    })?;
    let Some(first) = parts.first() else {
        return Ok(response);
    };
    for (index, named) in first.request.aggregations.iter().enumerate() {
        if below(named).is_none() {
            continue;
        }
        let all = run_with(&|request| {
            let own = request.aggregations.get(index).and_then(below);
            SearchRequest {
                filter: Filter::All,
                aggregations: own.map(<[_]>::to_vec).unwrap_or_default(),
                hits: HitsRequest::default(),
                limits: Limits {
                    counted_rows_max: u64::MAX,
                    ..request.limits
                },
                ..request.clone()
            }
        })?;
        let bucket = Bucket {
            key: BucketKey::None,
            count: all.matched,
            aggregations: all.aggregations,
        };
        let result = AggregationResult::Single(bucket);
        response.aggregations.insert(index, result);
        response.profile.add(&all.profile);
    }
    Ok(response)
}
