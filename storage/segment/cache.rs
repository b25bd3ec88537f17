//! Pages that were read lately, shared by all segments of a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

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
    /// A cache of at most `bytes_max`.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            shards: Default::default(),
            shard_bytes_max: bytes_max / SHARDS,
            owners: AtomicU64::new(0),
        }
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

    /// Keeps `page`, unless it is larger than a whole shard.
    pub(super) fn insert(&self, key: PageKey, page: &Arc<Vec<u8>>) {
        let bytes = page.len() + ENTRY_BYTES;
        if bytes > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(key);
        shard.uses += 1;
        let entry = Entry {
            page: page.clone(),
            last_use: shard.uses,
        };
        if shard.pages.insert(key, entry).is_none() {
            shard.bytes += bytes;
        }
        if shard.bytes > self.shard_bytes_max {
            shard.shrink(self.shard_bytes_max);
        }
    }

    /// Keeps `page` where there is room; a full cache takes one page in some. A scan of more pages
    /// than fit would otherwise push each one out before it is read again.
    pub(super) fn offer(&self, key: PageKey, page: &Arc<Vec<u8>>) {
        let mut shard = self.shard(key);
        if shard.bytes + page.len() + ENTRY_BYTES > self.shard_bytes_max {
            shard.offers += 1;
            if !shard.offers.is_multiple_of(OFFERS_TAKEN) {
                return;
            }
        }
        drop(shard);
        self.insert(key, page);
    }

    /// Drops the pages of a file that is closed.
    pub(super) fn forget(&self, owner: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.pages.retain(|key, _| key.owner != owner);
            shard.recount();
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

impl Shard {
    /// Drops the pages that were used longest ago until a quarter is free, so that the search for
    /// them is paid for by many pages to come.
    fn shrink(&mut self, bytes_max: usize) {
        let mut by_use: Vec<(u64, PageKey)> = self
            .pages
            .iter()
            .map(|(key, entry)| (entry.last_use, *key))
            .collect();
        by_use.sort_unstable_by_key(|(last_use, _)| *last_use);
        for (_, key) in by_use {
            if self.bytes <= bytes_max / 4 * 3 {
                break;
            }
            if let Some(entry) = self.pages.remove(&key) {
                self.bytes -= entry.page.len() + ENTRY_BYTES;
            }
        }
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
