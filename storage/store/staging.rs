//! What has its place in the order but is not durable yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Lsn;
use super::journal_record::JournalRecord;
use super::log_state::EpochStarts;
use crate::catalog::{Catalog, CatalogChange, Edit};
use crate::groups::GroupChange;
use crate::log::{ProducerStates, RecordBatch};
use crate::memory::{Held, MemoryBudget, MemoryUse};
use crate::model::{Offset, Partition};
use crate::transactions::{EndedTransaction, TransactionChange, Transactions};

/// Staged records, and the state as it will be when they are durable.
#[derive(Debug)]
pub(super) struct Staging {
    catalog: Arc<Catalog>,
    tails: HashMap<Partition, StagedTail>,
    transactions: Transactions,
    records: Vec<JournalRecord>,
    /// Bytes of them.
    held: Held,
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
    /// Their memory, until they are written and shown.
    _held: Held,
}

impl Group {
    /// The first of them.
    pub(super) fn first(&self) -> Lsn {
        Lsn(self.last.0 + 1 - self.records.len() as u64)
    }
}

impl Staging {
    pub(super) fn new(
        catalog: Arc<Catalog>,
        tails: HashMap<Partition, StagedTail>,
        transactions: Transactions,
        memory: &Arc<MemoryBudget>,
    ) -> Self {
        Self {
            catalog,
            tails,
            transactions,
            records: Vec::new(),
            held: Held::none(Arc::clone(memory), MemoryUse::Waiting),
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
        self.held.bytes()
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
            _held: self.held.take(),
        }
    }

    /// Forgets everything that is staged: the next change comes behind what is durable, as
    /// `catalog`, `tails` and `transactions` say. The last that is forgotten, and what everything
    /// staged so far counts as from now on.
    pub(super) fn reset(
        &mut self,
        catalog: Arc<Catalog>,
        tails: HashMap<Partition, StagedTail>,
        transactions: Transactions,
    ) -> (Lsn, Lsn) {
        self.catalog = catalog;
        self.tails = tails;
        self.transactions = transactions;
        self.records.clear();
        self.held.shrink(self.held.bytes());
        let last = self.last;
        // Who asks for the last one from now on asks for nothing that was forgotten.
        self.last = Lsn(last.0 + 1);
        (last, self.last)
    }

    fn push(&mut self, record: JournalRecord, bytes: usize) -> Lsn {
        self.records.push(record);
        self.held.grow(bytes);
        self.last = Lsn(self.last.0 + 1);
        self.last
    }
}
