//! Which rows of a source are deleted: a bitmap that is cheap to copy and to change.

use std::sync::Arc;

use crate::model::VECTOR_ROWS;

/// Words of the bitmap of a vector.
const VECTOR_WORDS: usize = VECTOR_ROWS / 64;

/// Vectors whose bitmaps lie together: what one deletion copies.
pub(super) const GROUP_VECTORS: usize = 64;

/// The deleted rows of one vector: row `r` of it is bit `r % 64` of word `r / 64`.
pub type VectorDeletions = [u64; VECTOR_WORDS];

/// Deleted rows of one source. A clone shares everything until it is changed, and a change copies
/// only the row group that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRows {
    row_count: usize,
    count: usize,
    /// By row group, up to the last that has a deleted row.
    groups: Vec<Option<Arc<Group>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// Bit `v`: vector `v` of the group has a deleted row.
    vectors: u64,
    words: [VectorDeletions; GROUP_VECTORS],
}

impl DeletedRows {
    /// No row of a source of `row_count` rows.
    #[must_use]
    pub fn new(row_count: usize) -> Self {
        Self {
            row_count,
            count: 0,
            groups: Vec::new(),
        }
    }

    /// Rows of the source, deleted or not.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Rows that are deleted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether no row is deleted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `row` is deleted.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        let place = row % VECTOR_ROWS;
        self.vector(row / VECTOR_ROWS)
            .is_some_and(|words| words[place / 64] >> (place % 64) & 1 == 1)
    }

    /// Deletes `row`; false when it was deleted before.
    ///
    /// # Panics
    /// When the source has no such row.
    pub fn insert(&mut self, row: usize) -> bool {
        assert!(row < self.row_count, "only rows of the source are deleted");
        if self.contains(row) {
            return false;
        }
        let (vector, place) = (row / VECTOR_ROWS, row % VECTOR_ROWS);
        let (group, vector) = (vector / GROUP_VECTORS, vector % GROUP_VECTORS);
        if self.groups.len() <= group {
            self.groups.resize(group + 1, None);
        }
        let group = Arc::make_mut(self.groups[group].get_or_insert_with(|| {
            Arc::new(Group {
                vectors: 0,
                words: [[0; VECTOR_WORDS]; GROUP_VECTORS],
            })
        }));
        group.vectors |= 1 << vector;
        group.words[vector][place / 64] |= 1 << (place % 64);
        self.count += 1;
        true
    }

    /// The deleted rows of `vector`; `None` when it has none.
    #[must_use]
    pub fn vector(&self, vector: usize) -> Option<&VectorDeletions> {
        let group = self.groups.get(vector / GROUP_VECTORS)?.as_ref()?;
        let vector = vector % GROUP_VECTORS;
        (group.vectors >> vector & 1 == 1).then(|| &group.words[vector])
    }

    /// Numbers and bitmaps of the vectors that have deleted rows, ascending.
    pub fn vectors(&self) -> impl Iterator<Item = (usize, &VectorDeletions)> {
        let vectors = 0..self.groups.len() * GROUP_VECTORS;
        vectors.filter_map(|vector| Some((vector, self.vector(vector)?)))
    }

    /// All deleted rows, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.vectors().flat_map(|(vector, words)| {
            let bits = 0..VECTOR_ROWS;
            bits.filter(|bit| words[bit / 64] >> (bit % 64) & 1 == 1)
                .map(move |bit| vector * VECTOR_ROWS + bit)
        })
    }

    /// Memory that it takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.groups.iter().flatten().count() * size_of::<Group>()
            + self.groups.len() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bitmap_is_the_set(
            row_count in 1_usize..300_000,
            places in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let mut deleted = DeletedRows::new(row_count);
            let mut expected = BTreeSet::new();
            for place in places {
                let row = place.index(row_count);
                let before = deleted.clone();
                prop_assert_eq!(deleted.insert(row), expected.insert(row));
                let known = usize::from(before.contains(row));
                prop_assert_eq!(before.count() + 1, deleted.count() + known);
            }
            prop_assert_eq!(deleted.count(), expected.len());
            prop_assert!(deleted.rows().eq(expected.iter().copied()));
            let vectors: BTreeSet<_> = expected.iter().map(|row| row / VECTOR_ROWS).collect();
            prop_assert!(deleted.vectors().map(|(vector, _)| vector).eq(vectors));
        }
    }
}
