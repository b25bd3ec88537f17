//! ApiVersions, Metadata, CreateTopics, DeleteTopics, DescribeConfigs.

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    MetadataRequest,
};
use uuid::Uuid;

use super::fixture::{Fixture, TEMPLATED, frame, text, topic};
use crate::broker::Reply;
use crate::wire::{Api, Response};

#[test]
fn api_versions_lists_what_is_served() {
    let mut fixture = Fixture::new();
    for version in 0..=4 {
        let request = ApiVersionsRequest::default();
        let request = if version < 3 {
            request
        } else {
            let request = request.with_client_software_name(text("a-client"));
            request.with_client_software_version(text("1.2.3"))
        };
        let answer = fixture.ask(&request, version);
        assert_eq!(answer.error_code, 0);
        let listed: Vec<_> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        let expected = Api::ALL.map(|api| (api.key(), api.advertised().min, api.advertised().max));
        assert_eq!(listed, expected);
        assert_eq!(listed[0], (0, 0, 11));
    }
    assert_eq!(
        fixture.session.software,
        Some(("a-client".to_owned(), "1.2.3".to_owned()))
    );
}

#[test]
fn a_number_that_the_client_leaves_open_is_the_templates() {
    let mut fixture = Fixture::new();
    let asked = MetadataRequestTopic::default().with_name(Some(topic(TEMPLATED)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(true);
    assert_eq!(fixture.ask(&request, 9).topics[0].partitions.len(), 3);

    let mut fixture = Fixture::new();
    fixture.create(TEMPLATED, 2, &[]);
    assert_eq!(fixture.ask(&request, 9).topics[0].partitions.len(), 2);
    let mut fixture = Fixture::new();
    fixture.create(TEMPLATED, -1, &[]);
    assert_eq!(fixture.ask(&request, 9).topics[0].partitions.len(), 3);
}

#[test]
fn api_versions_in_an_unknown_version_is_answered_in_the_oldest_form() {
    let mut fixture = Fixture::new();
    let known = frame(&ApiVersionsRequest::default(), 4);
    let mut unknown = known.to_vec();
    unknown[2..4].copy_from_slice(&99_i16.to_be_bytes());
    let unknown = Bytes::from(unknown);
    let Reply::Ready(response @ Response::ApiVersions(_)) = fixture.reply_to(&unknown) else {
        panic!("answered at once");
    };
    let answer: kafka_protocol::messages::ApiVersionsResponse =
        fixture.decode(&unknown, &response, 0);
    assert_eq!(answer.error_code, 35);
    let listed = &answer.api_keys[0];
    assert_eq!(
        (listed.api_key, listed.min_version, listed.max_version),
        (18, 0, 4)
    );
}

#[test]
fn clients_that_cannot_spell_their_name_are_told_so() {
    let mut fixture = Fixture::new();
    for name in ["", "bad name!", "-x", "x-"] {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text("1"));
        assert_eq!(fixture.ask(&request, 3).error_code, 42, "{name:?}");
    }
}

fn metadata_of(name: &str, create: bool) -> MetadataRequest {
    let asked = MetadataRequestTopic::default().with_name(Some(topic(name)));
    MetadataRequest::default()
        .with_topics(Some(vec![asked.clone(), asked]))
        .with_allow_auto_topic_creation(create)
}

#[test]
fn metadata_names_the_broker_and_its_topics_in_every_version() {
    let mut fixture = Fixture::new();
    fixture.create("t", 3, &[]);
    for version in 0..=12 {
        let answer = fixture.ask(&metadata_of("t", true), version);
        let broker = &answer.brokers[0];
        assert_eq!(
            (broker.node_id.0, broker.host.as_str(), broker.port),
            (1, "broker.test", 9_092)
        );
        assert_eq!(
            answer.topics.len(),
            1,
            "a topic that is named twice is told once"
        );
        let told = &answer.topics[0];
        assert_eq!((told.error_code, told.partitions.len()), (0, 3));
        assert_eq!(told.partitions[2].leader_id.0, 1);
        if version >= 1 {
            assert_eq!(answer.controller_id.0, 1);
        }
        if version >= 2 {
            assert_eq!(
                answer.cluster_id.unwrap().as_str(),
                "q6urq6urq6urq6urq6urqw"
            );
        }
    }
}

#[test]
fn null_is_all_topics_and_so_is_the_empty_list_of_version_0() {
    let mut fixture = Fixture::new();
    fixture.create("a", 1, &[]);
    fixture.create("b", 1, &[]);
    let none = MetadataRequest::default().with_topics(Some(Vec::new()));
    assert_eq!(fixture.ask(&none, 0).topics.len(), 2);
    assert_eq!(fixture.ask(&none, 1).topics.len(), 0);
    let all = MetadataRequest::default().with_topics(None);
    assert_eq!(fixture.ask(&all, 1).topics.len(), 2);
}

#[test]
fn metadata_creates_a_topic_that_is_asked_for_once_it_is_durable() {
    let mut fixture = Fixture::new();
    let refused = fixture.ask(&metadata_of("new", false), 8);
    assert_eq!(refused.topics[0].error_code, 3);
    assert!(matches!(
        fixture.reply(&metadata_of("new", true), 8),
        Reply::AfterDurable(..)
    ));
    fixture.broker.store().commit().unwrap();
    let created = fixture.ask(&metadata_of("new", true), 8);
    assert_eq!(
        (
            created.topics[0].error_code,
            created.topics[0].partitions.len()
        ),
        (0, 1)
    );
    // Before version 4 nobody could forbid it.
    assert_eq!(
        fixture.ask(&metadata_of("newer", true), 1).topics[0].error_code,
        0
    );
    for name in [
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "ä",
        "__consumer_offsets",
        &"x".repeat(250),
    ] {
        assert_eq!(
            fixture.ask(&metadata_of(name, true), 8).topics[0].error_code,
            17,
            "{name}"
        );
    }
}

fn wish(name: &str) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(1)
        .with_replication_factor(-1)
}

/// Error codes of a creation, and the first message.
fn create(fixture: &mut Fixture, topics: Vec<CreatableTopic>) -> (Vec<i16>, String) {
    let answer = fixture.ask(&CreateTopicsRequest::default().with_topics(topics), 5);
    let message = answer.topics[0]
        .error_message
        .as_deref()
        .unwrap_or_default()
        .to_owned();
    (
        answer.topics.iter().map(|topic| topic.error_code).collect(),
        message,
    )
}

#[test]
fn topics_that_cannot_be_made_are_refused_in_kafkas_words() {
    let mut fixture = Fixture::with_topic("there", &[]);
    let not_a_name = "Topic name is invalid: 'a b' contains one or more characters other than \
                      ASCII alphanumerics, '.', '_' and '-'";
    let no_count = "Number of partitions was set to an invalid non-positive value.";
    let no_factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    for (wish, code, message) in [
        (wish("there"), 36, "Topic 'there' already exists."),
        (
            wish(""),
            17,
            "Topic name is invalid: the empty string is not allowed",
        ),
        (wish("."), 17, "Topic name is invalid: '.' is not allowed"),
        (wish("a b"), 17, not_a_name),
        (wish("t").with_num_partitions(0), 37, no_count),
        (
            wish("t").with_num_partitions(i32::MAX),
            44,
            "Excessively large number of partitions per request.",
        ),
        (wish("t").with_replication_factor(0), 38, no_factor),
    ] {
        assert_eq!(
            create(&mut fixture, vec![wish]),
            (vec![code], message.to_owned())
        );
    }
    let (codes, _) = create(&mut fixture, vec![wish("t").with_replication_factor(2)]);
    assert_eq!(codes, [38]);
    let (codes, message) = create(
        &mut fixture,
        vec![wish("twice"), wish("twice"), wish("once")],
    );
    assert_eq!(
        (codes, message.as_str()),
        (vec![42, 0], "Duplicate topic name.")
    );
    create(&mut fixture, vec![wish("x.y")]);
    let (codes, message) = create(&mut fixture, vec![wish("x_y")]);
    assert_eq!(codes, [17]);
    assert_eq!(message, "Topic 'x_y' collides with existing topic: x.y");
}

#[test]
fn a_manual_assignment_may_name_this_broker_alone() {
    let mut fixture = Fixture::new();
    let assigned = |brokers: &[i32], partition| {
        CreatableReplicaAssignment::default()
            .with_partition_index(partition)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    };
    let manual = |given| wish("t").with_num_partitions(-1).with_assignments(given);
    let counted = manual(vec![assigned(&[1], 0)]).with_replication_factor(1);
    let gap = manual(vec![assigned(&[1], 0), assigned(&[1], 2)]);
    for (wish, code, message) in [
        (
            counted,
            42,
            "A manual partition assignment was specified, but replication factor was not set to \
             -1.",
        ),
        (
            manual(vec![assigned(&[99], 0)]),
            39,
            "The manual partition assignment includes broker 99, but no such broker is \
             registered.",
        ),
        (
            gap,
            39,
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (manual(vec![assigned(&[1], 0), assigned(&[1], 1)]), 0, ""),
    ] {
        assert_eq!(
            create(&mut fixture, vec![wish]),
            (vec![code], message.to_owned())
        );
    }
}

#[test]
fn refusals_have_a_form_in_every_version() {
    let mut fixture = Fixture::with_topic("there", &[]);
    for version in 2..=7 {
        let request = CreateTopicsRequest::default().with_topics(vec![wish("there")]);
        assert_eq!(fixture.ask(&request, version).topics[0].error_code, 36);
    }
}

#[test]
fn configs_are_checked_in_kafkas_words() {
    let mut fixture = Fixture::new();
    for (name, value, message) in [
        (
            "no.such.config",
            Some("1"),
            "Unknown topic config name: no.such.config",
        ),
        (
            "retention.ms",
            Some("soon"),
            "Invalid value soon for configuration retention.ms: Not a number of type LONG",
        ),
        (
            "segment.bytes",
            Some("1"),
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "cleanup.policy",
            Some("burn"),
            "Invalid value burn for configuration cleanup.policy: String must be one of: compact, \
             delete",
        ),
        (
            "preallocate",
            Some("perhaps"),
            "Invalid value perhaps for configuration preallocate: Expected value to be either \
             true or false",
        ),
        (
            "min.cleanable.dirty.ratio",
            Some("1.5"),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more \
             than 1",
        ),
        (
            "retention.ms",
            None,
            "Null value not supported for topic configs: retention.ms",
        ),
    ] {
        let config = CreatableTopicConfig::default()
            .with_name(text(name))
            .with_value(value.map(text));
        let (codes, told) = create(&mut fixture, vec![wish("t").with_configs(vec![config])]);
        assert_eq!((codes, told.as_str()), (vec![40], message));
    }
}

#[test]
fn a_creation_that_is_only_checked_makes_nothing() {
    let mut fixture = Fixture::new();
    for version in 2..=7 {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![wish("t")])
            .with_validate_only(true);
        assert_eq!(fixture.ask(&request, version).topics[0].error_code, 0);
    }
    let all = fixture.ask(&MetadataRequest::default().with_topics(None), 1);
    assert!(all.topics.is_empty());
}

#[test]
fn a_deleted_topic_is_gone_and_its_name_free() {
    let mut fixture = Fixture::new();
    for version in 1..=5 {
        fixture.create("t", 1, &[]);
        let names = vec![topic("t"), topic("t"), topic("missing")];
        let request = DeleteTopicsRequest::default().with_topic_names(names);
        let answer = fixture.ask(&request, version);
        let codes: Vec<_> = answer
            .responses
            .iter()
            .map(|topic| topic.error_code)
            .collect();
        assert_eq!(codes, [0, 3, 3], "version {version}");
        assert_eq!(
            fixture.ask(&metadata_of("t", false), 8).topics[0].error_code,
            3
        );
    }
    fixture.create("t", 1, &[]);
    let id = fixture.ask(&metadata_of("t", false), 12).topics[0].topic_id;
    let by_id = |id| {
        DeleteTopicState::default()
            .with_name(None)
            .with_topic_id(id)
    };
    let both = by_id(id).with_name(Some(topic("t")));
    let topics = vec![by_id(Uuid::from_u128(1)), both, by_id(id)];
    let answer = fixture.ask(&DeleteTopicsRequest::default().with_topics(topics), 6);
    let codes: Vec<_> = answer
        .responses
        .iter()
        .map(|topic| topic.error_code)
        .collect();
    assert_eq!(codes, [100, 42, 0]);
    assert_eq!(answer.responses[2].name.as_ref().unwrap().as_str(), "t");
}

#[test]
fn configs_are_shown_with_their_sources() {
    let mut fixture = Fixture::with_topic("t", &[("retention.ms", "60000")]);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(None);
    for version in 1..=4 {
        let request = DescribeConfigsRequest::default()
            .with_resources(vec![resource.clone()])
            .with_include_synonyms(true);
        let answer = fixture.ask(&request, version);
        let configs = &answer.results[0].configs;
        assert_eq!(configs.len(), 33);
        let named = |name: &str| {
            configs
                .iter()
                .find(|config| config.name.as_str() == name)
                .unwrap()
        };
        let own = named("retention.ms");
        assert_eq!(
            (own.value.as_deref(), own.config_source),
            (Some("60000"), 1)
        );
        assert_eq!((own.synonyms.len(), own.synonyms[0].source), (1, 1));
        let default = named("max.message.bytes");
        assert_eq!(
            (default.value.as_deref(), default.config_source),
            (Some("1048588"), 5)
        );
        assert_eq!(default.synonyms[0].name.as_str(), "message.max.bytes");
    }
}

#[test]
fn resources_that_cannot_be_described_are_refused() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for (kind, name, error) in [
        (2, "missing", 3),
        (2, "a b", 17),
        (99, "t", 42),
        (4, "99", 42),
        (4, "x", 42),
        (4, "", 0),
        (4, "1", 0),
    ] {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(Some(vec![text("num.partitions")]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = fixture.ask(&request, 4);
        let answer = &answer.results[0];
        assert_eq!(answer.error_code, error, "{kind} {name}");
        assert_eq!(answer.configs.len(), usize::from(error == 0));
    }
}
