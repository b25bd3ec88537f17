//! Threads: the only place that starts them.
//!
//! | thread | repeats | woken by |
//! |---|---|---|
//! | commit | one group commit of what nobody waits for | something staged |
//! | materialize | a step of each topic that is behind its log | a commit |
//! | seal | sealing of topics whose active rows reached a limit | time, and whoever fills a topic |
//! | merge | merging of segments that the policy names, at a bounded rate | time |
//! | checkpoint | a checkpoint when one is due | time |
//! | decode | a share of a large step of materialization | started for it |
//!
//! A thread that fails stops the store for everyone: acknowledging records that never become rows
//! would be worse than stopping.

mod crew;
mod health;
mod pool;
mod wake;
mod workers;

pub(crate) use crew::Threads;
pub(crate) use health::Health;
pub(crate) use pool::Pool;
pub(crate) use wake::Wake;
pub(crate) use workers::Workers;
