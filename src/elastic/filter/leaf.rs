//! A value of one field, from any query that names one: JSON and query strings meet here.

use std::ops::Bound;

use query::request::{Filter, Pattern, TextPredicate, TokenMatch};
use query::text::Analyzer;
use storage::model::{ColumnKind, Decimal, FieldType};

use super::any_of;
use crate::elastic::ElasticError;
use crate::elastic::aggregation::network;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::{DateReader, Instant, Missing, parse_format};
use crate::elastic::read;
use crate::elastic::values;

/// What happens when a field cannot have the value that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// The request fails.
    Strict,
    /// No row matches.
    Lenient,
}

/// Rows with the value `text` in `field`, without cutting it into words.
pub(super) fn term(
    context: &Context<'_>,
    field: &NamedField<'_>,
    text: &str,
) -> Result<Filter, ElasticError> {
    if let Some(kind) = super::spans::kind(field) {
        return super::spans::term(context, field, kind, text);
    }
    if field.type_name() == "geo_point" {
        return Err(context.query_error(format!(
            "Geometry fields do not support exact searching, use dedicated geometry queries \
             instead: [{}]",
            field.path
        )));
    }
    match field.field_type() {
        FieldType::Keyword if field.ignores_case() => {
            let regex = format!("(?is){}", super::pattern::escape_regex(text));
            Ok(pattern(field, Pattern::Regex(regex)))
        }
        FieldType::Keyword => Ok(texts(field, [text])),
        FieldType::Text => Ok(Filter::Text {
            field: field.place.clone(),
            // A text's words are kept in lower case; a term is not changed before it is looked up.
            predicate: analyzed_predicate(
                field,
                TextPredicate::Tokens {
                    tokens: vec![text.into()],
                    how: TokenMatch::Any,
                },
            ),
        }),
        FieldType::Ip => ip(context, field, text),
        FieldType::Date | FieldType::DateNanos => {
            let reader = date_reader(context, field, None, None)?;
            let first = date(context, field, &reader, text, Missing::First)?;
            let last = date(context, field, &reader, text, Missing::Last)?;
            Ok(Filter::NumberRange {
                field: field.place.clone(),
                lower: Bound::Included(first),
                upper: Bound::Included(last),
            })
        }
        FieldType::Boolean => {
            let value = boolean(text).ok_or_else(|| wrong_boolean(context, text))?;
            Ok(numbers(field, vec![Decimal::from_i64(value)]))
        }
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat => {
            let value = values::decimal(text).ok_or_else(|| wrong_number(context, text))?;
            Ok(numbers(field, vec![value]))
        }
    }
}

/// Rows whose field holds the number `values[_]`.
pub(super) fn numbers(field: &NamedField<'_>, values: Vec<Decimal>) -> Filter {
    Filter::NumberIn {
        field: field.place.clone(),
        values,
    }
}

/// Rows whose field holds one of `texts` whole.
pub(super) fn texts<'t>(
    field: &NamedField<'_>,
    texts: impl IntoIterator<Item = &'t str>,
) -> Filter {
    let texts = texts
        .into_iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    Filter::Text {
        field: field.place.clone(),
        predicate: TextPredicate::In(texts),
    }
}

/// Rows whose text fits a pattern: the whole text of a keyword, one word of a full text.
pub(super) fn pattern(field: &NamedField<'_>, pattern: Pattern) -> Filter {
    Filter::Text {
        field: field.place.clone(),
        predicate: analyzed_predicate(
            field,
            TextPredicate::Pattern {
                pattern,
                tokens: field.field_type() == FieldType::Text,
            },
        ),
    }
}

/// How the texts of `field` are cut.
pub(in crate::elastic) fn analyzer_of(field: &NamedField<'_>) -> Analyzer {
    let name = field.field.attributes.get("analyzer");
    let name = name.and_then(serde_json::Value::as_str);
    name.and_then(Analyzer::parse).unwrap_or_default()
}

/// How texts that are looked for in `field` are cut.
pub(in crate::elastic) fn search_analyzer_of(field: &NamedField<'_>) -> Analyzer {
    let name = field.field.attributes.get("search_analyzer");
    let name = name.and_then(serde_json::Value::as_str);
    name.and_then(Analyzer::parse)
        .unwrap_or_else(|| analyzer_of(field))
}

/// Rows whose text, cut as the field says, fits.
pub(super) fn analyzed(field: &NamedField<'_>, predicate: TextPredicate) -> Filter {
    Filter::Text {
        field: field.place.clone(),
        predicate: analyzed_predicate(field, predicate),
    }
}

fn analyzed_predicate(field: &NamedField<'_>, predicate: TextPredicate) -> TextPredicate {
    match analyzer_of(field) {
        Analyzer::Standard => predicate,
        _ if field.field_type() != FieldType::Text => predicate,
        analyzer => TextPredicate::Analyzed {
            analyzer,
            predicate: Box::new(predicate),
        },
    }
}

/// Whether a field's values are texts that patterns fit.
pub(super) fn has_texts(field: &NamedField<'_>) -> bool {
    field.field_type().column_kind() == ColumnKind::Text
}

/// Rows with any value in one of the fields that `path` names, or in fields below it.
pub(super) fn exists(context: &Context<'_>, path: &str) -> Result<Filter, ElasticError> {
    if path == "_source" {
        return Err(context.query_error("The _source field is not searchable"));
    }
    if matches!(path, "_id" | "_index" | "_seq_no" | "_version" | "*") {
        return Ok(Filter::All);
    }
    let mut fields = context.fields(path)?;
    if fields.is_empty() && !path.contains('*') {
        fields = context.fields(&format!("{path}.*"))?;
    }
    let mut columns: Vec<_> = fields.into_iter().map(|field| field.place).collect();
    columns.dedup_by(|left, right| left.column == right.column);
    Ok(any_of(columns.into_iter().map(Filter::Exists).collect()))
}

/// 1 or 0.
pub(super) fn boolean(text: &str) -> Option<i64> {
    match text {
        "true" => Some(1),
        "false" | "" => Some(0),
        _ => None,
    }
}

pub(super) fn wrong_boolean(context: &Context<'_>, text: &str) -> ElasticError {
    context
        .query_error(format!(
            "failed to create query: Can't parse boolean value [{text}], expected [true] or [false]"
        ))
        .caused_by(ElasticError::illegal_argument(format!(
            "Can't parse boolean value [{text}], expected [true] or [false]"
        )))
}

pub(super) fn wrong_number(context: &Context<'_>, text: &str) -> ElasticError {
    context
        .query_error(format!(
            "failed to create query: For input string: \"{text}\""
        ))
        .caused_by(read::number_format(text))
}

/// How dates of `field` are read: in `format` or the field's own, local to `zone`.
pub(super) fn date_reader(
    context: &Context<'_>,
    field: &NamedField<'_>,
    format: Option<&str>,
    zone: Option<&jiff::tz::TimeZone>,
) -> Result<DateReader, ElasticError> {
    let format = parse_format(format.or(field.field.format.as_deref()))
        .map_err(|error| context.fail(error))?;
    let zone = zone.cloned().unwrap_or(jiff::tz::TimeZone::UTC);
    Ok(DateReader {
        format,
        zone,
        now_ms: context.now_ms,
    })
}

/// A date in the unit of the field's column.
pub(super) fn date(
    context: &Context<'_>,
    field: &NamedField<'_>,
    reader: &DateReader,
    text: &str,
    missing: Missing,
) -> Result<Decimal, ElasticError> {
    let Instant { ms, nanos } = reader
        .read(text, missing)
        .map_err(|error| context.fail(error))?;
    if field.field_type() != FieldType::DateNanos {
        return Ok(Decimal::from_i64(ms));
    }
    ms.checked_mul(1_000_000)
        .and_then(|ns| ns.checked_add(i64::from(nanos)))
        .map(Decimal::from_i64)
        .ok_or_else(|| {
            context.fail(ElasticError::illegal_argument(format!(
                "date[{text}] is out of range for a field of nanosecond resolution"
            )))
        })
}

/// Rows with an address, or with one of a network (`10.0.0.0/8`).
fn ip(context: &Context<'_>, field: &NamedField<'_>, text: &str) -> Result<Filter, ElasticError> {
    let wrong = || {
        context
            .query_error(format!(
                "failed to create query: '{text}' is not an IP string literal."
            ))
            .caused_by(ElasticError::illegal_argument(format!(
                "'{text}' is not an IP string literal."
            )))
    };
    match text.split_once('/') {
        None => {
            let address: core::net::IpAddr = text.parse().map_err(|_| wrong())?;
            Ok(texts(field, [address.to_canonical().to_string().as_str()]))
        }
        Some(_) => {
            let (first, last) = network(text).ok_or_else(wrong)?;
            Ok(addresses(field, first, last))
        }
    }
}

/// Rows with an address from `first` to `last`, as numbers of IPv6.
pub(super) fn addresses(field: &NamedField<'_>, first: u128, last: u128) -> Filter {
    Filter::Text {
        field: field.place.clone(),
        predicate: TextPredicate::Address { first, last },
    }
}
