//! Proves a segment: every byte is the one that was written, and everything that was derived from
//! rows is derived again.

use super::cells::{CellPlan, derive_cells};
use super::check::check_batch;
use super::document_reader::Rows;
use super::encoding::{VectorHeader, number_statistics};
use super::ids::{first_rows, id_row};
use super::layout::{CELLS, FOOTER, IDS, page};
use super::writer::summarise;
use super::{ColumnHandle, DocumentReader, PageName, Section, SegmentError, SegmentReader};
use crate::model::{Column, ColumnBatch, ColumnKind, NumberVector, Occurrence, VECTOR_ROWS};

impl SegmentReader {
    /// Reads and checks every byte and derives statistics and cells again from the rows.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self) -> Result<(), SegmentError> {
        self.file.verify()?;
        let batch = self.read_batch()?;
        check_batch(&batch)?;
        self.verify_order(&batch)?;
        self.verify_statistics()?;
        self.verify_ids(&batch)?;
        let mut documents = DocumentReader::new(Rows::Segment(self))?;
        (0..batch.row_count()).try_for_each(|row| documents.document(row).map(drop))?;
        let cells = self.cells()?;
        ensure(
            derive_cells(&batch, &CellPlan::of(&cells)) == *cells,
            page(CELLS, Section::Cells, 0),
            "cells differ from those of the rows",
        )
    }

    fn verify_order(&self, batch: &ColumnBatch) -> Result<(), SegmentError> {
        let rows = batch
            .times_ms
            .iter()
            .zip(batch.partitions.iter().zip(&batch.offsets));
        ensure(
            rows.is_sorted(),
            FOOTER,
            "rows do not ascend by time, partition and offset",
        )?;
        ensure(
            summarise(batch) == *self.summary(),
            FOOTER,
            "times or offsets differ from those of the rows",
        )?;
        let bounds = batch
            .times_ms
            .chunks(VECTOR_ROWS)
            .map(|times| (times[0], times[times.len() - 1]));
        ensure(
            bounds.eq(self.file.footer.vector_times_ms.iter().copied()),
            FOOTER,
            "times of vectors differ from those of the rows",
        )?;
        let field_is_time = |column: &Column| match column {
            Column::Integer(numbers) => {
                numbers.occurrence == Occurrence::One && numbers.mantissas == batch.times_ms
            }
            Column::Decimal(_) | Column::Text(_) => false,
        };
        ensure(
            !batch.times_are_field
                || batch
                    .columns
                    .iter()
                    .any(|(_, column)| field_is_time(column)),
            FOOTER,
            "no column equals the sort times",
        )
    }

    fn verify_statistics(&self) -> Result<(), SegmentError> {
        let mut out = NumberVector::default();
        for (entry, number) in self.file.footer.columns.iter().zip(0..) {
            let handle = ColumnHandle(number);
            if entry.info.kind == ColumnKind::Text {
                continue;
            }
            let name = page(entry.stored_as, Section::Headers, 0);
            for vector in 0..self.row_count().div_ceil(VECTOR_ROWS) {
                self.numbers(handle, vector, &mut out)?;
                let header = self.header(handle, vector)?;
                ensure(
                    header_agrees(header, &out),
                    name,
                    "a vector header differs from its values",
                )?;
            }
        }
        Ok(())
    }

    fn verify_ids(&self, batch: &ColumnBatch) -> Result<(), SegmentError> {
        let Some(ids) = &batch.ids else {
            return Ok(());
        };
        let rows = first_rows(ids, batch.row_count());
        for (code, row) in (0..).zip(rows) {
            ensure(
                id_row(code, &self.file)? == row as usize,
                page(IDS, Section::IdRows, 0),
                "an id leads to another row",
            )?;
        }
        Ok(())
    }
}

/// Whether the header of a vector says what its values say.
fn header_agrees(header: &VectorHeader, values: &NumberVector) -> bool {
    match (
        number_statistics(values, header.exponent),
        header.statistics,
    ) {
        (None, None) => true,
        (Some(derived), Some(stored)) => {
            derived.sum == stored.sum
                && derived.min.compare(stored.min).is_eq()
                && derived.max.compare(stored.max).is_eq()
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn ensure(holds: bool, page: PageName, reason: &'static str) -> Result<(), SegmentError> {
    if holds {
        return Ok(());
    }
    Err(SegmentError::Disagrees { page, reason })
}
