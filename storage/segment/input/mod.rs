//! The rows of a segment that is to be written, in its order, column by column and vector by
//! vector, wherever they come from: batches in memory or other segments.
//!
//! What comes out of here is a function of the rows alone, so the file is one, too.

mod batches;
mod order;
mod segments;
mod sink;
mod terms;

use std::sync::Arc;

use super::SegmentError;
use super::encoding::make_canonical;
use super::pages::WriteFlaw;
use crate::model::{CodeVector, ColumnKind, NumberVector};

pub(super) use batches::SortedBatches;
pub(super) use segments::MergedSegments;
pub(super) use terms::{CodeMaps, TermStatistics};

/// What names a row and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) time_ms: i64,
    pub(super) partition: u32,
    pub(super) offset: u64,
}

/// A part of the row's key, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPart {
    Times,
    Partitions,
    /// As signed integers of the same bits.
    Offsets,
}

/// A column of numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum NumberName<'a> {
    Key(KeyPart),
    /// A field, and whether its values are decimals.
    Field(&'a Arc<str>, ColumnKind),
}

/// A column of texts.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextName<'a> {
    Ids,
    /// The shapes of documents.
    Shapes,
    Field(&'a Arc<str>),
}

/// A column, one vector after the other.
pub(super) trait Vectors<V> {
    /// Replaces `out` by the next `row_count` rows, in their narrowest form.
    fn next(&mut self, row_count: usize, out: &mut V) -> Result<(), SegmentError>;
}

/// The field at `path`, in the form that does not show how its values were written.
pub(super) fn canonical_numbers<'a>(
    input: &'a dyn RowInput,
    path: &Arc<str>,
    kind: ColumnKind,
) -> Result<Stream<'a, NumberVector>, SegmentError> {
    let numbers = input.numbers(NumberName::Field(path, kind))?;
    Ok(match kind {
        ColumnKind::Decimal => Box::new(Canonical(numbers)),
        ColumnKind::Integer | ColumnKind::Text => numbers,
    })
}

/// Decimals without a trace of how they were written.
struct Canonical<'a>(Stream<'a, NumberVector>);

impl Vectors<NumberVector> for Canonical<'_> {
    fn next(&mut self, row_count: usize, out: &mut NumberVector) -> Result<(), SegmentError> {
        self.0.next(row_count, out)?;
        make_canonical(out);
        Ok(())
    }
}

/// The distinct texts of a column.
pub(super) trait Terms {
    fn statistics(&self) -> &TermStatistics;

    /// The number of terms, or more.
    fn count_max(&self) -> usize;

    /// Shows all terms, ascending by bytes, and says how the codes of each part change.
    fn visit(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<CodeMaps, WriteFlaw>;
}

/// A stream of vectors.
pub(super) type Stream<'a, V> = Box<dyn Vectors<V> + 'a>;

/// Sorted rows.
pub(super) trait RowInput {
    /// Number of rows; at least one.
    fn row_count(&self) -> usize;

    /// The first and the last row.
    fn ends(&self) -> Result<[RowKey; 2], SegmentError>;

    /// Whether the time field's column equals the sort times.
    fn times_are_field(&self) -> bool;

    /// All fields with their kinds, ascending by path.
    fn fields(&self) -> Result<Vec<(Arc<str>, ColumnKind)>, SegmentError>;

    fn numbers<'a>(
        &'a self,
        name: NumberName<'_>,
    ) -> Result<Stream<'a, NumberVector>, SegmentError>;

    fn terms<'a>(&'a self, name: TextName<'_>) -> Result<Box<dyn Terms + 'a>, SegmentError>;

    /// The codes of a column whose terms were visited, which gave `maps`.
    fn codes<'a>(
        &'a self,
        name: TextName<'_>,
        maps: &'a CodeMaps,
    ) -> Result<Stream<'a, CodeVector>, SegmentError>;

    /// Shows the own bytes of each row's document.
    fn visit_own_bytes(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<(), WriteFlaw>;

    /// Whether some row's document has own bytes.
    fn has_own_bytes(&self) -> bool;
}
