//! What a search says about its hits: order, document, fields.

use jiff::tz::TimeZone;
use query::request::{SortBy, SortKey};
use serde_json::{Map, Value};
use storage::model::{ColumnKind, FieldType};

use super::aggregation::{text_field, value_text};
use super::context::{Context, NamedField};
use super::read;
use super::shape::{FieldShape, HitShape, SortKind, SortShape, SourceShape};
use super::{ElasticError, SearchParams};

/// Most criteria of an order.
const SORT_KEYS_MAX: usize = 64;

/// Most fields that one request may ask for.
const FIELDS_MAX: usize = 1_024;

/// How hits are printed and ordered.
///
/// # Errors
/// On an order by something that is no field, and on options that do not fit.
pub(super) fn parse(
    context: &Context<'_>,
    body: &Map<String, Value>,
    params: &SearchParams,
) -> Result<(HitShape, Vec<SortKey>), ElasticError> {
    let mut shape = HitShape {
        source: source(body, params)?,
        version: option(body, "version")?,
        sequence_number: option(body, "seq_no_primary_term")?,
        ..HitShape::default()
    };
    if let Some(stored) = body.get("stored_fields") {
        let names = read::one_or_many(stored);
        shape.without_id = names.iter().any(|name| name == "_none_");
        let wants_source = names.iter().any(|name| name == "_source" || name == "*");
        // Asking for stored fields leaves the document out unless it is asked for too.
        if !wants_source && !body.contains_key("_source") {
            shape.source = SourceShape::None;
        }
    }
    for key in ["docvalue_fields", "fields"] {
        if let Some(wanted) = body.get(key) {
            fields(context, key, wanted, &mut shape.fields)?;
        }
    }
    let mut sort = Sorting::default();
    match (&params.sort, body.get("sort")) {
        (Some(text), _) => sort.url(context, text)?,
        (None, Some(value)) => sort.criteria(context, value)?,
        (None, None) => {}
    }
    sort.without_score_alone();
    shape.sort = sort.shapes;
    Ok((shape, sort.keys))
}

fn option(body: &Map<String, Value>, key: &str) -> Result<bool, ElasticError> {
    body.get(key)
        .map_or(Ok(false), |value| read::flag(value, key))
}

/// `_source` of the body, or the parameters of the URL, which win.
pub(super) fn source(
    body: &Map<String, Value>,
    params: &SearchParams,
) -> Result<SourceShape, ElasticError> {
    let list = |text: &Option<String>| -> Vec<Vec<String>> {
        text.iter()
            .flat_map(|text| text.split(','))
            .map(path)
            .collect()
    };
    let includes = list(&params.source_includes);
    let excludes = list(&params.source_excludes);
    if !includes.is_empty() || !excludes.is_empty() {
        return Ok(SourceShape::Parts { includes, excludes });
    }
    match (params.source.as_deref(), body.get("_source")) {
        (Some("true"), _) => Ok(SourceShape::Whole),
        (Some("false"), _) => Ok(SourceShape::None),
        (Some(_), _) => Ok(SourceShape::Parts {
            includes: list(&params.source),
            excludes: Vec::new(),
        }),
        (None, Some(value)) => source_value(value),
        (None, None) => Ok(SourceShape::Whole),
    }
}

fn source_value(value: &Value) -> Result<SourceShape, ElasticError> {
    match value {
        Value::Bool(true) | Value::Null => Ok(SourceShape::Whole),
        Value::Bool(false) => Ok(SourceShape::None),
        Value::String(_) | Value::Array(_) => Ok(SourceShape::Parts {
            includes: paths(value, "_source")?,
            excludes: Vec::new(),
        }),
        Value::Object(entries) => {
            let (mut includes, mut excludes) = (Vec::new(), Vec::new());
            for (key, value) in entries {
                match key.as_str() {
                    "includes" | "include" => includes = paths(value, key)?,
                    "excludes" | "exclude" => excludes = paths(value, key)?,
                    unknown => {
                        return Err(ElasticError::parsing(format!(
                            "Unknown key for a {} in [{unknown}].",
                            read::token_name(value)
                        ))
                        .at_value(unknown));
                    }
                }
            }
            Ok(SourceShape::Parts { includes, excludes })
        }
        Value::Number(_) => Err(read::wrong(value, "_source")),
    }
}

fn paths(value: &Value, key: &str) -> Result<Vec<Vec<String>>, ElasticError> {
    read::one_or_many(value)
        .iter()
        .map(|value| Ok(path(&read::text(value, key)?)))
        .collect()
}

fn path(text: &str) -> Vec<String> {
    text.trim().split('.').map(str::to_owned).collect()
}

/// `fields` and `docvalue_fields`: names, wildcards, objects with a format. A later entry for the
/// same field wins.
fn fields(
    context: &Context<'_>,
    key: &str,
    wanted: &Value,
    shapes: &mut Vec<FieldShape>,
) -> Result<(), ElasticError> {
    for entry in read::one_or_many(wanted) {
        let (pattern, format) = match entry {
            Value::Object(entry) => {
                let name = entry.get("field").ok_or_else(|| {
                    ElasticError::content(format!("[{key}] requires [field]")).at_key(key)
                })?;
                let format = entry.get("format").filter(|format| !format.is_null());
                let format = format
                    .map(|format| read::text(format, "format"))
                    .transpose()?;
                (read::text(name, "field")?, format)
            }
            plain => (read::text(plain, key)?, None),
        };
        for field in context.fields(&pattern)? {
            let shape = field_shape(context, &field, format.as_deref())?;
            match shapes.iter_mut().find(|known| known.path == shape.path) {
                Some(known) => *known = shape,
                None => shapes.push(shape),
            }
        }
        if shapes.len() > FIELDS_MAX {
            return Err(context.fail(ElasticError::illegal_argument(format!(
                "a request may ask for at most [{FIELDS_MAX}] fields"
            ))));
        }
    }
    Ok(())
}

fn field_shape(
    context: &Context<'_>,
    field: &NamedField<'_>,
    format: Option<&str>,
) -> Result<FieldShape, ElasticError> {
    let text = match field.field_type() {
        // Flags are shown as themselves.
        FieldType::Boolean => None,
        _other => value_text(context, field, format, &TimeZone::UTC)?,
    };
    Ok(FieldShape {
        path: field.path.clone(),
        source_path: path(&field.place.column),
        field: field.field.clone(),
        text,
    })
}

/// Criteria while they are read.
#[derive(Default)]
struct Sorting {
    keys: Vec<SortKey>,
    shapes: Vec<SortShape>,
}

/// What a criterion says beside its field.
struct SortOptions {
    descending: bool,
    missing_first: Option<bool>,
    unmapped: bool,
    format: Option<String>,
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
        let options = sort_options(name, options)?;
        let missing_first = options.missing_first.unwrap_or(false);
        let mut shape = SortShape {
            kind: SortKind::Row,
            descending: options.descending,
            missing_first,
            text: None,
        };
        let by = match name {
            "_doc" | "_shard_doc" => SortBy::Row,
            "_score" => {
                shape.kind = SortKind::Score;
                self.shapes.push(shape);
                return Ok(());
            }
            name => {
                let field = sort_field(context, name, &options)?;
                if let (Some(field), Some(format)) = (&field, options.format.as_deref()) {
                    shape.text = value_text(context, field, Some(format), &TimeZone::UTC)?;
                }
                shape.kind = sort_kind(field.as_ref());
                SortBy::Field(field.map(|field| field.place))
            }
        };
        self.keys.push(SortKey {
            by,
            descending: options.descending,
            missing_first,
        });
        self.shapes.push(shape);
        Ok(())
    }

    /// An order by score alone is no order: every hit scores the same.
    fn without_score_alone(&mut self) {
        if self.keys.is_empty() {
            self.shapes.clear();
        }
    }
}

fn sort_field<'a>(
    context: &Context<'a>,
    name: &str,
    options: &SortOptions,
) -> Result<Option<NamedField<'a>>, ElasticError> {
    match context.whole_field(name) {
        Some(field) if field.field_type() == FieldType::Text => Err(text_field(context, name)),
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

fn sort_options(name: &str, value: Option<&Value>) -> Result<SortOptions, ElasticError> {
    let mut options = SortOptions {
        descending: name == "_score",
        missing_first: None,
        unmapped: false,
        format: None,
    };
    match value {
        None => {}
        Some(Value::Object(entries)) => {
            let mut mode = None;
            for (key, value) in entries {
                match key.as_str() {
                    "order" => options.descending = is_descending(value)?,
                    "missing" => options.missing_first = missing_first(value)?,
                    "unmapped_type" => options.unmapped = !value.is_null(),
                    "format" => options.format = Some(read::text(value, key)?),
                    "mode" => mode = Some(read::text(value, key)?),
                    "numeric_type" | "nested" | "nested_path" | "nested_filter" => {
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
            check_mode(mode.as_deref(), options.descending)?;
        }
        Some(direction) => options.descending = is_descending(direction)?,
    }
    Ok(options)
}

/// The smallest of several values ascending and the largest descending is what happens anyway.
fn check_mode(mode: Option<&str>, descending: bool) -> Result<(), ElasticError> {
    match (mode, descending) {
        (None, _) | (Some("min"), false) | (Some("max"), true) => Ok(()),
        (Some(other), _) => Err(ElasticError::unsupported(format!(
            "[mode] [{other}] of [sort]"
        ))),
    }
}

fn is_descending(value: &Value) -> Result<bool, ElasticError> {
    match read::text(value, "order")?.to_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        other => Err(ElasticError::illegal_argument(format!(
            "Unknown SortOrder [{other}]"
        ))),
    }
}

fn missing_first(value: &Value) -> Result<Option<bool>, ElasticError> {
    match value.as_str() {
        Some("_first") => Ok(Some(true)),
        Some("_last") => Ok(Some(false)),
        Some(_) | None => Err(ElasticError::unsupported("a value for [missing] of [sort]")),
    }
}
