//! Changes applied, written and read back.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use super::*;
use crate::catalog::Entries;
use crate::groups::CommittedOffset;
use crate::log::TransactionOutcome;
use crate::model::{Partition, PartitionId, TopicId};

fn partition(id: u32) -> Partition {
    Partition::new(TopicId(1), PartitionId(id))
}

fn start(id: &str, producer_id: i64, producer_epoch: i16, at_ms: i64) -> TransactionChange {
    TransactionChange::Start {
        id: id.to_owned(),
        producer_id,
        producer_epoch,
        last_epoch: -1,
        timeout_ms: 100,
        at_ms,
    }
}

fn add(id: &str, partitions: &[u32], at_ms: i64) -> TransactionChange {
    TransactionChange::AddPartitions {
        id: id.to_owned(),
        partitions: partitions.iter().copied().map(partition).collect(),
        at_ms,
    }
}

fn add_group(id: &str, group: &str, at_ms: i64) -> TransactionChange {
    TransactionChange::AddGroup {
        id: id.to_owned(),
        group: group.to_owned(),
        at_ms,
    }
}

fn offset(id: &str, group: &str, offset: i64) -> TransactionChange {
    let committed = CommittedOffset {
        offset,
        leader_epoch: 0,
        metadata: String::new(),
        committed_ms: 5,
        expires_ms: None,
    };
    TransactionChange::StageOffsets {
        id: id.to_owned(),
        group: group.to_owned(),
        offsets: vec![(partition(0), committed)],
    }
}

fn end(id: &str, outcome: TransactionOutcome, producer_epoch: i16) -> TransactionChange {
    TransactionChange::End {
        id: id.to_owned(),
        outcome,
        producer_epoch,
        at_ms: 50,
    }
}

fn after(changes: &[TransactionChange]) -> Transactions {
    let mut transactions = Transactions::default();
    for change in changes {
        transactions.apply(change);
    }
    transactions
}

fn shown(transactions: &Transactions) -> String {
    let lines = transactions.iter().map(|(id, it)| {
        let partitions: Vec<_> = it.partitions.iter().map(|it| it.id.0).collect();
        let groups: Vec<_> = it.groups.keys().collect();
        format!(
            "{id}: {}/{} {} {partitions:?} {groups:?} until {:?}",
            it.producer_id,
            it.producer_epoch,
            it.phase.name(),
            it.deadline_ms()
        )
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[test]
fn changes_do_what_they_say() {
    let mut transactions = after(&[
        start("a", 7, 0, 10),
        add("a", &[2, 0], 20),
        add("a", &[2, 1], 30),
        add("nobody", &[1], 30),
        start("b", 8, 3, 10),
    ]);
    assert_eq!(
        shown(&transactions),
        "a: 7/0 Ongoing [0, 1, 2] [] until Some(120); b: 8/3 Empty [] [] until None"
    );
    assert_eq!(transactions.overdue(119).count(), 0);
    assert_eq!(transactions.overdue(120).count(), 1);
    assert_eq!(transactions.of_producer(8).unwrap().0, "b");

    let ended = transactions.apply(&end("a", TransactionOutcome::Aborted, 1));
    let ended = ended.unwrap();
    assert_eq!((ended.producer_id, ended.producer_epoch), (7, 1));
    assert_eq!(ended.partitions.len(), 3);
    assert_eq!(
        shown(&transactions),
        "a: 7/1 CompleteAbort [] [] until None; b: 8/3 Empty [] [] until None"
    );
    assert_eq!(transactions.overdue(i64::MAX).count(), 0);

    transactions.apply(&start("a", 9, 0, 60));
    assert!(transactions.of_producer(7).is_none());
    transactions.apply(&TransactionChange::Forget { id: "b".to_owned() });
    assert_eq!(shown(&transactions), "a: 9/0 Empty [] [] until None");
}

#[test]
fn offsets_wait_for_the_end() {
    let mut transactions = after(&[
        start("a", 7, 0, 10),
        offset("a", "readers", 4),
        add_group("a", "readers", 20),
        offset("a", "readers", 5),
        offset("a", "readers", 6),
        offset("a", "others", 9),
    ]);
    assert!(transactions.has_pending_offset("readers", partition(0)));
    assert!(!transactions.has_pending_offset("readers", partition(1)));
    assert!(!transactions.has_pending_offsets("others"));
    assert!(transactions.offset_bytes() > 0);
    let ended = transactions.apply(&end("a", TransactionOutcome::Committed, 0));
    let groups = ended.unwrap().groups;
    assert_eq!(groups["readers"][&partition(0)].offset, 6);
    assert!(!transactions.has_pending_offsets("readers"));
    assert_eq!(transactions.offset_bytes(), 0);
}

#[test]
fn entries_and_journal_records_are_read_back() {
    let changes = [
        start("a/b", 7, 0, 10),
        add("a/b", &[2, 11], 20),
        add_group("a/b", "readers", 20),
        offset("a/b", "readers", 5),
        start("", 8, 0, 10),
        add("", &[1], 15),
        end("", TransactionOutcome::Committed, 0),
        start("c", 9, 2, 10),
    ];
    let bytes = TransactionChange::encode_all(&changes);
    assert_eq!(TransactionChange::decode_all(&bytes).unwrap(), changes);
    let transactions = after(&changes);
    let mut entries = Entries::new();
    entries.insert("transactions".into(), b"another's".to_vec());
    transactions.write_entries(&mut entries);
    assert_eq!(Transactions::read_entries(&entries).unwrap(), transactions);
    entries.insert("transaction/x".into(), b"{".to_vec());
    let error = Transactions::read_entries(&entries).unwrap_err();
    assert!(error.to_string().contains("transaction/x"), "{error}");
}

#[test]
fn a_later_version_is_refused_by_name() {
    let bytes = br#"{"version":2,"changes":[{"new":1}]}"#;
    let error = TransactionChange::decode_all(bytes).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}
