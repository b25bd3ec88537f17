//! What is durable, as the committing thread knows it: the same steps at each commit and, after a
//! crash, for each record of the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::StoreError;
use super::journal_record::JournalRecord;
use super::staging::StagedTail;
use super::standin::{LogEnd, LogOptions, PartitionLog};
use crate::catalog::{Catalog, CatalogChange, Topic};
use crate::disk::Disk;
use crate::log::RecordBatch;
use crate::model::{Partition, TopicId};

/// Catalog, logs and producers behind the last durable record.
#[derive(Debug)]
pub(super) struct Durable {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    pub(super) catalog: Arc<Catalog>,
    pub(super) logs: BTreeMap<Partition, DurableLog>,
}

/// A partition's log and where it ends. The log may hold more than `tail` counts while the journal
/// is replayed.
#[derive(Debug)]
pub(super) struct DurableLog {
    pub(super) log: Arc<PartitionLog>,
    pub(super) tail: StagedTail,
}

impl Durable {
    pub(super) fn new(disk: Arc<dyn Disk>, options: LogOptions, catalog: Catalog) -> Self {
        Self {
            disk,
            options,
            catalog: Arc::new(catalog),
            logs: BTreeMap::new(),
        }
    }

    /// Opens the log of `partition`, cut at `end`.
    pub(super) fn open_log(
        &mut self,
        partition: Partition,
        end: &LogEnd,
        tail: StagedTail,
    ) -> Result<(), StoreError> {
        let log = PartitionLog::open(Arc::clone(&self.disk), partition, end, self.options);
        let log = Arc::new(log.map_err(StoreError::log(partition))?);
        self.logs.insert(partition, DurableLog { log, tail });
        Ok(())
    }

    /// Does what `record`, which is durable, says.
    pub(super) fn follow(&mut self, record: &JournalRecord) -> Result<(), StoreError> {
        match record {
            JournalRecord::Batch(partition, batch) => self.append(*partition, batch),
            JournalRecord::Edit(edit) => {
                self.catalog = Arc::new(self.catalog.apply(edit)?);
                edit.changes
                    .iter()
                    .try_for_each(|change| self.change(change))
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

    /// Forgets producers that have been silent for long.
    pub(super) fn expire_producers(&mut self, now_ms: i64) {
        for log in self.logs.values_mut() {
            log.tail.producers.expire(now_ms);
        }
    }

    /// Whether the journal had everything that the logs hold.
    pub(super) fn check_ends(&self) -> Result<(), StoreError> {
        for (partition, DurableLog { log, tail }) in &self.logs {
            if log.end() != tail.next {
                return Err(StoreError::JournalGap {
                    partition: *partition,
                    expected: log.end(),
                    found: tail.next,
                });
            }
        }
        Ok(())
    }

    fn append(&mut self, partition: Partition, batch: &RecordBatch) -> Result<(), StoreError> {
        let base = batch.header().base_offset;
        let Some(DurableLog { log, tail }) = self.logs.get_mut(&partition) else {
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
        if log.end() <= base {
            log.append(batch).map_err(StoreError::log(partition))?;
        }
        tail.accept(batch);
        Ok(())
    }

    fn change(&mut self, change: &CatalogChange) -> Result<(), StoreError> {
        match change {
            CatalogChange::CreateTopic(topic) => self.create_logs(topic),
            CatalogChange::DeleteTopic(topic) => {
                self.delete_logs(*topic);
                Ok(())
            }
            CatalogChange::ChangeFields { .. }
            | CatalogChange::ChangeConfig { .. }
            | CatalogChange::Seal { .. }
            | CatalogChange::PutTemplate { .. }
            | CatalogChange::DeleteTemplate { .. }
            | CatalogChange::ReserveProducerIds { .. } => Ok(()),
        }
    }

    fn create_logs(&mut self, topic: &Topic) -> Result<(), StoreError> {
        // Files that lie there are from a run whose records this one replays: cut to nothing.
        let end = LogEnd::default();
        let mut partitions = topic.partitions();
        partitions.try_for_each(|partition| self.open_log(partition, &end, StagedTail::default()))
    }

    /// Forgets the logs. Their files stay until the checkpoint does not name them any more.
    fn delete_logs(&mut self, topic: TopicId) {
        self.logs.retain(|partition, _| partition.topic != topic);
    }
}
