//! What scans share: threads, and what they keep for later ones.

use std::num::NonZero;
use std::sync::{Arc, Weak};

use rayon::{ThreadPool, ThreadPoolBuilder};
use storage::memory::MemoryBudget;

use crate::QueryError;
use crate::kept::KeptCache;
use crate::ordinals::{OrdinalCache, OrdinalMap, TermColumn};
use crate::totals::TotalsCache;

/// Fewest rows that are worth a thread: some 100 µs of work.
const THREAD_ROWS_MIN: usize = 1 << 17;

/// Most groups of one aggregation that are made before rows ask for them.
const DENSE_GROUPS_MAX: usize = 1 << 22;

/// Threads for scans, and what scans keep for later ones. One pool serves all searches of a store.
///
/// The thread that asks always works itself, and the pool's threads look for younger searches
/// between two steps, so a short search does not wait for the end of a long one.
#[derive(Debug)]
pub struct ScanPool {
    threads: Option<ThreadPool>,
    ordinals: Arc<OrdinalCache>,
    pub(crate) totals: Arc<TotalsCache>,
    pub(crate) kept: Arc<KeptCache>,
    /// What searches and ordinals are counted in.
    memory: Arc<MemoryBudget>,
    /// Fewest rows that are worth a thread.
    pub(crate) thread_rows_min: usize,
    /// Most groups of one aggregation that are made before rows ask for them.
    pub(crate) dense_groups_max: usize,
}

impl Default for ScanPool {
    fn default() -> Self {
        Self {
            threads: None,
            ordinals: Arc::default(),
            totals: Arc::default(),
            kept: Arc::default(),
            memory: MemoryBudget::unlimited(),
            thread_rows_min: THREAD_ROWS_MIN,
            dense_groups_max: DENSE_GROUPS_MAX,
        }
    }
}

impl ScanPool {
    /// A pool in which a search runs on up to `threads` threads, the asking one among them.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(threads: NonZero<usize>) -> Result<Self, QueryError> {
        let others = threads.get() - 1;
        if others == 0 {
            return Ok(Self::single());
        }
        let threads = ThreadPoolBuilder::new()
            .num_threads(others)
            .thread_name(|index| format!("scan-{index}"))
            .build()
            .map_err(|source| QueryError::Threads {
                threads: others,
                source,
            })?;
        Ok(Self {
            threads: Some(threads),
            ..Self::default()
        })
    }

    /// The same, with searches that take their memory from `memory`.
    #[must_use]
    pub fn within(self, memory: Arc<MemoryBudget>) -> Self {
        let totals: Weak<TotalsCache> = Arc::downgrade(&self.totals);
        memory.add_cache(totals);
        let kept: Weak<KeptCache> = Arc::downgrade(&self.kept);
        memory.add_cache(kept);
        let ordinals: Weak<OrdinalCache> = Arc::downgrade(&self.ordinals);
        memory.add_cache(ordinals);
        Self { memory, ..self }
    }

    /// What searches take their memory from.
    pub(crate) fn memory(&self) -> &Arc<MemoryBudget> {
        &self.memory
    }

    /// No threads: searches run on the one that asks.
    #[must_use]
    pub fn single() -> Self {
        Self::default()
    }

    /// The ordinals of `columns`, built unless an earlier search left them.
    pub(crate) fn ordinals(&self, columns: &[TermColumn]) -> Result<Arc<OrdinalMap>, QueryError> {
        self.ordinals.map(columns, self)
    }

    /// How many threads work at one search.
    pub(crate) fn width(&self) -> usize {
        1 + self
            .threads
            .as_ref()
            .map_or(0, ThreadPool::current_num_threads)
    }

    /// Lets each of `workers` take steps, all at once, until a step says that nothing is left.
    pub(crate) fn run<W: Send>(&self, workers: &mut [W], step: impl Fn(&mut W) -> bool + Sync) {
        let Some((first, others)) = workers.split_first_mut() else {
            return;
        };
        let step = &step;
        let Some(threads) = self.threads.as_ref().filter(|_| !others.is_empty()) else {
            while step(first) {}
            return;
        };
        threads.in_place_scope(|scope| {
            for worker in others {
                scope.spawn(move |_| {
                    while step(worker) {
                        rayon::yield_now();
                    }
                });
            }
            while step(first) {}
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn check(pool: &ScanPool, workers: usize) {
        let next = AtomicUsize::new(0);
        let mut done = vec![Vec::new(); workers];
        pool.run(&mut done, |done| {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task < 1_000 {
                done.push(task);
            }
            task < 1_000
        });
        let mut all = done.concat();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..1_000));
    }

    #[test]
    fn every_task_is_done_once() {
        let pool = ScanPool::new(NonZero::new(3).expect("not 0")).expect("threads");
        assert_eq!(pool.width(), 3);
        for workers in 1..5 {
            check(&pool, workers);
            check(&ScanPool::single(), workers);
        }
    }
}
