//! Which rows of a vector take part.

use storage::model::VECTOR_ROWS;
use storage::segment::RowSource;

const WORDS: usize = VECTOR_ROWS / 64;

/// A bit for each row of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selection {
    words: [u64; WORDS],
}

impl Selection {
    pub(crate) const NONE: Self = Self { words: [0; WORDS] };

    /// The first `count` rows.
    pub(crate) fn first(count: usize) -> Self {
        let mut selection = Self::NONE;
        for (index, word) in selection.words.iter_mut().enumerate() {
            let inside = count.saturating_sub(index * 64).min(64);
            *word = match inside {
                64 => u64::MAX,
                _ => (1 << inside) - 1,
            };
        }
        selection
    }

    /// The rows below `count` of which `is_in` holds.
    pub(crate) fn of(count: usize, mut is_in: impl FnMut(usize) -> bool) -> Self {
        let mut selection = Self::NONE;
        for row in 0..count {
            selection.words[row / 64] |= u64::from(is_in(row)) << (row % 64);
        }
        selection
    }

    /// The rows whose code is `wanted`.
    pub(crate) fn of_equal(codes: &[u32], wanted: u32) -> Self {
        let mut selection = Self::NONE;
        for (word, codes) in selection.words.iter_mut().zip(codes.chunks(64)) {
            // Rare terms are in few words; this much is vector code.
            let is_in = codes
                .iter()
                .fold(false, |any, code| any | (*code == wanted));
            if is_in {
                for (bit, code) in codes.iter().enumerate() {
                    *word |= u64::from(*code == wanted) << bit;
                }
            }
        }
        selection
    }

    /// The rows of `vector` that are not deleted; `None` when none is.
    pub(crate) fn live(source: &RowSource, vector: usize) -> Option<Self> {
        let deleted = Self {
            words: *source.deleted_rows(vector)?,
        };
        Some(deleted.complement(source.vector_rows(vector).len()))
    }

    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (word, with) in self.words.iter_mut().zip(other.words) {
            *word &= with;
        }
        self
    }

    pub(crate) fn or(mut self, other: &Self) -> Self {
        for (word, with) in self.words.iter_mut().zip(other.words) {
            *word |= with;
        }
        self
    }

    /// Rows below `count` that are not in.
    pub(crate) fn complement(&self, count: usize) -> Self {
        let mut rest = Self::first(count);
        for (word, without) in rest.words.iter_mut().zip(self.words) {
            *word &= !without;
        }
        rest
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The rows, ascending.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.checked_sub(1)?;
                Some(index * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        for count in [0, 1, 63, 64, 65, 1023, 1024] {
            let all = Selection::first(count);
            assert_eq!(all.count(), count);
            assert!(all.rows().eq(0..count));
            let even = Selection::of(count, |row| row % 2 == 0);
            let odd = even.complement(count);
            assert!(odd.rows().eq((1..count).step_by(2)));
            assert_eq!(even.or(&odd), all);
            assert!(even.and(&odd).is_empty());
            let codes: Vec<u32> = (0..count as u32).map(|row| row % 100).collect();
            let equal = Selection::of(count, |row| codes[row] == 7);
            assert_eq!(Selection::of_equal(&codes, 7), equal);
        }
    }
}
