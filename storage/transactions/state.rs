//! All transactional ids, and what each change does to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::TransactionChange;
use crate::groups::CommittedOffset;
use crate::log::TransactionOutcome;
use crate::model::Partition;

/// Where a transactional id stands. A decision and its markers are one step, so there is nothing
/// between open and complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionPhase {
    /// Its producer has begun nothing yet.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// The last transaction ended so.
    Complete(TransactionOutcome),
}

impl TransactionPhase {
    /// Its name in Kafka's answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::Complete(TransactionOutcome::Committed) => "CompleteCommit",
            Self::Complete(TransactionOutcome::Aborted) => "CompleteAbort",
        }
    }
}

/// Offsets of a group that count once a transaction is committed.
pub type StagedOffsets = BTreeMap<Partition, CommittedOffset>;

/// What is known of one transactional id.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// The id of the producer that owns it.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch before, if the producer itself asked for the new one; -1 otherwise.
    pub last_epoch: i16,
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// Where it stands.
    pub phase: TransactionPhase,
    /// The partitions of the open transaction.
    pub partitions: BTreeSet<Partition>,
    /// The groups of the open transaction.
    pub groups: BTreeMap<String, StagedOffsets>,
    /// When the newest transaction began; -1 when there was none.
    pub started_ms: i64,
    /// When anything changed last.
    pub changed_ms: i64,
}

/// What there is to do about a transaction that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedTransaction {
    /// How.
    pub outcome: TransactionOutcome,
    /// The producer.
    pub producer_id: i64,
    /// The epoch of the markers.
    pub producer_epoch: i16,
    /// Where markers go.
    pub partitions: BTreeSet<Partition>,
    /// What its groups have read.
    pub groups: BTreeMap<String, StagedOffsets>,
    /// When.
    pub at_ms: i64,
}

/// What outlives the process of all transactional ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transactions {
    ids: BTreeMap<String, Transaction>,
    /// The transactional id of each producer.
    owners: HashMap<i64, String>,
    /// When each open transaction is over at the latest.
    deadlines: BTreeSet<(i64, String)>,
    offset_bytes: usize,
}

impl Transaction {
    /// When it is over at the latest, if it is open.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<i64> {
        let timeout_ms = i64::from(self.timeout_ms);
        (self.phase == TransactionPhase::Ongoing)
            .then(|| self.started_ms.saturating_add(timeout_ms))
    }

    fn offset_bytes(&self) -> usize {
        let groups = self.groups.values().flat_map(BTreeMap::values);
        groups.map(CommittedOffset::bytes).sum()
    }

    fn begin(&mut self, at_ms: i64) {
        if self.phase != TransactionPhase::Ongoing {
            self.phase = TransactionPhase::Ongoing;
            self.started_ms = at_ms;
        }
        self.changed_ms = at_ms;
    }
}

impl Transactions {
    /// What is known of a transactional id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Transaction> {
        self.ids.get(id)
    }

    /// All of them, ascending by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Transaction)> {
        self.ids
            .iter()
            .map(|(id, transaction)| (&**id, transaction))
    }

    /// The transactional id that a producer owns.
    #[must_use]
    pub fn of_producer(&self, producer_id: i64) -> Option<(&str, &Transaction)> {
        let id = self.owners.get(&producer_id)?;
        Some((id, self.ids.get(id)?))
    }

    /// Open transactions that were to be over by `now_ms`.
    pub fn overdue(&self, now_ms: i64) -> impl Iterator<Item = (&str, &Transaction)> {
        let due = self.deadlines.iter();
        due.take_while(move |(deadline_ms, _)| *deadline_ms <= now_ms)
            .filter_map(|(_, id)| Some((&**id, self.ids.get(id)?)))
    }

    /// What the offsets take that wait for the end of their transaction, more or less.
    #[must_use]
    pub fn offset_bytes(&self) -> usize {
        self.offset_bytes
    }

    /// Whether an open transaction has an offset of `group` for `partition`.
    #[must_use]
    pub fn has_pending_offset(&self, group: &str, partition: Partition) -> bool {
        self.pending_groups(group)
            .any(|offsets| offsets.contains_key(&partition))
    }

    /// Whether an open transaction has any offset of `group`.
    #[must_use]
    pub fn has_pending_offsets(&self, group: &str) -> bool {
        self.pending_groups(group)
            .any(|offsets| !offsets.is_empty())
    }

    fn pending_groups(&self, group: &str) -> impl Iterator<Item = &StagedOffsets> {
        let open = self.deadlines.iter();
        open.filter_map(move |(_, id)| self.ids.get(id)?.groups.get(group))
    }

    /// Does what `change` says; tells what a transaction that ended leaves to do.
    pub fn apply(&mut self, change: &TransactionChange) -> Option<EndedTransaction> {
        let id = change.id();
        let before = self.ids.get(id);
        self.offset_bytes -= before.map_or(0, Transaction::offset_bytes);
        if let Some(deadline_ms) = before.and_then(Transaction::deadline_ms) {
            self.deadlines.remove(&(deadline_ms, id.to_owned()));
        }
        let ended = self.change(change);
        if let Some(after) = self.ids.get(id) {
            self.offset_bytes += after.offset_bytes();
            let deadline_ms = after.deadline_ms();
            self.deadlines
                .extend(deadline_ms.map(|deadline_ms| (deadline_ms, id.to_owned())));
        }
        ended
    }

    fn change(&mut self, change: &TransactionChange) -> Option<EndedTransaction> {
        match change {
            TransactionChange::Start {
                id, producer_id, ..
            } => {
                if let Some(before) = self.ids.get(id) {
                    self.owners.remove(&before.producer_id);
                }
                self.owners.insert(*producer_id, id.clone());
                self.ids.insert(id.clone(), started(change)?);
                None
            }
            TransactionChange::AddPartitions {
                id,
                partitions,
                at_ms,
            } => {
                let transaction = self.ids.get_mut(id)?;
                transaction.begin(*at_ms);
                transaction.partitions.extend(partitions);
                None
            }
            TransactionChange::AddGroup { id, group, at_ms } => {
                let transaction = self.ids.get_mut(id)?;
                transaction.begin(*at_ms);
                transaction.groups.entry(group.clone()).or_default();
                None
            }
            TransactionChange::StageOffsets { id, group, offsets } => {
                let staged = self.ids.get_mut(id)?.groups.get_mut(group)?;
                staged.extend(offsets.iter().cloned());
                None
            }
            TransactionChange::End {
                id,
                outcome,
                producer_epoch,
                at_ms,
            } => {
                let transaction = self.ids.get_mut(id)?;
                transaction.phase = TransactionPhase::Complete(*outcome);
                if transaction.producer_epoch != *producer_epoch {
                    // Somebody else raised it, so nobody may claim to have asked for it.
                    transaction.last_epoch = -1;
                }
                transaction.producer_epoch = *producer_epoch;
                transaction.changed_ms = *at_ms;
                Some(EndedTransaction {
                    outcome: *outcome,
                    producer_id: transaction.producer_id,
                    producer_epoch: *producer_epoch,
                    partitions: std::mem::take(&mut transaction.partitions),
                    groups: std::mem::take(&mut transaction.groups),
                    at_ms: *at_ms,
                })
            }
            TransactionChange::Forget { id } => {
                let transaction = self.ids.remove(id)?;
                self.owners.remove(&transaction.producer_id);
                None
            }
        }
    }

    /// Adds what a checkpoint holds.
    pub(super) fn restore(&mut self, id: String, transaction: Transaction) {
        self.offset_bytes += transaction.offset_bytes();
        let deadline_ms = transaction.deadline_ms();
        self.deadlines
            .extend(deadline_ms.map(|deadline_ms| (deadline_ms, id.clone())));
        self.owners.insert(transaction.producer_id, id.clone());
        self.ids.insert(id, transaction);
    }
}

/// The state after `change`, if it starts a producer.
fn started(change: &TransactionChange) -> Option<Transaction> {
    let TransactionChange::Start {
        producer_id,
        producer_epoch,
        last_epoch,
        timeout_ms,
        at_ms,
        ..
    } = change
    else {
        return None;
    };
    Some(Transaction {
        producer_id: *producer_id,
        producer_epoch: *producer_epoch,
        last_epoch: *last_epoch,
        timeout_ms: *timeout_ms,
        phase: TransactionPhase::Empty,
        partitions: BTreeSet::new(),
        groups: BTreeMap::new(),
        started_ms: -1,
        changed_ms: *at_ms,
    })
}
