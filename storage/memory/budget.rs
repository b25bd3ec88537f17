//! The account: who holds how much, and who gives way.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use thiserror::Error;

use super::Held;

/// What a store may hold in memory unless options say otherwise. The process needs some more: its
/// code, its threads, buffers of connections, and what the allocator cannot give back.
pub const MEMORY_BYTES: usize = 256 << 20;

/// Active rows of all topics may take one part in so many.
const ACTIVE_PART: usize = 2;

/// One search may take one part in so many.
const QUERY_PART: usize = 2;

/// What is open of segments may take one part in so many, pages of theirs as much.
const CACHE_PART: usize = 4;

/// What memory is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemoryUse {
    /// Rows that are in no segment yet.
    ActiveRows,
    /// Records that wait for a commit.
    Waiting,
    /// Footers, headers, dictionaries and cells of open segments.
    Segments,
    /// Pages of segments.
    Pages,
    /// Maps from the codes of segments to common ordinals.
    Ordinals,
    /// Cells folded over time.
    Totals,
    /// State of running searches.
    Searches,
    /// Merges under way.
    Merges,
}

impl MemoryUse {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ActiveRows,
        Self::Waiting,
        Self::Segments,
        Self::Pages,
        Self::Ordinals,
        Self::Totals,
        Self::Searches,
        Self::Merges,
    ];

    /// How it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveRows => "active_rows",
            Self::Waiting => "waiting",
            Self::Segments => "segments",
            Self::Pages => "pages",
            Self::Ordinals => "ordinals",
            Self::Totals => "totals",
            Self::Searches => "searches",
            Self::Merges => "merges",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// A search wanted more than there is, after all caches had given way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{wanted_bytes} bytes are needed beside the {used_bytes} in use, and the limit is \
     {limit_bytes}; ask for less, or raise memory_bytes"
)]
pub struct MemoryError {
    /// What was asked for.
    pub wanted_bytes: usize,
    /// What is in use.
    pub used_bytes: usize,
    /// The limit.
    pub limit_bytes: usize,
}

/// Something that can be made again, and so gives way to what cannot.
///
/// It is called by whoever needs room, on their thread. It must not ask the budget for memory then,
/// and whoever holds a lock that it takes must not either.
pub trait GivesWay: Send + Sync {
    /// Lets go of about `bytes`, of what was used longest ago. Says how many it was.
    fn give_way(&self, bytes: usize) -> usize;
}

/// What a store may hold in memory, and what it does hold.
pub struct MemoryBudget {
    limit_bytes: usize,
    total: AtomicUsize,
    uses: [AtomicUsize; MemoryUse::ALL.len()],
    caches: Mutex<Vec<Weak<dyn GivesWay>>>,
}

impl MemoryBudget {
    /// An account of at most `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes,
            total: AtomicUsize::new(0),
            uses: Default::default(),
            caches: Mutex::default(),
        })
    }

    /// An account that refuses nothing, for what is read once and alone.
    #[must_use]
    pub fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX)
    }

    /// From now on `cache` is asked when there is too little, after those that were added before.
    pub fn add_cache(&self, cache: Weak<dyn GivesWay>) {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.retain(|known| known.strong_count() > 0);
        caches.push(cache);
    }

    /// Counts `bytes` that are there already. Where that is too much, caches give way.
    #[must_use]
    pub fn hold(self: &Arc<Self>, memory_use: MemoryUse, bytes: usize) -> Held {
        let held = Held::none(Arc::clone(self), memory_use);
        held.grow(bytes);
        held
    }

    /// Counts `bytes` that are about to be taken.
    ///
    /// # Errors
    /// When there is no room for them, though caches gave way.
    pub fn try_hold(
        self: &Arc<Self>,
        memory_use: MemoryUse,
        bytes: usize,
    ) -> Result<Held, MemoryError> {
        let held = Held::none(Arc::clone(self), memory_use);
        held.try_grow(bytes)?;
        Ok(held)
    }

    /// Counts `bytes` for a cache, if there is room as it is: no cache pushes out another.
    #[must_use]
    pub fn hold_if_room(self: &Arc<Self>, memory_use: MemoryUse, bytes: usize) -> Option<Held> {
        let held = Held::none(Arc::clone(self), memory_use);
        held.grow_if_room(bytes).then_some(held)
    }

    /// Most bytes of all uses together.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Bytes that `memory_use` may take at most; all together may not all take that much.
    #[must_use]
    pub fn share_bytes(&self, memory_use: MemoryUse) -> usize {
        match memory_use {
            MemoryUse::ActiveRows => self.limit_bytes / ACTIVE_PART,
            MemoryUse::Searches => self.limit_bytes / QUERY_PART,
            MemoryUse::Segments | MemoryUse::Pages => self.limit_bytes / CACHE_PART,
            MemoryUse::Ordinals | MemoryUse::Totals => self.limit_bytes / CACHE_PART,
            MemoryUse::Waiting | MemoryUse::Merges => self.limit_bytes,
        }
    }

    /// Bytes in use.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes that `memory_use` takes.
    #[must_use]
    pub fn used_bytes_for(&self, memory_use: MemoryUse) -> usize {
        self.uses[memory_use.index()].load(Ordering::Relaxed)
    }

    /// Whether `memory_use` has its share, or everything is taken: then more of it has to wait.
    #[must_use]
    pub fn is_full(&self, memory_use: MemoryUse) -> bool {
        self.used_bytes_for(memory_use) >= self.share_bytes(memory_use)
            || self.used_bytes() >= self.limit_bytes
    }

    /// Counts `bytes` whatever the limit says; caches give way.
    pub(super) fn add(&self, memory_use: MemoryUse, bytes: usize) {
        let used = self.count(memory_use, bytes);
        if used > self.limit_bytes {
            self.make_room(used - self.limit_bytes);
        }
    }

    /// Counts `bytes` unless that is too much.
    pub(super) fn try_add(&self, memory_use: MemoryUse, bytes: usize) -> Result<(), MemoryError> {
        let used = self.count(memory_use, bytes);
        if used <= self.limit_bytes {
            return Ok(());
        }
        self.make_room(used - self.limit_bytes);
        let used = self.used_bytes();
        if used <= self.limit_bytes {
            return Ok(());
        }
        self.remove(memory_use, bytes);
        Err(MemoryError {
            wanted_bytes: bytes,
            used_bytes: used.saturating_sub(bytes),
            limit_bytes: self.limit_bytes,
        })
    }

    /// Counts `bytes` if that is not too much as it is.
    pub(super) fn add_if_room(&self, memory_use: MemoryUse, bytes: usize) -> bool {
        let fits = self.count(memory_use, bytes) <= self.limit_bytes;
        if !fits {
            self.remove(memory_use, bytes);
        }
        fits
    }

    pub(super) fn remove(&self, memory_use: MemoryUse, bytes: usize) {
        self.uses[memory_use.index()].fetch_sub(bytes, Ordering::Relaxed);
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn count(&self, memory_use: MemoryUse, bytes: usize) -> usize {
        self.uses[memory_use.index()].fetch_add(bytes, Ordering::Relaxed);
        self.total
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
    }

    /// Asks caches to let go of `bytes`, one after the other.
    fn make_room(&self, bytes: usize) {
        let caches = {
            let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
            caches.clone()
        };
        let mut missing = bytes;
        for cache in caches.iter().filter_map(Weak::upgrade) {
            missing = missing.saturating_sub(cache.give_way(missing));
            if missing == 0 {
                return;
            }
        }
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("MemoryBudget");
        shown.field("limit_bytes", &self.limit_bytes);
        for memory_use in MemoryUse::ALL {
            shown.field(memory_use.name(), &self.used_bytes_for(memory_use));
        }
        shown.finish_non_exhaustive()
    }
}
