//! Many threads on one store.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::fixture::*;
use super::world::{Random, options};
use crate::disk::{Fault, FaultyDisk, MemoryDisk};
use crate::model::Partition;
use crate::store::{Outcome, StageError, Store, StoreError, StoreOptions};

#[test]
fn threads_that_wait_commit_for_each_other() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 2).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let partition = partition(topic, thread % 2);
                for number in 0..50 {
                    let value = format!("{thread} {number}");
                    let staged = store.stage_batch(partition, batch(&[value], None), 0);
                    let staged = staged.unwrap();
                    store.wait_durable(staged.lsn).unwrap();
                    let bounds = store.log_bounds(partition).unwrap();
                    assert!(bounds.high_watermark > staged.base);
                }
            });
        }
    });
    for id in 0..2 {
        let records = records(&store, partition(topic, id));
        let values: BTreeSet<_> = records.iter().map(|(_, value)| value).collect();
        assert_eq!((records.len(), values.len()), (200, 200));
    }
}

#[test]
fn a_committer_thread_is_woken_and_told_to_end() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    assert!(!store.wait_for_work(Duration::ZERO));
    let topic = create_topic(&store, "t", 1).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while store.wait_for_work(Duration::from_secs(60)) {
                if store.commit().is_err() {
                    return;
                }
            }
        });
        let staged = store.stage_batch(partition(topic, 0), batch(&["a"], None), 0);
        store.wait_durable(staged.unwrap().lsn).unwrap();
        store.close().unwrap();
    });
}

#[test]
fn what_is_staged_under_a_promise_is_committed_whether_it_is_kept_or_not() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 4).unwrap();
    let has_slept = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while store.wait_for_work(Duration::from_secs(60)) {
                if store.commit().is_err() {
                    return;
                }
            }
            has_slept.store(true, Ordering::Release);
        });
        let stagers = (0..4).map(|thread| {
            let (store, has_slept) = (&store, &has_slept);
            scope.spawn(move || {
                for number in 0..200 {
                    let soon = store.commit_soon();
                    let staged =
                        store.stage_batch(partition(topic, thread), batch(&["a"], None), 0);
                    if number % 2 == 0 {
                        soon.commit().unwrap();
                    } else {
                        drop(soon);
                    }
                    // Nobody commits here: this one or another promise, or who was woken.
                    let lsn = staged.unwrap().lsn;
                    while store.outcome(lsn) == Outcome::Waiting {
                        assert!(!has_slept.load(Ordering::Acquire), "nobody was woken");
                        thread::yield_now();
                    }
                }
            })
        });
        for stager in stagers.collect::<Vec<_>>() {
            stager.join().unwrap();
        }
        store.close().unwrap();
    });
    for id in 0..4 {
        assert_eq!(records(&store, partition(topic, id)).len(), 200);
    }
}

#[test]
fn each_row_is_seen_once_at_every_instant() {
    const ROWS: usize = 600;
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let values: Vec<_> = (0..ROWS).map(|number| number.to_string()).collect();
    let staged = store.stage_batch(first, batch(&values, None), 0).unwrap();
    store.wait_durable(staged.lsn).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROWS / 3 {
                materialize(&store, first, 3).unwrap();
            }
            is_done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                store.seal(topic).unwrap();
            }
        });
        scope.spawn(|| {
            let mut seen = 0;
            while !is_done.load(Ordering::Acquire) {
                let rows = all_rows(&store, topic);
                let offsets = rows.iter().map(|row| row.1);
                assert!(
                    offsets.eq(0..rows.len() as u64),
                    "a row is missing or doubled"
                );
                assert!(rows.len() >= seen, "rows have vanished");
                seen = rows.len();
            }
        });
    });
    assert_eq!(all_rows(&store, topic).len(), ROWS);
}

/// A record that was acknowledged: partition, offset, value.
type Acknowledged = (Partition, u64, Vec<u8>);

/// Produces until the store stops; notes what was acknowledged.
fn produce_to_the_end(
    store: &Store,
    name: u32,
    partition: Partition,
    acks: &Mutex<Vec<Acknowledged>>,
) {
    for number in 0.. {
        let value = format!("{name} {number}").into_bytes();
        let acknowledged = || -> Result<u64, StageError> {
            let staged = store.stage_batch(partition, batch(&[&value], None), 0)?;
            store.wait_durable(staged.lsn)?;
            Ok(staged.base.0)
        };
        match acknowledged() {
            Ok(base) => acks.lock().unwrap().push((partition, base, value)),
            Err(_) => return,
        }
    }
}

/// Four threads live until the power is cut. Returns what they were promised.
fn live(store: &Store, partitions: [Partition; 2]) -> Vec<Acknowledged> {
    let acks = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (name, partition) in (0..).zip(partitions) {
            let acks = &acks;
            scope.spawn(move || produce_to_the_end(store, name, partition, acks));
        }
        scope.spawn(|| while store.checkpoint().is_ok() {});
        scope.spawn(|| {
            let work = || -> Result<(), StoreError> {
                for partition in partitions {
                    materialize(store, partition, 100)?;
                }
                store.seal(partitions[0].topic).map(drop)
            };
            while work().is_ok() {}
        });
    });
    acks.into_inner().unwrap()
}

#[test]
fn a_power_cut_among_threads_loses_nothing_and_doubles_nothing() {
    let mut random = Random::new(1);
    for _ in 0..500 {
        let disk = FaultyDisk::new();
        let (store, _) = open(disk.clone(), options());
        let topic = create_topic(&store, "t", 2).unwrap();
        let partitions = [partition(topic, 0), partition(topic, 1)];
        disk.inject(disk.operation_count() + random.below(300), Fault::PowerCut);
        let acks = live(&store, partitions);
        drop(store);
        let (store, _) = open(disk.crash(random.number()), options());
        let mut expected = Vec::new();
        for partition in partitions {
            let records = records(&store, partition);
            let values: BTreeSet<_> = records.iter().map(|(_, value)| value).collect();
            assert_eq!(values.len(), records.len(), "a record is doubled");
            for (_, offset, value) in acks.iter().filter(|ack| ack.0 == partition) {
                let found = &records[usize::try_from(*offset).unwrap()];
                assert_eq!(found, &(*offset, value.clone()), "a record is lost");
            }
            let count = records.len();
            let rows = records.into_iter();
            expected.extend(rows.map(|(offset, value)| (partition.id.0, offset, value)));
            materialize(&store, partition, count).unwrap();
        }
        assert_eq!(all_rows(&store, topic), expected);
        let report = store.verify(&mut |_| {});
        assert!(report.is_ok(), "{report:?}");
    }
}
