//! Definitions of indices out of bodies and templates.

use std::sync::Arc;

use super::*;

fn definition(body: &str) -> Result<IndexDefinition, ElasticError> {
    parse_create_index("logs", body.as_bytes(), &Templates::new())
}

#[test]
fn settings_in_every_form() {
    for body in [
        r#"{"settings":{"number_of_shards":3}}"#,
        r#"{"settings":{"index.number_of_shards":"3"}}"#,
        r#"{"settings":{"index":{"number_of_shards":3,"number_of_replicas":0}}}"#,
    ] {
        assert_eq!(definition(body).expect(body).partitions, 3);
    }
    let error = definition(r#"{"settings":{"index.nonsense":1}}"#).expect_err("unknown");
    assert_eq!(error.error_type(), "settings_exception");
    definition(r#"{"settings":{"number_of_shards":0}}"#).expect_err("no partition");
    definition(r#"{"settings":{"index.retention":"1d"}}"#).expect_err("not yet");
    definition(r#"{"nonsense":1}"#).expect_err("unknown key");
    assert_eq!(definition("").expect("empty").partitions, 1);
}

#[test]
fn the_time_field_is_said_or_plain() {
    let field = |body: &str| definition(body).expect(body).time_field;
    let named = |path: &str| Some(TimeField::Field(path.into()));
    assert_eq!(
        field(r#"{"mappings":{"properties":{"ts":{"type":"date"}}}}"#),
        named("ts")
    );
    let two = r#"{"mappings":{"properties":{"a":{"type":"date"},"b":{"type":"date"}}}}"#;
    assert_eq!(field(two), None);
    let default =
        r#"{"mappings":{"properties":{"a":{"type":"date"},"@timestamp":{"type":"date"}}}}"#;
    assert_eq!(field(default), named("@timestamp"));
    assert_eq!(
        field(r#"{"settings":{"index.time_field":"when"}}"#),
        named("when")
    );
    definition(
        r#"{"settings":{"index.time_field":"n"},"mappings":{"properties":{"n":{"type":"long"}}}}"#,
    )
    .expect_err("no date");
}

#[test]
fn a_template_stands_below_the_body() {
    let template = serde_json::json!({"index_patterns": ["lo*"], "template": {
        "settings": {"number_of_shards": 4, "index.materialize": "json"},
        "mappings": {"dynamic": "strict", "properties": {"ts": {"type": "date"}, "o": {"properties": {"x": {"type": "long"}}}}},
    }});
    let templates = Templates {
        index: [("t".to_owned(), Arc::new(template))].into(),
        ..Templates::new()
    };
    let body = br#"{"settings":{"number_of_shards":2},"mappings":{"properties":{"o":{"type":"keyword"}}}}"#;
    let definition = parse_create_index("logs", body, &templates).expect("both fit");
    assert_eq!(
        (definition.partitions, definition.dynamic),
        (2, Dynamic::Strict)
    );
    assert_eq!(definition.materialize, Materialize::Json);
    let paths: Vec<_> = definition.mapping.fields.keys().collect();
    assert_eq!(paths, ["o", "ts"]);
}

#[test]
fn a_bad_mapping_names_its_root_cause() {
    let error =
        definition(r#"{"mappings":{"properties":{"a":{"type":"nonsense"}}}}"#).expect_err("type");
    let value = error.to_value();
    assert_eq!(
        value["root_cause"][0]["reason"],
        "No handler for type [nonsense] declared on field [a]"
    );
    assert!(error.reason().starts_with("Failed to parse mapping [_doc]"));
}
