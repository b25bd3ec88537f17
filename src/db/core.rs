//! The store and the steps of its unattended work. Threads that repeat the steps are
//! `background`'s; a caller may take the same steps itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ingest::documents::DocumentWriter;
use ingest::materialize::{Materializer, WorkBudget};
use query::ScanPool;
use storage::memory::MemoryUse;
use storage::model::{Offset, Partition, TopicId};
use storage::store::{ActiveSize, Store, StoreError};

use super::async_searches::AsyncSearches;
use super::contexts::Contexts;
use super::merge::MergeMemory;
use super::scrub::Scrubbing;
use super::tasks::Tasks;
use crate::background::{Health, Threads, Wake};
use crate::elastic::row_retention_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;

/// How long a step of materialization waits for room before it looks again. Seals wake it, so this
/// only bounds what a lost wake-up could cost.
const ROOM_WAIT: Duration = Duration::from_millis(10);

/// What all handles and threads share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<Store>,
    pub(crate) options: Options,
    pub(crate) health: Arc<Health>,
    pub(super) documents: DocumentWriter,
    pub(super) merging: MergeMemory,
    /// Threads of searches, and what searches keep for later ones.
    pub(super) scans: Arc<ScanPool>,
    materializers: Mutex<BTreeMap<TopicId, Arc<Mutex<Materializer>>>>,
    last_checkpoint_ms: Mutex<i64>,
    turns: AtomicU32,
    /// Wakes who seals in the background, if somebody does.
    sealer: OnceLock<Arc<Wake>>,
    /// Seals that were tried; a change of it is news for who waits for room.
    seals: Mutex<u64>,
    sealed: Condvar,
    pub(super) scrubbing: Mutex<Scrubbing>,
    /// Instants that clients come back to.
    pub(super) contexts: Contexts,
    /// Searches that somebody comes back for.
    pub(super) async_searches: AsyncSearches,
    /// Requests under way, and what goes on after its answer.
    pub(super) tasks: Arc<Tasks>,
    /// Held while dead letters are sent once more.
    pub(super) replaying: Mutex<()>,
    /// When logs were last looked through for old records, and for replaced ones.
    upkept: Mutex<Upkept>,
    /// Merges that were carried out.
    pub(super) merges: AtomicU64,
}

/// Time from the start to the first look for what has become too old, as Kafka's
/// `log.initial.task.delay.ms`: clients come back first, and read on.
const UPKEEP_DELAY_MS: i64 = 30 * 1000;

/// When upkeep last did what.
#[derive(Debug, Default)]
struct Upkept {
    /// The first time it was looked at all.
    begun_ms: Option<i64>,
    expired_ms: Option<i64>,
    compacted_ms: Option<i64>,
}

/// Whether a step left work behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All is done for now.
    Idle,
    /// There is more to do.
    More,
}

impl Core {
    pub(super) fn new(store: Arc<Store>, options: Options) -> Result<Self> {
        let now_ms = options.clock.now_ms();
        let scans = ScanPool::new(options.query_threads)?;
        let scans = scans.within(Arc::clone(store.memory()));
        Ok(Self {
            scans: Arc::new(scans),
            store,
            options,
            health: Arc::default(),
            documents: DocumentWriter::new(),
            merging: MergeMemory::default(),
            materializers: Mutex::default(),
            last_checkpoint_ms: Mutex::new(now_ms),
            turns: AtomicU32::new(0),
            sealer: OnceLock::new(),
            seals: Mutex::default(),
            sealed: Condvar::new(),
            scrubbing: Mutex::default(),
            replaying: Mutex::default(),
            upkept: Mutex::default(),
            merges: AtomicU64::new(0),
            contexts: Contexts::default(),
            tasks: Arc::default(),
            async_searches: AsyncSearches::default(),
        })
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.options.clock.now_ms()
    }

    /// A number that is another at each call, for work that goes round.
    pub(super) fn next_turn(&self) -> u32 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes one step of materialization for each topic that is behind its log.
    pub(crate) fn materialize_step(&self) -> Result<Progress> {
        let catalog = self.store.catalog();
        lock(&self.materializers).retain(|topic, _| catalog.topic(*topic).is_some());
        let mut progress = Progress::Idle;
        for state in catalog.topics() {
            let topic = &state.topic;
            let is_behind = topic
                .partitions()
                .any(|partition| self.store.materialized(partition) < self.last_stable(partition));
            if !is_behind {
                continue;
            }
            match self.step(topic.id) {
                Ok(Progress::More) => progress = Progress::More,
                Ok(Progress::Idle) => {}
                // The log waits until there is room to seal what it becomes.
                Err(error) if error.is_disk_full() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(progress)
    }

    /// Makes everything acknowledged so far of `topic` visible, but for what lies in or behind an
    /// open transaction: nobody knows how long that takes.
    pub(crate) fn refresh(&self, topic: TopicId) -> Result<()> {
        // Records acknowledged without waiting for the disk become durable here.
        self.store.commit()?;
        let Some(state) = self.store.catalog().topic(topic).cloned() else {
            return Ok(());
        };
        let targets: Vec<(Partition, Offset)> = state
            .topic
            .partitions()
            .map(|partition| (partition, self.last_stable(partition)))
            .collect();
        loop {
            self.health.check()?;
            let reached = targets
                .iter()
                .all(|(partition, target)| self.store.materialized(*partition) >= *target);
            if reached || self.is_gone(topic) {
                return Ok(());
            }
            self.step(topic)?;
        }
    }

    /// Rings `sealer` whenever a topic has enough rows for a segment.
    pub(crate) fn ring_when_full(&self, sealer: Arc<Wake>) {
        let known = self.sealer.set(sealer);
        known.expect("a store has one set of workers");
    }

    /// Seals all active rows of `topic`.
    pub(crate) fn seal(&self, topic: TopicId) -> Result<()> {
        match self.store.seal(topic) {
            Ok(_) => Ok(()),
            Err(_) if self.is_gone(topic) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Seals the topics whose active rows have reached a limit.
    pub(crate) fn seal_step(&self) -> Result<()> {
        let now_ms = self.now_ms();
        let largest = self.largest_of_too_many();
        for state in self.store.catalog().topics() {
            let size = self.store.active_size(state.topic.id);
            let is_old = size
                .oldest_ms
                .is_some_and(|oldest_ms| now_ms - oldest_ms >= self.options.seal_age_ms);
            if is_old || self.is_full(size) || largest == Some(state.topic.id) {
                match self.seal(state.topic.id) {
                    Ok(()) => {}
                    // Rows stay active until there is room.
                    Err(error) if error.is_disk_full() => return Ok(()),
                    Err(error) => return Err(error),
                }
                tracing::debug!(memory = ?self.store.memory(), "rows were sealed");
                *lock(&self.seals) += 1;
                self.sealed.notify_all();
            }
        }
        Ok(())
    }

    /// Whether so many rows are sealed without delay.
    fn is_full(&self, size: ActiveSize) -> bool {
        size.rows >= self.options.seal_rows || size.bytes >= self.options.seal_bytes
    }

    /// The topic with the most active rows, when those of all topics together take so much memory
    /// that some must be sealed before their time.
    fn largest_of_too_many(&self) -> Option<TopicId> {
        let memory = self.store.memory();
        let used = memory.used_bytes_for(MemoryUse::ActiveRows);
        if used < memory.share_bytes(MemoryUse::ActiveRows) / 2 {
            return None;
        }
        let catalog = self.store.catalog();
        let sizes = catalog.topics().map(|state| {
            let topic = state.topic.id;
            (self.store.active_size(topic).bytes, topic)
        });
        let largest = sizes.filter(|(bytes, _)| *bytes > 0).max();
        largest.map(|(_, topic)| topic)
    }

    /// Returns when `topic` is not full, and all topics together are not. While one set of its rows
    /// is being sealed the next is collected; there is never a third, which bounds memory: the log
    /// waits on the disk.
    fn wait_for_room(&self, topic: TopicId) -> Result<()> {
        loop {
            let is_full = self.is_full(self.store.active_size(topic));
            // Where nothing waits to be sealed, waiting would gain nothing.
            let is_short = self.store.memory().is_full(MemoryUse::ActiveRows)
                && self.largest_of_too_many().is_some();
            if !is_full && !is_short {
                return Ok(());
            }
            self.health.check()?;
            self.store.check_room()?;
            let Some(sealer) = self.sealer.get() else {
                let largest = self.largest_of_too_many();
                return self.seal(largest.unwrap_or(topic));
            };
            let seals = lock(&self.seals);
            sealer.ring();
            let before = *seals;
            let waited = self
                .sealed
                .wait_timeout_while(seals, ROOM_WAIT, |seals| *seals == before);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Makes a checkpoint when one is due.
    pub(crate) fn checkpoint_step(&self) -> Result<()> {
        let now_ms = self.now_ms();
        let since_ms = now_ms - *lock(&self.last_checkpoint_ms);
        if since_ms >= self.options.checkpoint_interval_ms || self.store.is_checkpoint_due() {
            match self.store.checkpoint() {
                Ok(()) => {}
                // The last one still holds, and the journal waits with it.
                Err(error) if error.is_disk_full() => {
                    tracing::warn!(%error, "no room for a checkpoint");
                }
                Err(error) => return Err(error.into()),
            }
            *lock(&self.last_checkpoint_ms) = now_ms;
        }
        Ok(())
    }

    /// Lets go of records and rows that nobody wants any more, where that is due.
    pub(crate) fn upkeep_step(&self) -> Result<()> {
        let now_ms = self.now_ms();
        let is_due = |last: &mut Option<i64>, interval_ms: i64| {
            let is_due = last.is_none_or(|last| now_ms - last >= interval_ms);
            if is_due {
                *last = Some(now_ms);
            }
            is_due
        };
        let (expires, compacts) = {
            let mut upkept = lock(&self.upkept);
            let delay_ms = UPKEEP_DELAY_MS.min(self.options.retention_check_interval_ms);
            if now_ms - *upkept.begun_ms.get_or_insert(now_ms) < delay_ms {
                return Ok(());
            }
            (
                is_due(
                    &mut upkept.expired_ms,
                    self.options.retention_check_interval_ms,
                ),
                is_due(
                    &mut upkept.compacted_ms,
                    self.options.compaction_interval_ms,
                ),
            )
        };
        let done = self.let_go(expires, compacts, now_ms);
        match done {
            Err(error) if error.is_disk_full() => {
                tracing::warn!(%error, "no room to let go of old records");
                Ok(())
            }
            // Damage of one log is told, and leaves the others alone.
            Err(error @ StoreError::Log { .. }) if self.store.check().is_ok() => {
                tracing::error!(%error, "a log cannot be compacted");
                Ok(())
            }
            done => Ok(done?),
        }
    }

    fn let_go(
        &self,
        expires: bool,
        compacts: bool,
        now_ms: i64,
    ) -> std::result::Result<(), StoreError> {
        if expires {
            let logs = self.store.expire_records(now_ms)?;
            if logs > 0 {
                tracing::info!(logs, "old records can be read no more");
            }
            for state in self.store.catalog().topics() {
                let Some(keep_ms) = row_retention_ms(&state.topic.settings) else {
                    continue;
                };
                let before_ms = now_ms.saturating_sub(keep_ms);
                let rows = match self.store.expire_rows(state.topic.id, before_ms) {
                    Err(StoreError::UnknownTopic(_)) => continue,
                    rows => rows?,
                };
                if rows > 0 {
                    let topic = state.topic.name.as_str();
                    tracing::info!(topic, rows, "old rows were dropped");
                }
            }
        }
        while compacts && self.health.check().is_ok() {
            match self.store.compact_one(now_ms)? {
                Some(done) => tracing::info!(
                    records = done.records,
                    bytes = done.bytes,
                    "a log was compacted"
                ),
                None => break,
            }
        }
        Ok(())
    }

    /// Makes what is staged durable, then a checkpoint, and refuses everything from then on.
    pub(super) fn close(&self) -> Result<()> {
        self.health.check()?;
        Ok(self.store.close()?)
    }

    /// One step of materialization of one topic.
    fn step(&self, topic: TopicId) -> Result<Progress> {
        let materializer = Arc::clone(lock(&self.materializers).entry(topic).or_default());
        let budget = WorkBudget {
            bytes_max: self.options.materialize_bytes,
        };
        // Before it makes more of them: no topic may be full twice over.
        self.wait_for_room(topic)?;
        let crew = Threads {
            count: self.options.materialize_threads.get(),
        };
        let now_ms = self.now_ms();
        let outcome = lock(&materializer).run_once(&self.store, topic, budget, &crew, now_ms);
        let progress = match outcome {
            Ok(progress) => progress,
            Err(_) if self.is_gone(topic) => return Ok(Progress::Idle),
            Err(error) => return Err(error.into()),
        };
        if progress.rejected > 0 && self.has_dead_letters(topic) {
            tracing::warn!(
                topic = topic.0,
                records = progress.rejected,
                "records could not become rows; `siltstone dead-letters list` says which and why"
            );
        }
        self.wait_for_room(topic)?;
        Ok(if progress.more {
            Progress::More
        } else {
            Progress::Idle
        })
    }

    /// Whether records of `topic` were buried. One that holds no documents is nobody's concern.
    fn has_dead_letters(&self, topic: TopicId) -> bool {
        let catalog = self.store.catalog();
        let state = catalog.topic(topic);
        state.is_some_and(|state| state.dead_letters.total() > 0)
    }

    fn last_stable(&self, partition: Partition) -> Offset {
        let bounds = self.store.log_bounds(partition);
        bounds.map_or_else(Offset::default, |bounds| bounds.last_stable)
    }

    /// A topic may be deleted while work on it is under way; that is no failure.
    fn is_gone(&self, topic: TopicId) -> bool {
        self.store.catalog().topic(topic).is_none()
    }
}

/// An error for a topic that was deleted meanwhile.
pub(super) fn gone(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("topic '{name}' was deleted"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A step that panicked published nothing; the next one starts from what is published.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
