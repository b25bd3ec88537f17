//! What the catalog knows about a segment without opening its file.

use serde::{Deserialize, Serialize};

use crate::model::{OffsetRange, PartitionId, TimeRange};

/// A segment's number, given once in the whole store and never used again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SegmentId(pub u64);

/// One segment of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Its number.
    pub id: SegmentId,
    /// Its file's name in `segments/<topic>/`: the hash of its content and `.segment`.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// Number of rows.
    pub row_count: u64,
    /// Time of the earliest row.
    pub time_first_ms: i64,
    /// Time of the latest row.
    pub time_last_ms: i64,
    /// Version of the file's format.
    pub format_version: u32,
    /// Whether some row has an id that its writer gave.
    #[serde(default)]
    pub has_ids: bool,
    /// Whether the time field of every row is the time that it is sorted by: then a search whose
    /// range of that field lies outside the segment's times need not open it.
    #[serde(default)]
    pub times_are_field: bool,
    /// Which part of each partition its rows come from, ascending by partition. Offsets inside
    /// that have no row were rejected or were no documents.
    pub offsets: Vec<(PartitionId, OffsetRange)>,
    /// What became of its rows since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlayMeta>,
}

/// Rows of a segment that were deleted since it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayMeta {
    /// Its file's name in `segments/<topic>/`: the hash of its content and `.overlay`.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// Number of rows that it deletes.
    pub deleted_rows: u64,
}

impl SegmentMeta {
    /// The names of its files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let overlay = self.overlay.iter().map(|overlay| overlay.file.as_str());
        std::iter::once(self.file.as_str()).chain(overlay)
    }

    /// Whether it may have a row inside `range`.
    #[must_use]
    pub fn touches(&self, range: TimeRange) -> bool {
        range.touches(self.time_first_ms, self.time_last_ms)
    }
}
