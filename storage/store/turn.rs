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
    /// Everything up to here is durable or was refused.
    settled: Lsn,
    /// What was refused: first and last of each run, ascending.
    refused: Vec<(Lsn, Lsn)>,
}

/// Runs that are remembered one by one. Beyond, the oldest two become one: what lay between them
/// counts as refused for who asks so late.
const REFUSED_RUNS_MAX: usize = 1 << 16;

/// What became of a staged change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for a commit.
    Waiting,
    /// It is durable.
    Durable,
    /// The disk had no room: it never was and never will be.
    Refused,
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
    /// There was no room for it.
    Refused,
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

    /// The turn, unless somebody commits.
    pub(super) fn take_if_free(&self) -> Result<Option<Turn<'_>>, StoreError> {
        let mut state = self.lock();
        self.check()?;
        if state.is_taken {
            return Ok(None);
        }
        state.is_taken = true;
        Ok(Some(Turn { turns: self }))
    }

    /// Waits until `lsn` is durable, or the caller may make it so.
    pub(super) fn take_or_durable(&self, lsn: Lsn) -> Result<Waited<'_>, StoreError> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.is_taken && state.settled < lsn)
            .expect(NEVER_POISONED);
        match state.outcome(lsn) {
            Outcome::Durable => return Ok(Waited::Durable),
            Outcome::Refused => return Ok(Waited::Refused),
            Outcome::Waiting => {}
        }
        self.check()?;
        state.is_taken = true;
        Ok(Waited::Turn(Turn { turns: self }))
    }

    /// Everything up to there is durable or was refused.
    pub(super) fn settled(&self) -> Lsn {
        self.lock().settled
    }

    /// What became of `lsn`.
    pub(super) fn outcome(&self, lsn: Lsn) -> Outcome {
        self.lock().outcome(lsn)
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

impl TurnState {
    fn outcome(&self, lsn: Lsn) -> Outcome {
        if self.settled < lsn {
            return Outcome::Waiting;
        }
        let after = self.refused.partition_point(|(first, _)| *first <= lsn);
        match after.checked_sub(1).map(|run| self.refused[run]) {
            Some((_, last)) if lsn <= last => Outcome::Refused,
            Some(_) | None => Outcome::Durable,
        }
    }
}

impl Turn<'_> {
    /// Everything staged up to `lsn` is settled: durable, but for what was refused.
    pub(super) fn advance(&self, lsn: Lsn) {
        self.turns.lock().settled = lsn;
    }

    /// Nothing staged from `first` to `last` will ever be durable.
    pub(super) fn refuse(&self, first: Lsn, last: Lsn) {
        let mut state = self.turns.lock();
        state.refused.push((first, last));
        if state.refused.len() > REFUSED_RUNS_MAX {
            let (first, _) = state.refused.remove(0);
            state.refused[0].0 = first;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_stays_so_whatever_is_settled_later() {
        let turns = Turns::default();
        let turn = turns.take().expect("it works");
        turn.advance(Lsn(3));
        turn.refuse(Lsn(4), Lsn(6));
        turn.advance(Lsn(7));
        turn.refuse(Lsn(8), Lsn(8));
        turn.advance(Lsn(9));
        turn.advance(Lsn(12));
        drop(turn);
        let refused: Vec<u64> = (0..14)
            .filter(|lsn| turns.outcome(Lsn(*lsn)) == Outcome::Refused)
            .collect();
        assert_eq!(refused, [4, 5, 6, 8]);
        assert_eq!(turns.outcome(Lsn(12)), Outcome::Durable);
        assert_eq!(turns.outcome(Lsn(13)), Outcome::Waiting);
    }

    #[test]
    fn runs_are_bounded_and_never_forgotten() {
        let turns = Turns::default();
        let turn = turns.take().expect("it works");
        let count = REFUSED_RUNS_MAX as u64 + 10;
        for run in 0..count {
            turn.refuse(Lsn(2 * run + 1), Lsn(2 * run + 1));
            turn.advance(Lsn(2 * run + 2));
        }
        drop(turn);
        assert!(turns.lock().refused.len() <= REFUSED_RUNS_MAX);
        assert!((0..count).all(|run| turns.outcome(Lsn(2 * run + 1)) == Outcome::Refused));
        assert_eq!(turns.outcome(Lsn(2 * count)), Outcome::Durable);
    }
}
