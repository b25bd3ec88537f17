//! What a search may cost, counted while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::QueryError;
use crate::request::Limits;

/// Counts state and buckets against the limits of a search. Clones count together: each thread of
/// a search has one.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limits: Limits,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    state_bytes: AtomicUsize,
    buckets: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Arc::default(),
        }
    }

    /// The limits that it holds.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts `bytes` of state that is about to be made.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), QueryError> {
        if bytes == 0 {
            return Ok(());
        }
        let before = self.counts.state_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limits.state_bytes_max {
            return Err(QueryError::StateTooLarge {
                state_bytes_max: self.limits.state_bytes_max,
            });
        }
        Ok(())
    }

    /// Counts state of `before` bytes that has `after` bytes by now.
    pub(crate) fn resize(&self, before: usize, after: usize) -> Result<(), QueryError> {
        if before > after {
            self.release(before - after);
            return Ok(());
        }
        self.charge(after - before)
    }

    /// Takes back what was charged for state that is gone.
    pub(crate) fn release(&self, bytes: usize) {
        self.counts.state_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts `count` buckets of the answer.
    pub(crate) fn add_buckets(&self, count: usize) -> Result<(), QueryError> {
        let before = self.counts.buckets.fetch_add(count, Ordering::Relaxed);
        self.check_buckets(before.saturating_add(count))
    }

    /// Refuses an answer that has `count` buckets besides those that were counted.
    pub(crate) fn check_more_buckets(&self, count: usize) -> Result<(), QueryError> {
        let known = self.counts.buckets.load(Ordering::Relaxed);
        self.check_buckets(known.saturating_add(count))
    }

    /// Refuses an answer that has at least `count` buckets if that is too many.
    pub(crate) fn check_buckets(&self, count: usize) -> Result<(), QueryError> {
        if count > self.limits.buckets_max {
            return Err(QueryError::TooManyBuckets {
                buckets_max: self.limits.buckets_max,
            });
        }
        Ok(())
    }
}
