//! How a store behaves.

use crate::log::{GROUP_BYTES_MAX, JournalOptions, LogOptions};
use crate::memory::MEMORY_BYTES;
use crate::segment::{PAGE_CACHE_BYTES, SegmentOptions};

/// Bytes of staged records that may wait for a commit, unless options say otherwise.
pub const STAGED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most bytes that options may let wait. With the head of each batch they must fit one group of
/// the journal.
pub(super) const STAGED_BYTES_LIMIT: usize = 128 * 1024 * 1024;

/// Bytes that one edit may take.
pub const EDIT_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(STAGED_BYTES_MAX <= STAGED_BYTES_LIMIT);
// The smallest batch is more than twice as long as what the journal adds to it.
const _: () = assert!(STAGED_BYTES_LIMIT / 2 * 3 + EDIT_BYTES_MAX < GROUP_BYTES_MAX);

/// Bytes of journal after which a checkpoint is due, unless options say otherwise.
pub const CHECKPOINT_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of the disk that writes leave free, unless options say otherwise.
pub const DISK_RESERVE_BYTES: u64 = 256 * 1024 * 1024;

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The identity of the store if it is made now; an existing one keeps its own. Random.
    pub store_uuid: [u8; 16],
    /// Staged bytes beyond which staging first commits. No single batch may be larger.
    pub staged_bytes_max: usize,
    /// Bytes of journal after which [`super::Store::is_checkpoint_due`].
    pub checkpoint_journal_bytes: u64,
    /// Bytes of the disk that must be free for a write to be taken: more than all that may be
    /// staged takes in journal and log together.
    pub disk_reserve_bytes: u64,
    /// How the journal uses its files.
    pub journal: JournalOptions,
    /// How partition logs use theirs.
    pub log: LogOptions,
    /// How segments are written.
    pub segment: SegmentOptions,
    /// Bytes that the store and searches over it may keep in memory, all uses together.
    pub memory_bytes: usize,
    /// Bytes of pages that all segments together keep in memory at most, of those.
    pub page_cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            store_uuid: [0; 16],
            staged_bytes_max: STAGED_BYTES_MAX,
            checkpoint_journal_bytes: CHECKPOINT_JOURNAL_BYTES,
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            journal: JournalOptions::default(),
            log: LogOptions::default(),
            segment: SegmentOptions::default(),
            memory_bytes: MEMORY_BYTES,
            page_cache_bytes: PAGE_CACHE_BYTES,
        }
    }
}
