//! Waking threads, and telling them to end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bell that is heard even when it rings before anybody waits.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct State {
    has_rung: bool,
    must_stop: bool,
}

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// By the bell or by time: go on.
    Work,
    /// To end.
    Stop,
}

impl Wake {
    /// Rings the bell.
    pub(crate) fn ring(&self) {
        self.lock().has_rung = true;
        self.rung.notify_all();
    }

    /// Ends every wait, now and later.
    pub(super) fn stop(&self) {
        self.lock().must_stop = true;
        self.rung.notify_all();
    }

    /// Waits for the bell, at most for `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Woken {
        let idle = |state: &mut State| !state.has_rung && !state.must_stop;
        let waited = self.rung.wait_timeout_while(self.lock(), timeout, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_rung = false;
        if state.must_stop {
            Woken::Stop
        } else {
            Woken::Work
        }
    }

    /// Whether the thread must end.
    pub(super) fn must_stop(&self) -> bool {
        self.lock().must_stop
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
