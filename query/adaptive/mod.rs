//! Aggregations whose buckets are known only after a look at the rows: widths that depend on the
//! first and the last value, numbers near each other, terms that stand out.
//!
//! Each is answered by further searches over the same rows:
//!
//! 1. **Look**: what the choice depends on is asked as a search of its own.
//! 2. **Rewrite**: the aggregation becomes a plain one with the buckets that were chosen.
//! 3. **Name**: buckets of the answer get the names that the choice gave them.
//!
//! Below several buckets the choice is the same for all of them: it depends on the rows of the
//! search and of the filters above, so that buckets of one answer can be compared.

mod clusters;
mod dates;
mod request;
mod significance;

pub use request::{
    Adaptive, AutoDates, Clusters, LadderStep, LadderUnit, SignificanceScore, Significant,
};

use std::ops::Bound;

use storage::model::{Decimal, FieldType};

use crate::QueryError;
use crate::request::{
    Aggregation, BucketBy, DateHistogram, Filter, Filters, HitsRequest, Limits, Metric, MetricKind,
    NamedAggregation, SearchRequest, TermSelection, TermValue, Terms,
};
use crate::response::{
    AggregationResult, Bucket, BucketKey, BucketsNote, MetricResult, SearchResponse,
};
use crate::scan::Part;
use clusters::{Cluster, clusters};
use significance::Frequencies;

/// Nanoseconds in a millisecond.
const MS_NANOS: i64 = 1_000_000;

/// Places of children from the top down.
type Place = Vec<usize>;

/// What was chosen for one aggregation.
enum Choice {
    Dates(LadderStep, Box<DateHistogram>),
    Clusters(Vec<Cluster>),
    Significant,
}

/// Answers `parts` with `run`, which answers searches without such aggregations.
pub(crate) fn answer(
    parts: &[Part<'_>],
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<SearchResponse, QueryError> {
    let Some(first) = parts.first() else {
        return run(parts);
    };
    let mut places = Vec::new();
    find(&first.request.aggregations, &mut Vec::new(), &mut places);
    if places.is_empty() {
        return run(parts);
    }
    let mut requests: Vec<_> = parts.iter().map(|part| part.request.clone()).collect();
    let mut choices = Vec::with_capacity(places.len());
    for place in &places {
        let choice = choose(parts, place, &run)?;
        for request in &mut requests {
            rewrite(&mut request.aggregations, place, &choice);
        }
        choices.push(choice);
    }
    let mut response = run_with(parts, &requests, &run)?;
    for (place, choice) in places.iter().zip(&choices) {
        match choice {
            Choice::Dates(step, _) => each_result(&mut response, place, &mut |result, _| {
                if let AggregationResult::Buckets { note, .. } = result {
                    *note = BucketsNote::Step(*step);
                }
            }),
            Choice::Clusters(all) => each_result(&mut response, place, &mut |result, _| {
                name_clusters(result, all);
            }),
            Choice::Significant => name_significant(parts, place, &mut response, &run)?,
        }
    }
    Ok(response)
}

/// The places of such aggregations. Those below the top's `global` belong to a search of its own.
fn find(named: &[NamedAggregation], above: &mut Place, places: &mut Vec<Place>) {
    for (index, named) in named.iter().enumerate() {
        let Aggregation::Bucket { by, children } = &named.aggregation else {
            continue;
        };
        above.push(index);
        match by {
            BucketBy::Adaptive(_) => places.push(above.clone()),
            BucketBy::Global | BucketBy::Filter(_) | BucketBy::Filters(_) => {}
            BucketBy::DateHistogram(_) | BucketBy::NumberHistogram(_) => {}
            BucketBy::Terms(_) | BucketBy::Tuples(_) => {}
        }
        find(children, above, places);
        above.pop();
    }
}

/// Whether rows are compared with others than those that match.
pub(crate) fn looks_beyond(named: &[NamedAggregation]) -> bool {
    named.iter().any(|named| match &named.aggregation {
        Aggregation::Bucket { by, children } => {
            matches!(by, BucketBy::Adaptive(Adaptive::Significant(_))) || looks_beyond(children)
        }
        _leaf => false,
    })
}

/// What is asked at `place`, and the filters above it.
fn asked<'r>(request: &'r SearchRequest, place: &Place) -> Option<(&'r Adaptive, Filter)> {
    let mut filters = vec![request.filter.clone()];
    let mut named = request.aggregations.as_slice();
    let (last, above) = place.split_last()?;
    for index in above {
        let Aggregation::Bucket { by, children } = &named.get(*index)?.aggregation else {
            return None;
        };
        if let BucketBy::Filter(filter) = by {
            filters.push(filter.clone());
        }
        named = children;
    }
    match &named.get(*last)?.aggregation {
        Aggregation::Bucket {
            by: BucketBy::Adaptive(adaptive),
            ..
        } => Some((adaptive, Filter::And(filters))),
        _other => None,
    }
}

/// Answers requests that differ from those of `parts`.
fn run_with(
    parts: &[Part<'_>],
    requests: &[SearchRequest],
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<SearchResponse, QueryError> {
    let parts: Vec<_> = parts
        .iter()
        .zip(requests)
        .map(|(part, request)| Part { request, ..*part })
        .collect();
    run(&parts)
}

/// Answers a search of its own for what stands at `place`.
fn look(
    parts: &[Part<'_>],
    place: &Place,
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
    ask: impl Fn(&Adaptive, Filter) -> (Filter, Vec<Aggregation>),
) -> Result<SearchResponse, QueryError> {
    let request = |part: &Part<'_>| {
        let (filter, aggregations) = match asked(part.request, place) {
            Some((adaptive, filter)) => ask(adaptive, filter),
            None => (Filter::None, Vec::new()),
        };
        let named = |(index, aggregation): (usize, Aggregation)| NamedAggregation {
            name: index.to_string(),
            aggregation,
        };
        SearchRequest {
            filter,
            aggregations: aggregations.into_iter().enumerate().map(named).collect(),
            hits: HitsRequest::default(),
            rollup: part.request.rollup,
            limits: Limits {
                counted_rows_max: u64::MAX,
                ..part.request.limits
            },
        }
    };
    let requests: Vec<_> = parts.iter().map(request).collect();
    run_with(parts, &requests, run)
}

fn metric(kind: MetricKind, field: Option<crate::request::FieldRef>) -> Metric {
    Metric {
        kind,
        field,
        missing: None,
        linear: None,
    }
}

fn choose(
    parts: &[Part<'_>],
    place: &Place,
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<Choice, QueryError> {
    let first = parts.first().map(|part| part.request);
    match first.and_then(|request| asked(request, place)) {
        None | Some((Adaptive::Significant(_), _)) => Ok(Choice::Significant),
        Some((Adaptive::Dates(by), _)) => {
            let times_ms = time_bounds_ms(parts, place, run)?;
            let (step, histogram) = dates::choose(by, times_ms);
            Ok(Choice::Dates(step, Box::new(histogram)))
        }
        Some((Adaptive::Clusters(by), _)) => {
            let found = look(parts, place, run, |adaptive, filter| {
                let field = match adaptive {
                    Adaptive::Clusters(by) => by.field.clone(),
                    Adaptive::Dates(_) | Adaptive::Significant(_) => None,
                };
                let all = metric(MetricKind::Distribution, field);
                (filter, vec![Aggregation::Metric(all)])
            })?;
            Ok(Choice::Clusters(match found.aggregations.first() {
                Some(AggregationResult::Metric(MetricResult::Distribution(all))) => {
                    clusters(all, by.count_max)
                }
                _nothing => Vec::new(),
            }))
        }
    }
}

/// The first and the last instant that there is at `place`.
fn time_bounds_ms(
    parts: &[Part<'_>],
    place: &Place,
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<Option<(i64, i64)>, QueryError> {
    let unit = |by: &AutoDates| match by.field.as_ref().map(|field| field.field_type) {
        Some(FieldType::DateNanos) => MS_NANOS,
        Some(_) | None => 1,
    };
    let found = look(parts, place, run, |adaptive, filter| {
        let Adaptive::Dates(by) = adaptive else {
            return (filter, Vec::new());
        };
        let missing = by.missing_ms.map(|ms| ms.saturating_mul(unit(by)));
        let extreme = |kind| {
            Aggregation::Metric(Metric {
                missing: missing.map(Decimal::from_i64),
                ..metric(kind, by.field.clone())
            })
        };
        (
            filter,
            vec![extreme(MetricKind::Min), extreme(MetricKind::Max)],
        )
    })?;
    let asked = parts.first().and_then(|part| asked(part.request, place));
    let width = match asked {
        Some((Adaptive::Dates(by), _)) => unit(by),
        Some((Adaptive::Clusters(_) | Adaptive::Significant(_), _)) | None => 1,
    };
    let bound = |index: usize| match found.aggregations.get(index) {
        Some(AggregationResult::Metric(MetricResult::Min(at) | MetricResult::Max(at))) => {
            at.map(|at| at.mantissa.div_euclid(width))
        }
        _nothing => None,
    };
    Ok(bound(0).zip(bound(1)))
}

/// Puts what was chosen in the place of what was asked.
fn rewrite(named: &mut [NamedAggregation], place: &[usize], choice: &Choice) {
    let Some((index, below)) = place.split_first() else {
        return;
    };
    let Some(Aggregation::Bucket { by, children }) =
        named.get_mut(*index).map(|named| &mut named.aggregation)
    else {
        return;
    };
    if !below.is_empty() {
        return rewrite(children, below, choice);
    }
    let BucketBy::Adaptive(adaptive) = &*by else {
        return;
    };
    *by = match (adaptive, choice) {
        (Adaptive::Dates(own), Choice::Dates(_, chosen)) => {
            BucketBy::DateHistogram(DateHistogram {
                field: own.field.clone(),
                missing_ms: own.missing_ms,
                ..(**chosen).clone()
            })
        }
        (Adaptive::Clusters(own), Choice::Clusters(all)) => {
            BucketBy::Filters(cluster_filters(own, all))
        }
        (Adaptive::Significant(own), _) => BucketBy::Terms(Terms {
            size: usize::MAX,
            order: Vec::new(),
            ..own.terms.clone()
        }),
        (Adaptive::Dates(_) | Adaptive::Clusters(_), _) => {
            unreachable!("parts of a search ask for the same")
        }
    };
}

/// A filter for each group: from its smallest value to below that of the next.
fn cluster_filters(by: &Clusters, all: &[Cluster]) -> Filters {
    let filter = |index: usize| {
        let Some(field) = &by.field else {
            return Filter::None;
        };
        let least = |cluster: &Cluster| Decimal::from_f64(cluster.min).unwrap_or_default();
        let lower = all.get(index).filter(|_| index > 0);
        Filter::NumberRange {
            field: field.clone(),
            lower: lower.map_or(Bound::Unbounded, |own| Bound::Included(least(own))),
            upper: all
                .get(index + 1)
                .map_or(Bound::Unbounded, |next| Bound::Excluded(least(next))),
        }
    };
    Filters {
        filters: (0..all.len()).map(|index| (None, filter(index))).collect(),
        other: None,
    }
}

/// Shows every result at `place`, with the rows of the bucket that it stands in.
fn each_result(
    response: &mut SearchResponse,
    place: &[usize],
    visit: &mut dyn FnMut(&mut AggregationResult, u64),
) {
    each_below(&mut response.aggregations, place, response.matched, visit);
}

fn each_below(
    results: &mut [AggregationResult],
    place: &[usize],
    rows: u64,
    visit: &mut dyn FnMut(&mut AggregationResult, u64),
) {
    let Some((index, below)) = place.split_first() else {
        return;
    };
    let Some(result) = results.get_mut(*index) else {
        return;
    };
    if below.is_empty() {
        return visit(result, rows);
    }
    let buckets = match result {
        AggregationResult::Single(bucket) => std::slice::from_mut(bucket),
        AggregationResult::Buckets { buckets, .. } => buckets,
        AggregationResult::Metric(_)
        | AggregationResult::Rows(_)
        | AggregationResult::Pipeline(_) => &mut [],
    };
    for bucket in buckets {
        each_below(&mut bucket.aggregations, below, bucket.count, visit);
    }
}

fn name_clusters(result: &mut AggregationResult, all: &[Cluster]) {
    if let AggregationResult::Buckets { buckets, .. } = result {
        for (bucket, cluster) in buckets.iter_mut().zip(all) {
            bucket.key = BucketKey::Cluster {
                min: cluster.min,
                mean: cluster.mean,
                max: cluster.max,
            };
        }
        buckets.retain(|bucket| bucket.count > 0);
    }
}

/// Counts the terms found at `place` in the background, and keeps those that stand out.
fn name_significant(
    parts: &[Part<'_>],
    place: &Place,
    response: &mut SearchResponse,
    run: impl Fn(&[Part<'_>]) -> Result<SearchResponse, QueryError>,
) -> Result<(), QueryError> {
    let Some((Adaptive::Significant(by), _)) =
        parts.first().and_then(|part| asked(part.request, place))
    else {
        return Ok(());
    };
    let mut terms: Vec<BucketKey> = Vec::new();
    each_result(response, place, &mut |result, _| {
        if let AggregationResult::Buckets { buckets, .. } = result {
            terms.extend(buckets.iter().map(|bucket| bucket.key.clone()));
        }
    });
    terms.sort_unstable_by(BucketKey::compare);
    terms.dedup();
    let include: Vec<TermValue> = terms.iter().filter_map(term_value).collect();
    let background = look(parts, place, run, |adaptive, filter| match adaptive {
        Adaptive::Significant(own) => {
            let terms = Terms {
                size: usize::MAX,
                doc_count_min: 1,
                include: Some(TermSelection::Values(include.clone())),
                exclude: None,
                order: Vec::new(),
                ..own.terms.clone()
            };
            let by = BucketBy::Terms(terms);
            let counted = Aggregation::Bucket {
                by,
                children: Vec::new(),
            };
            (own.background.clone(), vec![counted])
        }
        Adaptive::Dates(_) | Adaptive::Clusters(_) => (filter, Vec::new()),
    })?;
    let mut counts: Vec<(&BucketKey, u64)> = Vec::new();
    if let Some(AggregationResult::Buckets { buckets, .. }) = background.aggregations.first() {
        counts.extend(buckets.iter().map(|bucket| (&bucket.key, bucket.count)));
    }
    counts.sort_unstable_by(|a, b| a.0.compare(b.0));
    let everywhere = |key: &BucketKey| {
        let place = counts.binary_search_by(|(known, _)| known.compare(key));
        place.map_or(0, |place| counts[place].1)
    };
    each_result(response, place, &mut |result, rows| {
        if let AggregationResult::Buckets { buckets, note, .. } = result {
            *note = BucketsNote::Compared {
                rows,
                background_rows: background.matched,
            };
            keep_significant(by, buckets, (rows, background.matched), &everywhere);
        }
    });
    Ok(())
}

/// Keeps the terms that stand out most.
fn keep_significant(
    by: &Significant,
    buckets: &mut Vec<Bucket>,
    (inside_all, everywhere_all): (u64, u64),
    everywhere: &dyn Fn(&BucketKey) -> u64,
) {
    let mut scored: Vec<(f64, u64, Bucket)> = std::mem::take(buckets)
        .into_iter()
        .map(|bucket| {
            // Rows that match may be no part of the background.
            let everywhere = everywhere(&bucket.key);
            let score = by.score.of(Frequencies {
                inside: bucket.count,
                inside_all,
                everywhere,
                everywhere_all,
            });
            (score, everywhere, bucket)
        })
        .filter(|(score, ..)| *score > 0.0)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.2.key.compare(&b.2.key)));
    scored.truncate(by.size);
    let named = scored.into_iter().map(|(score, count, mut bucket)| {
        bucket.key = BucketKey::Significant {
            term: Box::new(std::mem::replace(&mut bucket.key, BucketKey::None)),
            score,
            background_count: count,
        };
        bucket
    });
    buckets.extend(named);
}

fn term_value(key: &BucketKey) -> Option<TermValue> {
    Some(match key {
        BucketKey::Text(text) => TermValue::Text(text.clone()),
        BucketKey::Integer(integer) => TermValue::Integer(*integer),
        BucketKey::Decimal(decimal) => TermValue::Decimal(*decimal),
        BucketKey::None | BucketKey::Time(_) | BucketKey::Name(_) => return None,
        BucketKey::Tuple(_) | BucketKey::Cluster { .. } => return None,
        BucketKey::Significant { .. } => return None,
    })
}
