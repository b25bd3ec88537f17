//! Several segments become one: column by column, in bounded memory.

use std::collections::BTreeMap;
use std::io;

use super::input::MergedSegments;
use super::writer::write_rows;
use super::{
    ColumnRoles, DeletedRows, SegmentError, SegmentOptions, SegmentReader, WrittenSegment,
};

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

/// Memory that [`merge_segments`] takes besides the pages and what is open of `inputs`, about:
/// which input each row is from, and the new codes of one column of texts at a time.
#[must_use]
pub fn merge_bytes(inputs: &[MergeInput<'_>]) -> usize {
    let rows = inputs.iter().map(|input| input.reader.row_count());
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for input in inputs {
        for column in &input.reader.file.footer.columns {
            *codes.entry(&column.path).or_default() += column.term_count as usize;
        }
    }
    let codes_max = codes.into_values().max().unwrap_or(0);
    rows.sum::<usize>() * size_of::<u16>() + codes_max * size_of::<u32>()
}

/// Writes the rows of all `inputs` that are not deleted to `out` as one segment: the same bytes as
/// if they had been written at once.
///
/// # Errors
/// When there is no row, when inputs cannot be read or do not fit together, when a limit is passed
/// or when `out` fails.
pub fn merge_segments(
    inputs: &[MergeInput<'_>],
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut dyn io::Write,
) -> Result<MergedSegment, SegmentError> {
    if inputs.len() > usize::from(u16::MAX) {
        return Err(SegmentError::OutOfRange {
            what: "merged segment",
            index: inputs.len(),
            count: usize::from(u16::MAX),
        });
    }
    let rows = MergedSegments::new(inputs, roles)?;
    let written = write_rows(&rows, roles, options, out)?;
    Ok(MergedSegment {
        written,
        order: rows.into_order(),
    })
}
