//! A column as pages: vector headers, values by row group, and a dictionary for texts.

use super::Section;
use super::dictionary_pages::write_dictionary;
use super::encoding::{VECTOR_VALUES_MAX, VectorHeader, encode_code_vector, encode_number_vector};
use super::layout::{GROUP_ROWS, page};
use super::occurrence::{ValueIndex, slice_vector};
use super::pages::{Packing, PageWriter, WriteFlaw};
use super::source::vector_rows;
use crate::model::{CodeVector, Exponents, NumberColumn, NumberVector, TextColumn, VECTOR_ROWS};

/// Appends the pages of a number column of `row_count` rows.
pub(super) fn write_numbers(
    numbers: &NumberColumn,
    row_count: usize,
    column: u32,
    out: &mut PageWriter<'_>,
) -> Result<(), WriteFlaw> {
    let index = ValueIndex::new(&numbers.occurrence);
    let mut vector = NumberVector::default();
    write_vectors(row_count, column, out, |rows, values_page| {
        vector.row_count = rows.len();
        let values = slice_vector(&numbers.occurrence, &index, rows, &mut vector.occurrence);
        check_values(values.len())?;
        vector.mantissas.clear();
        vector
            .mantissas
            .extend_from_slice(&numbers.mantissas[values.clone()]);
        match &numbers.exponents {
            Exponents::Uniform(exponent) => vector.exponents = Exponents::Uniform(*exponent),
            Exponents::Each(exponents) => {
                vector
                    .exponents
                    .make_each()
                    .extend_from_slice(&exponents[values]);
            }
        }
        Ok(encode_number_vector(&vector, values_page))
    })
}

/// Appends the pages of a text column whose terms ascend.
pub(super) fn write_texts(
    texts: &TextColumn,
    row_count: usize,
    column: u32,
    out: &mut PageWriter<'_>,
) -> Result<(), WriteFlaw> {
    let index = ValueIndex::new(&texts.occurrence);
    let mut vector = CodeVector::default();
    write_vectors(row_count, column, out, |rows, values_page| {
        vector.row_count = rows.len();
        let values = slice_vector(&texts.occurrence, &index, rows, &mut vector.occurrence);
        check_values(values.len())?;
        vector.codes.clear();
        vector.codes.extend_from_slice(&texts.codes[values]);
        Ok(encode_code_vector(&vector, values_page))
    })?;
    write_dictionary(&texts.dictionary, column, out)
}

fn check_values(count: usize) -> Result<(), WriteFlaw> {
    if count <= VECTOR_VALUES_MAX {
        return Ok(());
    }
    Err(WriteFlaw::TooLarge("1,024 rows have more than 2^24 values"))
}

/// Appends the headers and the values that `encode` makes of each vector.
fn write_vectors(
    row_count: usize,
    column: u32,
    out: &mut PageWriter<'_>,
    mut encode: impl FnMut(std::ops::Range<usize>, &mut Vec<u8>) -> Result<VectorHeader, WriteFlaw>,
) -> Result<(), WriteFlaw> {
    let mut headers = Vec::new();
    let mut pages = vec![Vec::new()];
    for vector in 0..row_count.div_ceil(VECTOR_ROWS) {
        if vector > 0 && (vector * VECTOR_ROWS).is_multiple_of(GROUP_ROWS) {
            pages.push(Vec::new());
        }
        let values_page = pages.last_mut().expect("there is one from the start");
        encode(vector_rows(row_count, vector), values_page)?.encode(&mut headers);
    }
    out.add(page(column, Section::Headers, 0), &headers, Packing::Zstd)?;
    for (group, values) in (0..).zip(&pages) {
        out.add(page(column, Section::Values, group), values, Packing::Plain)?;
    }
    Ok(())
}
