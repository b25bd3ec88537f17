//! Metrics of one field: `sum`, `avg`, `min`, `max`, `value_count`, `stats`, `extended_stats`,
//! `cardinality` and, by way of `distribution`, percentiles and their kin.

use jiff::tz::TimeZone;
use query::request::{Aggregation, Cardinality, Metric, MetricKind, ScriptMetric};
use serde_json::Value;
use storage::model::{ColumnKind, Decimal};

use super::terms::missing_of_nothing;
use super::{Definition, Parsed, distribution, script, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::read;
use crate::elastic::render::DecimalPattern;
use crate::elastic::shape::{AggregationKind, MetricForm, MetricShape, ValueText};
use crate::elastic::values::{number_value, term_value};

/// How many deviations bounds are from the mean unless the request says otherwise.
const SIGMA_DEFAULT: f64 = 2.0;

/// Reads a metric.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let (kind, typed) = kind(definition.type_name);
    let (form, typed) = match form(definition)? {
        Some((form, typed)) => (form, typed),
        None => (MetricForm::Plain, typed),
    };
    check_no_children(definition)?;
    let mut format = None;
    for (key, value) in definition.body {
        match key.as_str() {
            own if is_own(&form, own) => {}
            "format" if !value.is_null() => format = Some(read::text(value, key)?),
            "field" | "format" | "missing" | "value_type" | "execution_hint" => {}
            "script" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let has_script = definition
        .body
        .get("script")
        .is_some_and(|script| !script.is_null());
    let field = match has_script && !definition.body.contains_key("field") {
        true => None,
        false => definition.field(context)?,
    };
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
    let script = script::parse(context, definition, kind, field.as_ref())?;
    let mut shape = shape(context, kind, field.as_ref(), format.as_deref())?;
    shape.form = form;
    let mut field = field.map(|field| field.place);
    let mut scale = None;
    match script {
        None => {}
        Some(script::ValueScript::Linear(linear, read)) => {
            scale = Some(linear);
            field = read;
        }
        Some(script::ValueScript::Row(_)) if missing.is_some() => {
            let what = format!("[missing] beside [script] of [{}]", definition.type_name);
            return Err(ElasticError::unsupported(what));
        }
        Some(script::ValueScript::Row(script)) => {
            return Ok(Parsed {
                aggregation: Aggregation::Script(ScriptMetric { kind, script }),
                kind: AggregationKind::Metric(shape),
                typed,
            });
        }
    }
    Ok(Parsed {
        aggregation: Aggregation::Metric(Metric {
            kind,
            field,
            missing,
            linear: scale,
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
        "stats" => (MetricKind::Stats, "stats"),
        "extended_stats" => (MetricKind::ExtendedStats, "extended_stats"),
        _distribution => (MetricKind::Distribution, "median_absolute_deviation"),
    }
}

/// What is printed of a metric that has a choice, and the type in its typed key.
fn form(definition: &Definition<'_>) -> Result<Option<(MetricForm, &'static str)>, ElasticError> {
    Ok(match definition.type_name {
        "extended_stats" => {
            let sigma = sigma(definition)?;
            Some((MetricForm::ExtendedStats { sigma }, "extended_stats"))
        }
        "percentiles" => Some(distribution::percentiles(definition)?),
        "percentile_ranks" => Some(distribution::ranks(definition)?),
        "median_absolute_deviation" => Some(distribution::deviation(definition)?),
        _plain => None,
    })
}

/// Parameters that were read with the form.
fn is_own(form: &MetricForm, key: &str) -> bool {
    match form {
        MetricForm::Plain => false,
        MetricForm::ExtendedStats { .. } => key == "sigma",
        MetricForm::Percentiles { .. } => {
            matches!(
                key,
                "percents" | "keyed" | "tdigest" | "hdr" | "method" | "compression"
            )
        }
        MetricForm::Ranks { .. } => {
            matches!(
                key,
                "values" | "keyed" | "tdigest" | "hdr" | "method" | "compression"
            )
        }
        MetricForm::MedianAbsoluteDeviation => key == "compression",
    }
}

/// How many deviations the bounds of `extended_stats` are from the mean.
fn sigma(definition: &Definition<'_>) -> Result<f64, ElasticError> {
    let sigma = match definition.body.get("sigma") {
        None | Some(Value::Null) => SIGMA_DEFAULT,
        Some(value) => {
            let sigma = read::float(value, "sigma");
            sigma.map_err(|error| definition.wrong("sigma", error))?
        }
    };
    if sigma < 0.0 {
        let reason = format!(
            "[sigma] must be greater than or equal to 0. Found [{sigma:?}] in [{}]",
            definition.name
        );
        return Err(definition.wrong("sigma", ElasticError::illegal_argument(reason)));
    }
    Ok(sigma)
}

/// `cardinality`: how many distinct values there are. Exact as far as memory reaches, so no
/// threshold matters; beyond, the answer says that it is an estimate.
pub(super) fn parse_cardinality(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    check_no_children(definition)?;
    for (key, value) in definition.body {
        match key.as_str() {
            "precision_threshold" if !value.is_null() => {
                if read::integer(value, key)? < 0 {
                    let reason = format!(
                        "[precisionThreshold] must be greater than or equal to 0. Found [{}] in \
                         [{}]",
                        read::shown(value),
                        definition.name
                    );
                    return Err(definition.wrong(key, ElasticError::illegal_argument(reason)));
                }
            }
            "field"
            | "script"
            | "missing"
            | "format"
            | "value_type"
            | "execution_hint"
            | "rehash"
            | "precision_threshold" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    let missing = match (&field, definition.body.get("missing")) {
        (_, None | Some(Value::Null)) => None,
        (None, Some(value)) => Some(missing_of_nothing(value)?),
        (Some(field), Some(value)) => Some(term_value(context, field, value, None)?),
    };
    if let Some(field) = &field
        && field.field_type() == storage::model::FieldType::Text
    {
        return Err(unsupported_field(context, field, "cardinality"));
    }
    let unmapped = field.is_none();
    Ok(Parsed {
        aggregation: Aggregation::Cardinality(Cardinality {
            field: field.map(|field| field.place),
            missing,
            counting: Default::default(),
        }),
        kind: AggregationKind::Metric(MetricShape {
            unmapped,
            ..MetricShape::default()
        }),
        typed: "cardinality",
    })
}

/// A metric has no buckets that anything could stand in.
pub(super) fn check_no_children(definition: &Definition<'_>) -> Result<(), ElasticError> {
    if !definition.children.shapes.is_empty() {
        return Err(ElasticError::new(
            400,
            "aggregation_initialization_exception",
            format!(
                "Aggregator [{}] of type [{}] cannot accept sub-aggregations",
                definition.name, definition.type_name
            ),
        ));
    }
    Ok(())
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
            unmapped: true,
            ..MetricShape::default()
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
        ..MetricShape::default()
    })
}
