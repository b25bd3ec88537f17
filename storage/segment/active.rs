//! Rows in memory that are not sealed yet, as a query sees them.

use std::sync::{Arc, OnceLock};

use super::check::check_batch;
use super::gather::{
    RowRef, common_kind, gather_column, gather_sources, gather_texts, rows_in_order,
};
use super::occurrence::{ValueIndex, slice_vector};
use super::source::{occurrence_kind, vector_rows};
use super::{ColumnHandle, ColumnInfo, NumberSummary, SegmentError, SourceId, SourceRows};
use crate::memory::{Held, MemoryBudget, MemoryUse};
use crate::model::{
    CodeVector, Column, ColumnBatch, Dictionary, Exponents, NumberVector, Occurrence, TextColumn,
    VECTOR_ROWS,
};

/// An immutable batch of rows with what scans need to find their way in it.
#[derive(Debug)]
pub struct ActiveChunk {
    id: SourceId,
    batch: ColumnBatch,
    /// How to find the values of a row, for each column.
    value_indexes: Vec<ValueIndex>,
    ids: Option<ValueIndex>,
    /// All rows that have ids, ascending by id and row; made when an id is first looked up.
    rows_by_id: OnceLock<Vec<(u32, u32)>>,
    vector_bounds_ms: Vec<(i64, i64)>,
    is_time_sorted: bool,
    memory_bytes: usize,
    held: OnceLock<Held>,
}

impl ActiveChunk {
    /// The rows of `batch`.
    ///
    /// # Panics
    /// When the parts of `batch` do not fit together.
    #[must_use]
    pub fn new(mut batch: ColumnBatch) -> Self {
        // It stays until it is sealed, and vectors that grew are up to twice as long.
        batch.shrink_to_fit();
        if let Err(error) = check_batch(&batch) {
            panic!("decoding makes consistent batches: {error}");
        }
        let value_indexes = batch
            .columns
            .iter()
            .map(|(_, column)| ValueIndex::new(occurrence(column)))
            .collect();
        Self {
            id: SourceId::new(),
            value_indexes,
            ids: batch
                .ids
                .as_ref()
                .map(|ids| ValueIndex::new(&ids.occurrence)),
            rows_by_id: OnceLock::new(),
            vector_bounds_ms: batch.times_ms.chunks(VECTOR_ROWS).map(bounds).collect(),
            is_time_sorted: batch.times_ms.is_sorted(),
            memory_bytes: memory_bytes(&batch),
            held: OnceLock::new(),
            batch,
        }
    }

    /// The same, counted in `budget` as long as somebody has it.
    #[must_use]
    pub fn counted_in(self, budget: &Arc<MemoryBudget>) -> Self {
        let held = || budget.hold(MemoryUse::ActiveRows, self.memory_bytes);
        self.held.get_or_init(held);
        self
    }

    /// All live rows of `chunks` as one chunk, in the same order.
    ///
    /// # Errors
    /// When one path holds texts in one chunk and numbers in another, or when a dictionary
    /// outgrows its limit.
    pub fn concat(chunks: &[SourceRows<Self>]) -> Result<Self, SegmentError> {
        concat_batches(chunks).map(Self::new)
    }

    /// The rows as they came.
    #[must_use]
    pub fn batch(&self) -> &ColumnBatch {
        &self.batch
    }

    /// Memory that the rows take, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.batch.row_count()
    }

    pub(super) fn times_are_field(&self) -> bool {
        self.batch.times_are_field
    }

    pub(super) fn is_time_sorted(&self) -> bool {
        self.is_time_sorted
    }

    /// The earliest and the latest time; `None` without rows.
    #[must_use]
    pub fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        let earliest = self.vector_bounds_ms.iter().map(|bounds| bounds.0).min()?;
        let latest = self.vector_bounds_ms.iter().map(|bounds| bounds.1).max()?;
        Some((earliest, latest))
    }

    pub(super) fn vector_time_bounds_ms(&self, vector: usize) -> (i64, i64) {
        self.vector_bounds_ms[vector]
    }

    pub(super) fn times_ms(&self, vector: usize, out: &mut Vec<i64>) -> Result<(), SegmentError> {
        out.clear();
        out.extend_from_slice(&self.batch.times_ms[vector_rows(self.row_count(), vector)]);
        Ok(())
    }

    pub(super) fn origins(
        &self,
        vector: usize,
        partitions: &mut Vec<u32>,
        offsets: &mut Vec<u64>,
    ) -> Result<(), SegmentError> {
        let rows = vector_rows(self.row_count(), vector);
        partitions.clear();
        partitions.extend_from_slice(&self.batch.partitions[rows.clone()]);
        offsets.clear();
        offsets.extend_from_slice(&self.batch.offsets[rows]);
        Ok(())
    }

    pub(super) fn column(&self, path: &str) -> Option<ColumnHandle> {
        let columns = &self.batch.columns;
        let index = columns
            .binary_search_by(|(name, _)| name.as_ref().cmp(path))
            .ok()?;
        u32::try_from(index).ok().map(ColumnHandle)
    }

    pub(super) fn column_paths(&self) -> impl Iterator<Item = &Arc<str>> {
        self.batch.columns.iter().map(|(path, _)| path)
    }

    pub(super) fn column_info(&self, column: ColumnHandle) -> ColumnInfo {
        let column = &self.batch.columns[column.0 as usize].1;
        ColumnInfo {
            kind: column.kind(),
            occurrence: occurrence_kind(occurrence(column)),
        }
    }

    pub(super) fn dictionary(&self, column: ColumnHandle) -> Result<Arc<Dictionary>, SegmentError> {
        Ok(self.texts(column)?.0.dictionary.clone())
    }

    pub(super) fn source_id(&self) -> SourceId {
        self.id
    }

    pub(super) fn term_count(&self, column: ColumnHandle) -> Result<usize, SegmentError> {
        Ok(self.texts(column)?.0.dictionary.len())
    }

    pub(super) fn find_term(
        &self,
        column: ColumnHandle,
        term: &[u8],
    ) -> Result<Option<u32>, SegmentError> {
        let mut terms = (0..).zip(self.texts(column)?.0.dictionary.terms());
        Ok(terms
            .find(|(_, candidate)| *candidate == term)
            .map(|(code, _)| code))
    }

    pub(super) fn numbers(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let wrong = SegmentError::WrongColumn {
            column: column.0,
            wanted: "numbers",
        };
        let index = column.0 as usize;
        let numbers = match self.batch.columns.get(index) {
            Some((_, Column::Integer(numbers) | Column::Decimal(numbers))) => numbers,
            Some((_, Column::Text(_))) | None => return Err(wrong),
        };
        let rows = vector_rows(self.row_count(), vector);
        out.row_count = rows.len();
        let values = slice_vector(
            &numbers.occurrence,
            &self.value_indexes[index],
            rows,
            &mut out.occurrence,
        );
        out.mantissas.clear();
        out.mantissas
            .extend_from_slice(&numbers.mantissas[values.clone()]);
        match &numbers.exponents {
            Exponents::Uniform(exponent) => out.exponents = Exponents::Uniform(*exponent),
            Exponents::Each(exponents) => {
                let each = out.exponents.make_each();
                each.extend_from_slice(&exponents[values]);
            }
        }
        Ok(())
    }

    pub(super) fn codes(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let (texts, index) = self.texts(column)?;
        let rows = vector_rows(self.row_count(), vector);
        out.row_count = rows.len();
        let values = slice_vector(&texts.occurrence, index, rows, &mut out.occurrence);
        out.codes.clear();
        out.codes.extend_from_slice(&texts.codes[values]);
        Ok(())
    }

    /// Active rows have no statistics: they are few.
    pub(super) fn number_summary(&self, _: ColumnHandle, _: usize) -> Option<NumberSummary> {
        None
    }

    pub(super) fn id(&self, row: usize) -> Result<Option<Vec<u8>>, SegmentError> {
        self.check_row(row)?;
        let Some((ids, index)) = self.batch.ids.as_ref().zip(self.ids.as_ref()) else {
            return Ok(None);
        };
        let value = index.values(&ids.occurrence, row..row + 1);
        let code = ids.codes[value].first();
        Ok(code.map(|code| ids.dictionary.term(*code).to_vec()))
    }

    /// All rows with the given id, ascending.
    pub(super) fn find_id(&self, id: &[u8]) -> Result<Vec<usize>, SegmentError> {
        let Some((ids, index)) = self.batch.ids.as_ref().zip(self.ids.as_ref()) else {
            return Ok(Vec::new());
        };
        let rows = self
            .rows_by_id
            .get_or_init(|| rows_by_id(ids, index, self.row_count()));
        let start = rows.partition_point(|(code, _)| ids.dictionary.term(*code) < id);
        let same = rows[start..].iter();
        let same = same.take_while(|(code, _)| ids.dictionary.term(*code) == id);
        Ok(same.map(|(_, row)| *row as usize).collect())
    }

    pub(super) fn shapes(&self) -> Result<Arc<Dictionary>, SegmentError> {
        Ok(Arc::clone(&self.batch.sources.shapes))
    }

    /// No codes at all where there are no documents.
    pub(super) fn shape_codes(
        &self,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let codes = &self.batch.sources.codes;
        out.codes.clear();
        out.codes
            .extend_from_slice(&codes[vector_rows(codes.len(), vector)]);
        Ok(())
    }

    pub(super) fn own_bytes(&self, row: usize) -> Result<Vec<u8>, SegmentError> {
        self.check_row(row)?;
        Ok(self.batch.sources.own_bytes(row).to_vec())
    }

    pub(super) fn term(&self, column: ColumnHandle, code: u32) -> Result<Vec<u8>, SegmentError> {
        Ok(self.texts(column)?.0.dictionary.term(code).to_vec())
    }

    fn check_row(&self, row: usize) -> Result<(), SegmentError> {
        let count = self.row_count();
        if row < count {
            return Ok(());
        }
        Err(SegmentError::OutOfRange {
            what: "row",
            index: row,
            count,
        })
    }

    fn texts(&self, column: ColumnHandle) -> Result<(&TextColumn, &ValueIndex), SegmentError> {
        let index = column.0 as usize;
        match self.batch.columns.get(index) {
            Some((_, Column::Text(texts))) => Ok((texts, &self.value_indexes[index])),
            Some((_, Column::Integer(_) | Column::Decimal(_))) | None => {
                Err(SegmentError::WrongColumn {
                    column: column.0,
                    wanted: "texts",
                })
            }
        }
    }
}

/// All live rows of `chunks` as one batch, in the same order.
fn concat_batches(chunks: &[SourceRows<ActiveChunk>]) -> Result<ColumnBatch, SegmentError> {
    let batches: Vec<&ColumnBatch> = chunks.iter().map(|chunk| &chunk.batch).collect();
    let mut rows = rows_in_order(&batches);
    if chunks.iter().any(|chunk| chunk.deleted().is_some()) {
        rows.retain(|row| chunks[row.batch as usize].is_live(row.row as usize));
    }
    let mut paths: Vec<&Arc<str>> = batches
        .iter()
        .flat_map(|batch| batch.columns.iter().map(|(path, _)| path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut columns = Vec::with_capacity(paths.len());
    for path in paths {
        let parts = batches.iter().filter_map(|batch| batch.column(path));
        let kind = common_kind(parts.map(Column::kind), path, false)?;
        columns.push((path.clone(), gather_column(&batches, path, kind, &rows)?));
    }
    let all_ids: Vec<_> = batches.iter().map(|batch| batch.ids.as_ref()).collect();
    let ids = match all_ids.iter().any(Option::is_some) {
        true => Some(gather_texts(&all_ids, &"_id".into(), &rows)?),
        false => None,
    };
    Ok(ColumnBatch {
        times_ms: keys(&batches, &rows, |batch| &batch.times_ms),
        partitions: keys(&batches, &rows, |batch| &batch.partitions),
        offsets: keys(&batches, &rows, |batch| &batch.offsets),
        ids,
        sources: gather_sources(&batches, &rows),
        columns,
        times_are_field: batches.iter().all(|batch| batch.times_are_field),
    })
}

/// One of the keys that every row has.
fn keys<T: Copy>(
    batches: &[&ColumnBatch],
    rows: &[RowRef],
    values: impl Fn(&ColumnBatch) -> &[T],
) -> Vec<T> {
    let batches: Vec<&[T]> = batches.iter().map(|batch| values(batch)).collect();
    rows.iter()
        .map(|row| batches[row.batch as usize][row.row as usize])
        .collect()
}

/// How the values of `column` are dealt out to rows.
fn occurrence(column: &Column) -> &Occurrence {
    match column {
        Column::Integer(numbers) | Column::Decimal(numbers) => &numbers.occurrence,
        Column::Text(texts) => &texts.occurrence,
    }
}

/// Codes of all ids with their rows, ascending by id and row.
fn rows_by_id(ids: &TextColumn, index: &ValueIndex, row_count: usize) -> Vec<(u32, u32)> {
    let mut rows = Vec::with_capacity(ids.codes.len());
    for (row, number) in (0..row_count).zip(0_u32..) {
        let codes = &ids.codes[index.values(&ids.occurrence, row..row + 1)];
        rows.extend(codes.iter().map(|code| (*code, number)));
    }
    rows.sort_by(|a, b| {
        let terms = ids.dictionary.term(a.0).cmp(ids.dictionary.term(b.0));
        terms.then(a.1.cmp(&b.1))
    });
    rows
}

fn bounds(times_ms: &[i64]) -> (i64, i64) {
    times_ms
        .iter()
        .fold((i64::MAX, i64::MIN), |(earliest, latest), time| {
            (earliest.min(*time), latest.max(*time))
        })
}

/// Memory of the vectors of `batch`; what their owners add is small beside it.
fn memory_bytes(batch: &ColumnBatch) -> usize {
    let columns: usize = batch
        .columns
        .iter()
        .map(|(_, column)| match column {
            Column::Integer(numbers) | Column::Decimal(numbers) => {
                let exponents = match &numbers.exponents {
                    Exponents::Uniform(_) => 0,
                    Exponents::Each(exponents) => exponents.len() * size_of::<i16>(),
                };
                numbers.mantissas.len() * size_of::<i64>()
                    + exponents
                    + occurrence_bytes(&numbers.occurrence)
            }
            Column::Text(texts) => text_bytes(texts),
        })
        .sum();
    let row_bytes = size_of::<i64>() + size_of::<u32>() + size_of::<u64>();
    columns
        + batch.row_count() * row_bytes
        + batch.sources.memory_bytes()
        + batch.ids.as_ref().map_or(0, text_bytes)
}

fn text_bytes(texts: &TextColumn) -> usize {
    (texts.codes.len() + texts.dictionary.len()) * size_of::<u32>()
        + texts.dictionary.text_bytes()
        + occurrence_bytes(&texts.occurrence)
}

fn occurrence_bytes(occurrence: &Occurrence) -> usize {
    match occurrence {
        Occurrence::One => 0,
        Occurrence::Optional(words) => words.len() * size_of::<u64>(),
        Occurrence::Many(starts) => starts.len() * size_of::<u32>(),
    }
}
