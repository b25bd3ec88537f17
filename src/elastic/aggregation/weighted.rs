//! `weighted_avg`: a mean of values by their weights.

use jiff::tz::TimeZone;
use query::request::{Aggregation, Input, WeightedAvg};
use serde_json::Value;
use storage::model::ColumnKind;

use super::histogram::number;
use super::metric::check_no_children;
use super::{Definition, Parsed, unsupported_field};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::render::DecimalPattern;
use crate::elastic::shape::{AggregationKind, MetricShape, ValueText};
use crate::elastic::values::number_value;

/// Reads a weighted mean.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    let (mut value, mut weight, mut format) = (None, None, None);
    for (key, entry) in definition.body {
        match key.as_str() {
            "value" => value = Some(input(context, definition, key, entry)?),
            "weight" => weight = Some(input(context, definition, key, entry)?),
            "format" if !entry.is_null() => format = Some(read::text(entry, key)?),
            "format" | "value_type" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let required = |name: &str| {
        ElasticError::illegal_argument(format!(
            "Required one of fields [{name}], but none were specified"
        ))
    };
    let value = value.ok_or_else(|| required("value"))?;
    let weight = weight.ok_or_else(|| required("weight"))?;
    let text = format.as_deref().map(DecimalPattern::parse).transpose();
    let text = text.map_err(|error| context.fail(error))?;
    Ok(Parsed {
        aggregation: Aggregation::WeightedAvg(WeightedAvg { value, weight }),
        kind: AggregationKind::Metric(MetricShape {
            text: text.map(ValueText::Number),
            ..MetricShape::default()
        }),
        typed: "weighted_avg",
    })
}

fn input(
    context: &Context<'_>,
    definition: &Definition<'_>,
    name: &str,
    value: &Value,
) -> Result<Input, ElasticError> {
    let entries = value
        .as_object()
        .ok_or_else(|| definition.wrong_kind(name, value))?;
    let (mut path, mut missing) = (None, None);
    for (key, value) in entries {
        match key.as_str() {
            "field" => path = Some(read::text(value, key)?),
            "missing" if !value.is_null() => missing = Some(value),
            "missing" | "value_type" => {}
            "script" => return Err(ElasticError::unsupported("[script] of [weighted_avg]")),
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let path = path.ok_or_else(|| {
        ElasticError::illegal_argument(format!(
            "Required one of fields [field, script], but none were specified for [{name}]"
        ))
    })?;
    let field = context.field(&path);
    if let Some(field) = &field
        && field.field_type().column_kind() == ColumnKind::Text
    {
        return Err(unsupported_field(context, field, "weighted_avg"));
    }
    let missing = match (&field, missing) {
        (_, None) => None,
        (Some(field), Some(value)) => {
            Some(number_value(context, field, value, None, &TimeZone::UTC)?)
        }
        (None, Some(value)) => Some(number(value, "missing")?),
    };
    Ok(Input {
        field: field.map(|field| field.place),
        missing,
    })
}
