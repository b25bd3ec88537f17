//! Several segments become one.

use std::io;

use super::writer::{sorted_rows, write_rows};
use super::{
    ColumnRoles, DeletedRows, SegmentError, SegmentOptions, SegmentReader, WrittenSegment,
};
use crate::model::ColumnBatch;

/// A segment that is to be merged.
#[derive(Debug, Clone, Copy)]
pub struct MergeInput<'a> {
    /// The segment.
    pub reader: &'a SegmentReader,
    /// Those of its rows that are left out.
    pub deleted: Option<&'a DeletedRows>,
}

/// A merged segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedSegment {
    /// The file.
    pub written: WrittenSegment,
    /// For each of its rows the number of the input that it came from. The rows of one input keep
    /// their order; deleted ones are left out.
    pub order: Vec<u16>,
}

/// Writes the rows of all `inputs` that are not deleted to `out` as one segment: the same bytes as if they had been
/// written at once.
///
/// # Errors
/// When there is no row, when inputs cannot be read or do not fit together, when a limit is passed
/// or when `out` fails.
///
/// # Panics
/// When there are more than 65,536 inputs.
pub fn merge_segments(
    inputs: &[MergeInput<'_>],
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut dyn io::Write,
) -> Result<MergedSegment, SegmentError> {
    let batches = inputs
        .iter()
        .map(|input| input.reader.read_batch())
        .collect::<Result<Vec<ColumnBatch>, _>>()?;
    let batches: Vec<&ColumnBatch> = batches.iter().collect();
    let mut rows = sorted_rows(&batches)?;
    rows.retain(|row| {
        let deleted = inputs[row.batch as usize].deleted;
        !deleted.is_some_and(|deleted| deleted.contains(row.row as usize))
    });
    let order = rows
        .iter()
        .map(|row| u16::try_from(row.batch).expect("merges have few inputs"))
        .collect();
    Ok(MergedSegment {
        written: write_rows(&batches, &rows, roles, options, out)?,
        order,
    })
}
