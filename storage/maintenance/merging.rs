//! Which segments are merged next.
//!
//! Segments lie in *tiers* by their rows: the lowest holds those below [`TIER_ROWS`], each further
//! one those up to [`TIER_GROWTH`] times as large. A tier is merged once enough segments of it (and
//! of those below it) lie side by side in time:
//!
//! ```text
//! tier 0   ▪▪▪▪ ▪▪        4 are enough: small seals of slow topics are folded soon
//! tier 1   ▬ ▬ ▬ ▬ ▬      8 from here on
//! tier 2   ▬▬▬ ▬▬▬
//! full     ▬▬▬▬▬▬▬▬▬▬     more than half of the bound: never merged again
//! ```
//!
//! Neighbours in time become one segment first, so that time still prunes. Larger segments between
//! them do not part neighbours: that is how late rows, whose small segments lie all over the past,
//! are folded in.
//!
//! A segment of mostly deleted rows is written again by itself: that gives their room back.
//!
//! *Write amplification* is bounded by a rule of its own: a merge must make at least
//! 2.5 times the rows of its largest input. A row is therefore written again at most
//! `log2.5(bound / rows of its first segment)` times: 4.5 times from 256 Ki rows to 16 Mi, and less
//! than 3 in practice.

use crate::catalog::{SegmentId, SegmentMeta};

/// Rows that a merged segment may have, unless options say otherwise.
pub const MERGE_ROWS_MAX: u64 = 16 << 20;

/// Bytes that the files of one merge may have together, unless options say otherwise.
pub const MERGE_BYTES_MAX: u64 = 4 << 30;

/// Most segments of one merge.
pub const MERGE_INPUTS_MAX: usize = 64;

/// Rows below which a segment is in the lowest tier.
const TIER_ROWS: u64 = 64 << 10;

/// How much larger segments of the next tier may be.
const TIER_GROWTH: u64 = 4;

/// Neighbours that make a merge of the lowest tier.
const SMALL_INPUTS_MIN: usize = 4;

/// Neighbours that make a merge of any other tier.
const INPUTS_MIN: usize = 8;

/// How many times the rows of its largest input a merge must have, in halves: 2.5.
const GROWTH_MIN_HALVES: u64 = 5;

/// How far merges may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergePolicy {
    /// Rows that a merged segment may have.
    pub rows_max: u64,
    /// Bytes that the files of one merge may have together.
    pub bytes_max: u64,
}

/// What is known of a segment that may be merged.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: SegmentId,
    /// Those that are not deleted.
    rows: u64,
    deleted: u64,
    bytes: u64,
    first_ms: i64,
    last_ms: i64,
}

/// Some neighbours as one.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    rows: u64,
    bytes: u64,
    largest: u64,
}

impl Default for MergePolicy {
    fn default() -> Self {
        Self {
            rows_max: MERGE_ROWS_MAX,
            bytes_max: MERGE_BYTES_MAX,
        }
    }
}

impl MergePolicy {
    /// The segments that should become one next; `None` when all is well.
    pub fn next<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a SegmentMeta>,
    ) -> Option<Vec<SegmentId>> {
        let all = self.all(segments);
        if let Some(wasteful) = self.mostly_deleted(&all) {
            return Some(wasteful);
        }
        let candidates = self.candidates(all);
        let tiers = candidates.iter().map(|candidate| tier(candidate.rows));
        let highest = tiers.max()?;
        (0..=highest).find_map(|limit| {
            let of_tier = candidates.iter().copied();
            let of_tier: Vec<_> = of_tier.filter(|one| tier(one.rows) <= limit).collect();
            let inputs_min = match limit {
                0 => SMALL_INPUTS_MIN,
                _ => INPUTS_MIN,
            };
            self.best(&of_tier, inputs_min)
        })
    }

    /// The segments that should become one next if at most `segments_max` are to be left; `None`
    /// when they are few enough, or cannot become fewer within the bounds.
    pub fn next_towards<'a>(
        &self,
        segments_max: usize,
        segments: impl IntoIterator<Item = &'a SegmentMeta>,
    ) -> Option<Vec<SegmentId>> {
        let candidates = self.all(segments);
        let surplus = candidates.len().checked_sub(segments_max.max(1))?;
        if surplus == 0 {
            return None;
        }
        // As many at once as are to go: each further round would write the same rows again.
        (2..=(surplus + 1).min(MERGE_INPUTS_MAX))
            .rev()
            .find_map(|len| {
                let windows = candidates.windows(len);
                let fitting = windows.filter(|window| self.fits(sum(window)));
                let smallest = fitting.min_by_key(|window| sum(window).rows)?;
                Some(ids(smallest))
            })
    }

    /// All segments in order of time.
    fn all<'a>(&self, segments: impl IntoIterator<Item = &'a SegmentMeta>) -> Vec<Candidate> {
        let candidate = |meta: &SegmentMeta| {
            let deleted = meta
                .overlay
                .as_ref()
                .map_or(0, |overlay| overlay.deleted_rows);
            let deleted = deleted.min(meta.row_count);
            Candidate {
                id: meta.id,
                rows: meta.row_count - deleted,
                deleted,
                bytes: meta.bytes,
                first_ms: meta.time_first_ms,
                last_ms: meta.time_last_ms,
            }
        };
        let mut all: Vec<_> = segments.into_iter().map(candidate).collect();
        all.sort_unstable_by_key(|one| (one.first_ms, one.last_ms, one.id));
        all
    }

    /// A segment that is mostly deleted rows, which is written again without them however large it
    /// is; with a neighbour when nothing would be left of it, since no segment is without rows.
    fn mostly_deleted(&self, all: &[Candidate]) -> Option<Vec<SegmentId>> {
        all.iter().enumerate().find_map(|(index, one)| {
            if one.deleted <= one.rows {
                return None;
            }
            if one.rows > 0 {
                return Some(vec![one.id]);
            }
            let pairs = [index.checked_sub(1), Some(index)].into_iter().flatten();
            let mut pairs = pairs.filter_map(|first| all.get(first..first + 2));
            let pair =
                pairs.find(|pair| pair.iter().any(|one| one.rows > 0) && self.fits(sum(pair)));
            pair.map(ids)
        })
    }

    /// Those that are small enough to grow.
    fn candidates(&self, all: Vec<Candidate>) -> Vec<Candidate> {
        let mut candidates = all;
        candidates.retain(|one| one.rows <= self.rows_max / 2 && one.bytes <= self.bytes_max / 2);
        candidates
    }

    /// The best run of neighbours: as many as fit, then those that reach over the least time beyond
    /// their own, then the earliest.
    fn best(&self, candidates: &[Candidate], inputs_min: usize) -> Option<Vec<SegmentId>> {
        let mut best: Option<(usize, u64, usize)> = None;
        for start in 0..candidates.len() {
            let Some(len) = self.longest(&candidates[start..], inputs_min) else {
                continue;
            };
            let gaps_ms = gaps_ms(&candidates[start..start + len]);
            let is_better = best.is_none_or(|(best_len, best_gaps_ms, _)| {
                len > best_len || len == best_len && gaps_ms < best_gaps_ms
            });
            if is_better {
                best = Some((len, gaps_ms, start));
            }
        }
        best.map(|(len, _, start)| ids(&candidates[start..start + len]))
    }

    /// The longest run from the first of `candidates` on that is worth a merge.
    fn longest(&self, candidates: &[Candidate], inputs_min: usize) -> Option<usize> {
        let mut longest = None;
        let mut sum = Sum::default();
        for (index, candidate) in candidates.iter().take(MERGE_INPUTS_MAX).enumerate() {
            sum.add(candidate);
            if !self.fits(sum) {
                break;
            }
            let grows = sum.rows.saturating_mul(2) >= sum.largest.saturating_mul(GROWTH_MIN_HALVES);
            if index + 1 >= inputs_min && grows {
                longest = Some(index + 1);
            }
        }
        longest
    }

    fn fits(&self, sum: Sum) -> bool {
        sum.rows <= self.rows_max && sum.bytes <= self.bytes_max
    }
}

impl Sum {
    fn add(&mut self, candidate: &Candidate) {
        self.rows = self.rows.saturating_add(candidate.rows);
        self.bytes = self.bytes.saturating_add(candidate.bytes);
        self.largest = self.largest.max(candidate.rows);
    }
}

fn sum(candidates: &[Candidate]) -> Sum {
    let mut sum = Sum::default();
    candidates.iter().for_each(|candidate| sum.add(candidate));
    sum
}

fn ids(candidates: &[Candidate]) -> Vec<SegmentId> {
    candidates.iter().map(|candidate| candidate.id).collect()
}

/// Time between the segments that none of them covers. They ascend by their first time.
fn gaps_ms(candidates: &[Candidate]) -> u64 {
    let mut end_ms = i64::MIN;
    let mut gaps_ms = 0u64;
    for candidate in candidates {
        if end_ms != i64::MIN && candidate.first_ms > end_ms {
            gaps_ms = gaps_ms.saturating_add(candidate.first_ms.abs_diff(end_ms));
        }
        end_ms = end_ms.max(candidate.last_ms);
    }
    gaps_ms
}

/// The tier of a segment of `rows` rows.
fn tier(rows: u64) -> u32 {
    match rows / TIER_ROWS {
        0 => 0,
        times => 1 + times.ilog(TIER_GROWTH),
    }
}
