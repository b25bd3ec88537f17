//! Queries for exact values: `term`, `terms`, `exists`, `ids`.

use std::collections::BTreeSet;

use query::request::{Filter, Pattern};
use serde_json::Value;
use storage::model::{Decimal, FieldType};

use super::leaf;
use super::pattern::escape_regex;
use super::{FieldClause, any_of, options_only};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::index_expression::matches_wildcard;
use crate::elastic::read;
use crate::elastic::values;

/// Most values of one `terms` query.
const TERMS_MAX: usize = 65_536;

/// `term`: one value, plain or under `value`.
pub(super) fn parse_term(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read("term", body)?;
    if clause.body.is_array() {
        return Err(
            ElasticError::parsing("[term] query does not support array of values")
                .at_value(clause.path),
        );
    }
    let mut value = None;
    let mut any_case = false;
    for (key, option) in clause.options("value") {
        match key.as_str() {
            "value" => value = Some(option),
            "case_insensitive" => any_case = read::flag(&option, &key)?,
            "boost" | "_name" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[term] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    let value = value
        .filter(|value| !value.is_null())
        .ok_or_else(|| ElasticError::illegal_argument("value cannot be null"))?;
    let text = read::text(&value, clause.path)?;
    if let Some(filter) = metadata(context, clause.path, std::slice::from_ref(&text)) {
        return Ok(filter);
    }
    match context.whole_field(clause.path) {
        None => Ok(Filter::None),
        Some(field) if any_case && leaf::has_texts(&field) => {
            let regex = format!("(?i){}", escape_regex(&text));
            Ok(leaf::pattern(&field, Pattern::Regex(regex)))
        }
        Some(field) => leaf::term(context, &field, &text),
    }
}

/// `terms`: one of several values.
pub(super) fn parse_terms(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    if body.get("value_type").and_then(Value::as_str) == Some("bitmap") {
        return parse_bitmap(context, body);
    }
    let body = &without(body, "value_type");
    let clause = FieldClause::read("terms", body)?;
    let values = match clause.body {
        Value::Array(values) => values,
        Value::Object(_) => return Err(ElasticError::unsupported("a lookup of [terms]")),
        _plain => {
            return Err(
                ElasticError::parsing("[terms] query requires a list of values")
                    .at_value(clause.path),
            );
        }
    };
    let most = context.limit("max_terms_count", TERMS_MAX);
    if values.len() > most {
        return Err(context.query_error(format!(
            "failed to create query: The number of terms [{}] used in the Terms Query request has \
             exceeded the allowed maximum of [{most}]. This maximum can be set by changing \
             the [index.max_terms_count] index level setting.",
            values.len()
        )));
    }
    let texts = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| read::text(value, clause.path))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(filter) = metadata(context, clause.path, &texts) {
        return Ok(filter);
    }
    match context.whole_field(clause.path) {
        None => Ok(Filter::None),
        Some(field) => one_of(context, &field, &texts),
    }
}

/// `terms` with `"value_type": "bitmap"`: the numbers of Roaring bitmaps.
fn parse_bitmap(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let body = without(body, "value_type");
    let clause = FieldClause::read("terms", &body)?;
    let Some(field) = context.whole_field(clause.path) else {
        return Ok(Filter::None);
    };
    if !matches!(
        field.field_type(),
        FieldType::Long | FieldType::Integer | FieldType::Short | FieldType::Byte
    ) {
        return Err(context.query_error(format!(
            "[terms] query with a bitmap needs a field of integers, not [{}]",
            field.path
        )));
    }
    let mut numbers = Vec::new();
    for value in read::one_or_many(clause.body) {
        let text = read::text(value, clause.path)?;
        let found = super::bitmap::numbers(&text).map_err(|reason| {
            ElasticError::illegal_argument(format!("Failed to deserialize the bitmap: {reason}"))
        })?;
        numbers.extend(found.into_iter().map(Decimal::from_i64));
    }
    Ok(leaf::numbers(&field, numbers))
}

fn without(body: &Value, key: &str) -> Value {
    let mut body = body.clone();
    if let Some(entries) = body.as_object_mut() {
        entries.remove(key);
    }
    body
}

fn one_of(
    context: &Context<'_>,
    field: &NamedField<'_>,
    texts: &[String],
) -> Result<Filter, ElasticError> {
    match field.field_type() {
        FieldType::Keyword if !field.ignores_case() && super::spans::kind(field).is_none() => {
            Ok(leaf::texts(field, texts.iter().map(String::as_str)))
        }
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat => {
            let values = texts
                .iter()
                .map(|text| values::decimal(text).ok_or_else(|| leaf::wrong_number(context, text)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(leaf::numbers(field, values))
        }
        FieldType::Keyword
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateNanos
        | FieldType::Text
        | FieldType::Ip => {
            let filters = texts
                .iter()
                .map(|text| leaf::term(context, field, text))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(any_of(filters))
        }
    }
}

/// Values of a row that are no field: its id and the index it is in.
pub(super) fn metadata(context: &Context<'_>, path: &str, texts: &[String]) -> Option<Filter> {
    match path {
        "_id" => Some(Filter::Ids(texts.iter().cloned().collect())),
        "_index" => {
            let named = texts
                .iter()
                .any(|pattern| matches_wildcard(pattern, context.index));
            Some(if named { Filter::All } else { Filter::None })
        }
        _ => None,
    }
}

/// `exists`: any value in a field or below it.
pub(super) fn parse_exists(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let entries = read::object(body, "exists")?;
    if let Some(unknown) = entries
        .keys()
        .find(|key| !matches!(key.as_str(), "field" | "boost" | "_name"))
    {
        return Err(
            ElasticError::parsing(format!("[exists] query does not support [{unknown}]"))
                .at_value(unknown),
        );
    }
    match entries.get("field") {
        Some(path) => leaf::exists(context, &read::text(path, "field")?),
        None => Err(
            ElasticError::parsing("[exists] must be provided with a [field]").at_value("exists"),
        ),
    }
}

/// `ids`: rows by id.
pub(super) fn parse_ids(body: &Value) -> Result<Filter, ElasticError> {
    options_only("ids", body, &["values", "type"])?;
    let values = body
        .get("values")
        .ok_or_else(|| ElasticError::illegal_argument("[ids] requires values to be provided"))?;
    let ids = read::one_or_many(values)
        .iter()
        .map(|value| read::text(value, "values"))
        .collect::<Result<BTreeSet<_>, _>>()?;
    Ok(if ids.is_empty() {
        Filter::None
    } else {
        Filter::Ids(ids)
    })
}
