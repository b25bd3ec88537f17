//! The store as a value, and the small things that every part of it needs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use super::checkpoint::Checkpointer;
use super::commit::Committer;
use super::room::Room;
use super::staging::Staging;
use super::turn::{Outcome, Turns};
use super::view::View;
use super::{Lsn, StoreError, StoreOptions};
use crate::catalog::Catalog;
use crate::disk::Disk;
use crate::groups::Groups;
use crate::memory::MemoryBudget;
use crate::model::LeaderEpoch;
use crate::transactions::Transactions;

/// Log, segments and catalog of one folder. See the [module](super) for how it works.
///
/// All calls may be made from any thread at any time; those that commit block on the disk.
pub struct Store {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: StoreOptions,
    /// What it keeps in memory.
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) epoch: LeaderEpoch,
    pub(super) checkpointer: Mutex<Checkpointer>,
    pub(super) turns: Turns,
    /// The journal's end, and the position that the last checkpoint covers.
    pub(super) journal_end: AtomicU64,
    pub(super) checkpointed: AtomicU64,
    /// Files of deleted topics wait for the next checkpoint.
    pub(super) has_deleted: AtomicBool,
    /// Used by who has the turn.
    pub(super) committer: Mutex<Committer>,
    pub(super) staging: Mutex<Staging>,
    /// Whether the disk has room for writes.
    pub(super) room: Room,
    /// Grows whenever staged changes are refused.
    pub(super) refusals: AtomicU64,
    /// Something was staged, or the store has stopped.
    pub(super) staged: Condvar,
    /// How many have said that they will commit what they stage.
    pub(super) committers_coming: AtomicUsize,
    pub(super) view: RwLock<View>,
    /// Changed by who has the turn.
    pub(super) groups: Arc<RwLock<Groups>>,
    /// Changed by who has the turn.
    pub(super) transactions: Arc<RwLock<Transactions>>,
    pub(super) callbacks: RwLock<Vec<Callback>>,
}

/// Called after each commit.
pub(super) type Callback = Box<dyn Fn() + Send + Sync>;

impl Store {
    /// The catalog: durable edits only.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.view().catalog)
    }

    /// The account of what it keeps in memory; searches over it count there too.
    #[must_use]
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.memory
    }

    /// The epoch that batches are stored with: it grew if the last process did not close the
    /// store.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Everything staged up to here is durable, but for what was refused.
    #[must_use]
    pub fn settled(&self) -> Lsn {
        self.turns.settled()
    }

    /// What became of something staged.
    #[must_use]
    pub fn outcome(&self, lsn: Lsn) -> Outcome {
        self.turns.outcome(lsn)
    }

    /// How often staged changes were refused so far: what somebody remembers of them holds only
    /// as long as this stays.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Acquire)
    }

    /// Whether the store still works.
    ///
    /// # Errors
    /// After a failure that leaves no certainty about what the disk holds, and after `close`:
    /// what every other call answers from then on.
    pub fn check(&self) -> Result<(), StoreError> {
        self.turns.check()
    }

    /// Calls `callback` after each commit, and when the store stops. It must be quick, and must
    /// not call a function of the store that commits.
    pub fn on_commit(&self, callback: Box<dyn Fn() + Send + Sync>) {
        self.callbacks.write().expect(NOBODY_PANICS).push(callback);
    }

    pub(super) fn call_back(&self) {
        for callback in self.callbacks.read().expect(NOBODY_PANICS).iter() {
            callback();
        }
    }

    /// Ends the work of the store because of `error`, and gives what callers are told.
    pub(super) fn stop(&self, error: StoreError) -> StoreError {
        let told = error.again();
        self.turns.stop(error);
        // Under the lock, so that no waiter looks just before and sleeps just after.
        drop(self.staging());
        self.staged.notify_all();
        self.call_back();
        told
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().expect(NOBODY_PANICS)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().expect(NOBODY_PANICS)
    }

    pub(super) fn staging(&self) -> MutexGuard<'_, Staging> {
        // A caller's function that makes an edit may panic; nothing is changed before it returns.
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For who has the turn.
    pub(super) fn committer(&self) -> MutexGuard<'_, Committer> {
        self.committer.lock().expect(NOBODY_PANICS)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("disk", &self.disk)
            .field("epoch", &self.epoch)
            .field("settled", &self.turns.settled())
            .finish_non_exhaustive()
    }
}

const NOBODY_PANICS: &str = "nothing panics while the store's state is locked";
