//! `composite` and `multi_terms`: buckets by several values together.

use jiff::tz::TimeZone;
use query::request::{
    Aggregation, BucketBy, MissingPlace, Order, OrderBy, TermValue, Terms, TupleBy, TupleSource,
    Tuples,
};
use query::response::BucketKey;
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::{Definition, Parsed, ParsedAggregations, date_histogram, histogram, order};
use super::{unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::date_math::{DateReader, parse_format};
use crate::elastic::read;
use crate::elastic::shape::{AggregationKind, TupleShape, ValueText};
use crate::elastic::values::{decimal, missing_ms, term_value};

/// Buckets returned unless the request says otherwise.
const SIZE_DEFAULT: usize = 10;

/// Most values of a tuple.
const SOURCES_MAX: usize = 32;

/// `composite`: buckets in the order of their keys, page by page.
pub(super) fn parse_composite(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    if !definition.body.contains_key("sources") {
        return Err(ElasticError::illegal_argument("Required [sources]"));
    }
    let mut size = SIZE_DEFAULT;
    let mut sources = Vec::new();
    let mut after = None;
    for (key, value) in definition.body {
        match key.as_str() {
            "size" => size = read::count(value, key)?,
            "sources" => sources = read_sources(context, &definition, value)?,
            "after" if !value.is_null() => {
                let keys = value.as_object();
                after = Some(keys.ok_or_else(|| definition.wrong_kind(key, value))?);
            }
            "after" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    if size == 0 {
        return Err(ElasticError::illegal_argument(format!(
            "[size] must be greater than 0. Found [0] in [{}]",
            definition.name
        )));
    }
    if sources.is_empty() {
        return Err(ElasticError::illegal_argument(
            "Composite [sources] cannot be null or empty",
        ));
    }
    if sources.len() > SOURCES_MAX {
        return Err(ElasticError::illegal_argument(format!(
            "Composite [sources] may have up to {SOURCES_MAX} entries"
        )));
    }
    let after = after
        .map(|after| after_key(context, &sources, after))
        .transpose()?;
    let (shapes, sources): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .map(|source| (source.shape, source.source))
        .unzip();
    let tuples = Tuples {
        sources,
        size,
        doc_count_min: 1,
        after,
        order: Vec::new(),
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Tuples(tuples),
            children: definition.children.requests,
        },
        kind: AggregationKind::Composite { sources: shapes },
        typed: "composite",
    })
}

/// A source and how its values are printed and read.
struct Source {
    source: TupleSource,
    shape: TupleShape,
    reader: KeyReader,
}

/// How a value of `after` is read.
enum KeyReader {
    Text,
    Integer,
    Boolean,
    Decimal,
    /// Milliseconds, or in a format.
    Time(DateReader),
    /// A date as a term, in nanoseconds perhaps.
    Date(DateReader, i64),
}

fn read_sources(
    context: &Context<'_>,
    definition: &Definition<'_>,
    value: &Value,
) -> Result<Vec<Source>, ElasticError> {
    let mut sources: Vec<Source> = Vec::new();
    for entry in read::one_or_many(value) {
        let entries = entry
            .as_object()
            .ok_or_else(|| definition.wrong_kind("sources", entry))?;
        for (name, value) in entries {
            if sources.iter().any(|source| source.shape.name == *name) {
                return Err(ElasticError::illegal_argument(format!(
                    "Composite source names must be unique, found duplicates: [{name}]"
                )));
            }
            sources.push(read_source(context, name, value)?);
        }
    }
    Ok(sources)
}

/// Whether an order is told to go down.
fn is_descending(order: &str) -> Result<bool, ElasticError> {
    match order.to_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        other => Err(ElasticError::illegal_argument(format!(
            "Unknown SortOrder [{other}]"
        ))),
    }
}

/// Where rows without a value come unless the request says otherwise: they are the least of all.
fn default_place(descending: bool) -> MissingPlace {
    match descending {
        true => MissingPlace::Last,
        false => MissingPlace::First,
    }
}

fn check_missing(
    name: &str,
    type_name: &str,
    by: &TupleBy,
    (missing, said): (Option<MissingPlace>, Option<MissingPlace>),
) -> Result<(), ElasticError> {
    if missing.is_none() && said.is_some() {
        return Err(ElasticError::illegal_argument(format!(
            "[missing_order] is not supported if [missing_bucket] is false: [{name}]"
        )));
    }
    if missing.is_some() && !matches!(by, TupleBy::Terms(_)) {
        let what = format!("[missing_bucket] of [{type_name}] in [composite]");
        return Err(ElasticError::unsupported(what));
    }
    Ok(())
}

/// Where rows without a value come; by default where the order begins.
fn missing_order(order: &str) -> Result<Option<MissingPlace>, ElasticError> {
    match order.to_lowercase().as_str() {
        "first" => Ok(Some(MissingPlace::First)),
        "last" => Ok(Some(MissingPlace::Last)),
        "default" => Ok(None),
        other => Err(ElasticError::illegal_argument(format!(
            "Unknown MissingOrder [{other}]"
        ))),
    }
}

fn read_source(context: &Context<'_>, name: &str, value: &Value) -> Result<Source, ElasticError> {
    let wrong = || ElasticError::parsing("Expected [START_OBJECT] under [sources]").at_value(name);
    let (type_name, body) = value
        .as_object()
        .and_then(|entries| entries.iter().next())
        .ok_or_else(wrong)?;
    let body = body.as_object().ok_or_else(wrong)?;
    let mut own = Map::new();
    let mut descending = false;
    let (mut has_missing, mut missing_last) = (false, None);
    for (key, value) in body {
        match key.as_str() {
            "order" => descending = is_descending(&read::text(value, key)?)?,
            "missing_bucket" => has_missing = read::flag(value, key)?,
            "missing_order" => missing_last = missing_order(&read::text(value, key)?)?,
            "value_type" => {}
            _own => {
                own.insert(key.clone(), value.clone());
            }
        }
    }
    let definition = Definition {
        name,
        type_name,
        body: &own,
        children: ParsedAggregations::default(),
        siblings: None,
        interval: None,
    };
    let (by, text, reader) = match type_name.as_str() {
        "terms" => terms_source(context, &definition)?,
        "date_histogram" => date_source(context, definition)?,
        "histogram" => {
            let parsed = histogram::parse(context, definition)?;
            let Aggregation::Bucket {
                by: BucketBy::NumberHistogram(by),
                ..
            } = parsed.aggregation
            else {
                unreachable!("a histogram was read")
            };
            (TupleBy::NumberHistogram(by), None, KeyReader::Decimal)
        }
        unknown => {
            return Err(ElasticError::parsing(format!(
                "Unknown key for a START_OBJECT in [{name}]: [{unknown}]"
            ))
            .at_value(unknown));
        }
    };
    let missing = has_missing.then(|| missing_last.unwrap_or(default_place(descending)));
    check_missing(name, type_name, &by, (missing, missing_last))?;
    Ok(Source {
        source: TupleSource {
            by,
            descending,
            missing,
        },
        shape: TupleShape {
            name: name.into(),
            text,
        },
        reader,
    })
}

type SourceParts = (TupleBy, Option<ValueText>, KeyReader);

fn date_source(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<SourceParts, ElasticError> {
    let has_format = definition.body.contains_key("format");
    let parsed = date_histogram::parse(context, definition)?;
    let (
        Aggregation::Bucket {
            by: BucketBy::DateHistogram(by),
            ..
        },
        AggregationKind::DateHistogram { format, zone, .. },
    ) = (parsed.aggregation, parsed.kind)
    else {
        unreachable!("a date histogram was read")
    };
    let reader = DateReader {
        format: format.clone(),
        zone: zone.clone(),
        now_ms: context.now_ms,
    };
    let text = has_format.then_some(ValueText::Date {
        format,
        zone,
        is_nanos: false,
    });
    Ok((TupleBy::DateHistogram(by), text, KeyReader::Time(reader)))
}

fn terms_source(
    context: &Context<'_>,
    definition: &Definition<'_>,
) -> Result<SourceParts, ElasticError> {
    let mut format = None;
    for (key, value) in definition.body {
        match key.as_str() {
            "field" | "script" => {}
            "format" if !value.is_null() => format = Some(read::text(value, key)?),
            "format" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let field = definition.field(context)?;
    let Some(field) = field else {
        return Ok((
            TupleBy::Terms(plain_terms(None, None)),
            None,
            KeyReader::Text,
        ));
    };
    if field.field_type() == FieldType::Text {
        return Err(unsupported_field(context, &field, "composite"));
    }
    let text = value_text(context, &field, format.as_deref(), &TimeZone::UTC)?;
    let reader = match field.field_type() {
        FieldType::Keyword | FieldType::Text | FieldType::Ip => KeyReader::Text,
        FieldType::Boolean => KeyReader::Boolean,
        FieldType::Double | FieldType::Float | FieldType::HalfFloat => KeyReader::Decimal,
        FieldType::Long | FieldType::Integer | FieldType::Short | FieldType::Byte => {
            KeyReader::Integer
        }
        FieldType::Date | FieldType::DateNanos => {
            let own = format.as_deref().or(field.field.format.as_deref());
            let reader = DateReader {
                format: parse_format(own).map_err(|error| context.fail(error))?,
                zone: TimeZone::UTC,
                now_ms: context.now_ms,
            };
            let unit = match field.field_type() {
                FieldType::DateNanos => 1_000_000,
                _milliseconds => 1,
            };
            KeyReader::Date(reader, unit)
        }
    };
    // Without a format of its own a date is its milliseconds.
    let text = match text {
        Some(ValueText::Date { .. }) if format.is_none() => None,
        text => text,
    };
    let by = TupleBy::Terms(plain_terms(Some(field.place), None));
    Ok((by, text, reader))
}

fn plain_terms(field: Option<query::request::FieldRef>, missing: Option<TermValue>) -> Terms {
    Terms {
        field,
        size: usize::MAX,
        doc_count_min: 1,
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing,
        include: None,
        exclude: None,
        order: Vec::new(),
    }
}

/// The key behind which the page starts.
fn after_key(
    context: &Context<'_>,
    sources: &[Source],
    after: &Map<String, Value>,
) -> Result<Vec<BucketKey>, ElasticError> {
    let missing = sources
        .iter()
        .find(|source| !after.contains_key(&source.shape.name));
    if let Some(missing) = missing {
        let reason = format!("Missing value for [after.{}]", missing.shape.name);
        return Err(context.fail(ElasticError::illegal_argument(reason)));
    }
    if after.len() != sources.len() {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "[after] has {} value(s) but [sources] has {}",
            after.len(),
            sources.len()
        ))));
    }
    let key = |source: &Source| {
        let value = &after[&source.shape.name];
        source.reader.read(context, value)
    };
    sources.iter().map(key).collect()
}

impl KeyReader {
    fn read(&self, context: &Context<'_>, value: &Value) -> Result<BucketKey, ElasticError> {
        if value.is_null() {
            return Ok(BucketKey::None);
        }
        let text = read::text(value, "after")?;
        let number = || decimal(&text).ok_or_else(|| context.fail(read::number_format(&text)));
        let ms = |reader: &DateReader| match value.as_i64() {
            Some(ms) => Ok(ms),
            None => missing_ms(reader, value).map_err(|error| context.fail(error)),
        };
        Ok(match self {
            Self::Text => BucketKey::Text(text.as_bytes().into()),
            Self::Integer => {
                let number = number()?;
                match number.exponent {
                    0 => BucketKey::Integer(number.mantissa),
                    _ => BucketKey::Decimal(number),
                }
            }
            Self::Boolean => BucketKey::Integer(i64::from(text == "true")),
            Self::Decimal => BucketKey::Decimal(number()?),
            Self::Time(reader) => BucketKey::Time(ms(reader)?),
            Self::Date(reader, unit) => BucketKey::Integer(ms(reader)?.saturating_mul(*unit)),
        })
    }
}

/// `multi_terms`: the most frequent tuples of terms.
pub(super) fn parse_multi_terms(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let mut size = SIZE_DEFAULT;
    let mut doc_count_min = 1;
    let mut written_order = None;
    let mut show_error = false;
    let mut sources = Vec::new();
    for (key, value) in definition.body {
        match key.as_str() {
            "size" => size = read::count(value, key)?,
            "min_doc_count" => doc_count_min = read::count(value, key)? as u64,
            "order" => written_order = Some(value),
            "show_term_doc_count_error" => show_error = read::flag(value, key)?,
            "terms" => {
                for term in read::one_or_many(value) {
                    sources.push(term_source(context, &definition, term)?);
                }
            }
            "shard_size" | "shard_min_doc_count" | "collect_mode" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    if size == 0 {
        return Err(ElasticError::illegal_argument(format!(
            "[size] must be greater than 0. Found [0] in [{}]",
            definition.name
        )));
    }
    if !(2..=SOURCES_MAX).contains(&sources.len()) {
        return Err(ElasticError::illegal_argument(format!(
            "multi term aggregation must has at least 2 terms. Found [{}] in [{}]. Use terms \
             aggregation for single term aggregation",
            sources.len(),
            definition.name
        )));
    }
    let mut order = match written_order {
        Some(value) => order::parse(context, value, &definition)?,
        None => Vec::new(),
    };
    if order.is_empty() {
        order.push(Order {
            by: OrderBy::Count,
            descending: true,
        });
    }
    let (shapes, sources): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let tuples = Tuples {
        sources,
        size,
        doc_count_min: doc_count_min.max(1),
        after: None,
        order,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Tuples(tuples),
            children: definition.children.requests,
        },
        kind: AggregationKind::MultiTerms {
            sources: shapes,
            show_error,
        },
        typed: "multi_terms",
    })
}

fn term_source(
    context: &Context<'_>,
    definition: &Definition<'_>,
    value: &Value,
) -> Result<(TupleShape, TupleSource), ElasticError> {
    let body = value
        .as_object()
        .ok_or_else(|| definition.wrong_kind("terms", value))?;
    let (mut format, mut missing) = (None, None);
    for (key, value) in body {
        match key.as_str() {
            "field" | "script" | "value_type" | "time_zone" => {}
            "format" if !value.is_null() => format = Some(read::text(value, key)?),
            "missing" if !value.is_null() => missing = Some(value),
            "format" | "missing" => {}
            unknown => return Err(definition.unknown(unknown)),
        }
    }
    let own = Definition {
        name: definition.name,
        type_name: definition.type_name,
        body,
        children: ParsedAggregations::default(),
        siblings: None,
        interval: None,
    };
    let field = own.field(context)?;
    let mut text = None;
    if let Some(field) = &field {
        if field.field_type() == FieldType::Text {
            return Err(unsupported_field(context, field, "multi_terms"));
        }
        text = value_text(context, field, format.as_deref(), &TimeZone::UTC)?;
    }
    let missing = match (&field, missing) {
        (_, None) => None,
        (Some(field), Some(value)) => Some(term_value(context, field, value, format.as_deref())?),
        (None, Some(value)) => Some(super::terms::missing_of_nothing(value)?),
    };
    let by = TupleBy::Terms(plain_terms(field.map(|field| field.place), missing));
    let shape = TupleShape {
        name: String::new(),
        text,
    };
    let source = TupleSource {
        by,
        descending: false,
        missing: None,
    };
    Ok((shape, source))
}
