//! What a store does on a good day.

use super::fixture::*;
use crate::disk::MemoryDisk;
use crate::model::Offset;
use crate::store::{LogBounds, StoreOptions};

#[test]
fn what_is_staged_is_invisible_until_its_commit() {
    let (store, recovery) = open(MemoryDisk::new(), StoreOptions::default());
    assert!(recovery.is_new);
    let topic = create_topic(&store, "t", 2).unwrap();
    let first = partition(topic, 0);
    let staged = store
        .stage_batch(first, batch(&["a", "b"], None), 0)
        .unwrap();
    assert_eq!(staged.base, Offset(0));
    let bounds = |end| LogBounds {
        start: Offset(0),
        high_watermark: Offset(end),
    };
    assert_eq!(store.log_bounds(first), Some(bounds(0)));
    assert!(store.read(first, Offset(0), 100).unwrap().is_empty());
    assert!(store.durable() < staged.lsn);
    store.wait_durable(staged.lsn).unwrap();
    assert_eq!(store.log_bounds(first), Some(bounds(2)));
    assert_eq!(
        records(&store, first),
        [(0, b"a".to_vec()), (1, b"b".to_vec())]
    );
}

#[test]
fn a_new_process_finds_what_was_committed() {
    let disk = MemoryDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    for number in 0..10 {
        let value = number.to_string();
        let staged = store.stage_batch(first, batch(&[value], None), 0).unwrap();
        store.wait_durable(staged.lsn).unwrap();
        if number == 4 {
            store.checkpoint().unwrap();
        }
    }
    materialize(&store, first, 4).unwrap();
    let before = records(&store, first);
    drop(store);
    let (store, recovery) = open(disk.clone(), StoreOptions::default());
    assert_eq!(recovery.replayed_records, 5);
    assert!(!recovery.was_closed);
    assert_eq!(store.epoch().0, 1);
    assert_eq!(records(&store, first), before);
    assert_eq!(store.materialized(first), Offset(0));
    store.close().unwrap();
    assert!(store.stage_batch(first, batch(&["x"], None), 0).is_err());
    drop(store);
    let (store, recovery) = open(disk, StoreOptions::default());
    assert!(recovery.was_closed);
    assert_eq!((recovery.replayed_records, store.epoch().0), (0, 1));
    assert_eq!(records(&store, first), before);
}

#[test]
fn published_rows_fold_into_few_chunks() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let values: Vec<_> = (0..1000).map(|number: i32| number.to_string()).collect();
    let staged = store.stage_batch(first, batch(&values, None), 0).unwrap();
    store.wait_durable(staged.lsn).unwrap();
    for _ in 0..1000 {
        assert_eq!(materialize(&store, first, 1).unwrap(), 1);
        assert!(store.snapshot(topic).unwrap().sources.len() <= 11);
    }
    assert_eq!(store.active_size(topic).rows, 1000);
    let rows: Vec<_> = all_rows(&store, topic)
        .into_iter()
        .map(|row| row.2)
        .collect();
    let values: Vec<_> = values.into_iter().map(String::into_bytes).collect();
    assert_eq!(rows, values);
}
