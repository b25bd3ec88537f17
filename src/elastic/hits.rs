//! What a search says about its hits: order, document, fields.

use jiff::tz::TimeZone;
use query::request::{After, HitPlace, SortBy, SortKey};
use query::response::SortValue;
use serde_json::{Map, Value};
use storage::model::{ColumnKind, FieldType};

use super::aggregation::{text_field, value_text};
use super::context::{Context, NamedField};
use super::read;
use super::shape::{FieldShape, HitShape, SortKind, SortShape, SourceShape, ValueText};
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
        version: option(body, "version")? || params.versions,
        sequence_number: option(body, "seq_no_primary_term")? || params.sequence_numbers,
        ..HitShape::default()
    };
    let list = |text: &String| text.split(',').map(Value::from).collect::<Value>();
    let stored = params.stored_fields.as_ref().map(list);
    if let Some(stored) = stored.as_ref().or_else(|| body.get("stored_fields")) {
        let names = read::one_or_many(stored);
        shape.without_id = names.iter().any(|name| name == "_none_");
        let wants_source = names.iter().any(|name| name == "_source");
        // Asking for stored fields leaves the document out unless it is asked for too.
        if !wants_source && !body.contains_key("_source") {
            shape.source = SourceShape::None;
        }
    }
    if let Some(wanted) = params.docvalue_fields.as_ref().map(list) {
        fields(context, "docvalue_fields", &wanted, &mut shape.fields)?;
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
    if params.tie_break && !sort.keys.iter().any(|key| matches!(key.by, SortBy::Row)) {
        sort.criterion(context, "_shard_doc", None)?;
    }
    shape.sort = sort.shapes;
    Ok((shape, sort.keys))
}

/// Where `search_after` says that hits go on.
///
/// # Errors
/// When there is no order, and when its values are too many, too few or of another kind.
pub(super) fn after(
    context: &Context<'_>,
    shape: &HitShape,
    keys: &[SortKey],
    after: &Value,
) -> Result<After, ElasticError> {
    let values = after
        .as_array()
        .ok_or_else(|| read::wrong(after, "search_after"))?;
    let fail = |reason: String| context.fail(ElasticError::illegal_argument(reason));
    if values.is_empty() {
        return Err(ElasticError::illegal_argument(
            "Values must contains at least one value.",
        ));
    }
    if shape.sort.is_empty() {
        return Err(fail("Sort must contain at least one field.".into()));
    }
    if values.len() != shape.sort.len() {
        return Err(fail(format!(
            "search_after has {} value(s) but sort has {}.",
            values.len(),
            shape.sort.len()
        )));
    }
    let mut sort = Vec::with_capacity(keys.len());
    let mut keys = keys.iter();
    for (shape, value) in shape.sort.iter().zip(values) {
        if shape.kind == SortKind::Score {
            continue;
        }
        let key = keys.next();
        sort.push(after_value(context, shape, key, value)?);
    }
    Ok(After { sort, row: None })
}

fn after_value(
    context: &Context<'_>,
    shape: &SortShape,
    key: Option<&SortKey>,
    value: &Value,
) -> Result<Option<SortValue>, ElasticError> {
    let field = match key.map(|key| &key.by) {
        Some(SortBy::Field(Some(field))) => field.column.as_ref(),
        _ => "_doc",
    };
    let wrong = || {
        let shown = read::shown(value);
        context.fail(ElasticError::illegal_argument(format!(
            "Failed to parse search_after value [{shown}] for field [{field}]."
        )))
    };
    if value.is_null() {
        return Ok(None);
    }
    match shape.kind {
        SortKind::Row => {
            let place = read::integer(value, "search_after").map_err(|_| wrong())?;
            let place = u64::try_from(place).map_err(|_| wrong())?;
            Ok(Some(SortValue::Place(place_of(place))))
        }
        SortKind::Text => match value.as_str() {
            Some(text) => Ok(Some(SortValue::Text(text.as_bytes().into()))),
            None => Err(wrong()),
        },
        SortKind::Decimal => {
            let text = read::text(value, field).map_err(|_| wrong())?;
            if text.ends_with("Infinity") {
                return Ok(None);
            }
            let number = super::values::decimal(&text).ok_or_else(wrong)?;
            Ok(Some(SortValue::Decimal(number)))
        }
        SortKind::Integer | SortKind::Nanos | SortKind::Score => {
            if let Some(number) = value.as_i64() {
                // What a row without a value shows.
                let is_missing = number == i64::MAX || number == i64::MIN;
                return Ok((!is_missing).then_some(SortValue::Integer(number)));
            }
            let text = read::text(value, field).map_err(|_| wrong())?;
            let named = context.whole_field(field).ok_or_else(wrong)?;
            let number = match &shape.text {
                Some(ValueText::Date { format, zone, .. }) => {
                    let reading = format.read(&text, zone).map_err(|_| wrong())?;
                    match shape.kind {
                        SortKind::Nanos => reading.epoch_nanos().ok_or_else(wrong)?,
                        _millis => reading.ms,
                    }
                }
                _ => {
                    let zone = TimeZone::UTC;
                    let number = super::values::number_value(context, &named, value, None, &zone);
                    number.map_err(|_| wrong())?.mantissa
                }
            };
            Ok(Some(SortValue::Integer(number)))
        }
    }
}

/// Offsets stay below 2^40 and partitions below 2^14, so that a row's place fits one number.
const PLACE_OFFSET_BITS: u32 = 40;
const PLACE_PARTITION_BITS: u32 = 14;

/// A row's place as one number.
pub(super) fn number_of_place(place: HitPlace) -> u64 {
    let part = place.part as u64;
    (part << PLACE_PARTITION_BITS | u64::from(place.partition)) << PLACE_OFFSET_BITS | place.offset
}

/// The place that a number says.
fn place_of(number: u64) -> HitPlace {
    let above = number >> PLACE_OFFSET_BITS;
    let partition = above & ((1 << PLACE_PARTITION_BITS) - 1);
    HitPlace {
        part: usize::try_from(above >> PLACE_PARTITION_BITS).unwrap_or(usize::MAX),
        partition: u32::try_from(partition).expect("it has 14 bits"),
        offset: number & ((1 << PLACE_OFFSET_BITS) - 1),
    }
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
                    .transpose()?
                    // What happens without a format, too.
                    .filter(|format| format != "use_field_mapping");
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
