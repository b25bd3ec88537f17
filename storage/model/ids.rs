//! Identities as newtypes, so that a partition is never passed where an offset belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A topic's number, given once and never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub u32);

/// A partition's number inside its topic, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u32);

/// One partition of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition {
    /// The topic.
    pub topic: TopicId,
    /// The partition inside it.
    pub id: PartitionId,
}

impl Partition {
    /// Partition `id` of topic `topic`.
    #[must_use]
    pub fn new(topic: TopicId, id: PartitionId) -> Self {
        Self { topic, id }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic.0, self.id.0)
    }
}

/// A record's place in its partition. Offsets grow by one a record and are never used again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset `count` records later.
    ///
    /// # Panics
    /// When the sum passes 2^64, which no partition reaches.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(
            self.0
                .checked_add(count)
                .expect("a partition holds fewer than 2^64 records"),
        )
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A half-open range of offsets: `start <= o < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    start: Offset,
    end: Offset,
}

impl OffsetRange {
    /// `start <= o < end`; a range that would run backwards is empty at its start.
    #[must_use]
    pub fn new(start: Offset, end: Offset) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// First offset inside.
    #[must_use]
    pub fn start(self) -> Offset {
        self.start
    }

    /// First offset behind.
    #[must_use]
    pub fn end(self) -> Offset {
        self.end
    }

    /// Whether nothing lies inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Whether `offset` lies inside.
    #[must_use]
    pub fn contains(self, offset: Offset) -> bool {
        self.start <= offset && offset < self.end
    }
}

/// Grows whenever a partition may have lost an unsynced tail; stored in every batch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LeaderEpoch(pub i32);

/// The name of a row that has no id of its own: `partition-offset`.
#[must_use]
pub fn name_of_origin(partition: PartitionId, offset: Offset) -> String {
    format!("{}-{}", partition.0, offset.0)
}

/// Where the row comes from that `id` names, if `id` has the form of a row's without an id of its
/// own.
#[must_use]
pub fn origin_of_name(id: &[u8]) -> Option<(PartitionId, Offset)> {
    let (partition, offset) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let origin = (
        PartitionId(partition.parse().ok()?),
        Offset(offset.parse().ok()?),
    );
    // `+1-2` and `01-2` read as numbers, but no row is named like that.
    (name_of_origin(origin.0, origin.1).as_bytes() == id).then_some(origin)
}
