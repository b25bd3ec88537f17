//! The one place where things become durable: an endless sequence of groups of payloads, each
//! group with one write and one sync, in files that are removed when a checkpoint covers them.
//!
//! The payloads are opaque here. `docs/formats/journal.md` has the bytes.

mod error;
mod format;
mod inspect;
mod recovery;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

pub use error::JournalError;
pub use format::{GROUP_BYTES_MAX, JournalPosition};
pub use inspect::{JournalFileReport, JournalSight, inspect_journal};
pub use replay::Replay;
pub use writer::{Journal, JournalOptions};

/// The folder of the journal's files.
const DIRECTORY: &str = "log/journal";
