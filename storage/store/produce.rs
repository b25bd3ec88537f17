//! Staging: a change gets its place in the order.

use std::sync::{Arc, MutexGuard};

use super::staging::{StagedTail, Staging};
use super::{EDIT_BYTES_MAX, Lsn, StageError, Store, StoreError};
use crate::catalog::{Catalog, Edit};
use crate::log::{AbortedTransaction, RecordBatch, SequenceCheck, TransactionOutcome};
use crate::model::{Offset, Partition};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged {
    /// The offset of its first record.
    pub base: Offset,
    /// The first offset that the log has.
    pub log_start: Offset,
    /// The time that its records were given, if it is not the producer's.
    pub append_time_ms: Option<i64>,
    /// It is durable when this is.
    pub lsn: Lsn,
    /// Whether an earlier copy of it is stored already and this one was dropped.
    pub is_duplicate: bool,
}

impl Store {
    /// Stages the edit that `make` builds for the catalog with all edits staged before, so that
    /// names and numbers cannot race. An edit without changes stages nothing.
    ///
    /// # Errors
    /// What `make` says; or that the edit does not fit or is too large, or that the store has
    /// stopped.
    pub fn stage_edit<E: From<StoreError>>(
        &self,
        make: impl FnOnce(&Catalog) -> Result<Edit, E>,
    ) -> Result<Lsn, E> {
        let mut staging = self.staging_with_room(0)?;
        let edit = make(staging.catalog())?;
        if edit.changes.is_empty() {
            return Ok(staging.last());
        }
        let catalog = staging.catalog().apply(&edit).map_err(StoreError::from)?;
        let bytes = edit.encode().len();
        if bytes > EDIT_BYTES_MAX {
            return Err(StoreError::EditTooLarge { bytes }.into());
        }
        let lsn = staging.push_edit(edit, bytes, catalog);
        drop(staging);
        self.wake_committer();
        Ok(lsn)
    }

    /// Stages `batch`: checks its producer's sequence and gives it the next offsets of
    /// `partition`. While too much is staged already, it first commits that.
    ///
    /// # Errors
    /// When there is no such partition, the producer's sequence does not fit, the batch is not in
    /// the transaction that it should be in, it is larger than all that may be staged, or the store
    /// has stopped.
    pub fn stage_batch(
        &self,
        partition: Partition,
        mut batch: RecordBatch,
        now_ms: i64,
    ) -> Result<Staged, StageError> {
        let bytes = batch.bytes().len();
        let max = self.options.staged_bytes_max;
        if bytes > max {
            return Err(StageError::TooLarge { bytes, max });
        }
        self.has_room()?;
        let mut staging = self.staging_with_room(bytes)?;
        let has_append_time = staging
            .catalog()
            .topic(partition.topic)
            .is_some_and(|state| state.topic.has_log_append_time());
        let membership = staging.check_membership(partition, batch.header());
        let Some(tail) = staging.tail(partition) else {
            return Err(StageError::UnknownPartition(partition));
        };
        let mut staged = Staged {
            base: tail.next,
            log_start: self.log_start(partition),
            append_time_ms: has_append_time.then_some(now_ms),
            lsn: Lsn::default(),
            is_duplicate: false,
        };
        match tail.producers.check(batch.header())? {
            SequenceCheck::Accept => {}
            SequenceCheck::Duplicate { base_offset } => {
                staged.base = base_offset;
                staged.is_duplicate = true;
                // The first copy may still wait for its commit; it lies before this.
                staged.lsn = staging.last();
                return Ok(staged);
            }
        }
        membership?;
        if let Some(append_time_ms) = staged.append_time_ms {
            batch.set_log_append_time(append_time_ms);
        }
        batch.assign(tail.next, self.epoch);
        tail.accept(&batch, now_ms);
        staged.lsn = staging.push_batch(partition, now_ms, batch);
        drop(staging);
        self.wake_committer();
        Ok(staged)
    }

    /// Waits, or commits by itself, while so much is staged that `bytes` more are too many.
    pub(super) fn staging_with_room(
        &self,
        bytes: usize,
    ) -> Result<MutexGuard<'_, Staging>, StoreError> {
        loop {
            let staging = self.staging();
            self.check()?;
            if staging.is_empty() || staging.bytes() + bytes <= self.options.staged_bytes_max {
                return Ok(staging);
            }
            let last = staging.last();
            drop(staging);
            self.wait_durable(last)?;
        }
    }

    fn log_start(&self, partition: Partition) -> Offset {
        // A partition whose creation is staged but not durable starts at 0.
        let bounds = self.client_bounds(partition);
        bounds.map_or_else(Offset::default, |bounds| bounds.start)
    }
}

impl StagedTail {
    /// The first offset behind which a transaction may still be open.
    pub(super) fn last_stable(&self) -> Offset {
        let first = self.open.values().min();
        first.copied().unwrap_or(self.next)
    }

    /// Counts `batch`, whose offsets are assigned, as part of the partition. Tells which
    /// transaction it aborts.
    pub(super) fn accept(
        &mut self,
        batch: &RecordBatch,
        append_ms: i64,
    ) -> Option<AbortedTransaction> {
        self.producers.apply(batch.header(), append_ms);
        self.next = batch.header().next_offset();
        let header = batch.header();
        let begun = self.epochs.last().map(|(epoch, _)| *epoch);
        if begun.is_none_or(|begun| begun < header.leader_epoch) {
            Arc::make_mut(&mut self.epochs).push((header.leader_epoch, header.base_offset));
        }
        let (producer_id, base) = (header.producer_id, header.base_offset);
        if !header.is_control() {
            if header.is_transactional() {
                self.open.entry(producer_id).or_insert(base);
            }
            return None;
        }
        let outcome = batch.outcome()?;
        let first = self.open.remove(&producer_id)?;
        (outcome == TransactionOutcome::Aborted).then(|| AbortedTransaction {
            producer_id,
            first,
            last: base,
            stable: self.last_stable(),
        })
    }
}
