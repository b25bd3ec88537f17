//! Where a pipeline finds its values.

use std::sync::Arc;

use super::request::GapPolicy;
use crate::request::MetricValue;
use crate::response::{AggregationResult, Bucket, BucketKey, PipelineResult};

/// A value of a bucket: down through aggregations by their places, then which value.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPath {
    /// Places of aggregations, outermost first. Of a sibling pipeline the first is the aggregation
    /// beside it. Empty for values of the bucket itself.
    pub through: Vec<usize>,
    /// Which bucket is meant where an aggregation has several: its place in `through`, and its key
    /// as a text.
    pub keys: Vec<(usize, Arc<str>)>,
    /// What is meant there.
    pub value: PathValue,
}

/// What is meant at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PathValue {
    /// Number of rows.
    Count,
    /// The bucket's key.
    Key,
    /// Number of buckets.
    BucketCount,
    /// A value of a metric or of a pipeline.
    Metric(MetricValue),
}

/// The value of `bucket` at `path`, gaps treated as asked; `None` is a gap.
pub(super) fn value_of(bucket: &Bucket, path: &BucketPath, gaps: GapPolicy) -> Option<f64> {
    let found = raw(bucket, path, 0).filter(|value| value.is_finite());
    let counts = path.through.is_empty() && path.value != PathValue::Metric(MetricValue::Single);
    let is_empty = bucket.count == 0 && !counts;
    match gaps {
        GapPolicy::Skip if is_empty => None,
        GapPolicy::InsertZeros if is_empty => Some(0.0),
        GapPolicy::Skip | GapPolicy::KeepValues => found,
        GapPolicy::InsertZeros => Some(found.unwrap_or(0.0)),
    }
}

/// The value of `bucket`, whatever it is.
fn raw(bucket: &Bucket, path: &BucketPath, depth: usize) -> Option<f64> {
    let value = path.value;
    let Some(first) = path.through.get(depth) else {
        return match value {
            PathValue::Count => Some(bucket.count as f64),
            PathValue::Key => key_number(&bucket.key),
            PathValue::BucketCount | PathValue::Metric(_) => None,
        };
    };
    match bucket.aggregations.get(*first)? {
        AggregationResult::Single(inner) => raw(inner, path, depth + 1),
        AggregationResult::Metric(metric) => match value {
            PathValue::Metric(value) => metric.value(value),
            PathValue::Count | PathValue::Key | PathValue::BucketCount => None,
        },
        AggregationResult::Pipeline(result) => match value {
            PathValue::Metric(value) => pipeline_value(result, value),
            PathValue::Count | PathValue::Key | PathValue::BucketCount => None,
        },
        AggregationResult::Buckets { buckets, .. } => match path.key_at(depth) {
            Some(key) => {
                let is_meant = |bucket: &&Bucket| key_text(&bucket.key).as_deref() == Some(key);
                raw(buckets.iter().find(is_meant)?, path, depth + 1)
            }
            None => (value == PathValue::BucketCount).then_some(buckets.len() as f64),
        },
        AggregationResult::Rows(_) => None,
    }
}

impl BucketPath {
    fn key_at(&self, depth: usize) -> Option<&str> {
        let mut keys = self.keys.iter();
        let found = keys.find(|(at, _)| *at == depth);
        found.map(|(_, key)| key.as_ref())
    }

    /// The path from below its first step.
    pub(super) fn below_first(&self) -> Self {
        let keys = self.keys.iter();
        let keys = keys.filter_map(|(at, key)| Some((at.checked_sub(1)?, Arc::clone(key))));
        Self {
            through: self.through.get(1..).unwrap_or_default().to_vec(),
            keys: keys.collect(),
            value: self.value,
        }
    }
}

/// A key as paths name it.
fn key_text(key: &BucketKey) -> Option<String> {
    match key {
        BucketKey::Name(name) => Some(name.to_string()),
        BucketKey::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        BucketKey::Time(number) | BucketKey::Integer(number) => Some(number.to_string()),
        BucketKey::Decimal(number) => Some(number.to_f64().to_string()),
        BucketKey::Significant { term, .. } => key_text(term),
        BucketKey::None | BucketKey::Tuple(_) | BucketKey::Cluster { .. } => None,
    }
}

/// A value of what a pipeline made.
fn pipeline_value(result: &PipelineResult, value: MetricValue) -> Option<f64> {
    match result {
        PipelineResult::Absent => None,
        PipelineResult::Value(found) => *found,
        PipelineResult::Derivative { value, .. } => Some(*value),
        PipelineResult::Extreme { value, .. } => *value,
        PipelineResult::Percentiles(values) => match value {
            MetricValue::Percentile(percent) => {
                let found = values.iter().find(|(other, _)| *other == percent);
                found.and_then(|(_, value)| *value)
            }
            _other => None,
        },
        PipelineResult::Stats(stats) => stats.value(value),
    }
}

/// A key as a number.
pub(super) fn key_number(key: &BucketKey) -> Option<f64> {
    match key {
        BucketKey::Time(number) | BucketKey::Integer(number) => Some(*number as f64),
        BucketKey::Decimal(number) => Some(number.to_f64()),
        BucketKey::Cluster { mean, .. } => Some(*mean),
        BucketKey::Significant { term, .. } => key_number(term),
        BucketKey::None | BucketKey::Text(_) | BucketKey::Name(_) | BucketKey::Tuple(_) => None,
    }
}
