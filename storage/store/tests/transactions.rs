//! The end of a transaction, its markers and its offsets: all of it or nothing.

use super::fixture::*;
use crate::disk::{Fault, FaultyDisk};
use crate::groups::CommittedOffset;
use crate::log::{BatchBuilder, Codec, NewRecord, ProducerStamp, RecordBatch, TransactionOutcome};
use crate::model::Offset;
use crate::store::{Lsn, Store, StoreError, StoreOptions};
use crate::transactions::{TransactionChange, TransactionPhase};

const PARTITIONS: u32 = 3;
const GROUP: &str = "readers";

fn stage(store: &Store, changes: Vec<TransactionChange>) -> Result<Lsn, StoreError> {
    let staged = store.stage_transactions(|_| Ok::<_, StoreError>((changes, ())));
    staged.map(|(lsn, ())| lsn)
}

fn record(sequence: i32) -> RecordBatch {
    let stamp = ProducerStamp {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: sequence,
    };
    let mut builder = BatchBuilder::new().with_stamp(stamp).in_transaction();
    let record = NewRecord {
        value: Some(b"value"),
        ..NewRecord::default()
    };
    builder.push(record).unwrap();
    builder.finish(Codec::None)
}

/// A store whose transaction has written to every partition and read for a group.
fn with_open_transaction(disk: &FaultyDisk) -> Store {
    let (store, _) = open(disk.clone(), StoreOptions::default());
    let topic = create_topic(&store, "t", PARTITIONS).unwrap();
    let partitions: Vec<_> = (0..PARTITIONS).map(|id| partition(topic, id)).collect();
    let (id, at_ms) = ("writer".to_owned(), 0);
    let offset = CommittedOffset {
        offset: 5,
        leader_epoch: 0,
        metadata: String::new(),
        committed_ms: 0,
        expires_ms: None,
    };
    let changes = vec![
        TransactionChange::Start {
            id: id.clone(),
            producer_id: 7,
            producer_epoch: 0,
            last_epoch: -1,
            timeout_ms: 1_000,
            at_ms,
        },
        TransactionChange::AddPartitions {
            id: id.clone(),
            partitions: partitions.clone(),
            at_ms,
        },
        TransactionChange::AddGroup {
            id: id.clone(),
            group: GROUP.to_owned(),
            at_ms,
        },
        TransactionChange::StageOffsets {
            id,
            group: GROUP.to_owned(),
            offsets: vec![(partitions[0], offset)],
        },
    ];
    stage(&store, changes).unwrap();
    for partition in partitions {
        store.stage_batch(partition, record(0), 0).unwrap();
    }
    store.commit().unwrap();
    store
}

fn end(outcome: TransactionOutcome) -> Vec<TransactionChange> {
    vec![TransactionChange::End {
        id: "writer".to_owned(),
        outcome,
        producer_epoch: 0,
        at_ms: 1,
    }]
}

/// Whether the transaction is over; everything that belongs to it must say the same.
fn is_over(store: &Store, outcome: TransactionOutcome) -> bool {
    let transactions = store.transactions();
    let phase = transactions.get("writer").unwrap().phase;
    let is_over = phase == TransactionPhase::Complete(outcome);
    assert!(is_over || phase == TransactionPhase::Ongoing, "{phase:?}");
    let topic = store.catalog().topic_named("t").unwrap().topic.id;
    for id in 0..PARTITIONS {
        let place = partition(topic, id);
        let bounds = store.log_bounds(place).unwrap();
        let expected = if is_over { (2, 2) } else { (1, 0) };
        let found = (bounds.high_watermark.0, bounds.last_stable.0);
        assert_eq!(found, expected, "partition {id}");
        let aborted = store.aborted(place, Offset(0), Offset(9)).len();
        let is_aborted = is_over && outcome == TransactionOutcome::Aborted;
        assert_eq!(aborted, usize::from(is_aborted));
    }
    let groups = store.groups();
    let committed = groups.get(GROUP).map(|group| group.offsets.len());
    let is_committed = is_over && outcome == TransactionOutcome::Committed;
    assert_eq!(committed.unwrap_or(0), usize::from(is_committed));
    is_over
}

#[test]
fn a_crash_at_any_moment_leaves_all_of_an_end_or_nothing() {
    let (mut lasting, mut lost) = (0, 0);
    for outcome in [TransactionOutcome::Committed, TransactionOutcome::Aborted] {
        for failing in 0..4 {
            for seed in 0..8 {
                let disk = FaultyDisk::new();
                let store = with_open_transaction(&disk);
                disk.inject(disk.operation_count() + failing, Fault::InputOutput);
                let ended = stage(&store, end(outcome)).and_then(|lsn| store.wait_durable(lsn));
                let was_told = ended.is_ok();
                let disk = disk.crash(seed);
                let (store, _) = open(disk.clone(), StoreOptions::default());
                let is_over_now = is_over(&store, outcome);
                assert!(is_over_now || !was_told, "what was told is lost");
                lasting += usize::from(is_over_now);
                lost += usize::from(!is_over_now);
                store.close().unwrap();
                let (store, _) = open(disk, StoreOptions::default());
                assert_eq!(is_over(&store, outcome), is_over_now, "from the checkpoint");
            }
        }
    }
    assert!(lasting > 0 && lost > 0, "{lasting} lasting, {lost} lost");
}

#[test]
fn an_end_without_room_on_the_disk_is_taken_back_whole() {
    let disk = FaultyDisk::new();
    let store = with_open_transaction(&disk);
    disk.inject(disk.operation_count(), Fault::Full);
    let lsn = stage(&store, end(TransactionOutcome::Committed)).unwrap();
    let error = store.wait_durable(lsn).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(!is_over(&store, TransactionOutcome::Committed));
    let again = stage(&store, end(TransactionOutcome::Committed)).unwrap();
    store.wait_durable(again).unwrap();
    assert!(is_over(&store, TransactionOutcome::Committed));
}
