//! Publishing, sealing and verifying rows.

use super::fixture::*;
use crate::catalog::{CatalogChange, Edit, Rejected};
use crate::disk::{Disk, FaultyDisk, FilePath, MemoryDisk};
use crate::model::{ColumnBatch, Offset, PartitionId, TopicId};
use crate::store::{Store, StoreError, StoreOptions};

/// A store with one topic of one partition that holds `values`.
fn filled(disk: impl Disk + 'static, values: &[&str]) -> (Store, TopicId) {
    let (store, _) = open(disk, StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let staged = store.stage_batch(partition(topic, 0), batch(values, None), 0);
    store.wait_durable(staged.unwrap().lsn).unwrap();
    (store, topic)
}

#[test]
fn a_seal_moves_rows_from_memory_to_a_file() {
    let disk = MemoryDisk::new();
    let (store, topic) = filled(disk.clone(), &["a", "b", "c", "d"]);
    let first = partition(topic, 0);
    materialize(&store, first, 3).unwrap();
    let before = all_rows(&store, topic);
    let segment = store.seal(topic).unwrap().unwrap();
    assert_eq!(
        (segment.row_count, segment.offsets[0].1.end()),
        (3, Offset(3))
    );
    assert_eq!(store.active_size(topic).rows, 0);
    assert_eq!(all_rows(&store, topic), before);
    assert_eq!(store.seal(topic).unwrap(), None);
    drop(store);
    let (store, _) = open(disk, StoreOptions::default());
    assert_eq!(store.materialized(first), Offset(3));
    assert_eq!(all_rows(&store, topic), before);
    assert!(store.verify(&mut |_| {}).is_ok());
}

#[test]
fn a_seal_without_rows_commits_what_was_rejected() {
    let disk = MemoryDisk::new();
    let (store, topic) = filled(disk.clone(), &["bad"]);
    let rejected = vec![Rejected::new(PartitionId(0), Offset(0), "no JSON")];
    let next = [(PartitionId(0), Offset(1))];
    let no_rows = ColumnBatch::default();
    store.publish(topic, no_rows, &next, rejected, 7).unwrap();
    let waiting = store.active_size(topic);
    assert_eq!(
        (waiting.rows, waiting.rejected, waiting.oldest_ms),
        (0, 1, Some(7))
    );
    assert_eq!(store.snapshot(topic).unwrap().rejected.total(), 1);
    assert_eq!(store.seal(topic).unwrap(), None);
    drop(store);
    let (store, _) = open(disk, StoreOptions::default());
    assert_eq!(store.materialized(partition(topic, 0)), Offset(1));
    let snapshot = store.snapshot(topic).unwrap();
    assert_eq!(snapshot.rejected.total(), 1);
    assert_eq!(
        &*snapshot.rejected.newest().next().unwrap().reason,
        "no JSON"
    );
    assert!(store.verify(&mut |_| {}).is_ok());
}

#[test]
fn rows_that_do_not_continue_are_refused() {
    let (store, topic) = filled(MemoryDisk::new(), &["a", "b", "c"]);
    let first = partition(topic, 0);
    let all = records(&store, first);
    let publish = |range: std::ops::Range<usize>, next: u64| {
        let next = [(PartitionId(0), Offset(next))];
        store.publish(topic, rows(first, &all[range]), &next, Vec::new(), 0)
    };
    // Beyond what is durable, a row behind its end, an end for no partition.
    assert!(matches!(publish(0..3, 4), Err(StoreError::NotNext { .. })));
    assert!(matches!(publish(0..3, 2), Err(StoreError::NotNext { .. })));
    publish(0..2, 2).unwrap();
    // The same again.
    assert!(matches!(publish(0..2, 2), Err(StoreError::NotNext { .. })));
    assert!(matches!(publish(1..3, 3), Err(StoreError::NotNext { .. })));
    publish(2..3, 3).unwrap();
    assert_eq!(all_rows(&store, topic).len(), 3);
}

#[test]
fn rows_of_a_seal_that_fails_stay_active() {
    let disk = FaultyDisk::new();
    let (store, topic) = filled(disk.clone(), &["a", "b", "c"]);
    let first = partition(topic, 0);
    materialize(&store, first, 2).unwrap();
    disk.limit_capacity(Some(0));
    assert!(matches!(store.seal(topic), Err(StoreError::Io { .. })));
    materialize(&store, first, 1).unwrap();
    assert_eq!(store.active_size(topic).rows, 3);
    assert_eq!(all_rows(&store, topic).len(), 3);
    disk.limit_capacity(None);
    assert_eq!(store.seal(topic).unwrap().unwrap().row_count, 3);
    assert_eq!(all_rows(&store, topic).len(), 3);
}

#[test]
fn the_files_of_a_deleted_topic_go_with_the_next_checkpoint() {
    let disk = MemoryDisk::new();
    let (store, topic) = filled(disk.clone(), &["a", "b"]);
    materialize(&store, partition(topic, 0), 2).unwrap();
    store.seal(topic).unwrap();
    let snapshot = store.snapshot(topic).unwrap();
    let delete = Edit::of(CatalogChange::DeleteTopic(topic));
    let lsn = store.stage_edit::<StoreError>(|_| Ok(delete)).unwrap();
    assert!(
        store
            .stage_batch(partition(topic, 0), batch(&["c"], None), 0)
            .is_err()
    );
    store.wait_durable(lsn).unwrap();
    assert!(store.snapshot(topic).is_none());
    assert!(store.log_bounds(partition(topic, 0)).is_none());
    assert!(matches!(
        store.seal(topic),
        Err(StoreError::UnknownTopic(_))
    ));
    assert!(store.is_checkpoint_due());
    store.checkpoint().unwrap();
    assert!(!store.is_checkpoint_due());
    let root = |name| FilePath::parse(name).unwrap();
    assert_eq!(disk.list_directories(&root("segments")).unwrap(), []);
    assert_eq!(
        disk.list_directories(&root("log")).unwrap(),
        [root("log/journal")]
    );
    // Who has a snapshot goes on reading.
    assert_eq!(snapshot.sources[0].source(1).unwrap(), b"b");
    // The name is free again, the number is not.
    assert!(create_topic(&store, "t", 1).unwrap() > topic);
}

#[test]
fn verification_finds_what_is_wrong() {
    // A row that is not its record.
    let (store, topic) = filled(MemoryDisk::new(), &["a", "b", "c"]);
    let first = partition(topic, 0);
    let mut changed = records(&store, first);
    changed[1].1 = b"x".to_vec();
    let lost = changed.remove(2);
    let next = [(PartitionId(0), Offset(3))];
    store
        .publish(topic, rows(first, &changed), &next, Vec::new(), 0)
        .unwrap();
    store.seal(topic).unwrap();
    let report = store.verify(&mut |_| {});
    assert_eq!(lost.0, 2);
    assert_eq!(
        (report.records, report.rows, report.rows_compared),
        (3, 2, 2)
    );
    assert_eq!(
        report.problems,
        [
            "partition 1-0: the row of offset 1 differs from its record",
            "topic 't': 1 records below the watermarks have no row, but only 0 were rejected and 0 \
             deleted",
        ]
    );
}

#[test]
fn verification_reads_every_byte_of_segments_and_logs() {
    let disk = FaultyDisk::new();
    let (store, topic) = filled(disk.clone(), &["a", "b", "c"]);
    materialize(&store, partition(topic, 0), 3).unwrap();
    store.seal(topic).unwrap();
    assert!(store.verify(&mut |_| {}).is_ok());
    for folder in ["segments/1", "log/1-0"] {
        let folder = FilePath::parse(folder).unwrap();
        let file = disk.list(&folder).unwrap().remove(0);
        let len = disk.open(&file).unwrap().len_bytes().unwrap();
        // The log's file header is read at starts only.
        let first = if folder.as_str() == "log/1-0" { 32 } else { 0 };
        for byte in first..usize::try_from(len).unwrap() {
            disk.flip_bit(&file, byte, 5).unwrap();
            let report = store.verify(&mut |_| {});
            assert!(!report.is_ok(), "byte {byte} of {file}");
            disk.flip_bit(&file, byte, 5).unwrap();
        }
    }
    assert!(store.verify(&mut |_| {}).is_ok());
}
