//! Percentiles, ranks and the median's deviation as JSON.

use query::Distribution;
use query::response::{AggregationResult, Bucket, MetricResult};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::number::{Number, java_double};
use crate::elastic::shape::{MetricForm, MetricShape, ValueText};

/// What the request asks of `all`.
pub(super) fn entries<M: SerializeMap>(
    map: &mut M,
    shape: &MetricShape,
    all: &Distribution,
) -> Result<(), M::Error> {
    let unit = if shape.is_nanos { 1e6 } else { 1.0 };
    let text = shape.text.as_ref();
    match &shape.form {
        MetricForm::Percentiles {
            percents,
            keyed,
            digits,
        } => {
            let value = |percent: &f64| {
                let value = match digits {
                    None => all.percentile(*percent),
                    Some(digits) => all.high_dynamic_percentile(*percent, *digits),
                };
                (*percent, value.map(|value| value / unit))
            };
            let values = percents.iter().map(value).collect();
            let keyed = *keyed;
            map.serialize_entry(
                "values",
                &Points {
                    values,
                    keyed,
                    text,
                },
            )?;
        }
        MetricForm::Ranks { values, keyed } => {
            let rank = |value: &f64| (*value, all.rank(*value * unit));
            let values = values.iter().map(rank).collect();
            let keyed = *keyed;
            map.serialize_entry(
                "values",
                &Points {
                    values,
                    keyed,
                    text,
                },
            )?;
        }
        MetricForm::MedianAbsoluteDeviation
        | MetricForm::Plain
        | MetricForm::ExtendedStats { .. } => {
            let value = all.median_absolute_deviation().map(|value| value / unit);
            map.serialize_entry("value", &value)?;
            if let (Some(text), Some(value)) = (text, value) {
                let shown = text.of_number(&Number::Double(value));
                map.serialize_entry("value_as_string", &shown)?;
            }
        }
    }
    Ok(())
}

/// Whether a value in `results` is an estimate.
pub(super) fn is_approximate(results: &[AggregationResult]) -> bool {
    let below = |bucket: &Bucket| is_approximate(&bucket.aggregations);
    results.iter().any(|result| match result {
        AggregationResult::Metric(MetricResult::Distribution(all)) => all.is_approximate(),
        AggregationResult::Metric(MetricResult::Estimate(_)) => true,
        AggregationResult::Single(bucket) => below(bucket),
        AggregationResult::Buckets { buckets, .. } => buckets.iter().any(below),
        AggregationResult::Metric(_)
        | AggregationResult::Rows(_)
        | AggregationResult::Pipeline(_) => false,
    })
}

/// Values by the number that was asked about.
pub(super) struct Points<'a> {
    pub(super) values: Vec<(f64, Option<f64>)>,
    pub(super) keyed: bool,
    pub(super) text: Option<&'a ValueText>,
}

impl Points<'_> {
    fn text(&self, value: Option<f64>) -> Option<String> {
        let text = self.text?;
        Some(text.of_number(&Number::Double(value?)))
    }
}

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.keyed {
            let mut list = serializer.serialize_seq(Some(self.values.len()))?;
            for (key, value) in &self.values {
                list.serialize_element(&Point {
                    key: *key,
                    value: *value,
                    text: self.text(*value),
                })?;
            }
            return list.end();
        }
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.values {
            let key = java_double(*key);
            map.serialize_entry(&key, value)?;
            if let Some(text) = self.text(*value) {
                map.serialize_entry(&format!("{key}_as_string"), &text)?;
            }
        }
        map.end()
    }
}

struct Point {
    key: f64,
    value: Option<f64>,
    text: Option<String>,
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("value", &self.value)?;
        if let Some(text) = &self.text {
            map.serialize_entry("value_as_string", text)?;
        }
        map.end()
    }
}
