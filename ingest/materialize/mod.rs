//! Log → rows: each partition is followed to its high watermark, batch by batch.
//!
//! [`Materializer::run_once`] does a bounded piece of work and can stop after any of them: how far
//! it came is what the store has published. New fields are durable before rows that have them are
//! seen. A record is one row, one rejected record, or nothing (a tombstone), never two. Rejected
//! records are dead letters before the store counts them as done.

mod again;
mod crew;
mod dead_letters;
mod error;
mod materializer;
mod reader;
mod worker;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transaction_tests;

pub use again::RowsAgain;
pub use crew::{Alone, Crew, Job};
pub use dead_letters::header as dead_letter_header;
pub use error::MaterializeError;
pub use materializer::{Materializer, Progress, WorkBudget};
pub use worker::ROW_BYTES_MAX;
