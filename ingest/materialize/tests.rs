//! From records to rows over a store in memory.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use storage::catalog::{
    Catalog, CatalogChange, Dynamic, Edit, Materialize, MemoryCheckpoint, TimeField, Topic,
};
use storage::disk::{Disk, Fault, FaultyDisk, MemoryDisk};
use storage::log::{BatchBuilder, Batches, Codec, DecompressionBuffer, NewRecord, RecordBatch};
use storage::model::{FieldType, Mapping, Offset, Partition, PartitionId, TopicId, TopicName};
use storage::store::{Store, StoreError, StoreOptions};

use super::{Crew, Job, Materializer, Progress, WorkBudget};

const BUDGET: WorkBudget = WorkBudget { bytes_max: 1 << 20 };

pub(super) fn open(disk: &Arc<dyn Disk>) -> Store {
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(disk)));
    Store::open(Arc::clone(disk), checkpoint, StoreOptions::default(), 0)
        .unwrap()
        .0
}

pub(super) fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::default())
}

fn topic(catalog: &Catalog, partitions: u32) -> Topic {
    Topic {
        id: catalog.next_topic_id(),
        name: TopicName::parse("events").unwrap(),
        uuid: [1; 16],
        partitions,
        routing_partitions: None,
        created_ms: 0,
        config: BTreeMap::new(),
        settings: BTreeMap::new(),
        dynamic: Dynamic::True,
        mapping: Arc::default(),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

pub(super) fn create(store: &Store, partitions: u32, change: impl FnOnce(&mut Topic)) -> TopicId {
    let mut id = None;
    let staged = store.stage_edit::<StoreError>(|catalog| {
        let mut topic = topic(catalog, partitions);
        change(&mut topic);
        id = Some(topic.id);
        Ok(Edit::of(CatalogChange::CreateTopic(Box::new(topic))))
    });
    store.wait_durable(staged.unwrap()).unwrap();
    id.unwrap()
}

fn batch(values: &[Option<&str>], codec: Codec) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for value in values {
        let value = value.map(str::as_bytes);
        builder
            .push(NewRecord {
                timestamp_ms: 5_000,
                value,
                ..NewRecord::default()
            })
            .unwrap();
    }
    builder.finish(codec)
}

pub(super) fn append(store: &Store, topic: TopicId, partition: u32, values: &[Option<&str>]) {
    let partition = Partition::new(topic, PartitionId(partition));
    let staged = store
        .stage_batch(partition, batch(values, Codec::Zstd), 9_000)
        .unwrap();
    store.wait_durable(staged.lsn).unwrap();
}

/// Two who share the work; the second is done first.
struct Pair;

impl Crew for Pair {
    fn width(&self, _: usize) -> usize {
        2
    }

    fn work(&self, jobs: Vec<Job<'_>>) {
        jobs.into_iter().rev().for_each(|job| job());
    }
}

pub(super) fn run_all(store: &Store, topic: TopicId) -> Progress {
    let mut materializer = Materializer::new();
    let mut total = Progress::default();
    loop {
        let step = materializer
            .run_once(store, topic, BUDGET, &Pair, 0)
            .unwrap();
        total.rows += step.rows;
        total.rejected += step.rejected;
        if !step.more {
            return total;
        }
    }
}

/// Each live row's partition, offset and document.
pub(super) fn rows(store: &Store, topic: TopicId) -> Vec<(u32, u64, String)> {
    let snapshot = store.snapshot(topic).unwrap();
    let mut rows = Vec::new();
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    for source in &snapshot.sources {
        for vector in 0..source.vector_count() {
            source
                .origins(vector, &mut partitions, &mut offsets)
                .unwrap();
            for (row, (partition, offset)) in source
                .vector_rows(vector)
                .zip(partitions.iter().zip(&offsets))
            {
                if !source.is_live(row) {
                    continue;
                }
                let document = String::from_utf8(source.source(row).unwrap()).unwrap();
                rows.push((*partition, *offset, document));
            }
        }
    }
    rows.sort();
    rows
}

/// Each dead letter of `events`: partition, offset and kind by its headers, and its value.
fn dead_letters(store: &Store) -> Vec<(u32, u64, String, Vec<u8>)> {
    let catalog = store.catalog();
    let Some(state) = catalog.topic_named("events.dead-letter") else {
        return Vec::new();
    };
    let partition = Partition::new(state.topic.id, PartitionId(0));
    let mut letters = Vec::new();
    let mut scratch = DecompressionBuffer::new();
    let mut from = Offset(0);
    while from < store.log_bounds(partition).unwrap().high_watermark {
        for batch in Batches::new(store.read(partition, from, 1).unwrap()) {
            let batch = batch.unwrap();
            for record in batch.records(&mut scratch).unwrap() {
                let record = record.unwrap();
                let header = |name: &str| {
                    let value = record.headers.last(name.as_bytes()).flatten().unwrap();
                    String::from_utf8(value.to_vec()).unwrap()
                };
                letters.push((
                    header("dead-letter.partition").parse().unwrap(),
                    header("dead-letter.offset").parse().unwrap(),
                    header("dead-letter.kind"),
                    record.value.unwrap().to_vec(),
                ));
            }
            from = batch.header().next_offset();
        }
    }
    letters.sort();
    letters
}

#[test]
fn records_that_cannot_be_rows_are_dead_letters() {
    let store = open(&memory());
    let topic = create(&store, 1, |topic| {
        let limits = [
            ("index.mapping.total_fields.limit", 2),
            ("index.mapping.depth.limit", 2),
        ];
        let limits = limits.map(|(name, limit)| (name.into(), limit.into()));
        topic.settings.extend(limits);
    });
    let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    let values: [&[u8]; 8] = [
        br#"{"v":1}"#,
        b"no json",
        br#"{"v":"x"}"#,
        deep.as_bytes(),
        br#"{"a":1,"b":2,"c":3}"#,
        b"{\"v\":\"\xff\"}",
        br#"{"v":2"#,
        br#"{"v":3}"#,
    ];
    let mut builder = BatchBuilder::new();
    for value in values {
        let record = NewRecord {
            timestamp_ms: 5_000,
            key: Some(b"key"),
            value: Some(value),
            headers: &[("own", Some(b"header"))],
        };
        builder.push(record).unwrap();
    }
    let partition = Partition::new(topic, PartitionId(0));
    let staged = store.stage_batch(partition, builder.finish(Codec::Lz4), 9_000);
    store.wait_durable(staged.unwrap().lsn).unwrap();
    assert_eq!(run_all(&store, topic).rejected, 6);
    let found = dead_letters(&store);
    let kinds: Vec<(u64, &str)> = found
        .iter()
        .map(|(_, offset, kind, _)| (*offset, &**kind))
        .collect();
    let expected = [
        (1, "json"),
        (2, "type"),
        (3, "depth"),
        (4, "width"),
        (5, "utf8"),
        (6, "json"),
    ];
    assert_eq!(kinds, expected);
    for (_, offset, _, value) in &found {
        assert_eq!(value, values[usize::try_from(*offset).unwrap()]);
    }
    let catalog = store.catalog();
    let state = &catalog.topic(topic).unwrap().dead_letters;
    assert_eq!(state.total(), 6);
    assert_eq!(state.next(PartitionId(0)), Offset(7));
}

/// Makes rows and dead letters until the disk is cut off.
fn live(disk: &FaultyDisk) -> Result<(), Box<dyn std::error::Error>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
    let (store, _) = Store::open(disk, checkpoint, StoreOptions::default(), 0)?;
    let mut id = TopicId(0);
    let staged = store.stage_edit::<StoreError>(|catalog| {
        let topic = topic(catalog, 1);
        id = topic.id;
        Ok(Edit::of(CatalogChange::CreateTopic(Box::new(topic))))
    })?;
    store.wait_durable(staged)?;
    let mut materializer = Materializer::new();
    for round in 0..4 {
        let values = [Some("{}"), Some("broken"), Some("{"), None];
        let partition = Partition::new(id, PartitionId(0));
        let staged = store.stage_batch(partition, batch(&values, Codec::None), 0)?;
        store.wait_durable(staged.lsn)?;
        materializer.run_once(&store, id, BUDGET, &Pair, 0)?;
        if round % 2 == 1 {
            store.seal(id)?;
            store.checkpoint()?;
        }
    }
    Ok(())
}

#[test]
fn a_power_cut_at_any_operation_neither_loses_nor_doubles_a_dead_letter() {
    let whole = FaultyDisk::new();
    live(&whole).unwrap();
    let mut lives = 0;
    for operation in 0..whole.operation_count() {
        let disk = FaultyDisk::new();
        disk.inject(operation, Fault::PowerCut);
        if live(&disk).is_ok() {
            continue;
        }
        lives += 1;
        let store = open(&(Arc::new(disk.crash(operation)) as Arc<dyn Disk>));
        let catalog = store.catalog();
        let Some(state) = catalog.topic_named("events") else {
            continue;
        };
        run_all(&store, state.topic.id);
        let partition = Partition::new(state.topic.id, PartitionId(0));
        let end = store.log_bounds(partition).unwrap().high_watermark.0;
        let offsets: Vec<u64> = dead_letters(&store).iter().map(|letter| letter.1).collect();
        let expected: Vec<u64> = (0..end)
            .filter(|offset| matches!(offset % 4, 1 | 2))
            .collect();
        assert_eq!(offsets, expected, "cut at operation {operation}");
        let count = u64::try_from(rows(&store, state.topic.id).len()).unwrap();
        assert_eq!(count, end / 4, "cut at operation {operation}");
    }
    assert!(lives > 20, "only {lives} lives were cut");
}

#[test]
fn a_topic_of_other_bytes_has_no_dead_letters_until_it_has_documents() {
    let disk = memory();
    let mut store = open(&disk);
    let topic = create(&store, 1, |_| {});
    append(&store, topic, 0, &[Some("a"), Some("b")]);
    run_all(&store, topic);
    assert_eq!(dead_letters(&store), []);
    store.seal(topic).unwrap();
    drop(store);
    store = open(&disk);
    append(&store, topic, 0, &[Some("c"), Some("{}"), Some("d")]);
    run_all(&store, topic);
    let offsets: Vec<u64> = dead_letters(&store).iter().map(|letter| letter.1).collect();
    assert_eq!(offsets, [0, 1, 2, 4]);
}

#[test]
fn records_become_rows_rejects_or_nothing() {
    let store = open(&memory());
    let topic = create(&store, 1, |_| {});
    append(
        &store,
        topic,
        0,
        &[
            Some(r#"{"v":1}"#),
            None,
            Some("no json"),
            Some(r#"{"v":"x"}"#),
        ],
    );
    append(&store, topic, 0, &[Some(r#"{"v":2.5}"#)]);
    let progress = run_all(&store, topic);
    assert_eq!(
        progress,
        Progress {
            rows: 2,
            rejected: 2,
            more: false
        }
    );
    let expected = vec![(0, 0, r#"{"v":1}"#.into()), (0, 4, r#"{"v":2.5}"#.into())];
    assert_eq!(rows(&store, topic), expected);

    let rejected = store.snapshot(topic).unwrap().rejected;
    let reasons: Vec<(u64, &str)> = rejected
        .newest()
        .map(|record| (record.offset.0, record.reason.as_ref()))
        .collect();
    let expected = [
        (2, "failed to parse: expected ident"),
        (3, "failed to parse field [v] of type [long]"),
    ];
    assert_eq!(reasons, expected);

    let catalog = store.catalog();
    let topic = &catalog.topic(topic).unwrap().topic;
    assert_eq!(topic.mapping.fields["v"].field_type, FieldType::Double);
    assert_eq!(topic.time_field, Some(TimeField::RecordTime));
}

/// Appends records with keys.
fn append_keyed(store: &Store, topic: TopicId, partition: u32, records: &[(&str, Option<&str>)]) {
    let mut builder = BatchBuilder::new();
    for (key, value) in records {
        let record = NewRecord {
            timestamp_ms: 5_000,
            key: Some(key.as_bytes()),
            value: value.map(str::as_bytes),
            ..NewRecord::default()
        };
        builder.push(record).unwrap();
    }
    let partition = Partition::new(topic, PartitionId(partition));
    let staged = store.stage_batch(partition, builder.finish(Codec::None), 9_000);
    store.wait_durable(staged.unwrap().lsn).unwrap();
}

fn with_id_field(path: &str) -> impl FnOnce(&mut Topic) {
    move |topic| {
        let setting = ("index.id_field".into(), path.into());
        topic.settings.extend([setting]);
    }
}

#[test]
fn a_later_record_with_the_id_of_a_field_takes_the_place_of_the_row() {
    let disk = memory();
    let mut store = open(&disk);
    let topic = create(&store, 2, with_id_field("tx.id"));
    append(
        &store,
        topic,
        0,
        &[Some(r#"{"tx":{"id":"a"},"v":1}"#), Some(r#"{"v":2}"#)],
    );
    append(&store, topic, 1, &[Some(r#"{"tx":{"id":"a"},"v":3}"#)]);
    run_all(&store, topic);
    store.seal(topic).unwrap();
    append(&store, topic, 0, &[Some(r#"{"tx":{"id":"a"},"v":4}"#)]);
    append(&store, topic, 0, &[Some(r#"{"tx":{"id":["a"]},"v":5}"#)]);
    let expected: Vec<(u32, u64, String)> = vec![
        (0, 1, r#"{"v":2}"#.into()),
        (0, 2, r#"{"tx":{"id":"a"},"v":4}"#.into()),
        (1, 0, r#"{"tx":{"id":"a"},"v":3}"#.into()),
    ];
    run_all(&store, topic);
    assert_eq!(rows(&store, topic), expected);
    assert_eq!(dead_letters(&store).len(), 1);
    drop(store);
    store = open(&disk);
    run_all(&store, topic);
    assert_eq!(rows(&store, topic), expected);
    assert_eq!(dead_letters(&store).len(), 1);
}

#[test]
fn a_record_without_a_value_takes_the_row_of_its_key_away() {
    let store = open(&memory());
    let topic = create(&store, 1, with_id_field("_key"));
    let first = [
        ("a", Some("{}")),
        ("b", Some("{}")),
        ("a", None),
        ("c", None),
    ];
    append_keyed(&store, topic, 0, &first);
    run_all(&store, topic);
    assert_eq!(rows(&store, topic), [(0, 1, "{}".into())]);
    store.seal(topic).unwrap();
    append_keyed(&store, topic, 0, &[("b", None), ("a", Some("{}"))]);
    run_all(&store, topic);
    assert_eq!(rows(&store, topic), [(0, 5, "{}".into())]);
}

#[test]
fn a_budget_is_shared_among_partitions() {
    let store = open(&memory());
    let topic = create(&store, 3, |_| {});
    for partition in [0, 0, 0, 1, 2, 2] {
        append(&store, topic, partition, &[Some("{}")]);
    }
    let mut materializer = Materializer::new();
    let mut steps = Vec::new();
    loop {
        let budget = WorkBudget { bytes_max: 1 };
        let step = materializer
            .run_once(&store, topic, budget, &Pair, 0)
            .unwrap();
        let next = (0..3).map(|id| store.materialized(Partition::new(topic, PartitionId(id))).0);
        steps.push(next.collect::<Vec<u64>>());
        if !step.more {
            break;
        }
    }
    let expected = [
        [1, 0, 0],
        [1, 1, 0],
        [1, 1, 1],
        [2, 1, 1],
        [2, 1, 2],
        [3, 1, 2],
    ]
    .map(|next| next.to_vec());
    assert_eq!(steps, expected);
}

#[test]
fn a_topic_without_rows_only_advances() {
    let store = open(&memory());
    let topic = create(&store, 2, |topic| topic.materialize = Materialize::None);
    append(&store, topic, 1, &[Some("bytes"), Some("{}")]);
    assert_eq!(run_all(&store, topic), Progress::default());
    assert_eq!(
        store.materialized(Partition::new(topic, PartitionId(1))).0,
        2
    );
    assert_eq!(rows(&store, topic), []);
}

#[test]
fn a_topic_that_is_gone_has_nothing_to_do() {
    let store = open(&memory());
    let progress = Materializer::new()
        .run_once(&store, TopicId(7), BUDGET, &Pair, 0)
        .unwrap();
    assert_eq!(progress, Progress::default());
}

#[test]
fn fields_that_others_change_are_taken_over() {
    let store = open(&memory());
    let topic = create(&store, 1, |_| {});
    let mut materializer = Materializer::new();
    append(&store, topic, 0, &[Some(r#"{"a":1}"#)]);
    materializer
        .run_once(&store, topic, BUDGET, &Pair, 0)
        .unwrap();
    let staged = store.stage_edit::<StoreError>(|catalog| {
        let known = &catalog.topic(topic).unwrap().topic;
        let mut mapping = Mapping::clone(&known.mapping);
        mapping
            .fields
            .insert("b".into(), storage::model::Field::new(FieldType::Keyword));
        Ok(Edit::of(CatalogChange::ChangeFields {
            topic,
            mapping: Arc::new(mapping),
            time_field: known.time_field.clone(),
            dynamic: None,
        }))
    });
    store.wait_durable(staged.unwrap()).unwrap();
    append(&store, topic, 0, &[Some(r#"{"b":7,"c":true}"#)]);
    let step = materializer
        .run_once(&store, topic, BUDGET, &Pair, 0)
        .unwrap();
    assert_eq!(
        step,
        Progress {
            rows: 1,
            rejected: 0,
            more: false
        }
    );
    let catalog = store.catalog();
    let fields = &catalog.topic(topic).unwrap().topic.mapping.fields;
    let types: Vec<FieldType> = fields.values().map(|field| field.field_type).collect();
    assert_eq!(
        types,
        [FieldType::Long, FieldType::Keyword, FieldType::Boolean]
    );
}

/// What happens to the store next.
#[derive(Debug, Clone)]
enum Event {
    Append { partition: u32, values: Vec<u8> },
    Step { bytes_max: usize },
    Seal,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3u32, proptest::collection::vec(any::<u8>(), 1..5))
            .prop_map(|(partition, values)| Event::Append { partition, values }),
        4 => (1usize..2_000).prop_map(|bytes_max| Event::Step { bytes_max }),
        1 => Just(Event::Seal),
        2 => Just(Event::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_record_is_a_row_once(events in proptest::collection::vec(event(), 0..24)) {
        let disk = memory();
        let mut store = open(&disk);
        let topic = create(&store, 3, |_| {});
        let mut materializer = Materializer::new();
        let (mut expected, mut broken) = (Vec::new(), Vec::new());
        let mut ends = [0u64; 3];
        for event in events {
            match event {
                Event::Append { partition, values } => {
                    let texts: Vec<Option<String>> = values.iter().map(|value| match value % 8 {
                        0 => None,
                        1 => Some("broken".into()),
                        kind => Some(format!("{{\"f{kind}\":{value}}}")),
                    }).collect();
                    let values: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
                    append(&store, topic, partition, &values);
                    let end = &mut ends[partition as usize];
                    for text in texts {
                        if text.as_deref() == Some("broken") {
                            broken.push((partition, *end));
                        }
                        if let Some(text) = text.filter(|text| text.starts_with('{')) {
                            expected.push((partition, *end, text));
                        }
                        *end += 1;
                    }
                }
                Event::Step { bytes_max } => {
                    let budget = WorkBudget { bytes_max };
                    materializer.run_once(&store, topic, budget, &Pair, 0).unwrap();
                }
                Event::Seal => {
                    store.seal(topic).unwrap();
                }
                Event::Restart => {
                    drop(store);
                    store = open(&disk);
                    materializer = Materializer::new();
                }
            }
        }
        run_all(&store, topic);
        expected.sort();
        let letters: Vec<(u32, u64)> =
            dead_letters(&store).iter().map(|letter| (letter.0, letter.1)).collect();
        // Nothing told that there are documents.
        let mut broken = if expected.is_empty() { Vec::new() } else { broken };
        broken.sort();
        prop_assert_eq!(letters, broken);
        prop_assert_eq!(rows(&store, topic), expected);
    }
}
