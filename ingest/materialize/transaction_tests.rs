//! Rows of transactions: committed ones, once, and no others.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::disk::Disk;
use storage::log::{
    BatchBuilder, Codec, NewRecord, ProducerStamp, RecordBatch, TransactionOutcome,
};
use storage::model::{Offset, Partition, PartitionId, TopicId};
use storage::store::{Store, StoreError};
use storage::transactions::TransactionChange;

use super::tests::{append, create, memory, open, rows, run_all};

/// A producer that owns a transactional id of its own.
struct Writer {
    producer_id: i64,
    /// The next one of each partition.
    sequences: BTreeMap<Partition, i32>,
}

impl Writer {
    fn start(store: &Store, producer_id: i64) -> Self {
        change(
            store,
            TransactionChange::Start {
                id: producer_id.to_string(),
                producer_id,
                producer_epoch: 0,
                last_epoch: -1,
                timeout_ms: 60_000,
                at_ms: 0,
            },
        );
        Self {
            producer_id,
            sequences: BTreeMap::new(),
        }
    }

    /// Appends a document to a partition, in a transaction that is begun if need be.
    fn append(&mut self, store: &Store, partition: Partition, document: &str) {
        change(
            store,
            TransactionChange::AddPartitions {
                id: self.producer_id.to_string(),
                partitions: vec![partition],
                at_ms: 0,
            },
        );
        let sequence = self.sequences.entry(partition).or_default();
        *sequence += 1;
        let batch = batch(self.producer_id, *sequence - 1, document);
        let staged = store.stage_batch(partition, batch, 9_000).unwrap();
        store.wait_durable(staged.lsn).unwrap();
    }

    fn end(&self, store: &Store, outcome: TransactionOutcome) {
        change(
            store,
            TransactionChange::End {
                id: self.producer_id.to_string(),
                outcome,
                producer_epoch: 0,
                at_ms: 0,
            },
        );
    }
}

fn batch(producer_id: i64, base_sequence: i32, document: &str) -> RecordBatch {
    let stamp = ProducerStamp {
        producer_id,
        producer_epoch: 0,
        base_sequence,
    };
    let mut builder = BatchBuilder::new().with_stamp(stamp).in_transaction();
    let record = NewRecord {
        timestamp_ms: 5_000,
        value: Some(document.as_bytes()),
        ..NewRecord::default()
    };
    builder.push(record).unwrap();
    builder.finish(Codec::Lz4)
}

fn change(store: &Store, change: TransactionChange) {
    let staged = store.stage_transactions(|_| Ok::<_, StoreError>((vec![change], ())));
    store.wait_durable(staged.unwrap().0).unwrap();
}

fn shown(store: &Store, topic: TopicId) -> String {
    let rows = rows(store, topic).into_iter();
    let rows: Vec<String> = rows
        .map(|(partition, offset, document)| format!("{partition}-{offset} {document}"))
        .collect();
    rows.join(", ")
}

#[test]
fn only_committed_records_become_rows() {
    use TransactionOutcome::{Aborted, Committed};
    let disk = memory();
    let store = open(&disk);
    let topic = create(&store, 2, |_| {});
    let place = |id| Partition::new(topic, PartitionId(id));
    let (mut one, mut two) = (Writer::start(&store, 1), Writer::start(&store, 2));
    append(&store, topic, 0, &[Some(r#"{"p":0}"#)]);
    one.append(&store, place(0), r#"{"a":1}"#);
    two.append(&store, place(0), r#"{"x":1}"#);
    two.append(&store, place(1), r#"{"x":2}"#);
    append(&store, topic, 0, &[Some(r#"{"p":1}"#)]);
    append(&store, topic, 1, &[Some(r#"{"p":2}"#)]);
    run_all(&store, topic);
    assert_eq!(shown(&store, topic), r#"0-0 {"p":0}"#, "both are open");

    two.end(&store, Aborted);
    run_all(&store, topic);
    assert_eq!(
        shown(&store, topic),
        r#"0-0 {"p":0}, 1-1 {"p":2}"#,
        "the first is open"
    );
    one.append(&store, place(0), r#"{"a":2}"#);
    one.end(&store, Committed);
    two.append(&store, place(0), r#"{"y":1}"#);
    run_all(&store, topic);
    let expected = r#"0-0 {"p":0}, 0-1 {"a":1}, 0-3 {"p":1}, 0-5 {"a":2}, 1-1 {"p":2}"#;
    assert_eq!(shown(&store, topic), expected);
    assert_eq!(store.materialized(place(0)), Offset(7), "behind the marker");

    store.seal(topic).unwrap();
    two.end(&store, Committed);
    let store = open_again(store, &disk);
    run_all(&store, topic);
    let expected =
        r#"0-0 {"p":0}, 0-1 {"a":1}, 0-3 {"p":1}, 0-5 {"a":2}, 0-7 {"y":1}, 1-1 {"p":2}"#;
    assert_eq!(shown(&store, topic), expected);
    assert_eq!(store.materialized(place(0)), Offset(9));
    assert_eq!(store.materialized(place(1)), Offset(3));

    store.seal(topic).unwrap();
    store.close().unwrap();
    let store = open_again(store, &disk);
    assert_eq!(shown(&store, topic), expected, "from segments alone");
    assert_eq!(run_all(&store, topic).rows, 0);
    assert!(store.snapshot(topic).unwrap().rejected.total() == 0);
}

fn open_again(store: Store, disk: &Arc<dyn Disk>) -> Store {
    drop(store);
    open(disk)
}
