//! `terms`: buckets by distinct value.

use query::request::{
    Aggregation, BucketBy, Order, OrderBy, TermPartition, TermSelection, TermValue, Terms,
};
use query::text::Analyzer;
use serde_json::Value;
use storage::model::{ColumnKind, FieldType};

use super::{Definition, Parsed, order, unsupported_field, value_text};
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::date_math::{DateReader, parse_format};
use crate::elastic::filter::{analyzer_of, regexp_pattern};
use crate::elastic::read;
use crate::elastic::shape::{AggregationKind, ValueText};
use crate::elastic::values::{decimal, missing_ms, term_value};

/// Buckets returned unless the request says otherwise.
const SIZE_DEFAULT: usize = 10;

/// Terms of more rows than this are not rare unless the request says otherwise.
const RARE_COUNT_DEFAULT: u64 = 1;

/// Terms of more rows are never rare.
const RARE_COUNT_MAX: u64 = 100;

/// `max_doc_count` of rare terms.
fn rare_count(definition: &Definition<'_>, value: &Value) -> Result<u64, ElasticError> {
    let count = read::integer(value, "max_doc_count")?;
    match u64::try_from(count) {
        Ok(count @ 1..=RARE_COUNT_MAX) => Ok(count),
        Ok(count) if count > RARE_COUNT_MAX => Err(ElasticError::illegal_argument(format!(
            "[max_doc_count] must be smaller than {RARE_COUNT_MAX}in [{}]",
            definition.name
        ))),
        _ => Err(ElasticError::illegal_argument(format!(
            "[max_doc_count] must be greater than 0. Found [{count}] in [{}]",
            definition.name
        ))),
    }
}

/// Parameters as they were written.
struct Written<'v> {
    size: usize,
    shard_size: Option<usize>,
    doc_count_min: u64,
    format: Option<String>,
    missing: Option<&'v Value>,
    include: Option<&'v Value>,
    exclude: Option<&'v Value>,
    order: Option<&'v Value>,
    show_error: bool,
    doc_count_max: u64,
    value_type: Option<String>,
}

impl<'v> Written<'v> {
    fn read(definition: &Definition<'v>) -> Result<Self, ElasticError> {
        let mut written = Self {
            size: SIZE_DEFAULT,
            shard_size: None,
            doc_count_min: 1,
            format: None,
            missing: None,
            include: None,
            exclude: None,
            order: None,
            show_error: false,
            doc_count_max: u64::MAX,
            value_type: None,
        };
        let is_rare = definition.type_name == "rare_terms";
        if is_rare {
            written.size = usize::MAX;
            written.doc_count_max = RARE_COUNT_DEFAULT;
        }
        for (key, value) in definition.body {
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "max_doc_count" if is_rare => {
                    written.doc_count_max = rare_count(definition, value)?;
                }
                "precision" if is_rare => _ = read::float(value, key)?,
                "include" | "exclude" | "missing" | "field" | "format" | "value_type"
                    if is_rare =>
                {
                    written.shared(key, value)?;
                }
                unknown if is_rare => return Err(definition.unknown(unknown)),
                "size" => written.size = read::count(value, key)?,
                "shard_size" => written.shard_size = shard_size(value)?,
                "min_doc_count" => written.doc_count_min = read::count(value, key)? as u64,
                "format" | "missing" | "include" | "exclude" => written.shared(key, value)?,
                "order" => written.order = Some(value),
                "show_term_doc_count_error" => written.show_error = read::flag(value, key)?,
                "field" | "script" => {}
                // They tell a cluster how to go about it, and answers here are exact.
                "shard_min_doc_count" | "collect_mode" | "execution_hint" => {}
                "value_type" => written.value_type = Some(read::text(value, key)?),
                unknown => return Err(definition.unknown(unknown)),
            }
        }
        if written.size == 0 {
            return Err(ElasticError::illegal_argument(format!(
                "[size] must be greater than 0. Found [0] in [{}]",
                definition.name
            )));
        }
        written.check_selections(definition)?;
        Ok(written)
    }

    /// Parameters that rare terms have, too.
    fn shared(&mut self, key: &str, value: &'v Value) -> Result<(), ElasticError> {
        match key {
            "format" => self.format = Some(read::text(value, key)?),
            "missing" => self.missing = Some(value),
            "include" => self.include = Some(value),
            "exclude" => self.exclude = Some(value),
            _others => {}
        }
        Ok(())
    }

    /// How many terms a shard of Elasticsearch hands over at most.
    fn shard_terms(&self) -> usize {
        let suggested = self.size.saturating_add(self.size / 2).saturating_add(10);
        self.shard_size.unwrap_or(suggested).max(self.size)
    }

    fn check_selections(&self, definition: &Definition<'_>) -> Result<(), ElasticError> {
        let (Some(include), Some(exclude)) = (self.include, self.exclude) else {
            return Ok(());
        };
        let mixed = match (include, exclude) {
            (Value::String(_), Value::Array(_)) => "a regex-based include with a set-based method",
            (Value::Array(_), Value::String(_)) => "a set-based include with a regex-based method",
            _same_kind => return Ok(()),
        };
        let cause = ElasticError::illegal_argument(format!("Cannot mix {mixed}"));
        Err(definition.wrong("exclude", cause))
    }
}

/// Reads a terms aggregation.
pub(super) fn parse(
    context: &Context<'_>,
    definition: Definition<'_>,
) -> Result<Parsed, ElasticError> {
    let written = Written::read(&definition)?;
    let is_index = definition.body.get("field").and_then(Value::as_str) == Some("_index");
    let mut field = definition.field(context)?;
    let words = field
        .as_mut()
        .and_then(|field| take_words(field, definition.type_name));
    let selection = |value| selection(context, &definition, field.as_ref(), value, &written);
    let include = written.include.map(|value| selection(("include", value)));
    let include = include.transpose()?.flatten();
    let exclude = written.exclude.map(|value| selection(("exclude", value)));
    let exclude = exclude.transpose()?.flatten();
    let mut missing = None;
    let mut text = None;
    let mut typed = "umterms";
    if let Some(field) = &field {
        if field.field_type() == FieldType::Text {
            return Err(unsupported_field(context, field, "terms"));
        }
        if let Some(value) = written.missing {
            missing = Some(term_value(
                context,
                field,
                value,
                written.format.as_deref(),
            )?);
        }
        text = value_text(
            context,
            field,
            written.format.as_deref(),
            &jiff::tz::TimeZone::UTC,
        )?;
        typed = match field.field_type().column_kind() {
            _any if field.type_name() == "unsigned_long" => "ulterms",
            ColumnKind::Text => "sterms",
            ColumnKind::Integer => "lterms",
            ColumnKind::Decimal => "dterms",
        };
    } else if is_index {
        // Every row has the name of its index, and no row has such a field.
        missing = Some(TermValue::Text(context.index.as_bytes().into()));
        typed = "sterms";
    } else if let Some(value) = written.missing {
        let substitute = missing_of_type(context, value, written.value_type.as_deref())?;
        missing = Some(substitute.0);
        text = substitute.1;
    }
    let order = match written.order {
        Some(value) => order::parse(context, value, &definition)?,
        None => Vec::new(),
    };
    let unmapped = field.is_none() && !is_index;
    let is_rare = definition.type_name == "rare_terms";
    let order = match is_rare {
        true => rarest_first(),
        false => with_default(order),
    };
    let error_unknown_from = (!is_error_known(&order)).then(|| written.shard_terms());
    let terms = Terms {
        field: field.map(|field| field.place),
        size: written.size,
        doc_count_min: written.doc_count_min,
        doc_count_max: written.doc_count_max,
        cells: None,
        words,
        missing,
        include,
        exclude,
        order,
    };
    Ok(Parsed {
        aggregation: Aggregation::Bucket {
            by: BucketBy::Terms(terms),
            children: definition.children.requests,
        },
        kind: AggregationKind::Terms {
            text,
            show_error: written.show_error,
            error_unknown_from,
            unmapped,
            is_rare,
        },
        typed: if is_rare { rare_type(typed) } else { typed },
    })
}

/// How the words of a full text are found, where they are its terms.
fn take_words(field: &mut NamedField<'_>, type_name: &str) -> Option<Analyzer> {
    let takes = match type_name {
        "significant_terms" => field.field.has_whole_texts(),
        "significant_text" => field.field.field_type == FieldType::Text,
        // Elsewhere such a text is a term as a whole.
        _plain => false,
    };
    if !takes {
        return None;
    }
    let words = analyzer_of(field);
    field.place.field_type = FieldType::Keyword;
    Some(words)
}

fn rarest_first() -> Vec<Order> {
    vec![Order {
        by: OrderBy::Count,
        descending: false,
    }]
}

/// The type of rare terms in typed keys.
fn rare_type(typed: &str) -> &'static str {
    match typed {
        "sterms" => "srareterms",
        "lterms" => "lrareterms",
        _unmapped => "umrareterms",
    }
}

/// `shard_size`: -1 stands for the default.
fn shard_size(value: &Value) -> Result<Option<usize>, ElasticError> {
    match read::integer(value, "shard_size")? {
        -1 => Ok(None),
        number => match usize::try_from(number) {
            Ok(size) if size > 0 => Ok(Some(size)),
            _ => Err(ElasticError::illegal_argument(format!(
                "[shardSize] must be greater than 0. Found [{number}]"
            ))),
        },
    }
}

/// Whether Elasticsearch knows how wrong its counts may be: the largest counts and the first keys
/// are the same on each shard as on all, the smallest counts and metrics are not.
fn is_error_known(order: &[Order]) -> bool {
    match order.first() {
        None => true,
        Some(Order { by, descending }) => match by {
            OrderBy::Key => true,
            OrderBy::Count => *descending,
            OrderBy::Metric { .. } => false,
        },
    }
}

/// Largest first, when nothing was said.
fn with_default(order: Vec<Order>) -> Vec<Order> {
    if order.is_empty() {
        return vec![Order {
            by: OrderBy::Count,
            descending: true,
        }];
    }
    order
}

/// A value for rows that have no such field at all: its own kind decides.
pub(super) fn missing_of_nothing(value: &Value) -> Result<TermValue, ElasticError> {
    match value.as_i64() {
        Some(number) => Ok(TermValue::Integer(number)),
        None => Ok(TermValue::Text(
            read::text(value, "missing")?.into_bytes().into(),
        )),
    }
}

/// A value for rows that have no such field at all, of the type that the request names, and how it
/// is printed.
fn missing_of_type(
    context: &Context<'_>,
    value: &Value,
    value_type: Option<&str>,
) -> Result<(TermValue, Option<ValueText>), ElasticError> {
    let number = || {
        let text = read::text(value, "missing")?;
        decimal(&text).ok_or_else(|| context.fail(read::number_format(&text)))
    };
    Ok(match value_type {
        Some("boolean") => {
            let flag = read::flag(value, "missing")?;
            (TermValue::Integer(flag.into()), Some(ValueText::Boolean))
        }
        Some("date") => {
            let reader = DateReader {
                format: parse_format(None)?,
                zone: jiff::tz::TimeZone::UTC,
                now_ms: context.now_ms,
            };
            let ms = missing_ms(&reader, value).map_err(|error| context.fail(error))?;
            let text = ValueText::Date {
                format: reader.format,
                zone: reader.zone,
                is_nanos: false,
            };
            (TermValue::Integer(ms), Some(text))
        }
        Some("double" | "float" | "number" | "numeric") => {
            (TermValue::Decimal(number()?.normalized()), None)
        }
        Some("long" | "integer" | "short" | "byte") => {
            (TermValue::Integer(read::integer(value, "missing")?), None)
        }
        Some("string" | "ip" | "keyword") => {
            let text = read::text(value, "missing")?;
            (TermValue::Text(text.into_bytes().into()), None)
        }
        Some(_) | None => (missing_of_nothing(value)?, None),
    })
}

/// One part of all terms: `{"partition": 0, "num_partitions": 20}`.
fn partition(part: &serde_json::Map<String, Value>) -> Result<TermPartition, ElasticError> {
    let number = |key: &str| {
        let value = part.get(key).ok_or_else(|| {
            ElasticError::illegal_argument(format!(
                "Missing [{key}] parameter for partition-based include"
            ))
        })?;
        let number = read::count(value, key)?;
        u32::try_from(number).map_err(|_| read::wrong(value, key))
    };
    let unknown = part
        .keys()
        .find(|key| !matches!(key.as_str(), "partition" | "num_partitions"));
    if let Some(unknown) = unknown {
        let reason = format!("Unknown parameter in Include/Exclude clause: {unknown}");
        return Err(ElasticError::parsing(reason));
    }
    let (number, count) = (number("partition")?, number("num_partitions")?);
    if number >= count {
        return Err(ElasticError::illegal_argument(format!(
            "Partition must be >=0 and < numPartition which is {count}"
        )));
    }
    Ok(TermPartition { number, count })
}

/// `include` or `exclude`: a regular expression, a list of values, or one part of several. `None`
/// chooses everything.
fn selection(
    context: &Context<'_>,
    definition: &Definition<'_>,
    field: Option<&NamedField<'_>>,
    (key, value): (&str, &Value),
    written: &Written<'_>,
) -> Result<Option<TermSelection>, ElasticError> {
    match value {
        Value::Array(values) => {
            let value = |value: &Value| match field {
                Some(field) => term_value(context, field, value, written.format.as_deref()),
                None => missing_of_nothing(value),
            };
            let is_text =
                |field: &NamedField<'_>| field.field_type().column_kind() == ColumnKind::Text;
            // Elasticsearch takes an empty list of numbers for none at all.
            if values.is_empty() && !field.is_none_or(is_text) {
                return Ok(None);
            }
            let values = values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            Ok(Some(TermSelection::Values(values)))
        }
        Value::Object(part) if key == "include" => {
            let part = partition(part)?;
            // The only part is everything.
            Ok((part.count > 1).then_some(TermSelection::Partition(part)))
        }
        Value::String(regex) => {
            let is_string = field.is_none_or(|field| field.field_type() == FieldType::Keyword);
            if !is_string {
                let reason = format!(
                    "Aggregation [{}] cannot support regular expression style include/exclude \
                     settings as they can only be applied to string fields. Use an array of values \
                     for include/exclude clauses",
                    definition.name
                );
                // Elasticsearch calls it a fault of its own where addresses are asked.
                let is_address = field.is_some_and(|field| field.field_type() == FieldType::Ip);
                return Err(context.fail(match is_address {
                    true => ElasticError::new(500, "aggregation_execution_exception", reason),
                    false => ElasticError::illegal_argument(reason),
                }));
            }
            Ok(Some(TermSelection::Pattern(regexp_pattern(
                context, regex, false,
            )?)))
        }
        other => Err(definition.wrong_kind(key, other)),
    }
}
