//! `range`, and the ranges of query strings.

use std::ops::Bound;

use jiff::tz::TimeZone;
use query::request::{Filter, TextPredicate};
use serde_json::Value;
use storage::model::{FieldType, SpanRelation};

use super::FieldClause;
use super::leaf::{self, Strictness};
use crate::elastic::ElasticError;
use crate::elastic::aggregation::number_of;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::{Missing, parse_zone};
use crate::elastic::read;
use crate::elastic::values;

/// Both ends of a range as texts, and how dates in them are read.
#[derive(Debug, Clone)]
pub(super) struct TextRange {
    pub(super) lower: Bound<String>,
    pub(super) upper: Bound<String>,
    pub(super) format: Option<String>,
    pub(super) zone: Option<TimeZone>,
    /// How a range that is looked for stands to this one.
    pub(super) relation: SpanRelation,
}

impl TextRange {
    /// Every value.
    pub(super) fn open() -> Self {
        Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            format: None,
            zone: None,
            relation: SpanRelation::Intersects,
        }
    }
}

/// `range`: `gt`, `gte`, `lt`, `lte`, and the older `from`, `to`, `include_lower`,
/// `include_upper`.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read("range", body)?;
    let options = clause.body.as_object().ok_or_else(|| {
        ElasticError::parsing("[range] query does not support a plain value").at_value(clause.path)
    })?;
    let is_text = |field: NamedField<'_>| leaf::has_texts(&field) && field.type_name() != "ip";
    if context.facts.cheap_only && context.field(clause.path).is_some_and(is_text) {
        return Err(context.fail(ElasticError::illegal_argument(
            "[range] queries on [text] or [keyword] fields cannot be executed when \
             'search.allow_expensive_queries' is set to false.",
        )));
    }
    let mut range = TextRange::open();
    let (mut lower_included, mut upper_included) = (true, true);
    let mut relation = "intersects".to_owned();
    for (key, value) in options {
        match key.as_str() {
            "gte" | "ge" | "from" => range.lower = bound(value, key, Bound::Included)?,
            "gt" => range.lower = bound(value, key, Bound::Excluded)?,
            "lte" | "le" | "to" => range.upper = bound(value, key, Bound::Included)?,
            "lt" => range.upper = bound(value, key, Bound::Excluded)?,
            "include_lower" => lower_included = read::flag(value, key)?,
            "include_upper" => upper_included = read::flag(value, key)?,
            "format" => range.format = Some(read::text(value, key)?),
            "time_zone" => range.zone = Some(parse_zone(&read::text(value, key)?)?),
            "relation" => relation = read::text(value, key)?.to_lowercase(),
            "boost" | "_name" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[range] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    if !matches!(relation.as_str(), "intersects" | "within" | "contains") {
        return Err(ElasticError::illegal_argument(format!(
            "[range] query does not support relation [{relation}]"
        )));
    }
    if !lower_included {
        range.lower = excluded(range.lower);
    }
    if !upper_included {
        range.upper = excluded(range.upper);
    }
    match context.whole_field(clause.path) {
        Some(field) => {
            range.relation = match relation.as_str() {
                "contains" => SpanRelation::Contains,
                "within" => SpanRelation::Within,
                _intersects => SpanRelation::Intersects,
            };
            filter(context, &field, &range, Strictness::Strict)
        }
        None if clause.path == "_id" => Err(ElasticError::illegal_argument(
            "Field [_id] of type [_id] does not support range queries",
        )),
        None => Ok(Filter::None),
    }
}

fn bound(
    value: &Value,
    key: &str,
    closed: impl FnOnce(String) -> Bound<String>,
) -> Result<Bound<String>, ElasticError> {
    match value {
        Value::Null => Ok(Bound::Unbounded),
        value => Ok(closed(read::text(value, key)?)),
    }
}

fn excluded(bound: Bound<String>) -> Bound<String> {
    match bound {
        Bound::Included(text) => Bound::Excluded(text),
        open_or_excluded => open_or_excluded,
    }
}

/// Rows with a value of `field` in `range`.
pub(super) fn filter(
    context: &Context<'_>,
    field: &NamedField<'_>,
    range: &TextRange,
    strictness: Strictness,
) -> Result<Filter, ElasticError> {
    if range.lower == Bound::Unbounded && range.upper == Bound::Unbounded {
        return Ok(Filter::Exists(field.place.clone()));
    }
    if let Some(kind) = super::spans::kind(field) {
        return super::spans::range(context, field, kind, range);
    }
    let found = match field.field_type() {
        FieldType::Date | FieldType::DateNanos => dates(context, field, range),
        FieldType::Keyword => Ok(Filter::Text {
            field: field.place.clone(),
            predicate: TextPredicate::Range {
                lower: bytes(&range.lower),
                upper: bytes(&range.upper),
            },
        }),
        FieldType::Ip => addresses(context, field, range),
        FieldType::Text => Err(ElasticError::unsupported(format!(
            "[range] on field [{}] of type [{}]",
            field.path,
            field.type_name()
        ))),
        FieldType::Boolean => numbers(field, range, |text| {
            let value = leaf::boolean(text).ok_or_else(|| leaf::wrong_boolean(context, text))?;
            Ok(storage::model::Decimal::from_i64(value))
        }),
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat => numbers(field, range, |text| {
            values::decimal(text).ok_or_else(|| leaf::wrong_number(context, text))
        }),
    };
    match (found, strictness) {
        (Err(_), Strictness::Lenient) => Ok(Filter::None),
        (found, Strictness::Strict | Strictness::Lenient) => found,
    }
}

fn numbers(
    field: &NamedField<'_>,
    range: &TextRange,
    read: impl Fn(&str) -> Result<storage::model::Decimal, ElasticError>,
) -> Result<Filter, ElasticError> {
    Ok(Filter::NumberRange {
        field: field.place.clone(),
        lower: mapped(&range.lower, &read, &read)?,
        upper: mapped(&range.upper, &read, &read)?,
    })
}

/// A bound with its text read: one way when it belongs to the range, another when it does not.
fn mapped<T>(
    bound: &Bound<String>,
    included: impl Fn(&str) -> Result<T, ElasticError>,
    excluded: impl Fn(&str) -> Result<T, ElasticError>,
) -> Result<Bound<T>, ElasticError> {
    Ok(match bound {
        Bound::Included(text) => Bound::Included(included(text)?),
        Bound::Excluded(text) => Bound::Excluded(excluded(text)?),
        Bound::Unbounded => Bound::Unbounded,
    })
}

/// `gte` starts with the first instant that its text names and `gt` behind the last; `lte` ends
/// with the last and `lt` before the first.
fn dates(
    context: &Context<'_>,
    field: &NamedField<'_>,
    range: &TextRange,
) -> Result<Filter, ElasticError> {
    let reader = leaf::date_reader(context, field, range.format.as_deref(), range.zone.as_ref())?;
    let first = |text: &str| leaf::date(context, field, &reader, text, Missing::First);
    let last = |text: &str| leaf::date(context, field, &reader, text, Missing::Last);
    Ok(Filter::NumberRange {
        field: field.place.clone(),
        lower: mapped(&range.lower, first, last)?,
        upper: mapped(&range.upper, last, first)?,
    })
}

/// Addresses between both ends.
fn addresses(
    context: &Context<'_>,
    field: &NamedField<'_>,
    range: &TextRange,
) -> Result<Filter, ElasticError> {
    let read = |text: &str| match text.parse() {
        Ok(address) => Ok(number_of(address)),
        Err(_) => Err(context
            .query_error(format!(
                "failed to create query: '{text}' is not an IP string literal."
            ))
            .caused_by(ElasticError::illegal_argument(format!(
                "'{text}' is not an IP string literal."
            )))),
    };
    let first = match mapped(&range.lower, read, read)? {
        Bound::Unbounded => Some(0),
        Bound::Included(first) => Some(first),
        Bound::Excluded(before) => before.checked_add(1),
    };
    let last = match mapped(&range.upper, read, read)? {
        Bound::Unbounded => Some(u128::MAX),
        Bound::Included(last) => Some(last),
        Bound::Excluded(behind) => behind.checked_sub(1),
    };
    Ok(match (first, last) {
        (Some(first), Some(last)) => leaf::addresses(field, first, last),
        _ => Filter::None,
    })
}

fn bytes(bound: &Bound<String>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Included(text) => Bound::Included(text.as_bytes().to_vec()),
        Bound::Excluded(text) => Bound::Excluded(text.as_bytes().to_vec()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
