//! One value of all buckets beside a pipeline.

use super::path::{BucketPath, value_of};
use super::request::{GapPolicy, SiblingKind};
use crate::response::{AggregationResult, Bucket, PipelineResult, PipelineStats};

pub(super) fn run(
    kind: &SiblingKind,
    path: &BucketPath,
    gaps: GapPolicy,
    results: &[AggregationResult],
) -> PipelineResult {
    let Some(first) = path.through.first() else {
        return PipelineResult::Absent;
    };
    let below = path.below_first();
    let buckets: &[Bucket] = match results.get(*first) {
        Some(AggregationResult::Buckets { buckets, .. }) => buckets,
        Some(AggregationResult::Single(bucket)) => std::slice::from_ref(bucket),
        _ => &[],
    };
    let found: Vec<(&Bucket, f64)> = buckets
        .iter()
        .filter_map(|bucket| Some((bucket, value_of(bucket, &below, gaps)?)))
        .collect();
    let values: Vec<f64> = found.iter().map(|(_, value)| *value).collect();
    let stats = stats(&values);
    match kind {
        SiblingKind::Avg => PipelineResult::Value(stats.avg),
        SiblingKind::Sum => PipelineResult::Value(Some(stats.sum)),
        SiblingKind::Min => extreme(&found, stats.min),
        SiblingKind::Max => extreme(&found, stats.max),
        SiblingKind::Stats | SiblingKind::ExtendedStats => PipelineResult::Stats(stats),
        SiblingKind::Percentiles(percents) => percentiles(values, percents),
    }
}

/// A value, and the keys of all buckets that have it.
fn extreme(found: &[(&Bucket, f64)], value: Option<f64>) -> PipelineResult {
    let same = found.iter().filter(|(_, other)| Some(*other) == value);
    PipelineResult::Extreme {
        value,
        keys: same.map(|(bucket, _)| bucket.key.clone()).collect(),
    }
}

fn stats(values: &[f64]) -> PipelineStats {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    let count = values.len() as f64;
    PipelineStats {
        count: values.len() as u64,
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        avg: (!values.is_empty()).then(|| sum / count),
        sum,
        sum_of_squares: squares,
        variance_population: (!values.is_empty())
            .then(|| ((squares - sum * sum / count) / count).max(0.0)),
        variance_sampling: (values.len() > 1)
            .then(|| ((squares - sum * sum / count) / (count - 1.0)).max(0.0)),
    }
}

/// The value nearest to its place between the first and the last, without interpolation.
fn percentiles(mut values: Vec<f64>, percents: &[f64]) -> PipelineResult {
    values.sort_unstable_by(f64::total_cmp);
    let value = |percent: &f64| {
        let place = percent / 100.0 * values.len().saturating_sub(1) as f64;
        let place = (place + 0.5).floor() as usize;
        (*percent, values.get(place).copied())
    };
    PipelineResult::Percentiles(percents.iter().map(value).collect())
}
