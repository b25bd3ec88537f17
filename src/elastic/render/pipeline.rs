//! What pipelines made as JSON.

use query::response::{PipelineResult, PipelineStats};
use serde::ser::SerializeMap;

use super::aggregation::key_name;
use super::distribution::Points;
use super::extended::{Moments, Squares};
use super::number::Number;
use crate::elastic::shape::{PipelineForm, PipelineShape, ValueText};

/// The entries of one result.
pub(super) fn entries<M: SerializeMap>(
    map: &mut M,
    shape: &PipelineShape,
    result: &PipelineResult,
) -> Result<(), M::Error> {
    let text = shape.text.as_ref();
    match result {
        PipelineResult::Absent => Ok(()),
        PipelineResult::Value(value) => value_entries(map, "value", *value, text),
        PipelineResult::Derivative { value, per_unit } => {
            value_entries(map, "value", finite(*value), text)?;
            match per_unit {
                Some(value) => value_entries(map, "normalized_value", finite(*value), text),
                None => Ok(()),
            }
        }
        PipelineResult::Extreme { value, keys } => {
            value_entries(map, "value", *value, text)?;
            let names: Vec<String> = match &shape.form {
                PipelineForm::Extreme(beside) => {
                    keys.iter().map(|key| key_name(beside, key)).collect()
                }
                PipelineForm::Plain
                | PipelineForm::Stats
                | PipelineForm::ExtendedStats { .. }
                | PipelineForm::Percentiles { .. } => Vec::new(),
            };
            map.serialize_entry("keys", &names)
        }
        PipelineResult::Stats(stats) => stats_entries(map, shape, stats),
        PipelineResult::Percentiles(values) => {
            let keyed = matches!(shape.form, PipelineForm::Percentiles { keyed: true });
            let values = values.clone();
            map.serialize_entry(
                "values",
                &Points {
                    values,
                    keyed,
                    text,
                },
            )
        }
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn value_entries<M: SerializeMap>(
    map: &mut M,
    name: &str,
    value: Option<f64>,
    text: Option<&ValueText>,
) -> Result<(), M::Error> {
    map.serialize_entry(name, &value)?;
    match (value, text) {
        (Some(value), Some(text)) => {
            let shown = text.of_number(&Number::Double(value));
            map.serialize_entry(&format!("{name}_as_string"), &shown)
        }
        _ => Ok(()),
    }
}

fn stats_entries<M: SerializeMap>(
    map: &mut M,
    shape: &PipelineShape,
    stats: &PipelineStats,
) -> Result<(), M::Error> {
    map.serialize_entry("count", &stats.count)?;
    map.serialize_entry("min", &stats.min)?;
    map.serialize_entry("max", &stats.max)?;
    map.serialize_entry("avg", &stats.avg)?;
    map.serialize_entry("sum", &stats.sum)?;
    let PipelineForm::ExtendedStats { sigma } = shape.form else {
        return Ok(());
    };
    let squares = Squares::new(&Moments {
        count: stats.count,
        mean: stats.avg,
        sum_of_squares: stats.sum_of_squares,
        variance_population: stats.variance_population,
        variance_sampling: stats.variance_sampling,
        sigma,
    });
    squares.values(map)
}
