//! What time does to transactions.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::broker::Broker;
use crate::transaction::{expire, overdue};

/// How often it is looked for transactional ids that nobody uses any more.
const SWEEP_MS: i64 = 10 * 60 * 1_000;

/// When it is looked next.
#[derive(Debug, Default)]
pub(in crate::broker) struct Sweeps {
    next_ms: AtomicI64,
}

impl Broker {
    /// Aborts transactions whose time is up by `now_ms` and forgets ids that nobody uses. A store
    /// that has stopped says so elsewhere.
    pub fn tick_transactions(&self, now_ms: i64) {
        let is_overdue = self.store.transactions().overdue(now_ms).next().is_some();
        if is_overdue {
            let _ = self.stage(|transactions| Ok(overdue(transactions, now_ms)));
        }
        if now_ms >= self.sweeps.next_ms.load(Ordering::Relaxed) {
            let next_ms = now_ms.saturating_add(SWEEP_MS);
            self.sweeps.next_ms.store(next_ms, Ordering::Relaxed);
            let before_ms = now_ms.saturating_sub(self.options.transactions.expiration_ms);
            let _ = self.stage(|transactions| Ok(expire(transactions, before_ms)));
        }
    }
}
