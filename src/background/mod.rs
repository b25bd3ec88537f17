//! Threads: the only place that starts them.

mod pool;

pub(crate) use pool::{Full, Pool};
