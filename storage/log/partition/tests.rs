//! What a partition's log promises, against a naive model and with disasters.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::format::{INDEX_ENDING, LOG_ENDING, file_base, file_path};
use super::*;
use crate::disk::{Disk, Fault, FaultyDisk, FilePath, MemoryDisk};
use crate::log::{BatchBuilder, Batches, Codec, NewRecord, RecordBatch};
use crate::model::{LeaderEpoch, Offset, Partition, PartitionId, TopicId};

const PARTITION: Partition = Partition {
    topic: TopicId(7),
    id: PartitionId(2),
};

/// Files of a few batches, and readers that may start at every second one.
const SMALL: LogOptions = LogOptions {
    file_bytes: 700,
    index_interval_bytes: 150,
};

fn batch(base: u64, times_ms: &[i64], codec: Codec) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for timestamp_ms in times_ms {
        let value = timestamp_ms.to_string();
        let value = Some(value.as_bytes());
        let timestamp_ms = *timestamp_ms;
        builder
            .push(NewRecord {
                timestamp_ms,
                value,
                ..NewRecord::default()
            })
            .unwrap();
    }
    let mut batch = builder.finish(codec);
    batch.assign(Offset(base), LeaderEpoch(3));
    batch
}

/// A log of one batch for each list of times, with the batches.
fn filled(disk: Arc<dyn Disk>, times_ms: &[Vec<i64>]) -> (PartitionLog, Vec<RecordBatch>) {
    let mut log = PartitionLog::create(disk, PARTITION, SMALL).unwrap();
    let mut batches = Vec::new();
    for times_ms in times_ms {
        let codec = if times_ms.len() % 2 == 0 {
            Codec::Lz4
        } else {
            Codec::None
        };
        let batch = batch(log.end().0, times_ms, codec);
        log.append(&batch).unwrap();
        batches.push(batch);
    }
    (log, batches)
}

fn all_bytes(reader: &LogReader) -> Vec<u8> {
    let (mut from, end) = (reader.start(), reader.end());
    let mut out = Vec::new();
    while from < end {
        let bytes = reader.read(from, end, 1).unwrap();
        for batch in Batches::new(bytes) {
            let batch = batch.unwrap();
            assert_eq!(batch.header().base_offset, from);
            from = batch.header().next_offset();
            out.extend_from_slice(batch.bytes());
        }
    }
    out
}

fn joined(batches: &[RecordBatch]) -> Vec<u8> {
    batches
        .iter()
        .flat_map(|batch| batch.bytes().to_vec())
        .collect()
}

fn files(disk: &dyn Disk, ending: &str) -> Vec<FilePath> {
    let paths = disk.list(&format::directory(PARTITION)).unwrap();
    paths
        .into_iter()
        .filter(|path| file_base(path.name(), ending).is_some())
        .collect()
}

fn reopened(disk: &MemoryDisk, end: &LogEnd) -> Result<PartitionLog, LogError> {
    PartitionLog::open(Arc::new(disk.clone()), PARTITION, end, Offset(0), SMALL)
}

fn twenty() -> Vec<Vec<i64>> {
    (0..20)
        .map(|n| vec![n * 10, n * 10 + 5, n * 10 + 1])
        .collect()
}

#[test]
fn an_empty_log_has_nothing() {
    let log = PartitionLog::create(Arc::new(MemoryDisk::new()), PARTITION, SMALL).unwrap();
    assert_eq!((log.start(), log.end()), (Offset(0), Offset(0)));
    assert_eq!(log.read(Offset(0), Offset(9), 100).unwrap(), Bytes::new());
    assert!(matches!(
        log.read(Offset(1), Offset(9), 100).unwrap_err(),
        LogError::OutOfRange {
            from: Offset(1),
            start: Offset(0),
            end: Offset(0)
        }
    ));
    assert_eq!(log.offset_at_time(0, Offset(0), Offset(9)).unwrap(), None);
    assert_eq!(log.max_timestamp().unwrap(), None);
}

#[test]
fn batches_are_stored_byte_for_byte_in_files_that_roll() {
    let disk = MemoryDisk::new();
    let (mut log, batches) = filled(Arc::new(disk.clone()), &twenty());
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
    let logs = files(&disk, LOG_ENDING);
    assert!(logs.len() > 2, "{logs:?}");
    assert_eq!(files(&disk, INDEX_ENDING).len(), 0);
    log.sync().unwrap();
    assert_eq!(files(&disk, INDEX_ENDING).len(), logs.len() - 1);
}

#[test]
fn a_batch_larger_than_a_file_has_a_file_of_its_own() {
    let disk = MemoryDisk::new();
    let large: Vec<i64> = (0..200).collect();
    let (mut log, batches) = filled(Arc::new(disk.clone()), &[vec![1], large, vec![2]]);
    assert_eq!(files(&disk, LOG_ENDING).len(), 3);
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
    let end = log.sync().unwrap();
    assert_eq!(
        all_bytes(&reopened(&disk, &end).unwrap().reader()),
        joined(&batches)
    );
}

#[test]
fn what_is_behind_the_durable_end_is_cut_off() {
    let disk = MemoryDisk::new();
    let times = twenty();
    for kept in 0..times.len() {
        disk_is_cut(&disk, &times, kept);
    }
}

fn disk_is_cut(disk: &MemoryDisk, times_ms: &[Vec<i64>], kept: usize) {
    let (mut log, mut batches) = filled(Arc::new(disk.clone()), &times_ms[..kept]);
    let end = log.sync().unwrap();
    for times_ms in &times_ms[kept..] {
        log.append(&batch(log.end().0, times_ms, Codec::None))
            .unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let mut log = reopened(disk, &end).unwrap();
    assert_eq!(log.end(), end.offset);
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
    let next = batch(log.end().0, &[1, 2], Codec::Zstd);
    log.append(&next).unwrap();
    batches.push(next);
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
}

#[test]
fn an_index_that_is_gone_or_damaged_is_made_again() {
    let disk = MemoryDisk::new();
    let (mut log, batches) = filled(Arc::new(disk.clone()), &twenty());
    let end = log.sync().unwrap();
    let indexes = files(&disk, INDEX_ENDING);
    disk.remove(&indexes[0]).unwrap();
    disk.replace(&indexes[1], b"SILTINDX\x01\0\0\0 and so on")
        .unwrap();
    let log = reopened(&disk, &end).unwrap();
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
    assert_eq!(files(&disk, INDEX_ENDING), indexes);
    for n in 0..20 {
        let found = log
            .offset_at_time(n * 10, Offset(0), end.offset)
            .unwrap()
            .unwrap();
        assert_eq!(found.timestamp_ms, n * 10);
    }
}

#[test]
fn unknown_versions_are_refused_by_name() {
    for ending in [LOG_ENDING, INDEX_ENDING] {
        let disk = MemoryDisk::new();
        let (mut log, _) = filled(Arc::new(disk.clone()), &twenty());
        let end = log.sync().unwrap();
        let path = file_path(PARTITION, Offset(0), ending);
        let mut bytes = bytes_of(&disk, &path);
        bytes[8] = 9;
        disk.replace(&path, &bytes).unwrap();
        let error = reopened(&disk, &end).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("'{path}' has format version 9")),
            "{text}"
        );
    }
}

fn bytes_of(disk: &dyn Disk, path: &FilePath) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn durable_bytes_that_are_missing_are_an_error() {
    let disk = MemoryDisk::new();
    let (mut log, _) = filled(Arc::new(disk.clone()), &twenty());
    let end = log.sync().unwrap();
    for path in files(&disk, LOG_ENDING) {
        let bytes = bytes_of(&disk, &path);
        disk.replace(&path, &bytes[..bytes.len() - 1]).unwrap();
        let error = reopened(&disk, &end).unwrap_err();
        assert!(matches!(error, LogError::Short { .. }), "{error}");
        disk.remove(&path).unwrap();
        if path != file_path(PARTITION, Offset(0), LOG_ENDING) {
            assert!(reopened(&disk, &end).is_err(), "{path}");
        }
        disk.replace(&path, &bytes).unwrap();
        reopened(&disk, &end).unwrap();
    }
}

#[test]
fn every_damaged_byte_is_an_error_or_left_to_the_checksum() {
    let disk = MemoryDisk::new();
    let (mut log, batches) = filled(Arc::new(disk.clone()), &twenty()[..3]);
    let end = log.sync().unwrap();
    let path = file_path(PARTITION, Offset(0), LOG_ENDING);
    let intact = bytes_of(&disk, &path);
    // Bytes 12 to 15 of a batch are the epoch, which no checksum of Kafka's covers.
    let mut start = 32;
    let epochs: Vec<std::ops::Range<usize>> = batches
        .iter()
        .map(|batch| {
            start += batch.bytes().len();
            let base = start - batch.bytes().len();
            base + 12..base + 16
        })
        .collect();
    for at in 0..intact.len() {
        let mut bytes = intact.clone();
        bytes[at] ^= 1;
        disk.replace(&path, &bytes).unwrap();
        let Ok(log) = reopened(&disk, &end) else {
            continue;
        };
        let read = log.read(Offset(0), end.offset, usize::MAX);
        let Ok(read) = read else {
            continue;
        };
        let found: Vec<_> = Batches::new(read).collect();
        let whole = found.len() == 3 && found.iter().all(Result::is_ok);
        assert!(
            !whole || epochs.iter().any(|bytes| bytes.contains(&at)),
            "byte {at}"
        );
    }
}

#[test]
fn readers_see_whole_batches_while_the_log_grows() {
    let (mut log, _) = filled(Arc::new(MemoryDisk::new()), &[]);
    let reader = log.reader();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let reader = reader.clone();
                scope.spawn(move || {
                    let mut from = Offset(0);
                    while from < Offset(600) {
                        let bytes = reader.read(from, Offset(600), 400).unwrap();
                        for batch in Batches::new(bytes) {
                            let batch = batch.unwrap();
                            assert_eq!(batch.header().base_offset, from);
                            from = batch.header().next_offset();
                        }
                    }
                })
            })
            .collect();
        for n in 0..200 {
            log.append(&batch(n * 3, &[1, 2, 3], Codec::None)).unwrap();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_new_partition_ignores_what_a_crash_left_in_its_folder() {
    let disk = MemoryDisk::new();
    filled(Arc::new(disk.clone()), &twenty());
    let log = PartitionLog::create(Arc::new(disk.clone()), PARTITION, SMALL).unwrap();
    assert_eq!(log.end(), Offset(0));
    assert_eq!(files(&disk, LOG_ENDING), []);
}

#[test]
fn deleting_leaves_nothing() {
    let disk = MemoryDisk::new();
    let (mut log, batches) = filled(Arc::new(disk.clone()), &twenty());
    log.sync().unwrap();
    assert_eq!(PartitionLog::list(&disk).unwrap(), [PARTITION]);
    let reader = log.reader();
    log.delete().unwrap();
    assert_eq!(PartitionLog::list(&disk).unwrap(), []);
    assert_eq!(all_bytes(&reader), joined(&batches));
}

#[test]
fn a_full_disk_refuses_a_batch_and_keeps_the_log() {
    let disk = FaultyDisk::new();
    let (mut log, mut batches) = filled(Arc::new(disk.clone()), &twenty()[..2]);
    // Into the file, at its start, and while it is started.
    for operation in [0, 1, 2] {
        disk.inject(disk.operation_count() + operation, Fault::Full);
        for _ in 0..6 {
            let next = batch(log.end().0, &[1, 2, 3], Codec::None);
            if log.append(&next).is_ok() {
                batches.push(next);
            }
            assert_eq!(all_bytes(&log.reader()), joined(&batches));
        }
    }
    let end = log.sync().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(disk.crash(1));
    let log = PartitionLog::open(disk, PARTITION, &end, Offset(0), SMALL).unwrap();
    assert_eq!(all_bytes(&log.reader()), joined(&batches));
}

#[test]
fn after_a_failed_sync_nothing_works() {
    let disk = FaultyDisk::new();
    let (mut log, _) = filled(Arc::new(disk.clone()), &twenty()[..2]);
    disk.inject(disk.operation_count(), Fault::InputOutput);
    log.sync().unwrap_err();
    assert!(matches!(log.sync().unwrap_err(), LogError::Poisoned));
    let next = batch(log.end().0, &[1], Codec::None);
    assert!(matches!(log.append(&next).unwrap_err(), LogError::Poisoned));
}

#[test]
fn a_sync_without_news_does_nothing() {
    let disk = FaultyDisk::new();
    let (mut log, _) = filled(Arc::new(disk.clone()), &twenty());
    let end = log.sync().unwrap();
    let count = disk.operation_count();
    assert_eq!(log.sync().unwrap(), end);
    assert_eq!(disk.operation_count(), count);
}

/// All records in the order of their offsets: offset and time.
fn records(times_ms: &[Vec<i64>]) -> Vec<(u64, i64)> {
    (0..).zip(times_ms.concat()).collect()
}

proptest! {
    #[test]
    fn times_are_found_exactly(
        times_ms in vec(vec(0_i64..60, 1..6), 1..30),
        end in 0_u64..120,
        reopen in any::<bool>(),
    ) {
        let disk = MemoryDisk::new();
        let (mut log, _) = filled(Arc::new(disk.clone()), &times_ms);
        if reopen {
            let end = log.sync().unwrap();
            log = reopened(&disk, &end).unwrap();
        }
        let records = records(&times_ms);
        for time_ms in -1..61 {
            let expected = records.iter().find(|record| record.1 >= time_ms);
            let expected = expected.filter(|record| record.0 < end).copied();
            let found = log.offset_at_time(time_ms, Offset(0), Offset(end)).unwrap();
            prop_assert_eq!(found.map(|found| (found.offset.0, found.timestamp_ms)), expected);
        }
        let latest = records.iter().rev().max_by_key(|record| record.1).copied();
        let found = log.max_timestamp().unwrap();
        prop_assert_eq!(found.map(|found| (found.offset.0, found.timestamp_ms)), latest);
        prop_assert!(found.is_some_and(|found| found.leader_epoch == LeaderEpoch(3)));
    }

    #[test]
    fn reads_are_whole_batches_that_hold_the_offset(
        times_ms in vec(vec(0_i64..60, 1..6), 1..30),
        end in 0_usize..30,
        bytes_max in 0_usize..1500,
    ) {
        let (log, batches) = filled(Arc::new(MemoryDisk::new()), &times_ms);
        let end = batches.get(end).map_or(log.end(), |batch| batch.header().base_offset);
        for from in 0..=log.end().0 {
            let read = log.read(Offset(from), end, bytes_max).unwrap();
            let found: Vec<RecordBatch> = Batches::new(read.clone()).map(Result::unwrap).collect();
            prop_assert_eq!(found.is_empty(), from >= end.0);
            let Some(first) = found.first() else { continue };
            prop_assert!(first.header().base_offset.0 <= from);
            prop_assert!(first.header().last_offset().0 >= from);
            prop_assert!(found.len() == 1 || read.len() <= bytes_max);
            let place = batches.iter().position(|batch| batch == first).unwrap();
            prop_assert_eq!(&found[..], &batches[place..place + found.len()]);
            prop_assert!(found[found.len() - 1].header().next_offset() <= end);
        }
    }

    #[test]
    fn synced_batches_survive_a_power_cut(
        times_ms in vec(vec(0_i64..60, 1..6), 1..20),
        sync_every in 1_usize..6,
        cut in 0_u64..80,
        seed in any::<u64>(),
    ) {
        let disk = FaultyDisk::new();
        disk.inject(cut, Fault::PowerCut);
        let (durable, batches) = append_until_failure(&disk, &times_ms, sync_every);
        let left: Arc<dyn Disk> = Arc::new(disk.crash(seed));
        let log = PartitionLog::open(left, PARTITION, &durable, Offset(0), SMALL).unwrap();
        prop_assert_eq!(log.end(), durable.offset);
        let kept = batches.iter().filter(|batch| batch.header().base_offset < durable.offset);
        let kept: Vec<RecordBatch> = kept.cloned().collect();
        prop_assert_eq!(all_bytes(&log.reader()), joined(&kept));
    }
}

/// Appends and syncs until the power is cut. Returns the last end that a checkpoint would know,
/// and all batches.
fn append_until_failure(
    disk: &FaultyDisk,
    times_ms: &[Vec<i64>],
    sync_every: usize,
) -> (LogEnd, Vec<RecordBatch>) {
    let mut durable = LogEnd::default();
    let mut batches = Vec::new();
    let Ok(mut log) = PartitionLog::create(Arc::new(disk.clone()), PARTITION, SMALL) else {
        return (durable, batches);
    };
    for (index, times_ms) in times_ms.iter().enumerate() {
        let next = batch(log.end().0, times_ms, Codec::None);
        if log.append(&next).is_err() {
            break;
        }
        batches.push(next);
        if index % sync_every == 0 {
            match log.sync() {
                Ok(end) => durable = end,
                Err(_) => break,
            }
        }
    }
    (durable, batches)
}
