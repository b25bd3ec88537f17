//! Vectors that are filled piece by piece.

use std::ops::Range;

use super::super::occurrence::{slice_starts, values_of};
use crate::model::{CodeVector, Exponents, NumberVector, VectorOccurrence};

/// Deals values out to rows; knows at the end which is the narrowest form.
#[derive(Debug, Default)]
pub(super) struct Dealer {
    row_count: usize,
    /// Where the values of each row begin, from the first row that has not exactly one.
    starts: Vec<u32>,
}

impl Dealer {
    pub(super) fn clear(&mut self) {
        self.row_count = 0;
        self.starts.clear();
    }

    /// Adds `count` rows of one value each.
    pub(super) fn push_ones(&mut self, count: usize) {
        if self.starts.is_empty() {
            self.row_count += count;
        } else {
            (0..count).for_each(|_| self.push(1));
        }
    }

    /// Adds a row of `count` values.
    pub(super) fn push(&mut self, count: usize) {
        if self.starts.is_empty() {
            if count == 1 {
                self.row_count += 1;
                return;
            }
            let ones = u32::try_from(self.row_count).expect("a vector has few rows");
            self.starts.extend(0..=ones);
        }
        let last = self.starts.last().copied().unwrap_or(0);
        // A vector of too many values is refused by the writer, which counts them.
        let end = last.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.starts.push(end);
        self.row_count += 1;
    }

    /// Adds the rows `rows` of a vector whose values `occurrence` deals out.
    pub(super) fn push_rows(&mut self, occurrence: &VectorOccurrence, rows: Range<usize>) {
        match occurrence {
            VectorOccurrence::One => self.push_ones(rows.len()),
            VectorOccurrence::Optional(words) => rows.for_each(|row| {
                self.push((words[row / 64] >> (row % 64) & 1) as usize);
            }),
            VectorOccurrence::Many(starts) => rows.for_each(|row| {
                self.push((starts[row + 1] - starts[row]) as usize);
            }),
        }
    }

    /// How values are dealt out to all rows.
    pub(super) fn finish(&self, out: &mut VectorOccurrence) {
        match self.starts.is_empty() {
            true => *out = VectorOccurrence::One,
            false => slice_starts(&self.starts, self.row_count, out),
        }
    }
}

/// Appends exponents; one is kept for all as long as there is only one.
pub(super) fn push_exponents(out: &mut NumberVector, exponents: &Exponents, values: Range<usize>) {
    let before = out.mantissas.len();
    let same = match exponents {
        Exponents::Uniform(exponent) => Some(*exponent),
        Exponents::Each(each) => {
            let first = each.get(values.start).copied();
            first.filter(|first| {
                each[values.clone()]
                    .iter()
                    .all(|exponent| exponent == first)
            })
        }
    };
    if values.is_empty() {
        return;
    }
    if let (Some(same), Exponents::Uniform(known)) = (same, &mut out.exponents)
        && (before == 0 || *known == same)
    {
        *known = same;
        return;
    }
    if let Exponents::Uniform(known) = out.exponents {
        out.exponents = Exponents::Each(vec![known; before]);
    }
    let Exponents::Each(all) = &mut out.exponents else {
        unreachable!("was just made");
    };
    match exponents {
        Exponents::Uniform(exponent) => all.resize(before + values.len(), *exponent),
        Exponents::Each(each) => all.extend_from_slice(&each[values]),
    }
}

/// A vector that rows of other vectors are copied to.
pub(super) trait Sink {
    fn empty(&mut self);
    /// Appends rows of `from`.
    fn push(&mut self, from: &Self, rows: Range<usize>, dealer: &mut Dealer);
    fn finish(&mut self, row_count: usize, dealer: &Dealer);
}

impl Sink for NumberVector {
    fn empty(&mut self) {
        self.clear();
    }

    fn push(&mut self, from: &Self, rows: Range<usize>, dealer: &mut Dealer) {
        let values = values_of(&from.occurrence, rows.clone());
        push_exponents(self, &from.exponents, values.clone());
        self.mantissas.extend_from_slice(&from.mantissas[values]);
        dealer.push_rows(&from.occurrence, rows);
    }

    fn finish(&mut self, row_count: usize, dealer: &Dealer) {
        self.row_count = row_count;
        dealer.finish(&mut self.occurrence);
    }
}

impl Sink for CodeVector {
    fn empty(&mut self) {
        self.clear();
    }

    fn push(&mut self, from: &Self, rows: Range<usize>, dealer: &mut Dealer) {
        let values = values_of(&from.occurrence, rows.clone());
        self.codes.extend_from_slice(&from.codes[values]);
        dealer.push_rows(&from.occurrence, rows);
    }

    fn finish(&mut self, row_count: usize, dealer: &Dealer) {
        self.row_count = row_count;
        dealer.finish(&mut self.occurrence);
    }
}
