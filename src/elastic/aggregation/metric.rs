//! `sum`, `avg`, `min`, `max`, `value_count`, `stats`.

use jiff::tz::TimeZone;
use query::request::{Aggregation, Metric, MetricKind};
use serde_json::Value;
use storage::model::{ColumnKind, Decimal};

use super::{Definition, Parsed, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::read;
use crate::elastic::render::DecimalPattern;
use crate::elastic::shape::{AggregationKind, MetricShape, ValueText};
use crate::elastic::values::number_value;

/// Reads a metric.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let (kind, typed) = kind(definition.type_name);
    if !definition.children.requests.is_empty() {
        return Err(ElasticError::new(
            400,
            "aggregation_initialization_exception",
            format!(
                "Aggregator [{}] of type [{}] cannot accept sub-aggregations",
                definition.name, definition.type_name
            ),
        ));
    }
    let mut format = None;
    for (key, value) in definition.body {
        match key.as_str() {
            "format" if !value.is_null() => format = Some(read::text(value, key)?),
            "field" | "format" | "missing" | "value_type" | "execution_hint" => {}
            "script" if definition.body.contains_key("field") => {
                return Err(ElasticError::unsupported(format!(
                    "[script] of [{}]",
                    definition.type_name
                )));
            }
            "script" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    if let Some(field) = &field {
        let is_text = field.field_type().column_kind() == ColumnKind::Text;
        let is_full_text = field.field_type() == storage::model::FieldType::Text;
        if is_full_text || (is_text && kind != MetricKind::ValueCount) {
            return Err(unsupported_field(context, field, definition.type_name));
        }
    }
    let missing = match definition.body.get("missing") {
        None | Some(Value::Null) => None,
        Some(value) => missing(context, field.as_ref(), value, format.as_deref())?,
    };
    let shape = shape(context, kind, field.as_ref(), format.as_deref())?;
    let field = field.map(|field| field.place);
    Ok(Parsed {
        aggregation: Aggregation::Metric(Metric {
            kind,
            field,
            missing,
        }),
        kind: AggregationKind::Metric(shape),
        typed,
    })
}

fn kind(type_name: &str) -> (MetricKind, &'static str) {
    match type_name {
        "sum" => (MetricKind::Sum, "sum"),
        "avg" => (MetricKind::Avg, "avg"),
        "min" => (MetricKind::Min, "min"),
        "max" => (MetricKind::Max, "max"),
        "value_count" => (MetricKind::ValueCount, "value_count"),
        _stats => (MetricKind::Stats, "stats"),
    }
}

/// The value of rows without one. A text field's values are only counted, so any will do.
fn missing(
    context: &Context<'_>,
    field: Option<&NamedField<'_>>,
    value: &Value,
    format: Option<&str>,
) -> Result<Option<Decimal>, ElasticError> {
    match field {
        Some(field) if field.field_type().column_kind() == ColumnKind::Text => {
            Ok(Some(Decimal::from_i64(0)))
        }
        Some(field) => number_value(context, field, value, format, &TimeZone::UTC).map(Some),
        None => {
            let text = read::text(value, "missing")?;
            Ok(Some(
                crate::elastic::values::decimal(&text).unwrap_or_default(),
            ))
        }
    }
}

fn shape(
    context: &Context<'_>,
    kind: MetricKind,
    field: Option<&NamedField<'_>>,
    format: Option<&str>,
) -> Result<MetricShape, ElasticError> {
    if kind == MetricKind::ValueCount {
        return Ok(MetricShape {
            unmapped: field.is_none(),
            ..MetricShape::default()
        });
    }
    let Some(field) = field else {
        let text = format.map(DecimalPattern::parse).transpose();
        let text = text.unwrap_or_default().map(ValueText::Number);
        return Ok(MetricShape {
            text,
            is_nanos: false,
            unmapped: true,
        });
    };
    let mut text = value_text(context, field, format, &TimeZone::UTC)?;
    let mut is_nanos = false;
    // Metrics of nanosecond dates are milliseconds.
    if let Some(ValueText::Date {
        is_nanos: nanos, ..
    }) = &mut text
    {
        is_nanos = std::mem::take(nanos);
    }
    Ok(MetricShape {
        text,
        is_nanos,
        unmapped: false,
    })
}
