//! Whose turn it is to commit, and how far commits have come.
//!
//! One thread commits at a time. Who waits for durability and finds nobody at work does the work
//! itself, for everything staged so far; so a store needs no thread of its own, and gains nothing
//! but latency from one.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};

use super::{Lsn, StoreError};

/// The turn, the durable end of staging, and whether the store still works.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<TurnState>,
    changed: Condvar,
    stopped: OnceLock<StoreError>,
}

#[derive(Debug, Default)]
struct TurnState {
    is_taken: bool,
    durable: Lsn,
}

/// The right to commit; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
}

/// What waiting for an [`Lsn`] came to.
pub(super) enum Waited<'a> {
    /// It is durable.
    Durable,
    /// Nobody is committing: the caller may.
    Turn(Turn<'a>),
}

impl Turns {
    /// Waits until nobody else commits.
    pub(super) fn take(&self) -> Result<Turn<'_>, StoreError> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.is_taken)
            .expect(NEVER_POISONED);
        self.check()?;
        state.is_taken = true;
        Ok(Turn { turns: self })
    }

    /// Waits until `lsn` is durable, or the caller may make it so.
    pub(super) fn take_or_durable(&self, lsn: Lsn) -> Result<Waited<'_>, StoreError> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.is_taken && state.durable < lsn)
            .expect(NEVER_POISONED);
        if state.durable >= lsn {
            return Ok(Waited::Durable);
        }
        self.check()?;
        state.is_taken = true;
        Ok(Waited::Turn(Turn { turns: self }))
    }

    pub(super) fn durable(&self) -> Lsn {
        self.lock().durable
    }

    /// Whether the store still works.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.stopped.get() {
            Some(error) => Err(error.again()),
            None => Ok(()),
        }
    }

    /// No later call does anything; the first reason is the one that counts.
    pub(super) fn stop(&self, reason: StoreError) {
        let _ = self.stopped.set(reason);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().expect(NEVER_POISONED)
    }
}

impl Turn<'_> {
    /// Everything staged up to `lsn` is durable.
    pub(super) fn advance(&self, lsn: Lsn) {
        self.turns.lock().durable = lsn;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Half a commit may be visible: nobody may build on it.
            self.turns
                .stop(StoreError::Stopped("a commit panicked".into()));
        }
        self.turns.lock().is_taken = false;
        self.turns.changed.notify_all();
    }
}

const NEVER_POISONED: &str = "nothing panics while the turn's state is locked";
