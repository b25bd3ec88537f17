//! What batches, records and producers' sequences promise, checked.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::{LeaderEpoch, Offset};

const CODECS: [Codec; 5] = [
    Codec::None,
    Codec::Gzip,
    Codec::Snappy,
    Codec::Lz4,
    Codec::Zstd,
];

/// Made by `MakeBatches.java` with `MemoryRecordsBuilder` of kafka-clients 4.3.1.
fn golden(codec: Codec) -> Bytes {
    Bytes::from_static(match codec {
        Codec::None => include_bytes!("golden/none.batch"),
        Codec::Gzip => include_bytes!("golden/gzip.batch"),
        Codec::Snappy => include_bytes!("golden/snappy.batch"),
        Codec::Lz4 => include_bytes!("golden/lz4.batch"),
        Codec::Zstd => include_bytes!("golden/zstd.batch"),
    })
}

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 4711,
    producer_epoch: 3,
    base_sequence: 42,
};

/// The records of the golden batches.
fn golden_builder() -> BatchBuilder {
    let text = b"no key, and a value that repeats repeats repeats repeats repeats";
    let headers: [(&str, Option<&[u8]>); 2] = [("a", Some(b"1")), ("b", None)];
    let empty: [(&str, Option<&[u8]>); 1] = [("", Some(b""))];
    let record = |timestamp_ms, key, value| NewRecord {
        timestamp_ms,
        key,
        value,
        headers: &[],
    };
    let mut builder = BatchBuilder::new().with_stamp(STAMP);
    for new in [
        record(
            1_700_000_000_000,
            Some(b"key".as_slice()),
            Some(b"value".as_slice()),
        ),
        NewRecord {
            headers: &headers,
            ..record(1_699_999_999_990, None, Some(text))
        },
        record(1_700_000_005_000, Some(b"tombstone"), None),
        NewRecord {
            headers: &empty,
            ..record(1_700_000_004_000, Some(b""), Some(b""))
        },
    ] {
        builder.push(new).unwrap();
    }
    builder
}

type Owned = (
    u64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
);

fn owned(record: Record<'_>) -> Owned {
    let headers = record.headers.iter();
    (
        record.offset.0,
        record.timestamp_ms,
        record.key.map(<[u8]>::to_vec),
        record.value.map(<[u8]>::to_vec),
        headers
            .map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec)))
            .collect(),
    )
}

fn read_all(batch: &RecordBatch) -> Result<Vec<Owned>, BatchError> {
    let mut scratch = DecompressionBuffer::new();
    batch
        .records(&mut scratch)?
        .map(|record| record.map(owned))
        .collect()
}

/// Reads whatever is there, for inputs that may be anything.
fn read_hostile(bytes: Bytes) {
    if let Ok(batch) = RecordBatch::parse(bytes) {
        let _ = batch.header().check_from_client();
        let _ = read_all(&batch);
    }
}

/// Makes the checksum right after the bytes were changed, so that the change reaches the records.
fn with_checksum(mut bytes: Vec<u8>) -> Bytes {
    if let Some(checked) = bytes.get(21..) {
        let checksum = crc32c::crc32c(checked).to_be_bytes();
        bytes[17..21].copy_from_slice(&checksum);
    }
    Bytes::from(bytes)
}

#[test]
fn batches_of_kafkas_own_code_are_read() {
    let mut ours = golden_builder().finish(Codec::None);
    ours.assign(Offset(1000), LeaderEpoch(7));
    let expected = read_all(&ours).unwrap();
    for codec in CODECS {
        let batch = RecordBatch::parse(golden(codec)).unwrap();
        let header = batch.header();
        assert_eq!(header.codec, codec);
        assert_eq!(
            (header.base_offset, header.last_offset()),
            (Offset(1000), Offset(1003))
        );
        assert_eq!(header.leader_epoch, LeaderEpoch(7));
        assert_eq!((header.producer_id, header.producer_epoch), (4711, 3));
        assert_eq!((header.base_sequence, header.last_sequence()), (42, 45));
        assert_eq!(header.max_timestamp_ms, 1_700_000_005_000);
        header.check_from_client().unwrap();
        assert_eq!(read_all(&batch).unwrap(), expected, "{codec}");
    }
}

#[test]
fn built_batches_have_the_bytes_of_kafkas_own_code() {
    let mut batch = golden_builder().finish(Codec::None);
    batch.assign(Offset(1000), LeaderEpoch(7));
    assert_eq!(batch.bytes(), &golden(Codec::None));
}

#[test]
fn what_a_header_holds_is_found_by_name() {
    let batch = RecordBatch::parse(golden(Codec::None)).unwrap();
    let mut scratch = DecompressionBuffer::new();
    let record = batch
        .records(&mut scratch)
        .unwrap()
        .nth(1)
        .unwrap()
        .unwrap();
    assert_eq!(record.headers.count(), 2);
    assert_eq!(record.headers.last(b"a"), Some(Some(b"1".as_slice())));
    assert_eq!(record.headers.last(b"b"), Some(None));
    assert_eq!(record.headers.last(b"c"), None);
}

#[test]
fn assigning_keeps_the_checksum_and_leaves_shared_bytes_alone() {
    let mut batch = RecordBatch::parse(golden(Codec::Lz4)).unwrap();
    let shared = batch.bytes().clone();
    batch.assign(Offset(1 << 40), LeaderEpoch(9));
    assert_eq!(shared, golden(Codec::Lz4));
    assert_eq!(batch.header().base_offset, Offset(1 << 40));
    let again = RecordBatch::parse(batch.bytes().clone()).unwrap();
    assert_eq!(again, batch);
    assert_eq!(batch.bytes().slice(21..), shared.slice(21..));
}

#[test]
fn the_brokers_time_replaces_the_times_of_records() {
    let mut batch = RecordBatch::parse(golden(Codec::Zstd)).unwrap();
    batch.set_log_append_time(77);
    let again = RecordBatch::parse(batch.bytes().clone()).unwrap();
    assert!(again.header().is_log_append_time());
    assert!(
        read_all(&again)
            .unwrap()
            .iter()
            .all(|record| record.1 == 77)
    );
}

#[test]
fn every_changed_byte_after_the_checksum_is_noticed() {
    let golden = golden(Codec::None);
    for at in 17..golden.len() {
        for bit in 0..8 {
            let mut bytes = golden.to_vec();
            bytes[at] ^= 1 << bit;
            assert!(
                RecordBatch::parse(Bytes::from(bytes)).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
}

#[test]
fn a_batch_cut_anywhere_is_refused() {
    let golden = golden(Codec::Gzip);
    for len in 0..golden.len() {
        let error = RecordBatch::parse(golden.slice(..len)).unwrap_err();
        assert!(
            matches!(error, BatchError::Truncated { .. }),
            "{len}: {error}"
        );
    }
    let longer = [&golden[..], b"x"].concat();
    let error = RecordBatch::parse(longer.into()).unwrap_err();
    assert_eq!(error.to_string(), "1 bytes follow the record batch");
}

#[test]
fn older_message_formats_are_named() {
    let mut bytes = golden(Codec::None).to_vec();
    bytes[16] = 1;
    let error = RecordBatch::parse(bytes.into()).unwrap_err();
    let text = "record batch has message format 1, only format 2 is supported";
    assert_eq!(error.to_string(), text);
}

#[test]
fn clients_may_not_send_every_batch() {
    let refused = |at: usize, with: &[u8]| {
        let mut bytes = golden(Codec::None).to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        let batch = RecordBatch::parse(with_checksum(bytes)).unwrap();
        batch.header().check_from_client().unwrap_err()
    };
    assert!(matches!(
        refused(21, &[0, 0x20]),
        BatchError::ControlFromClient
    ));
    assert!(matches!(
        refused(23, &9_i32.to_be_bytes()),
        BatchError::Count { .. }
    ));
    assert!(matches!(
        refused(57, &0_i32.to_be_bytes()),
        BatchError::Count { .. }
    ));
    let error = refused(53, &(-1_i32).to_be_bytes());
    assert!(matches!(error, BatchError::Unnumbered { .. }));
}

#[test]
fn codecs_that_do_not_exist_are_refused() {
    let mut bytes = golden(Codec::None).to_vec();
    bytes[22] = 5;
    let error = RecordBatch::parse(with_checksum(bytes)).unwrap_err();
    assert!(matches!(error, BatchError::UnknownCodec { number: 5 }));
}

#[test]
fn bombs_are_refused_with_little_memory() {
    let zeros = vec![0; DECOMPRESSED_BYTES_MAX + 1];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new();
        builder
            .push(NewRecord {
                value: Some(&zeros),
                ..NewRecord::default()
            })
            .unwrap();
        let batch = builder.finish(codec);
        let error = read_all(&batch).unwrap_err();
        assert!(
            matches!(error, BatchError::TooLarge { .. }),
            "{codec}: {error}"
        );
    }
}

#[test]
fn snappy_blocks_that_claim_too_much_are_refused_before_they_allocate() {
    let mut bytes = golden(Codec::Snappy).slice(..61).to_vec();
    // Sixty million bytes, in a block of five.
    bytes.extend_from_slice(&[0x80, 0x8e, 0xce, 0x1c, 0]);
    let length = u8::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&[0, 0, 0, length]);
    let batch = RecordBatch::parse(with_checksum(bytes)).unwrap();
    let error = read_all(&batch).unwrap_err();
    assert!(
        matches!(
            error,
            BatchError::Decompress {
                codec: Codec::Snappy,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn batches_are_taken_apart_up_to_the_first_that_does_not_hold() {
    let both = [golden(Codec::None), golden(Codec::Zstd)].concat();
    assert_eq!(
        Batches::new(both.clone().into())
            .map(Result::unwrap)
            .count(),
        2
    );
    let cut = Bytes::from(both).slice(..300);
    let found: Vec<_> = Batches::new(cut).collect();
    assert_eq!(found.len(), 2);
    assert!(found[0].is_ok() && found[1].is_err());
}

type Plain = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn plain_record() -> impl Strategy<Value = Plain> {
    let bytes = || option::of(vec(any::<u8>(), 0..200));
    let time_ms = prop_oneof![any::<i32>().prop_map(i64::from), -(1_i64 << 60)..(1 << 60)];
    (time_ms, bytes(), bytes(), vec((".{0,5}", bytes()), 0..3))
}

fn build(records: &[Plain], codec: Codec) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for (timestamp_ms, key, value, headers) in records {
        let headers: Vec<(&str, Option<&[u8]>)> = headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref()))
            .collect();
        let (key, value) = (key.as_deref(), value.as_deref());
        let timestamp_ms = *timestamp_ms;
        builder
            .push(NewRecord {
                timestamp_ms,
                key,
                value,
                headers: &headers,
            })
            .unwrap();
    }
    builder.finish(codec)
}

proptest! {
    #[test]
    fn records_come_back_as_they_were(
        records in vec(plain_record(), 1..20),
        codec in prop::sample::select(CODECS.to_vec()),
        base in 0_u64..1 << 62,
    ) {
        let mut batch = build(&records, codec);
        batch.assign(Offset(base), LeaderEpoch(1));
        let batch = RecordBatch::parse(batch.bytes().clone()).unwrap();
        let expected: Vec<Owned> = (base..).zip(&records).map(|(offset, record)| {
            let (time_ms, key, value, headers) = record.clone();
            let headers = headers.into_iter().map(|(key, value)| (key.into_bytes(), value));
            (offset, time_ms, key, value, headers.collect())
        }).collect();
        prop_assert_eq!(read_all(&batch).unwrap(), expected);
        let latest = records.iter().map(|record| record.0).max();
        prop_assert_eq!(Some(batch.header().max_timestamp_ms), latest);
    }

    #[test]
    fn changed_batches_never_panic(
        codec in prop::sample::select(CODECS.to_vec()),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = golden(codec).to_vec();
        for (at, value) in changes {
            // The first bytes say how long the batch is and which format it has.
            let at = 21 + at.index(bytes.len() - 21);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(61 + cut.index(bytes.len() - 60));
            let length = i32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
        }
        read_hostile(with_checksum(bytes));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_hostile(bytes.into());
    }

    #[test]
    fn random_bytes_behind_a_header_never_panic(
        codec in prop::sample::select(CODECS.to_vec()),
        body in vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = golden(codec).slice(..61).to_vec();
        bytes.extend_from_slice(&body);
        let length = i32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        read_hostile(with_checksum(bytes));
    }
}

/// A batch of `count` records of a producer, as if it had been appended at `base`.
fn numbered(epoch: i16, base_sequence: i32, count: i32, base: u64) -> RecordBatch {
    let stamp = ProducerStamp {
        producer_id: 9,
        producer_epoch: epoch,
        base_sequence,
    };
    let mut builder = BatchBuilder::new().with_stamp(stamp);
    for _ in 0..count {
        builder.push(NewRecord::default()).unwrap();
    }
    let mut batch = builder.finish(Codec::None);
    batch.assign(Offset(base), LeaderEpoch(0));
    batch
}

fn states_after(batches: &[RecordBatch]) -> ProducerStates {
    let mut states = ProducerStates::new();
    for batch in batches {
        assert_eq!(states.check(batch.header()), Ok(SequenceCheck::Accept));
        states.apply(batch.header(), 1000);
    }
    states
}

#[test]
fn repeated_batches_are_answered_with_their_first_offset() {
    let sent: Vec<RecordBatch> = (0_i32..7)
        .map(|n| numbered(0, n * 2, 2, 100 + n.unsigned_abs() as u64 * 2))
        .collect();
    let states = states_after(&sent);
    for batch in &sent[2..] {
        let base_offset = batch.header().base_offset;
        let duplicate = SequenceCheck::Duplicate { base_offset };
        assert_eq!(states.check(batch.header()), Ok(duplicate));
    }
    let forgotten = states.check(sent[1].header()).unwrap_err();
    assert!(matches!(
        forgotten,
        SequenceError::OutOfOrder {
            expected: 14,
            found: 2,
            ..
        }
    ));
    // The same first sequence with another length is another batch.
    let other = numbered(0, 12, 1, 0);
    assert!(states.check(other.header()).is_err());
}

#[test]
fn gaps_and_old_epochs_are_refused() {
    let states = states_after(&[numbered(1, 0, 3, 0)]);
    let gap = states.check(numbered(1, 4, 1, 0).header()).unwrap_err();
    assert_eq!(
        gap.to_string(),
        "producer 9 sent sequence 4 where 3 was expected"
    );
    let stale = states.check(numbered(0, 3, 1, 0).header()).unwrap_err();
    assert_eq!(
        stale.to_string(),
        "producer 9 sent epoch 0, but epoch 1 has begun"
    );
    let new_epoch = states.check(numbered(2, 3, 1, 0).header()).unwrap_err();
    assert!(matches!(
        new_epoch,
        SequenceError::OutOfOrder {
            expected: 0,
            found: 3,
            ..
        }
    ));
    assert_eq!(
        states.check(numbered(2, 0, 1, 0).header()),
        Ok(SequenceCheck::Accept)
    );
}

#[test]
fn unknown_producers_start_anywhere() {
    let states = ProducerStates::new();
    assert_eq!(
        states.check(numbered(5, 1234, 1, 0).header()),
        Ok(SequenceCheck::Accept)
    );
}

#[test]
fn a_new_epoch_forgets_the_batches_of_the_old_one() {
    let states = states_after(&[numbered(0, 0, 1, 0), numbered(1, 0, 1, 1)]);
    let repeated = states.check(numbered(1, 0, 1, 1).header());
    assert_eq!(
        repeated,
        Ok(SequenceCheck::Duplicate {
            base_offset: Offset(1)
        })
    );
    assert!(states.check(numbered(0, 0, 1, 0).header()).is_err());
}

#[test]
fn sequences_go_on_at_zero() {
    let last = numbered(0, i32::MAX, 1, 0);
    let states = states_after(&[last]);
    assert_eq!(
        states.check(numbered(0, 0, 1, 1).header()),
        Ok(SequenceCheck::Accept)
    );
    let across = numbered(0, i32::MAX - 1, 4, 0);
    assert_eq!(across.header().last_sequence(), 1);
    let states = states_after(&[across]);
    assert_eq!(
        states.check(numbered(0, 2, 1, 4).header()),
        Ok(SequenceCheck::Accept)
    );
}

#[test]
fn producers_expire_by_the_time_of_appending() {
    let mut states = states_after(&[numbered(0, 0, 1, 0)]);
    states.expire(1000);
    assert_eq!(states.count(), 1);
    states.expire(1001);
    assert_eq!(states.count(), 0);
}

#[test]
fn producer_states_survive_a_checkpoint() {
    let states = states_after(&[numbered(0, 0, 2, 0), numbered(0, 2, 1, 2)]);
    let text = serde_json::to_string(&states).unwrap();
    assert_eq!(
        serde_json::from_str::<ProducerStates>(&text).unwrap(),
        states
    );
}

#[test]
fn the_most_silent_producers_are_forgotten_when_there_are_too_many() {
    let mut states = ProducerStates::new();
    let mut header = *numbered(0, 0, 1, 0).header();
    let count = i64::try_from(PRODUCERS_MAX).unwrap();
    for producer_id in 0..=count {
        header.producer_id = producer_id;
        states.apply(&header, producer_id);
    }
    assert_eq!(states.count(), PRODUCERS_MAX - PRODUCERS_MAX / 4 + 1);
    // An expected sequence is known for the newest, none for the oldest.
    header.base_sequence = 77;
    assert!(states.check(&header).is_err());
    header.producer_id = 0;
    assert_eq!(states.check(&header), Ok(SequenceCheck::Accept));
}
