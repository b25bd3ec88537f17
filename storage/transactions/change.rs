//! One change of one transactional id, and how it is written into the journal.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::groups::CommittedOffset;
use crate::log::TransactionOutcome;
use crate::model::Partition;

/// Version of the encoding of changes.
pub const TRANSACTION_CHANGE_VERSION: u32 = 1;

/// One change of one transactional id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionChange {
    /// A producer takes the id over. No transaction is open.
    Start {
        /// The transactional id.
        id: String,
        /// The producer's id.
        producer_id: i64,
        /// Its epoch; whoever has an older one is fenced.
        producer_epoch: i16,
        /// The epoch before, if the producer named it; -1 otherwise.
        last_epoch: i16,
        /// How long a transaction may stay open.
        timeout_ms: i32,
        /// When.
        at_ms: i64,
    },
    /// The transaction, which begins unless it is open, is about to write to partitions.
    AddPartitions {
        /// The transactional id.
        id: String,
        /// The partitions.
        partitions: Vec<Partition>,
        /// When.
        at_ms: i64,
    },
    /// The transaction, which begins unless it is open, is about to commit offsets of a group.
    AddGroup {
        /// The transactional id.
        id: String,
        /// The group.
        group: String,
        /// When.
        at_ms: i64,
    },
    /// Offsets that count once the transaction is committed.
    StageOffsets {
        /// The transactional id.
        id: String,
        /// The group.
        group: String,
        /// Where it goes on.
        offsets: Vec<(Partition, CommittedOffset)>,
    },
    /// The transaction ends; the markers follow in the same group of the journal.
    End {
        /// The transactional id.
        id: String,
        /// How.
        outcome: TransactionOutcome,
        /// The producer's epoch from now on: a higher one when it is fenced.
        producer_epoch: i16,
        /// When.
        at_ms: i64,
    },
    /// Nobody has used the id for long.
    Forget {
        /// The transactional id.
        id: String,
    },
}

/// Why bytes are no changes of transactions.
#[derive(Debug, Error)]
pub enum TransactionChangeError {
    /// Not the JSON that they are.
    #[error("not a change of transactions: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later release.
    #[error(
        "change of transactions has version {0}, this release reads version \
         {TRANSACTION_CHANGE_VERSION}"
    )]
    Version(u32),
}

/// How changes are written: the version first, so that an unknown one is refused by name.
#[derive(Serialize, Deserialize)]
struct Written<C> {
    version: u32,
    changes: C,
}

impl TransactionChange {
    /// The bytes of `changes` in the journal.
    ///
    /// # Panics
    /// Never: changes have only text keys.
    #[must_use]
    pub fn encode_all(changes: &[Self]) -> Vec<u8> {
        let written = Written {
            version: TRANSACTION_CHANGE_VERSION,
            changes,
        };
        serde_json::to_vec(&written).expect("changes of transactions have only text keys")
    }

    /// Reads what `encode_all` wrote.
    ///
    /// # Errors
    /// When `bytes` are none, or of a later release.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, TransactionChangeError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != TRANSACTION_CHANGE_VERSION {
            return Err(TransactionChangeError::Version(version));
        }
        let written: Written<Vec<Self>> = serde_json::from_slice(bytes)?;
        Ok(written.changes)
    }

    /// The transactional id that changes.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Start { id, .. }
            | Self::AddPartitions { id, .. }
            | Self::AddGroup { id, .. }
            | Self::StageOffsets { id, .. }
            | Self::End { id, .. }
            | Self::Forget { id } => id,
        }
    }
}
