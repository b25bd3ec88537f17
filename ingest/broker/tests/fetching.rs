//! Fetch and ListOffsets: what is there, and when.

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataRequest};
use storage::log::{BatchBuilder, Batches, Codec};
use uuid::Uuid;

use super::fixture::{Fixture, NOW_MS, batch, build, fetch_request, produce_request, topic};
use crate::broker::Reply;

fn batch_count(records: &Bytes) -> usize {
    Batches::new(records.clone()).map(Result::unwrap).count()
}

#[test]
fn the_batch_that_holds_the_offset_comes_whole_and_every_version_reads_it() {
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.produce("t", batch(&["a", "b", "c"]));
    fixture.produce("t", batch(&["d"]));
    for version in 4..=12 {
        let answer = fixture.ask(&fetch_request(&[("t", 0, 2)]), version);
        assert_eq!((answer.error_code, answer.session_id), (0, 0));
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(
            (partition.high_watermark, partition.last_stable_offset),
            (4, 4)
        );
        let records = partition.records.as_ref().unwrap();
        assert_eq!(batch_count(records), 2);
        assert_eq!(records[..8], 0_i64.to_be_bytes());
    }
}

#[test]
fn topics_are_known_by_their_ids_from_version_13() {
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.produce("t", batch(&["a"]));
    let metadata = fixture.ask(&MetadataRequest::default().with_topics(None), 12);
    let id = metadata.topics[0].topic_id;
    assert!(!id.is_nil());
    for version in 13..=17 {
        for (id, error) in [(id, 0), (Uuid::from_u128(1), 100)] {
            let mut request = fetch_request(&[("t", 0, 0)]);
            request.topics[0].topic = topic("");
            request.topics[0].topic_id = id;
            let answer = fixture.ask(&request, version);
            assert_eq!((answer.error_code, answer.responses[0].topic_id), (0, id));
            assert_eq!(answer.responses[0].partitions[0].error_code, error);
        }
    }
}

#[test]
fn the_first_batch_comes_whatever_the_limits_and_the_others_only_within_them() {
    let mut fixture = Fixture::new();
    for name in ["a", "b"] {
        fixture.create(name, 1, &[]);
        fixture.produce(name, batch(&["1"]));
        fixture.produce(name, batch(&["2"]));
    }
    let sizes = |fixture: &mut Fixture, max_bytes, partition_max_bytes| {
        let mut request = fetch_request(&[("a", 0, 0), ("b", 0, 0)]);
        request.max_bytes = max_bytes;
        for topic in &mut request.topics {
            topic.partitions[0].partition_max_bytes = partition_max_bytes;
        }
        let answer = fixture.ask(&request, 11);
        let records = answer
            .responses
            .iter()
            .map(|it| it.partitions[0].records.clone().unwrap());
        records
            .map(|records| batch_count(&records))
            .collect::<Vec<_>>()
    };
    let one = i32::try_from(batch(&["1"]).len()).unwrap();
    assert_eq!(sizes(&mut fixture, 1 << 20, 1 << 20), [2, 2]);
    assert_eq!(sizes(&mut fixture, 1 << 20, one), [1, 1]);
    assert_eq!(sizes(&mut fixture, 1 << 20, 0), [1, 0]);
    assert_eq!(sizes(&mut fixture, 0, 1 << 20), [1, 0]);
    assert_eq!(sizes(&mut fixture, 3 * one, 1 << 20), [2, 1]);
    assert_eq!(sizes(&mut fixture, 2 * one + 1, 1 << 20), [2, 0]);
}

#[test]
fn places_outside_the_log_are_refused_at_once() {
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.produce("t", batch(&["a"]));
    for (name, partition, offset, error) in [
        ("t", 0, 1, 0),
        ("t", 0, 2, 1),
        ("t", 0, -5, 1),
        ("t", 9, 0, 3),
        ("missing", 0, 0, 3),
    ] {
        let mut request = fetch_request(&[(name, partition, offset)]);
        request.max_wait_ms = 60_000;
        let Reply::Fetch(mut fetch) = fixture.reply(&request, 11) else {
            panic!("a fetch")
        };
        let now = fixture.broker.poll_fetch(&mut fetch, usize::MAX, NOW_MS);
        assert_eq!(now.is_some(), error != 0, "{name} {partition} {offset}");
        let answer = fixture.ask(&request, 11);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, error);
        if error != 0 {
            assert_eq!(
                (partition.high_watermark, partition.log_start_offset),
                (-1, -1)
            );
        }
    }
}

#[test]
fn followers_sessions_and_unknown_epochs_are_refused() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let mut request = fetch_request(&[("t", 0, 0)]);
    request.replica_id = BrokerId(7);
    assert_eq!(
        fixture.ask(&request, 11).responses[0].partitions[0].error_code,
        6
    );

    let mut request = fetch_request(&[("t", 0, 0)]);
    request.topics[0].partitions[0].current_leader_epoch = 1_000;
    assert_eq!(
        fixture.ask(&request, 11).responses[0].partitions[0].error_code,
        75
    );

    for (session_id, session_epoch, error) in [(12_345, 5, 70), (0, 5, 70), (0, 0, 0), (0, -1, 0)] {
        let mut request = fetch_request(&[("t", 0, 0)]);
        request.session_id = session_id;
        request.session_epoch = session_epoch;
        assert_eq!(
            fixture.ask(&request, 11).error_code,
            error,
            "{session_id} {session_epoch}"
        );
    }
}

#[test]
fn a_fetch_waits_for_enough_bytes_or_its_deadline() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let one = i32::try_from(batch(&["a"]).len()).unwrap();
    let mut request = fetch_request(&[("t", 0, 0)]);
    request.max_wait_ms = 500;
    request.min_bytes = 2 * one;
    let Reply::Fetch(mut fetch) = fixture.reply(&request, 11) else {
        panic!("a fetch")
    };
    assert_eq!(fetch.deadline_ms(), NOW_MS + 500);
    assert!(!fixture.broker.is_fetch_due(&fetch, NOW_MS));
    fixture.produce("t", batch(&["a"]));
    assert!(fixture.broker.is_fetch_due(&fetch, NOW_MS));
    assert!(
        fixture
            .broker
            .poll_fetch(&mut fetch, usize::MAX, NOW_MS)
            .is_none(),
        "too little"
    );
    assert!(
        !fixture.broker.is_fetch_due(&fetch, NOW_MS),
        "and nothing new"
    );
    assert!(
        fixture
            .broker
            .poll_fetch(&mut fetch, usize::MAX, NOW_MS + 500)
            .is_some()
    );
    fixture.produce("t", batch(&["b"]));
    assert!(
        fixture
            .broker
            .poll_fetch(&mut fetch, usize::MAX, NOW_MS + 1)
            .is_some(),
        "enough"
    );
}

#[test]
fn a_caller_short_of_memory_bounds_a_fetch() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for _ in 0..10 {
        fixture.produce("t", batch(&["a"]));
    }
    let request = fetch_request(&[("t", 0, 0)]);
    let Reply::Fetch(mut fetch) = fixture.reply(&request, 11) else {
        panic!("a fetch")
    };
    let response = fixture.broker.poll_fetch(&mut fetch, 1, NOW_MS).unwrap();
    let frame = super::fixture::frame(&request, 11);
    let answer: kafka_protocol::messages::FetchResponse = fixture.decode(&frame, &response, 11);
    assert_eq!(
        batch_count(answer.responses[0].partitions[0].records.as_ref().unwrap()),
        1
    );
}

fn offset_at(fixture: &mut Fixture, time: i64, version: i16) -> (i16, i64, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(time);
    let asked = ListOffsetsTopic::default()
        .with_name(topic("t"))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_topics(vec![asked]);
    let answer = fixture.ask(&request, version);
    let found = &answer.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp)
}

#[test]
fn offsets_are_found_by_time() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for time_ms in [100, 300, 200] {
        fixture.produce(
            "t",
            build(BatchBuilder::new(), &["v"], time_ms, Codec::None),
        );
    }
    for version in 1..=9 {
        assert_eq!(offset_at(&mut fixture, -1, version), (0, 3, -1));
        assert_eq!(offset_at(&mut fixture, -2, version), (0, 0, -1));
        assert_eq!(offset_at(&mut fixture, 150, version), (0, 1, 300));
        assert_eq!(offset_at(&mut fixture, 301, version), (0, -1, -1));
        assert_eq!(offset_at(&mut fixture, -9, version), (35, -1, -1));
        let latest = if version >= 7 {
            (0, 1, 300)
        } else {
            (35, -1, -1)
        };
        assert_eq!(offset_at(&mut fixture, -3, version), latest);
        let local = if version >= 8 {
            (0, 0, -1)
        } else {
            (35, -1, -1)
        };
        assert_eq!(offset_at(&mut fixture, -4, version), local);
        let tiered = if version >= 9 {
            (0, -1, -1)
        } else {
            (35, -1, -1)
        };
        assert_eq!(offset_at(&mut fixture, -5, version), tiered);
    }
}

#[test]
fn offsets_of_unknown_places_are_refused() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let mut ask = |name: &str, partitions: Vec<ListOffsetsPartition>| {
        let asked = ListOffsetsTopic::default()
            .with_name(topic(name))
            .with_partitions(partitions);
        let request = ListOffsetsRequest::default().with_topics(vec![asked]);
        let answer = fixture.ask(&request, 5);
        answer.topics[0]
            .partitions
            .iter()
            .map(|it| it.error_code)
            .collect::<Vec<_>>()
    };
    assert_eq!(ask("missing", vec![partition.clone()]), [3]);
    assert_eq!(
        ask("t", vec![partition.clone().with_partition_index(99)]),
        [3]
    );
    assert_eq!(
        ask(
            "t",
            vec![partition.clone().with_current_leader_epoch(1_000)]
        ),
        [75]
    );
    assert_eq!(
        ask("t", vec![partition.clone(), partition]),
        [42, 42],
        "named twice"
    );
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.produce("t", batch(&["a", "b"]));
    fixture.reply(&produce_request("t", 0, 0, Some(batch(&["lost"]))), 8);
    let mut fixture = Fixture::on(fixture.disk);
    let found = fixture.fetch("t", 0);
    assert_eq!(found.high_watermark, 2);
    assert_eq!(batch_count(&found.records.unwrap()), 1);
    // Something may have been lost, so clients must ask who leads now.
    let mut request = fetch_request(&[("t", 0, 2)]);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    assert_eq!(
        fixture.ask(&request, 11).responses[0].partitions[0].error_code,
        74
    );
}
