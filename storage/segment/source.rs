//! One face for sealed and active rows: what a query scans.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::column_reader::GROUP_VECTORS;
use super::document_reader::Rows;
use super::{
    ActiveChunk, Cells, ColumnCursor, DeletedRows, DocumentReader, Overlay, SegmentError,
    SegmentReader, VectorDeletions,
};
use crate::model::{
    CodeVector, ColumnKind, Decimal, Dictionary, IGNORED_COLUMN, NumberVector, Occurrence, Offset,
    PartitionId, ROUTING_COLUMN, VECTOR_ROWS, VERSION_COLUMN,
};

/// Rows that can be scanned vector by vector.
#[derive(Debug, Clone)]
pub enum RowSource {
    /// An immutable file.
    Segment(SourceRows<SegmentReader>),
    /// Rows in memory that are not sealed yet.
    Active(SourceRows<ActiveChunk>),
}

/// Rows that never change, and which of them are deleted.
#[derive(Debug)]
pub struct SourceRows<R> {
    rows: Arc<R>,
    deleted: Option<Arc<DeletedRows>>,
    /// The cells of the rows that are left, where they were made.
    overlay: Option<Arc<Overlay>>,
}

impl<R> SourceRows<R> {
    /// `rows` without `deleted`.
    #[must_use]
    pub fn new(rows: Arc<R>, deleted: Option<Arc<DeletedRows>>) -> Self {
        Self {
            rows,
            deleted: deleted.filter(|deleted| !deleted.is_empty()),
            overlay: None,
        }
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &Arc<R> {
        &self.rows
    }

    /// Those that are deleted; `None` when none is.
    #[must_use]
    pub fn deleted(&self) -> Option<&Arc<DeletedRows>> {
        self.deleted.as_ref()
    }

    /// Whether `row` takes part in answers.
    #[must_use]
    pub fn is_live(&self, row: usize) -> bool {
        !self
            .deleted
            .as_ref()
            .is_some_and(|deleted| deleted.contains(row))
    }

    fn deleted_count(&self) -> usize {
        self.deleted.as_ref().map_or(0, |deleted| deleted.count())
    }

    fn deleted_rows(&self, vector: usize) -> Option<&VectorDeletions> {
        self.deleted.as_ref()?.vector(vector)
    }
}

impl<R> Clone for SourceRows<R> {
    fn clone(&self) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            deleted: self.deleted.clone(),
            overlay: self.overlay.clone(),
        }
    }
}

impl SourceRows<SegmentReader> {
    /// The same with the cells of `overlay`, if that says of the same rows that they are deleted.
    #[must_use]
    pub fn with_overlay(mut self, overlay: Option<Arc<Overlay>>) -> Self {
        // Rows are only ever added to those that are deleted: as many are the same.
        self.overlay = overlay.filter(|overlay| overlay.deleted().count() == self.deleted_count());
        self
    }

    fn live_cells(&self) -> Result<Option<Arc<Cells>>, SegmentError> {
        match (&self.deleted, &self.overlay) {
            (None, _) => self.rows.cells().map(Some),
            // Rows answer as well, where it cannot be read: scrubbing tells of it.
            (Some(_), Some(overlay)) => Ok(overlay.cells(&self.rows).unwrap_or(None)),
            (Some(_), None) => Ok(None),
        }
    }
}

impl<R> Deref for SourceRows<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.rows
    }
}

impl<R> From<Arc<R>> for SourceRows<R> {
    fn from(rows: Arc<R>) -> Self {
        Self::new(rows, None)
    }
}

impl From<Arc<SegmentReader>> for RowSource {
    fn from(rows: Arc<SegmentReader>) -> Self {
        Self::Segment(rows.into())
    }
}

impl From<Arc<ActiveChunk>> for RowSource {
    fn from(rows: Arc<ActiveChunk>) -> Self {
        Self::Active(rows.into())
    }
}

/// Names a source for as long as the process runs; none has the name of another, not even of one
/// that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u64);

impl SourceId {
    /// A name that no other source has.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A column of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnHandle(pub(super) u32);

/// What a column of a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnInfo {
    /// How its values are stored.
    pub kind: ColumnKind,
    /// How many values its rows have.
    pub occurrence: ColumnOccurrence,
}

/// How many values the rows of a column have, over the whole source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnOccurrence {
    /// Each row has exactly one.
    One,
    /// A row has none or one.
    Optional,
    /// Some row may have several.
    Many,
}

/// What is known about the numbers of a vector without decoding them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberSummary {
    /// Values in the vector; at least 1.
    pub count: u32,
    /// The smallest.
    pub min: Decimal,
    /// The largest.
    pub max: Decimal,
    /// Exact sum: mantissas together and their power of ten.
    pub sum: (i128, i16),
}

macro_rules! either {
    ($source:expr, $rows:ident => $answer:expr) => {
        match $source {
            RowSource::Segment($rows) => $answer,
            RowSource::Active($rows) => $answer,
        }
    };
}

impl RowSource {
    /// Number of rows, deleted ones included.
    #[must_use]
    pub fn row_count(&self) -> usize {
        either!(self, rows => rows.row_count())
    }

    /// Number of rows that are not deleted.
    #[must_use]
    pub fn live_row_count(&self) -> usize {
        either!(self, rows => rows.row_count() - rows.deleted_count())
    }

    /// Number of vectors.
    #[must_use]
    pub fn vector_count(&self) -> usize {
        self.row_count().div_ceil(VECTOR_ROWS)
    }

    /// The rows of `vector`: 1,024 of them, fewer in the last one.
    #[must_use]
    pub fn vector_rows(&self, vector: usize) -> Range<usize> {
        vector_rows(self.row_count(), vector)
    }

    /// Whether the time field's column equals the sort key in every row: then range filters and
    /// histograms on the field may use the sort key.
    #[must_use]
    pub fn times_are_field(&self) -> bool {
        either!(self, rows => rows.times_are_field())
    }

    /// Whether rows ascend by time: segments do, active chunks perhaps.
    #[must_use]
    pub fn is_time_sorted(&self) -> bool {
        either!(self, rows => rows.is_time_sorted())
    }

    /// The earliest and the latest time; `None` without rows.
    #[must_use]
    pub fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        either!(self, rows => rows.time_bounds_ms())
    }

    /// The earliest and the latest time of `vector`.
    ///
    /// # Panics
    /// When there is no such vector.
    #[must_use]
    pub fn vector_time_bounds_ms(&self, vector: usize) -> (i64, i64) {
        either!(self, rows => rows.vector_time_bounds_ms(vector))
    }

    /// The time of each row of `vector`; `out` is replaced.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged, as everywhere below.
    pub fn times_ms(&self, vector: usize, out: &mut Vec<i64>) -> Result<(), SegmentError> {
        either!(self, rows => rows.times_ms(vector, out))
    }

    /// The column at `path`.
    #[must_use]
    pub fn column(&self, path: &str) -> Option<ColumnHandle> {
        either!(self, rows => rows.column(path))
    }

    /// Paths of all columns, ascending.
    pub fn column_paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let (segment, active) = match self {
            Self::Segment(rows) => (Some(rows.column_paths()), None),
            Self::Active(rows) => (None, Some(rows.column_paths())),
        };
        segment
            .into_iter()
            .flatten()
            .chain(active.into_iter().flatten())
    }

    /// What `column` is.
    ///
    /// # Panics
    /// When the handle is of another source and there is no such column here.
    #[must_use]
    pub fn column_info(&self, column: ColumnHandle) -> ColumnInfo {
        either!(self, rows => rows.column_info(column))
    }

    /// The terms of a text column. Segments sort them by bytes, active chunks do not.
    ///
    /// # Errors
    /// When `column` holds no texts.
    pub fn dictionary(&self, column: ColumnHandle) -> Result<Arc<Dictionary>, SegmentError> {
        either!(self, rows => rows.dictionary(column))
    }

    /// The name of this source. Its terms and their codes never change; deletions leave them alone.
    #[must_use]
    pub fn source_id(&self) -> SourceId {
        either!(self, rows => rows.source_id())
    }

    /// Number of terms of a text column.
    ///
    /// # Errors
    /// When `column` holds no texts, as in the next two.
    pub fn term_count(&self, column: ColumnHandle) -> Result<usize, SegmentError> {
        either!(self, rows => rows.term_count(column))
    }

    /// The term of `code`, read from one block of the dictionary.
    ///
    /// # Errors
    /// When there is no such code.
    pub fn term(&self, column: ColumnHandle, code: u32) -> Result<Vec<u8>, SegmentError> {
        either!(self, rows => rows.term(column, code))
    }

    /// For each row group of [`RowSource::group_of`] whether some row of it has a term of a text
    /// column that `is_wanted`; `None` where that is not known without reading rows.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn groups_with(
        &self,
        column: ColumnHandle,
        is_wanted: &mut dyn FnMut(u32) -> bool,
    ) -> Result<Option<Vec<bool>>, SegmentError> {
        match self {
            Self::Segment(rows) => rows.groups_with(column, is_wanted),
            Self::Active(_) => Ok(None),
        }
    }

    /// The row group that `vector` is in.
    #[must_use]
    pub fn group_of(&self, vector: usize) -> usize {
        vector / GROUP_VECTORS
    }

    /// The code of `term`, if some row has it; segments look into one block of the dictionary.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn find_term(
        &self,
        column: ColumnHandle,
        term: &[u8],
    ) -> Result<Option<u32>, SegmentError> {
        either!(self, rows => rows.find_term(column, term))
    }

    /// The values of a number column in `vector`; `out` is replaced.
    ///
    /// Values are equal to those that were written; a decimal may have been given trailing zeros
    /// so that it shares its exponent with its neighbours.
    ///
    /// # Errors
    /// When `column` holds no numbers.
    pub fn numbers(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        either!(self, rows => rows.numbers(column, vector, out))
    }

    /// The codes of a text column in `vector`; `out` is replaced. Every code has a term.
    ///
    /// # Errors
    /// When `column` holds no texts.
    pub fn codes(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        either!(self, rows => rows.codes(column, vector, out))
    }

    /// As [`RowSource::times_ms`], for a scan that goes from vector to vector.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn times_ms_at(
        &self,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut Vec<i64>,
    ) -> Result<(), SegmentError> {
        match self {
            Self::Segment(rows) => rows.times_ms_at(vector, cursor, out),
            Self::Active(rows) => rows.times_ms(vector, out),
        }
    }

    /// As [`RowSource::numbers`], for a scan that goes from vector to vector: `cursor` is for this
    /// column of this source alone.
    ///
    /// # Errors
    /// As [`RowSource::numbers`].
    pub fn numbers_at(
        &self,
        column: ColumnHandle,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        match self {
            Self::Segment(rows) => rows.numbers_at(column, vector, cursor, out),
            Self::Active(rows) => rows.numbers(column, vector, out),
        }
    }

    /// As [`RowSource::codes`], for a scan that goes from vector to vector: `cursor` is for this
    /// column of this source alone.
    ///
    /// # Errors
    /// As [`RowSource::codes`].
    pub fn codes_at(
        &self,
        column: ColumnHandle,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        match self {
            Self::Segment(rows) => rows.codes_at(column, vector, cursor, out),
            Self::Active(rows) => rows.codes(column, vector, out),
        }
    }

    /// Statistics of a number column in `vector`, if there are any. `None` never means that there
    /// are no values; ask [`RowSource::numbers`] then.
    #[must_use]
    pub fn number_summary(&self, column: ColumnHandle, vector: usize) -> Option<NumberSummary> {
        if self.deleted_rows(vector).is_some() {
            return None;
        }
        either!(self, rows => rows.number_summary(column, vector))
    }

    /// Partition and offset of each row of `vector`; both are replaced.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn origins(
        &self,
        vector: usize,
        partitions: &mut Vec<u32>,
        offsets: &mut Vec<u64>,
    ) -> Result<(), SegmentError> {
        either!(self, rows => rows.origins(vector, partitions, offsets))
    }

    /// Partition and offset of `row`.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn origin(&self, row: usize) -> Result<(PartitionId, Offset), SegmentError> {
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        self.origins(row / VECTOR_ROWS, &mut partitions, &mut offsets)?;
        let place = row % VECTOR_ROWS;
        let origin = partitions.get(place).zip(offsets.get(place));
        let origin = origin.map(|(partition, offset)| (PartitionId(*partition), Offset(*offset)));
        origin.ok_or(SegmentError::OutOfRange {
            what: "row",
            index: row,
            count: self.row_count(),
        })
    }

    /// The id that the writer of `row` gave; `None` when it gave none.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn id(&self, row: usize) -> Result<Option<Vec<u8>>, SegmentError> {
        either!(self, rows => rows.id(row))
    }

    /// The rows with the given id that are not deleted, ascending. A partition has at most one.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn find_id(&self, id: &[u8]) -> Result<Vec<usize>, SegmentError> {
        either!(self, rows => {
            let mut found = rows.find_id(id)?;
            found.retain(|row| rows.is_live(*row));
            Ok(found)
        })
    }

    /// Whether `row` takes part in answers.
    #[must_use]
    pub fn is_live(&self, row: usize) -> bool {
        either!(self, rows => rows.is_live(row))
    }

    /// Which version of its document `row` is.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn version(&self, row: usize) -> Result<u64, SegmentError> {
        let Some(column) = self.column(VERSION_COLUMN) else {
            return Ok(1);
        };
        let mut versions = NumberVector::default();
        self.numbers(column, row / VECTOR_ROWS, &mut versions)?;
        let value = versions.occurrence.values(row % VECTOR_ROWS).next();
        let version = value.and_then(|value| versions.mantissas.get(value));
        Ok(version.map_or(1, |version| version.unsigned_abs()))
    }

    /// The routing that `row` was written with.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn routing(&self, row: usize) -> Result<Option<String>, SegmentError> {
        Ok(self.texts(ROUTING_COLUMN, row)?.pop())
    }

    /// The fields of `row` that were left out because a value did not fit.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn ignored(&self, row: usize) -> Result<Vec<String>, SegmentError> {
        self.texts(IGNORED_COLUMN, row)
    }

    /// The texts of `row` in the column at `path`, if there is one.
    fn texts(&self, path: &str, row: usize) -> Result<Vec<String>, SegmentError> {
        let Some(column) = self.column(path) else {
            return Ok(Vec::new());
        };
        let mut codes = CodeVector::default();
        self.codes(column, row / VECTOR_ROWS, &mut codes)?;
        let values = codes.occurrence.values(row % VECTOR_ROWS);
        let codes = codes.codes.get(values).unwrap_or_default();
        let text = |code: &u32| {
            let term = self.term(column, *code)?;
            Ok(String::from_utf8_lossy(&term).into_owned())
        };
        codes.iter().map(text).collect()
    }

    /// The original document of `row`.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn source(&self, row: usize) -> Result<Vec<u8>, SegmentError> {
        self.document_reader()?.document(row)
    }

    /// What rebuilds original documents, for when more than one is wanted.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn document_reader(&self) -> Result<DocumentReader<'_>, SegmentError> {
        DocumentReader::new(match self {
            Self::Segment(rows) => Rows::Segment(rows),
            Self::Active(rows) => Rows::Active(rows),
        })
    }

    /// The rows of `vector` that are deleted, as bits: row `r` of it is bit `r % 64` of word
    /// `r / 64`. `None`: none is. A deleted row takes part in no answer, so statistics of a vector
    /// that has one do not hold.
    #[must_use]
    pub fn deleted_rows(&self, vector: usize) -> Option<&VectorDeletions> {
        either!(self, rows => rows.deleted_rows(vector))
    }

    /// The rollup cells, of the rows that are not deleted. `None` for active chunks, which have
    /// none, and while those of a segment were not made again since a deletion.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn cells(&self) -> Result<Option<Arc<Cells>>, SegmentError> {
        match self {
            Self::Segment(segment) => segment.live_cells(),
            Self::Active(_) => Ok(None),
        }
    }
}

/// The rows of `vector` among `row_count`; empty behind the end.
pub(super) fn vector_rows(row_count: usize, vector: usize) -> Range<usize> {
    let start = vector.saturating_mul(VECTOR_ROWS).min(row_count);
    start..start.saturating_add(VECTOR_ROWS).min(row_count)
}

/// How many values rows have, as the source's columns say it.
pub(super) fn occurrence_kind(occurrence: &Occurrence) -> ColumnOccurrence {
    match occurrence {
        Occurrence::One => ColumnOccurrence::One,
        Occurrence::Optional(_) => ColumnOccurrence::Optional,
        Occurrence::Many(_) => ColumnOccurrence::Many,
    }
}
