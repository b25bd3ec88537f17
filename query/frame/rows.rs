//! Rows of one vector of a source.

use storage::segment::{ColumnCursor, NumberSummary, RowSource};

use super::columns::{CodeBuffer, NumberBuffer, summary};
use super::{
    CodeBounds, Codes, Columns, Frame, LANES_MAX, NumberSlot, Numbers, RowValues, TextSlot,
};
use crate::QueryError;
use crate::aggregate::{BoundMetric, Members, MetricStates};

/// Rows of one vector; moves from vector to vector and keeps its buffers.
#[derive(Debug)]
pub(crate) struct RowFrame<'a> {
    source: &'a RowSource,
    columns: &'a Columns,
    vector: usize,
    row_count: usize,
    times_ms: Vec<i64>,
    times_of: Option<usize>,
    times_cursor: ColumnCursor,
    numbers: Vec<NumberBuffer>,
    codes: Vec<CodeBuffer>,
    /// Whether anything was decoded of this vector.
    is_read: bool,
}

impl<'a> RowFrame<'a> {
    pub(crate) fn new(source: &'a RowSource, columns: &'a Columns) -> Self {
        let mut frame = Self {
            source,
            columns,
            vector: 0,
            row_count: 0,
            times_ms: Vec::new(),
            times_of: None,
            times_cursor: ColumnCursor::default(),
            numbers: columns
                .numbers
                .iter()
                .map(|_| NumberBuffer::default())
                .collect(),
            codes: columns
                .texts
                .iter()
                .map(|_| CodeBuffer::default())
                .collect(),
            is_read: false,
        };
        frame.move_to(0);
        frame
    }

    /// Looks at `vector` from now on.
    pub(crate) fn move_to(&mut self, vector: usize) {
        self.vector = vector;
        self.row_count = self.source.vector_rows(vector).len();
        self.is_read = false;
    }

    /// Whether rows of this vector were read one by one.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }
}

impl Frame for RowFrame<'_> {
    const ENTRIES_ARE_ROWS: bool = true;

    fn entry_count(&self) -> usize {
        self.row_count
    }

    fn first_entry(&self) -> usize {
        self.source.vector_rows(self.vector).start
    }

    fn row_group(&self) -> Option<usize> {
        Some(self.source.group_of(self.vector))
    }

    fn row_count(&self, _: usize) -> u64 {
        1
    }

    fn time_bounds_ms(&self) -> (i64, i64) {
        self.source.vector_time_bounds_ms(self.vector)
    }

    fn times_ascend(&self) -> bool {
        self.source.is_time_sorted()
    }

    fn times_ms(&mut self) -> Result<&[i64], QueryError> {
        if self.times_of != Some(self.vector) {
            self.times_of = None;
            self.source
                .times_ms_at(self.vector, &mut self.times_cursor, &mut self.times_ms)?;
            self.times_of = Some(self.vector);
        }
        self.is_read = true;
        Ok(&self.times_ms)
    }

    fn codes(&mut self, slot: TextSlot) -> Result<Codes<'_>, QueryError> {
        self.is_read = true;
        self.codes[slot.0].load(self.source, self.columns.texts[slot.0].handle, self.vector)
    }

    fn numbers(&mut self, slot: NumberSlot) -> Result<Numbers<'_>, QueryError> {
        self.is_read = true;
        self.numbers[slot.0].load(self.source, &self.columns.numbers[slot.0], self.vector)
    }

    fn row_values(
        &mut self,
        text: TextSlot,
        numbers: &[NumberSlot],
    ) -> Result<Option<RowValues<'_>>, QueryError> {
        debug_assert!(numbers.len() <= LANES_MAX);
        for slot in numbers {
            self.numbers(*slot)?;
        }
        self.is_read = true;
        let column = self.columns.texts[text.0].handle;
        let codes = self.codes[text.0].load(self.source, column, self.vector)?;
        let mut lanes = [None; LANES_MAX];
        for (lane, slot) in lanes.iter_mut().zip(numbers) {
            *lane = Some(self.numbers[slot.0].loaded());
        }
        Ok(Some(RowValues {
            codes,
            numbers: lanes,
        }))
    }

    fn code_bounds(&self, slot: TextSlot) -> Result<Option<CodeBounds>, QueryError> {
        Ok(Some(CodeBounds {
            term_count: self.source.term_count(self.columns.texts[slot.0].handle)?,
            row_count: self.source.row_count(),
        }))
    }

    fn summary(&self, slot: NumberSlot) -> Option<NumberSummary> {
        summary(self.source, &self.columns.numbers[slot.0], self.vector)
    }

    fn feed_metric(
        &mut self,
        metric: &BoundMetric,
        states: &mut MetricStates,
        members: &Members,
    ) -> Result<(), QueryError> {
        states.feed_rows(metric, self, members)
    }
}
