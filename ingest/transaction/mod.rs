//! Transactions of producers as a pure state machine: what a request means for the state that the
//! store keeps, as changes of it.
//!
//! ```text
//!           start            add            end, or time is up, or another start
//!  (none) ────────→ Empty ────────→ Ongoing ───────────────────────────────────→ Complete
//!                     ↑                ↑              add                            │ │
//!                     │                └─────────────────────────────────────────────┘ │
//!                     └──────────────────────────── start ──────────────────────────────┘
//! ```
//!
//! Each function looks at [`Transactions`] and returns the changes that must be made of it,
//! together or not at all; none when the request was carried out before. A decision and its markers
//! are one step of the store, so Kafka's states in between do not exist here.
//!
//! Nothing here knows a connection, a store, a clock or Kafka's messages.

mod end;
mod member;
mod start;

#[cfg(test)]
mod tests;

use storage::transactions::{Transaction, TransactionChange, Transactions};
use thiserror::Error;

pub use end::{abort_in, end, expire, overdue};
pub use member::{add_group, add_partitions, stage_offsets};
pub use start::{Start, Started, start};

/// What is to change.
pub type Changes = Vec<TransactionChange>;

/// Who claims to own a transactional id.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// Why a producer does not get what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Nobody has this transactional id, or another producer has it.
    #[error("the producer does not own the transactional id")]
    NotOwner,
    /// Another instance took over.
    #[error("the producer's epoch is not the current one")]
    Fenced,
    /// Nothing of the kind can be done where the transaction stands.
    #[error("the transaction is not in a state for this")]
    State,
    /// A new producer id is needed.
    #[error("a producer id must be given")]
    NeedsProducerId,
    /// There are as many transactional ids as there may be.
    #[error("there are as many transactional ids as there may be")]
    Full,
}

impl Claim<'_> {
    /// The transaction, if the claim is right.
    fn check(self, transactions: &Transactions) -> Result<&Transaction, TransactionError> {
        let transaction = transactions.get(self.id);
        let transaction = transaction.ok_or(TransactionError::NotOwner)?;
        if transaction.producer_id != self.producer_id {
            return Err(TransactionError::NotOwner);
        }
        if transaction.producer_epoch != self.producer_epoch {
            return Err(TransactionError::Fenced);
        }
        Ok(transaction)
    }
}
