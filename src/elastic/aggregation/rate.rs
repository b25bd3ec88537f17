//! `rate`: sums or counts of time buckets, by unit of time.

use query::request::{Aggregation, CalendarUnit, Interval, Linear, Metric, MetricKind};
use serde_json::{Map, Value};
use storage::model::ColumnKind;

use super::{Definition, Parsed, interval, unsupported_field};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::shape::{AggregationKind, MetricShape};

/// The width of the buckets that an aggregation makes, if it makes buckets of time.
pub(super) fn interval_of(type_name: &str, body: &Map<String, Value>) -> Option<Interval> {
    if type_name != "date_histogram" {
        return None;
    }
    let text = |key: &str| body.get(key).and_then(|value| read::text(value, key).ok());
    let calendar = text("calendar_interval").map(|text| interval::parse_calendar(&text));
    let fixed = || text("fixed_interval").map(|text| interval::parse_fixed(&text));
    let legacy = || text("interval").map(|text| interval::parse_legacy(&text));
    calendar.or_else(fixed).or_else(legacy)?.ok()
}

/// Reads a rate.
pub(super) fn parse(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<Parsed, ElasticError> {
    super::metric::check_no_children(definition)?;
    let mut unit = None;
    let mut kind = MetricKind::Sum;
    for (key, value) in definition.body.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "field" => {}
            "unit" => unit = Some(parse_unit(&read::text(value, key)?)?),
            "mode" => {
                kind = match read::text(value, key)?.to_lowercase().as_str() {
                    "sum" => MetricKind::Sum,
                    "value_count" => MetricKind::ValueCount,
                    other => {
                        let reason = format!("Unsupported rate mode [{other}]");
                        return Err(ElasticError::illegal_argument(reason));
                    }
                };
            }
            "script" | "format" | "missing" => {
                return Err(ElasticError::unsupported(format!("[{key}] of [rate]")));
            }
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let width = definition.interval.ok_or_else(|| {
        ElasticError::illegal_argument(format!(
            "The rate aggregation can only be used inside a date histogram aggregation or \
             composite aggregation with exactly one date histogram value source: [{}]",
            definition.name
        ))
    })?;
    let factor = match unit {
        Some(unit) => factor(width, unit)?,
        None => 1.0,
    };
    if !definition.body.contains_key("field") {
        return Err(ElasticError::unsupported("[rate] without a field"));
    }
    let field = definition.field(context)?;
    if let Some(field) = &field
        && field.field_type().column_kind() == ColumnKind::Text
        && kind == MetricKind::Sum
    {
        return Err(unsupported_field(context, field, "rate"));
    }
    let unmapped = field.is_none();
    Ok(Parsed {
        aggregation: Aggregation::Metric(Metric {
            kind,
            field: field.map(|field| field.place),
            missing: None,
            linear: Some(Linear {
                factor,
                addend: 0.0,
            }),
        }),
        kind: AggregationKind::Metric(MetricShape {
            unmapped,
            ..MetricShape::default()
        }),
        typed: "rate",
    })
}

/// `second`, `1m`, `Year`.
fn parse_unit(text: &str) -> Result<CalendarUnit, ElasticError> {
    let lower = match text {
        // A month, not a minute.
        "1M" => text.to_owned(),
        text => text.to_lowercase(),
    };
    match interval::parse_calendar(&lower) {
        Ok(Interval::Calendar(unit)) => Ok(unit),
        Ok(Interval::Fixed(_) | Interval::Days { .. } | Interval::Months { .. }) | Err(_) => Err(
            ElasticError::illegal_argument(format!("Unsupported unit [{text}]")),
        ),
    }
}

/// What a bucket's value is multiplied by.
fn factor(width: Interval, unit: CalendarUnit) -> Result<f64, ElasticError> {
    let months = |unit| match unit {
        CalendarUnit::Month => Some(1.0),
        CalendarUnit::Quarter => Some(3.0),
        CalendarUnit::Year => Some(12.0),
        _shorter => None,
    };
    let width_ms = match width {
        Interval::Fixed(ms) => Some(ms as f64),
        Interval::Calendar(unit) => unit_ms(unit),
        Interval::Days { count, .. } => Some(86_400e3 * f64::from(count)),
        Interval::Months { .. } => None,
    };
    let factor = match (width, width_ms, unit_ms(unit)) {
        (_, Some(width_ms), Some(unit_ms)) => Some(unit_ms / width_ms),
        (Interval::Calendar(width), None, None) => months(unit)
            .zip(months(width))
            .map(|(unit, width)| unit / width),
        _months_and_shorter => None,
    };
    factor.ok_or_else(|| {
        ElasticError::unsupported("[rate] of a unit beside buckets of another kind of length")
    })
}

/// How long a unit is, when all are.
fn unit_ms(unit: CalendarUnit) -> Option<f64> {
    Some(match unit {
        CalendarUnit::Second => 1e3,
        CalendarUnit::Minute => 60e3,
        CalendarUnit::Hour => 3_600e3,
        CalendarUnit::Day => 86_400e3,
        CalendarUnit::Week => 604_800e3,
        CalendarUnit::Month | CalendarUnit::Quarter | CalendarUnit::Year => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_so_many_units_long() {
        let hour = Interval::Calendar(CalendarUnit::Hour);
        assert_eq!(factor(hour, CalendarUnit::Minute), Ok(1.0 / 60.0));
        assert_eq!(factor(hour, CalendarUnit::Day), Ok(24.0));
        let quarter = Interval::Calendar(CalendarUnit::Quarter);
        assert_eq!(factor(quarter, CalendarUnit::Month), Ok(1.0 / 3.0));
        factor(quarter, CalendarUnit::Day).expect_err("no one length");
        assert_eq!(parse_unit("Year"), Ok(CalendarUnit::Year));
        parse_unit("fortnight").expect_err("no unit");
    }
}
