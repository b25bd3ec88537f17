//! What a search may cost, counted while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use storage::memory::{Held, MemoryBudget, MemoryUse};

use crate::QueryError;
use crate::request::Limits;
use crate::stop::Stop;

/// Counts state and buckets against the limits of a search. Clones count together: each thread of
/// a search has one.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    limits: Limits,
    counts: Arc<Counts>,
    stop: Stop,
}

#[derive(Debug)]
struct Counts {
    state_bytes: AtomicUsize,
    buckets: AtomicUsize,
    /// State up to here is counted in the account of the store.
    reserved_bytes: AtomicUsize,
    held: Mutex<Held>,
}

/// Memory of the store is asked for in pieces of this size: state grows by a few bytes at a time.
const RESERVED_BYTES: usize = 1 << 20;

impl Budget {
    /// A search within `limits` that takes at most its share of `memory`.
    pub(crate) fn new(limits: Limits, memory: &Arc<MemoryBudget>) -> Self {
        let share = memory.share_bytes(MemoryUse::Searches);
        let held = Held::none(Arc::clone(memory), MemoryUse::Searches);
        Self {
            limits: Limits {
                state_bytes_max: limits.state_bytes_max.min(share),
                ..limits
            },
            counts: Arc::new(Counts {
                state_bytes: AtomicUsize::new(0),
                buckets: AtomicUsize::new(0),
                reserved_bytes: AtomicUsize::new(0),
                held: Mutex::new(held),
            }),
            stop: Stop::default(),
        }
    }

    /// The same for a search that ends once `stop` is set.
    pub(crate) fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// One with the same limits for work whose state outlives the search.
    pub(crate) fn beside(&self, memory: &Arc<MemoryBudget>) -> Self {
        Self::new(self.limits, memory).until(self.stop.clone())
    }

    /// Goes on only while somebody waits for the answer. Asked before each piece of work.
    pub(crate) fn check_stop(&self) -> Result<(), QueryError> {
        self.stop.check()
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
        let after = before.saturating_add(bytes);
        if after > self.limits.state_bytes_max {
            return Err(QueryError::StateTooLarge {
                state_bytes: after,
                state_bytes_max: self.limits.state_bytes_max,
            });
        }
        if after > self.counts.reserved_bytes.load(Ordering::Relaxed) {
            self.reserve(after)?;
        }
        Ok(())
    }

    /// Counts state of `bytes` in the account of the store, and some more for what comes next.
    fn reserve(&self, bytes: usize) -> Result<(), QueryError> {
        let held = &self.counts.held;
        let held = held.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread of the search may have done it.
        if let Some(missing) = bytes.checked_sub(held.bytes()) {
            held.try_grow(missing.next_multiple_of(RESERVED_BYTES))?;
            let reserved = &self.counts.reserved_bytes;
            reserved.store(held.bytes(), Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_count_in_the_store_s_account_and_end_with_it() {
        let memory = MemoryBudget::new(64 << 20);
        let budget = Budget::new(Limits::default(), &memory);
        assert_eq!(budget.limits().state_bytes_max, 32 << 20);
        budget.charge(1).expect("there is room");
        assert_eq!(memory.used_bytes_for(MemoryUse::Searches), 1 << 20);
        budget.clone().charge(2 << 20).expect("there is room");
        assert_eq!(memory.used_bytes_for(MemoryUse::Searches), 3 << 20);
        let rows = memory.hold(MemoryUse::ActiveRows, 60 << 20);
        let error = budget.charge(2 << 20).expect_err("rows do not give way");
        assert!(matches!(error, QueryError::Memory(_)), "{error}");
        drop(rows);
        let error = budget.charge(40 << 20).expect_err("more than its share");
        assert!(matches!(error, QueryError::StateTooLarge { .. }), "{error}");
        drop(budget);
        assert_eq!(memory.used_bytes(), 0);
    }
}
