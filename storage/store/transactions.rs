//! Transactions through the journal.
//!
//! Whoever decides about a transaction does so under the lock under which batches are staged, so
//! that no batch of a transaction can come behind its marker. The end of a transaction, its
//! markers and the offsets that it commits are staged together: one group of the journal has all
//! of them or none.

use std::sync::{Arc, PoisonError, RwLockReadGuard};

use thiserror::Error;

use super::staging::Staging;
use super::{EDIT_BYTES_MAX, Lsn, Store, StoreError};
use crate::groups::GroupChange;
use crate::log::{
    AbortedTransaction, AbortedTransactions, BatchHeader, Marker, TransactionOutcome,
};
use crate::model::{Offset, Partition};
use crate::transactions::{EndedTransaction, TransactionChange, TransactionPhase, Transactions};

/// Why a batch is not part of a transaction that it could be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MembershipError {
    /// The producer owns no transactional id.
    #[error("producer {producer_id} owns no transactional id")]
    UnknownProducer {
        /// The producer.
        producer_id: i64,
    },
    /// Another instance took over the transactional id.
    #[error("producer {producer_id} sent epoch {found}, but epoch {current} has begun")]
    Fenced {
        /// The producer.
        producer_id: i64,
        /// The newest epoch.
        current: i16,
        /// The epoch of the batch.
        found: i16,
    },
    /// The partition was not added to the open transaction, or none is open.
    #[error("Partition was not added to the transaction")]
    NotAdded,
    /// A batch without a transaction from a producer whose transaction is open.
    #[error("producer {producer_id} has a transaction open and sent a batch outside of it")]
    Outside {
        /// The producer.
        producer_id: i64,
    },
}

impl Store {
    /// Stages the changes that `decide` makes of all transactions with all changes staged before,
    /// and tells what it told besides. Changes count together or not at all.
    ///
    /// # Errors
    /// What `decide` says; or that the changes are too large together, or the store has stopped.
    pub fn stage_transactions<T, E: From<StoreError>>(
        &self,
        decide: impl FnOnce(&Transactions) -> Result<(Vec<TransactionChange>, T), E>,
    ) -> Result<(Lsn, T), E> {
        let mut staging = self.staging_with_room(0)?;
        let (changes, told) = decide(staging.transactions())?;
        if changes.is_empty() {
            return Ok((staging.last(), told));
        }
        let bytes = TransactionChange::encode_all(&changes).len();
        if bytes > EDIT_BYTES_MAX {
            return Err(StoreError::EditTooLarge { bytes }.into());
        }
        let ended = staging.change_transactions(&changes);
        // Whoever reads sees the offsets no later than that the transaction is over.
        for transaction in &ended {
            commit_offsets(&mut staging, transaction);
        }
        staging.push_transactions(changes, bytes);
        for transaction in &ended {
            self.mark(&mut staging, transaction);
        }
        let lsn = staging.last();
        drop(staging);
        self.wake_committer();
        Ok((lsn, told))
    }

    /// The transactions: durable changes only. Commits wait while this is held.
    pub fn transactions(&self) -> RwLockReadGuard<'_, Transactions> {
        // A change is applied by steps that cannot panic half-way.
        self.transactions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The aborted transactions that may have records among the offsets of `partition` from `from`
    /// up to `until`, in the order of their markers.
    #[must_use]
    pub fn aborted(
        &self,
        partition: Partition,
        from: Offset,
        until: Offset,
    ) -> Vec<AbortedTransaction> {
        let aborted = self
            .view()
            .partition(partition)
            .map(|shown| Arc::clone(&shown.aborted));
        aborted.map_or_else(Vec::new, |aborted: Arc<AbortedTransactions>| {
            aborted.overlapping(from, until)
        })
    }

    /// Ends a transaction in each of its partitions.
    fn mark(&self, staging: &mut Staging, ended: &EndedTransaction) {
        let marker = Marker {
            outcome: ended.outcome,
            producer_id: ended.producer_id,
            producer_epoch: ended.producer_epoch,
            coordinator_epoch: self.epoch.0,
            at_ms: ended.at_ms,
        };
        for partition in &ended.partitions {
            // Its topic may have been deleted since.
            let Some(tail) = staging.tail(*partition) else {
                continue;
            };
            let mut batch = marker.batch();
            batch.assign(tail.next, self.epoch);
            tail.accept(&batch, ended.at_ms);
            staging.push_batch(*partition, ended.at_ms, batch);
        }
    }
}

fn commit_offsets(staging: &mut Staging, ended: &EndedTransaction) {
    if ended.outcome == TransactionOutcome::Aborted {
        return;
    }
    let groups = ended
        .groups
        .iter()
        .filter(|(_, offsets)| !offsets.is_empty());
    let changes: Vec<_> = groups
        .map(|(group, offsets)| GroupChange::Commit {
            group: group.clone(),
            offsets: offsets.iter().map(|(it, at)| (*it, at.clone())).collect(),
        })
        .collect();
    if !changes.is_empty() {
        let bytes = GroupChange::encode_all(&changes).len();
        staging.push_groups(changes, bytes);
    }
}

impl Staging {
    /// Whether a batch may enter `partition` as far as transactions are concerned.
    pub(super) fn check_membership(
        &mut self,
        partition: Partition,
        header: &BatchHeader,
    ) -> Result<(), MembershipError> {
        let producer_id = header.producer_id;
        if !header.is_transactional() {
            let tail = self.tail(partition);
            return match tail.is_some_and(|tail| tail.open.contains_key(&producer_id)) {
                true => Err(MembershipError::Outside { producer_id }),
                false => Ok(()),
            };
        }
        let owner = self.transactions().of_producer(producer_id);
        let (_, transaction) = owner.ok_or(MembershipError::UnknownProducer { producer_id })?;
        let (current, found) = (transaction.producer_epoch, header.producer_epoch);
        if current != found {
            return Err(MembershipError::Fenced {
                producer_id,
                current,
                found,
            });
        }
        let is_member = transaction.phase == TransactionPhase::Ongoing
            && transaction.partitions.contains(&partition);
        if is_member {
            Ok(())
        } else {
            Err(MembershipError::NotAdded)
        }
    }
}
