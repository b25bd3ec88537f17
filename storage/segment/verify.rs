//! Proves a segment: every byte is the one that was written, and everything that was derived from
//! rows is derived again.

use std::collections::BTreeMap;

use super::cells::derive_like;
use super::check::check_batch;
use super::document_reader::Rows;
use super::encoding::{VectorHeader, number_statistics};
use super::id_filter::IdFilter;
use super::ids::{IdRows, id_row};
use super::layout::{CELLS, FOOTER, IDS, page};
use super::presence::PresenceBuilder;
use super::row_keys::add_origins;
use super::{
    ColumnHandle, DocumentReader, PageName, SEGMENT_FORMAT_VERSION, Section, SegmentError,
    SegmentReader, SegmentSummary,
};
use crate::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, NumberVector, Occurrence, VECTOR_ROWS,
};

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
            derive_like(&cells, &batch)? == *cells,
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
                self.verify_presence(handle, entry.stored_as)?;
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

    fn verify_presence(&self, handle: ColumnHandle, number: u32) -> Result<(), SegmentError> {
        let stored = self.column_at(handle);
        let Some(presence) = stored.term_presence(&self.file)? else {
            return Ok(());
        };
        let mut derived = PresenceBuilder::default();
        let mut codes = CodeVector::default();
        for vector in 0..self.row_count().div_ceil(VECTOR_ROWS) {
            self.codes(handle, vector, &mut codes)?;
            derived.push(vector * VECTOR_ROWS, &codes);
        }
        ensure(
            derived.finish(stored.term_count() as usize).as_ref() == Some(presence),
            page(number, Section::TermPresence, 0),
            "terms of row groups differ from those of the rows",
        )
    }

    fn verify_ids(&self, batch: &ColumnBatch) -> Result<(), SegmentError> {
        let Some(ids) = &self.ids else {
            return Ok(());
        };
        let mut rows = IdRows::default();
        let mut codes = CodeVector::default();
        for vector in 0..batch.row_count().div_ceil(VECTOR_ROWS) {
            ids.codes(vector, &self.file, &mut codes)?;
            rows.push(vector * VECTOR_ROWS, &codes);
        }
        let mut filter = IdFilter::new(ids.term_count() as usize);
        let dictionary = batch.ids.as_ref().map(|ids| &ids.dictionary);
        for id in dictionary.iter().flat_map(|ids| ids.terms()) {
            filter.insert(id);
        }
        let mut stored = self.file.pages(IDS, Section::IdFilter);
        for derived in filter.pages() {
            let number = stored.next();
            let bytes = number
                .map(|number| self.file.read_page(number))
                .transpose()?;
            ensure(
                bytes.is_some_and(|bytes| bytes == derived),
                page(IDS, Section::IdFilter, 0),
                "the filter is not that of the ids",
            )?;
        }
        for (code, row) in (0..).zip(rows.rows()) {
            ensure(
                id_row(code, ids.term_count(), &self.file)? == *row as usize,
                page(IDS, Section::IdRows, 0),
                "an id leads to another row",
            )?;
        }
        Ok(())
    }
}

/// What the footer must say about the rows of `batch`.
fn summarise(batch: &ColumnBatch) -> SegmentSummary {
    let partitions = batch.partitions.iter().copied().map(i64::from);
    let offsets = batch.offsets.iter().copied().map(u64::cast_signed);
    let mut origins = BTreeMap::new();
    let (partitions, offsets): (Vec<i64>, Vec<i64>) = partitions.zip(offsets).unzip();
    add_origins(&partitions, &offsets, &mut origins);
    SegmentSummary {
        row_count: batch.row_count() as u64,
        time_first_ms: batch.times_ms.first().copied().unwrap_or(0),
        time_last_ms: batch.times_ms.last().copied().unwrap_or(0),
        format_version: SEGMENT_FORMAT_VERSION,
        origins: origins.into_values().collect(),
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
