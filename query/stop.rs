//! The wish that a search ends before its end.

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::QueryError;

/// Says whether anybody still waits for an answer. Clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    is_set: AtomicBool,
    /// How often [`Stop::check`] was asked, and the question at which the wish comes up by itself.
    #[cfg(test)]
    checks: (AtomicUsize, Option<usize>),
}

impl Stop {
    /// Nobody waits any more.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Relaxed)
    }

    /// Goes on only while somebody waits.
    ///
    /// # Errors
    /// [`QueryError::Stopped`] once nobody does.
    pub fn check(&self) -> Result<(), QueryError> {
        #[cfg(test)]
        {
            let (checks, last) = &self.0.checks;
            if Some(checks.fetch_add(1, Ordering::Relaxed)) == *last {
                self.set();
            }
        }
        match self.is_set() {
            true => Err(QueryError::Stopped),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
impl Stop {
    /// One that is set when it is asked for the time after `checks` others.
    pub(crate) fn after(checks: usize) -> Self {
        Self(Arc::new(Wish {
            checks: (AtomicUsize::new(0), Some(checks)),
            ..Wish::default()
        }))
    }

    /// How often it was asked.
    pub(crate) fn checks(&self) -> usize {
        self.0.checks.0.load(Ordering::Relaxed)
    }
}

impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
