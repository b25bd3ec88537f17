//! The unit of execution: the values of one column for up to 1,024 consecutive rows.

use std::ops::Range;

/// Rows of a vector; the last one of a source may have fewer.
pub const VECTOR_ROWS: usize = 1024;

/// Powers of ten of the values of a number column or vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exponents {
    /// All values share one.
    Uniform(i16),
    /// One for each value.
    Each(Vec<i16>),
}

impl Exponents {
    /// The exponent of value `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> i16 {
        match self {
            Self::Uniform(exponent) => *exponent,
            Self::Each(exponents) => exponents[index],
        }
    }

    /// An empty list of one exponent a value, whose memory is kept from earlier use.
    pub fn make_each(&mut self) -> &mut Vec<i16> {
        if let Self::Uniform(_) = self {
            *self = Self::Each(Vec::new());
        }
        match self {
            Self::Each(exponents) => {
                exponents.clear();
                exponents
            }
            Self::Uniform(_) => unreachable!("was just replaced"),
        }
    }
}

impl Default for Exponents {
    fn default() -> Self {
        Self::Uniform(0)
    }
}

/// How the dense values of a vector are dealt out to its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VectorOccurrence {
    /// Each row has exactly one value.
    #[default]
    One,
    /// A row has none or one; bit `row` of word `row / 64` is set where there is one.
    Optional(Box<[u64; VECTOR_ROWS / 64]>),
    /// Row `r` has the values `starts[r]..starts[r + 1]`; one entry more than rows.
    Many(Vec<u32>),
}

impl VectorOccurrence {
    /// Which of the dense values are those of `row`.
    #[must_use]
    pub fn values(&self, row: usize) -> Range<usize> {
        match self {
            Self::One => row..row + 1,
            Self::Optional(words) => {
                let (word, bit) = (row / 64, row % 64);
                let before: u32 = words[..word].iter().map(|word| word.count_ones()).sum();
                let inside = (words[word] & ((1 << bit) - 1)).count_ones();
                let start = (before + inside) as usize;
                start..start + usize::from(words[word] >> bit & 1 == 1)
            }
            Self::Many(starts) => starts[row] as usize..starts[row + 1] as usize,
        }
    }
}

/// Decoded numbers of one vector. Reused between calls so that scans do not allocate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberVector {
    /// Rows covered.
    pub row_count: usize,
    /// Dense digits.
    pub mantissas: Vec<i64>,
    /// Their powers of ten.
    pub exponents: Exponents,
    /// How values are dealt out to rows.
    pub occurrence: VectorOccurrence,
}

impl NumberVector {
    /// Removes all values, and keeps their memory.
    pub fn clear(&mut self) {
        self.mantissas.clear();
        self.exponents = Exponents::default();
        self.occurrence = VectorOccurrence::One;
        self.row_count = 0;
    }
}

/// Decoded dictionary codes of one vector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeVector {
    /// Rows covered.
    pub row_count: usize,
    /// Dense codes into the source's dictionary of this column.
    pub codes: Vec<u32>,
    /// How values are dealt out to rows.
    pub occurrence: VectorOccurrence,
}

impl CodeVector {
    /// Removes all values, and keeps their memory.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.occurrence = VectorOccurrence::One;
        self.row_count = 0;
    }
}
