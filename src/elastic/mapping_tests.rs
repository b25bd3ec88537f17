//! Mappings there and back, and what a mapping in use may become.

use std::sync::Arc;

use serde_json::json;
use storage::catalog::Materialize;
use storage::model::{TopicId, TopicName};

use super::*;

fn written(value: &Value) -> WrittenMapping {
    parse_mapping(value).expect("a mapping")
}

fn topic(mapping: &Value) -> Topic {
    let written = written(mapping);
    Topic {
        id: TopicId(1),
        name: TopicName::parse("t").expect("a name"),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: BTreeMap::new(),
        settings: BTreeMap::new(),
        dynamic: written.dynamic.unwrap_or_default(),
        mapping: Arc::new(written.mapping),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

#[test]
fn there_and_back() {
    let value = json!({"dynamic": "strict", "properties": {
        "agent": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
        "o": {"properties": {"p": {"properties": {"q": {"type": "long"}}}, "r": {"type": "double"}}},
        "ts": {"type": "date", "format": "epoch_millis||strict_date_optional_time"},
        "u": {"type": "unsigned_long"},
    }});
    let written = written(&value);
    assert_eq!(written.mapping.fields["o.p.q"].field_type, FieldType::Long);
    assert_eq!(written.mapping.fields["u"].field_type, FieldType::Double);
    assert_eq!(mapping_to_value(&written.mapping, Dynamic::Strict), value);
}

fn refused(value: &Value) -> String {
    parse_mapping(value).expect_err("no mapping").to_string()
}

#[test]
fn what_cannot_be_read_says_so() {
    assert_eq!(
        refused(&json!({"properties": {"a": {"type": "nonsense"}}})),
        "mapper_parsing_exception: No handler for type [nonsense] declared on field [a]"
    );
    assert_eq!(
        refused(&json!({"properties": {"z": {"type": "long", "nonsense": true}}})),
        "mapper_parsing_exception: unknown parameter [nonsense] on mapper [z] of type [long]"
    );
    assert!(
        refused(&json!({"properties": {"d": {"type": "date", "format": "bbbb"}}}))
            .starts_with("mapper_")
    );
    assert!(
        refused(&json!({"properties": {"g": {"type": "geo_shape"}}})).contains("not supported yet")
    );
    assert!(
        refused(&json!({"properties": {"a": {"type": "long"}, "a.b": {"type": "long"}}}))
            .contains("non object")
    );
    assert!(refused(&json!({"nonsense": 1})).contains("unsupported parameters"));
    refused(&json!({"properties": []}));
    refused(&json!({"properties": {".": {"type": "long"}}}));
}

#[test]
fn fields_are_added_but_never_changed() {
    let topic = topic(&json!({"properties": {"n": {"type": "long"}, "t": {"type": "text"}}}));
    let (mapping, dynamic) = put_mapping(
        &topic,
        br#"{"properties":{"k":{"type":"keyword"},"t":{"type":"text","fields":{"raw":{"type":"keyword"}}}}}"#,
    )
    .expect("additions");
    assert_eq!(mapping.fields.len(), 3);
    assert!(mapping.resolve("t.raw").is_some());
    assert_eq!(dynamic, Dynamic::True);
    let error =
        put_mapping(&topic, br#"{"properties":{"n":{"type":"keyword"}}}"#).expect_err("change");
    assert_eq!(
        error.reason(),
        "mapper [n] cannot be changed from type [long] to [keyword]"
    );
    let error = put_mapping(
        &topic,
        br#"{"properties":{"n":{"properties":{"x":{"type":"long"}}}}}"#,
    )
    .expect_err("object");
    assert!(error.reason().contains("non object"));
}
