//! Opening: the state of the last checkpoint, then the journal.
//!
//! 1. Read the checkpoint.
//! 2. Open each partition's files, cut at the end that the checkpoint names.
//! 3. Follow the journal from the position that the checkpoint covers, as commits did.
//! 4. Write a checkpoint: what was read back may never have been synced. The epoch grows if the
//!    last process did not close the store.
//! 5. Remove segment files that no edit names, and files of topics that are gone.
//!
//! Segments are opened when they are first read, so a start takes no longer for many of them.
//!
//! A crash in any step leaves what the next opening needs.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, RwLock, Weak};

use super::checkpoint::Checkpointer;
use super::commit::Committer;
use super::durable::Durable;
use super::files::{open_overlay, remove_unknown_segments};
use super::journal_record::JournalRecord;
use super::options::STAGED_BYTES_LIMIT;
use super::room::Room;
use super::sealed::{SealedPool, SegmentHealth};
use super::staging::{StagedTail, Staging};
use super::turn::Turns;
use super::view::{TopicView, View};
use super::{Store, StoreError, StoreOptions};
use crate::catalog::{Catalog, CatalogError, CheckpointStore, TopicState};
use crate::disk::Disk;
use crate::log::Journal;
use crate::memory::{GivesWay, MemoryBudget, MemoryUse};
use crate::model::LeaderEpoch;
use crate::segment::PageCache;

/// What opening a store found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Whether there was no store before.
    pub is_new: bool,
    /// Whether the last process closed it in good order.
    pub was_closed: bool,
    /// Records of the journal that the checkpoint did not cover.
    pub replayed_records: u64,
    /// Segment files that were written but never committed, or merged away; now removed.
    pub removed_segments: usize,
    /// Segments of the catalog whose file is not there: answers will lack them and say so.
    pub missing_segments: usize,
}

impl Store {
    /// Opens the store on `disk`, or makes it there.
    ///
    /// Rows beyond the segments must be made again: decode each partition from
    /// [`Store::materialized`] on.
    ///
    /// # Errors
    /// When files cannot be read or are damaged where no crash damages them. The message says
    /// what to do; nothing is removed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        checkpoint: Box<dyn CheckpointStore>,
        mut options: StoreOptions,
        now_ms: i64,
    ) -> Result<(Self, Recovery), StoreError> {
        options.staged_bytes_max = options.staged_bytes_max.min(STAGED_BYTES_LIMIT);
        let checkpointer = Checkpointer::load(checkpoint)?;
        let head = checkpointer.head()?;
        let mut recovery = Recovery {
            is_new: head.is_none(),
            was_closed: head.as_ref().is_some_and(|head| head.is_closed),
            ..Recovery::default()
        };
        let epoch = match &head {
            None => LeaderEpoch::default(),
            Some(head) if head.is_closed => head.epoch,
            Some(head) => LeaderEpoch(head.epoch.0 + 1),
        };
        let mut durable = restore(&disk, &checkpointer, &options)?;
        let journal = replay(&disk, &checkpointer, &options, &mut durable, &mut recovery)?;
        durable.check_ends()?;
        durable.expire_producers(now_ms);

        let memory = MemoryBudget::new(options.memory_bytes);
        let mut view = View::new(&durable, sealed_pool(&disk, &options, &memory));
        for state in durable.catalog.topics() {
            let view = view.topics.get_mut(&state.topic.id);
            open_overlays(
                &disk,
                state,
                view.expect("the view has the catalog's topics"),
            )?;
        }
        let (journal_end, checkpointed) = (journal.end(), checkpointer.position());
        let groups = Arc::clone(&durable.groups);
        let transactions = Arc::clone(&durable.transactions);
        let staging = Staging::new(
            Arc::clone(&durable.catalog),
            durable.tails(),
            durable.transactions(),
            &memory,
        );
        let store = Self {
            groups,
            transactions,
            staging: Mutex::new(staging),
            committer: Mutex::new(Committer { journal, durable }),
            view: RwLock::new(view),
            room: Room::default(),
            refusals: AtomicU64::new(0),
            checkpointer: Mutex::new(checkpointer),
            journal_end: AtomicU64::new(journal_end.0),
            checkpointed: AtomicU64::new(checkpointed.0),
            has_deleted: AtomicBool::new(false),
            turns: Turns::default(),
            staged: Condvar::new(),
            committers_coming: AtomicUsize::new(0),
            callbacks: RwLock::default(),
            disk,
            options,
            memory,
            epoch,
        };
        store.tidy_up(&mut recovery)?;
        Ok((store, recovery))
    }

    /// What is left to be done when everything is known.
    fn tidy_up(&self, recovery: &mut Recovery) -> Result<(), StoreError> {
        // Writes look at what is free from the first one on.
        let _ = self.check_room();
        self.checkpoint()?;
        let tidied = remove_unknown_segments(&*self.disk, &self.catalog())?;
        recovery.removed_segments = tidied.removed;
        recovery.missing_segments = tidied.missing;
        Ok(())
    }
}

/// What opens segments. Pages give way first, then what is open of segments that nobody reads.
fn sealed_pool(
    disk: &Arc<dyn Disk>,
    options: &StoreOptions,
    memory: &Arc<MemoryBudget>,
) -> Arc<SealedPool> {
    let pages_bytes = options
        .page_cache_bytes
        .min(memory.share_bytes(MemoryUse::Pages));
    let pages = Arc::new(PageCache::within(pages_bytes, Arc::clone(memory)));
    let pool = SealedPool::new(Arc::clone(disk), Arc::clone(&pages), Arc::clone(memory));
    let caches: [Weak<dyn GivesWay>; 2] = [Arc::downgrade(&pages) as _, Arc::downgrade(&pool) as _];
    for cache in caches {
        memory.add_cache(cache);
    }
    pool
}

/// The state at the last checkpoint.
fn restore(
    disk: &Arc<dyn Disk>,
    checkpointer: &Checkpointer,
    options: &StoreOptions,
) -> Result<Durable, StoreError> {
    let catalog = checkpointer.catalog()?;
    let catalog = catalog.unwrap_or_else(|| Catalog::new(options.store_uuid));
    let mut durable = Durable::new(
        Arc::clone(disk),
        options.log,
        catalog,
        checkpointer.groups()?,
        checkpointer.transactions()?,
    );
    let topics = Arc::clone(&durable.catalog);
    for partition in topics.topics().flat_map(|state| state.topic.partitions()) {
        let Some(entry) = checkpointer.partition(partition)? else {
            return Err(
                CatalogError::Damaged(format!("no entry for partition {partition}")).into(),
            );
        };
        let tail = StagedTail {
            next: entry.next,
            producers: entry.producers,
            epochs: entry.epochs,
            open: entry.open.into_iter().collect(),
        };
        let aborted = Arc::unwrap_or_clone(entry.aborted);
        durable.open_log(partition, &entry.end, tail, aborted)?;
    }
    Ok(durable)
}

/// Follows what the journal has beyond the checkpoint.
fn replay(
    disk: &Arc<dyn Disk>,
    checkpointer: &Checkpointer,
    options: &StoreOptions,
    durable: &mut Durable,
    recovery: &mut Recovery,
) -> Result<Journal, StoreError> {
    let from = checkpointer.position();
    let (journal, payloads) = Journal::open(Arc::clone(disk), from, options.journal)?;
    for payload in payloads {
        let (position, payload) = payload?;
        let record = JournalRecord::decode(payload)
            .map_err(|source| StoreError::JournalRecord { position, source })?;
        durable.follow(&record)?;
        recovery.replayed_records += 1;
    }
    Ok(journal)
}

/// Opens what the catalog knows of deleted rows. A segment whose overlay is damaged cannot answer:
/// nobody knows which of its rows count.
fn open_overlays(
    disk: &Arc<dyn Disk>,
    state: &TopicState,
    view: &mut TopicView,
) -> Result<(), StoreError> {
    for (meta, segment) in state.segments.iter().zip(view.segments.iter()) {
        match open_overlay(disk, state.topic.id, meta) {
            Ok(None) => {}
            Ok(Some(overlay)) => {
                view.deleted.insert(meta.id, Arc::clone(overlay.deleted()));
                view.overlays.insert(meta.id, overlay);
            }
            Err(error) if error.is_damage() => {
                segment.set_health(&SegmentHealth::Damaged(error.to_string().into()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
