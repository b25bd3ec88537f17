//! Which rows of a segment are deleted.

use crate::model::VECTOR_ROWS;

/// Words of the bits of one vector.
const VECTOR_WORDS: usize = VECTOR_ROWS / 64;

/// A set of rows of one segment, as bits by vector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeletedRows {
    /// Vectors behind the last one have no deleted row.
    vectors: Vec<[u64; VECTOR_WORDS]>,
    count: u64,
}

impl DeletedRows {
    /// Adds `row`; says whether it is new.
    pub fn insert(&mut self, row: usize) -> bool {
        let (vector, word, bit) = place(row);
        if self.vectors.len() <= vector {
            self.vectors.resize(vector + 1, [0; VECTOR_WORDS]);
        }
        let word = &mut self.vectors[vector][word];
        let is_new = *word >> bit & 1 == 0;
        *word |= 1 << bit;
        self.count += u64::from(is_new);
        is_new
    }

    /// Whether `row` is deleted.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        let (vector, word, bit) = place(row);
        self.vectors
            .get(vector)
            .is_some_and(|words| words[word] >> bit & 1 == 1)
    }

    /// Number of deleted rows.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The deleted rows of `vector`: row `r` of it is bit `r % 64` of word `r / 64`. `None`: none.
    #[must_use]
    pub fn vector(&self, vector: usize) -> Option<&[u64; VECTOR_WORDS]> {
        let words = self.vectors.get(vector)?;
        words.iter().any(|word| *word != 0).then_some(words)
    }
}

fn place(row: usize) -> (usize, usize, usize) {
    let inside = row % VECTOR_ROWS;
    (row / VECTOR_ROWS, inside / 64, inside % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_deleted_once() {
        let mut deleted = DeletedRows::default();
        for row in [0, 63, 64, 1023, 1024, 5000, 64] {
            deleted.insert(row);
        }
        assert_eq!(deleted.count(), 6);
        let all: Vec<_> = (0..9000).filter(|row| deleted.contains(*row)).collect();
        assert_eq!(all, [0, 63, 64, 1023, 1024, 5000]);
        assert_eq!(
            deleted.vector(1),
            Some(&{
                let mut words = [0; VECTOR_WORDS];
                words[0] = 1;
                words
            })
        );
        assert_eq!(deleted.vector(2), None);
        assert_eq!(deleted.vector(99), None);
    }
}
