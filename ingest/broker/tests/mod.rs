//! The broker, asked with bytes and answering with bytes, over a store in memory.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod fetching;
mod fixture;
mod groups;
mod hostile;
mod idempotence;
mod producing;
mod topics;
mod transactions;
