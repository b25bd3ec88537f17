//! `date_histogram`: every parameter that Elasticsearch has but `script`.

use jiff::tz::TimeZone;
use query::request::{Aggregation, BucketBy, DateHistogram, Interval};
use query::rounding::Rounding;
use serde_json::Value;

use super::{Definition, Parsed, interval, order, unsupported_field};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::{DateReader, parse_format, parse_zone};
use crate::elastic::read;
use crate::elastic::shape::AggregationKind;
use crate::elastic::values::{date_ms, missing_ms};

/// Instants that buckets reach to, or do not pass.
type Bounds = (Option<i64>, Option<i64>);

/// Parameters as they were written.
#[derive(Default)]
struct Written<'v> {
    interval: Option<(&'v str, Interval)>,
    zone: Option<TimeZone>,
    offset_ms: i64,
    doc_count_min: u64,
    format: Option<String>,
    keyed: bool,
    order: Option<&'v Value>,
    extended_bounds: Option<&'v Value>,
    hard_bounds: Option<&'v Value>,
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
                "calendar_interval" | "fixed_interval" | "interval" => {
                    let set = written.set_interval(key, &read::text(value, key)?);
                    set.map_err(|error| definition.wrong(key, error))?;
                }
                "time_zone" => {
                    let zone = parse_zone(&read::text(value, key)?);
                    written.zone = Some(zone.map_err(|error| definition.wrong(key, error))?);
                }
                "offset" => {
                    let offset_ms = interval::parse_offset_ms(&read::text(value, key)?);
                    written.offset_ms = offset_ms.map_err(|error| definition.wrong(key, error))?;
                }
                "min_doc_count" => written.doc_count_min = read::count(value, key)? as u64,
                "format" => written.format = Some(read::text(value, key)?),
                "keyed" => written.keyed = read::flag(value, key)?,
                "order" => written.order = Some(value),
                "extended_bounds" => written.extended_bounds = Some(value),
                "hard_bounds" => written.hard_bounds = Some(value),
                "missing" => written.missing = Some(value),
                "field" | "script" => {}
                unknown => return Err(definition.unknown(unknown)),
            }
        }
        Ok(written)
    }

    fn set_interval(&mut self, name: &'v str, text: &str) -> Result<(), ElasticError> {
        if let Some((first, _)) = self.interval {
            return Err(ElasticError::illegal_argument(format!(
                "Cannot use [{name}] with [{first}] configuration option."
            )));
        }
        let interval = match name {
            "calendar_interval" => interval::parse_calendar(text)?,
            "fixed_interval" => interval::parse_fixed(text)?,
            _legacy => interval::parse_legacy(text)?,
        };
        self.interval = Some((name, interval));
        Ok(())
    }
}

/// Reads a date histogram.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let written = Written::read(&definition)?;
    let field = definition.field(context)?;
    let is_dates =
        |field: &&NamedField<'_>| field.field_type().is_date() || field.type_name() == "date_range";
    if let Some(field) = field.as_ref().filter(|field| !is_dates(field)) {
        return Err(unsupported_field(context, field, "date_histogram"));
    }
    let (_, interval) = written.interval.ok_or_else(|| {
        context.fail(ElasticError::illegal_argument(
            "Invalid interval specified, must be non-null and non-empty",
        ))
    })?;
    if let Interval::Fixed(..=0) = interval {
        return Err(context.fail(ElasticError::illegal_argument(
            "Zero or negative time interval not supported",
        )));
    }
    let zone = written.zone.clone().unwrap_or(TimeZone::UTC);
    let reader = date_reader(context, field.as_ref(), &written, &zone)?;
    let bounds = |name: &str, value: Option<&Value>| match value {
        Some(value) => bounds(&definition, &reader, name, value).map(Some),
        None => Ok(None),
    };
    let extended_bounds_ms =
        bounds("extended_bounds", written.extended_bounds).map_err(|error| context.fail(error))?;
    let hard_bounds_ms =
        bounds("hard_bounds", written.hard_bounds).map_err(|error| context.fail(error))?;
    check_inside(context, extended_bounds_ms, hard_bounds_ms)?;
    let extended_bounds_ms =
        extended_bounds_ms.map(|bounds| moved_bounds(bounds, interval, &zone, written.offset_ms));
    let missing_ms = match written.missing {
        Some(value) => Some(missing_ms(&reader, value).map_err(|error| context.fail(error))?),
        None => None,
    };
    let order = match written.order {
        Some(value) => order::parse(context, value, &definition)?,
        None => Vec::new(),
    };
    let kind = AggregationKind::DateHistogram {
        format: reader.format,
        zone: zone.clone(),
        keyed: written.keyed,
        unmapped: field.is_none(),
    };
    let histogram = DateHistogram {
        field: field.map(|field| field.place),
        interval,
        time_zone: zone,
        offset_ms: written.offset_ms,
        doc_count_min: written.doc_count_min,
        extended_bounds_ms,
        hard_bounds_ms,
        missing_ms,
        order,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::DateHistogram(histogram),
            children: definition.children.requests,
        },
        kind,
        typed: "date_histogram",
    })
}

/// Dates in the request are in the histogram's own format and zone, as its keys are.
fn date_reader(
    context: &Context<'_>,
    field: Option<&NamedField<'_>>,
    written: &Written<'_>,
    zone: &TimeZone,
) -> Result<DateReader, ElasticError> {
    let own = field.and_then(|field| field.field.format.as_deref());
    let format =
        parse_format(written.format.as_deref().or(own)).map_err(|error| context.fail(error))?;
    Ok(DateReader {
        format,
        zone: zone.clone(),
        now_ms: context.now_ms,
    })
}

/// `{"min": .., "max": ..}`: numbers are milliseconds, texts dates or date math.
fn bounds(
    definition: &Definition<'_>,
    reader: &DateReader,
    name: &str,
    value: &Value,
) -> Result<Bounds, ElasticError> {
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
            *bound = Some(date_ms(reader, value)?);
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        return Err(ElasticError::illegal_argument(format!(
            "[{name}.min][{min}] cannot be greater than [{name}.max][{max}] for histogram \
             aggregation [{}]",
            definition.name
        )));
    }
    Ok((min, max))
}

/// Extended bounds name buckets of the calendar, as if nothing moved their boundaries; the offset
/// then moves those buckets with all others.
fn moved_bounds(bounds: Bounds, interval: Interval, zone: &TimeZone, offset_ms: i64) -> Bounds {
    let moved = |ms: i64| {
        let start_ms = Rounding::new(interval, zone, 0, ms, ms).round(ms);
        start_ms.saturating_add(offset_ms)
    };
    match offset_ms {
        0 => bounds,
        _ => (bounds.0.map(moved), bounds.1.map(moved)),
    }
}

fn check_inside(
    context: &Context<'_>,
    extended: Option<Bounds>,
    hard: Option<Bounds>,
) -> Result<(), ElasticError> {
    let (Some(extended), Some(hard)) = (extended, hard) else {
        return Ok(());
    };
    let below = matches!((extended.0, hard.0), (Some(extended), Some(hard)) if extended < hard);
    let above = matches!((extended.1, hard.1), (Some(extended), Some(hard)) if extended > hard);
    if below || above {
        let shown = |(min, max): Bounds| {
            let shown = |bound: Option<i64>| bound.map_or("".into(), |ms| ms.to_string());
            format!("[{}--{}]", shown(min), shown(max))
        };
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "Extended bounds have to be inside hard bounds, hard bounds: {}, extended bounds: {}",
            shown(hard),
            shown(extended)
        ))));
    }
    Ok(())
}
