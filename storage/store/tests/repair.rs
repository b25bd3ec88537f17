//! Damaged segments are found by scrubbing, left out of answers, and made anew from the log.

use std::sync::Arc;

use super::deletes::new_rows;
use super::fixture::{all_rows, batch, create_topic, materialize, partition, records, rows};
use crate::catalog::{CatalogChange, Edit, MemoryCheckpoint};
use crate::disk::{Disk, FilePath, MemoryDisk};
use crate::model::{ColumnBatch, Offset, PartitionId, TopicId, name_of_origin};
use crate::store::{
    Irreparable, LostRows, Repaired, ScrubFinding, Store, StoreError, StoreOptions,
};

fn open(disk: &Arc<MemoryDisk>) -> Store {
    let disk: Arc<dyn Disk> = Arc::clone(disk) as _;
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
    Store::open(disk, checkpoint, StoreOptions::default(), 0)
        .unwrap()
        .0
}

/// A disk that the test can reach behind the store's back.
fn world() -> (Arc<MemoryDisk>, Store, TopicId) {
    let disk = Arc::new(MemoryDisk::new());
    let store = open(&disk);
    let topic = create_topic(&store, "t", 2).unwrap();
    for round in 0..3 {
        for id in 0..2 {
            let values: Vec<String> = (0..5)
                .map(|n| format!("{{\"r\":{round},\"n\":{n}}}"))
                .collect();
            let staged = store
                .stage_batch(partition(topic, id), batch(&values, None), 0)
                .unwrap();
            store.wait_durable(staged.lsn).unwrap();
            materialize(&store, partition(topic, id), usize::MAX).unwrap();
        }
        store.seal(topic).unwrap().unwrap();
    }
    (disk, store, topic)
}

fn segment_path(store: &Store, topic: TopicId, index: usize) -> FilePath {
    let catalog = store.catalog();
    let meta = &catalog.topic(topic).unwrap().segments[index];
    FilePath::parse(&format!("segments/{}/{}", topic.0, meta.file)).unwrap()
}

fn read(disk: &MemoryDisk, path: &FilePath) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn write(disk: &MemoryDisk, path: &FilePath, bytes: &[u8]) {
    disk.replace(path, bytes).unwrap();
}

/// One pass of small steps; what it finds.
fn scrub(store: &Store) -> Vec<ScrubFinding> {
    let mut pass = store.begin_scrub();
    let mut findings = Vec::new();
    while !pass.is_done() {
        findings.extend(store.scrub(&mut pass, 100));
    }
    assert_eq!(pass.progress().findings, findings.len() as u64);
    findings
}

/// The lost rows, a batch a partition.
fn rows_again(store: &Store, topic: TopicId, lost: &LostRows) -> Vec<ColumnBatch> {
    let ranges = lost.ranges().iter();
    let batches = ranges.map(|(id, range)| {
        let mut all = records(store, partition(topic, id.0));
        all.retain(|(offset, _)| {
            let offset = Offset(*offset);
            range.contains(offset) && lost.contains(*id, offset)
        });
        rows(partition(topic, id.0), &all)
    });
    batches.collect()
}

fn repair(store: &Store, topic: TopicId) -> Repaired {
    let damaged = store.damaged_segments();
    let lost = store.lost_rows(topic, damaged[0].1.id).unwrap().unwrap();
    let lost = match lost {
        Ok(lost) => lost,
        Err(why) => return Repaired::Not(why),
    };
    let mut batches = rows_again(store, topic, &lost).into_iter();
    store
        .repair::<StoreError>(&lost, &mut || Ok(batches.next()))
        .unwrap()
}

#[test]
fn every_damaged_byte_of_a_segment_is_found_and_mended() {
    let (disk, store, topic) = world();
    let expected = all_rows(&store, topic);
    assert_eq!(expected.len(), 30);
    assert_eq!(scrub(&store), []);
    let path = segment_path(&store, topic, 1);
    let sound = read(&disk, &path);
    for place in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[place] ^= 1 << (place % 8);
        write(&disk, &path, &damaged);
        let findings = scrub(&store);
        assert_eq!(findings.len(), 1, "byte {place}: {findings:?}");
        let left = store.snapshot(topic).unwrap();
        assert_eq!(
            (left.sources.len(), left.failures.len()),
            (2, 1),
            "byte {place}"
        );
        assert!(
            matches!(repair(&store, topic), Repaired::Done(_)),
            "byte {place}"
        );
        assert!(
            read(&disk, &path) == sound,
            "byte {place}: the same rows are the same file"
        );
        assert_eq!(store.damaged_segments(), [], "byte {place}");
    }
    assert_eq!(all_rows(&store, topic), expected);
    assert!(store.verify(&mut |_| ()).is_ok());
}

#[test]
fn a_row_that_a_damaged_segment_may_have_is_not_said_to_be_missing() {
    let (disk, store, topic) = world();
    let path = segment_path(&store, topic, 1);
    let sound = read(&disk, &path);
    store.close().unwrap();
    drop(store);
    let find = |store: &Store, offset| {
        let name = name_of_origin(PartitionId(1), Offset(offset));
        let found = store.find_row(topic, name.as_bytes());
        found.map(|found| found.map(|found| found.offset.0))
    };
    let mut errors = 0;
    for place in (0..sound.len()).step_by(7) {
        let mut damaged = sound.clone();
        damaged[place] ^= 1 << (place % 8);
        write(&disk, &path, &damaged);
        let store = open(&disk);
        // Its segments have five rows each of a partition.
        match find(&store, 6) {
            Ok(found) => assert_eq!(found, Some(6), "byte {place}"),
            Err(error) => {
                assert!(error.to_string().contains(path.name()), "{error}");
                errors += 1;
            }
        }
        assert_eq!(find(&store, 3).unwrap(), Some(3), "byte {place}");
        assert_eq!(find(&store, 13).unwrap(), Some(13), "byte {place}");
        assert_eq!(find(&store, 15).unwrap(), None, "byte {place}");
        store.close().unwrap();
    }
    assert!(errors > 0, "some bytes are those of the origins");
}

#[test]
fn a_segment_that_is_gone_or_cut_is_mended_and_stays() {
    let (disk, store, topic) = world();
    let expected = all_rows(&store, topic);
    let path = segment_path(&store, topic, 0);
    let sound = read(&disk, &path);
    for length in [0, 1, sound.len() / 2, sound.len() - 1] {
        write(&disk, &path, &sound[..length]);
        assert_eq!(scrub(&store).len(), 1, "{length} bytes");
        assert!(
            matches!(repair(&store, topic), Repaired::Done(_)),
            "{length} bytes"
        );
    }
    disk.remove(&path).unwrap();
    assert_eq!(
        scrub(&store).len(),
        1,
        "gone, although searches have it open"
    );
    assert!(matches!(repair(&store, topic), Repaired::Done(_)));
    assert_eq!(all_rows(&store, topic), expected);
    disk.remove(&path).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&disk);
    assert_eq!(scrub(&store).len(), 1);
    assert!(matches!(repair(&store, topic), Repaired::Done(_)));
    assert_eq!(all_rows(&store, topic), expected);
    drop(store);
    let store = open(&disk);
    assert_eq!(all_rows(&store, topic), expected);
}

#[test]
fn a_topic_that_is_deleted_during_a_pass_is_not_damaged() {
    let (disk, store, topic) = world();
    let path = segment_path(&store, topic, 0);
    let mut pass = store.begin_scrub();
    let delete = Edit::of(CatalogChange::DeleteTopic(topic));
    let lsn = store.stage_edit::<StoreError>(|_| Ok(delete)).unwrap();
    store.wait_durable(lsn).unwrap();
    store.checkpoint().unwrap();
    assert!(disk.open(&path).is_err());
    while !pass.is_done() {
        assert_eq!(store.scrub(&mut pass, 100), []);
    }
}

#[test]
fn what_would_not_be_the_same_is_not_put_in_place() {
    let (disk, store, topic) = world();
    let path = segment_path(&store, topic, 2);
    let mut damaged = read(&disk, &path);
    damaged[30] ^= 4;
    write(&disk, &path, &damaged);
    assert_eq!(scrub(&store).len(), 1);
    let id = store.damaged_segments()[0].1.id;
    let lost = store.lost_rows(topic, id).unwrap().unwrap().unwrap();
    let mut batches = rows_again(&store, topic, &lost).into_iter().take(1);
    let outcome = store
        .repair::<StoreError>(&lost, &mut || Ok(batches.next()))
        .unwrap();
    let how = "it had 10 rows, the log gives 5".to_owned();
    assert_eq!(outcome, Repaired::Not(Irreparable::Differs { how }));
    assert!(read(&disk, &path) == damaged);
    assert_eq!(store.damaged_segments().len(), 1);
    let folder = disk.list(&path.parent().unwrap()).unwrap();
    assert_eq!(folder.len(), 3, "no temporary file is left: {folder:?}");
}

#[test]
fn a_damaged_log_is_told_with_its_place() {
    let (disk, store, topic) = world();
    let path = FilePath::parse(&format!("log/{}-1/00000000000000000000.log", topic.0)).unwrap();
    let mut bytes = read(&disk, &path);
    let place = bytes.len() - 3;
    bytes[place] ^= 1;
    write(&disk, &path, &bytes);
    store.close().unwrap();
    drop(store);
    let store = open(&disk);
    match scrub(&store).as_slice() {
        [
            ScrubFinding::Log {
                partition, offset, ..
            },
        ] => {
            assert_eq!((partition.id.0, offset.0), (1, 10));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        all_rows(&store, topic).len(),
        30,
        "rows do not need the log"
    );
}

#[test]
fn a_damaged_overlay_is_found_and_written_anew() {
    let disk = Arc::new(MemoryDisk::new());
    let store = open(&disk);
    let topic = create_topic(&store, "t", 1).unwrap();
    let place = partition(topic, 0);
    let write_rows = |values: &[&str]| {
        let staged = store.stage_batch(place, batch(values, None), 0).unwrap();
        store.wait_durable(staged.lsn).unwrap();
        let from = store.materialized(place);
        let mut fresh = records(&store, place);
        fresh.retain(|(offset, _)| *offset >= from.0);
        let next = Offset(from.0 + fresh.len() as u64);
        let published = new_rows(place, &fresh);
        store
            .publish(topic, published, &[(place.id, next)], Vec::new(), 0)
            .unwrap();
        store.seal(topic).unwrap();
    };
    write_rows(&["put a 1", "put b 2", "put c 3"]);
    write_rows(&["del a"]);
    let expected = all_rows(&store, topic);
    let live_rows = |store: &Store| store.snapshot(topic).unwrap().row_count();
    assert_eq!(live_rows(&store), 2);
    assert_eq!(scrub(&store), []);
    let catalog = store.catalog();
    let overlay = catalog.topic(topic).unwrap().segments[0].overlay.clone();
    let file = overlay.expect("a row was deleted").file;
    let path = FilePath::parse(&format!("segments/{}/{file}", topic.0)).unwrap();
    let sound = read(&disk, &path);
    for place in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[place] ^= 1 << (place % 8);
        write(&disk, &path, &damaged);
        assert_eq!(all_rows(&store, topic), expected, "byte {place}");
        let findings = scrub(&store);
        let is_mended = matches!(
            findings.as_slice(),
            [ScrubFinding::Overlay {
                is_mended: true,
                ..
            }]
        );
        assert!(is_mended, "byte {place}: {findings:?}");
        assert_eq!(read(&disk, &path), sound, "byte {place}");
    }
    disk.remove(&path).unwrap();
    assert_eq!(scrub(&store).len(), 1);
    assert_eq!(scrub(&store), []);
    drop(store);
    let store = open(&disk);
    assert_eq!(all_rows(&store, topic), expected);
    assert_eq!(live_rows(&store), 2);
}
