//! Rollup cells: partial answers per hour, in the file whose rows they summarise.

mod accumulate;
mod codec;
mod derive;
mod rebuild;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::model::{ColumnKind, Decimal, ExactSum};

pub(super) use codec::{decode_cells, encode_cells, read_cells, write_cells};
pub(super) use derive::{
    CellForm, CellPlan, DerivedCells, Dimension, HourCollector, derive_cells, derive_like,
};
pub use rebuild::cells_without;

/// The code of a dimension's cells of rows without a value.
pub const NULL_CODE: u32 = u32::MAX;

/// All cells of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cells {
    /// The set without dimension first, then one for each dimension, ascending by column.
    pub sets: Vec<CellSet>,
    /// The hours that have rows, ascending.
    pub hours: Vec<HourRows>,
}

impl Cells {
    /// Memory that they take, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let sets = self.sets.iter().map(|set| {
            let cell = size_of::<i64>() + size_of::<u32>() + size_of::<u64>();
            set.hours_ms.len() * (cell + set.measures.len() * MeasureCells::CELL_BYTES)
        });
        sets.sum::<usize>() + size_of_val(self.hours.as_slice())
    }
}

/// Where the rows of an hour begin; they end where those of the next one begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourRows {
    /// Start of the hour.
    pub hour_ms: i64,
    /// Its first row.
    pub first_row: u32,
}

/// The cells of one dimension, or of none. Cell `i` is entry `i` of every vector; cells ascend by
/// hour, then by code ([`NULL_CODE`] last).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CellSet {
    /// Path of the dimension's column.
    pub dimension: Option<Arc<str>>,
    /// Start of each cell's hour.
    pub hours_ms: Vec<i64>,
    /// Each cell's term in the segment's dictionary of the dimension; [`NULL_CODE`] for rows
    /// without a value, and everywhere in the set without dimension.
    pub codes: Vec<u32>,
    /// Rows of each cell.
    pub row_counts: Vec<u64>,
    /// What is known about the number columns, ascending by column.
    pub measures: Vec<MeasureCells>,
}

impl MeasureCells {
    /// What a cell takes, about.
    const CELL_BYTES: usize = size_of::<u64>() + size_of::<ExactSum>() + 2 * size_of::<Decimal>();
}

/// One number column in the cells of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasureCells {
    /// Path of the column.
    pub column: Arc<str>,
    /// How its values are stored.
    pub kind: ColumnKind,
    /// Values of each cell; a row may have none or several.
    pub value_counts: Vec<u64>,
    /// Exact sum of each cell.
    pub sums: Vec<ExactSum>,
    /// Smallest value of each cell; means nothing where the count is 0.
    pub mins: Vec<Decimal>,
    /// Largest value of each cell; means nothing where the count is 0.
    pub maxs: Vec<Decimal>,
}
