//! `dynamic_templates` of a mapping: what fields become that nobody named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use storage::model::{DynamicTemplate, Mapping};

use super::mapping::field;
use super::{ElasticError, read};

/// Most templates of a mapping.
const TEMPLATES_MAX: usize = 1000;

/// Kinds of values that templates may be about. Objects have no fields of their own here.
const KINDS: &[&str] = &["boolean", "date", "double", "long", "object", "string", "*"];

/// Reads the list under `dynamic_templates`.
///
/// # Errors
/// When it is none, and when a template wants what does not work.
pub(super) fn parse(value: &Value) -> Result<Vec<DynamicTemplate>, ElasticError> {
    let malformed = || {
        ElasticError::mapping(
            "Dynamic template syntax error. An array of named objects is expected.",
        )
    };
    let items = value.as_array().ok_or_else(malformed)?;
    if items.len() > TEMPLATES_MAX {
        let reason = format!("a mapping has at most {TEMPLATES_MAX} dynamic templates");
        return Err(ElasticError::illegal_argument(reason));
    }
    let template = |item: &Value| {
        let entries = item.as_object().filter(|entries| entries.len() == 1);
        let (name, definition) = entries
            .and_then(|entries| entries.iter().next())
            .ok_or_else(malformed)?;
        template(name, definition)
    };
    items.iter().map(template).collect()
}

fn template(name: &str, definition: &Value) -> Result<DynamicTemplate, ElasticError> {
    let entries = read::object(definition, name)?;
    let mut template = DynamicTemplate {
        name: name.into(),
        kinds: Vec::new(),
        names: Vec::new(),
        other_names: Vec::new(),
        paths: Vec::new(),
        other_paths: Vec::new(),
        field: None,
        members: BTreeMap::new(),
        definition: definition.clone(),
    };
    let mut mapping = None;
    for (key, value) in entries {
        let list = || {
            let texts = read::one_or_many(value).iter();
            let texts = texts.map(|text| read::text(text, key));
            texts.collect::<Result<Vec<_>, _>>()
        };
        match key.as_str() {
            "match" => template.names = list()?,
            "unmatch" => template.other_names = list()?,
            "path_match" => template.paths = list()?,
            "path_unmatch" => template.other_paths = list()?,
            "match_mapping_type" => template.kinds = kinds(name, list()?)?,
            "mapping" => mapping = Some(read::object(value, key)?),
            "match_pattern" if value == "simple" => {}
            other => {
                let what = format!("[{other}] of the dynamic template [{name}]");
                return Err(ElasticError::unsupported(what));
            }
        }
    }
    let mapping = mapping.ok_or_else(|| {
        ElasticError::mapping(format!(
            "template [{name}] must have either mapping or runtime set"
        ))
    })?;
    if let Some(properties) = mapping.get("properties") {
        let mut members = Mapping::default();
        super::mapping::properties(properties, "", &mut members)?;
        template.members = members.fields;
    }
    template.field = match template.kinds.as_slice() {
        [only] if only == "object" => None,
        kinds => Some(field_of(name, kinds, mapping)?),
    };
    Ok(template)
}

fn kinds(name: &str, kinds: Vec<String>) -> Result<Vec<String>, ElasticError> {
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(ElasticError::illegal_argument(format!(
            "No field type matched on [{unknown}], possible values are [object, string, long, \
             double, boolean, date] in the dynamic template [{name}]"
        )));
    }
    match kinds.iter().any(|kind| kind == "*") {
        true => Ok(Vec::new()),
        false => Ok(kinds),
    }
}

/// What values become. Without a type it is the one that they look like.
fn field_of(
    name: &str,
    kinds: &[String],
    mapping: &Map<String, Value>,
) -> Result<storage::model::Field, ElasticError> {
    let path = format!("dynamic template {name}");
    let given = mapping.get("type").map(read::shown);
    let type_name = match (given.as_deref(), kinds) {
        (Some("{dynamic_type}") | None, [only]) => match only.as_str() {
            "string" => "text",
            known => known,
        },
        (Some("{dynamic_type}") | None, _) => {
            let what =
                format!("a type that depends on the value, in the dynamic template [{name}]");
            return Err(ElasticError::unsupported(what));
        }
        (Some(type_name), _) => type_name,
    };
    field(&path, type_name, mapping)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(definition: &Value, expected: &str) {
        let read = parse(&json!([{ "t": definition }]));
        let found = match read {
            Ok(templates) => {
                let field = templates[0].field.as_ref();
                let field = field.map(|field| (field.field_type.name(), field.ignore_above));
                format!("{:?} {field:?}", templates[0].kinds)
            }
            Err(error) => error.reason().to_owned(),
        };
        assert!(found.contains(expected), "{definition}: {found}");
    }

    #[test]
    fn templates_say_which_values_become_what() {
        let keyword = json!({ "type": "keyword", "ignore_above": 1024 });
        check(
            &json!({ "match_mapping_type": "string", "mapping": keyword }),
            r#"["string"] Some(("keyword", Some(1024)))"#,
        );
        check(
            &json!({ "match": "*", "mapping": keyword }),
            r#"[] Some(("keyword""#,
        );
        check(
            &json!({ "match_mapping_type": "long", "mapping": {} }),
            r#"["long"] Some(("long", None))"#,
        );
        check(
            &json!({ "match_mapping_type": "object", "mapping": { "type": "object" } }),
            r#"["object"] None"#,
        );
        check(
            &json!({ "match": "*" }),
            "must have either mapping or runtime",
        );
        check(&json!({ "mapping": {} }), "depends on the value");
        check(
            &json!({ "match_pattern": "regex", "mapping": keyword }),
            "[match_pattern]",
        );
        check(
            &json!({ "match_mapping_type": "text", "mapping": keyword }),
            "No field type matched",
        );
    }
}
