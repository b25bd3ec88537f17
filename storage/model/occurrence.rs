//! How many values each row of a column has.

/// How the dense values of a column are dealt out to its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occurrence {
    /// Each row has exactly one value.
    One,
    /// A row has none or one; bit `row` of word `row / 64` is set where there is one.
    Optional(Vec<u64>),
    /// Row `r` has the values `starts[r]..starts[r + 1]`; one entry more than rows.
    Many(Vec<u32>),
}
