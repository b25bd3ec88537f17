//! `sort`: the order of hits.

use jiff::tz::TimeZone;
use query::request::{SortBy, SortCast, SortKey, SortMode};
use query::response::SortValue;
use serde_json::{Map, Value};
use storage::model::{ColumnKind, FieldType};

use super::aggregation::{text_field, value_text};
use super::context::{Context, NamedField};
use super::read;
use super::shape::{SortKind, SortShape};
use super::{ElasticError, SearchParams, areas, values};

/// Most criteria of an order.
const SORT_KEYS_MAX: usize = 64;

/// Criteria while they are read.
#[derive(Default)]
struct Sorting {
    keys: Vec<SortKey>,
    shapes: Vec<SortShape>,
    /// Whether the search is over a point in time.
    has_pit: bool,
}

/// Reads the order of hits; the URL's wins.
///
/// # Errors
/// On an order by something that is no field, and on options that do not fit.
pub(super) fn parse(
    context: &Context<'_>,
    body: &Map<String, Value>,
    params: &SearchParams,
) -> Result<(Vec<SortKey>, Vec<SortShape>), ElasticError> {
    let mut sort = Sorting {
        has_pit: params.has_pit,
        ..Sorting::default()
    };
    match (&params.sort, body.get("sort")) {
        (Some(text), _) => sort.url(context, text)?,
        (None, Some(value)) => sort.criteria(context, value)?,
        (None, None) => {}
    }
    let by_score = |shape: &SortShape| shape.kind == SortKind::Score && shape.descending;
    if sort.shapes.len() == 1 && sort.shapes.iter().all(by_score) {
        // What happens without an order.
        sort.keys.clear();
        sort.shapes.clear();
    }
    if params.tie_break && !sort.keys.iter().any(|key| matches!(key.by, SortBy::Row)) {
        sort.criterion(context, "_shard_doc", None)?;
    }
    Ok((sort.keys, sort.shapes))
}

/// What a criterion says beside its field.
#[derive(Default)]
struct SortOptions {
    descending: bool,
    missing_first: bool,
    missing: Option<Value>,
    unmapped: bool,
    format: Option<String>,
    mode: SortMode,
    cast: Option<FieldType>,
}

impl Sorting {
    /// `field:desc,other`.
    fn url(&mut self, context: &Context<'_>, text: &str) -> Result<(), ElasticError> {
        for part in text.split(',') {
            let (field, direction) = part.rsplit_once(':').unwrap_or((part, ""));
            let direction = (!direction.is_empty()).then(|| Value::String(direction.into()));
            self.criterion(context, field.trim(), direction.as_ref())?;
        }
        Ok(())
    }

    /// A name, an object (of several keys even), or a list of them.
    fn criteria(&mut self, context: &Context<'_>, value: &Value) -> Result<(), ElasticError> {
        for entry in read::one_or_many(value) {
            match entry {
                Value::String(field) => self.criterion(context, field, None)?,
                Value::Object(entries) => {
                    for (field, options) in entries {
                        self.criterion(context, field, Some(options))?;
                    }
                }
                other => {
                    return Err(ElasticError::illegal_argument(format!(
                        "malformed sort format, within the sort array, an object, or an actual \
                         string are allowed, found [{}]",
                        read::token_name(other)
                    )));
                }
            }
        }
        Ok(())
    }

    fn criterion(
        &mut self,
        context: &Context<'_>,
        name: &str,
        options: Option<&Value>,
    ) -> Result<(), ElasticError> {
        if self.shapes.len() == SORT_KEYS_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "an order has at most [{SORT_KEYS_MAX}] criteria"
            )));
        }
        if matches!(name, "_geo_distance" | "_geoDistance") {
            let (key, shape) = areas::distance_sort(context, options)?;
            self.keys.push(key);
            self.shapes.push(shape);
            return Ok(());
        }
        let options = sort_options(name, options)?;
        let mut shape = SortShape {
            kind: SortKind::Row,
            descending: options.descending,
            missing_first: options.missing_first,
            text: None,
            unit_m: 1.0,
        };
        let mut key = SortKey {
            descending: options.descending,
            missing_first: options.missing_first,
            mode: options.mode,
            ..SortKey::default()
        };
        match name {
            "_shard_doc" if !self.has_pit => {
                return Err(ElasticError::validation(&[
                    "_shard_doc is only supported with point-in-time (PIT) searches".into(),
                ]));
            }
            "_doc" | "_shard_doc" => key.by = SortBy::Row,
            "_score" => {
                shape.kind = SortKind::Score;
                key.by = SortBy::Score;
            }
            name => {
                let field = sort_field(context, name, &options)?;
                shape.kind = sort_kind(field.as_ref());
                (shape.kind, key.cast) = cast(context, &options, shape.kind, field.as_ref())?;
                if let Some(field) = &field {
                    if let Some(format) = options.format.as_deref() {
                        shape.text = value_text(context, field, Some(format), &TimeZone::UTC)?;
                    }
                    if let Some(missing) = &options.missing {
                        key.missing = Some(missing_value(context, field, shape.kind, missing)?);
                    }
                    check_mode(context, field, options.mode)?;
                }
                key.by = SortBy::Field(field.map(|field| field.place));
            }
        }
        self.keys.push(key);
        self.shapes.push(shape);
        Ok(())
    }
}

fn sort_field<'a>(
    context: &Context<'a>,
    name: &str,
    options: &SortOptions,
) -> Result<Option<NamedField<'a>>, ElasticError> {
    match context.whole_field(name) {
        Some(field) if field.field_type() == FieldType::Text => Err(text_field(context, name)),
        Some(field) if field.type_name() == "geo_point" => {
            Err(context.fail(ElasticError::illegal_argument(format!(
                "can't sort on geo_point field without using specific sorting feature, like \
                 geo_distance [{name}]"
            ))))
        }
        None if !options.unmapped && !context.index.is_empty() => {
            Err(context.query_error(format!("No mapping found for [{name}] in order to sort on")))
        }
        field => Ok(field),
    }
}

fn sort_kind(field: Option<&NamedField<'_>>) -> SortKind {
    match field.map(NamedField::field_type) {
        Some(FieldType::DateNanos) => SortKind::Nanos,
        Some(field_type) => match field_type.column_kind() {
            ColumnKind::Integer => SortKind::Integer,
            ColumnKind::Decimal => SortKind::Decimal,
            ColumnKind::Text => SortKind::Text,
        },
        None => SortKind::Integer,
    }
}

/// `numeric_type`: what values become so that several indices agree.
fn cast(
    context: &Context<'_>,
    options: &SortOptions,
    own: SortKind,
    field: Option<&NamedField<'_>>,
) -> Result<(SortKind, SortCast), ElasticError> {
    let Some(wanted) = options.cast else {
        return Ok((own, SortCast::None));
    };
    let is_date = field.is_some_and(|field| field.field_type().is_date());
    match (own, wanted) {
        (SortKind::Text, _) => {
            let path = field.map_or("", |field| field.path.as_str());
            Err(context.fail(ElasticError::illegal_argument(format!(
                "[numeric_type] option cannot be set on a non-numeric field, got {path}"
            ))))
        }
        (SortKind::Integer, FieldType::DateNanos) if is_date => {
            Ok((SortKind::Nanos, SortCast::Nanos))
        }
        (SortKind::Nanos, FieldType::Date) => Ok((SortKind::Integer, SortCast::Millis)),
        (SortKind::Integer, FieldType::Double) if !is_date => {
            Ok((SortKind::Decimal, SortCast::Decimal))
        }
        (SortKind::Decimal, FieldType::Long) => Ok((SortKind::Integer, SortCast::Integer)),
        (own, _same) => Ok((own, SortCast::None)),
    }
}

/// The value that rows without one are taken to have.
fn missing_value(
    context: &Context<'_>,
    field: &NamedField<'_>,
    kind: SortKind,
    missing: &Value,
) -> Result<SortValue, ElasticError> {
    Ok(match kind {
        SortKind::Text => SortValue::Text(read::text(missing, "missing")?.as_bytes().into()),
        SortKind::Decimal => {
            let text = read::text(missing, "missing")?;
            let number = values::decimal(&text);
            SortValue::Decimal(number.ok_or_else(|| read::number_format(&text))?)
        }
        SortKind::Integer
        | SortKind::Nanos
        | SortKind::Row
        | SortKind::Score
        | SortKind::Distance => {
            let number = values::number_value(context, field, missing, None, &TimeZone::UTC)?;
            SortValue::Integer(number.mantissa)
        }
    })
}

fn check_mode(
    context: &Context<'_>,
    field: &NamedField<'_>,
    mode: SortMode,
) -> Result<(), ElasticError> {
    let is_text = field.field_type().column_kind() == ColumnKind::Text;
    match mode {
        SortMode::Sum | SortMode::Avg | SortMode::Median if is_text => {
            Err(context.fail(ElasticError::illegal_argument(
                "we only support AVG, MEDIAN and SUM on number based fields",
            )))
        }
        SortMode::First
        | SortMode::Min
        | SortMode::Max
        | SortMode::Sum
        | SortMode::Avg
        | SortMode::Median => Ok(()),
    }
}

fn sort_options(name: &str, value: Option<&Value>) -> Result<SortOptions, ElasticError> {
    let mut options = SortOptions {
        descending: name == "_score",
        ..SortOptions::default()
    };
    match value {
        None => {}
        Some(Value::Object(entries)) => {
            for (key, value) in entries {
                match key.as_str() {
                    "order" => options.descending = is_descending(value)?,
                    "missing" => match value.as_str() {
                        Some("_first") => options.missing_first = true,
                        Some("_last") => options.missing_first = false,
                        Some(_) | None => options.missing = Some(value.clone()),
                    },
                    "unmapped_type" => options.unmapped = !value.is_null(),
                    "format" => options.format = Some(read::text(value, key)?),
                    "mode" => options.mode = mode(&read::text(value, key)?)?,
                    "numeric_type" => options.cast = Some(numeric_type(value)?),
                    "nested" | "nested_path" | "nested_filter" => {
                        return Err(ElasticError::unsupported(format!("[{key}] of [sort]")));
                    }
                    unknown => {
                        return Err(ElasticError::content(format!(
                            "[field_sort] unknown field [{unknown}]"
                        ))
                        .at_key(unknown));
                    }
                }
            }
        }
        Some(direction) => options.descending = is_descending(direction)?,
    }
    Ok(options)
}

fn numeric_type(value: &Value) -> Result<FieldType, ElasticError> {
    let text = read::text(value, "numeric_type")?;
    Ok(match text.as_str() {
        "long" | "unsigned_long" => FieldType::Long,
        "double" => FieldType::Double,
        "date" => FieldType::Date,
        "date_nanos" => FieldType::DateNanos,
        other => {
            return Err(ElasticError::illegal_argument(format!(
                "invalid value for [numeric_type], must be [long, double, date, date_nanos], got \
                 {other}"
            )));
        }
    })
}

/// What is made of several values.
pub(super) fn mode(text: &str) -> Result<SortMode, ElasticError> {
    Ok(match text.to_lowercase().as_str() {
        "min" => SortMode::Min,
        "max" => SortMode::Max,
        "sum" => SortMode::Sum,
        "avg" => SortMode::Avg,
        "median" => SortMode::Median,
        _ => {
            return Err(ElasticError::illegal_argument(format!(
                "Unknown SortMode [{text}]"
            )));
        }
    })
}

/// `asc` or `desc`.
pub(super) fn is_descending(value: &Value) -> Result<bool, ElasticError> {
    match read::text(value, "order")?.to_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        other => Err(ElasticError::illegal_argument(format!(
            "Unknown SortOrder [{other}]"
        ))),
    }
}
