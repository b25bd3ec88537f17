//! Commit: everything staged becomes durable by one write and one sync, then visible at once.

use std::sync::Arc;
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

/// A promise to commit. Dropped without that, it wakes who commits in a loop.
#[derive(Debug)]
pub struct CommitSoon<'a> {
    store: &'a Store,
}

impl CommitSoon<'_> {
    /// Commits everything staged so far, unless somebody is at it: a thread that commits in a loop
    /// then comes to the rest.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit(self) -> Result<(), StoreError> {
        match self.store.turns.take_if_free()? {
            Some(turn) => self.store.commit_group(turn),
            None => Ok(()),
        }
    }
}

impl Drop for CommitSoon<'_> {
    fn drop(&mut self) {
        self.store.committers_coming.fetch_sub(1, Ordering::SeqCst);
        // Whoever staged while this lived has woken nobody: either it saw the promise, and we see
        // what it staged, or it saw none and woke somebody by itself.
        if !self.store.staging().is_empty() {
            self.store.wake_committer();
        }
    }
}

/// Why a group was not written.
enum Unwritten {
    /// The disk is full, and nothing has changed.
    NoRoom,
    /// Nobody knows what the disk holds.
    InDoubt(StoreError),
}

impl Store {
    /// Makes everything staged so far durable and visible.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] when there is no room: everything staged is refused, and nothing of
    /// it will ever be durable. When the journal or a log cannot be written for another reason, the
    /// store has stopped: nobody knows which of the staged changes the next start will find.
    pub fn commit(&self) -> Result<Lsn, StoreError> {
        let turn = self.turns.take()?;
        self.commit_group(turn)?;
        Ok(self.turns.settled())
    }

    /// Says that the caller will commit what it stages next. Until it has, what is staged wakes
    /// nobody else: that saves two changes of threads for each batch of a client that waits.
    #[must_use]
    pub fn commit_soon(&self) -> CommitSoon<'_> {
        self.committers_coming.fetch_add(1, Ordering::SeqCst);
        CommitSoon { store: self }
    }

    /// Wakes who waits for work, unless somebody has said that he will commit.
    pub(super) fn wake_committer(&self) {
        if self.committers_coming.load(Ordering::SeqCst) == 0 {
            self.staged.notify_all();
        }
    }

    /// Returns when `lsn` is durable. Commits by itself when nobody else does.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] when there is no room: `lsn` will never be durable. When the store
    /// has stopped before: then `lsn` may or may not be durable.
    pub fn wait_durable(&self, lsn: Lsn) -> Result<(), StoreError> {
        loop {
            match self.turns.take_or_durable(lsn)? {
                Waited::Durable => return Ok(()),
                Waited::Refused => return Err(self.disk_full()),
                // Refused or not, the next look says what became of this one.
                Waited::Turn(turn) => match self.commit_group(turn) {
                    Ok(()) | Err(StoreError::DiskFull { .. }) => {}
                    Err(error) => return Err(error),
                },
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
        let committed = self.commit_in(&turn);
        drop(turn);
        if self.check().is_ok() {
            self.call_back();
        }
        committed
    }

    /// Commits everything staged so far in a turn that goes on.
    pub(super) fn commit_in(&self, turn: &Turn<'_>) -> Result<(), StoreError> {
        let group = self.staging().take();
        if group.records.is_empty() {
            return Ok(());
        }
        let encoded: Vec<_> = group.records.iter().map(JournalRecord::encode).collect();
        let reserved = self.reserve_room(&group, &encoded);
        match reserved.and_then(|()| self.write_group(&group, &encoded)) {
            Ok(()) => {}
            Err(Unwritten::NoRoom) => {
                self.refuse(turn, &group);
                return Err(self.ran_out_of_room());
            }
            Err(Unwritten::InDoubt(error)) => return Err(self.stop(error)),
        }
        turn.advance(group.last);
        // Only writes that come from now on are refused.
        let _ = self.check_room();
        Ok(())
    }

    /// Takes back `group`, of which nothing was written, and everything staged since, which builds
    /// on it: whoever waits for it is told that there is no room, and may try again.
    fn refuse(&self, turn: &Turn<'_>, group: &Group) {
        let committer = self.committer();
        let durable = &committer.durable;
        let mut staging = self.staging();
        let (last, settled) = staging.reset(
            Arc::clone(&durable.catalog),
            durable.tails(),
            durable.transactions(),
        );
        self.refusals.fetch_add(1, Ordering::AcqRel);
        turn.refuse(group.first(), last);
        turn.advance(settled);
    }

    /// Makes sure that there is room for `group` everywhere, where it might be short: what has none
    /// must say so before the journal has the group, since nothing takes it back from there.
    fn reserve_room(&self, group: &Group, encoded: &[Vec<u8>]) -> Result<(), Unwritten> {
        if self.room.is_plenty() {
            return Ok(());
        }
        let mut committer = self.committer();
        let journal = committer.journal.reserve(encoded);
        let reserved = journal.map_err(StoreError::from);
        let reserved = reserved.and_then(|()| committer.durable.reserve(&group.records));
        reserved.map_err(|error| match error.is_disk_full() {
            true => Unwritten::NoRoom,
            false => Unwritten::InDoubt(error),
        })
    }

    /// Journal, then partition files and catalog, then the view.
    fn write_group(&self, group: &Group, encoded: &[Vec<u8>]) -> Result<(), Unwritten> {
        let mut committer = self.committer();
        let end = match committer.journal.append(encoded) {
            Ok(end) => end,
            Err(JournalError::Full { .. }) => return Err(Unwritten::NoRoom),
            Err(error) => return Err(Unwritten::InDoubt(error.into())),
        };
        self.journal_end.store(end.0, Ordering::Relaxed);
        for record in &group.records {
            let followed = committer.durable.follow(record);
            followed.map_err(Unwritten::InDoubt)?;
        }
        self.view_mut().follow(&group.records, &committer.durable);
        if group.records.iter().any(JournalRecord::deletes_topic) {
            self.has_deleted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
