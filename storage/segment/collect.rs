//! Whole columns from their vectors.

use std::ops::Range;
use std::sync::Arc;

use super::SegmentError;
use super::encoding::Flaw;
use super::gather::DigitsBuilder;
use super::layout::FOOTER;
use super::occurrence::OccurrenceBuilder;
use crate::model::{
    CodeVector, ColumnKind, Decimal, Dictionary, NumberColumn, NumberVector, TextColumn,
    VectorOccurrence,
};

/// The numbers of `vectors`, in the form that they were written in.
pub(super) fn read_numbers(
    vectors: Range<usize>,
    kind: ColumnKind,
    mut read: impl FnMut(usize, &mut NumberVector) -> Result<(), SegmentError>,
) -> Result<NumberColumn, SegmentError> {
    let mut occurrence = OccurrenceBuilder::default();
    let mut digits = DigitsBuilder::default();
    let mut out = NumberVector::default();
    for vector in vectors {
        read(vector, &mut out)?;
        push_rows(&out.occurrence, out.row_count, &mut occurrence)?;
        for (index, mantissa) in out.mantissas.iter().enumerate() {
            let value = Decimal {
                mantissa: *mantissa,
                exponent: out.exponents.get(index),
            };
            digits.push(match kind {
                ColumnKind::Decimal => value.normalized(),
                ColumnKind::Integer | ColumnKind::Text => value,
            });
        }
    }
    Ok(digits.finish(occurrence.finish()))
}

/// The codes of `vectors`.
pub(super) fn read_codes(
    vectors: Range<usize>,
    dictionary: Arc<Dictionary>,
    mut read: impl FnMut(usize, &mut CodeVector) -> Result<(), SegmentError>,
) -> Result<TextColumn, SegmentError> {
    let mut occurrence = OccurrenceBuilder::default();
    let mut codes = Vec::new();
    let mut out = CodeVector::default();
    for vector in vectors {
        read(vector, &mut out)?;
        push_rows(&out.occurrence, out.row_count, &mut occurrence)?;
        codes.extend_from_slice(&out.codes);
    }
    Ok(TextColumn {
        dictionary,
        codes,
        occurrence: occurrence.finish(),
    })
}

fn push_rows(
    vector: &VectorOccurrence,
    row_count: usize,
    out: &mut OccurrenceBuilder,
) -> Result<(), SegmentError> {
    let too_many = || FOOTER.malformed(Flaw("a column has 2^32 values or more"));
    for row in 0..row_count {
        let count = match vector {
            VectorOccurrence::One => 1,
            VectorOccurrence::Optional(words) => (words[row / 64] >> (row % 64) & 1) as usize,
            VectorOccurrence::Many(starts) => (starts[row + 1] - starts[row]) as usize,
        };
        out.push(count).ok_or_else(too_many)?;
    }
    Ok(())
}
