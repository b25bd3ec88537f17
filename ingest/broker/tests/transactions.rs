//! Transactions through requests: what readers see, what survives, who is fenced.

use std::sync::Arc;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, EndTxnRequest, GroupId, InitProducerIdRequest, ListOffsetsRequest,
    ListTransactionsRequest, OffsetFetchRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use storage::log::{BatchBuilder, Batches, Codec, DecompressionBuffer, ProducerStamp};

use super::fixture::*;

/// A producer as it knows itself.
#[derive(Debug, Clone)]
struct Writer {
    id: &'static str,
    producer_id: i64,
    epoch: i16,
    sequence: i32,
}

impl Writer {
    fn start(fixture: &mut Fixture, id: &'static str) -> Self {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional(id)))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = fixture.ask(&request, 4);
        assert_eq!(answer.error_code, 0);
        Self {
            id,
            producer_id: answer.producer_id.0,
            epoch: answer.producer_epoch,
            sequence: 0,
        }
    }

    fn add(&self, fixture: &mut Fixture, name: &str, partitions: &[i32]) -> i16 {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(topic(name))
            .with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional(self.id))
            .with_v3_and_below_producer_id(ProducerId(self.producer_id))
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer = fixture.ask(&request, 3);
        let topic = &answer.results_by_topic_v3_and_below[0];
        topic.results_by_partition[0].partition_error_code
    }

    /// One batch of `values` to a partition: error code and base offset.
    fn send(
        &mut self,
        fixture: &mut Fixture,
        name: &str,
        partition: i32,
        values: &[&str],
    ) -> (i16, i64) {
        let stamp = ProducerStamp {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
        };
        let builder = BatchBuilder::new().with_stamp(stamp).in_transaction();
        let records = build(builder, values, NOW_MS, Codec::None);
        let request = produce_request(name, partition, -1, Some(records))
            .with_transactional_id(Some(transactional(self.id)));
        let answer = fixture.ask(&request, 8);
        let answer = &answer.responses[0].partition_responses[0];
        if answer.error_code == 0 {
            self.sequence += i32::try_from(values.len()).unwrap();
        }
        (answer.error_code, answer.base_offset)
    }

    fn end(&self, fixture: &mut Fixture, committed: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(transactional(self.id))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.epoch)
            .with_committed(committed);
        fixture.ask(&request, 3).error_code
    }

    fn add_group(&self, fixture: &mut Fixture, group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(transactional(self.id))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.epoch)
            .with_group_id(GroupId(text(group)));
        fixture.ask(&request, 3).error_code
    }

    fn commit_offset(&self, fixture: &mut Fixture, group: &str, name: &str, offset: i64) -> i16 {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(transactional(self.id))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.epoch)
            .with_group_id(GroupId(text(group)))
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let answer = fixture.ask(&request, 3);
        answer.topics[0].partitions[0].error_code
    }
}

fn transactional(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

fn fetch(fixture: &mut Fixture, name: &str, isolation: i8) -> PartitionData {
    let request = fetch_request(&[(name, 0, 0)]).with_isolation_level(isolation);
    let answer = fixture.ask(&request, 11);
    answer.responses[0].partitions[0].clone()
}

/// What a reader of committed records makes of partition 0, as clients do it: batches of producers
/// that the list of aborted transactions names are left out up to their marker.
fn committed(fixture: &mut Fixture, name: &str) -> String {
    let fetched = fetch(fixture, name, 1);
    let mut aborted = fetched.aborted_transactions.unwrap();
    let mut leaving_out = Vec::new();
    let mut read = Vec::new();
    for batch in Batches::new(fetched.records.unwrap_or_default()) {
        let batch = batch.unwrap();
        let header = batch.header();
        let last = i64::try_from(header.last_offset().0).unwrap();
        let begun = aborted.iter().filter(|it| it.first_offset <= last);
        leaving_out.extend(begun.map(|it| it.producer_id.0));
        aborted.retain(|it| it.first_offset > last);
        if header.is_control() {
            leaving_out.retain(|id| *id != header.producer_id);
            continue;
        }
        if header.is_transactional() && leaving_out.contains(&header.producer_id) {
            continue;
        }
        for record in batch.records(&mut DecompressionBuffer::default()).unwrap() {
            let record = record.unwrap();
            let value = std::str::from_utf8(record.value.unwrap()).unwrap();
            read.push(format!("{}={value}", record.offset));
        }
    }
    read.push(format!("stable {}", fetched.last_stable_offset));
    read.push(format!("end {}", fetched.high_watermark));
    read.join(" ")
}

fn latest(fixture: &mut Fixture, name: &str, isolation: i8) -> i64 {
    let partition = ListOffsetsPartition::default()
        .with_current_leader_epoch(-1)
        .with_timestamp(-1);
    let topic = ListOffsetsTopic::default()
        .with_name(topic(name))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_isolation_level(isolation)
        .with_topics(vec![topic]);
    fixture.ask(&request, 5).topics[0].partitions[0].offset
}

/// Offset and error of partition 0.
fn group_offset(fixture: &mut Fixture, group: &str, is_stable: bool) -> (i64, i16) {
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(Some(vec![
            kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic::default()
                .with_name(topic("t"))
                .with_partition_indexes(vec![0]),
        ]))
        .with_require_stable(is_stable);
    let answer = fixture.ask(&request, 7);
    let partition = &answer.topics[0].partitions[0];
    (partition.committed_offset, partition.error_code)
}

#[test]
fn readers_see_what_was_committed() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let mut one = Writer::start(&mut fixture, "one");
    let mut two = Writer::start(&mut fixture, "two");
    assert_eq!(one.send(&mut fixture, "t", 0, &["early"]), (48, -1));
    for writer in [&one, &two] {
        assert_eq!(writer.add(&mut fixture, "t", &[0]), 0);
    }
    assert_eq!(fixture.produce("t", batch(&["plain"])).error_code, 0);
    assert_eq!(one.send(&mut fixture, "t", 0, &["a", "b"]), (0, 1));
    assert_eq!(two.send(&mut fixture, "t", 0, &["x"]), (0, 3));
    assert_eq!(committed(&mut fixture, "t"), "0=plain stable 1 end 4");
    assert_eq!(latest(&mut fixture, "t", 1), 1);
    assert_eq!(latest(&mut fixture, "t", 0), 4);

    assert_eq!(two.end(&mut fixture, false), 0);
    assert_eq!(committed(&mut fixture, "t"), "0=plain stable 1 end 5");
    assert_eq!(one.send(&mut fixture, "t", 0, &["c"]), (0, 5));
    assert_eq!(one.end(&mut fixture, true), 0);
    let all = "0=plain 1=a 2=b 5=c stable 7 end 7";
    assert_eq!(committed(&mut fixture, "t"), all);
    assert!(fetch(&mut fixture, "t", 0).aborted_transactions.is_none());

    let disk = Arc::clone(&fixture.disk);
    let mut fixture = Fixture::on(disk);
    assert_eq!(committed(&mut fixture, "t"), all, "after a crash");
    fixture.broker.store().close().unwrap();
    let mut fixture = Fixture::on(Arc::clone(&fixture.disk));
    assert_eq!(committed(&mut fixture, "t"), all, "from the checkpoint");
}

#[test]
fn an_open_transaction_survives_and_its_time_is_up() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let mut one = Writer::start(&mut fixture, "one");
    assert_eq!(one.add(&mut fixture, "t", &[0]), 0);
    assert_eq!(one.send(&mut fixture, "t", 0, &["a"]), (0, 0));
    let mut fixture = Fixture::on(Arc::clone(&fixture.disk));
    assert_eq!(committed(&mut fixture, "t"), "stable 0 end 1");
    assert_eq!(one.send(&mut fixture, "t", 0, &["b"]), (0, 1));

    fixture.broker.tick_transactions(NOW_MS + 59_999);
    assert_eq!(committed(&mut fixture, "t"), "stable 0 end 2");
    fixture.broker.tick_transactions(NOW_MS + 60_000);
    fixture.broker.store().commit().unwrap();
    assert_eq!(committed(&mut fixture, "t"), "stable 3 end 3");
    assert_eq!(one.send(&mut fixture, "t", 0, &["c"]), (47, -1));
    assert_eq!(one.end(&mut fixture, true), 90);
    let again = Writer::start(&mut fixture, "one");
    assert_eq!((again.producer_id, again.epoch), (one.producer_id, 2));
}

#[test]
fn a_second_instance_fences_the_first() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let mut first = Writer::start(&mut fixture, "one");
    assert_eq!(first.add(&mut fixture, "t", &[0]), 0);
    assert_eq!(first.send(&mut fixture, "t", 0, &["a"]), (0, 0));
    let mut second = Writer::start(&mut fixture, "one");
    assert_eq!((second.producer_id, second.epoch), (first.producer_id, 1));
    assert_eq!(committed(&mut fixture, "t"), "stable 2 end 2");
    assert_eq!(first.send(&mut fixture, "t", 0, &["b"]), (47, -1));
    assert_eq!(first.add(&mut fixture, "t", &[0]), 90);
    assert_eq!(second.add(&mut fixture, "t", &[0]), 0);
    assert_eq!(second.send(&mut fixture, "t", 0, &["c"]), (0, 2));
    assert_eq!(second.end(&mut fixture, true), 0);
    assert_eq!(committed(&mut fixture, "t"), "2=c stable 4 end 4");
}

#[test]
fn a_producer_writes_in_its_transaction_alone() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let mut one = Writer::start(&mut fixture, "one");
    assert_eq!(one.add(&mut fixture, "missing", &[0]), 3);
    assert_eq!(one.add(&mut fixture, "t", &[0, 9]), 55, "all or none");
    assert_eq!(one.add(&mut fixture, "t", &[0]), 0);
    assert_eq!(one.send(&mut fixture, "t", 0, &["a"]), (0, 0));
    let plain = numbered(one.producer_id, one.epoch, 1, 1);
    assert_eq!(fixture.produce("t", plain).error_code, 48);
    let mut nobody = one.clone();
    nobody.producer_id = 99;
    nobody.sequence = 0;
    assert_eq!(nobody.send(&mut fixture, "t", 0, &["x"]), (49, -1));
    assert_eq!(nobody.add(&mut fixture, "t", &[0]), 49);
    let stamp = ProducerStamp {
        producer_id: one.producer_id,
        producer_epoch: 0,
        base_sequence: 1,
    };
    let builder = BatchBuilder::new().with_stamp(stamp).in_transaction();
    let nameless = build(builder, &["y"], NOW_MS, Codec::None);
    assert_eq!(fixture.produce("t", nameless).error_code, 53);
}

#[test]
fn a_transaction_of_many_partitions_ends_everywhere() {
    let mut fixture = Fixture::new();
    fixture.create("many", 3, &[]);
    fixture.create("gone", 1, &[]);
    let mut one = Writer::start(&mut fixture, "one");
    assert_eq!(one.add(&mut fixture, "many", &[0, 2]), 0);
    assert_eq!(one.add(&mut fixture, "gone", &[0]), 0);
    assert_eq!(one.send(&mut fixture, "many", 0, &["a"]), (0, 0));
    let describe = DescribeTransactionsRequest::default()
        .with_transactional_ids(vec![transactional("one"), transactional("two")]);
    let answer = fixture.ask(&describe, 0);
    let state = &answer.transaction_states[0];
    assert_eq!(state.transaction_state.as_str(), "Ongoing");
    let topics = state.topics.iter();
    let topics: Vec<_> = topics
        .map(|it| format!("{:?}{:?}", it.topic.as_str(), it.partitions))
        .collect();
    assert_eq!(topics, [r#""gone"[0]"#, r#""many"[0, 2]"#]);
    assert_eq!(answer.transaction_states[1].error_code, 105);

    let topics = vec![
        TopicRequest::default()
            .with_name(topic("many"))
            .with_partition_indexes(vec![0]),
    ];
    let request = DescribeProducersRequest::default().with_topics(topics);
    let answer = fixture.ask(&request, 0);
    let producers = &answer.topics[0].partitions[0].active_producers;
    assert_eq!(producers[0].current_txn_start_offset, 0);

    let delete = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_topic_names(vec![topic("gone")]);
    assert_eq!(fixture.ask(&delete, 4).responses[0].error_code, 0);
    assert_eq!(one.end(&mut fixture, true), 0);
    let places = [("many", 0, 0), ("many", 1, 0), ("many", 2, 0)];
    let answer = fixture.ask(&fetch_request(&places), 11);
    let ends = answer.responses.iter();
    let ends: Vec<i64> = ends.map(|it| it.partitions[0].high_watermark).collect();
    assert_eq!(ends, [2, 0, 1], "records and markers");

    let list = |filter: &[&str]| {
        let states = filter.iter().map(|state| text(state));
        ListTransactionsRequest::default().with_state_filters(states.collect())
    };
    let answer = fixture.ask(&list(&[]), 0);
    let state = &answer.transaction_states[0];
    assert_eq!(state.transaction_state.as_str(), "CompleteCommit");
    let answer = fixture.ask(&list(&["Ongoing", "Odd"]), 0);
    assert!(answer.transaction_states.is_empty());
    assert_eq!(answer.unknown_state_filters[0].as_str(), "Odd");
}

#[test]
fn offsets_count_with_their_transaction() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let one = Writer::start(&mut fixture, "one");
    assert_eq!(one.commit_offset(&mut fixture, "g", "t", 5), 48);
    assert_eq!(one.add_group(&mut fixture, "g"), 0);
    assert_eq!(one.commit_offset(&mut fixture, "", "t", 5), 24);
    assert_eq!(one.commit_offset(&mut fixture, "g", "t", 5), 0);
    assert_eq!(group_offset(&mut fixture, "g", false), (-1, 0));
    assert_eq!(group_offset(&mut fixture, "g", true), (-1, 88));

    let mut fixture = Fixture::on(Arc::clone(&fixture.disk));
    assert_eq!(group_offset(&mut fixture, "g", true), (-1, 88));
    assert_eq!(one.end(&mut fixture, true), 0);
    assert_eq!(group_offset(&mut fixture, "g", true), (5, 0));

    assert_eq!(one.add_group(&mut fixture, "g"), 0);
    assert_eq!(one.commit_offset(&mut fixture, "g", "t", 9), 0);
    assert_eq!(one.end(&mut fixture, false), 0);
    assert_eq!(group_offset(&mut fixture, "g", true), (5, 0));
    let mut fixture = Fixture::on(Arc::clone(&fixture.disk));
    assert_eq!(group_offset(&mut fixture, "g", true), (5, 0));
}

/// What a marker for partitions 0 and 9 of `t` is answered.
fn mark(fixture: &mut Fixture, writer: &Writer, epoch: i16, committed: bool) -> [i16; 2] {
    let topic = WritableTxnMarkerTopic::default()
        .with_name(topic("t"))
        .with_partition_indexes(vec![0, 9]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(writer.producer_id))
        .with_producer_epoch(epoch)
        .with_transaction_result(committed)
        .with_topics(vec![topic]);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let answer = fixture.ask(&request, 1);
    let partitions = &answer.markers[0].topics[0].partitions;
    [partitions[0].error_code, partitions[1].error_code]
}

#[test]
fn an_administrator_ends_what_a_producer_left_open() {
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.create("u", 1, &[]);
    let mut one = Writer::start(&mut fixture, "one");
    assert_eq!(one.add(&mut fixture, "t", &[0]), 0);
    assert_eq!(one.add(&mut fixture, "u", &[0]), 0);
    assert_eq!(one.send(&mut fixture, "t", 0, &["a"]), (0, 0));
    let mut other = one.clone();
    other.sequence = 0;
    assert_eq!(other.send(&mut fixture, "u", 0, &["b"]), (0, 0));

    assert_eq!(mark(&mut fixture, &one, 0, true), [31, 3], "never a commit");
    assert_eq!(committed(&mut fixture, "t"), "stable 0 end 1");
    assert_eq!(mark(&mut fixture, &one, 0, false), [0, 3]);
    assert_eq!(committed(&mut fixture, "t"), "stable 2 end 2");
    assert_eq!(committed(&mut fixture, "u"), "stable 2 end 2", "all of it");
    assert_eq!(one.send(&mut fixture, "t", 0, &["c"]), (47, -1));
    assert_eq!(one.end(&mut fixture, true), 90);
    assert_eq!(mark(&mut fixture, &one, 0, false), [47, 3]);
    assert_eq!(
        mark(&mut fixture, &one, 1, false),
        [0, 3],
        "nothing is open"
    );
    assert_eq!(committed(&mut fixture, "t"), "stable 2 end 2");

    let mut fixture = Fixture::on(Arc::clone(&fixture.disk));
    assert_eq!(
        committed(&mut fixture, "t"),
        "stable 2 end 2",
        "after a crash"
    );
}

#[test]
fn ids_that_nobody_uses_are_forgotten() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let one = Writer::start(&mut fixture, "one");
    let week_ms = 7 * 24 * 60 * 60 * 1_000;
    fixture.broker.tick_transactions(NOW_MS + week_ms);
    assert_eq!(one.add(&mut fixture, "t", &[0]), 0, "it is still known");
    assert_eq!(one.end(&mut fixture, true), 0);
    fixture.broker.tick_transactions(NOW_MS + 2 * week_ms);
    assert_eq!(one.add(&mut fixture, "t", &[0]), 49);
}
