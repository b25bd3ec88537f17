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
use storage::store::{NewRows, Removal, Store, StoreError, StoreOptions};

use super::{
    Action, Condition, DocumentWrite, DocumentWriter, ID_BYTES_MAX, Refusal, Update, WriteError,
    WriteOutcome, partition_of_id,
};
use crate::decode::{Document, DocumentDecoder, Meaning, Spread};

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
        routing: None,
        action: Action::Index(Bytes::copy_from_slice(source.as_bytes())),
        condition: Condition::Always,
    }
}

fn creation(id: &str, source: &str) -> DocumentWrite {
    DocumentWrite {
        action: Action::Create(Bytes::copy_from_slice(source.as_bytes())),
        ..document(Some(id), source)
    }
}

fn deletion(id: &str) -> DocumentWrite {
    DocumentWrite {
        action: Action::Delete,
        ..document(Some(id), "")
    }
}

fn update(id: &str, doc: &str) -> DocumentWrite {
    let update = Update {
        doc: serde_json::from_str(doc).unwrap(),
        detect_noop: true,
        ..Update::default()
    };
    DocumentWrite {
        action: Action::Update(Box::new(update)),
        ..document(Some(id), "")
    }
}

/// Outcomes as text: what was done with which id and version, or why nothing was.
fn outcomes(outcomes: &[WriteOutcome]) -> Vec<String> {
    let text = |outcome: &WriteOutcome| match outcome {
        WriteOutcome::Done {
            id,
            version,
            result,
            ..
        } => format!("{result:?} {id} {version}"),
        WriteOutcome::Conflict { id, conflict } => format!("conflict {id} {conflict}"),
        WriteOutcome::Missing { id } => format!("missing {id}"),
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
                decode(&batch, partition.id, Spread::of(&state), &mut decoder);
                from = batch.header().next_offset();
            }
        }
        next.push((partition.id, high_watermark));
    }
    let decoded = decoder.finish();
    let rows = NewRows {
        rows: decoded.rows,
        removals: decoded.removals,
    };
    store.publish(topic, rows, &next, Vec::new(), 0).unwrap();
}

fn decode(
    batch: &RecordBatch,
    partition: PartitionId,
    spread: Spread,
    decoder: &mut DocumentDecoder,
) {
    for record in batch.records(&mut DecompressionBuffer::default()).unwrap() {
        let record = record.unwrap();
        let (id, version, routing, source) = match Meaning::of(&record, partition, spread) {
            Meaning::Document {
                id,
                version,
                routing,
                source,
            } => (id.map(str::as_bytes), version, routing, source),
            Meaning::Delete { id, .. } => {
                decoder.remove(Removal {
                    partition,
                    offset: record.offset,
                    id: id.into(),
                });
                continue;
            }
            other => panic!("written by others: {other:?}"),
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
        decoder.note_write(version, routing);
    }
}

/// The documents that rows and writes agree on: id, version and content.
fn stored(store: &Store, writer: &DocumentWriter, topic: TopicId, id: &str) -> String {
    stored_with(store, writer, topic, id, None)
}

fn stored_with(
    store: &Store,
    writer: &DocumentWriter,
    topic: TopicId,
    id: &str,
    routing: Option<&str>,
) -> String {
    match writer.get(store, topic, id, routing).unwrap() {
        None => "none".into(),
        Some(stored) => {
            let source = String::from_utf8(stored.source.to_vec()).unwrap();
            format!("{} {source}", stored.version)
        }
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
        [
            "Created 0-0 1",
            "Created x 1",
            "Created 0-1 1",
            "Updated x 2"
        ]
    );
    // The next call without ids goes to the next partition.
    let second = writer.write(&store, topic, &writes[..1], 77).unwrap();
    let WriteOutcome::Done {
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
    assert_eq!(snapshot.sources[0].source(found).unwrap(), br#"{"a":4}"#);
    assert_eq!(
        snapshot.topic.mapping.fields["a"].field_type,
        FieldType::Long
    );
    assert_eq!(snapshot.topic.time_field, Some(TimeField::RecordTime));
    // Behind both records of `x`.
    assert_eq!(*offset, Offset(2));
}

#[test]
fn an_id_names_one_document_wherever_it_is() {
    let disk = memory();
    let mut store = open(&disk);
    let topic = create(&store);
    let mut writer = DocumentWriter::new();
    let mut step = 0;
    let mut check = |store: &Store, writer: &DocumentWriter, place: &str| {
        step += 1;
        let source = format!("{{\"step\":{step}}}");
        let writes = [
            document(Some("a"), &source),
            creation("a", "{}"),
            deletion("b"),
        ];
        let written = outcomes(&writer.write(store, topic, &writes, 0).unwrap());
        let wanted = match step {
            1 => "Created a 1".into(),
            _ => format!("Updated a {step}"),
        };
        assert_eq!(written[0], wanted, "{place}");
        assert!(written[1].contains("document already exists"), "{place}");
        assert_eq!(written[2], "NotFound b 1", "{place}");
        let found = stored(store, writer, topic, "a");
        assert_eq!(found, format!("{step} {source}"), "{place}");
    };
    check(&store, &writer, "nowhere");
    check(&store, &writer, "the log");
    drop(store);
    store = open(&disk);
    writer = DocumentWriter::new();
    check(&store, &writer, "the log, after a restart");
    materialize(&store, topic);
    check(&store, &writer, "an active row");
    materialize(&store, topic);
    store.seal(topic).unwrap();
    check(&store, &writer, "a segment");
    materialize(&store, topic);
    store.seal(topic).unwrap();
    drop(store);
    store = open(&disk);
    writer = DocumentWriter::new();
    check(
        &store,
        &writer,
        "a segment beside one that lost it, after a restart",
    );
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 1);
    let written = writer.write(&store, topic, &[deletion("a")], 0).unwrap();
    assert_eq!(outcomes(&written), ["Deleted a 7"]);
    assert_eq!(stored(&store, &writer, topic, "a"), "none");
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 0);
    assert_eq!(stored(&store, &writer, topic, "a"), "none");
}

#[test]
fn writes_of_one_call_see_each_other() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let writes = [
        document(Some("a"), r#"{"n":1,"m":1}"#),
        update("a", r#"{"n":2}"#),
        update("a", r#"{"n":2}"#),
        update("b", r#"{"n":2}"#),
        deletion("a"),
        creation("a", "{}"),
    ];
    let written = writer.write(&store, topic, &writes, 0).unwrap();
    assert_eq!(
        outcomes(&written),
        [
            "Created a 1",
            "Updated a 2",
            "Noop a 2",
            "missing b",
            "Deleted a 3",
            "Created a 1"
        ]
    );
    let later = [update("a", r#"{"k":"v"}"#)];
    assert_eq!(
        outcomes(&writer.write(&store, topic, &later, 0).unwrap()),
        ["Updated a 2"]
    );
    assert_eq!(stored(&store, &writer, topic, "a"), r#"2 {"k":"v"}"#);
    materialize(&store, topic);
    assert_eq!(stored(&store, &writer, topic, "a"), r#"2 {"k":"v"}"#);
    assert_eq!(row_count(&store, topic), 1);
}

#[test]
fn conditions_are_checked_against_the_newest_write() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let write = |condition, id: &str| {
        let write = DocumentWrite {
            condition,
            ..document(Some(id), "{}")
        };
        outcomes(&writer.write(&store, topic, &[write], 0).unwrap()).remove(0)
    };
    let after = |offset, term| Condition::After {
        offset: Offset(offset),
        term,
    };
    assert!(write(after(0, 1), "a").contains("no document was found"));
    assert_eq!(write(Condition::Always, "a"), "Created a 1");
    let at = writer
        .get(&store, topic, "a", None)
        .unwrap()
        .unwrap()
        .offset
        .0;
    assert!(write(after(at + 50, 1), "a").contains("current document has seqNo"));
    assert!(write(after(at, 9), "a").contains("primary term [1]"));
    assert_eq!(write(after(at, 1), "a"), "Updated a 2");
    assert!(write(after(at, 1), "a").starts_with("conflict"));
    assert!(write(Condition::Version(2), "a").contains("higher or equal"));
    assert_eq!(write(Condition::Version(10), "a"), "Updated a 10");
    assert_eq!(write(Condition::VersionFrom(10), "a"), "Updated a 10");
    assert!(write(Condition::VersionFrom(9), "a").contains("is higher than"));
    materialize(&store, topic);
    assert_eq!(write(Condition::Always, "a"), "Updated a 11");
}

#[test]
fn a_routed_document_is_found_with_its_routing_alone() {
    let disk = memory();
    let mut store = open(&disk);
    let topic = create(&store);
    let mut writer = DocumentWriter::new();
    let routed = |write: DocumentWrite, routing: &str| DocumentWrite {
        routing: Some(routing.into()),
        ..write
    };
    let writes = [
        routed(document(Some("a"), "{}"), "x"),
        deletion("a"),
        routed(update("a", r#"{"k":1}"#), "y"),
        routed(update("a", r#"{"k":2}"#), "x"),
        routed(creation("a", "{}"), "y"),
        routed(document(Some("b"), "{}"), "b"),
        deletion("b"),
    ];
    let written = writer.write(&store, topic, &writes, 0).unwrap();
    assert_eq!(
        outcomes(&written),
        [
            "Created a 1",
            "NotFound a 1",
            "missing a",
            "Updated a 2",
            "conflict a document already exists (current version [2])",
            "Created b 1",
            "Deleted b 2",
        ]
    );
    for round in ["staged", "loaded", "row"] {
        match round {
            "loaded" => {
                drop(store);
                store = open(&disk);
                writer = DocumentWriter::new();
            }
            "row" => materialize(&store, topic),
            _ => {}
        }
        let found = |routing| stored_with(&store, &writer, topic, "a", routing);
        assert_eq!(found(Some("x")), r#"2 {"k":2}"#, "{round}");
        assert_eq!(found(Some("y")), "none", "{round}");
        assert_eq!(found(None), "none", "{round}");
    }
    let replaced = [routed(document(Some("a"), "{}"), "y")];
    let written = writer.write(&store, topic, &replaced, 0).unwrap();
    assert_eq!(outcomes(&written), ["Updated a 3"]);
    assert_eq!(stored_with(&store, &writer, topic, "a", Some("x")), "none");
    assert_eq!(stored_with(&store, &writer, topic, "a", Some("y")), "3 {}");
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
                let writes = [creation(&format!("id{number}"), r#"{"n":1}"#)];
                let written = writer.write(&store, topic, &writes, 0).unwrap();
                created += usize::from(matches!(written[0], WriteOutcome::Done { .. }));
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
            id: None,
            ..deletion("1")
        },
    ];
    let written = writer.write(&store, topic, &writes, 0).unwrap();
    assert_eq!(
        outcomes(&written),
        [
            "Created 1 1",
            "refused failed to parse field [a] of type [long]",
            "refused failed to parse: a document must be a JSON object",
            "refused if _id is specified it must not be empty",
            &format!(
                "refused id [{long_id}] is too long, must be no longer than 512 bytes but was: 513"
            ),
            "refused id [0-9] is of the form that records without an id are named by: \
             partition-offset",
            "Created 9-0 1",
            "Created 00-9 1",
            "refused an id must be provided",
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
fn a_row_without_an_id_is_changed_by_its_name() {
    let store = open(&memory());
    let topic = create(&store);
    let writer = DocumentWriter::new();
    let write = |write| outcomes(&writer.write(&store, topic, &[write], 0).unwrap()).remove(0);
    assert_eq!(write(document(None, r#"{"n":1}"#)), "Created 0-0 1");
    assert_eq!(stored(&store, &writer, topic, "0-0"), r#"1 {"n":1}"#);
    assert_eq!(write(update("0-0", r#"{"m":2}"#)), "Updated 0-0 2");
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 1);
    assert_eq!(stored(&store, &writer, topic, "0-0"), r#"2 {"n":1,"m":2}"#);
    store.seal(topic).unwrap();
    assert_eq!(write(document(None, "{}")), "Created 2-0 1");
    materialize(&store, topic);
    store.seal(topic).unwrap();
    assert_eq!(write(deletion("2-0")), "Deleted 2-0 2");
    assert_eq!(write(deletion("0-0")), "Deleted 0-0 3");
    materialize(&store, topic);
    assert_eq!(row_count(&store, topic), 0);
    assert!(store.verify(&mut |_| {}).is_ok());
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
        let WriteOutcome::Done { id, partition, .. } = outcome else {
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
