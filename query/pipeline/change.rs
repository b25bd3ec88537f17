//! Values by their neighbours: differences, sums, shares.

use super::path::{BucketPath, key_number, value_of};
use super::put;
use super::request::{GapPolicy, Normalization};
use crate::response::{Bucket, PipelineResult};

pub(super) fn derivative(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
    unit: Option<f64>,
) {
    let mut before: Option<(f64, Option<f64>)> = None;
    for bucket in buckets {
        // A gap is no number, and so is every difference to it; only the first bucket has none.
        let value = value_of(bucket, path, gaps).unwrap_or(f64::NAN);
        let key = key_number(&bucket.key);
        let result = match before.replace((value, key)) {
            Some((last, last_key)) => {
                let difference = value - last;
                let width = key.zip(last_key).map(|(key, last_key)| key - last_key);
                let per_unit = unit
                    .zip(width)
                    .map(|(unit, width)| difference / (width / unit));
                PipelineResult::Derivative {
                    value: difference,
                    per_unit,
                }
            }
            None => PipelineResult::Absent,
        };
        put(bucket, index, result);
    }
}

pub(super) fn cumulative_sum(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
) {
    let mut sum = 0.0;
    for bucket in buckets {
        sum += value_of(bucket, path, gaps).unwrap_or(0.0);
        put(bucket, index, PipelineResult::Value(Some(sum)));
    }
}

pub(super) fn serial_difference(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
    lag: usize,
) {
    let values: Vec<_> = buckets
        .iter()
        .map(|bucket| value_of(bucket, path, gaps))
        .collect();
    for (place, bucket) in buckets.iter_mut().enumerate() {
        let before = place.checked_sub(lag).and_then(|before| values[before]);
        let result = match (before, values[place]) {
            (Some(before), Some(value)) => PipelineResult::Value(Some(value - before)),
            _ => PipelineResult::Absent,
        };
        put(bucket, index, result);
    }
}

pub(super) fn normalize(
    buckets: &mut [Bucket],
    index: usize,
    path: &BucketPath,
    gaps: GapPolicy,
    method: Normalization,
) {
    let values: Vec<_> = buckets
        .iter()
        .map(|bucket| value_of(bucket, path, gaps))
        .collect();
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let count = known.len() as f64;
    let sum: f64 = known.iter().sum();
    let mean = sum / count;
    let min = known.iter().copied().fold(f64::INFINITY, f64::min);
    let max = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let squares: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / count).sqrt();
    let exponentials: f64 = known.iter().map(|value| value.exp()).sum();
    let normalized = |value: f64| match method {
        Normalization::ToOne => (value - min) / (max - min),
        Normalization::ToHundred => 100.0 * (value - min) / (max - min),
        Normalization::PercentOfSum => value / sum,
        Normalization::Mean => (value - mean) / (max - min),
        Normalization::ZScore => (value - mean) / deviation,
        Normalization::Softmax => value.exp() / exponentials,
    };
    for (bucket, value) in buckets.iter_mut().zip(&values) {
        let result = value.map(normalized).filter(|value| value.is_finite());
        put(bucket, index, PipelineResult::Value(result));
    }
}
