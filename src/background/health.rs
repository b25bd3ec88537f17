//! Whether the store's unattended work goes on, and why not.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// Set once, by the first failure.
#[derive(Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failure: Option<String>,
    callbacks: Vec<Callback>,
}

type Callback = Box<dyn Fn(&str) + Send + Sync>;

impl Health {
    /// The store has stopped because of `message`. Later failures follow from the first.
    pub(crate) fn fail(&self, message: &str) {
        let callbacks = {
            let mut state = self.lock();
            if state.failure.is_some() {
                return;
            }
            state.failure = Some(message.into());
            std::mem::take(&mut state.callbacks)
        };
        tracing::error!(message, "the store has stopped");
        for callback in callbacks {
            callback(message);
        }
    }

    /// Whether work goes on.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.lock().failure {
            None => Ok(()),
            Some(message) => {
                let text = format!("the store has stopped: {message}");
                Err(Error::new(ErrorKind::Closed, text))
            }
        }
    }

    /// Calls `callback` at the failure, or now when it has happened.
    pub(crate) fn on_failure(&self, callback: Callback) {
        let mut state = self.lock();
        match state.failure.clone() {
            None => state.callbacks.push(callback),
            Some(message) => {
                drop(state);
                callback(&message);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Health")
            .field("failure", &self.lock().failure)
            .finish()
    }
}
