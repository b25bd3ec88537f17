//! What is durable, as the committing thread knows it: the same steps at each commit and, after a
//! crash, for each record of the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::StoreError;
use super::journal_record::JournalRecord;
use super::staging::StagedTail;
use crate::catalog::{Catalog, CatalogChange, Topic};
use crate::disk::Disk;
use crate::groups::Groups;
use crate::log::{AbortedTransactions, LogEnd, LogOptions, LogReader, PartitionLog, RecordBatch};
use crate::model::{HOUR_MS, Offset, Partition, TopicId};
use crate::transactions::Transactions;

/// Producers that were silent for so long are forgotten at a start.
const PRODUCER_EXPIRATION_MS: i64 = 24 * HOUR_MS;

/// Catalog, logs and producers behind the last durable record.
#[derive(Debug)]
pub(super) struct Durable {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    pub(super) catalog: Arc<Catalog>,
    pub(super) logs: BTreeMap<Partition, DurableLog>,
    pub(super) groups: Arc<RwLock<Groups>>,
    pub(super) transactions: Arc<RwLock<Transactions>>,
}

/// A partition's log and where it ends. The log may hold more than `tail` counts while the journal
/// is replayed.
#[derive(Debug, Clone)]
pub(super) struct DurableLog {
    pub(super) log: SharedLog,
    pub(super) reader: LogReader,
    pub(super) tail: StagedTail,
    pub(super) aborted: Arc<AbortedTransactions>,
}

/// The appending half of a log: commits append to it, checkpoints sync it.
#[derive(Debug, Clone)]
pub(super) struct SharedLog(Arc<Mutex<PartitionLog>>);

impl SharedLog {
    pub(super) fn lock(&self) -> MutexGuard<'_, PartitionLog> {
        let locked = self.0.lock();
        locked.expect("a commit that panicked has stopped the store")
    }
}

impl Durable {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        catalog: Catalog,
        groups: Groups,
        transactions: Transactions,
    ) -> Self {
        Self {
            disk,
            options,
            catalog: Arc::new(catalog),
            logs: BTreeMap::new(),
            groups: Arc::new(RwLock::new(groups)),
            transactions: Arc::new(RwLock::new(transactions)),
        }
    }

    /// Opens the log of `partition`, cut at `end`.
    pub(super) fn open_log(
        &mut self,
        partition: Partition,
        end: &LogEnd,
        tail: StagedTail,
        aborted: AbortedTransactions,
    ) -> Result<(), StoreError> {
        let state = self.catalog.topic(partition.topic);
        let start = state.map_or_else(Offset::default, |state| state.needed_from(partition.id));
        let log = PartitionLog::open(Arc::clone(&self.disk), partition, end, start, self.options);
        let mut log = log.map_err(StoreError::log(partition))?;
        if let Some(state) = state {
            log.set_rolls(state.topic.log_rules().rolls);
        }
        let reader = log.reader();
        let log = SharedLog(Arc::new(Mutex::new(log)));
        let aborted = Arc::new(aborted);
        let log = DurableLog {
            log,
            reader,
            tail,
            aborted,
        };
        self.logs.insert(partition, log);
        Ok(())
    }

    /// Makes sure that the logs have room for what `records` append to them.
    pub(super) fn reserve(&self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let mut needed: BTreeMap<Partition, (u64, i64)> = BTreeMap::new();
        for record in records {
            if let JournalRecord::Batch {
                partition, batch, ..
            } = record
            {
                let (bytes, latest_ms) = needed.entry(*partition).or_insert((0, i64::MIN));
                *bytes += batch.bytes().len() as u64;
                *latest_ms = batch.header().max_timestamp_ms.max(*latest_ms);
            }
        }
        for (partition, (bytes, latest_ms)) in needed {
            // A log that the same group makes gets its first file after it.
            if let Some(DurableLog { log, .. }) = self.logs.get(&partition) {
                let reserved = log.lock().reserve(bytes, latest_ms);
                reserved.map_err(StoreError::log(partition))?;
            }
        }
        Ok(())
    }

    /// Does what `record`, which is durable, says.
    pub(super) fn follow(&mut self, record: &JournalRecord) -> Result<(), StoreError> {
        match record {
            JournalRecord::Batch {
                partition,
                append_ms,
                batch,
            } => self.append(*partition, *append_ms, batch),
            JournalRecord::Edit(edit) => {
                self.catalog = Arc::new(self.catalog.apply(edit)?);
                edit.changes
                    .iter()
                    .try_for_each(|change| self.change(change))
            }
            JournalRecord::Groups(changes) => {
                let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
                for change in changes {
                    groups.apply(change, |partition| self.catalog.has_partition(partition));
                }
                Ok(())
            }
            JournalRecord::Transactions(changes) => {
                let transactions = self.transactions.write();
                let mut transactions = transactions.unwrap_or_else(PoisonError::into_inner);
                for change in changes {
                    // What an end leaves to do are records of their own.
                    transactions.apply(change);
                }
                Ok(())
            }
        }
    }

    /// Where each partition ends, for staging to go on from.
    pub(super) fn tails(&self) -> HashMap<Partition, StagedTail> {
        let tails = self.logs.iter();
        tails
            .map(|(partition, log)| (*partition, log.tail.clone()))
            .collect()
    }

    /// The transactions as they are now.
    pub(super) fn transactions(&self) -> Transactions {
        let transactions = self.transactions.read();
        transactions.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets producers that have been silent for long.
    pub(super) fn expire_producers(&mut self, now_ms: i64) {
        for log in self.logs.values_mut() {
            let before_ms = now_ms.saturating_sub(PRODUCER_EXPIRATION_MS);
            log.tail.producers.expire(before_ms);
        }
    }

    /// Whether the journal had everything that the logs hold.
    pub(super) fn check_ends(&self) -> Result<(), StoreError> {
        for (partition, DurableLog { reader, tail, .. }) in &self.logs {
            if reader.end() != tail.next {
                return Err(StoreError::JournalGap {
                    partition: *partition,
                    expected: reader.end(),
                    found: tail.next,
                });
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        partition: Partition,
        append_ms: i64,
        batch: &RecordBatch,
    ) -> Result<(), StoreError> {
        let base = batch.header().base_offset;
        let Some(DurableLog {
            log,
            reader,
            tail,
            aborted,
        }) = self.logs.get_mut(&partition)
        else {
            return Err(StoreError::UnknownTopic(partition.topic));
        };
        if base != tail.next {
            return Err(StoreError::JournalGap {
                partition,
                expected: tail.next,
                found: base,
            });
        }
        // The checkpoint may have synced more of the file than it counts.
        if reader.end() <= base {
            log.lock()
                .append(batch)
                .map_err(StoreError::log(partition))?;
        }
        if let Some(newest) = tail.accept(batch, append_ms) {
            Arc::make_mut(aborted).push(newest, reader.start());
        }
        Ok(())
    }

    fn change(&mut self, change: &CatalogChange) -> Result<(), StoreError> {
        match change {
            CatalogChange::CreateTopic(topic) => self.create_logs(topic),
            CatalogChange::DeleteTopic(topic) => {
                self.delete_logs(*topic);
                Ok(())
            }
            CatalogChange::AddPartitions { topic, .. } => self.create_missing_logs(*topic),
            CatalogChange::ChangeConfig { topic, .. } => {
                self.set_rolls(*topic);
                Ok(())
            }
            CatalogChange::ChangeFields { .. }
            | CatalogChange::MoveLogStarts { .. }
            | CatalogChange::Seal { .. }
            | CatalogChange::Merge { .. }
            | CatalogChange::DeadLetters { .. }
            | CatalogChange::DropSegments { .. }
            | CatalogChange::PutTemplate { .. }
            | CatalogChange::DeleteTemplate { .. }
            | CatalogChange::PutDefinition { .. }
            | CatalogChange::DeleteDefinition { .. }
            | CatalogChange::ChangeAliases { .. }
            | CatalogChange::ReserveProducerIds { .. } => Ok(()),
        }
    }

    /// Lets the logs of a topic follow its configuration.
    fn set_rolls(&self, topic: TopicId) {
        let Some(state) = self.catalog.topic(topic) else {
            return;
        };
        let rolls = state.topic.log_rules().rolls;
        for partition in state.topic.partitions() {
            if let Some(log) = self.logs.get(&partition) {
                log.log.lock().set_rolls(rolls);
            }
        }
    }

    fn create_logs(&mut self, topic: &Topic) -> Result<(), StoreError> {
        // Files that lie there are from a run whose records this one replays: cut to nothing.
        let end = LogEnd::empty(Offset(0));
        let mut partitions = topic.partitions();
        partitions.try_for_each(|partition| self.open_empty(partition, &end))
    }

    fn create_missing_logs(&mut self, topic: TopicId) -> Result<(), StoreError> {
        // The same edit may have deleted the topic again.
        let Some(state) = self.catalog.topic(topic).cloned() else {
            return Ok(());
        };
        let end = LogEnd::empty(Offset(0));
        for partition in state.topic.partitions() {
            if !self.logs.contains_key(&partition) {
                self.open_empty(partition, &end)?;
            }
        }
        Ok(())
    }

    fn open_empty(&mut self, partition: Partition, end: &LogEnd) -> Result<(), StoreError> {
        let none = AbortedTransactions::default();
        self.open_log(partition, end, StagedTail::default(), none)
    }

    /// Forgets the logs, and how far groups have read them. Their files stay until the checkpoint
    /// does not name them any more.
    fn delete_logs(&mut self, topic: TopicId) {
        self.logs.retain(|partition, _| partition.topic != topic);
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.forget_topic(topic);
    }
}
