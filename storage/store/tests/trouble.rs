//! Limits, retries and disks that fail.

use super::fixture::*;
use super::world;
use crate::catalog::{CatalogChange, Edit};
use crate::disk::{Disk, Fault, FaultyDisk, FilePath, MemoryDisk};
use crate::log::{ProducerStamp, SequenceError};
use crate::model::{Offset, TopicId};
use crate::store::{
    EDIT_BYTES_MAX, Outcome, ReadError, StageError, Store, StoreError, StoreOptions,
};

#[test]
fn a_failed_sync_stops_the_store_and_says_so() {
    let disk = FaultyDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let staged = store.stage_batch(first, batch(&["a"], None), 0).unwrap();
    // A commit appends to the journal, then syncs it.
    disk.inject(disk.operation_count() + 1, Fault::InputOutput);
    let error = store.wait_durable(staged.lsn).unwrap_err().to_string();
    assert!(error.contains("could not sync journal file"), "{error}");
    // The cause, which tells a full disk from a broken one.
    assert!(error.contains("injected input/output error"), "{error}");
    assert!(error.contains("restart it"), "{error}");
    let again = store
        .stage_batch(first, batch(&["b"], None), 0)
        .unwrap_err();
    assert_eq!(again.to_string(), error);
    assert_eq!(store.commit().unwrap_err().to_string(), error);
    assert_eq!(store.checkpoint().unwrap_err().to_string(), error);
    assert_eq!(store.seal(topic).unwrap_err().to_string(), error);
    assert_eq!(store.close().unwrap_err().to_string(), error);
    // What was visible still is.
    assert_eq!(store.log_bounds(first).unwrap().high_watermark, Offset(0));
}

#[test]
fn a_full_disk_refuses_writes_until_it_has_room() {
    let disk = FaultyDisk::new();
    let options = StoreOptions {
        disk_reserve_bytes: 20_000,
        ..StoreOptions::default()
    };
    disk.limit_capacity(Some(60_000));
    let (store, _) = open(disk.clone(), options.clone());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let value = "x".repeat(1000);
    let write = || {
        let staged = store.stage_batch(first, batch(&[&value], None), 0)?;
        Ok::<_, StageError>(store.wait_durable(staged.lsn)?)
    };
    let taken = (0..100).take_while(|_| write().is_ok()).count();
    assert!((5..50).contains(&taken), "{taken} writes");
    let refused = write().unwrap_err();
    assert!(
        matches!(refused, StageError::Store(StoreError::DiskFull { .. })),
        "{refused}"
    );
    // Reads, rows and checkpoints go on, sealing waits.
    assert_eq!(records(&store, first).len(), taken);
    materialize(&store, first, taken).unwrap();
    assert_eq!(all_rows(&store, topic).len(), taken);
    assert!(matches!(
        store.seal(topic),
        Err(StoreError::DiskFull { .. })
    ));
    store.checkpoint().unwrap();
    store.check().unwrap();
    disk.limit_capacity(Some(200_000));
    write().unwrap();
    assert_eq!(store.seal(topic).unwrap().unwrap().row_count, taken as u64);
    drop(store);
    let (store, _) = open(disk, options);
    assert_eq!(records(&store, first).len(), taken + 1);
}

#[test]
fn what_has_no_room_is_refused_for_good() {
    for crash_seed in 0..20 {
        let disk = FaultyDisk::new();
        let (store, _) = open(disk.clone(), StoreOptions::default());
        let topic = create_topic(&store, "t", 1).unwrap();
        let first = partition(topic, 0);
        let stage = |value: &str| store.stage_batch(first, batch(&[value], None), 0).unwrap();
        store.wait_durable(stage("before").lsn).unwrap();
        let refused = [stage("a"), stage("b")];
        assert_eq!(refused.map(|staged| staged.base.0), [1, 2]);
        disk.inject(disk.operation_count(), Fault::Full);
        for staged in refused {
            let error = store.wait_durable(staged.lsn).unwrap_err();
            assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
            assert_eq!(store.outcome(staged.lsn), Outcome::Refused);
        }
        assert_eq!(records(&store, first).len(), 1);
        store.check().unwrap();
        if crash_seed % 2 == 0 {
            // What comes next takes their place.
            let later = stage("c");
            assert_eq!(later.base.0, 1);
            store.wait_durable(later.lsn).unwrap();
            assert_eq!(store.outcome(refused[1].lsn), Outcome::Refused);
            assert_eq!(records(&store, first)[1].1, b"c");
        }
        let durable = records(&store, first);
        drop(store);
        let (store, _) = open(disk.crash(crash_seed), StoreOptions::default());
        assert_eq!(records(&store, first), durable);
    }
}

#[test]
fn nothing_that_finds_the_disk_full_stops_the_store() {
    let mut refused = 0;
    for capacity_bytes in (2_000..40_000).step_by(397) {
        let disk = FaultyDisk::new();
        let options = StoreOptions {
            disk_reserve_bytes: 0,
            ..world::options()
        };
        let (store, _) = open(disk.clone(), options.clone());
        let topic = create_topic(&store, "t", 2).unwrap();
        disk.limit_capacity(Some(capacity_bytes));
        let mut durable = [Vec::new(), Vec::new()];
        let mut rows = 0;
        for number in 0..60_usize {
            let value = format!("{number} {}", "x".repeat(number * 37 % 500));
            let id = number % 2;
            let place = partition(topic, u32::try_from(id).unwrap());
            let written = store.stage_batch(place, batch(&[&value], None), 0);
            let written = written
                .map_err(|error| error.to_string())
                .and_then(|staged| {
                    let waited = store.wait_durable(staged.lsn);
                    waited.map_err(|error| error.to_string())
                });
            match written {
                Ok(()) => durable[id].push(value.into_bytes()),
                Err(error) => {
                    assert!(error.contains("are free"), "{error}");
                    refused += 1;
                }
            }
            if number % 7 == 6 {
                let max = durable[id].len();
                materialize(&store, place, max).unwrap();
                rows = all_rows(&store, topic).len();
                match store.seal(topic) {
                    Ok(_) => {}
                    Err(error) => assert!(error.is_disk_full(), "{error}"),
                }
                match store.checkpoint() {
                    Ok(()) => {}
                    Err(error) => assert!(error.is_disk_full(), "{error}"),
                }
            }
            store.check().unwrap();
            assert_eq!(all_rows(&store, topic).len(), rows, "rows stay");
        }
        check_records(&store, topic, &durable);
        disk.limit_capacity(None);
        let _ = store.check_room();
        let last = store.stage_batch(partition(topic, 0), batch(&["z"], None), 0);
        store.wait_durable(last.unwrap().lsn).unwrap();
        durable[0].push(b"z".to_vec());
        drop(store);
        let (store, _) = open(disk, options);
        check_records(&store, topic, &durable);
    }
    assert!(refused > 100, "{refused} writes found the disk full");
}

/// Compares the values of each partition.
fn check_records(store: &Store, topic: TopicId, expected: &[Vec<Vec<u8>>]) {
    for (id, expected) in (0..).zip(expected) {
        let found = records(store, partition(topic, id)).into_iter();
        let found: Vec<_> = found.map(|(_, value)| value).collect();
        assert_eq!(found, *expected);
    }
}

#[test]
fn a_checkpoint_without_room_leaves_the_last_one() {
    let disk = FaultyDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    create_topic(&store, "t", 1).unwrap();
    // Syncs of the log, then the new file is made and written.
    let failed = (0..8).filter(|ahead| {
        disk.inject(disk.operation_count() + ahead, Fault::Full);
        match store.checkpoint() {
            Ok(()) => false,
            Err(error) => {
                assert!(error.is_disk_full() || store.check().is_err(), "{error}");
                store.check().is_ok()
            }
        }
    });
    assert!(failed.count() > 0);
    drop(store);
    let (store, _) = open(disk.crash(1), StoreOptions::default());
    assert_eq!(store.catalog().topics().len(), 1);
}

#[test]
fn staging_too_much_commits_first() {
    let options = StoreOptions {
        staged_bytes_max: 1000,
        ..StoreOptions::default()
    };
    let (store, _) = open(MemoryDisk::new(), options);
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let value = "x".repeat(400);
    let mut last = store.settled();
    for _ in 0..10 {
        let staged = store.stage_batch(first, batch(&[&value], None), 0).unwrap();
        assert!(staged.lsn.0 - store.settled().0 <= 2);
        last = staged.lsn;
    }
    store.wait_durable(last).unwrap();
    let large = batch(&["x".repeat(2000)], None);
    let refused = store.stage_batch(first, large, 0);
    assert!(matches!(
        refused,
        Err(StageError::TooLarge { max: 1000, .. })
    ));
}

#[test]
fn a_repeated_batch_gets_its_first_offset() {
    let disk = MemoryDisk::new();
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let stamped = |base_sequence, value| {
        let stamp = ProducerStamp {
            producer_id: 5,
            producer_epoch: 0,
            base_sequence,
        };
        batch(&[value], Some(stamp))
    };
    store
        .stage_batch(first, batch(&["plain"], None), 0)
        .unwrap();
    let once = store.stage_batch(first, stamped(0, "a"), 0).unwrap();
    assert_eq!((once.base, once.is_duplicate), (Offset(1), false));
    // While the first copy is staged, and when it is durable.
    let twice = store.stage_batch(first, stamped(0, "a"), 0).unwrap();
    assert_eq!((twice.base, twice.is_duplicate), (Offset(1), true));
    store.wait_durable(twice.lsn).unwrap();
    assert_eq!(store.outcome(once.lsn), Outcome::Durable);
    let gap = store.stage_batch(first, stamped(2, "c"), 0);
    let expected = SequenceError::OutOfOrder {
        producer_id: 5,
        expected: 1,
        found: 2,
    };
    assert!(matches!(gap, Err(StageError::Producer(error)) if error == expected));
    drop(store);
    let (store, _) = open(disk, StoreOptions::default());
    let later = store.stage_batch(first, stamped(0, "a"), 0).unwrap();
    assert_eq!((later.base, later.is_duplicate), (Offset(1), true));
    let next = store.stage_batch(first, stamped(1, "b"), 0).unwrap();
    assert_eq!((next.base, next.is_duplicate), (Offset(2), false));
}

#[test]
fn a_topic_may_have_the_time_of_appending() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let append = |now_ms| {
        let staged = store
            .stage_batch(first, batch(&["a"], None), now_ms)
            .unwrap();
        store.wait_durable(staged.lsn).unwrap();
        staged.append_time_ms
    };
    assert_eq!(append(5000), None);
    let edit = Edit::of(CatalogChange::ChangeConfig {
        topic,
        config: [("message.timestamp.type".into(), "LogAppendTime".into())].into(),
        settings: [].into(),
    });
    let lsn = store.stage_edit::<StoreError>(|_| Ok(edit)).unwrap();
    store.wait_durable(lsn).unwrap();
    assert_eq!(append(7000), Some(7000));
    let found = store
        .offset_at_time(first, 1001, Offset(0), Offset(u64::MAX))
        .unwrap()
        .unwrap();
    assert_eq!((found.offset, found.timestamp_ms), (Offset(1), 7000));
    assert_eq!(store.max_timestamp(first).unwrap(), Some(found));
    assert_eq!(
        store
            .offset_at_time(first, 7001, Offset(0), Offset(u64::MAX))
            .unwrap(),
        None
    );
}

#[test]
fn reads_stay_between_the_ends() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let topic = create_topic(&store, "t", 1).unwrap();
    let first = partition(topic, 0);
    let read = |partition, from| store.read(partition, Offset(from), 100);
    assert!(read(first, 0).unwrap().is_empty());
    assert!(matches!(read(first, 1), Err(ReadError::OutOfRange { .. })));
    let other = partition(topic, 1);
    assert!(matches!(
        read(other, 0),
        Err(ReadError::UnknownPartition(_))
    ));
    let staged = store.stage_batch(other, batch(&["a"], None), 0);
    assert!(matches!(staged, Err(StageError::UnknownPartition(_))));
}

#[test]
fn an_edit_sees_the_edits_staged_before_it() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let create = |name: &str| {
        store.stage_edit::<StoreError>(|catalog| {
            Ok(Edit::of(CatalogChange::CreateTopic(topic(
                catalog, name, 1,
            ))))
        })
    };
    create("a").unwrap();
    assert!(matches!(create("a"), Err(StoreError::Edit(_))));
    let lsn = create("b").unwrap();
    assert_eq!(store.catalog().topics().len(), 0);
    store.wait_durable(lsn).unwrap();
    assert_eq!(store.catalog().topics().len(), 2);
    let nothing = store.stage_edit::<StoreError>(|_| Ok(Edit { changes: vec![] }));
    assert_eq!(nothing.unwrap(), lsn);
}

#[test]
fn an_edit_that_is_too_large_or_panics_changes_nothing() {
    let (store, _) = open(MemoryDisk::new(), StoreOptions::default());
    let put = |body: String| {
        store.stage_edit::<StoreError>(|_| {
            Ok(Edit::of(CatalogChange::PutTemplate {
                name: "t".into(),
                body: body.into(),
            }))
        })
    };
    let refused = put("x".repeat(EDIT_BYTES_MAX));
    assert!(matches!(refused, Err(StoreError::EditTooLarge { .. })));
    let panics = || store.stage_edit::<StoreError>(|_| panic!("on purpose"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    let lsn = put("small".into()).unwrap();
    store.wait_durable(lsn).unwrap();
    assert_eq!(store.catalog().edit_count(), 1);
}

#[test]
fn files_that_are_gone_are_missed() {
    for folder in ["log/journal", "log/1-0", "segments/1", "catalog"] {
        let disk = MemoryDisk::new();
        let (store, _) = open(disk.clone(), StoreOptions::default());
        let topic = create_topic(&store, "t", 1).unwrap();
        let staged = store.stage_batch(partition(topic, 0), batch(&["a"], None), 0);
        store.wait_durable(staged.unwrap().lsn).unwrap();
        materialize(&store, partition(topic, 0), 1).unwrap();
        store.seal(topic).unwrap();
        store.checkpoint().unwrap();
        // The journal goes on behind the checkpoint.
        create_topic(&store, "u", 1).unwrap();
        drop(store);
        for file in disk.list(&FilePath::parse(folder).unwrap()).unwrap() {
            disk.remove(&file).unwrap();
        }
        let result = try_open(disk.clone(), StoreOptions::default());
        match folder {
            // The journal still starts at its first position: all of it is replayed.
            "catalog" => assert_eq!(result.unwrap().0.catalog().topics().len(), 2),
            // Everything else still answers, and says what is missing.
            "segments/1" => {
                let (store, recovery) = result.unwrap();
                assert_eq!(recovery.missing_segments, 1);
                let snapshot = store.snapshot(topic).unwrap();
                assert_eq!((snapshot.sources.len(), snapshot.failures.len()), (0, 1));
                assert!(!store.verify(&mut |_| {}).is_ok());
            }
            _ => assert!(result.is_err(), "{folder}"),
        }
    }
}
