//! Transactions of producers as far as they must outlive the process: who owns each transactional
//! id, and what its transaction has touched.
//!
//! A [`TransactionChange`] is a record of the journal; applying one to [`Transactions`] never
//! fails, so that commits need no check under a lock. Whether a change may be made is decided by
//! whoever makes it.
//!
//! Nothing here knows Kafka's messages, its errors or a clock.

mod change;
mod entries;
mod state;

#[cfg(test)]
mod tests;

pub use change::{TRANSACTION_CHANGE_VERSION, TransactionChange, TransactionChangeError};
pub use state::{EndedTransaction, StagedOffsets, Transaction, TransactionPhase, Transactions};
