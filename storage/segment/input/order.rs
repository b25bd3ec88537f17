//! The order of rows: by time, then partition, then offset.

use super::super::SegmentError;
use super::super::gather::{RowRef, rows_in_order};
use super::super::layout::ROWS_MAX;
use super::RowKey;
use crate::model::ColumnBatch;

/// All rows of `batches` in the order of a segment.
pub(super) fn sorted_rows(batches: &[&ColumnBatch]) -> Result<Vec<RowRef>, SegmentError> {
    let rows = rows_in_order(batches);
    check_count(rows.len())?;
    let times = || batches.iter().flat_map(|batch| &batch.times_ms);
    let first = times().copied().min().unwrap_or(0);
    let last = times().copied().max().unwrap_or(0);
    let since_first = |time: &i64| time.wrapping_sub(first).cast_unsigned();
    let index_bits = u64::BITS - (rows.len() as u64).leading_zeros();
    let mut sorted: Vec<RowRef> = if since_first(&last).leading_zeros() >= index_bits {
        // Time and place in one word: sorting finds the runs that batches are.
        let mut keys: Vec<u64> = times()
            .zip(0..)
            .map(|(time, index)| since_first(time) << index_bits | index)
            .collect();
        keys.sort();
        let mask = (1 << index_bits) - 1;
        keys.iter().map(|key| rows[(key & mask) as usize]).collect()
    } else {
        let mut keys: Vec<(i64, u32)> = times().copied().zip(0..).collect();
        keys.sort();
        keys.iter()
            .map(|(_, index)| rows[*index as usize])
            .collect()
    };
    sort_equal_times(&mut sorted, batches);
    Ok(sorted)
}

pub(super) fn check_count(rows: usize) -> Result<(), SegmentError> {
    if rows == 0 {
        return Err(SegmentError::NoRows);
    }
    if rows > ROWS_MAX {
        return Err(SegmentError::TooManyRows {
            rows,
            rows_max: ROWS_MAX,
        });
    }
    Ok(())
}

/// The key of `row`.
pub(super) fn key_of(row: RowRef, batches: &[&ColumnBatch]) -> RowKey {
    let (batch, index) = (batches[row.batch as usize], row.row as usize);
    RowKey {
        time_ms: batch.times_ms[index],
        partition: batch.partitions[index],
        offset: batch.offsets[index],
    }
}

/// Rows of one time are few: they are sorted by partition and offset on their own.
fn sort_equal_times(rows: &mut [RowRef], batches: &[&ColumnBatch]) {
    let time = |row: &RowRef| batches[row.batch as usize].times_ms[row.row as usize];
    for equal in rows.chunk_by_mut(|a, b| time(a) == time(b)) {
        if equal.len() > 1 {
            equal.sort_by_key(|row| key_of(*row, batches));
        }
    }
}
