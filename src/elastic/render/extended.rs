//! `extended_stats` as JSON.

use query::response::ExtendedStats;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::metric::Stats;
use super::number::Number;
use crate::elastic::shape::{MetricForm, MetricShape, ValueText};

/// Deviations of bounds from the mean where nothing is said.
const SIGMA_DEFAULT: f64 = 2.0;

/// A number, or what Java prints of what is none.
struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else if self.0.is_infinite() {
            serializer.serialize_str(if self.0 > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// The values of `all`, in milliseconds where the field has nanoseconds.
pub(super) fn entries<M: SerializeMap>(
    map: &mut M,
    shape: &MetricShape,
    all: &ExtendedStats,
) -> Result<(), M::Error> {
    let number = |number: Number| shape.in_unit(number);
    let stats = Stats {
        count: all.count,
        min: all.min.map(|min| number(Number::of_decimal(min))),
        max: all.max.map(|max| number(Number::of_decimal(max))),
        avg: all.avg.map(|avg| number(Number::Double(avg))),
        sum: number(Number::of_sum(&all.sum)),
    };
    stats.values(map)?;
    let unit = if shape.is_nanos { 1e6 } else { 1.0 };
    let squares = Squares::new(&Moments {
        count: all.count,
        mean: stats.avg.as_ref().map(Number::to_f64),
        sum_of_squares: all.sum_of_squares / unit / unit,
        variance_population: all.variance_population.map(|value| value / unit / unit),
        variance_sampling: all.variance_sampling.map(|value| value / unit / unit),
        sigma: match shape.form {
            MetricForm::ExtendedStats { sigma } => sigma,
            MetricForm::Plain
            | MetricForm::Percentiles { .. }
            | MetricForm::Ranks { .. }
            | MetricForm::MedianAbsoluteDeviation => SIGMA_DEFAULT,
        },
    });
    squares.values(map)?;
    if let (Some(text), true) = (&shape.text, all.count > 0) {
        stats.texts(map, Some(text))?;
        squares.texts(map, text)?;
    }
    Ok(())
}

/// What deviations are computed from.
pub(super) struct Moments {
    pub(super) count: u64,
    pub(super) mean: Option<f64>,
    pub(super) sum_of_squares: f64,
    pub(super) variance_population: Option<f64>,
    pub(super) variance_sampling: Option<f64>,
    /// How many deviations the bounds are from the mean.
    pub(super) sigma: f64,
}

/// What comes of the sum of squares; `None` without values.
pub(super) struct Squares {
    /// Under their names, in order.
    values: Vec<(&'static str, Option<f64>)>,
    bounds: Vec<(&'static str, Option<f64>)>,
}

impl Squares {
    pub(super) fn new(all: &Moments) -> Self {
        let some = |value: f64| (all.count > 0).then_some(value);
        let population = all.variance_population;
        // Of one value alone it is 0 / 0.
        let sampling = some(all.variance_sampling.unwrap_or(f64::NAN));
        let (mean, sigma) = (all.mean, all.sigma);
        let deviation = population.map(f64::sqrt);
        let sampled = sampling.map(f64::sqrt);
        let bound = |deviation: Option<f64>, sign: f64| {
            let distance = deviation.map(|deviation| sign * sigma * deviation);
            mean.zip(distance).map(|(mean, distance)| mean + distance)
        };
        Self {
            values: vec![
                ("sum_of_squares", some(all.sum_of_squares)),
                ("variance", population),
                ("variance_population", population),
                ("variance_sampling", sampling),
                ("std_deviation", deviation),
                ("std_deviation_population", deviation),
                ("std_deviation_sampling", sampled),
            ],
            bounds: vec![
                ("upper", bound(deviation, 1.0)),
                ("lower", bound(deviation, -1.0)),
                ("upper_population", bound(deviation, 1.0)),
                ("lower_population", bound(deviation, -1.0)),
                ("upper_sampling", bound(sampled, 1.0)),
                ("lower_sampling", bound(sampled, -1.0)),
            ],
        }
    }

    pub(super) fn values<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (name, value) in &self.values {
            map.serialize_entry(name, &value.map(Double))?;
        }
        let bounds = self.bounds.iter();
        let bounds = bounds.map(|(name, value)| (*name, value.map(Double)));
        map.serialize_entry("std_deviation_bounds", &Entries(bounds.collect()))
    }

    fn texts<M: SerializeMap>(&self, map: &mut M, text: &ValueText) -> Result<(), M::Error> {
        let shown = |value: Option<f64>| {
            let value = value.unwrap_or(f64::NAN);
            if value.is_finite() {
                text.of_number(&Number::Double(value))
            } else {
                value.to_string()
            }
        };
        for (name, value) in &self.values {
            map.serialize_entry(&format!("{name}_as_string"), &shown(*value))?;
        }
        let bounds = self.bounds.iter();
        let bounds = bounds.map(|(name, value)| (*name, shown(*value)));
        map.serialize_entry("std_deviation_bounds_as_string", &Entries(bounds.collect()))
    }
}

/// An object.
struct Entries<V>(Vec<(&'static str, V)>);

impl<V: Serialize> Serialize for Entries<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
