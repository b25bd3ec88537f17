//! Mappings: `properties` to fields and back, and what may be added to a mapping that is in use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use storage::catalog::{Dynamic, Topic};
use storage::model::{DynamicTemplate, Field, FieldType, Mapping};

use super::ElasticError;
use super::date_math::parse_format;
use super::dynamic_templates;
use super::field_types::{self, TYPE_ATTRIBUTE, type_name};
use super::read;
use super::search::parse_object;

/// Most fields of one mapping.
const FIELDS_MAX: usize = 10_000;

/// A mapping as a request wrote it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct WrittenMapping {
    pub(super) mapping: Mapping,
    /// `None` when it was not said.
    pub(super) dynamic: Option<Dynamic>,
    /// Whether texts that read as dates are some; `None` when it was not said.
    pub(super) detects_dates: Option<bool>,
    /// Whether documents must have a routing; `None` when it was not said.
    pub(super) requires_routing: Option<bool>,
}

impl WrittenMapping {
    /// What `other` says counts more: its fields take the place of those of the same path, and of
    /// those that cannot stand beside them.
    pub(super) fn add(&mut self, other: Self) {
        self.dynamic = other.dynamic.or(self.dynamic);
        self.detects_dates = other.detects_dates.or(self.detects_dates);
        self.mapping.aliases.extend(other.mapping.aliases);
        self.mapping.hides_source |= other.mapping.hides_source;
        self.mapping.requires_routing |= other.mapping.requires_routing;
        let rules = &mut self.mapping.rules;
        rules.detects_dates = self.detects_dates.unwrap_or(true);
        rules.templates = joined(other.mapping.rules.templates, &rules.templates);
        for (path, field) in other.mapping.fields {
            let below = format!("{path}.");
            self.mapping.fields.retain(|known, _| {
                !known.starts_with(&below) && !path.starts_with(&format!("{known}."))
            });
            self.mapping.fields.insert(path, field);
        }
    }
}

/// Reads what stands under `mappings`.
///
/// # Errors
/// On a type or a parameter that does not exist, or that would change answers and does not work.
pub(super) fn parse_mapping(value: &Value) -> Result<WrittenMapping, ElasticError> {
    let mut entries = read_object(value, "_doc")?;
    // Old clients wrap the mapping in a type.
    if let (1, Some(Value::Object(inner))) = (entries.len(), entries.get("_doc")) {
        entries = inner;
    }
    let mut written = WrittenMapping::default();
    for (key, value) in entries {
        match key.as_str() {
            "properties" => properties(value, "", &mut written.mapping)?,
            "dynamic" => written.dynamic = Some(dynamic(value)?),
            // What this server does anyway, or what nobody asks it for.
            "_routing" => {
                let required = requires_routing(value)?;
                written.requires_routing = Some(required);
                written.mapping.requires_routing = required;
            }
            "_meta" | "_field_names" | "_size" | "_data_stream_timestamp" => {}
            "_source" => written.mapping.hides_source = hides_source(value)?,
            "date_detection" => {
                let detects_dates = read::flag(value, key)?;
                written.detects_dates = Some(detects_dates);
                written.mapping.rules.detects_dates = detects_dates;
            }
            "dynamic_templates" => {
                written.mapping.rules.templates = dynamic_templates::parse(value)?;
            }
            "numeric_detection" | "dynamic_date_formats" | "runtime" => {
                let says_nothing = match value {
                    Value::Bool(flag) => !flag,
                    Value::Array(values) => values.is_empty(),
                    Value::Object(entries) => entries.is_empty(),
                    Value::Null | Value::Number(_) | Value::String(_) => false,
                };
                if !says_nothing {
                    return Err(ElasticError::unsupported(format!("[{key}] of a mapping")));
                }
            }
            unknown => {
                return Err(ElasticError::mapping(format!(
                    "Root mapping definition has unsupported parameters:  [{unknown} : {}]",
                    read::shown(value)
                )));
            }
        }
    }
    Ok(written)
}

/// What is said of `_source`: whether it is disabled.
fn hides_source(value: &Value) -> Result<bool, ElasticError> {
    if value.get("enabled").map(read::shown).as_deref() == Some("false")
        && value.as_object().is_some_and(|entries| entries.len() == 1)
    {
        return Ok(true);
    }
    check_default("_source", value).map(|()| false)
}

/// What is said of `_routing`.
fn requires_routing(value: &Value) -> Result<bool, ElasticError> {
    let entries = read_object(value, "_routing")?;
    let mut required = false;
    for (key, value) in entries {
        match key.as_str() {
            "required" => required = read::flag(value, key)?,
            unknown => {
                return Err(ElasticError::mapping(format!(
                    "unknown parameter [{unknown}] on metadata field [_routing]"
                )));
            }
        }
    }
    Ok(required)
}

/// `first` and what of `rest` has other names.
fn joined(first: Vec<DynamicTemplate>, rest: &[DynamicTemplate]) -> Vec<DynamicTemplate> {
    let is_new = |template: &&DynamicTemplate| first.iter().all(|own| own.name != template.name);
    let rest: Vec<_> = rest.iter().filter(is_new).cloned().collect();
    first.into_iter().chain(rest).collect()
}

fn read_object<'v>(value: &'v Value, name: &str) -> Result<&'v Map<String, Value>, ElasticError> {
    value.as_object().ok_or_else(|| {
        ElasticError::mapping(format!(
            "Expected map for property [properties] on field [{name}] but got a {}",
            read::token_name(value)
        ))
    })
}

fn check_default(key: &str, value: &Value) -> Result<(), ElasticError> {
    let is_default = match value {
        Value::Bool(flag) => *flag,
        Value::Object(entries) => {
            entries.is_empty()
                || (entries.len() == 1 && entries.get("enabled") == Some(&Value::Bool(true)))
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    if is_default {
        return Ok(());
    }
    Err(ElasticError::unsupported(format!("[{key}]: {value}")))
}

fn dynamic(value: &Value) -> Result<Dynamic, ElasticError> {
    match read::shown(value).as_str() {
        "true" => Ok(Dynamic::True),
        "false" => Ok(Dynamic::False),
        "strict" => Ok(Dynamic::Strict),
        "false_allow_templates" => Ok(Dynamic::FalseAllowTemplates),
        "strict_allow_templates" => Ok(Dynamic::StrictAllowTemplates),
        "runtime" => Err(ElasticError::unsupported("[dynamic]: runtime")),
        other => Err(ElasticError::mapping(format!(
            "Could not convert [dynamic] to boolean: Failed to parse value [{other}] as only \
             [true] or [false] are allowed."
        ))),
    }
}

/// Reads the fields of an object; `prefix` is its path with a dot behind it.
pub(super) fn properties(
    value: &Value,
    prefix: &str,
    mapping: &mut Mapping,
) -> Result<(), ElasticError> {
    for (name, definition) in read_object(value, prefix.trim_end_matches('.'))? {
        if name.is_empty() {
            return Err(ElasticError::illegal_argument(
                "field name cannot be an empty string",
            ));
        }
        if name.chars().all(|c| c == '.') {
            return Err(ElasticError::mapping(
                "field name cannot contain only the character [.]",
            ));
        }
        let path = format!("{prefix}{name}");
        let definition = definition.as_object().ok_or_else(|| {
            ElasticError::mapping(format!(
                "Expected map for property [fields] on field [{path}] but got a {}",
                read::token_name(definition)
            ))
        })?;
        match definition.get("type").map(read::shown).as_deref() {
            None | Some("object") => object(definition, &path, mapping)?,
            Some("alias") => {
                let target = alias_target(&path, definition)?;
                check_parents(&path, &mapping.fields)?;
                mapping.aliases.insert(path, target);
            }
            Some(type_name) => {
                let field = field(&path, type_name, definition)?;
                check_parents(&path, &mapping.fields)?;
                mapping.fields.insert(path, field);
            }
        }
        if mapping.fields.len() + mapping.aliases.len() > FIELDS_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "Limit of total fields [{FIELDS_MAX}] has been exceeded"
            )));
        }
    }
    Ok(())
}

fn object(
    definition: &Map<String, Value>,
    path: &str,
    mapping: &mut Mapping,
) -> Result<(), ElasticError> {
    for (key, value) in definition {
        match key.as_str() {
            "type" => {}
            "properties" => properties(value, &format!("{path}."), mapping)?,
            "dynamic" | "enabled" | "subobjects" => check_default(key, value)?,
            unknown => {
                return Err(ElasticError::mapping(format!(
                    "unknown parameter [{unknown}] on mapper [{path}] of type [object]"
                )));
            }
        }
    }
    Ok(())
}

/// The field that an alias stands for.
fn alias_target(path: &str, definition: &Map<String, Value>) -> Result<String, ElasticError> {
    let mut target = None;
    for (key, value) in definition {
        match key.as_str() {
            "type" => {}
            "path" => target = Some(read::text(value, key)?),
            unknown => {
                return Err(ElasticError::mapping(format!(
                    "unknown parameter [{unknown}] on mapper [{path}] of type [alias]"
                )));
            }
        }
    }
    target.ok_or_else(|| {
        let reason = format!("The [path] property must be specified for field [{path}].");
        ElasticError::mapping(reason)
    })
}

/// Whether every alias stands for a field.
///
/// # Errors
/// When one names another alias, an object, or nothing.
pub(super) fn check_aliases(mapping: &Mapping) -> Result<(), ElasticError> {
    for (alias, target) in &mapping.aliases {
        let wrong = match mapping.resolve(target) {
            _ if mapping.fields.contains_key(alias) => {
                return Err(ElasticError::mapping(format!(
                    "Field [{alias}] is defined more than once"
                )));
            }
            _ if target == alias => "an alias cannot refer to itself.",
            _ if mapping.aliases.contains_key(target) => "an alias cannot refer to another alias.",
            Some(_) => continue,
            None => "an alias must refer to an existing field in the mappings.",
        };
        return Err(ElasticError::mapping(format!(
            "Invalid [path] value [{target}] for field alias [{alias}]: {wrong}"
        )));
    }
    Ok(())
}

/// A field cannot be an object of other fields at the same time.
fn check_parents(path: &str, fields: &BTreeMap<String, Field>) -> Result<(), ElasticError> {
    let mut parent = path;
    while let Some((above, _)) = parent.rsplit_once('.') {
        if fields.contains_key(above) {
            return Err(not_an_object(above));
        }
        parent = above;
    }
    let below = format!("{path}.");
    let first_below = fields.range(below.clone()..).next();
    if first_below.is_some_and(|(other, _)| other.starts_with(&below)) {
        return Err(not_an_object(path));
    }
    Ok(())
}

fn not_an_object(path: &str) -> ElasticError {
    ElasticError::illegal_argument(format!(
        "can't merge a non object mapping [{path}] with an object mapping"
    ))
}

pub(super) fn field(
    path: &str,
    type_name: &str,
    definition: &Map<String, Value>,
) -> Result<Field, ElasticError> {
    let field_type = field_types::parse(path, type_name)?;
    let mut field = Field::new(field_type);
    if type_name != field_type.name() {
        field
            .attributes
            .insert(TYPE_ATTRIBUTE.into(), type_name.into());
    }
    for (key, value) in definition {
        match key.as_str() {
            "type" => {}
            "format" if field_type.is_date() || type_name == "date_range" => {
                let format = read::text(value, key)?;
                parse_format(Some(&format)).map_err(|error| {
                    ElasticError::mapping(format!("Failed to parse mapping: {}", error.reason()))
                        .caused_by(error)
                })?;
                field.format = Some(format);
            }
            "ignore_above" if field_type == FieldType::Keyword => {
                let limit = read::count(value, key)?;
                field.ignore_above = Some(u32::try_from(limit).unwrap_or(u32::MAX));
            }
            "fields" => field.subfields = subfields(path, value)?,
            key => {
                if !field_types::check_attribute(path, type_name, field_type, key, value)? {
                    return Err(ElasticError::mapping(format!(
                        "unknown parameter [{key}] on mapper [{path}] of type [{type_name}]"
                    )));
                }
                field.attributes.insert(key.into(), value.clone());
            }
        }
    }
    Ok(field)
}

fn subfields(path: &str, value: &Value) -> Result<BTreeMap<String, Field>, ElasticError> {
    let mut subfields = BTreeMap::new();
    for (name, definition) in read_object(value, path)? {
        let path = format!("{path}.{name}");
        let definition = read_object(definition, &path)?;
        let type_name = definition.get("type").map(read::shown).ok_or_else(|| {
            ElasticError::mapping(format!("no type specified for property [{name}]"))
        })?;
        subfields.insert(name.clone(), field(&path, &type_name, definition)?);
    }
    Ok(subfields)
}

/// Adds the body of `PUT /{index}/_mapping` to what the topic has.
///
/// # Errors
/// When a known field would change its type, and when the body cannot be read.
pub fn put_mapping(topic: &Topic, body: &[u8]) -> Result<(Mapping, Dynamic), ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let body = parse_object(text)?;
    let names_type = body
        .get("_doc")
        .is_some_and(|inner| inner.get("properties").is_some());
    if names_type {
        let reason = "Types cannot be provided in put mapping requests";
        return Err(ElasticError::illegal_argument(reason));
    }
    let written = parse_mapping(&Value::Object(body))?;
    let mut mapping = topic.mapping.as_ref().clone();
    if let Some(detects_dates) = written.detects_dates {
        mapping.rules.detects_dates = detects_dates;
    }
    if !written.mapping.rules.templates.is_empty() {
        mapping.rules.templates = written.mapping.rules.templates;
    }
    let required = written.requires_routing.unwrap_or(mapping.requires_routing);
    if required != mapping.requires_routing {
        return Err(ElasticError::illegal_argument(format!(
            "Mapper for [_routing] conflicts with existing mapper:\n\tCannot update parameter \
             [required] from [{}] to [{required}]",
            mapping.requires_routing
        )));
    }
    if written.mapping.hides_source && !mapping.hides_source {
        return Err(ElasticError::illegal_argument(
            "Mapper for [_source] conflicts with existing mapper:\n\tCannot update parameter \
             [enabled] from [true] to [false]",
        ));
    }
    for (path, field) in written.mapping.fields {
        if let Some(known) = mapping.fields.get_mut(&path) {
            merge(&path, known, field)?;
            continue;
        }
        check_parents(&path, &mapping.fields)?;
        mapping.fields.insert(path, field);
    }
    mapping.aliases.extend(written.mapping.aliases);
    check_aliases(&mapping)?;
    Ok((mapping, written.dynamic.unwrap_or(topic.dynamic)))
}

/// Adds what may be added to a field: other names of its values and harmless attributes.
fn merge(path: &str, known: &mut Field, given: Field) -> Result<(), ElasticError> {
    if type_name(known) != type_name(&given) {
        return Err(ElasticError::illegal_argument(format!(
            "mapper [{path}] cannot be changed from type [{}] to [{}]",
            type_name(known),
            type_name(&given)
        )));
    }
    let default = storage::model::DATE_FORMAT_DEFAULT;
    let (old, new) = (known.format.as_deref(), given.format.as_deref());
    if old.unwrap_or(default) != new.unwrap_or(default) {
        return Err(ElasticError::illegal_argument(format!(
            "Mapper for [{path}] conflicts with existing mapper:\n\tCannot update parameter \
             [format] from [{}] to [{}]",
            old.unwrap_or(default),
            new.unwrap_or(default)
        )));
    }
    known.ignore_above = given.ignore_above;
    known.attributes = given.attributes;
    for (name, subfield) in given.subfields {
        match known.subfields.get_mut(&name) {
            Some(known) => merge(&format!("{path}.{name}"), known, subfield)?,
            None => _ = known.subfields.insert(name, subfield),
        }
    }
    Ok(())
}

/// The mapping as JSON: `{"dynamic": .., "properties": {..}}`.
#[must_use]
pub fn mapping_to_value(mapping: &Mapping, dynamic: Dynamic) -> Value {
    let mut root = Map::new();
    match dynamic {
        Dynamic::True => {}
        Dynamic::False => _ = root.insert("dynamic".into(), "false".into()),
        Dynamic::Strict => _ = root.insert("dynamic".into(), "strict".into()),
        Dynamic::FalseAllowTemplates => {
            root.insert("dynamic".into(), "false_allow_templates".into());
        }
        Dynamic::StrictAllowTemplates => {
            root.insert("dynamic".into(), "strict_allow_templates".into());
        }
    }
    if !mapping.rules.detects_dates {
        root.insert("date_detection".into(), false.into());
    }
    if mapping.hides_source {
        root.insert("_source".into(), json!({ "enabled": false }));
    }
    if mapping.requires_routing {
        root.insert("_routing".into(), json!({ "required": true }));
    }
    if !mapping.rules.templates.is_empty() {
        let templates = mapping.rules.templates.iter();
        let templates: Value = templates
            .map(|template| json!({ &template.name: template.definition }))
            .collect();
        root.insert("dynamic_templates".into(), templates);
    }
    let mut properties = Map::new();
    for (path, field) in &mapping.fields {
        insert(&mut properties, path, field_to_value(field));
    }
    for (alias, target) in &mapping.aliases {
        let shown = json!({ "type": "alias", "path": target });
        insert(&mut properties, alias, shown);
    }
    if !properties.is_empty() {
        root.insert("properties".into(), Value::Object(properties));
    }
    Value::Object(root)
}

/// Puts a field into the objects that its path names.
fn insert(properties: &mut Map<String, Value>, path: &str, field: Value) {
    let Some((parent, rest)) = path.split_once('.') else {
        properties.insert(path.into(), field);
        return;
    };
    let object = properties.entry(parent).or_insert_with(|| {
        Value::Object(Map::from_iter([("properties".into(), Map::new().into())]))
    });
    match object.get_mut("properties").and_then(Value::as_object_mut) {
        Some(inner) => insert(inner, rest, field),
        // The parent is a field of its own: such a path keeps its dot.
        None => _ = properties.insert(path.into(), field),
    }
}

pub(super) fn field_to_value(field: &Field) -> Value {
    let mut value = Map::new();
    value.insert("type".into(), type_name(field).into());
    if let Some(format) = &field.format {
        value.insert("format".into(), format.clone().into());
    }
    if let Some(limit) = field.ignore_above {
        value.insert("ignore_above".into(), limit.into());
    }
    for (key, attribute) in &field.attributes {
        if key != TYPE_ATTRIBUTE {
            value.insert(key.clone(), attribute.clone());
        }
    }
    if !field.subfields.is_empty() {
        let subfields: Map<String, Value> = field
            .subfields
            .iter()
            .map(|(name, field)| (name.clone(), field_to_value(field)))
            .collect();
        value.insert("fields".into(), Value::Object(subfields));
    }
    Value::Object(value)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
