//! Every version of every request against the generated encoders, and bytes that nobody meant.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{
    FetchPartition, FetchTopic, ForgottenTopic, ReplicaState,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    self, ApiVersionsRequest, BrokerId, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, ProducerId, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const CORRELATION: i32 = 77;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn header(api: Api, version: i16) -> BytesMut {
    let mut out = BytesMut::new();
    messages::RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(text("a client")))
        .with_unknown_tagged_field(9, Bytes::from_static(b"in the header"))
        .encode(&mut out, if version >= api.flexible_from() { 2 } else { 1 })
        .unwrap();
    out
}

/// A request of `api` in which everything that the version has is filled in.
fn full_body(api: Api, version: i16, out: &mut BytesMut) {
    let encoded = match api {
        Api::Produce => full_produce().encode(out, version),
        Api::Fetch => full_fetch(version).encode(out, version),
        Api::ListOffsets => full_list_offsets().encode(out, version),
        Api::Metadata => full_metadata(version).encode(out, version),
        Api::ApiVersions => full_api_versions(version).encode(out, version),
        Api::CreateTopics => full_create_topics().encode(out, version),
        Api::DeleteTopics => full_delete_topics(version).encode(out, version),
        Api::InitProducerId => full_init_producer_id(version).encode(out, version),
        Api::DescribeConfigs => full_describe_configs().encode(out, version),
        more => {
            test_requests::full_body(more, version, out);
            Ok(())
        }
    };
    encoded.unwrap();
}

fn full_produce() -> ProduceRequest {
    let partition = PartitionProduceData::default()
        .with_index(3)
        .with_records(Some(Bytes::from_static(b"not really records")));
    let topic = TopicProduceData::default()
        .with_name(name("events"))
        .with_partition_data(vec![partition.clone(), partition.with_records(None)]);
    ProduceRequest::default()
        .with_transactional_id(Some(text("me").into()))
        .with_acks(-1)
        .with_topic_data(vec![topic])
}

fn full_list_offsets() -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_partition_index(1);
    let topic = ListOffsetsTopic::default()
        .with_name(name("events"))
        .with_partitions(vec![partition.clone(), partition]);
    ListOffsetsRequest::default().with_topics(vec![topic.clone(), topic])
}

fn full_metadata(version: i16) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(name("events")));
    let request = MetadataRequest::default().with_topics(Some(vec![topic.clone(), topic]));
    if version < Api::Metadata.flexible_from() {
        return request;
    }
    request.with_unknown_tagged_field(1_000, Bytes::from_static(b"unknown to us"))
}

fn full_api_versions(version: i16) -> ApiVersionsRequest {
    if version < 3 {
        return ApiVersionsRequest::default();
    }
    ApiVersionsRequest::default()
        .with_client_software_name(text("proptest"))
        .with_client_software_version(text("1.0"))
}

fn full_create_topics() -> CreateTopicsRequest {
    let brokers = vec![BrokerId(1), BrokerId(2)];
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(brokers);
    let config = CreatableTopicConfig::default().with_name(text("retention.ms"));
    let topic = CreatableTopic::default()
        .with_name(name("events"))
        .with_assignments(vec![assignment.clone(), assignment])
        .with_configs(vec![config.clone().with_value(None), config]);
    CreateTopicsRequest::default().with_topics(vec![topic.clone(), topic])
}

fn full_delete_topics(version: i16) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default();
    if version < 6 {
        return request.with_topic_names(vec![name("events"), name("more")]);
    }
    let topic = DeleteTopicState::default();
    request.with_topics(vec![topic.clone().with_name(Some(name("events"))), topic])
}

fn full_init_producer_id(version: i16) -> InitProducerIdRequest {
    let request = InitProducerIdRequest::default().with_transactional_id(Some(text("me").into()));
    if version < 3 {
        return request;
    }
    request
        .with_producer_id(ProducerId(5))
        .with_producer_epoch(1)
}

fn full_describe_configs() -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("events"))
        .with_configuration_keys(Some(vec![text("retention.ms"), text("segment.ms")]));
    let all = resource.clone().with_configuration_keys(None);
    DescribeConfigsRequest::default().with_resources(vec![resource, all])
}

fn full_fetch(version: i16) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(2)
        .with_fetch_offset(40);
    let mut topic = FetchTopic::default().with_partitions(vec![partition.clone(), partition]);
    let mut forgotten = ForgottenTopic::default().with_partitions(vec![1, 2, 3]);
    if version >= 13 {
        topic = topic.with_topic_id(Uuid::from_u128(5));
        forgotten = forgotten.with_topic_id(Uuid::from_u128(6));
    } else {
        topic = topic.with_topic(name("events"));
        forgotten = forgotten.with_topic(name("more"));
    }
    let mut request = FetchRequest::default()
        .with_max_wait_ms(500)
        .with_topics(vec![topic.clone(), topic]);
    if version >= 7 {
        request = request.with_forgotten_topics_data(vec![forgotten]);
    }
    if version >= 11 {
        request = request.with_rack_id(text("a rack"));
    }
    if version >= 12 {
        request = request.with_cluster_id(Some(text("a cluster")));
    }
    if version >= 15 {
        request = request.with_replica_state(ReplicaState::default().with_replica_id(BrokerId(7)));
    }
    request
}

fn full_frame(api: Api, version: i16) -> Bytes {
    let mut out = header(api, version);
    full_body(api, version, &mut out);
    out.freeze()
}

fn every_version() -> impl Iterator<Item = (Api, i16)> {
    Api::ALL
        .into_iter()
        .flat_map(|api| (api.served().min..=api.served().max).map(move |v| (api, v)))
}

#[test]
fn every_version_of_every_request_is_read() {
    for (api, version) in every_version() {
        let frame = full_frame(api, version);
        let (header, _) =
            decode_request(&frame).unwrap_or_else(|e| panic!("{api:?} {version}: {e}"));
        assert_eq!(
            (header.api, header.version, header.correlation_id),
            (api, version, CORRELATION)
        );
        assert_eq!(header.client_id.as_deref(), Some("a client"));
    }
}

#[test]
fn bytes_behind_a_request_are_ignored() {
    for (api, version) in every_version() {
        let mut frame = BytesMut::from(&full_frame(api, version)[..]);
        frame.put_bytes(0xff, 10);
        decode_request(&frame.freeze()).unwrap_or_else(|e| panic!("{api:?} {version}: {e}"));
    }
}

#[test]
fn a_request_that_ends_early_is_refused_wherever_it_ends() {
    for (api, version) in every_version() {
        let frame = full_frame(api, version);
        for end in 0..frame.len() {
            let cut = decode_request(&frame.slice(..end));
            assert!(
                cut.is_err(),
                "{api:?} {version} is read from its first {end} bytes"
            );
        }
    }
}

#[test]
fn lengths_that_lie_claim_nothing() {
    for (api, version) in every_version() {
        for bomb in [
            &[0x7f_u8, 0xff, 0xff, 0xff][..],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x77; 12],
        ] {
            let mut frame = header(api, version);
            frame.put_slice(bomb);
            // Whatever the bytes mean, they name no memory that is not there.
            let _ = decode_request(&frame.freeze());
        }
    }
    // The twelve bytes of a produce request that make the generated decoder ask for 206 GB.
    let mut frame = header(Api::Produce, 3);
    frame.put_i16(-1);
    frame.put_i16(1);
    frame.put_i32(1_000);
    frame.put_i32(i32::MAX);
    assert!(matches!(
        decode_request(&frame.freeze()),
        Err(WireError::TooManyElements { elements }) if elements == 0x7fff_ffff
    ));
}

#[test]
fn a_known_tagged_field_must_be_as_long_as_it_says() {
    let mut frame = header(Api::Fetch, 12);
    frame.put_bytes(0, 4 + 13 + 8);
    // No topics, no forgotten topics, no rack; then the cluster id in a field of the wrong size.
    frame.put_slice(&[1, 1, 1, 1, 0, 9, 3, b'a', b'b']);
    assert!(matches!(
        decode_request(&frame.freeze()),
        Err(WireError::TagSize {
            tag: 0,
            size: 9,
            read: 3
        })
    ));
}

#[test]
fn an_unknown_version_is_an_error_and_of_api_versions_an_answer() {
    let frame = header(Api::Metadata, 99).freeze();
    assert!(matches!(
        decode_request(&frame),
        Err(WireError::UnknownVersion {
            api: Api::Metadata,
            version: 99
        })
    ));
    let (header, request) = decode_request(&header(Api::ApiVersions, 99).freeze()).unwrap();
    assert_eq!((header.version, header.correlation_id), (0, CORRELATION));
    assert!(matches!(request, Request::ApiVersionsUnknown));
}

#[test]
fn fetch_responses_are_those_of_the_generated_encoder() {
    for version in Api::Fetch.served().min..=Api::Fetch.served().max {
        let partition = FetchedPartition {
            index: 4,
            error: None,
            high_watermark: 12,
            last_stable: 9,
            log_start: 2,
            aborted: Some(vec![(7, 3), (8, 4)]),
            records: Bytes::from(vec![7; 300]),
        };
        let refused = FetchedPartition::refused(5, KafkaError::OffsetOutOfRange);
        let response = FetchResponse {
            error: None,
            topics: vec![FetchedTopic {
                name: "events".to_owned(),
                uuid: [3; 16],
                partitions: vec![partition, refused],
            }],
        };
        let mut frame = encode(Api::Fetch, version, &Response::Fetch(response));
        assert_eq!(frame.get_u32(), u32::try_from(frame.remaining()).unwrap());
        let header_version = if version >= 12 { 1 } else { 0 };
        let header = ResponseHeader::decode(&mut frame, header_version).unwrap();
        assert_eq!(header.correlation_id, CORRELATION);
        let body = frame.clone();
        let decoded = messages::FetchResponse::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining());
        let mut encoded = BytesMut::new();
        decoded.encode(&mut encoded, version).unwrap();
        assert_eq!(encoded, body, "version {version}");
        let partitions = &decoded.responses[0].partitions;
        assert_eq!(partitions[0].records.as_ref().unwrap().len(), 300);
        assert_eq!(
            (
                partitions[0].high_watermark,
                partitions[0].last_stable_offset
            ),
            (12, 9)
        );
        let aborted = partitions[0].aborted_transactions.as_ref().unwrap();
        assert_eq!((aborted[1].producer_id.0, aborted[1].first_offset), (8, 4));
        assert!(partitions[1].aborted_transactions.is_none());
        assert_eq!(
            (partitions[1].error_code, partitions[1].high_watermark),
            (1, -1)
        );
    }
}

#[test]
fn the_header_of_an_api_versions_response_never_has_tags() {
    for version in 0..=4 {
        let response = Response::ApiVersions(messages::ApiVersionsResponse::default());
        let mut frame = encode(Api::ApiVersions, version, &response);
        frame.advance(4);
        assert_eq!(frame.get_i32(), CORRELATION);
        messages::ApiVersionsResponse::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "version {version}");
    }
}

fn encode(api: Api, version: i16, response: &Response) -> Bytes {
    let header = RequestHeader {
        api,
        version,
        correlation_id: CORRELATION,
        client_id: None,
    };
    let mut frame = encode_response(&header, response).unwrap();
    frame.copy_to_bytes(frame.remaining())
}

fn any_version() -> impl Strategy<Value = (Api, i16)> {
    prop::sample::select(every_version().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn random_bodies_are_read_or_refused(
        (api, version) in any_version(),
        body in prop::collection::vec(
            prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()],
            0..200,
        ),
    ) {
        let mut frame = header(api, version);
        frame.put_slice(&body);
        let _ = decode_request(&frame.freeze());
    }

    #[test]
    fn the_walk_ends_where_the_decoder_ends(
        (api, version) in any_version(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let frame = full_frame(api, version);
        let mut frame = BytesMut::from(&frame[..]);
        let start = header(api, version).len();
        for (place, byte) in changes {
            if frame.len() > start {
                let place = start + place.index(frame.len() - start);
                frame[place] = byte;
            }
        }
        let result = decode_request(&frame.freeze());
        prop_assert!(!matches!(result, Err(WireError::Layout { .. })), "{result:?}");
    }
}

#[test]
fn the_page_on_compatibility_lists_what_is_served() {
    let page = include_str!("../../docs/compatibility/kafka.md");
    let listed: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let served = Api::ALL.map(|api| {
        let VersionRange { min, max } = api.served();
        format!("| {} | {api:?} | {min}–{max} |", api.key())
    });
    assert_eq!(listed, served);
}
