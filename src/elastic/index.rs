//! Creating an index: settings, mappings and what the matching template adds.

use std::collections::BTreeMap;

use serde_json::Value;
use storage::catalog::{Dynamic, Materialize, PARTITIONS_MAX, TimeField};
use storage::model::Mapping;

use super::ElasticError;
use super::alias::{Aliases, parse_aliases};
use super::mapping::{WrittenMapping, check_aliases, parse_mapping};
use super::read;
use super::search::parse_object;
use super::settings::parse_settings;
use super::template::{Templates, of_index};

/// The time field that needs no saying.
const TIME_FIELD_DEFAULT: &str = "@timestamp";

/// The setting that says how many partitions there are.
const RETENTION_SETTING: &str = "index.retention";
const PARTITIONS_SETTING: &str = "index.number_of_shards";

/// What an index is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexDefinition {
    /// Settings by flat dotted key (`index.number_of_shards`), as given.
    pub settings: BTreeMap<String, Value>,
    /// Its fields.
    pub mapping: Mapping,
    /// What happens to a field that the mapping does not know.
    pub dynamic: Dynamic,
    /// The row's time, when it was said or is already plain.
    pub time_field: Option<TimeField>,
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Whether and how records become rows.
    pub materialize: Materialize,
    /// Its other names.
    pub aliases: Aliases,
}

impl IndexDefinition {
    /// With `partitions` if neither body nor template says a number.
    #[must_use]
    pub fn or_partitions(mut self, partitions: u32) -> Self {
        if !self.settings.contains_key(PARTITIONS_SETTING) {
            self.partitions = partitions;
        }
        self
    }
}

/// Settings and mapping as a body or a template wrote them.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenIndex {
    pub(super) settings: BTreeMap<String, Value>,
    pub(super) mapping: WrittenMapping,
    pub(super) aliases: Aliases,
}

impl WrittenIndex {
    /// What `other` says counts more.
    pub(super) fn add(&mut self, other: Self) {
        self.settings.extend(other.settings);
        self.aliases.extend(other.aliases);
        self.mapping.add(other.mapping);
    }
}

/// Reads the body of `PUT /{index}` (empty is fine) on top of the template that fits the name.
/// The name itself is not checked: a topic of the log may be called what an index may not.
///
/// # Errors
/// On an unknown setting, a value that does not fit, and a mapping that cannot be read.
pub fn parse_create_index(
    index: &str,
    body: &[u8],
    templates: &Templates,
) -> Result<IndexDefinition, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let mut written = of_index(index, templates)?;
    written.add(parse_index(
        &Value::Object(parse_object(text)?),
        "create index",
    )?);
    define(written)
}

/// Reads `settings`, `mappings` and `aliases`.
///
/// # Errors
/// As [`parse_create_index`].
pub(super) fn parse_index(value: &Value, what: &str) -> Result<WrittenIndex, ElasticError> {
    let mut written = WrittenIndex::default();
    let entries = match value {
        Value::Null => return Ok(written),
        value => value.as_object().ok_or_else(|| read::wrong(value, what))?,
    };
    for (key, value) in entries {
        match key.as_str() {
            "settings" => written.settings = parse_settings(value)?,
            "mappings" if value.is_null() => {}
            "mappings" => {
                written.mapping = parse_mapping(value).map_err(|error| {
                    if error.error_type() != "mapper_parsing_exception" {
                        return error;
                    }
                    let reason = format!("Failed to parse mapping [_doc]: {}", error.reason());
                    ElasticError::mapping(reason).rooted_in(error)
                })?;
            }
            "aliases" => written.aliases = parse_aliases(value)?,
            "lifecycle" if what == "template" => {}
            unknown => {
                return Err(ElasticError::new(
                    400,
                    "parse_exception",
                    format!("unknown key [{unknown}] for {what}"),
                ));
            }
        }
    }
    Ok(written)
}

fn define(written: WrittenIndex) -> Result<IndexDefinition, ElasticError> {
    let WrittenIndex {
        settings,
        mapping,
        aliases,
    } = written;
    check_aliases(&mapping.mapping)?;
    let partitions = match settings.get(PARTITIONS_SETTING) {
        Some(value) => partitions(value)?,
        None => 1,
    };
    let materialize = match settings
        .get("index.materialize")
        .map(read::shown)
        .as_deref()
    {
        None | Some("auto") => Materialize::Auto,
        Some("json") => Materialize::Json,
        Some("none") => Materialize::None,
        Some(other) => {
            return Err(ElasticError::illegal_argument(format!(
                "Failed to parse value [{other}] for setting [index.materialize]: it must be one \
                 of [auto, json, none]"
            )));
        }
    };
    if let Some(given) = settings.get(RETENTION_SETTING).map(read::shown)
        && retention_ms(&given).is_none()
    {
        return Err(ElasticError::illegal_argument(format!(
            "failed to parse setting [{RETENTION_SETTING}] with value [{given}] as a time value: \
             it must be -1 or a number with a unit, such as 30d, 12h, 90m, 45s or 500ms"
        )));
    }
    let said = settings.get("index.time_field").map(read::shown);
    let time_field = time_field(said, &mapping.mapping)?;
    Ok(IndexDefinition {
        settings,
        mapping: mapping.mapping,
        dynamic: mapping.dynamic.unwrap_or_default(),
        time_field,
        partitions,
        materialize,
        aliases,
    })
}

/// How long rows are kept by what an index's settings say; `None` is for ever.
#[must_use]
pub fn row_retention_ms(settings: &BTreeMap<String, Value>) -> Option<i64> {
    let given = settings.get(RETENTION_SETTING).map(read::shown)?;
    retention_ms(&given).flatten()
}

/// Reads `30d` or `-1`; `None` when it is neither.
fn retention_ms(text: &str) -> Option<Option<i64>> {
    if text == "-1" {
        return Some(None);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    number.checked_mul(unit_ms).map(Some)
}

fn partitions(value: &Value) -> Result<u32, ElasticError> {
    let number = read::integer(value, "index.number_of_shards")?;
    let wrong = |bound: String| {
        ElasticError::illegal_argument(format!(
            "Failed to parse value [{number}] for setting [index.number_of_shards] must be {bound}"
        ))
    };
    let count = u32::try_from(number).unwrap_or(0);
    if count == 0 {
        return Err(wrong(">= 1".into()));
    }
    if count > PARTITIONS_MAX {
        return Err(wrong(format!("<= {PARTITIONS_MAX}")));
    }
    Ok(count)
}

/// The time field that was said; else `@timestamp`, or the only date, when it is mapped.
fn time_field(said: Option<String>, mapping: &Mapping) -> Result<Option<TimeField>, ElasticError> {
    if let Some(path) = said {
        return match mapping.fields.get(&path) {
            Some(field) if !field.field_type.is_date() => {
                Err(ElasticError::illegal_argument(format!(
                    "[index.time_field] names [{path}], which is mapped as [{}] and not as a date",
                    super::field_types::type_name(field)
                )))
            }
            Some(_) | None => Ok(Some(TimeField::Field(path))),
        };
    }
    let mut dates = mapping
        .fields
        .iter()
        .filter(|(_, field)| field.field_type.is_date());
    let default = mapping.fields.get(TIME_FIELD_DEFAULT);
    if default.is_some_and(|field| field.field_type.is_date()) {
        return Ok(Some(TimeField::Field(TIME_FIELD_DEFAULT.into())));
    }
    Ok(match (dates.next(), dates.next()) {
        (Some((path, _)), None) => Some(TimeField::Field(path.clone())),
        (None, _) | (Some(_), Some(_)) => None,
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
