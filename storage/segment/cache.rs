//! Pages that were read lately, shared by all segments of a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use crate::memory::{GivesWay, Held, MemoryBudget, MemoryUse};

/// What a cache keeps unless its maker says otherwise.
pub const PAGE_CACHE_BYTES: usize = 64 << 20;

/// Parts with a lock of their own, so that scans on several threads seldom meet.
const SHARDS: usize = 16;

/// What keeping a page costs besides its bytes, about.
const ENTRY_BYTES: usize = 128;

/// A full cache takes one in so many pages of a scan.
const OFFERS_TAKEN: u64 = 16;

/// Decoded pages in memory up to a bound; those that were used longest ago go first.
#[derive(Debug)]
pub struct PageCache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes_max: usize,
    owners: AtomicU64,
    /// What all pages take together.
    held: Held,
    /// What is open of its segments counts as this.
    open_use: MemoryUse,
}

/// A page of an owner, which is a number that the cache gave to an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    pub(super) owner: u64,
    pub(super) page: usize,
    /// `None` for the page; a vector of it that is kept by itself.
    pub(super) vector: Option<usize>,
}

#[derive(Debug, Default)]
struct Shard {
    pages: FxHashMap<PageKey, Entry>,
    bytes: usize,
    /// Grows with every use.
    uses: u64,
    /// Pages that were offered while there was no room.
    offers: u64,
}

#[derive(Debug)]
struct Entry {
    page: Arc<Vec<u8>>,
    last_use: u64,
}

impl Default for PageCache {
    fn default() -> Self {
        Self::new(PAGE_CACHE_BYTES)
    }
}

impl PageCache {
    /// A cache of at most `bytes_max`, which nobody else counts.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self::within(bytes_max, MemoryBudget::unlimited())
    }

    /// A cache of at most `bytes_max` that takes its memory from `budget`.
    #[must_use]
    pub fn within(bytes_max: usize, budget: Arc<MemoryBudget>) -> Self {
        Self {
            shards: Default::default(),
            shard_bytes_max: bytes_max / SHARDS,
            owners: AtomicU64::new(0),
            held: Held::none(budget, MemoryUse::Pages),
            open_use: MemoryUse::Segments,
        }
    }

    /// A cache for one merge: what it takes from `budget`, and what is open of its segments, counts
    /// as the merge's.
    #[must_use]
    pub fn for_merge(bytes_max: usize, budget: Arc<MemoryBudget>) -> Self {
        Self {
            held: Held::none(Arc::clone(&budget), MemoryUse::Merges),
            open_use: MemoryUse::Merges,
            ..Self::within(bytes_max, budget)
        }
    }

    /// What is open of its segments counts as this.
    pub(super) fn open_use(&self) -> MemoryUse {
        self.open_use
    }

    /// What its pages and all that is open of their segments is counted in.
    pub(super) fn budget(&self) -> &Arc<MemoryBudget> {
        self.held.budget()
    }

    /// A number for a file that is being opened.
    pub(super) fn new_owner(&self) -> u64 {
        self.owners.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: PageKey) -> Option<Arc<Vec<u8>>> {
        let mut shard = self.shard(key);
        shard.uses += 1;
        let now = shard.uses;
        let entry = shard.pages.get_mut(&key)?;
        entry.last_use = now;
        Some(entry.page.clone())
    }

    /// Keeps `page`, unless it is larger than a whole shard, or nobody leaves room for it.
    pub(super) fn insert(&self, key: PageKey, page: &Arc<Vec<u8>>) {
        let bytes = page.len() + ENTRY_BYTES;
        if bytes > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(key);
        if !self.held.grow_if_room(bytes) {
            // Pages that were used longest ago make room for it, if there are some.
            let wanted = bytes.max(shard.bytes / 4);
            self.held.shrink(shard.shrink_by(wanted));
            if !self.held.grow_if_room(bytes) {
                return;
            }
        }
        shard.uses += 1;
        let entry = Entry {
            page: page.clone(),
            last_use: shard.uses,
        };
        shard.bytes += bytes;
        if let Some(before) = shard.pages.insert(key, entry) {
            let before = before.page.len() + ENTRY_BYTES;
            shard.bytes -= before;
            self.held.shrink(before);
        }
        if shard.bytes > self.shard_bytes_max {
            let over = shard.bytes - self.shard_bytes_max / 4 * 3;
            self.held.shrink(shard.shrink_by(over));
        }
    }

    /// Keeps `page` where there is room; a full cache takes one page in some. A scan of more pages
    /// than fit would otherwise push each one out before it is read again.
    pub(super) fn offer(&self, key: PageKey, page: &mut Arc<Vec<u8>>) {
        let mut shard = self.shard(key);
        if shard.bytes + page.len() + ENTRY_BYTES > self.shard_bytes_max {
            shard.offers += 1;
            if !shard.offers.is_multiple_of(OFFERS_TAKEN) {
                return;
            }
        }
        drop(shard);
        if let Some(bytes) = Arc::get_mut(page) {
            // What is counted is the page, not what its reader had to spare.
            bytes.shrink_to_fit();
        }
        self.insert(key, page);
    }

    /// Drops the pages of a file that is closed.
    pub(super) fn forget(&self, owner: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let before = shard.bytes;
            shard.pages.retain(|key, _| key.owner != owner);
            shard.recount();
            self.held.shrink(before - shard.bytes);
        }
    }

    fn shard(&self, key: PageKey) -> MutexGuard<'_, Shard> {
        // Fibonacci hashing: neighbouring pages of a file go to different shards.
        let vector = key.vector.map_or(0, |vector| vector as u64 + 1);
        let mixed =
            (key.owner << 32 ^ vector << 24 ^ key.page as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        lock(&self.shards[(mixed >> 60) as usize])
    }
}

impl GivesWay for PageCache {
    fn give_way(&self, bytes: usize) -> usize {
        let mut given = 0;
        for shard in &self.shards {
            if given >= bytes {
                break;
            }
            // A little of each, so that what is used in all of them stays.
            let mut shard = lock(shard);
            let wanted = bytes.div_ceil(SHARDS).max(shard.bytes / 4);
            given += shard.shrink_by(wanted);
        }
        self.held.shrink(given);
        given
    }
}

impl Shard {
    /// Drops the pages that were used longest ago until `bytes` are free, if there are so many;
    /// says how many it was. Many at once, so that the search for them is paid for by others.
    fn shrink_by(&mut self, bytes: usize) -> usize {
        let before = self.bytes;
        let mut by_use: Vec<(u64, PageKey)> = self
            .pages
            .iter()
            .map(|(key, entry)| (entry.last_use, *key))
            .collect();
        by_use.sort_unstable_by_key(|(last_use, _)| *last_use);
        for (_, key) in by_use {
            if before - self.bytes >= bytes {
                break;
            }
            if let Some(entry) = self.pages.remove(&key) {
                self.bytes -= entry.page.len() + ENTRY_BYTES;
            }
        }
        before - self.bytes
    }

    fn recount(&mut self) {
        let pages = self.pages.values();
        self.bytes = pages.map(|entry| entry.page.len() + ENTRY_BYTES).sum();
    }
}

/// A panic elsewhere leaves at worst a page too few.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

const _: () = assert!(
    SHARDS == 1 << 4,
    "the top four bits of the hash choose a shard"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_recent_pages_stay() {
        let cache = PageCache::new(SHARDS * 16 * 1024);
        let owner = cache.new_owner();
        let key = |page| PageKey {
            owner,
            page,
            vector: None,
        };
        for page in 0..2_000 {
            cache.insert(key(page), &Arc::new(vec![0; 1_000]));
            assert!(cache.get(key(0)).is_some(), "used all the time");
        }
        let bytes: usize = cache.shards.iter().map(|shard| lock(shard).bytes).sum();
        assert!(bytes <= SHARDS * 16 * 1024);
        assert!(cache.get(key(1)).is_none(), "not used since long");
        assert!(cache.get(key(1_999)).is_some());
        cache.forget(owner);
        assert!(cache.get(key(0)).is_none());
    }

    #[test]
    fn pages_give_way_and_are_counted() {
        let budget = MemoryBudget::new(64 * 1024);
        let cache = PageCache::within(1 << 20, Arc::clone(&budget));
        let owner = cache.new_owner();
        let key = |page| PageKey {
            owner,
            page,
            vector: None,
        };
        let counted = || {
            cache
                .shards
                .iter()
                .map(|shard| lock(shard).bytes)
                .sum::<usize>()
        };
        for page in 0..1_000 {
            cache.insert(key(page), &Arc::new(vec![0; 1_000]));
            assert_eq!(budget.used_bytes_for(MemoryUse::Pages), counted());
            assert!(counted() <= 64 * 1024);
        }
        cache.insert(key(999), &Arc::new(vec![0; 500]));
        let full = counted();
        assert!(full > 32 * 1024, "the cache uses what nobody else wants");
        assert!(cache.give_way(10_000) >= 10_000);
        assert!(counted() <= full - 10_000);
        assert_eq!(budget.used_bytes_for(MemoryUse::Pages), counted());
        cache.give_way(usize::MAX);
        assert_eq!(budget.used_bytes(), counted());
        cache.forget(owner);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_page_larger_than_its_share_is_not_kept() {
        let cache = PageCache::new(SHARDS * 1_000);
        let key = PageKey {
            owner: 1,
            page: 1,
            vector: None,
        };
        cache.insert(key, &Arc::new(vec![0; 1_000]));
        assert!(cache.get(key).is_none());
    }
}
