//! Rows of a topic that are not in a segment yet.
//!
//! Published batches are folded by tiers: eight chunks of about one size become one of the next
//! tier. So `n` rows make a few dozen chunks at most, and each row is copied once a tier.
//! A chunk of some size is left as it is: a busy topic's rows are copied once, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{RejectedRecords, SegmentId};
use crate::memory::MemoryBudget;
use crate::model::{Offset, PartitionId};
use crate::segment::{ActiveChunk, DeletedRows, Overlay, SegmentError, SourceRows};

/// A chunk of this many rows is left alone: folding it again would cost more than a scan gains.
const FOLD_ROWS_MAX: usize = 32 * 1024;

/// So many chunks of a tier become one.
const FOLD_CHUNKS: usize = 8;

/// Rows, rejected records and progress since some instant.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    /// In order of publishing.
    pub(super) chunks: Vec<SourceRows<ActiveChunk>>,
    /// Partitions that went on, and how far.
    pub(super) next: BTreeMap<PartitionId, Offset>,
    /// Records that could not become rows.
    pub(super) rejected: RejectedRecords,
    /// Rows that are gone from the chunks because they were deleted.
    pub(super) dropped: u64,
    /// When the first of it was published.
    pub(super) oldest_ms: Option<i64>,
}

/// What a topic holds in memory.
#[derive(Debug, Default)]
pub(super) struct ActiveRows {
    /// Being written into a segment; still what queries see.
    pub(super) sealing: Option<Sealing>,
    /// Published since the last seal began.
    pub(super) open: Gathered,
}

/// Rows on their way into a segment.
#[derive(Debug)]
pub(super) struct Sealing {
    pub(super) gathered: Gathered,
    /// What takes their place when the edit is committed.
    pub(super) sealed: Sealed,
}

/// What a seal has written, beside what its edit says.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealed {
    /// Rows of the new segment that were deleted while it was written.
    pub(super) deleted: Option<Arc<DeletedRows>>,
    /// Overlays of segments that have lost rows.
    pub(super) overlays: Vec<(SegmentId, Arc<Overlay>)>,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.next.is_empty()
    }

    pub(super) fn row_count(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.row_count()).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.memory_bytes()).sum()
    }

    /// Adds what came later.
    pub(super) fn extend(&mut self, later: Self) {
        self.chunks.extend(later.chunks);
        self.next.extend(later.next);
        self.rejected.merge(&later.rejected);
        self.dropped += later.dropped;
        self.oldest_ms = self.oldest_ms.or(later.oldest_ms);
    }
}

impl ActiveRows {
    /// All chunks, in order of publishing.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &SourceRows<ActiveChunk>> {
        let sealing = self.sealing.iter();
        let sealing = sealing.flat_map(|sealing| &sealing.gathered.chunks);
        sealing.chain(&self.open.chunks)
    }

    /// How far `partition` has come beyond the catalog's watermark, if at all.
    pub(super) fn next(&self, partition: PartitionId) -> Option<Offset> {
        let sealing = self.sealing.as_ref();
        let sealing = sealing.and_then(|sealing| sealing.gathered.next.get(&partition));
        self.open.next.get(&partition).or(sealing).copied()
    }
}

/// How many of the last chunks are to be folded into one: fewer than 2 means none.
///
/// The chunks at the end whose tier is not above that of the newest are folded when there are
/// enough;
/// what they become is the newest of the next tier, and so on.
pub(super) fn foldable(chunks: &[SourceRows<ActiveChunk>]) -> usize {
    let tier = |rows: usize| rows.max(1).ilog(FOLD_CHUNKS);
    let (mut folded, mut folded_rows) = (0, 0);
    loop {
        let mut newest = (folded > 0).then(|| tier(folded_rows));
        let (mut count, mut rows) = (folded, folded_rows);
        for chunk in chunks.iter().rev().skip(folded) {
            let own = chunk.row_count();
            let is_higher = tier(own) > *newest.get_or_insert(tier(own));
            if own >= FOLD_ROWS_MAX || is_higher {
                break;
            }
            count += 1;
            rows += own;
        }
        let pieces = count - folded + usize::from(folded > 0);
        if pieces < FOLD_CHUNKS {
            return folded;
        }
        (folded, folded_rows) = (count, rows);
        if rows >= FOLD_ROWS_MAX {
            return folded;
        }
    }
}

/// The last chunks as one, and how many they were; `None` when they are few enough. Deleted rows
/// are left out.
pub(super) fn fold(
    chunks: &[SourceRows<ActiveChunk>],
    memory: &Arc<MemoryBudget>,
) -> Result<Option<(usize, Arc<ActiveChunk>)>, SegmentError> {
    let count = foldable(chunks);
    if count < 2 {
        return Ok(None);
    }
    let folded = ActiveChunk::concat(&chunks[chunks.len() - count..])?;
    Ok(Some((count, Arc::new(folded.counted_in(memory)))))
}
