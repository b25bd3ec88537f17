//! Values of metrics as JSON.

use query::response::MetricResult;
use serde::ser::SerializeMap;

use super::number::Number;
use super::{distribution, extended, places};
use crate::elastic::shape::{MetricShape, ValueText};

/// The entries of one metric.
pub(super) fn metric_entries<M: SerializeMap>(
    map: &mut M,
    shape: &MetricShape,
    result: &MetricResult,
) -> Result<(), M::Error> {
    let number = |number: Number| shape.in_unit(number);
    let value = match result {
        MetricResult::ValueCount(count)
        | MetricResult::Cardinality(count)
        | MetricResult::Estimate(count) => {
            return map.serialize_entry("value", count);
        }
        MetricResult::ExtendedStats(all) => return extended::entries(map, shape, all),
        MetricResult::Distribution(all) => return distribution::entries(map, shape, all),
        MetricResult::Places(found) => return places::centroid_entries(map, found),
        MetricResult::Moments(fields) => return places::moments_entries(map, &[], fields),
        MetricResult::Stats {
            count,
            min,
            max,
            sum,
            avg,
        } => {
            let stats = Stats {
                count: *count,
                min: min.map(|min| number(Number::of_decimal(min))),
                max: max.map(|max| number(Number::of_decimal(max))),
                avg: avg.map(|avg| number(Number::Double(avg))),
                sum: number(Number::of_sum(sum)),
            };
            return stats.entries(map, shape.text.as_ref());
        }
        MetricResult::Sum(sum) => Some(Number::of_sum(sum)),
        MetricResult::Avg(avg) => avg.map(Number::Double),
        MetricResult::Min(value) | MetricResult::Max(value) => value.map(Number::of_decimal),
    };
    let value = value.map(number);
    map.serialize_entry("value", &value)?;
    match (&value, &shape.text) {
        (Some(value), Some(text)) => map.serialize_entry("value_as_string", &text.of_number(value)),
        (None, _) | (_, None) => Ok(()),
    }
}

pub(super) struct Stats {
    pub(super) count: u64,
    pub(super) min: Option<Number>,
    pub(super) max: Option<Number>,
    pub(super) avg: Option<Number>,
    pub(super) sum: Number,
}

impl Stats {
    pub(super) fn entries<M: SerializeMap>(
        &self,
        map: &mut M,
        text: Option<&ValueText>,
    ) -> Result<(), M::Error> {
        self.values(map)?;
        self.texts(map, text)
    }

    pub(super) fn values<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("min", &self.min)?;
        map.serialize_entry("max", &self.max)?;
        map.serialize_entry("avg", &self.avg)?;
        map.serialize_entry("sum", &self.sum)
    }

    pub(super) fn texts<M: SerializeMap>(
        &self,
        map: &mut M,
        text: Option<&ValueText>,
    ) -> Result<(), M::Error> {
        if let (Some(text), Some(min), Some(max), Some(avg)) =
            (text, &self.min, &self.max, &self.avg)
        {
            map.serialize_entry("min_as_string", &text.of_number(min))?;
            map.serialize_entry("max_as_string", &text.of_number(max))?;
            map.serialize_entry("avg_as_string", &text.of_number(avg))?;
            map.serialize_entry("sum_as_string", &text.of_number(&self.sum))?;
        }
        Ok(())
    }
}

impl MetricShape {
    /// The number as it is shown.
    pub(super) fn in_unit(&self, number: Number) -> Number {
        if self.is_nanos {
            number.milliseconds()
        } else {
            number
        }
    }
}
