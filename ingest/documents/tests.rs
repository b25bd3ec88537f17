//! Writes of documents over a store in memory.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use storage::catalog::{
    CatalogChange, Dynamic, Edit, Materialize, MemoryCheckpoint, TimeField, Topic,
};
use storage::disk::{Disk, MemoryDisk};
use storage::log::{Batches, DecompressionBuffer, RecordBatch};
use storage::model::{FieldType, Offset, PartitionId, TopicId, TopicName};
use storage::store::{Store, StoreError, StoreOptions};

use super::{
    DocumentWrite, DocumentWriter, ID_BYTES_MAX, Refusal, WriteError, WriteOutcome, partition_of_id,
};
use crate::decode::{Document, DocumentDecoder, Meaning, Operation};

const PARTITIONS: u32 = 3;

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::default())
}

fn open(disk: &Arc<dyn Disk>) -> Store {
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(disk)));
    Store::open(Arc::clone(disk), checkpoint, StoreOptions::default(), 0)
        .unwrap()
        .0
}

fn create(store: &Store) -> TopicId {
    let mut id = None;
    let staged = store.stage_edit::<StoreError>(|catalog| {
        id = Some(catalog.next_topic_id());
        Ok(Edit::of(CatalogChange::CreateTopic(Box::new(Topic {
            id: catalog.next_topic_id(),
            name: TopicName::parse("documents").unwrap(),
            uuid: [1; 16],
            partitions: PARTITIONS,
            routing_partitions: None,
            created_ms: 0,
            config: BTreeMap::new(),
            settings: BTreeMap::new(),
            dynamic: Dynamic::True,
            mapping: Arc::default(),
            time_field: None,
            materialize: Materialize::Auto,
        }))))
    });
    store.wait_durable(staged.unwrap()).unwrap();
    id.unwrap()
}

fn document(id: Option<&str>, source: &str) -> DocumentWrite {
    DocumentWrite {
        id: id.map(Into::into),
        operation: Operation::Index,
        source: Bytes::copy_from_slice(source.as_bytes()),
    }
}

/// Outcomes as text: the id, `conflict`, or why it was refused.
fn outcomes(outcomes: &[WriteOutcome]) -> Vec<String> {
    let text = |outcome: &WriteOutcome| match outcome {
        WriteOutcome::Created { id, .. } => format!("created {id}"),
        WriteOutcome::Conflict { id } => format!("conflict {id}"),
        WriteOutcome::Refused(refusal) => format!("refused {refusal}"),
    };
    outcomes.iter().map(text).collect()
}

/// Makes rows of all records, as the materializer does in its own time.
fn materialize(store: &Store, topic: TopicId) {
    let state = store.catalog().topic(topic).unwrap().topic.clone();
    let mut decoder = DocumentDecoder::new(&state);
    let mut next = Vec::new();
    for partition in state.partitions() {
        let high_watermark = store.log_bounds(partition).unwrap().high_watermark;
        let mut from = store.materialized(partition);
        while from < high_watermark {
            for batch in Batches::new(store.read(partition, from, 1 << 20).unwrap()) {
                let batch = batch.unwrap();
                decode(&batch, partition.id, &mut decoder);
                from = batch.header().next_offset();
            }
        }
        next.push((partition.id, high_watermark));
    }
    store
        .publish(topic, decoder.finish().rows, &next, Vec::new(), 0)
        .unwrap();
}

fn decode(batch: &RecordBatch, partition: PartitionId, decoder: &mut DocumentDecoder) {
    for record in batch.records(&mut DecompressionBuffer::default()).unwrap() {
        let record = record.unwrap();
        let Meaning::Document { id, source } = Meaning::of(&record) else {
            continue;
        };
        let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
        decoder
            .decode(&Document {
                partition,
                offset,
                timestamp_ms,
                id,
                source,
            })
            .unwrap();
    }
}

fn row_count(store: &Store, topic: TopicId) -> usize {
    store.snapshot(topic).unwrap().row_count()
}

#[test]
fn documents_get_names() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let writes = [
        document(None, r#"{"a":1}"#),
        document(Some("x"), r#"{"a":2}"#),
        document(None, r#"{"a":3}"#),
        document(Some("x"), r#"{"a":4}"#),
    ];
    let first = writer.write(&store, topic, &writes, 77).unwrap();
    assert_eq!(
        outcomes(&first),
        ["created 0-0", "created x", "created 0-1", "conflict x"]
    );
    // The next call without ids goes to the next partition.
    let second = writer.write(&store, topic, &writes[..1], 77).unwrap();
    let WriteOutcome::Created {
        partition, offset, ..
    } = &second[0]
    else {
        panic!("not created: {second:?}")
    };
    assert_eq!(*partition, PartitionId(1));

    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 4);
    let snapshot = store.snapshot(topic).unwrap();
    let found = snapshot.sources[0].find_id(b"x").unwrap()[0];
    assert_eq!(snapshot.sources[0].source(found).unwrap(), br#"{"a":2}"#);
    assert_eq!(
        snapshot.topic.mapping.fields["a"].field_type,
        FieldType::Long
    );
    assert_eq!(snapshot.topic.time_field, Some(TimeField::RecordTime));
    assert!(*offset <= Offset(1));
}

#[test]
fn an_id_is_stored_once_wherever_it_is() {
    let disk = memory();
    let mut store = open(&disk);
    let topic = create(&store);
    let mut writer = DocumentWriter::new();
    let write = |store: &Store, writer: &DocumentWriter, id: &str| {
        let written = writer
            .write(store, topic, &[document(Some(id), "{}")], 0)
            .unwrap();
        outcomes(&written).remove(0)
    };
    assert_eq!(write(&store, &writer, "a"), "created a");
    // In the log, not a row yet.
    assert_eq!(write(&store, &writer, "a"), "conflict a");
    // The same, right after a restart.
    drop(store);
    store = open(&disk);
    writer = DocumentWriter::new();
    assert_eq!(write(&store, &writer, "a"), "conflict a");
    assert_eq!(write(&store, &writer, "b"), "created b");
    // An active row.
    materialize(&store, topic);
    assert_eq!(write(&store, &writer, "a"), "conflict a");
    assert_eq!(write(&store, &writer, "b"), "conflict b");
    // A row of a segment, and again after a restart.
    store.seal(topic).unwrap();
    assert_eq!(write(&store, &writer, "a"), "conflict a");
    drop(store);
    store = open(&disk);
    writer = DocumentWriter::new();
    assert_eq!(write(&store, &writer, "b"), "conflict b");
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 2);
}

#[test]
fn an_id_is_stored_once_by_many_threads() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let created: usize = std::thread::scope(|scope| {
        let work = || {
            let mut created = 0;
            for number in 0..50 {
                let writes = [document(Some(&format!("id{number}")), r#"{"n":1}"#)];
                let written = writer.write(&store, topic, &writes, 0).unwrap();
                created += usize::from(matches!(written[0], WriteOutcome::Created { .. }));
            }
            created
        };
        let threads = [scope.spawn(work), scope.spawn(work), scope.spawn(work)];
        for _ in 0..20 {
            materialize(&store, topic);
        }
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(created, 50);
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 50);
}

#[test]
fn what_cannot_be_a_row_is_refused_before_it_is_written() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let long_id = "x".repeat(ID_BYTES_MAX + 1);
    let writes = [
        document(Some("1"), r#"{"a":1}"#),
        document(Some("2"), r#"{"a":"x","new":1}"#),
        document(Some("2"), "[]"),
        document(Some(""), "{}"),
        document(Some(&long_id), "{}"),
        document(Some("0-9"), "{}"),
        document(Some("9-0"), "{}"),
        document(Some("00-9"), "{}"),
        DocumentWrite {
            operation: Operation::Delete,
            ..document(Some("1"), "{}")
        },
    ];
    let written = writer.write(&store, topic, &writes, 0).unwrap();
    assert_eq!(
        outcomes(&written),
        [
            "created 1",
            "refused failed to parse field [a] of type [long]",
            "refused failed to parse: a document must be a JSON object",
            "refused if _id is specified it must not be empty",
            &format!(
                "refused id [{long_id}] is too long, must be no longer than 512 bytes but was: 513"
            ),
            "refused id [0-9] is of the form that records without an id are named by: \
             partition-offset",
            "created 9-0",
            "created 00-9",
            "refused operation [delete] is not supported yet",
        ]
    );
    assert!(matches!(
        written[5],
        WriteOutcome::Refused(Refusal::IdReserved { .. })
    ));
    let catalog = store.catalog();
    let fields = &catalog.topic(topic).unwrap().topic.mapping.fields;
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn the_name_of_a_record_is_taken() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let first = writer
        .write(&store, topic, &[document(None, "{}")], 0)
        .unwrap();
    assert_eq!(outcomes(&first), ["created 0-0"]);
    let again = writer
        .write(&store, topic, &[document(Some("0-0"), "{}")], 0)
        .unwrap();
    assert_eq!(outcomes(&again), ["conflict 0-0"]);
}

#[test]
fn large_calls_are_cut_into_batches() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let text = format!("{{\"text\":\"{}\"}}", "x".repeat(300_000));
    let writes: Vec<DocumentWrite> = (0..20)
        .map(|number| document(Some(&format!("id{number}")), &text))
        .collect();
    let written = writer.write(&store, topic, &writes, 0).unwrap();
    for (number, outcome) in written.iter().enumerate() {
        let WriteOutcome::Created { id, partition, .. } = outcome else {
            panic!("not created: {outcome:?}")
        };
        assert_eq!(*id, format!("id{number}"));
        assert_eq!(*partition, partition_of_id(id.as_bytes(), PARTITIONS));
    }
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 20);
}

#[test]
fn a_topic_that_is_gone_is_an_error() {
    let store = open(&memory());
    let error = DocumentWriter::new()
        .write(&store, TopicId(9), &[], 0)
        .unwrap_err();
    assert!(matches!(
        error,
        WriteError::Store(StoreError::UnknownTopic(TopicId(9)))
    ));
}
