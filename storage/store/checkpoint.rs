//! The state of one instant, written down so that the journal before it can go.
//!
//! 1. Between two commits, note the catalog, the tails of all partitions and the journal's end.
//! 2. Sync the partition files. They may grow meanwhile: the replay skips what they hold already.
//! 3. Write what has changed since the last checkpoint, atomically and durably.
//! 4. Trim the journal, and remove the files of topics that the checkpoint does not name, and of
//!    merged segments that nobody reads any more.
//!
//! Entries beside the catalog's: those of groups and transactions, `store`, and
//! `partition/<topic>/<partition>` for each partition.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use serde::{Deserialize, Serialize};

use super::commit::Committer;
use super::durable::DurableLog;
use super::files::remove_deleted_topics;
use super::log_state::EpochStarts;
use super::{Store, StoreError};
use crate::catalog::{
    Catalog, CatalogError, CheckpointStore, Entries, decode_entry, difference, encode_entry,
};
use crate::groups::Groups;
use crate::log::{AbortedTransactions, JournalPosition, LogEnd, ProducerStates};
use crate::model::{LeaderEpoch, Offset, Partition};
use crate::transactions::Transactions;

const HEAD_KEY: &str = "store";

/// What writes checkpoints, and what the last one holds.
#[derive(Debug)]
pub(super) struct Checkpointer {
    store: Box<dyn CheckpointStore>,
    /// What the last checkpoint holds besides the catalog; all of it until one is written.
    written: Entries,
    /// The catalog of the last checkpoint, once one is written: what is shared with it has not
    /// changed and is not encoded again.
    catalog: Option<Arc<Catalog>>,
    position: JournalPosition,
}

/// What the store itself must know at the next start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    /// The journal counts from here on.
    pub(super) journal_position: u64,
    /// The epoch that batches were stored with.
    pub(super) epoch: LeaderEpoch,
    /// Whether the store was closed in good order, so that nothing can be missing.
    pub(super) is_closed: bool,
}

/// One partition in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartitionEntry {
    /// Where the partition ends at the journal's position.
    pub(super) next: Offset,
    /// Where its files end durably; perhaps further.
    pub(super) end: LogEnd,
    /// Its producers at the journal's position.
    pub(super) producers: ProducerStates,
    /// Where each epoch starts that something was stored in.
    #[serde(default)]
    pub(super) epochs: Arc<EpochStarts>,
    /// Producers whose transaction is open, and the offset of its first record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) open: Vec<(i64, Offset)>,
    /// Transactions that were aborted.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(super) aborted: Arc<AbortedTransactions>,
}

fn is_empty(aborted: &Arc<AbortedTransactions>) -> bool {
    aborted.is_empty()
}

/// The state between two commits.
struct Captured {
    head: Head,
    catalog: Arc<Catalog>,
    logs: Vec<(Partition, DurableLog)>,
    /// Entries of groups and transactions.
    others: Entries,
}

impl Checkpointer {
    /// Reads what the last checkpoint left.
    pub(super) fn load(store: Box<dyn CheckpointStore>) -> Result<Self, CatalogError> {
        let mut checkpointer = Self {
            written: store.load()?,
            store,
            catalog: None,
            position: JournalPosition(0),
        };
        if let Some(head) = checkpointer.head()? {
            checkpointer.position = JournalPosition(head.journal_position);
        }
        Ok(checkpointer)
    }

    /// `None` in a new store.
    pub(super) fn head(&self) -> Result<Option<Head>, CatalogError> {
        head_of(&self.written)
    }

    /// `None` in a new store.
    pub(super) fn catalog(&self) -> Result<Option<Catalog>, CatalogError> {
        Catalog::read_entries(&self.written)
    }

    pub(super) fn groups(&self) -> Result<Groups, CatalogError> {
        Groups::read_entries(&self.written)
    }

    pub(super) fn transactions(&self) -> Result<Transactions, CatalogError> {
        Transactions::read_entries(&self.written)
    }

    /// `None` for a partition that was made later.
    pub(super) fn partition(
        &self,
        partition: Partition,
    ) -> Result<Option<PartitionEntry>, CatalogError> {
        partition_of(&self.written, partition)
    }

    /// The journal counts from here on.
    pub(super) fn position(&self) -> JournalPosition {
        self.position
    }

    /// Writes `catalog`, and `others`, which are all entries besides its own.
    fn write(
        &mut self,
        catalog: &Arc<Catalog>,
        others: Entries,
        position: JournalPosition,
    ) -> Result<(), CatalogError> {
        let changes = match &self.catalog {
            Some(before) => {
                let mut changes = difference(&self.written, &others);
                changes.extend(catalog.changed_entries(before));
                changes
            }
            None => {
                let mut all = others.clone();
                catalog.write_entries(&mut all);
                difference(&self.written, &all)
            }
        };
        if let Err(error) = self.store.commit(&changes) {
            // The changes may be there or not: the next ones are those from what is found.
            self.catalog = None;
            self.written = self.store.load()?;
            return Err(error);
        }
        self.written = others;
        self.catalog = Some(Arc::clone(catalog));
        self.position = position;
        Ok(())
    }
}

impl Store {
    /// Writes the state down and trims the journal. Commits go on meanwhile.
    ///
    /// # Errors
    /// When files cannot be synced or the checkpoint cannot be written; the store has stopped
    /// then, unless the disk is only full. When the journal cannot be trimmed or files of deleted
    /// topics cannot be removed; the next checkpoint tries again.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let mut checkpointer = self.checkpointer();
        let turn = self.turns.take()?;
        let captured = self.capture(&self.committer(), false);
        drop(turn);
        self.write_checkpoint(&mut checkpointer, &captured)
    }

    /// Whether enough has been journaled since the last checkpoint, or files of deleted topics
    /// wait to be removed.
    #[must_use]
    pub fn is_checkpoint_due(&self) -> bool {
        self.has_deleted.load(Ordering::Relaxed)
            || self.journal_bytes() >= self.options.checkpoint_journal_bytes
    }

    /// How much a start would have to replay now.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        let end = self.journal_end.load(Ordering::Relaxed);
        end.saturating_sub(self.checkpointed.load(Ordering::Relaxed))
    }

    /// Commits what is staged, writes a checkpoint and ends the work of the store, so that the
    /// next start replays nothing. Every later call answers that it is closed.
    ///
    /// # Errors
    /// As for commits and checkpoints; the store has stopped in any case.
    pub fn close(&self) -> Result<(), StoreError> {
        let mut checkpointer = self.checkpointer();
        let turn = self.turns.take()?;
        self.stop(StoreError::Closed);
        // Nothing can be staged any more; what was staged before is still to be kept.
        self.commit_in(&turn)?;
        let captured = self.capture(&self.committer(), true);
        drop(turn);
        self.write_checkpoint(&mut checkpointer, &captured)
    }

    fn checkpointer(&self) -> MutexGuard<'_, Checkpointer> {
        let locked = self.checkpointer.lock();
        locked.expect("nothing panics while a checkpoint is written")
    }

    fn capture(&self, committer: &Committer, is_closed: bool) -> Captured {
        self.has_deleted.store(false, Ordering::Relaxed);
        let mut others = Entries::new();
        self.groups().write_entries(&mut others);
        self.transactions().write_entries(&mut others);
        let logs = committer.durable.logs.iter();
        let logs = logs.map(|(partition, log)| (*partition, log.clone()));
        Captured {
            head: Head {
                journal_position: committer.journal.end().0,
                epoch: self.epoch,
                is_closed,
            },
            catalog: Arc::clone(&committer.durable.catalog),
            logs: logs.collect(),
            others,
        }
    }

    fn write_checkpoint(
        &self,
        checkpointer: &mut Checkpointer,
        captured: &Captured,
    ) -> Result<(), StoreError> {
        let mut ends = Vec::new();
        let entries = entries(captured, &mut ends).map_err(|error| self.stop(error))?;
        let position = JournalPosition(captured.head.journal_position);
        let written = checkpointer.write(&captured.catalog, entries, position);
        written.map_err(|error| match StoreError::from(error) {
            // The last checkpoint still holds, and the next one starts from what is found.
            full if full.is_disk_full() => full,
            // A database that could not flush otherwise does not know what it holds.
            error => self.stop(error),
        })?;
        self.checkpointed.store(position.0, Ordering::Relaxed);
        self.committer().journal.trim(position)?;
        settle(captured, &ends)?;
        remove_deleted_topics(&*self.disk, &captured.catalog)?;
        self.remove_retired_files()?;
        Ok(())
    }
}

/// Syncs all partition files and writes down what there is besides the catalog.
fn entries(
    captured: &Captured,
    ends: &mut Vec<(Partition, LogEnd)>,
) -> Result<Entries, StoreError> {
    let mut entries = captured.others.clone();
    entries.insert(HEAD_KEY.into(), encode_entry(&captured.head));
    for (partition, durable) in &captured.logs {
        let DurableLog {
            log, tail, aborted, ..
        } = durable;
        let end = log.lock().sync().map_err(StoreError::log(*partition))?;
        ends.push((*partition, end));
        let entry = PartitionEntry {
            next: tail.next,
            end,
            producers: tail.producers.clone(),
            epochs: Arc::clone(&tail.epochs),
            open: tail.open.iter().map(|(id, first)| (*id, *first)).collect(),
            aborted: Arc::clone(aborted),
        };
        entries.insert(partition_key(*partition), encode_entry(&entry));
    }
    Ok(entries)
}

/// Tells the logs what the checkpoint knows, so that they drop what nobody needs any more.
fn settle(captured: &Captured, ends: &[(Partition, LogEnd)]) -> Result<(), StoreError> {
    for ((partition, end), (_, log)) in ends.iter().zip(&captured.logs) {
        let state = captured.catalog.topic(partition.topic);
        let start = state.map_or_else(Offset::default, |state| state.needed_from(partition.id));
        let settled = log.log.lock().settle(*end, start);
        settled.map_err(StoreError::log(*partition))?;
    }
    Ok(())
}

/// What `entries` say about the store; `None` in a new one.
pub(super) fn head_of(entries: &Entries) -> Result<Option<Head>, CatalogError> {
    let key = HEAD_KEY.as_bytes();
    let bytes = entries.get(key);
    bytes.map(|bytes| decode_entry(key, bytes)).transpose()
}

/// What `entries` say about `partition`; `None` for one that was made later.
pub(super) fn partition_of(
    entries: &Entries,
    partition: Partition,
) -> Result<Option<PartitionEntry>, CatalogError> {
    let key = partition_key(partition);
    let bytes = entries.get(&key);
    bytes.map(|bytes| decode_entry(&key, bytes)).transpose()
}

fn partition_key(partition: Partition) -> Vec<u8> {
    format!("partition/{:010}/{:010}", partition.topic.0, partition.id.0).into()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::catalog::EntryChange;

    const ALONE: &str = "one thread uses it";

    /// Keeps what it is given and says that it could not, when it is told to: as a database whose
    /// memory has the changes and whose disk is full.
    #[derive(Debug, Clone, Default)]
    struct Halting {
        entries: Arc<Mutex<Entries>>,
        is_full: Arc<AtomicBool>,
    }

    impl CheckpointStore for Halting {
        fn load(&self) -> Result<Entries, CatalogError> {
            Ok(self.entries.lock().expect(ALONE).clone())
        }

        fn commit(&self, changes: &[EntryChange]) -> Result<(), CatalogError> {
            let mut entries = self.entries.lock().expect(ALONE);
            for (key, value) in changes {
                match value {
                    Some(value) => entries.insert(key.clone(), value.clone()),
                    None => entries.remove(key),
                };
            }
            match self.is_full.load(Ordering::Relaxed) {
                true => Err(CatalogError::Io {
                    action: "write",
                    source: io::ErrorKind::StorageFull.into(),
                }),
                false => Ok(()),
            }
        }
    }

    #[test]
    fn what_a_full_disk_took_in_part_is_not_taken_for_the_last_checkpoint() {
        let store = Halting::default();
        let mut checkpointer = Checkpointer::load(Box::new(store.clone())).expect("it is empty");
        let catalog = Arc::new(Catalog::new([0; 16]));
        let mut write = |keys: &[&str], position: u64| {
            let entries = keys.iter().map(|key| (key.as_bytes().to_vec(), vec![1]));
            let position = JournalPosition(position);
            checkpointer.write(&catalog, entries.collect(), position)
        };
        write(&["kept", "lost"], 1).expect("there is room");
        store.is_full.store(true, Ordering::Relaxed);
        write(&["kept", "new"], 2).expect_err("the disk is full");
        store.is_full.store(false, Ordering::Relaxed);
        write(&["kept", "lost"], 3).expect("there is room again");
        let entries = store.load().expect("it can be read");
        let others = |key: &&[u8]| [&b"kept"[..], b"lost", b"new"].contains(key);
        let found: Vec<&[u8]> = entries.keys().map(Vec::as_slice).filter(others).collect();
        assert_eq!(found, [&b"kept"[..], b"lost"]);
    }
}
