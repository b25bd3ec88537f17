//! What a search may cost, counted while it runs.

use crate::QueryError;
use crate::request::Limits;

/// Counts state and buckets against the limits of a search.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    state_bytes: usize,
    bucket_count: usize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state_bytes: 0,
            bucket_count: 0,
        }
    }

    /// Counts `bytes` of state that is about to be made.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), QueryError> {
        self.state_bytes = self.state_bytes.saturating_add(bytes);
        if self.state_bytes > self.limits.state_bytes_max {
            return Err(QueryError::StateTooLarge {
                state_bytes_max: self.limits.state_bytes_max,
            });
        }
        Ok(())
    }

    /// Counts state of `before` bytes that has `after` bytes by now.
    pub(crate) fn resize(&mut self, before: usize, after: usize) -> Result<(), QueryError> {
        self.release(before);
        self.charge(after)
    }

    /// Bytes of state that exist.
    pub(crate) fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// Takes back what was charged for state that is gone.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.state_bytes = self.state_bytes.saturating_sub(bytes);
    }

    /// Counts `count` buckets of the answer.
    pub(crate) fn add_buckets(&mut self, count: usize) -> Result<(), QueryError> {
        self.bucket_count = self.bucket_count.saturating_add(count);
        self.check_buckets(self.bucket_count)
    }

    /// Refuses an answer that has `count` buckets besides those that were counted.
    pub(crate) fn check_more_buckets(&self, count: usize) -> Result<(), QueryError> {
        self.check_buckets(self.bucket_count.saturating_add(count))
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
