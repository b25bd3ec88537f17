//! One change of one group, and how it is written into the journal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::model::Partition;

/// Version of the encoding of changes.
pub const GROUP_CHANGE_VERSION: u32 = 1;

/// What an offset without metadata takes in memory, more or less.
const OFFSET_BYTES: usize = 96;

/// How far a group has read a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The offset that the group reads next; whatever the client said.
    pub offset: i64,
    /// The epoch of the last record read, -1 when the client did not say.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: String,
    /// When it was committed.
    pub committed_ms: i64,
    /// When it expires, if the client said so; otherwise the group's state decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

impl CommittedOffset {
    /// What it takes in memory, more or less.
    #[must_use]
    pub fn bytes(&self) -> usize {
        OFFSET_BYTES + self.metadata.len()
    }
}

/// One change of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupChange {
    /// The group's members and generation, all of them given.
    Describe {
        /// The group.
        group: String,
        /// What is known of it.
        description: Arc<Value>,
    },
    /// The group has read so far. Partitions that do not exist are left out.
    Commit {
        /// The group.
        group: String,
        /// Where it goes on.
        offsets: Vec<(Partition, CommittedOffset)>,
    },
    /// What the group has read of some partitions is forgotten.
    Forget {
        /// The group.
        group: String,
        /// The partitions.
        partitions: Vec<Partition>,
    },
    /// The group vanishes with all that it has read.
    Delete {
        /// The group.
        group: String,
    },
}

/// Why bytes are no changes of groups.
#[derive(Debug, Error)]
pub enum GroupChangeError {
    /// Not the JSON that they are.
    #[error("not a change of groups: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later release.
    #[error("change of groups has version {0}, this release reads version {GROUP_CHANGE_VERSION}")]
    Version(u32),
}

/// How changes are written: the version first, so that an unknown one is refused by name.
#[derive(Serialize, Deserialize)]
struct Written<C> {
    version: u32,
    changes: C,
}

impl GroupChange {
    /// The bytes of `changes` in the journal.
    #[must_use]
    pub fn encode_all(changes: &[Self]) -> Vec<u8> {
        let written = Written {
            version: GROUP_CHANGE_VERSION,
            changes,
        };
        serde_json::to_vec(&written).expect("changes of groups have only text keys")
    }

    /// Reads what `encode_all` wrote.
    ///
    /// # Errors
    /// When `bytes` are none, or of a later release.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, GroupChangeError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != GROUP_CHANGE_VERSION {
            return Err(GroupChangeError::Version(version));
        }
        let written: Written<Vec<Self>> = serde_json::from_slice(bytes)?;
        Ok(written.changes)
    }
}
