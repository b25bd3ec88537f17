//! `range`, `date_range`, `ip_range` and `geo_distance`: a bucket for each range. Ranges may
//! overlap.

use core::net::{IpAddr, Ipv6Addr};
use std::cmp::Ordering;
use std::ops::Bound;

use jiff::tz::TimeZone;
use query::request::{Aggregation, BucketBy, Filter, Filters, TextPredicate};
use serde_json::Value;
use storage::model::{ColumnKind, Decimal, FieldType, GeoPoint};

use super::{Definition, Parsed, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::{DateReader, parse_format, parse_zone};
use crate::elastic::geo;
use crate::elastic::read;
use crate::elastic::render::range_end;
use crate::elastic::shape::{AggregationKind, EndShape, RangeShape, ValueText};
use crate::elastic::values::{decimal, missing_ms};

/// Most ranges of one aggregation.
const RANGES_MAX: usize = 10_000;

/// Nanoseconds in a millisecond.
const MS_NANOS: i64 = 1_000_000;

/// Parameters as they were written.
#[derive(Default)]
struct Written<'v> {
    ranges: Vec<WrittenRange<'v>>,
    keyed: bool,
    format: Option<String>,
    zone: Option<TimeZone>,
    origin: Option<GeoPoint>,
    /// Metres of the unit of distances.
    unit: Option<f64>,
    missing: Option<&'v Value>,
}

#[derive(Default)]
struct WrittenRange<'v> {
    key: Option<String>,
    from: Option<&'v Value>,
    to: Option<&'v Value>,
    mask: Option<String>,
}

impl<'v> Written<'v> {
    fn read(definition: &Definition<'v>) -> Result<Self, ElasticError> {
        let mut written = Self::default();
        let is_date = definition.type_name == "date_range";
        let is_distance = definition.type_name == "geo_distance";
        for (key, value) in definition.body {
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "ranges" => written.ranges = ranges(definition, value)?,
                "keyed" => written.keyed = read::flag(value, key)?,
                "format" => written.format = Some(read::text(value, key)?),
                "time_zone" if is_date => {
                    let zone = parse_zone(&read::text(value, key)?);
                    written.zone = Some(zone.map_err(|error| definition.wrong(key, error))?);
                }
                "origin" | "point" | "center" if is_distance => {
                    let origin = geo::point(value);
                    written.origin = Some(origin.map_err(|error| definition.wrong(key, error))?);
                }
                "unit" if is_distance => {
                    let unit = geo::unit_metres(&read::text(value, key)?);
                    written.unit = Some(unit.map_err(|error| definition.wrong(key, error))?);
                }
                "distance_type" if is_distance => {}
                "missing" if !is_distance => written.missing = Some(value),
                "field" | "script" => {}
                unknown => return Err(definition.unknown(unknown)),
            }
        }
        if written.ranges.is_empty() {
            return Err(ElasticError::illegal_argument(format!(
                "No [ranges] specified for the [{}] aggregation",
                definition.name
            )));
        }
        Ok(written)
    }
}

fn ranges<'v>(
    definition: &Definition<'v>,
    value: &'v Value,
) -> Result<Vec<WrittenRange<'v>>, ElasticError> {
    let list = value
        .as_array()
        .ok_or_else(|| definition.wrong_kind("ranges", value))?;
    if list.len() > RANGES_MAX {
        return Err(ElasticError::illegal_argument(format!(
            "[ranges] may have up to {RANGES_MAX} entries"
        )));
    }
    list.iter().map(|range| one(definition, range)).collect()
}

fn one<'v>(
    definition: &Definition<'v>,
    value: &'v Value,
) -> Result<WrittenRange<'v>, ElasticError> {
    let entries = value
        .as_object()
        .ok_or_else(|| definition.wrong_kind("ranges", value))?;
    let mut range = WrittenRange::default();
    for (key, value) in entries {
        match key.as_str() {
            _null if value.is_null() => {}
            "key" => range.key = Some(read::text(value, key)?),
            "from" => range.from = Some(value),
            "to" => range.to = Some(value),
            "mask" if definition.type_name == "ip_range" => {
                range.mask = Some(read::text(value, key)?);
            }
            unknown => {
                return Err(
                    ElasticError::content(format!("[range] unknown field [{unknown}]"))
                        .at_key(unknown),
                );
            }
        }
    }
    Ok(range)
}

/// Reads a family of ranges.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let written = Written::read(&definition)?;
    let field = definition.field(context)?;
    if let Some(field) = &field {
        let is_text = field.field_type().column_kind() == ColumnKind::Text;
        let fits = match definition.type_name {
            "geo_distance" => field.type_name() == "geo_point",
            "ip_range" => field.field_type() == FieldType::Ip,
            "date_range" => !is_text && field.field_type() != FieldType::Boolean,
            _range => !is_text,
        };
        if !fits {
            return Err(unsupported_field(context, field, definition.type_name));
        }
    }
    let (typed, mut ranges) = match definition.type_name {
        "ip_range" => ("ip_range", addresses(context, &written, field.as_ref())?),
        "geo_distance" => (
            "geo_distance",
            distances(context, &written, field.as_ref())?,
        ),
        "date_range" => ("date_range", dates(context, &written, field.as_ref())?),
        _range => ("range", numbers(context, &written, field.as_ref())?),
    };
    ranges.sort_by(|(a, _), (b, _)| compare(a, b));
    let (shapes, filters): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
    let filters = filters.into_iter().map(|filter| (None, filter)).collect();
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Filters(Filters {
                filters,
                other: None,
            }),
            children: definition.children.requests,
        },
        kind: AggregationKind::Ranges {
            keyed: written.keyed,
            ranges: shapes,
            unmapped: field.is_none(),
        },
        typed,
    })
}

/// By the first end, then by the second; what has no end is outside of all others.
fn compare(a: &RangeShape, b: &RangeShape) -> Ordering {
    let place = |end: &Option<EndShape>, open: f64| end.as_ref().map_or(open, |end| end.place);
    let from = |range: &RangeShape| place(&range.from, f64::NEG_INFINITY);
    let to = |range: &RangeShape| place(&range.to, f64::INFINITY);
    (from(a).total_cmp(&from(b))).then(to(a).total_cmp(&to(b)))
}

/// A range of numbers as it is printed, and the rows that it holds.
type Range = (RangeShape, Filter);

fn numbers(
    context: &Context<'_>,
    written: &Written<'_>,
    field: Option<&NamedField<'_>>,
) -> Result<Vec<Range>, ElasticError> {
    let format = written.format.as_deref();
    let text = match field {
        Some(field) => value_text(context, field, format, &TimeZone::UTC)?,
        None => None,
    };
    let number = |value: &Value| {
        let text = read::text(value, "ranges")?;
        decimal(&text).ok_or_else(|| context.fail(read::number_format(&text)))
    };
    let missing = written.missing.map(&number).transpose()?;
    let end = |value: Option<&Value>| value.map(&number).transpose();
    let build = |range: &WrittenRange<'_>| {
        let ends = (end(range.from)?, end(range.to)?);
        let shown = |number: Decimal| EndShape::number(number.to_f64(), text.as_ref());
        let shape = shape(range, ends.0.map(shown), ends.1.map(shown));
        Ok((shape, filter(field, ends, missing)))
    };
    written.ranges.iter().map(build).collect()
}

fn dates(
    context: &Context<'_>,
    written: &Written<'_>,
    field: Option<&NamedField<'_>>,
) -> Result<Vec<Range>, ElasticError> {
    let zone = written.zone.clone().unwrap_or(TimeZone::UTC);
    let own = field.and_then(|field| field.field.format.as_deref());
    let format = parse_format(written.format.as_deref().or(own));
    let reader = DateReader {
        format: format.map_err(|error| context.fail(error))?,
        zone: zone.clone(),
        now_ms: context.now_ms,
    };
    let text = ValueText::Date {
        format: reader.format.clone(),
        zone,
        is_nanos: false,
    };
    let unit = match field {
        Some(field) if field.field_type() == FieldType::DateNanos => MS_NANOS,
        Some(_) | None => 1,
    };
    let instant = |value: &Value| missing_ms(&reader, value).map_err(|error| context.fail(error));
    let scaled = |ms: i64| Decimal::from_i64(ms.saturating_mul(unit));
    let missing = written.missing.map(&instant).transpose()?.map(scaled);
    let end = |value: Option<&Value>| value.map(&instant).transpose();
    let build = |range: &WrittenRange<'_>| {
        let (from, to) = (end(range.from)?, end(range.to)?);
        #[expect(clippy::cast_precision_loss, reason = "ends are shown as doubles")]
        let shown = |ms: i64| EndShape::number(ms as f64, Some(&text));
        let shape = shape(range, from.map(shown), to.map(shown));
        Ok((
            shape,
            filter(field, (from.map(scaled), to.map(scaled)), missing),
        ))
    };
    written.ranges.iter().map(build).collect()
}

/// How a range is printed; without a key of its own it is named by its ends.
fn shape(range: &WrittenRange<'_>, from: Option<EndShape>, to: Option<EndShape>) -> RangeShape {
    let key = range.key.clone().unwrap_or_else(|| {
        let name =
            |end: &Option<EndShape>| end.as_ref().map_or("*", |end| end.name.as_str()).to_owned();
        format!("{}-{}", name(&from), name(&to))
    });
    RangeShape { key, from, to }
}

impl EndShape {
    fn number(value: f64, text: Option<&ValueText>) -> Self {
        let (name, text) = range_end(value, text);
        Self {
            place: value,
            name,
            value: value.into(),
            text,
        }
    }
}

/// The rows with a number from the first end on and below the second.
fn filter(
    field: Option<&NamedField<'_>>,
    (from, to): (Option<Decimal>, Option<Decimal>),
    missing: Option<Decimal>,
) -> Filter {
    let is_inside = |missing: Decimal| {
        from.is_none_or(|from| missing.compare(from).is_ge())
            && to.is_none_or(|to| missing.compare(to).is_lt())
    };
    let takes_missing = missing.is_some_and(is_inside);
    let Some(field) = field else {
        return if takes_missing {
            Filter::All
        } else {
            Filter::None
        };
    };
    let place = field.place.clone();
    let range = match (from, to) {
        (None, None) => Filter::Exists(place.clone()),
        (from, to) => Filter::NumberRange {
            field: place.clone(),
            lower: from.map_or(Bound::Unbounded, Bound::Included),
            upper: to.map_or(Bound::Unbounded, Bound::Excluded),
        },
    };
    or_missing(range, takes_missing.then_some(place))
}

/// `filter`, and rows without a value of the field.
fn or_missing(filter: Filter, field: Option<query::request::FieldRef>) -> Filter {
    match field {
        None => filter,
        Some(field) => Filter::AtLeast {
            count: 1,
            of: vec![filter, Filter::Not(Box::new(Filter::Exists(field)))],
        },
    }
}

fn distances(
    context: &Context<'_>,
    written: &Written<'_>,
    field: Option<&NamedField<'_>>,
) -> Result<Vec<Range>, ElasticError> {
    let from = written
        .origin
        .ok_or_else(|| ElasticError::illegal_argument("Required [origin]"))?;
    let unit = written.unit.unwrap_or(1.0);
    let end = |value: Option<&Value>| {
        let number = value.map(|value| read::float(value, "ranges")).transpose();
        number.map_err(|error| context.fail(error))
    };
    let build = |range: &WrittenRange<'_>| {
        let (near, far) = (end(range.from)?, end(range.to)?);
        let shown = |number: f64| EndShape::number(number, None);
        let shape = shape(range, near.map(shown), far.map(shown));
        let filter = match field {
            None => Filter::None,
            Some(field) => Filter::Distance {
                field: field.place.clone(),
                from,
                metres: (
                    near.map_or(Bound::Unbounded, |near| Bound::Included(near * unit)),
                    far.map_or(Bound::Unbounded, |far| Bound::Excluded(far * unit)),
                ),
            },
        };
        Ok((shape, filter))
    };
    written.ranges.iter().map(build).collect()
}

fn addresses(
    context: &Context<'_>,
    written: &Written<'_>,
    field: Option<&NamedField<'_>>,
) -> Result<Vec<Range>, ElasticError> {
    let missing = match written.missing {
        None => None,
        Some(value) => Some(address(context, &read::text(value, "missing")?)?),
    };
    let build = |range: &WrittenRange<'_>| {
        let (from, to, key) = match &range.mask {
            Some(mask) => {
                let (first, last) = network(mask).ok_or_else(|| wrong_address(context, mask))?;
                let key = range.key.clone().or_else(|| Some(mask.clone()));
                let from = (first > 0).then_some(first);
                (from, last.checked_add(1), key)
            }
            None => {
                let end = |value: Option<&Value>| {
                    value
                        .map(|value| address(context, &read::text(value, "ranges")?))
                        .transpose()
                };
                (end(range.from)?, end(range.to)?, range.key.clone())
            }
        };
        let named = WrittenRange {
            key,
            ..WrittenRange::default()
        };
        let shape = shape(
            &named,
            from.map(EndShape::address),
            to.map(EndShape::address),
        );
        let is_inside = |address: u128| {
            from.is_none_or(|from| address >= from) && to.is_none_or(|to| address < to)
        };
        let takes_missing = missing.is_some_and(is_inside);
        let filter = match field {
            None if takes_missing => Filter::All,
            None => Filter::None,
            Some(field) => {
                let inside = match to {
                    Some(0) => Filter::None,
                    to => Filter::Text {
                        field: field.place.clone(),
                        predicate: TextPredicate::Address {
                            first: from.unwrap_or(0),
                            last: to.map_or(u128::MAX, |to| to - 1),
                        },
                    },
                };
                or_missing(inside, takes_missing.then(|| field.place.clone()))
            }
        };
        Ok((shape, filter))
    };
    written.ranges.iter().map(build).collect()
}

impl EndShape {
    fn address(number: u128) -> Self {
        let text = Ipv6Addr::from_bits(number).to_canonical().to_string();
        #[expect(clippy::cast_precision_loss, reason = "only the order matters")]
        let place = number as f64;
        Self {
            place,
            name: text.clone(),
            value: text.into(),
            text: None,
        }
    }
}

fn wrong_address(context: &Context<'_>, text: &str) -> ElasticError {
    context.fail(ElasticError::illegal_argument(format!(
        "'{text}' is not an IP string literal."
    )))
}

/// The number of an address: of IPv4 that of its IPv6 form.
pub(in crate::elastic) fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(context: &Context<'_>, text: &str) -> Result<u128, ElasticError> {
    let address = text.parse().map_err(|_| wrong_address(context, text))?;
    Ok(number_of(address))
}

/// The first and the last address of a network: `10.0.0.0/8`.
pub(in crate::elastic) fn network(text: &str) -> Option<(u128, u128)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    let (width, offset) = match address {
        IpAddr::V4(_) => (32, 96),
        IpAddr::V6(_) => (128, 0),
    };
    if bits > width {
        return None;
    }
    let rest = u128::MAX.checked_shr(offset + bits).unwrap_or(0);
    let number = number_of(address);
    Some((number & !rest, number | rest))
}
