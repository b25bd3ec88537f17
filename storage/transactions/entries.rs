//! Transactional ids as entries of a checkpoint: one key for each, `transaction/<id>`.

use serde::{Deserialize, Serialize};

use super::{Transaction, TransactionPhase, Transactions};
use crate::catalog::{CatalogError, Entries, decode_entry, encode_entry};
use crate::groups::CommittedOffset;
use crate::log::TransactionOutcome;
use crate::model::Partition;

const PREFIX: &str = "transaction/";

#[derive(Serialize, Deserialize)]
struct Entry {
    producer_id: i64,
    producer_epoch: i16,
    last_epoch: i16,
    timeout_ms: i32,
    phase: Phase,
    partitions: Vec<Partition>,
    groups: Vec<(String, Vec<(Partition, CommittedOffset)>)>,
    started_ms: i64,
    changed_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Empty,
    Ongoing,
    Committed,
    Aborted,
}

impl From<&Transaction> for Entry {
    fn from(transaction: &Transaction) -> Self {
        let groups = transaction.groups.iter().map(|(group, offsets)| {
            let offsets = offsets.iter().map(|(it, offset)| (*it, offset.clone()));
            (group.clone(), offsets.collect())
        });
        Self {
            producer_id: transaction.producer_id,
            producer_epoch: transaction.producer_epoch,
            last_epoch: transaction.last_epoch,
            timeout_ms: transaction.timeout_ms,
            phase: match transaction.phase {
                TransactionPhase::Empty => Phase::Empty,
                TransactionPhase::Ongoing => Phase::Ongoing,
                TransactionPhase::Complete(TransactionOutcome::Committed) => Phase::Committed,
                TransactionPhase::Complete(TransactionOutcome::Aborted) => Phase::Aborted,
            },
            partitions: transaction.partitions.iter().copied().collect(),
            groups: groups.collect(),
            started_ms: transaction.started_ms,
            changed_ms: transaction.changed_ms,
        }
    }
}

impl From<Entry> for Transaction {
    fn from(entry: Entry) -> Self {
        let groups = entry.groups.into_iter();
        Self {
            producer_id: entry.producer_id,
            producer_epoch: entry.producer_epoch,
            last_epoch: entry.last_epoch,
            timeout_ms: entry.timeout_ms,
            phase: match entry.phase {
                Phase::Empty => TransactionPhase::Empty,
                Phase::Ongoing => TransactionPhase::Ongoing,
                Phase::Committed => TransactionPhase::Complete(TransactionOutcome::Committed),
                Phase::Aborted => TransactionPhase::Complete(TransactionOutcome::Aborted),
            },
            partitions: entry.partitions.into_iter().collect(),
            groups: groups
                .map(|(group, offsets)| (group, offsets.into_iter().collect()))
                .collect(),
            started_ms: entry.started_ms,
            changed_ms: entry.changed_ms,
        }
    }
}

impl Transactions {
    /// Adds all transactional ids to `entries`.
    pub fn write_entries(&self, entries: &mut Entries) {
        for (id, transaction) in self.iter() {
            let entry = Entry::from(transaction);
            entries.insert(format!("{PREFIX}{id}").into(), encode_entry(&entry));
        }
    }

    /// The transactional ids of `entries`. Entries of others are left alone.
    ///
    /// # Errors
    /// When an entry is damaged.
    pub fn read_entries(entries: &Entries) -> Result<Self, CatalogError> {
        let mut transactions = Self::default();
        let prefix = PREFIX.as_bytes();
        let from = entries.range(prefix.to_vec()..);
        for (key, bytes) in from.take_while(|(key, _)| key.starts_with(prefix)) {
            let id = std::str::from_utf8(&key[prefix.len()..]).map_err(|_| {
                let key = String::from_utf8_lossy(key);
                CatalogError::Damaged(format!("entry '{key}' is not text"))
            })?;
            let entry: Entry = decode_entry(key, bytes)?;
            transactions.restore(id.to_owned(), entry.into());
        }
        Ok(transactions)
    }
}
