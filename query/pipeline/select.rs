//! Scripts over buckets, and which buckets stay.

use std::cmp::Ordering;

use super::expression::{Expression, Scope};
use super::path::{BucketPath, value_of};
use super::put;
use super::request::{GapPolicy, SortedBy};
use crate::response::{Bucket, PipelineResult};

fn variables(bucket: &Bucket, paths: &[BucketPath], gaps: GapPolicy) -> Vec<Option<f64>> {
    let values = paths.iter().map(|path| value_of(bucket, path, gaps));
    values.collect()
}

pub(super) fn script(
    buckets: &mut [Bucket],
    index: usize,
    paths: &[BucketPath],
    gaps: GapPolicy,
    script: &Expression,
) {
    for bucket in buckets {
        let variables = variables(bucket, paths, gaps);
        let is_skipped = gaps != GapPolicy::InsertZeros && variables.iter().any(Option::is_none);
        let mut scope = Scope {
            variables,
            window: &[],
            ..Scope::default()
        };
        let result = match is_skipped {
            true => PipelineResult::Absent,
            false => match script.evaluate(&mut scope).number() {
                Some(value) => PipelineResult::Value(Some(value).filter(|value| value.is_finite())),
                None => PipelineResult::Absent,
            },
        };
        put(bucket, index, result);
    }
}

pub(super) fn selector(
    buckets: &mut Vec<Bucket>,
    paths: &[BucketPath],
    gaps: GapPolicy,
    script: &Expression,
) {
    buckets.retain(|bucket| {
        let mut scope = Scope {
            // What is missing is no number, and no comparison with it holds.
            variables: variables(bucket, paths, gaps)
                .into_iter()
                .map(|value| Some(value.unwrap_or(f64::NAN)))
                .collect(),
            window: &[],
            ..Scope::default()
        };
        script.evaluate(&mut scope).holds()
    });
}

pub(super) fn sort(
    buckets: &mut Vec<Bucket>,
    by: &[SortedBy],
    gaps: GapPolicy,
    from: usize,
    size: Option<usize>,
) {
    if !by.is_empty() {
        let values = |bucket: &Bucket| -> Vec<Option<f64>> {
            by.iter()
                .map(|by| value_of(bucket, &by.path, gaps))
                .collect()
        };
        let mut keyed: Vec<_> = std::mem::take(buckets)
            .into_iter()
            .map(|bucket| (values(&bucket), bucket))
            // What has none of the values has no place.
            .filter(|(values, _)| values.iter().any(Option::is_some))
            .collect();
        keyed.sort_by(|(a, _), (b, _)| compare(by, a, b));
        buckets.extend(keyed.into_iter().map(|(_, bucket)| bucket));
    }
    buckets.drain(..from.min(buckets.len()));
    if let Some(size) = size {
        buckets.truncate(size);
    }
}

/// Buckets without a value come last, whatever the direction.
fn compare(by: &[SortedBy], a: &[Option<f64>], b: &[Option<f64>]) -> Ordering {
    let mut known = Ordering::Equal;
    for ((a, b), by) in a.iter().zip(b).zip(by) {
        known = known.then_with(|| match (a, b) {
            (Some(a), Some(b)) if by.descending => b.total_cmp(a),
            (Some(a), Some(b)) => a.total_cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
    }
    known
}
