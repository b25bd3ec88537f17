//! What a scan looks at: up to 1,024 entries at a time, decoded as far as somebody asks.
//!
//! An entry is a row, or a rollup cell that stands for the rows of an hour. Filters and buckets
//! treat both alike; only metrics know the difference.

mod cells;
mod columns;
mod rows;

pub(crate) use cells::CellFrame;
pub(crate) use columns::{
    CodeBounds, Codes, Columns, LANES_MAX, NumberColumn, NumberSlot, Numbers, RowValues,
    TextColumn, TextSlot, ValueIndex, is_exact_widened, is_number, widened,
};
pub(crate) use rows::RowFrame;

use crate::QueryError;
use crate::aggregate::{BoundMetric, Members, MetricStates};

/// Entries of one source: rows of a vector or rollup cells.
pub(crate) trait Frame {
    /// Whether each entry stands for one row.
    const ENTRIES_ARE_ROWS: bool;

    /// Entries in the frame, at most 1,024.
    fn entry_count(&self) -> usize;

    /// Number of the first entry in its source.
    fn first_entry(&self) -> usize;

    /// The row group that all entries are in; `None` where entries are no rows.
    fn row_group(&self) -> Option<usize>;

    /// How many rows `entry` stands for.
    fn row_count(&self, entry: usize) -> u64;

    /// The earliest and the latest time of an entry.
    fn time_bounds_ms(&self) -> (i64, i64);

    /// Whether entries ascend by time.
    fn times_ascend(&self) -> bool;

    /// The time of each entry; of a cell, the start of its hour.
    fn times_ms(&mut self) -> Result<&[i64], QueryError>;

    /// The codes of a text column.
    fn codes(&mut self, slot: TextSlot) -> Result<Codes<'_>, QueryError>;

    /// The values of a number column.
    fn numbers(&mut self, slot: NumberSlot) -> Result<Numbers<'_>, QueryError>;

    /// A text column and up to [`LANES_MAX`] number columns at once; `None` where entries are no
    /// rows.
    fn row_values(
        &mut self,
        text: TextSlot,
        numbers: &[NumberSlot],
    ) -> Result<Option<RowValues<'_>>, QueryError>;

    /// How far the codes of a text column go; `None` where entries are no rows.
    fn code_bounds(&self, slot: TextSlot) -> Result<Option<CodeBounds>, QueryError>;

    /// What is known about a number column without decoding it.
    fn summary(&self, slot: NumberSlot) -> Option<storage::segment::NumberSummary>;

    /// Adds the values of `members` to the states of their groups.
    fn feed_metric(
        &mut self,
        metric: &BoundMetric,
        states: &mut MetricStates,
        members: &Members,
    ) -> Result<(), QueryError>;
}
