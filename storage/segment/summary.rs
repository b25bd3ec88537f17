//! What is known about a segment without reading its rows.

use std::fmt;

use crate::model::{Offset, PartitionId};

/// BLAKE3 of a file's bytes: the name of the file. Equal rows give equal bytes and equal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The offsets of one partition in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginRange {
    /// The partition.
    pub partition: PartitionId,
    /// The lowest offset.
    pub first: Offset,
    /// The highest offset, inside.
    pub last: Offset,
    /// Rows between them; fewer than the distance where records became no row.
    pub row_count: u64,
}

/// What the footer of a segment says about its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSummary {
    /// Rows.
    pub row_count: u64,
    /// Time of the first row.
    pub time_first_ms: i64,
    /// Time of the last row.
    pub time_last_ms: i64,
    /// Version of the file format.
    pub format_version: u32,
    /// Where the rows come from, ascending by partition.
    pub origins: Vec<OriginRange>,
}

/// A segment whose bytes went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenSegment {
    /// The name that the file deserves.
    pub content_hash: ContentHash,
    /// Its length.
    pub bytes: u64,
    /// What its footer says.
    pub summary: SegmentSummary,
}
