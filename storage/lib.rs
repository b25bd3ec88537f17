//! STATE: what is on disk and how it is found again.
//!
//! This crate owns the log (the truth), the segments (immutable columnar files with their rollup
//! cells), the active rows (not yet sealed, already queryable) and the catalog (what exists). It
//! knows no protocol, no query language and no clock: disk and time are arguments.
//!
//! Layers, top to bottom; an arrow up does not exist:
//! `maintenance` → `catalog`; `store` → { `segment`, `transactions` → `groups` → `catalog` →
//! `log` } → { `disk`, `memory`, `model` }; `memory` and `model` depend on nothing.

pub mod catalog;
pub mod disk;
pub mod groups;
pub mod log;
pub mod maintenance;
pub mod memory;
pub mod model;
pub mod segment;
pub mod store;
pub mod transactions;
