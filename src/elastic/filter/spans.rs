//! Queries on ranges: which of them share, have or lie within other values.

use std::ops::Bound;

use query::request::{Filter, TextPredicate};
use storage::model::{Span, SpanRelation};

use super::leaf;
use super::range::TextRange;
use crate::elastic::ElasticError;
use crate::elastic::aggregation::{network, number_of};
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::Missing;
use crate::elastic::values;

/// What lies in the ranges of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanKind {
    Integer,
    Double,
    Date,
    Address,
}

/// What the ranges of `field` are of, if it has ranges.
pub(super) fn kind(field: &NamedField<'_>) -> Option<SpanKind> {
    Some(match field.type_name() {
        "integer_range" | "long_range" => SpanKind::Integer,
        "float_range" | "double_range" => SpanKind::Double,
        "date_range" => SpanKind::Date,
        "ip_range" => SpanKind::Address,
        _ => return None,
    })
}

/// Ranges with this value.
pub(super) fn term(
    context: &Context<'_>,
    field: &NamedField<'_>,
    kind: SpanKind,
    text: &str,
) -> Result<Filter, ElasticError> {
    if kind == SpanKind::Address
        && let Some((first, last)) = network(text)
    {
        return Ok(filter(
            field,
            Span { first, last },
            SpanRelation::Intersects,
        ));
    }
    let range = TextRange {
        lower: Bound::Included(text.into()),
        upper: Bound::Included(text.into()),
        ..TextRange::open()
    };
    self::range(context, field, kind, &range)
}

/// Ranges that stand to `range` as it says.
pub(super) fn range(
    context: &Context<'_>,
    field: &NamedField<'_>,
    kind: SpanKind,
    range: &TextRange,
) -> Result<Filter, ElasticError> {
    let place = |text: &str, missing| place(context, field, kind, range, text, missing);
    let first = match &range.lower {
        Bound::Unbounded => 0,
        Bound::Included(text) => place(text, Missing::First)?,
        Bound::Excluded(text) => place(text, Missing::Last)?.saturating_add(1),
    };
    let last = match &range.upper {
        Bound::Unbounded => u128::MAX,
        Bound::Included(text) => place(text, Missing::Last)?,
        Bound::Excluded(text) => match place(text, Missing::First)?.checked_sub(1) {
            Some(last) => last,
            None => return Ok(Filter::None),
        },
    };
    if first > last {
        return Ok(Filter::None);
    }
    Ok(filter(field, Span { first, last }, range.relation))
}

fn filter(field: &NamedField<'_>, span: Span, relation: SpanRelation) -> Filter {
    Filter::Text {
        field: field.place.clone(),
        predicate: TextPredicate::Span { span, relation },
    }
}

/// Where a value is among all values of its kind.
fn place(
    context: &Context<'_>,
    field: &NamedField<'_>,
    kind: SpanKind,
    range: &TextRange,
    text: &str,
    missing: Missing,
) -> Result<u128, ElasticError> {
    let wrong = || leaf::wrong_number(context, text);
    match kind {
        SpanKind::Integer => {
            let number = values::decimal(text).ok_or_else(wrong)?;
            crate::elastic::read::integer_text(&number.to_f64().to_string())
                .filter(|_| number.exponent != 0)
                .or((number.exponent == 0).then_some(number.mantissa))
                .map(Span::of_integer)
                .ok_or_else(wrong)
        }
        SpanKind::Double => {
            let number = values::decimal(text).ok_or_else(wrong)?;
            Ok(Span::of_double(number.to_f64()))
        }
        SpanKind::Date => {
            let (format, zone) = (range.format.as_deref(), range.zone.as_ref());
            let reader = leaf::date_reader(context, field, format, zone)?;
            let date = leaf::date(context, field, &reader, text, missing)?;
            Ok(Span::of_integer(date.mantissa))
        }
        SpanKind::Address => match text.parse() {
            Ok(address) => Ok(number_of(address)),
            Err(_) => Err(context.query_error(format!(
                "failed to create query: '{text}' is not an IP string literal."
            ))),
        },
    }
}
