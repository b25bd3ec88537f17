//! Commit: everything staged becomes durable by one write and one sync, then visible at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::durable::Durable;
use super::journal_record::JournalRecord;
use super::staging::{Group, Staging};
use super::turn::{Turn, Waited};
use super::{Lsn, Store, StoreError};
use crate::log::{Journal, JournalError};

/// What only the thread touches whose turn it is.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) journal: Journal,
    pub(super) durable: Durable,
}

impl Store {
    /// Makes everything staged so far durable and visible.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] when there is no room: what is staged stays so. When the journal or
    /// a log cannot be written for another reason, the store has stopped: nobody knows which of
    /// the staged changes the next start will find.
    pub fn commit(&self) -> Result<Lsn, StoreError> {
        let turn = self.turns.take()?;
        self.commit_group(turn)?;
        Ok(self.turns.durable())
    }

    /// Returns when `lsn` is durable. Commits by itself when nobody else does.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] when there is no room: `lsn` becomes durable when there is. When
    /// the store has stopped before: then `lsn` may or may not be durable.
    pub fn wait_durable(&self, lsn: Lsn) -> Result<(), StoreError> {
        loop {
            match self.turns.take_or_durable(lsn)? {
                Waited::Durable => return Ok(()),
                Waited::Turn(turn) => self.commit_group(turn)?,
            }
        }
    }

    /// Waits until something is staged, at most for `timeout`. Also returns true when the store
    /// has stopped, so that a thread that commits in a loop learns it.
    #[must_use]
    pub fn wait_for_work(&self, timeout: Duration) -> bool {
        let is_idle = |staging: &mut Staging| staging.is_empty() && self.check().is_ok();
        let waited = self
            .staged
            .wait_timeout_while(self.staging(), timeout, is_idle);
        let (_staging, timeout) = waited.expect("nothing panics while staging is locked");
        !timeout.timed_out()
    }

    fn commit_group(&self, turn: Turn<'_>) -> Result<(), StoreError> {
        self.commit_in(&turn)?;
        drop(turn);
        self.call_back();
        Ok(())
    }

    /// Commits everything staged so far in a turn that goes on.
    pub(super) fn commit_in(&self, turn: &Turn<'_>) -> Result<(), StoreError> {
        let group = self.staging().take();
        if group.records.is_empty() {
            return Ok(());
        }
        match self.write_group(&group) {
            Ok(()) => {}
            // Nothing was written: it keeps its place in the order, and a later turn tries again.
            Err(StoreError::Journal(JournalError::Full { .. })) if group.can_wait() => {
                self.staging().put_back(group);
                return Err(self.ran_out_of_room());
            }
            Err(error) => return Err(self.stop(error)),
        }
        turn.advance(group.last);
        // Only writes that come from now on are refused.
        let _ = self.check_room();
        Ok(())
    }

    /// Journal, then partition files and catalog, then the view.
    fn write_group(&self, group: &Group) -> Result<(), StoreError> {
        let mut committer = self.committer();
        let encoded: Vec<_> = group.records.iter().map(JournalRecord::encode).collect();
        let end = committer.journal.append(&encoded)?;
        self.journal_end.store(end.0, Ordering::Relaxed);
        for record in &group.records {
            committer.durable.follow(record)?;
        }
        self.view_mut().follow(&group.records, &committer.durable);
        if group.records.iter().any(JournalRecord::deletes_topic) {
            self.has_deleted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
