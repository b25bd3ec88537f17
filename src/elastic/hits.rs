//! What a search says about its hits: document, fields, where they go on.

use jiff::tz::TimeZone;
use query::request::{After, HitPlace, SortBy, SortKey};
use query::response::SortValue;
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::aggregation::value_text;
use super::context::{Context, NamedField};
use super::read;
use super::shape::{FieldShape, HitShape, SortKind, SortShape, SourceShape, ValueOrder, ValueText};
use super::{ElasticError, SearchParams, sort};

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
        explain: option(body, "explain")? || params.explain,
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
        for name in names.iter().filter_map(Value::as_str) {
            let stored = context.field(name).filter(|field| {
                let says = field.field.attributes.get("store");
                says.is_some_and(|says| read::shown(says) == "true")
            });
            if let Some(field) = stored {
                let shown = field_shape(context, &field, None, ValueOrder::Document)?;
                shape.fields.push(shown);
            }
        }
    }
    if let Some(wanted) = params.docvalue_fields.as_ref().map(list) {
        fields(context, "docvalue_fields", &wanted, &mut shape.fields)?;
    }
    for key in ["docvalue_fields", "fields"] {
        if let Some(wanted) = body.get(key) {
            if key == "fields" && context.mapping.hides_source {
                return Err(context.fail(ElasticError::illegal_argument(format!(
                    "Unable to retrieve the requested [fields] since _source is disabled in the \
                     mappings for index [{}]",
                    context.index
                ))));
            }
            if key == "docvalue_fields" {
                check_count(context, read::one_or_many(wanted).len())?;
            }
            fields(context, key, wanted, &mut shape.fields)?;
        }
    }
    let (keys, shapes) = sort::parse(context, body, params)?;
    shape.sort = shapes;
    Ok((shape, keys))
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
        SortKind::Score | SortKind::Distance => {
            let number = read::float(value, field).map_err(|_| wrong())?;
            Ok(Some(SortValue::Float(number)))
        }
        SortKind::Integer | SortKind::Nanos => {
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
                    // No field has vectors.
                    "exclude_vectors" => _ = read::flag(value, key)?,
                    unknown => {
                        return Err(ElasticError::parsing(format!(
                            "Unknown key for a {} in [{unknown}].",
                            read::token_name(value)
                        ))
                        .at_value(unknown));
                    }
                }
            }
            if includes.is_empty() && excludes.is_empty() {
                return Ok(SourceShape::Whole);
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
        for field in context.fields_by_all_names(&pattern)? {
            // Asked for in two formats, a column is shown in both.
            let is_column = key == "docvalue_fields";
            let order = match is_column {
                true => ValueOrder::Column,
                false => ValueOrder::Document,
            };
            let shape = field_shape(context, &field, format.as_deref(), order)?;
            match shapes.iter_mut().find(|known| known.path == shape.path) {
                Some(known) if !is_column => *known = shape,
                Some(_) | None => shapes.push(shape),
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

/// Most columns that hits may show, unless the index says otherwise.
const COLUMNS_MAX: usize = 100;

fn check_count(context: &Context<'_>, count: usize) -> Result<(), ElasticError> {
    let most = context.limit("max_docvalue_fields_search", COLUMNS_MAX);
    if count <= most {
        return Ok(());
    }
    Err(context.fail(ElasticError::illegal_argument(format!(
        "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{most}] but \
         was [{count}]. This limit can be set by changing the [index.max_docvalue_fields_search] \
         index level setting."
    ))))
}

fn field_shape(
    context: &Context<'_>,
    field: &NamedField<'_>,
    format: Option<&str>,
    order: ValueOrder,
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
        order,
    })
}
