//! A client and a broker in one: requests are encoded by generated code, answers decoded by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    self, BrokerId, CreateTopicsRequest, FetchRequest, ProduceRequest, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request as Message, StrBytes};
use storage::catalog::{Catalog, Dynamic, Materialize, MemoryCheckpoint, Topic};
use storage::disk::{Disk, MemoryDisk};
use storage::log::{BatchBuilder, Codec, NewRecord, ProducerStamp};
use storage::model;
use storage::store::{Store, StoreOptions};

use crate::broker::{Broker, BrokerOptions, NewUuid, PendingFetch, Reply, Session};
use crate::wire::{Response, decode_request, encode_response};

pub(super) const NOW_MS: i64 = 1_700_000_000_000;
pub(super) const CORRELATION: i32 = 4_711;

pub(super) struct Fixture {
    pub(super) broker: Broker,
    pub(super) session: Session,
    pub(super) disk: Arc<dyn Disk>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::on(Arc::new(MemoryDisk::new()))
    }

    /// A broker over what is on `disk`.
    pub(super) fn on(disk: Arc<dyn Disk>) -> Self {
        let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
        let options = StoreOptions {
            store_uuid: [0xab; 16],
            ..StoreOptions::default()
        };
        let (store, _) = Store::open(Arc::clone(&disk), checkpoint, options, NOW_MS).unwrap();
        let options = BrokerOptions::new("broker.test", 9_092, Box::new(new_topic), new_uuids());
        let broker = Broker::new(Arc::new(store), options);
        Self {
            broker,
            session: Session::default(),
            disk,
        }
    }

    pub(super) fn with_topic(name: &str, configs: &[(&str, &str)]) -> Self {
        let mut fixture = Self::new();
        fixture.create(name, 1, configs);
        fixture
    }

    pub(super) fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| {
            let config = CreatableTopicConfig::default().with_name(text(name));
            config.with_value(Some(text(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(-1)
            .with_configs(configs.collect());
        let answer = self.ask(&CreateTopicsRequest::default().with_topics(vec![topic]), 7);
        assert_eq!(
            answer.topics[0].error_code, 0,
            "{:?}",
            answer.topics[0].error_message
        );
    }

    /// What the broker does about a request.
    pub(super) fn reply<M: Message>(&mut self, request: &M, version: i16) -> Reply {
        self.reply_to(&frame(request, version))
    }

    pub(super) fn reply_to(&mut self, frame: &Bytes) -> Reply {
        let (header, request) = decode_request(frame).unwrap();
        self.broker
            .handle(&mut self.session, &header, request, NOW_MS)
    }

    /// The answer to a request, as the client reads it. Commits when the answer waits for that,
    /// and takes what a fetch finds at once or at its deadline.
    pub(super) fn ask<M: Message>(&mut self, request: &M, version: i16) -> M::Response {
        let frame = frame(request, version);
        let response = match self.reply_to(&frame) {
            Reply::Ready(response) => response,
            Reply::AfterDurable(lsn, response) => {
                self.broker.store().wait_durable(lsn).unwrap();
                response
            }
            Reply::Fetch(mut fetch) => self.finish(&mut fetch),
            Reply::Later(_) => panic!("it waits"),
            Reply::None => panic!("no answer"),
            Reply::Close => panic!("closed"),
        };
        self.decode(&frame, &response, version)
    }

    fn finish(&self, fetch: &mut PendingFetch) -> Response {
        let now = self.broker.poll_fetch(fetch, usize::MAX, NOW_MS);
        let deadline_ms = fetch.deadline_ms();
        now.or_else(|| self.broker.poll_fetch(fetch, usize::MAX, deadline_ms))
            .expect("the deadline ends every fetch")
    }

    /// A response as bytes, and those as the client reads them.
    pub(super) fn decode<R: Decodable + HeaderVersion>(
        &self,
        request: &Bytes,
        response: &Response,
        version: i16,
    ) -> R {
        let (header, _) = decode_request(request).unwrap();
        let mut bytes = encode_response(&header, response).unwrap();
        let mut bytes = bytes.copy_to_bytes(bytes.remaining());
        assert_eq!(usize::try_from(bytes.get_i32()).unwrap(), bytes.len());
        let answered = ResponseHeader::decode(&mut bytes, R::header_version(version)).unwrap();
        assert_eq!(answered.correlation_id, CORRELATION);
        let decoded = R::decode(&mut bytes, version).unwrap();
        assert!(
            bytes.is_empty(),
            "{} bytes behind the response",
            bytes.len()
        );
        decoded
    }

    /// Produces to partition 0 with acks=all.
    pub(super) fn produce(&mut self, name: &str, records: Bytes) -> PartitionProduceResponse {
        let answer = self.ask(&produce_request(name, 0, -1, Some(records)), 8);
        answer.responses[0].partition_responses[0].clone()
    }

    /// Fetches from partition 0 without waiting.
    pub(super) fn fetch(&mut self, name: &str, offset: i64) -> PartitionData {
        let answer = self.ask(&fetch_request(&[(name, 0, offset)]), 11);
        answer.responses[0].partitions[0].clone()
    }
}

/// Numbers topics as the catalog wants it and gives them an identity that their number makes.
/// The topic that a template gives three partitions.
pub(super) const TEMPLATED: &str = "templated";

fn new_topic(name: &model::TopicName, catalog: &Catalog) -> Topic {
    let id = catalog.next_topic_id();
    let mut uuid = [0; 16];
    for (place, byte) in uuid.iter_mut().zip(name.as_str().bytes().cycle()) {
        *place = byte;
    }
    Topic {
        id,
        name: name.clone(),
        uuid,
        partitions: if name.as_str() == TEMPLATED { 3 } else { 1 },
        routing_partitions: None,
        created_ms: 0,
        config: std::collections::BTreeMap::new(),
        settings: std::collections::BTreeMap::new(),
        dynamic: Dynamic::True,
        mapping: Arc::default(),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

/// Ids in the order of counting.
fn new_uuids() -> NewUuid {
    let next = AtomicU8::new(1);
    Box::new(move || [next.fetch_add(1, Ordering::Relaxed); 16])
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A request as a client sends it, without its length.
pub(super) fn frame<M: Message>(request: &M, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    messages::RequestHeader::default()
        .with_request_api_key(M::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(text("test")))
        .encode(&mut out, M::header_version(version))
        .unwrap();
    request.encode(&mut out, version).unwrap();
    out.freeze()
}

pub(super) fn produce_request(
    name: &str,
    partition: i32,
    acks: i16,
    records: Option<Bytes>,
) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(records);
    let data = TopicProduceData::default()
        .with_name(topic(name))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(1_000)
        .with_topic_data(vec![data])
}

/// A fetch that does not wait: topic, partition and offset of each place.
pub(super) fn fetch_request(places: &[(&str, i32, i64)]) -> FetchRequest {
    let topics = places.iter().map(|(name, partition, offset)| {
        let partition = FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default()
            .with_topic(topic(name))
            .with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_topics(topics.collect())
}

/// A batch of `values` with keys, at [`NOW_MS`].
pub(super) fn batch(values: &[&str]) -> Bytes {
    compressed(values, Codec::None)
}

pub(super) fn compressed(values: &[&str], codec: Codec) -> Bytes {
    build(BatchBuilder::new(), values, NOW_MS, codec)
}

/// A batch of an idempotent producer.
pub(super) fn numbered(producer_id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let stamp = ProducerStamp {
        producer_id,
        producer_epoch: epoch,
        base_sequence: sequence,
    };
    let builder = BatchBuilder::new().with_stamp(stamp);
    build(builder, &vec!["value"; count], NOW_MS, Codec::None)
}

pub(super) fn build(
    mut builder: BatchBuilder,
    values: &[&str],
    timestamp_ms: i64,
    codec: Codec,
) -> Bytes {
    for value in values {
        let record = NewRecord {
            timestamp_ms,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: &[],
        };
        builder.push(record).unwrap();
    }
    builder.finish(codec).bytes().clone()
}

/// A batch with some bytes of its header changed and its checksum made right again.
pub(super) fn changed(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut changed = batch.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    let checksum = crc32c::crc32c(&changed[21..]);
    changed[17..21].copy_from_slice(&checksum.to_be_bytes());
    Bytes::from(changed)
}
