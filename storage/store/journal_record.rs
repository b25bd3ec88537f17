//! What the journal's payloads are: a batch of a partition, an edit of the catalog, or changes of
//! groups or transactions.
//!
//! ```text
//! 1 · topic u32 · partition u32 · time of staging i64 · batch as in the log
//! 2 · edit as JSON with its version
//! 3 · changes of groups as JSON with their version
//! 4 · changes of transactions as JSON with their version         (little-endian)
//! ```

use bytes::{Buf, Bytes};
use thiserror::Error;

use crate::catalog::{CatalogChange, Edit, EditDecodeError};
use crate::groups::{GroupChange, GroupChangeError};
use crate::log::{BatchError, RecordBatch};
use crate::model::{Partition, PartitionId, TopicId};
use crate::transactions::{TransactionChange, TransactionChangeError};

const BATCH_TAG: u8 = 1;
const EDIT_TAG: u8 = 2;
const GROUPS_TAG: u8 = 3;
const TRANSACTIONS_TAG: u8 = 4;

/// Tag, topic, partition and time before a batch.
const BATCH_HEAD_BYTES: usize = 17;

/// One payload of the journal.
#[derive(Debug)]
pub(super) enum JournalRecord {
    /// Records appended to a partition, offsets assigned.
    Batch {
        /// Where to.
        partition: Partition,
        /// When, by our clock.
        append_ms: i64,
        /// The records.
        batch: RecordBatch,
    },
    /// A change of the catalog.
    Edit(Edit),
    /// Changes of groups.
    Groups(Vec<GroupChange>),
    /// Changes of transactions; the markers of those that end follow as batches.
    Transactions(Vec<TransactionChange>),
}

/// Why a payload that is whole cannot be understood.
#[derive(Debug, Error)]
pub enum JournalRecordError {
    /// Written by a later release.
    #[error("kind {0} is unknown to this release")]
    Kind(u8),
    /// Not even a tag, or no partition behind it.
    #[error("it ends early")]
    Short,
    /// Not one whole batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Not an edit.
    #[error(transparent)]
    Edit(#[from] EditDecodeError),
    /// Not changes of groups.
    #[error(transparent)]
    Groups(#[from] GroupChangeError),
    /// Not changes of transactions.
    #[error(transparent)]
    Transactions(#[from] TransactionChangeError),
}

impl JournalRecord {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Batch {
                partition,
                append_ms,
                batch,
            } => {
                let mut payload = Vec::with_capacity(BATCH_HEAD_BYTES + batch.bytes().len());
                payload.push(BATCH_TAG);
                payload.extend_from_slice(&partition.topic.0.to_le_bytes());
                payload.extend_from_slice(&partition.id.0.to_le_bytes());
                payload.extend_from_slice(&append_ms.to_le_bytes());
                payload.extend_from_slice(batch.bytes());
                payload
            }
            Self::Edit(edit) => {
                let mut payload = vec![EDIT_TAG];
                payload.extend(edit.encode());
                payload
            }
            Self::Groups(changes) => {
                let mut payload = vec![GROUPS_TAG];
                payload.extend(GroupChange::encode_all(changes));
                payload
            }
            Self::Transactions(changes) => {
                let mut payload = vec![TRANSACTIONS_TAG];
                payload.extend(TransactionChange::encode_all(changes));
                payload
            }
        }
    }

    /// Whether it is an edit after which a topic is gone.
    pub(super) fn deletes_topic(&self) -> bool {
        match self {
            Self::Batch { .. } | Self::Groups(_) | Self::Transactions(_) => false,
            Self::Edit(edit) => {
                let mut changes = edit.changes.iter();
                changes.any(|change| matches!(change, CatalogChange::DeleteTopic(_)))
            }
        }
    }

    /// Reads what `encode` wrote.
    pub(super) fn decode(mut payload: Bytes) -> Result<Self, JournalRecordError> {
        match payload
            .try_get_u8()
            .map_err(|_| JournalRecordError::Short)?
        {
            BATCH_TAG => {
                let mut number = || {
                    payload
                        .try_get_u32_le()
                        .map_err(|_| JournalRecordError::Short)
                };
                let (topic, id) = (TopicId(number()?), PartitionId(number()?));
                let append_ms = payload.try_get_i64_le();
                Ok(Self::Batch {
                    partition: Partition::new(topic, id),
                    append_ms: append_ms.map_err(|_| JournalRecordError::Short)?,
                    batch: RecordBatch::parse(payload)?,
                })
            }
            EDIT_TAG => Ok(Self::Edit(Edit::decode(&payload)?)),
            GROUPS_TAG => Ok(Self::Groups(GroupChange::decode_all(&payload)?)),
            TRANSACTIONS_TAG => Ok(Self::Transactions(TransactionChange::decode_all(&payload)?)),
            kind => Err(JournalRecordError::Kind(kind)),
        }
    }
}
