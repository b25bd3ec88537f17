//! Produce: what comes in, and what does not.

use bytes::{Bytes, BytesMut};
use storage::log::{BatchBuilder, Codec, NewRecord};

use super::fixture::{Fixture, NOW_MS, batch, build, changed, compressed, frame, produce_request};
use crate::broker::Reply;

/// Fields of a batch's header.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CHECKSUM: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const RECORD_COUNT: usize = 57;

/// Kafka's number for what is wrong with `records`, 0 for nothing.
fn error_of(configs: &[(&str, &str)], records: Bytes) -> i16 {
    Fixture::with_topic("t", configs)
        .produce("t", records)
        .error_code
}

#[test]
fn batches_of_every_codec_are_kept_byte_for_byte() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for (number, codec) in [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ]
    .into_iter()
    .enumerate()
    {
        let sent = compressed(&["one", "two", "three"], codec);
        let answer = fixture.produce("t", sent.clone());
        let base = i64::try_from(number * 3).unwrap();
        assert_eq!((answer.error_code, answer.base_offset), (0, base));
        assert_eq!(
            (answer.log_append_time_ms, answer.log_start_offset),
            (-1, 0)
        );
        let stored = fixture.fetch("t", base).records.unwrap();
        // Base offset and leader epoch are the broker's.
        assert_eq!(stored[..8], base.to_be_bytes());
        assert_eq!(stored[8..12], sent[8..12]);
        assert_eq!(stored[12..16], [0; 4]);
        assert_eq!(stored[16..], sent[16..], "{codec:?}");
    }
}

#[test]
fn every_version_answers_in_its_own_form() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for version in 3..=11 {
        let request = produce_request("t", 0, 1, Some(batch(&["v"])));
        let answer = fixture.ask(&request, version);
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (0, i64::from(version - 3))
        );
    }
}

/// Nobody makes rows of the fixture's records, so all of them wait.
#[test]
fn producers_far_ahead_of_rows_are_asked_for_silence() {
    let mut fixture = Fixture::with_topic("t", &[("max.message.bytes", "20000000")]);
    let mut builder = BatchBuilder::new();
    for _ in 0..(1 << 20) + 100 * 1024 {
        builder.push(NewRecord::default()).unwrap();
    }
    let many = builder.finish(Codec::None).bytes().clone();
    let mut throttle_ms = |records| {
        let request = produce_request("t", 0, -1, Some(records));
        let answer = fixture.ask(&request, 8);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        answer.throttle_time_ms
    };
    assert_eq!(throttle_ms(many.clone()), 0);
    assert_eq!(throttle_ms(many), 100);
    assert_eq!(throttle_ms(batch(&["v"])), 1000);
}

#[test]
fn nothing_is_read_before_it_is_durable() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let request = produce_request("t", 0, -1, Some(batch(&["v"])));
    let Reply::AfterDurable(lsn, _) = fixture.reply(&request, 8) else {
        panic!("acks=all waits for the commit");
    };
    let before = fixture.fetch("t", 0);
    assert_eq!(
        (before.high_watermark, before.records.unwrap().len()),
        (0, 0)
    );
    fixture.broker.store().wait_durable(lsn).unwrap();
    let after = fixture.fetch("t", 0);
    assert_eq!(after.high_watermark, 1);
    assert!(!after.records.unwrap().is_empty());
}

#[test]
fn acks_0_is_silent_and_closes_on_an_error() {
    let mut fixture = Fixture::with_topic("t", &[]);
    let good = produce_request("t", 0, 0, Some(batch(&["v"])));
    assert!(matches!(fixture.reply(&good, 8), Reply::None));
    let bad = produce_request("t", 9, 0, Some(batch(&["v"])));
    assert!(matches!(fixture.reply(&bad, 8), Reply::Close));
    fixture.broker.store().commit().unwrap();
    assert_eq!(fixture.fetch("t", 0).high_watermark, 1);
}

#[test]
fn places_that_do_not_exist_are_refused() {
    let mut fixture = Fixture::with_topic("t", &[]);
    for (name, partition, acks, error) in [
        ("missing", 0, -1, 3),
        ("t", 99, -1, 3),
        ("t", -1, -1, 3),
        ("a b", 0, -1, 3),
        ("__consumer_offsets", 0, -1, 17),
        ("t", 0, 2, 21),
        ("t", 0, -2, 21),
    ] {
        let request = produce_request(name, partition, acks, Some(batch(&["v"])));
        let answer = fixture.ask(&request, 8);
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (error, -1),
            "{name} {partition} {acks}"
        );
    }
    assert_eq!(fixture.fetch("t", 0).high_watermark, 0);
}

#[test]
fn bytes_that_are_no_batch_are_refused_as_kafka_does() {
    let good = batch(&["value"]);
    let mut two = BytesMut::from(&good[..]);
    two.extend_from_slice(&good);
    let mut flipped = good.to_vec();
    flipped[CHECKSUM] ^= 1;
    for (records, error, what) in [
        (Bytes::from(flipped), 2, "a flipped bit in the checksum"),
        (changed(&good, MAGIC, &[1]), 87, "magic 1"),
        (changed(&good, MAGIC, &[3]), 2, "magic 3"),
        (two.freeze(), 87, "two batches"),
        (Bytes::new(), 87, "no bytes"),
        (good.slice(..good.len() - 3), 87, "the end cut off"),
        (
            changed(&good, LENGTH, &i32::MIN.to_be_bytes()),
            2,
            "a negative length",
        ),
    ] {
        assert_eq!(error_of(&[], records), error, "{what}");
    }
    let mut fixture = Fixture::with_topic("t", &[]);
    let answer = fixture.ask(&produce_request("t", 0, -1, None), 8);
    assert_eq!(
        answer.responses[0].partition_responses[0].error_code, 87,
        "null records"
    );
}

#[test]
fn batches_that_lie_about_themselves_are_refused_as_kafka_does() {
    let good = batch(&["value"]);
    for (at, bytes, error, what) in [
        (RECORD_COUNT, 0_i32.to_be_bytes().to_vec(), 87, "no records"),
        (
            RECORD_COUNT,
            5_i32.to_be_bytes().to_vec(),
            87,
            "too many records",
        ),
        (
            LAST_OFFSET_DELTA,
            7_i32.to_be_bytes().to_vec(),
            87,
            "a wrong last delta",
        ),
        (ATTRIBUTES, 7_i16.to_be_bytes().to_vec(), -1, "codec 7"),
        (
            ATTRIBUTES,
            3_i16.to_be_bytes().to_vec(),
            -1,
            "lz4 that is none",
        ),
        (
            ATTRIBUTES,
            0x20_i16.to_be_bytes().to_vec(),
            87,
            "a control batch",
        ),
        (
            ATTRIBUTES,
            0x10_i16.to_be_bytes().to_vec(),
            53,
            "a transactional batch",
        ),
        (
            ATTRIBUTES,
            0x08_i16.to_be_bytes().to_vec(),
            32,
            "the broker's time",
        ),
    ] {
        assert_eq!(error_of(&[], changed(&good, at, &bytes)), error, "{what}");
    }
}

#[test]
fn the_topic_says_how_large_a_batch_may_be() {
    let large = batch(&["x".repeat(2_000).as_str()]);
    assert_eq!(
        error_of(&[("max.message.bytes", "1000")], large.clone()),
        10
    );
    assert_eq!(error_of(&[("max.message.bytes", "3000")], large), 0);
    let huge = batch(&["x".repeat(2_000_000).as_str()]);
    let configs = [
        ("segment.bytes", "1048576"),
        ("max.message.bytes", "8000000"),
    ];
    assert_eq!(error_of(&configs, huge), 18);
}

#[test]
fn times_outside_the_topics_limits_are_refused_record_by_record() {
    let at = |time_ms| build(BatchBuilder::new(), &["v"], time_ms, Codec::None);
    assert_eq!(error_of(&[], at(-1)), 0);
    assert_eq!(error_of(&[], at(0)), 0);
    assert_eq!(error_of(&[], at(NOW_MS + 3_600_000)), 0);
    let mut fixture = Fixture::with_topic("t", &[]);
    let answer = fixture.produce("t", at(NOW_MS + 3_600_001));
    assert_eq!(answer.error_code, 32);
    let text = answer.error_message.unwrap();
    assert_eq!(
        text.as_str(),
        "One or more records have been rejected due to invalid timestamp"
    );
    assert_eq!(answer.record_errors[0].batch_index, 0);
    let limits = [("message.timestamp.before.max.ms", "1000")];
    assert_eq!(error_of(&limits, at(NOW_MS - 1_001)), 32);
    assert_eq!(error_of(&limits, at(NOW_MS - 1_000)), 0);
}

#[test]
fn a_topic_with_the_brokers_time_takes_any_and_says_which() {
    let mut fixture = Fixture::with_topic("t", &[("message.timestamp.type", "LogAppendTime")]);
    let answer = fixture.produce("t", build(BatchBuilder::new(), &["v"], 5, Codec::None));
    assert_eq!((answer.error_code, answer.log_append_time_ms), (0, NOW_MS));
    let stored = fixture.fetch("t", 0).records.unwrap();
    assert_eq!(stored[35..43], NOW_MS.to_be_bytes());
    assert_eq!(stored[17..21], crc32c::crc32c(&stored[21..]).to_be_bytes());
}

#[test]
fn a_compacted_topic_wants_keys() {
    let mut builder = BatchBuilder::new();
    for _ in 0..2 {
        let timestamp_ms = NOW_MS;
        builder
            .push(NewRecord {
                timestamp_ms,
                value: Some(b"v"),
                ..NewRecord::default()
            })
            .unwrap();
    }
    let keyless = builder.finish(Codec::Zstd).bytes().clone();
    let mut fixture = Fixture::with_topic("t", &[("cleanup.policy", "compact,delete")]);
    let answer = fixture.produce("t", keyless);
    assert_eq!(answer.error_code, 87);
    let told = "Compacted topic cannot accept message without key in topic partition t-0";
    let records = answer.record_errors.iter();
    let texts: Vec<_> = records
        .map(|it| {
            (
                it.batch_index,
                it.batch_index_error_message.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(texts, [(0, told), (1, told)]);
    assert_eq!(
        answer.error_message.unwrap().as_str(),
        format!(
            "One or more records have been rejected due to 2 record errors in total, and only \
             showing the first three errors at most: [RecordError(batchIndex=0, \
             message='{told}'), RecordError(batchIndex=1, message='{told}')]"
        )
    );
    assert_eq!(fixture.produce("t", batch(&["v"])).error_code, 0);
}

#[test]
fn one_bad_partition_leaves_the_others_alone() {
    let mut fixture = Fixture::new();
    fixture.create("t", 2, &[]);
    let mut request = produce_request("t", 0, -1, Some(batch(&["v"])));
    let more = produce_request("t", 1, -1, Some(Bytes::from_static(b"nothing")));
    request.topic_data[0]
        .partition_data
        .extend(more.topic_data[0].partition_data.clone());
    let answer = fixture.ask(&request, 8);
    let codes: Vec<_> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|it| it.error_code)
        .collect();
    assert_eq!(codes, [0, 87]);
    assert_eq!(fixture.fetch("t", 0).high_watermark, 1);
}

#[test]
fn the_bytes_of_a_stored_batch_do_not_pin_their_frame() {
    let request = frame(&produce_request("t", 0, -1, Some(batch(&["v"]))), 8);
    let mut fixture = Fixture::with_topic("t", &[]);
    fixture.reply_to(&request);
    // The frame is ours alone again: the staged batch is a copy, cut to its size.
    assert!(request.is_unique());
}
