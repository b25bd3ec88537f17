//! What a store does on a good day.

use super::fixture::*;
use crate::catalog::{CatalogChange, Edit};
use crate::disk::MemoryDisk;
use crate::groups::{CommittedOffset, GroupChange};
use crate::model::{LeaderEpoch, Offset, PartitionId};
use crate::store::{LogBounds, Outcome, Store, StoreError, StoreOptions};

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
        last_stable: Offset(end),
    };
    assert_eq!(store.log_bounds(first), Some(bounds(0)));
    assert!(store.read(first, Offset(0), 100).unwrap().is_empty());
    assert_eq!(store.outcome(staged.lsn), Outcome::Waiting);
    store.wait_durable(staged.lsn).unwrap();
    assert_eq!(store.outcome(staged.lsn), Outcome::Durable);
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
        assert!(store.snapshot(topic).unwrap().sources.len() <= 22);
    }
    assert_eq!(store.active_size(topic).rows, 1000);
    let rows: Vec<_> = all_rows(&store, topic)
        .into_iter()
        .map(|row| row.2)
        .collect();
    let values: Vec<_> = values.into_iter().map(String::into_bytes).collect();
    assert_eq!(rows, values);
}

#[test]
fn groups_survive_with_the_journal_and_with_the_checkpoint() {
    let disk = MemoryDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let commit = |store: &Store, offset| {
        let committed = CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: "note".to_owned(),
            committed_ms: 1,
            expires_ms: None,
        };
        let change = GroupChange::Commit {
            group: "g".to_owned(),
            offsets: vec![(partition(topic, 0), committed)],
        };
        store.stage_groups(vec![change]).unwrap()
    };
    let read = |store: &Store| {
        let groups = store.groups();
        let offsets = groups.get("g").map(|state| &state.offsets);
        offsets.and_then(|it| Some(it.get(&partition(topic, 0))?.offset))
    };
    let lsn = commit(&store, 5);
    assert_eq!(read(&store), None, "staged is not durable");
    store.wait_durable(lsn).unwrap();
    assert_eq!(read(&store), Some(5));
    drop(store);
    let (store, _) = open(disk.clone(), StoreOptions::default());
    assert_eq!(read(&store), Some(5));
    store.wait_durable(commit(&store, 6)).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let (store, recovery) = open(disk.clone(), StoreOptions::default());
    assert_eq!((read(&store), recovery.replayed_records), (Some(6), 0));
    let delete = Edit::of(CatalogChange::DeleteTopic(topic));
    let lsn = store.stage_edit::<StoreError>(|_| Ok(delete)).unwrap();
    store.wait_durable(lsn).unwrap();
    // A commit that was on its way when its topic vanished.
    store.wait_durable(commit(&store, 7)).unwrap();
    assert_eq!(read(&store), None);
}

#[test]
fn partitions_can_be_added_and_starts_moved() {
    let disk = MemoryDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let append = |store: &Store, id, value: &str| {
        let staged = store.stage_batch(partition(topic, id), batch(&[value], None), 0);
        store.wait_durable(staged.unwrap().lsn).unwrap();
    };
    append(&store, 0, "a");
    append(&store, 0, "b");
    let edit = Edit {
        changes: vec![
            CatalogChange::AddPartitions {
                topic,
                partitions: 3,
            },
            CatalogChange::MoveLogStarts {
                topic,
                starts: vec![(PartitionId(0), Offset(1))],
            },
        ],
    };
    let lsn = store.stage_edit::<StoreError>(|_| Ok(edit)).unwrap();
    store.wait_durable(lsn).unwrap();
    append(&store, 2, "c");
    let moved = store.client_bounds(partition(topic, 0)).unwrap();
    assert_eq!((moved.start, moved.high_watermark), (Offset(1), Offset(2)));
    assert_eq!(
        store.log_bounds(partition(topic, 0)).unwrap().start,
        Offset(0)
    );
    assert_eq!(records(&store, partition(topic, 2)).len(), 1);
    assert_eq!(records(&store, partition(topic, 1)), []);
    drop(store);
    for _ in 0..2 {
        // From the journal first, then from the checkpoint that the opening wrote.
        let (store, _) = open(disk.clone(), StoreOptions::default());
        let state = store.catalog().topic(topic).unwrap().clone();
        assert_eq!(
            (state.topic.partitions, state.topic.routing_partitions()),
            (3, 1)
        );
        assert_eq!(
            store.client_bounds(partition(topic, 0)).unwrap().start,
            Offset(1)
        );
        assert_eq!(records(&store, partition(topic, 2)).len(), 1);
    }
}

#[test]
fn an_epoch_ends_where_the_next_one_stored_something() {
    let disk = MemoryDisk::new();
    let end = |store: &Store, epoch| {
        let topic = store.catalog().topic_named("t").unwrap().topic.id;
        let end = store.epoch_end(partition(topic, 0), LeaderEpoch(epoch));
        end.map(|end| (end.epoch.0, end.end.0))
    };
    // Epoch 0 stores two records, 1 nothing, 2 one.
    for counts in [2, 0, 1] {
        let (store, _) = open(disk.clone(), StoreOptions::default());
        let known = store.catalog().topic_named("t").map(|state| state.topic.id);
        let topic = known.unwrap_or_else(|| create_topic(&store, "t", 1).unwrap());
        for _ in 0..counts {
            let staged = store.stage_batch(partition(topic, 0), batch(&["a"], None), 0);
            store.wait_durable(staged.unwrap().lsn).unwrap();
        }
        if counts == 1 {
            store.checkpoint().unwrap();
        }
    }
    let (store, _) = open(disk, StoreOptions::default());
    assert_eq!(store.epoch(), LeaderEpoch(3));
    assert_eq!(
        [0, 1, 2, 3, 4].map(|epoch| end(&store, epoch)),
        [Some((0, 2)), Some((0, 2)), Some((2, 3)), Some((3, 3)), None]
    );
}
