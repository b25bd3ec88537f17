//! Small stores, batches and rows for tests.

use std::sync::Arc;

use crate::catalog::{
    Catalog, CatalogChange, Dynamic, Edit, Materialize, MemoryCheckpoint, TimeField, Topic,
};
use crate::disk::Disk;
use crate::log::{
    BatchBuilder, Batches, Codec, DecompressionBuffer, NewRecord, ProducerStamp, RecordBatch,
};
use crate::model::{ColumnBatch, Offset, Partition, PartitionId, SourceColumn, TopicId, TopicName};
use crate::store::{ReadError, Recovery, Store, StoreError, StoreOptions};

pub(super) fn open(disk: impl Disk + 'static, options: StoreOptions) -> (Store, Recovery) {
    try_open(disk, options).unwrap()
}

pub(super) fn try_open(
    disk: impl Disk + 'static,
    options: StoreOptions,
) -> Result<(Store, Recovery), StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
    Store::open(disk, checkpoint, options, 0)
}

/// The next topic of `catalog`.
pub(super) fn topic(catalog: &Catalog, name: &str, partitions: u32) -> Box<Topic> {
    Box::new(Topic {
        id: catalog.next_topic_id(),
        name: TopicName::parse(name).unwrap(),
        uuid: [1; 16],
        partitions,
        routing_partitions: None,
        created_ms: 0,
        config: [].into(),
        settings: [].into(),
        dynamic: Dynamic::True,
        mapping: Arc::default(),
        time_field: Some(TimeField::RecordTime),
        materialize: Materialize::Auto,
    })
}

pub(super) fn create_topic(
    store: &Store,
    name: &str,
    partitions: u32,
) -> Result<TopicId, StoreError> {
    let mut id = TopicId(0);
    let lsn = store.stage_edit::<StoreError>(|catalog| {
        let topic = topic(catalog, name, partitions);
        id = topic.id;
        Ok(Edit::of(CatalogChange::CreateTopic(topic)))
    })?;
    store.wait_durable(lsn)?;
    Ok(id)
}

pub(super) fn partition(topic: TopicId, id: u32) -> Partition {
    Partition::new(topic, PartitionId(id))
}

/// A batch of one record for each of `values`.
pub(super) fn batch(values: &[impl AsRef<[u8]>], stamp: Option<ProducerStamp>) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    if let Some(stamp) = stamp {
        builder = builder.with_stamp(stamp);
    }
    for value in values {
        let record = NewRecord {
            timestamp_ms: 1000,
            value: Some(value.as_ref()),
            ..NewRecord::default()
        };
        builder.push(record).unwrap();
    }
    builder.finish(Codec::None)
}

/// All records of a partition up to its high watermark: offset and value.
pub(super) fn records(store: &Store, partition: Partition) -> Vec<(u64, Vec<u8>)> {
    try_records(store, partition).unwrap()
}

pub(super) fn try_records(
    store: &Store,
    partition: Partition,
) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
    let bounds = store.log_bounds(partition).unwrap();
    let mut records = Vec::new();
    let mut from = bounds.start;
    while from < bounds.high_watermark {
        let bytes = store.read(partition, from, 1000)?;
        assert!(!bytes.is_empty(), "nothing at {from} of {bounds:?}");
        for batch in Batches::new(bytes) {
            let batch = batch.unwrap();
            assert_eq!(batch.header().base_offset, from);
            from = batch.header().next_offset();
            for record in batch.records(&mut DecompressionBuffer::default()).unwrap() {
                let record = record.unwrap();
                records.push((record.offset.0, record.value.unwrap().to_vec()));
            }
        }
    }
    // More may have been committed meanwhile.
    assert!(from >= bounds.high_watermark);
    Ok(records)
}

/// One row for each record.
pub(super) fn rows(partition: Partition, records: &[(u64, Vec<u8>)]) -> ColumnBatch {
    let mut sources = SourceColumn::default();
    for (_, value) in records {
        sources.push(value);
    }
    ColumnBatch {
        times_ms: records
            .iter()
            .map(|(offset, _)| i64::try_from(*offset).unwrap())
            .collect(),
        partitions: vec![partition.id.0; records.len()],
        offsets: records.iter().map(|(offset, _)| *offset).collect(),
        sources,
        ..ColumnBatch::default()
    }
}

/// Makes rows of up to `max` records of `partition` that are not rows yet. Returns how many.
pub(super) fn materialize(
    store: &Store,
    partition: Partition,
    max: usize,
) -> Result<usize, StoreError> {
    let from = store.materialized(partition);
    let mut fresh = try_records(store, partition).map_err(|error| match error {
        ReadError::Log { partition, source } => StoreError::Log { partition, source },
        other => panic!("{other}"),
    })?;
    fresh.retain(|(offset, _)| *offset >= from.0);
    fresh.truncate(max);
    let next = Offset(from.0 + fresh.len() as u64);
    let rows = rows(partition, &fresh);
    let next = [(partition.id, next)];
    store.publish(partition.topic, rows, &next, Vec::new(), 0)?;
    Ok(fresh.len())
}

/// All rows of a topic: partition, offset and document, sorted.
pub(super) fn all_rows(store: &Store, topic: TopicId) -> Vec<(u32, u64, Vec<u8>)> {
    let snapshot = store.snapshot(topic).unwrap();
    assert_eq!(snapshot.failures, []);
    let mut rows = Vec::new();
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    for source in &snapshot.sources {
        for vector in 0..source.vector_count() {
            source
                .origins(vector, &mut partitions, &mut offsets)
                .unwrap();
            let origins = partitions.iter().zip(&offsets);
            for (row, (partition, offset)) in source.vector_rows(vector).zip(origins) {
                rows.push((*partition, *offset, source.source(row).unwrap()));
            }
        }
    }
    rows.sort();
    rows
}
