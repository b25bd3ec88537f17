//! Mappings: `properties` to fields and back, and what may be added to a mapping that is in use.

use serde_json::Value;
use storage::catalog::{Dynamic, Topic};
use storage::model::Mapping;

use super::ElasticError;

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
