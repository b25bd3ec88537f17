//! A script of requests in, their answers out.

use expect_test::{Expect, expect};
use storage::groups::CommittedOffset;
use storage::log::TransactionOutcome;
use storage::model::{Partition, PartitionId, TopicId};
use storage::transactions::Transactions;

use super::*;

/// Runs a script of lines such as `10 start a timeout=100 known=7/0`; the first number is the time.
/// Producer ids are given from 7 on.
fn check(script: &str, expected: &Expect) {
    let mut transactions = Transactions::default();
    let mut next_id = 7;
    let mut told = String::new();
    for line in script.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let answer = run(&mut transactions, &mut next_id, line);
        told.push_str(&format!("{line} → {answer}\n"));
    }
    expected.assert_eq(&told);
}

fn run(transactions: &mut Transactions, next_id: &mut i64, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let now_ms: i64 = words[0].parse().expect("a time");
    let id = words.get(2).copied().unwrap_or_default();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let claim = || {
        let (producer_id, epoch) = pair(word(3));
        Claim {
            id,
            producer_id,
            producer_epoch: epoch,
        }
    };
    let outcome = match word(1) {
        "commit" => TransactionOutcome::Committed,
        _ => TransactionOutcome::Aborted,
    };
    let decided = match word(1) {
        "start" => return start_of(transactions, next_id, id, word(3), now_ms),
        "add" => {
            let partitions = word(4).split(',').map(|number| {
                let number = PartitionId(number.parse().expect("a number"));
                Partition::new(TopicId(1), number)
            });
            add_partitions(
                transactions,
                claim(),
                &partitions.collect::<Vec<_>>(),
                now_ms,
            )
        }
        "group" => add_group(transactions, claim(), word(4), now_ms),
        "offset" => {
            let offset = CommittedOffset {
                offset: word(5).parse().expect("an offset"),
                leader_epoch: 0,
                metadata: String::new(),
                committed_ms: now_ms,
                expires_ms: None,
            };
            let place = Partition::new(TopicId(1), PartitionId(0));
            stage_offsets(transactions, claim(), word(4), vec![(place, offset)])
        }
        "commit" | "abort" => end(transactions, claim(), outcome, now_ms),
        "mark" => {
            let (producer_id, epoch) = pair(word(2));
            let number = PartitionId(word(3).parse().expect("a number"));
            let place = Partition::new(TopicId(1), number);
            abort_in(transactions, producer_id, epoch, &[place], now_ms)
        }
        "time" => Ok(overdue(transactions, now_ms)),
        "expire" => Ok(expire(transactions, now_ms)),
        other => panic!("no such step: {other}"),
    };
    match decided {
        Ok(changes) => applied(transactions, &changes),
        Err(error) => format!("{error:?}"),
    }
}

fn start_of(
    transactions: &mut Transactions,
    next_id: &mut i64,
    id: &str,
    known: &str,
    now_ms: i64,
) -> String {
    let mut asked = Start {
        id,
        timeout_ms: 100,
        known: (!known.is_empty()).then(|| pair(known)),
        fresh_id: None,
        ids_max: 3,
    };
    let mut decided = start(transactions, &asked, now_ms);
    if decided == Err(TransactionError::NeedsProducerId) {
        asked.fresh_id = Some(*next_id);
        *next_id += 1;
        decided = start(transactions, &asked, now_ms);
    }
    match decided {
        Ok((changes, started)) => format!(
            "{}/{} {}",
            started.producer_id,
            started.producer_epoch,
            applied(transactions, &changes)
        ),
        Err(error) => format!("{error:?}"),
    }
}

/// Applies `changes` and says what came of them: markers and offsets.
fn applied(transactions: &mut Transactions, changes: &Changes) -> String {
    let mut words = vec![format!("{} changes", changes.len())];
    for change in changes {
        if let Some(ended) = transactions.apply(change) {
            let partitions: Vec<_> = ended.partitions.iter().map(|it| it.id.0).collect();
            let offsets = ended.groups.iter().flat_map(|(group, offsets)| {
                let offsets = offsets.values();
                offsets.map(move |offset| format!("{group}={}", offset.offset))
            });
            let offsets: Vec<String> = offsets.collect();
            words.push(format!(
                "{:?} {}/{} in {partitions:?} {}",
                ended.outcome,
                ended.producer_id,
                ended.producer_epoch,
                offsets.join(",")
            ));
        }
    }
    words.join(", ").trim_end().to_owned()
}

fn pair(words: &str) -> (i64, i16) {
    let (id, epoch) = words.split_once('/').expect("id and epoch");
    (
        id.parse().expect("a producer id"),
        epoch.parse().expect("an epoch"),
    )
}

#[test]
fn a_transaction_is_begun_and_ended() {
    check(
        "10 start a
         11 commit a 7/0
         12 add a 7/0 0,1
         13 add a 7/0 1,2
         14 add a 7/0 2
         15 offset a 7/0 readers 5
         16 group a 7/0 readers
         17 group a 7/0 readers
         18 offset a 7/0 readers 5
         19 commit a 7/0
         20 commit a 7/0
         21 abort a 7/0
         22 offset a 7/0 readers 6
         23 add a 7/0 1
         24 abort a 7/0
         25 commit a 7/0",
        &expect![[r#"
            10 start a → 7/0 1 changes
            11 commit a 7/0 → State
            12 add a 7/0 0,1 → 1 changes
            13 add a 7/0 1,2 → 1 changes
            14 add a 7/0 2 → 0 changes
            15 offset a 7/0 readers 5 → State
            16 group a 7/0 readers → 1 changes
            17 group a 7/0 readers → 0 changes
            18 offset a 7/0 readers 5 → 1 changes
            19 commit a 7/0 → 1 changes, Committed 7/0 in [0, 1, 2] readers=5
            20 commit a 7/0 → 0 changes
            21 abort a 7/0 → State
            22 offset a 7/0 readers 6 → State
            23 add a 7/0 1 → 1 changes
            24 abort a 7/0 → 1 changes, Aborted 7/0 in [1]
            25 commit a 7/0 → State
        "#]],
    );
}

#[test]
fn a_new_producer_fences_the_old_one() {
    check(
        "10 start a
         11 add a 7/0 0
         12 start a
         13 add a 7/0 1
         14 commit a 7/0
         15 add a 7/2 1
         16 add a 8/1 1
         17 add b 7/1 1
         18 add a 7/1 1
         19 commit a 7/1",
        &expect![[r#"
            10 start a → 7/0 1 changes
            11 add a 7/0 0 → 1 changes
            12 start a → 7/1 2 changes, Aborted 7/1 in [0]
            13 add a 7/0 1 → Fenced
            14 commit a 7/0 → Fenced
            15 add a 7/2 1 → Fenced
            16 add a 8/1 1 → NotOwner
            17 add b 7/1 1 → NotOwner
            18 add a 7/1 1 → 1 changes
            19 commit a 7/1 → 1 changes, Committed 7/1 in [1]
        "#]],
    );
}

#[test]
fn a_producer_that_names_its_epoch_gets_the_next_one() {
    check(
        "10 start a
         11 start a 7/0
         12 start a 7/0
         13 start a 7/1
         14 start a 7/0
         15 start a 9/2
         16 add a 7/2 0
         17 start a 7/1
         18 start a 7/2
         19 start a 7/3",
        &expect![[r#"
            10 start a → 7/0 1 changes
            11 start a 7/0 → 7/1 1 changes
            12 start a 7/0 → 7/1 0 changes
            13 start a 7/1 → 7/2 1 changes
            14 start a 7/0 → Fenced
            15 start a 9/2 → Fenced
            16 add a 7/2 0 → 1 changes
            17 start a 7/1 → Fenced
            18 start a 7/2 → 7/3 2 changes, Aborted 7/3 in [0]
            19 start a 7/3 → 7/4 1 changes
        "#]],
    );
}

#[test]
fn an_administrator_aborts_the_whole_transaction() {
    check(
        "10 start a
         11 mark 7/0 0
         12 add a 7/0 0,1
         13 mark 7/0 2
         14 mark 8/0 0
         15 mark 7/0 1
         16 commit a 7/0
         17 mark 7/0 0
         18 mark 7/1 0
         19 start a
         20 add a 7/2 0
         21 mark 7/1 0
         22 mark 7/5 0",
        &expect![[r#"
            10 start a → 7/0 1 changes
            11 mark 7/0 0 → 0 changes
            12 add a 7/0 0,1 → 1 changes
            13 mark 7/0 2 → 0 changes
            14 mark 8/0 0 → 0 changes
            15 mark 7/0 1 → 1 changes, Aborted 7/1 in [0, 1]
            16 commit a 7/0 → Fenced
            17 mark 7/0 0 → Fenced
            18 mark 7/1 0 → 0 changes
            19 start a → 7/2 1 changes
            20 add a 7/2 0 → 1 changes
            21 mark 7/1 0 → Fenced
            22 mark 7/5 0 → 1 changes, Aborted 7/3 in [0]
        "#]],
    );
}

#[test]
fn time_aborts_and_forgets() {
    check(
        "10 start a
         20 add a 7/0 0,1
         119 time
         120 time
         121 commit a 7/0
         122 start a 7/0
         123 start a
         124 start b
         125 start c
         126 start d
         127 add c 9/0 0
         127 expire
         128 start d",
        &expect![[r#"
            10 start a → 7/0 1 changes
            20 add a 7/0 0,1 → 1 changes
            119 time → 0 changes
            120 time → 1 changes, Aborted 7/1 in [0, 1]
            121 commit a 7/0 → Fenced
            122 start a 7/0 → Fenced
            123 start a → 7/2 1 changes
            124 start b → 8/0 1 changes
            125 start c → 9/0 1 changes
            126 start d → Full
            127 add c 9/0 0 → 1 changes
            127 expire → 2 changes
            128 start d → 10/0 1 changes
        "#]],
    );
}

#[test]
fn epochs_run_out_and_another_id_follows() {
    let mut transactions = Transactions::default();
    let mut next_id = 7;
    for _ in 0..=i16::MAX - 1 {
        run(&mut transactions, &mut next_id, "1 start a");
    }
    let added = run(&mut transactions, &mut next_id, "1 add a 7/32766 3");
    assert_eq!(added, "1 changes");
    assert_eq!(
        run(&mut transactions, &mut next_id, "2 start a"),
        "8/0 2 changes, Aborted 7/32767 in [3]"
    );
}
