//! Memory that somebody holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{MemoryBudget, MemoryError, MemoryUse};

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<MemoryBudget>,
    memory_use: MemoryUse,
    bytes: AtomicUsize,
}

impl Held {
    /// Nothing yet.
    #[must_use]
    pub fn none(budget: Arc<MemoryBudget>, memory_use: MemoryUse) -> Self {
        Self {
            budget,
            memory_use,
            bytes: AtomicUsize::new(0),
        }
    }

    /// How many bytes it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more that are there already.
    pub fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.budget.add(self.memory_use, bytes);
    }

    /// Counts `bytes` more that are about to be taken.
    ///
    /// # Errors
    /// When there is no room for them, though caches gave way.
    pub fn try_grow(&self, bytes: usize) -> Result<(), MemoryError> {
        self.budget.try_add(self.memory_use, bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Counts `bytes` more if there is room as it is.
    pub fn grow_if_room(&self, bytes: usize) -> bool {
        let fits = self.budget.add_if_room(self.memory_use, bytes);
        if fits {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Counts `bytes` less.
    ///
    /// # Panics
    /// When it is not that much.
    pub fn shrink(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        assert!(before >= bytes, "nobody lets go of more than they hold");
        self.budget.remove(self.memory_use, bytes);
    }

    /// All of it, as a value of its own; this one goes on with nothing.
    #[must_use]
    pub fn take(&self) -> Self {
        Self {
            budget: Arc::clone(&self.budget),
            memory_use: self.memory_use,
            bytes: AtomicUsize::new(self.bytes.swap(0, Ordering::Relaxed)),
        }
    }

    /// The account that it is counted in.
    #[must_use]
    pub fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.remove(self.memory_use, *self.bytes.get_mut());
    }
}
