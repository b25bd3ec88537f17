//! A column as pages: values by row group, and the headers of its vectors behind them.

use super::dictionary_writer::{DictionarySize, DictionaryWriter};
use super::encoding::{VECTOR_VALUES_MAX, VectorHeader, encode_code_vector, encode_number_vector};
use super::input::{CodeMaps, RowInput, Stream, TermStatistics, Terms, TextName};
use super::layout::{GROUP_ROWS, page};
use super::pages::{Packing, PageWriter, WriteFlaw};
use super::source::vector_rows;
use super::{ColumnOccurrence, Section};
use crate::model::{CodeVector, NumberVector, VECTOR_ROWS, VectorOccurrence};

/// Vectors of a row group.
const GROUP_VECTORS: usize = GROUP_ROWS / VECTOR_ROWS;

/// Collects the vectors of one column.
pub(super) struct VectorWriter {
    column: u32,
    headers: Vec<u8>,
    /// Values of the row group at hand.
    values: Vec<u8>,
    vector_count: usize,
    group_count: u32,
    occurrence: ColumnOccurrence,
}

impl VectorWriter {
    pub(super) fn new(column: u32) -> Self {
        Self {
            column,
            headers: Vec::new(),
            values: Vec::new(),
            vector_count: 0,
            group_count: 0,
            occurrence: ColumnOccurrence::One,
        }
    }

    /// Adds the vector that `encode` appends to the values of its row group.
    pub(super) fn push(
        &mut self,
        occurrence: &VectorOccurrence,
        value_count: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> VectorHeader,
        out: &mut PageWriter<'_>,
    ) -> Result<(), WriteFlaw> {
        if value_count > VECTOR_VALUES_MAX {
            return Err(WriteFlaw::TooLarge("1,024 rows have more than 2^24 values"));
        }
        self.occurrence = self.occurrence.max(match occurrence {
            VectorOccurrence::One => ColumnOccurrence::One,
            VectorOccurrence::Optional(_) => ColumnOccurrence::Optional,
            VectorOccurrence::Many(_) => ColumnOccurrence::Many,
        });
        encode(&mut self.values).encode(&mut self.headers);
        self.vector_count += 1;
        if self.vector_count.is_multiple_of(GROUP_VECTORS) {
            self.finish_group(out)?;
        }
        Ok(())
    }

    /// Writes what is left, and the headers; says how many values rows have.
    pub(super) fn finish(
        mut self,
        out: &mut PageWriter<'_>,
    ) -> Result<ColumnOccurrence, WriteFlaw> {
        if !self.vector_count.is_multiple_of(GROUP_VECTORS) {
            self.finish_group(out)?;
        }
        out.add(
            page(self.column, Section::Headers, 0),
            &self.headers,
            Packing::Zstd,
        )?;
        Ok(self.occurrence)
    }

    fn finish_group(&mut self, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        out.add(
            page(self.column, Section::Values, self.group_count),
            &self.values,
            Packing::Plain,
        )?;
        self.values.clear();
        self.group_count += 1;
        Ok(())
    }
}

/// Appends the pages of a number column of `row_count` rows; `watch` sees its vectors.
pub(super) fn write_numbers(
    mut numbers: Stream<'_, NumberVector>,
    row_count: usize,
    column: u32,
    out: &mut PageWriter<'_>,
    mut watch: impl FnMut(&NumberVector),
) -> Result<ColumnOccurrence, WriteFlaw> {
    let mut writer = VectorWriter::new(column);
    let mut vector = NumberVector::default();
    for number in 0..row_count.div_ceil(VECTOR_ROWS) {
        numbers.next(vector_rows(row_count, number).len(), &mut vector)?;
        let value_count = vector.mantissas.len();
        let encode = |page: &mut Vec<u8>| encode_number_vector(&vector, page);
        writer.push(&vector.occurrence, value_count, encode, out)?;
        watch(&vector);
    }
    writer.finish(out)
}

/// What is known about a text column once it is written.
pub(super) struct WrittenTexts {
    pub(super) size: DictionarySize,
    pub(super) occurrence: ColumnOccurrence,
    pub(super) maps: CodeMaps,
}

/// Appends the pages of a text column; `watch` sees the first row of each vector and its codes.
pub(super) fn write_texts(
    input: &dyn RowInput,
    name: TextName<'_>,
    terms: &mut dyn Terms,
    column: u32,
    out: &mut PageWriter<'_>,
    mut watch: impl FnMut(usize, &CodeVector),
) -> Result<WrittenTexts, WriteFlaw> {
    let statistics: TermStatistics = terms.statistics().clone();
    let mut dictionary = DictionaryWriter::new(column, &statistics);
    let maps = terms.visit(&mut |term| dictionary.push(term, out))?;
    let size = dictionary.finish(out)?;
    let row_count = input.row_count();
    let mut codes = input.codes(name, &maps)?;
    let mut writer = VectorWriter::new(column);
    let mut vector = CodeVector::default();
    for number in 0..row_count.div_ceil(VECTOR_ROWS) {
        let rows = vector_rows(row_count, number);
        codes.next(rows.len(), &mut vector)?;
        let encode = |page: &mut Vec<u8>| encode_code_vector(&vector, page);
        writer.push(&vector.occurrence, vector.codes.len(), encode, out)?;
        watch(rows.start, &vector);
    }
    drop(codes);
    Ok(WrittenTexts {
        size,
        occurrence: writer.finish(out)?,
        maps,
    })
}
