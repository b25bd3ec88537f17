//! Answers about the server and its indices.

use std::sync::Arc;

use storage::catalog::{Dynamic, Materialize};
use storage::model::{Field, FieldType, Mapping, TopicId, TopicName};

use super::*;
use crate::elastic::{FieldCapsRequest, render_field_caps};

fn topic() -> Topic {
    let mut mapping = Mapping::default();
    let mut agent = Field::new(FieldType::Text);
    agent
        .subfields
        .insert("keyword".into(), Field::new(FieldType::Keyword));
    mapping.fields.insert("agent".into(), agent);
    mapping
        .fields
        .insert("o.ts".into(), Field::new(FieldType::Date));
    Topic {
        id: TopicId(1),
        name: TopicName::parse("logs").expect("a name"),
        uuid: [0xff; 16],
        partitions: 3,
        routing_partitions: None,
        created_ms: 1_700_000_000_000,
        config: BTreeMap::new(),
        settings: BTreeMap::from([("index.refresh_interval".into(), json!("1s"))]),
        dynamic: Dynamic::True,
        mapping: Arc::new(mapping),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn identities_are_base_64() {
    assert_eq!(uuid_text([0; 16]), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(uuid_text([0xff; 16]), "_____________________w");
    assert_eq!(uuid_text(*b"0123456789abcdef"), "MDEyMzQ1Njc4OWFiY2RlZg");
}

#[test]
fn an_index_shows_its_settings_as_texts() {
    let shown = parsed(&render_indices(
        &[(&topic(), &Aliases::new())],
        SettingsShape::default(),
    ));
    assert_eq!(shown["logs"]["settings"]["index"]["number_of_shards"], "3");
    assert_eq!(shown["logs"]["settings"]["index"]["refresh_interval"], "1s");
    assert_eq!(
        shown["logs"]["settings"]["index"]["version"]["created"],
        VERSION_CREATED
    );
    assert_eq!(
        shown["logs"]["mappings"]["properties"]["o"]["properties"]["ts"]["type"],
        "date"
    );
}

#[test]
fn fields_say_what_can_be_done_with_them() {
    let request = FieldCapsRequest {
        fields: "o*,agent*",
        include_unmapped: true,
        personality: Personality::Elasticsearch,
    };
    let mut other = topic();
    other.name = TopicName::parse("bare").expect("a name");
    other.mapping = Arc::default();
    let both = parsed(&render_field_caps(request, &[&topic(), &other]));
    assert_eq!(
        both["fields"]["agent"]["unmapped"]["indices"],
        json!(["bare"])
    );
    let shown = parsed(&render_field_caps(request, &[&topic()]));
    assert_eq!(shown["fields"]["o"]["object"]["searchable"], false);
    assert_eq!(shown["indices"], json!(["logs"]));
    assert_eq!(
        shown["fields"]["o.ts"],
        json!({"date": {"type": "date", "metadata_field": false, "searchable": true, "aggregatable": true}})
    );
    assert_eq!(shown["fields"]["agent"]["text"]["aggregatable"], false);
    assert_eq!(
        shown["fields"]["agent.keyword"]["keyword"]["aggregatable"],
        true
    );
    assert_eq!(shown["fields"].as_object().map(Map::len), Some(4));
}
