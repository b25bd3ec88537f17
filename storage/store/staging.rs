//! What has its place in the order but is not durable yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Lsn;
use super::journal_record::JournalRecord;
use super::log_state::EpochStarts;
use crate::catalog::{Catalog, CatalogChange, Edit};
use crate::groups::GroupChange;
use crate::log::{ProducerStates, RecordBatch};
use crate::model::{Offset, Partition};
use crate::transactions::{EndedTransaction, TransactionChange, Transactions};

/// Staged records, and the state as it will be when they are durable.
#[derive(Debug)]
pub(super) struct Staging {
    catalog: Arc<Catalog>,
    tails: HashMap<Partition, StagedTail>,
    transactions: Transactions,
    records: Vec<JournalRecord>,
    bytes: usize,
    last: Lsn,
}

/// Where a partition will end, and which producers will have written to it.
#[derive(Debug, Clone, Default)]
pub(super) struct StagedTail {
    pub(super) next: Offset,
    pub(super) producers: ProducerStates,
    pub(super) epochs: Arc<EpochStarts>,
    /// Producers whose transaction is open here, and the offset of its first record.
    pub(super) open: BTreeMap<i64, Offset>,
}

/// Everything that one commit makes durable.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) records: Vec<JournalRecord>,
    /// The last of them.
    pub(super) last: Lsn,
    bytes: usize,
}

impl Group {
    /// Whether nobody minds when it becomes durable after they were told that there is no room.
    /// Whoever seals or merges takes back what they began, so their edits count now or never.
    pub(super) fn can_wait(&self) -> bool {
        self.records.iter().all(|record| match record {
            JournalRecord::Batch { .. } | JournalRecord::Transactions(_) => true,
            JournalRecord::Groups(_) => false,
            JournalRecord::Edit(edit) => edit.changes.iter().all(|change| {
                matches!(
                    change,
                    CatalogChange::CreateTopic(_)
                        | CatalogChange::ChangeFields { .. }
                        | CatalogChange::DeadLetters { .. }
                )
            }),
        })
    }
}

impl Staging {
    pub(super) fn new(
        catalog: Arc<Catalog>,
        tails: HashMap<Partition, StagedTail>,
        transactions: Transactions,
    ) -> Self {
        Self {
            catalog,
            tails,
            transactions,
            records: Vec::new(),
            bytes: 0,
            last: Lsn::default(),
        }
    }

    /// The catalog with all staged edits.
    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The tail of `partition`; `None` when there is none, staged edits counted.
    pub(super) fn tail(&mut self, partition: Partition) -> Option<&mut StagedTail> {
        let exists = self.catalog.has_partition(partition);
        exists.then(|| self.tails.entry(partition).or_default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes that wait for a commit.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last thing staged so far.
    pub(super) fn last(&self) -> Lsn {
        self.last
    }

    /// Adds `edit`, which takes `bytes` and led to `catalog`.
    pub(super) fn push_edit(&mut self, edit: Edit, bytes: usize, catalog: Catalog) -> Lsn {
        for change in &edit.changes {
            if let CatalogChange::DeleteTopic(topic) = change {
                self.tails.retain(|partition, _| partition.topic != *topic);
            }
        }
        self.catalog = Arc::new(catalog);
        self.push(JournalRecord::Edit(edit), bytes)
    }

    /// Adds `batch`, which its tail counts already.
    pub(super) fn push_batch(
        &mut self,
        partition: Partition,
        append_ms: i64,
        batch: RecordBatch,
    ) -> Lsn {
        let bytes = batch.bytes().len();
        let record = JournalRecord::Batch {
            partition,
            append_ms,
            batch,
        };
        self.push(record, bytes)
    }

    /// Adds changes of groups, which take `bytes`.
    pub(super) fn push_groups(&mut self, changes: Vec<GroupChange>, bytes: usize) -> Lsn {
        self.push(JournalRecord::Groups(changes), bytes)
    }

    /// The transactions with all staged changes.
    pub(super) fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Makes `changes`, which are still to be staged; tells which transactions ended.
    pub(super) fn change_transactions(
        &mut self,
        changes: &[TransactionChange],
    ) -> Vec<EndedTransaction> {
        let changes = changes.iter();
        changes
            .filter_map(|change| self.transactions.apply(change))
            .collect()
    }

    /// Adds changes of transactions, which are made already and take `bytes`.
    pub(super) fn push_transactions(
        &mut self,
        changes: Vec<TransactionChange>,
        bytes: usize,
    ) -> Lsn {
        self.push(JournalRecord::Transactions(changes), bytes)
    }

    /// Everything staged so far, to be committed.
    pub(super) fn take(&mut self) -> Group {
        Group {
            records: std::mem::take(&mut self.records),
            last: self.last,
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Takes a group back that could not be written, before all that was staged since.
    pub(super) fn put_back(&mut self, group: Group) {
        let since = std::mem::replace(&mut self.records, group.records);
        self.records.extend(since);
        self.bytes += group.bytes;
    }

    fn push(&mut self, record: JournalRecord, bytes: usize) -> Lsn {
        self.records.push(record);
        self.bytes += bytes;
        self.last = Lsn(self.last.0 + 1);
        self.last
    }
}
