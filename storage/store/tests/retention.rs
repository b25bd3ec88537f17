//! Old records, old rows and replaced records go; what must stay does, through crashes.

use std::collections::BTreeMap;

use super::fixture::*;
use crate::catalog::{CatalogChange, Edit};
use crate::disk::{Fault, FaultyDisk, MemoryDisk};
use crate::log::{
    BatchBuilder, Batches, Codec, DecompressionBuffer, LogOptions, NewRecord, ProducerStamp,
    TransactionOutcome,
};
use crate::model::{Offset, Partition, TopicId};
use crate::store::{StageError, Store, StoreError, StoreOptions};
use crate::transactions::TransactionChange;

/// Files of a few batches.
fn small() -> StoreOptions {
    StoreOptions {
        log: LogOptions {
            file_bytes: 400,
            ..LogOptions::default()
        },
        ..StoreOptions::default()
    }
}

fn configure(store: &Store, topic: TopicId, config: &[(&str, &str)]) {
    let config: BTreeMap<String, String> = config
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    let staged = store.stage_edit::<StoreError>(|_| {
        Ok(Edit::of(CatalogChange::ChangeConfig {
            topic,
            config,
            settings: BTreeMap::new(),
        }))
    });
    store.wait_durable(staged.unwrap()).unwrap();
}

/// One record a batch: key, value and time.
fn append(store: &Store, partition: Partition, key: &str, value: Option<&str>, time_ms: i64) {
    let mut builder = BatchBuilder::new();
    let record = NewRecord {
        timestamp_ms: time_ms,
        key: Some(key.as_bytes()),
        value: value.map(str::as_bytes),
        ..NewRecord::default()
    };
    builder.push(record).unwrap();
    let staged = store
        .stage_batch(partition, builder.finish(Codec::None), 0)
        .unwrap();
    store.wait_durable(staged.lsn).unwrap();
}

/// All records as `offset:key=value`, read from the start that clients have.
fn shown(store: &Store, partition: Partition) -> String {
    let bounds = store.client_bounds(partition).unwrap();
    let (mut from, mut texts) = (bounds.start, Vec::new());
    let mut scratch = DecompressionBuffer::new();
    while from < bounds.high_watermark {
        let bytes = store.read(partition, from, 1).unwrap();
        assert!(!bytes.is_empty(), "a hole at {from}");
        for batch in Batches::new(bytes) {
            let batch = batch.unwrap();
            assert!(batch.header().base_offset <= from, "a hole at {from}");
            from = batch.header().next_offset();
            for record in batch.records(&mut scratch).unwrap() {
                let record = record.unwrap();
                let text = |bytes: Option<&[u8]>| {
                    bytes.map_or("-".into(), |bytes| {
                        String::from_utf8_lossy(bytes).into_owned()
                    })
                };
                let (key, value) = (text(record.key), text(record.value));
                texts.push(format!("{}:{key}={value}", record.offset));
            }
        }
    }
    texts.join(" ")
}

/// Counts all records as done, without rows.
fn pass(store: &Store, partition: Partition) {
    let end = store.log_bounds(partition).unwrap().high_watermark;
    let rows = rows(partition, &[]);
    store
        .publish(partition.topic, rows, &[(partition.id, end)], Vec::new(), 0)
        .unwrap();
    store.seal(partition.topic).unwrap();
}

#[test]
fn old_files_go_when_their_records_are_rows_and_a_checkpoint_knows() {
    let disk = MemoryDisk::default();
    let (store, _) = open(disk.clone(), small());
    let topic = create_topic(&store, "t", 1).unwrap();
    let log = partition(topic, 0);
    configure(&store, topic, &[("retention.ms", "100")]);
    for number in 0..20 {
        append(&store, log, "k", Some("v"), number * 10);
    }
    let before = store.log_bytes(log).unwrap();
    assert_eq!(store.expire_records(200).unwrap(), 1);
    let start = store.client_bounds(log).unwrap().start;
    assert!(start > Offset(5) && start <= Offset(10), "{start}");
    assert_eq!(store.expire_records(200).unwrap(), 0);
    // Nobody has made rows of them yet.
    store.checkpoint().unwrap();
    assert_eq!(store.log_bytes(log), Some(before));
    assert_eq!(store.log_bounds(log).unwrap().start, Offset(0));
    pass(&store, log);
    store.checkpoint().unwrap();
    store.checkpoint().unwrap();
    let kept = store.log_bounds(log).unwrap().start;
    assert_eq!(kept, start);
    assert!(store.log_bytes(log).unwrap() < before);
    let all = shown(&store, log);
    drop(store);
    let (store, _) = open(disk, small());
    assert_eq!(store.log_bounds(log).unwrap().start, kept);
    assert_eq!(shown(&store, log), all);
    // All of it is old now: the log is empty, and goes on.
    store.expire_records(10_000).unwrap();
    assert_eq!(store.client_bounds(log).unwrap().start, Offset(20));
    append(&store, log, "k", Some("new"), 10_000);
    assert_eq!(shown(&store, log), "20:k=new");
}

#[test]
fn compaction_keeps_the_last_record_of_each_key_at_its_offset() {
    let disk = MemoryDisk::default();
    let (store, _) = open(disk.clone(), small());
    let topic = create_topic(&store, "t", 1).unwrap();
    let log = partition(topic, 0);
    let rules = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "1000"),
    ];
    configure(&store, topic, &rules);
    append(&store, log, "gone", Some("v"), 0);
    append(&store, log, "gone", None, 0);
    for number in 0..20 {
        let (key, value) = (["a", "b"][number % 2], number.to_string());
        append(&store, log, key, Some(&value), 0);
    }
    let end = store.log_bounds(log).unwrap().high_watermark;
    assert_eq!(
        store.compact_one(100).unwrap(),
        None,
        "nothing is a row yet"
    );
    pass(&store, log);
    store.checkpoint().unwrap();
    let done = store.compact_one(100).unwrap().unwrap();
    assert!(done.records > 10 && done.bytes > 0, "{done:?}");
    assert_eq!(store.compact_one(100).unwrap(), None, "nothing is new");
    let first = shown(&store, log);
    assert!(first.starts_with("1:gone=- "), "{first}");
    assert!(first.ends_with("20:a=18 21:b=19"), "{first}");
    assert_eq!(store.log_bounds(log).unwrap().high_watermark, end);

    // The deletion goes once it could have been read for long enough.
    assert_eq!(store.compact_one(1_099).unwrap(), None);
    store.compact_one(1_100).unwrap().unwrap();
    let second = shown(&store, log);
    assert_eq!(second, first.trim_start_matches("1:gone=- "));
    drop(store);
    let (store, _) = open(disk, small());
    assert_eq!(shown(&store, log), second);
    append(&store, log, "a", Some("last"), 0);
    assert_eq!(shown(&store, log), format!("{second} 22:a=last"));
    // Nobody made rows here; all else about the log must hold.
    let report = store.verify(&mut |_| {});
    let problems = report.problems.iter();
    let other: Vec<_> = problems
        .filter(|problem| !problem.contains("have no row"))
        .collect();
    assert!(other.is_empty(), "{other:?}");
}

/// A transaction of one record.
fn transact(
    store: &Store,
    partition: Partition,
    sequence: i32,
    (key, value): (&str, &str),
    outcome: TransactionOutcome,
) {
    let stage = |changes: Vec<TransactionChange>| {
        let staged = store.stage_transactions(|_| Ok::<_, StoreError>((changes, ())));
        store.wait_durable(staged.unwrap().0).unwrap();
    };
    let id = "writer".to_owned();
    if sequence == 0 {
        stage(vec![TransactionChange::Start {
            id: id.clone(),
            producer_id: 7,
            producer_epoch: 0,
            last_epoch: -1,
            timeout_ms: 1_000,
            at_ms: 0,
        }]);
    }
    stage(vec![TransactionChange::AddPartitions {
        id: id.clone(),
        partitions: vec![partition],
        at_ms: 0,
    }]);
    let stamp = ProducerStamp {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: sequence,
    };
    let mut builder = BatchBuilder::new().with_stamp(stamp).in_transaction();
    let record = NewRecord {
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        ..NewRecord::default()
    };
    builder.push(record).unwrap();
    let batch = builder.finish(Codec::None);
    store.stage_batch(partition, batch, 0).unwrap();
    stage(vec![TransactionChange::End {
        id,
        outcome,
        producer_epoch: 0,
        at_ms: 0,
    }]);
}

#[test]
fn compaction_takes_committed_records_for_what_they_are_and_drops_aborted_ones() {
    let disk = MemoryDisk::default();
    let (store, _) = open(disk.clone(), small());
    let topic = create_topic(&store, "t", 1).unwrap();
    let log = partition(topic, 0);
    let rules = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    configure(&store, topic, &rules);
    let (committed, aborted) = (TransactionOutcome::Committed, TransactionOutcome::Aborted);
    append(&store, log, "a", Some("plain"), 0);
    transact(&store, log, 0, ("a", "committed"), committed);
    transact(&store, log, 1, ("a", "aborted"), aborted);
    transact(&store, log, 2, ("c", "replaced"), committed);
    append(&store, log, "c", Some("last"), 0);
    for number in 0..20 {
        append(&store, log, "filler", Some(&number.to_string()), 0);
    }
    pass(&store, log);
    store.checkpoint().unwrap();
    let before = store.aborted(log, Offset(0), Offset(99));
    store.compact_one(100).unwrap().unwrap();
    let check = |store: &Store| {
        let shown = shown(store, log);
        let of_keys = shown
            .split(' ')
            .filter(|it| it.contains(":a=") || it.contains(":c="));
        let of_keys: Vec<&str> = of_keys.collect();
        assert_eq!(of_keys, ["1:a=committed", "7:c=last"]);
        assert_eq!(store.aborted(log, Offset(0), Offset(99)), before);
    };
    check(&store);
    drop(store);
    let (store, _) = open(disk, small());
    check(&store);
}

/// Writes, lets go of what is old or replaced and writes again, until the disk is cut off; the last
/// number that was acknowledged.
fn live(disk: &FaultyDisk, acknowledged: &mut Option<usize>) -> Result<(), StoreError> {
    let (store, _) = try_open(disk.clone(), small())?;
    let topic = create_topic(&store, "t", 1)?;
    let log = partition(topic, 0);
    let rules = [
        ("cleanup.policy", "compact,delete"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("retention.ms", "100"),
    ];
    let config = rules.map(|(name, value)| (name.into(), value.into()));
    let staged = store.stage_edit::<StoreError>(|_| {
        Ok(Edit::of(CatalogChange::ChangeConfig {
            topic,
            config: config.into(),
            settings: BTreeMap::new(),
        }))
    });
    store.wait_durable(staged?)?;
    for number in 0..16 {
        let (key, value) = (["a", "b"][number % 2], number.to_string());
        let mut builder = BatchBuilder::new();
        let record = NewRecord {
            timestamp_ms: i64::try_from(number).unwrap() * 10,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            ..NewRecord::default()
        };
        builder.push(record).unwrap();
        let staged = store.stage_batch(log, builder.finish(Codec::None), 0);
        let staged = staged.map_err(|error| match error {
            StageError::Store(error) => error,
            other => panic!("{other}"),
        })?;
        store.wait_durable(staged.lsn)?;
        *acknowledged = Some(number);
        if number % 5 == 4 {
            let end = store.log_bounds(log).unwrap().high_watermark;
            store.publish(topic, rows(log, &[]), &[(log.id, end)], Vec::new(), 0)?;
            store.seal(topic)?;
            store.checkpoint()?;
            store.compact_one(150)?;
            store.expire_records(150)?;
            store.checkpoint()?;
        }
    }
    Ok(())
}

#[test]
fn a_power_cut_at_any_operation_takes_nothing_that_must_stay() {
    let whole = FaultyDisk::new();
    live(&whole, &mut None).unwrap();
    for operation in 0..whole.operation_count() {
        let disk = FaultyDisk::new();
        disk.inject(operation, Fault::PowerCut);
        let mut acknowledged = None;
        if live(&disk, &mut acknowledged).is_ok() {
            continue;
        }
        let (store, _) = open(disk.crash(operation), small());
        let Some(last) = acknowledged else {
            continue;
        };
        let catalog = store.catalog();
        let log = partition(catalog.topic_named("t").unwrap().topic.id, 0);
        let bounds = store.client_bounds(log).unwrap();
        assert!(
            bounds.high_watermark.0 > last as u64,
            "cut at operation {operation}"
        );
        // What is younger than 100 ms at time 150 is there, unless a later one has its key.
        let shown = shown(&store, log);
        let key = ["a", "b"][last % 2];
        let newest = format!("{last}:{key}={last}");
        let later = format!("{}:{key}={}", last + 2, last + 2);
        let may_be_old = last < 5;
        let is_there = |text: &String| shown.split(' ').any(|record| record == text);
        let holds = may_be_old || is_there(&newest) || is_there(&later);
        assert!(holds, "cut at operation {operation}: {shown}");
    }
}

#[test]
fn old_segments_go_as_a_whole() {
    let (store, _) = open(MemoryDisk::default(), small());
    let topic = create_topic(&store, "t", 1).unwrap();
    let log = partition(topic, 0);
    for _ in 0..2 {
        for _ in 0..3 {
            append(&store, log, "k", Some("{}"), 0);
        }
        // The time of a row is its offset.
        materialize(&store, log, 3).unwrap();
        store.seal(topic).unwrap();
    }
    assert_eq!(store.expire_rows(topic, 2).unwrap(), 0);
    assert_eq!(store.expire_rows(topic, 3).unwrap(), 3);
    assert_eq!(all_rows(&store, topic).len(), 3);
    let report = store.verify(&mut |_| {});
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
