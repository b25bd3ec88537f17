//! `histogram`: buckets of numbers.

use query::Steps;
use query::request::{Aggregation, BucketBy, NumberHistogram, SpanNumbers};
use serde_json::Value;
use storage::model::{ColumnKind, Decimal};

use super::{Definition, Parsed, order, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;
use crate::elastic::values::{decimal, number_value};

/// Ends that buckets reach to, or do not pass.
type Bounds = (Option<Decimal>, Option<Decimal>);

/// Parameters as they were written.
#[derive(Default)]
struct Written<'v> {
    interval: Option<Decimal>,
    offset: Decimal,
    doc_count_min: u64,
    format: Option<String>,
    keyed: bool,
    order: Option<&'v Value>,
    extended_bounds: Option<Bounds>,
    hard_bounds: Option<Bounds>,
    missing: Option<&'v Value>,
}

impl<'v> Written<'v> {
    fn read(definition: &Definition<'v>) -> Result<Self, ElasticError> {
        let mut written = Self::default();
        for (key, value) in definition.body {
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "interval" => written.interval = Some(number(value, key)?),
                "offset" => written.offset = number(value, key)?,
                "min_doc_count" => written.doc_count_min = read::count(value, key)? as u64,
                "format" => written.format = Some(read::text(value, key)?),
                "keyed" => written.keyed = read::flag(value, key)?,
                "order" => written.order = Some(value),
                "extended_bounds" => {
                    written.extended_bounds = Some(bounds(definition, key, value)?);
                }
                "hard_bounds" => written.hard_bounds = Some(bounds(definition, key, value)?),
                "missing" => written.missing = Some(value),
                "field" | "script" => {}
                unknown => return Err(definition.unknown(unknown)),
            }
        }
        Ok(written)
    }

    fn steps(&self, definition: &Definition<'_>) -> Result<Steps, ElasticError> {
        let interval = self.interval.unwrap_or_default();
        if interval.mantissa <= 0 {
            let shown = self.interval.map_or(0.0, Decimal::to_f64);
            let cause = ElasticError::illegal_argument(format!(
                "[interval] must be >0 for histogram aggregation [{}]. Found [{shown:?}]",
                definition.name
            ));
            return Err(match self.interval {
                Some(_) => definition.wrong("interval", cause),
                None => cause,
            });
        }
        Steps::new(interval, self.offset).ok_or_else(|| {
            ElasticError::illegal_argument(format!(
                "[offset] and [interval] of histogram aggregation [{}] are too far apart",
                definition.name
            ))
        })
    }
}

/// Reads a histogram.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let written = Written::read(&definition)?;
    let steps = written.steps(&definition)?;
    check_inside(&written)?;
    let field = definition.field(context)?;
    let mut text = None;
    let mut missing = None;
    let mut spans = None;
    if let Some(field) = &field {
        spans = span_numbers(field.type_name());
        if spans.is_none() && field.field_type().column_kind() == ColumnKind::Text {
            return Err(unsupported_field(context, field, "histogram"));
        }
        let format = written.format.as_deref();
        text = value_text(context, field, format, &jiff::tz::TimeZone::UTC)?;
        if let Some(value) = written.missing {
            let zone = jiff::tz::TimeZone::UTC;
            missing = Some(number_value(context, field, value, format, &zone)?);
        }
    } else if let Some(value) = written.missing {
        missing = Some(number(value, "missing")?);
    }
    let order = match written.order {
        Some(value) => order::parse(context, value, &definition)?,
        None => Vec::new(),
    };
    let kind = AggregationKind::Histogram {
        text,
        keyed: written.keyed,
        unmapped: field.is_none(),
    };
    let histogram = NumberHistogram {
        field: field.map(|field| field.place),
        spans,
        steps,
        doc_count_min: written.doc_count_min,
        extended_bounds: written.extended_bounds,
        hard_bounds: written.hard_bounds,
        missing,
        order,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::NumberHistogram(histogram),
            children: definition.children.requests,
        },
        kind,
        typed: "histogram",
    })
}

/// What the spans of a field of this type are made of.
pub(super) fn span_numbers(type_name: &str) -> Option<SpanNumbers> {
    match type_name {
        "integer_range" | "long_range" => Some(SpanNumbers::Integers),
        "float_range" | "double_range" => Some(SpanNumbers::Doubles),
        _no_range => None,
    }
}

pub(super) fn number(value: &Value, key: &str) -> Result<Decimal, ElasticError> {
    let text = read::text(value, key)?;
    decimal(&text).ok_or_else(|| read::number_format(&text).at_key(key))
}

/// `{"min": .., "max": ..}`.
fn bounds(definition: &Definition<'_>, name: &str, value: &Value) -> Result<Bounds, ElasticError> {
    let entries = value.as_object().ok_or_else(|| read::wrong(value, name))?;
    let (mut min, mut max) = (None, None);
    for (key, value) in entries {
        let bound = match key.as_str() {
            "min" => &mut min,
            "max" => &mut max,
            unknown => {
                return Err(
                    ElasticError::content(format!("[bounds] unknown field [{unknown}]"))
                        .at_key(unknown),
                );
            }
        };
        if !value.is_null() {
            *bound = Some(number(value, key)?);
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min.compare(max).is_gt()
    {
        return Err(ElasticError::illegal_argument(format!(
            "[{name}.min] cannot be greater than [{name}.max] for histogram aggregation [{}]",
            definition.name
        )));
    }
    Ok((min, max))
}

fn check_inside(written: &Written<'_>) -> Result<(), ElasticError> {
    let (Some(extended), Some(hard)) = (written.extended_bounds, written.hard_bounds) else {
        return Ok(());
    };
    let below =
        matches!((extended.0, hard.0), (Some(own), Some(hard)) if own.compare(hard).is_lt());
    let above =
        matches!((extended.1, hard.1), (Some(own), Some(hard)) if own.compare(hard).is_gt());
    if below || above {
        return Err(ElasticError::illegal_argument(
            "Extended bounds have to be inside hard bounds",
        ));
    }
    Ok(())
}
