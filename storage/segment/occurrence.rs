//! Finding the values of a row, and building occurrences in their narrowest form.

use std::ops::Range;

use crate::model::{Occurrence, VECTOR_ROWS, VectorOccurrence};

/// Words of a presence bitmap of one vector.
pub(super) const VECTOR_WORDS: usize = VECTOR_ROWS / 64;

/// Finds the values of a row of a whole column in constant time.
#[derive(Debug)]
pub(super) enum ValueIndex {
    /// Value `r` is row `r`'s.
    One,
    /// Values before each word of the presence bitmap.
    Optional(Vec<u32>),
    /// The occurrence itself says it.
    Many,
}

impl ValueIndex {
    /// The index of `occurrence`.
    pub(super) fn new(occurrence: &Occurrence) -> Self {
        match occurrence {
            Occurrence::One => Self::One,
            Occurrence::Many(_) => Self::Many,
            Occurrence::Optional(words) => {
                let mut before = 0;
                Self::Optional(
                    words
                        .iter()
                        .map(|word| {
                            let rank = before;
                            before += word.count_ones();
                            rank
                        })
                        .collect(),
                )
            }
        }
    }

    /// Values of all rows before `row`, which may be the row behind the last.
    pub(super) fn values_before(&self, occurrence: &Occurrence, row: usize) -> usize {
        match (self, occurrence) {
            (Self::Optional(ranks), Occurrence::Optional(words)) => {
                let (word, bit) = (row / 64, row % 64);
                match (ranks.get(word), words.get(word)) {
                    (Some(rank), Some(bits)) => {
                        *rank as usize + (bits & low_bits(bit)).count_ones() as usize
                    }
                    // The row behind the last one, at the edge of a word.
                    _ => ranks.last().zip(words.last()).map_or(0, |(rank, bits)| {
                        *rank as usize + bits.count_ones() as usize
                    }),
                }
            }
            (Self::Many, Occurrence::Many(starts)) => starts[row] as usize,
            _ => row,
        }
    }

    /// The values of `rows`.
    pub(super) fn values(&self, occurrence: &Occurrence, rows: Range<usize>) -> Range<usize> {
        self.values_before(occurrence, rows.start)..self.values_before(occurrence, rows.end)
    }
}

/// A word with the lowest `count` bits set; `count` is below 64.
fn low_bits(count: usize) -> u64 {
    (1 << count) - 1
}

/// The values of `rows` (one vector) and how they are dealt out, in its narrowest form.
pub(super) fn slice_vector(
    occurrence: &Occurrence,
    index: &ValueIndex,
    rows: Range<usize>,
    out: &mut VectorOccurrence,
) -> Range<usize> {
    let values = index.values(occurrence, rows.clone());
    match occurrence {
        Occurrence::One => *out = VectorOccurrence::One,
        Occurrence::Optional(_) if values.len() == rows.len() => *out = VectorOccurrence::One,
        Occurrence::Optional(words) => {
            let bits = optional_bits(out);
            bits.fill(0);
            let first = rows.start / 64;
            let last = rows.end.div_ceil(64).min(words.len());
            bits[..last - first].copy_from_slice(&words[first..last]);
        }
        Occurrence::Many(starts) => {
            let starts = &starts[rows.start..=rows.end];
            slice_starts(starts, rows.len(), out);
        }
    }
    values
}

/// Deals out values by absolute `starts`, one more than `row_count`.
pub(super) fn slice_starts(starts: &[u32], row_count: usize, out: &mut VectorOccurrence) {
    let counts = || starts.windows(2).map(|pair| pair[1] - pair[0]);
    if counts().all(|count| count == 1) {
        *out = VectorOccurrence::One;
    } else if counts().all(|count| count <= 1) {
        let bits = optional_bits(out);
        bits.fill(0);
        for (row, count) in counts().enumerate() {
            bits[row / 64] |= u64::from(count) << (row % 64);
        }
    } else {
        let relative = many_starts(out);
        relative.clear();
        relative.reserve(row_count + 1);
        relative.extend(starts.iter().map(|start| start - starts[0]));
    }
}

/// The values of `rows` of a vector.
pub(super) fn values_of(occurrence: &VectorOccurrence, rows: Range<usize>) -> Range<usize> {
    let before = |words: &[u64; VECTOR_WORDS], row: usize| {
        let full: u32 = words[..row / 64].iter().map(|word| word.count_ones()).sum();
        let word = words.get(row / 64).copied().unwrap_or(0);
        (full + (word & low_bits(row % 64)).count_ones()) as usize
    };
    match occurrence {
        VectorOccurrence::One => rows,
        VectorOccurrence::Optional(words) => before(words, rows.start)..before(words, rows.end),
        VectorOccurrence::Many(starts) => starts[rows.start] as usize..starts[rows.end] as usize,
    }
}

/// Makes `out` optional and gives its bits, whose memory is kept between vectors.
pub(super) fn optional_bits(out: &mut VectorOccurrence) -> &mut [u64; VECTOR_WORDS] {
    if !matches!(out, VectorOccurrence::Optional(_)) {
        *out = VectorOccurrence::Optional(Box::new([0; VECTOR_WORDS]));
    }
    match out {
        VectorOccurrence::Optional(bits) => bits,
        VectorOccurrence::One | VectorOccurrence::Many(_) => unreachable!("was just made"),
    }
}

/// Makes `out` multi-valued and gives its starts, whose memory is kept between vectors.
pub(super) fn many_starts(out: &mut VectorOccurrence) -> &mut Vec<u32> {
    if !matches!(out, VectorOccurrence::Many(_)) {
        *out = VectorOccurrence::Many(Vec::new());
    }
    match out {
        VectorOccurrence::Many(starts) => starts,
        VectorOccurrence::One | VectorOccurrence::Optional(_) => unreachable!("was just made"),
    }
}

/// Builds the narrowest occurrence from the number of values of each row.
#[derive(Debug)]
pub(super) struct OccurrenceBuilder {
    row_count: usize,
    value_count: u32,
    occurrence: Occurrence,
}

impl Default for OccurrenceBuilder {
    fn default() -> Self {
        Self {
            row_count: 0,
            value_count: 0,
            occurrence: Occurrence::One,
        }
    }
}

impl OccurrenceBuilder {
    /// Adds a row with `count` values; `None` when the column passes 2^32 values.
    pub(super) fn push(&mut self, count: usize) -> Option<()> {
        if count > 1 {
            self.widen_to_many();
        } else if count == 0 {
            self.widen_to_optional();
        }
        self.value_count = self.value_count.checked_add(u32::try_from(count).ok()?)?;
        match &mut self.occurrence {
            Occurrence::One => {}
            Occurrence::Optional(words) => {
                if self.row_count.is_multiple_of(64) {
                    words.push(0);
                }
                words[self.row_count / 64] |= (count as u64) << (self.row_count % 64);
            }
            Occurrence::Many(starts) => starts.push(self.value_count),
        }
        self.row_count += 1;
        Some(())
    }

    /// The occurrence of the rows so far.
    pub(super) fn finish(self) -> Occurrence {
        self.occurrence
    }

    fn widen_to_optional(&mut self) {
        if matches!(self.occurrence, Occurrence::One) {
            let mut words = vec![u64::MAX; self.row_count / 64];
            if !self.row_count.is_multiple_of(64) {
                words.push(low_bits(self.row_count % 64));
            }
            self.occurrence = Occurrence::Optional(words);
        }
    }

    fn widen_to_many(&mut self) {
        let index = ValueIndex::new(&self.occurrence);
        if matches!(self.occurrence, Occurrence::Many(_)) {
            return;
        }
        let starts = (0..=self.row_count)
            .map(|row| index.values_before(&self.occurrence, row))
            .map(|start| u32::try_from(start).expect("at most as many values as rows so far"))
            .collect();
        self.occurrence = Occurrence::Many(starts);
    }
}

/// The place of value `index` of the row at `place` of a vector, if the row has so many.
pub(super) fn nth_value(occurrence: &VectorOccurrence, place: usize, index: u32) -> Option<usize> {
    match occurrence {
        VectorOccurrence::One => (index == 0).then_some(place),
        VectorOccurrence::Optional(words) => {
            let (word, bit) = (place / 64, place % 64);
            let before: u32 = words[..word].iter().map(|word| word.count_ones()).sum();
            let inside = (words[word] & low_bits(bit)).count_ones();
            let is_there = index == 0 && words[word] >> bit & 1 == 1;
            is_there.then_some((before + inside) as usize)
        }
        VectorOccurrence::Many(starts) => {
            let value = starts[place].checked_add(index)?;
            (value < starts[place + 1]).then_some(value as usize)
        }
    }
}
