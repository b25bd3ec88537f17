//! Producers with an id: nothing twice, nothing left out.

use std::sync::Arc;

use kafka_protocol::messages::InitProducerIdRequest;

use super::fixture::{Fixture, numbered, text};
use crate::broker::Reply;

fn plain() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None)
}

fn init(fixture: &mut Fixture) -> i64 {
    let answer = fixture.ask(&plain(), 4);
    assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
    answer.producer_id.0
}

#[test]
fn sequences_are_checked_as_kafka_checks_them() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let id = init(&mut fixture);
    let mut send = |epoch, sequence, count| {
        let answer = fixture.produce("t", numbered(id, epoch, sequence, count));
        (answer.error_code, answer.base_offset)
    };
    assert_eq!(send(0, 0, 2), (0, 0), "the first");
    assert_eq!(send(0, 0, 2), (0, 0), "the same again");
    assert_eq!(send(0, 10, 1), (45, -1), "a gap");
    for sequence in 2..=8 {
        assert_eq!(send(0, sequence, 1), (0, i64::from(sequence)));
    }
    assert_eq!(send(0, 4, 1), (0, 4), "the fifth last again");
    assert_eq!(send(0, 0, 2), (45, -1), "too long ago");
    assert_eq!(send(0, 8, 3), (45, -1), "an overlap");
    assert_eq!(
        send(1, 5, 1),
        (45, -1),
        "a new epoch that does not start at 0"
    );
    assert_eq!(send(1, 0, 1), (0, 9), "a new epoch");
    assert_eq!(send(0, 9, 1), (47, -1), "an old epoch");
    assert_eq!(send(-1, 0, 1), (47, -1), "no epoch");
    assert_eq!(send(1, -1, 1), (87, -1), "no sequence");
}

#[test]
fn a_repeated_batch_waits_for_the_first_copy() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let id = init(&mut fixture);
    let request = super::fixture::produce_request("t", 0, -1, Some(numbered(id, 0, 0, 1)));
    let Reply::AfterDurable(first, _) = fixture.reply(&request, 8) else {
        panic!("it waits")
    };
    let Reply::AfterDurable(again, _) = fixture.reply(&request, 8) else {
        panic!("it waits")
    };
    assert!(again >= first);
    fixture.broker.store().wait_durable(again).unwrap();
    assert_eq!(fixture.fetch("t", 0).high_watermark, 1);
}

#[test]
fn ids_are_never_given_twice() {
    let mut fixture = Fixture::new();
    let mut given = Vec::new();
    for _ in 0..3 {
        given.extend((0..1_001).map(|_| init(&mut fixture)));
        // A crash: the store is opened again without having been closed.
        fixture = Fixture::on(Arc::clone(&fixture.disk));
    }
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count);
}

#[test]
fn every_version_gives_ids_and_odd_transactional_ids_are_refused() {
    let mut fixture = Fixture::new();
    for version in 0..=5 {
        let answer = fixture.ask(&plain(), version);
        assert_eq!(
            (answer.error_code, answer.producer_id.0),
            (0, i64::from(version))
        );
    }
    for (id, timeout_ms, error) in [("t", 0, 50), ("t", 86_400_000, 50), ("", 60_000, 42)] {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(text(id).into()))
            .with_transaction_timeout_ms(timeout_ms);
        let answer = fixture.ask(&request, 4);
        assert_eq!((answer.error_code, answer.producer_id.0), (error, -1));
    }
}
