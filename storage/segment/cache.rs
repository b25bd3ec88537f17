//! Pages that were read lately, shared by all segments of a store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a cache keeps unless its maker says otherwise.
pub const PAGE_CACHE_BYTES: usize = 64 << 20;

/// Parts with a lock of their own, so that scans on several threads seldom meet.
const SHARDS: usize = 16;

/// Decoded pages in memory up to a bound; the one that was used longest ago goes first.
#[derive(Debug)]
pub struct PageCache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes_max: usize,
    owners: AtomicU64,
}

/// A page of an owner, which is a number that the cache gave to an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageKey {
    pub(super) owner: u64,
    pub(super) page: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// Newest use first.
    pages: VecDeque<(PageKey, Arc<Vec<u8>>)>,
    bytes: usize,
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
        let place = shard.pages.iter().position(|(known, _)| *known == key)?;
        if place > 0 {
            let entry = shard.pages.remove(place)?;
            shard.pages.push_front(entry);
        }
        shard.pages.front().map(|(_, page)| page.clone())
    }

    /// Keeps `page`, unless it is larger than a whole shard.
    pub(super) fn insert(&self, key: PageKey, page: &Arc<Vec<u8>>) {
        if page.len() > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(key);
        if shard.pages.iter().any(|(known, _)| *known == key) {
            return;
        }
        shard.bytes += page.len();
        shard.pages.push_front((key, page.clone()));
        while shard.bytes > self.shard_bytes_max {
            let Some((_, oldest)) = shard.pages.pop_back() else {
                break;
            };
            shard.bytes -= oldest.len();
        }
    }

    /// Drops the pages of a file that is closed.
    pub(super) fn forget(&self, owner: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.pages.retain(|(key, _)| key.owner != owner);
            shard.bytes = shard.pages.iter().map(|(_, page)| page.len()).sum();
        }
    }

    fn shard(&self, key: PageKey) -> std::sync::MutexGuard<'_, Shard> {
        // Fibonacci hashing: neighbouring pages of a file go to different shards.
        let mixed = (key.owner << 32 ^ key.page as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let index = (mixed >> 60) as usize;
        // A panic elsewhere leaves at worst a page too few.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const _: () = assert!(
    SHARDS == 1 << 4,
    "the top four bits of the hash choose a shard"
);
