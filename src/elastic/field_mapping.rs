//! Single fields of mappings: `_mapping/field/{names}`.

use serde_json::{Map, Value, json};
use storage::catalog::Topic;
use storage::model::{Field, FieldType};

use super::index_expression::matches_wildcard;
use super::mapping::field_to_value;

/// Prints the answer of `GET /{index}/_mapping/field/{names}`: of each index the fields that fit.
#[must_use]
pub fn render_field_mappings(topics: &[&Topic], names: &str, defaults: bool) -> Vec<u8> {
    let mut shown = Map::new();
    for topic in topics {
        let mut fields = Map::new();
        for (path, field) in &topic.mapping.fields {
            note(&mut fields, names, path, field, defaults);
            for (name, subfield) in &field.subfields {
                let path = format!("{path}.{name}");
                note(&mut fields, names, &path, subfield, defaults);
            }
        }
        for (alias, target) in &topic.mapping.aliases {
            let value = json!({ "type": "alias", "path": target });
            note_value(&mut fields, names, alias, || value);
        }
        shown.insert(topic.name.to_string(), json!({ "mappings": fields }));
    }
    Value::Object(shown).to_string().into_bytes()
}

fn note(fields: &mut Map<String, Value>, names: &str, path: &str, field: &Field, defaults: bool) {
    note_value(fields, names, path, || {
        let mut value = field_to_value(field);
        if defaults && field.field_type == FieldType::Text && value.get("analyzer").is_none() {
            value["analyzer"] = "default".into();
        }
        value
    });
}

/// Adds what is shown of `path`, if one of `names` means it.
fn note_value(
    fields: &mut Map<String, Value>,
    names: &str,
    path: &str,
    value: impl FnOnce() -> Value,
) {
    let mut patterns = names.split(',').map(str::trim);
    if !patterns.any(|pattern| matches_wildcard(pattern, path)) {
        return;
    }
    let value = value();
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    fields.insert(
        path.into(),
        json!({ "full_name": path, "mapping": { name: value } }),
    );
}
