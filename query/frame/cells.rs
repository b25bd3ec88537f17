//! Rollup cells as entries: each stands for the rows of one hour, or of one hour and one term.

use storage::segment::{CellSet, NULL_CODE, NumberSummary};

use super::{CodeBounds, Codes, Frame, NumberSlot, Numbers, RowValues, TextSlot, ValueIndex};
use crate::QueryError;
use crate::aggregate::{BoundMetric, CellMeasure, Members, MetricStates};

/// Up to 1,024 cells of one set. Only cells of hours that no bucket edge and no filter edge cuts
/// are shown, so the start of the hour, or the segment's first instant in it, speaks for all its
/// rows.
#[derive(Debug)]
pub(crate) struct CellFrame<'a> {
    set: &'a CellSet,
    /// Measure of each number slot; `None` where the search reads it as no metric.
    measures: &'a [Option<usize>],
    cells: &'a [usize],
    times_ms: Vec<i64>,
    codes: Vec<u32>,
    starts: Vec<u32>,
}

impl<'a> CellFrame<'a> {
    /// The cells numbered `cells` of `set`, with no row before `first_ms`.
    pub(crate) fn new(
        set: &'a CellSet,
        measures: &'a [Option<usize>],
        cells: &'a [usize],
        first_ms: i64,
    ) -> Self {
        let mut codes = Vec::with_capacity(cells.len());
        let mut starts = vec![0];
        for cell in cells {
            let code = set.codes[*cell];
            if code != NULL_CODE {
                codes.push(code);
            }
            starts.push(u32::try_from(codes.len()).expect("a frame has at most 1,024 cells"));
        }
        Self {
            set,
            measures,
            cells,
            times_ms: cells
                .iter()
                .map(|cell| set.hours_ms[*cell].max(first_ms))
                .collect(),
            codes,
            starts,
        }
    }
}

impl Frame for CellFrame<'_> {
    const ENTRIES_ARE_ROWS: bool = false;

    fn entry_count(&self) -> usize {
        self.cells.len()
    }

    fn first_entry(&self) -> usize {
        self.cells.first().copied().unwrap_or(0)
    }

    fn row_group(&self) -> Option<usize> {
        None
    }

    fn row_count(&self, entry: usize) -> u64 {
        self.set.row_counts[self.cells[entry]]
    }

    fn time_bounds_ms(&self) -> (i64, i64) {
        // Cells ascend by hour.
        let first = self.times_ms.first().copied().unwrap_or(i64::MAX);
        (first, self.times_ms.last().copied().unwrap_or(i64::MIN))
    }

    fn times_ascend(&self) -> bool {
        true
    }

    fn times_ms(&mut self) -> Result<&[i64], QueryError> {
        Ok(&self.times_ms)
    }

    fn codes(&mut self, _: TextSlot) -> Result<Codes<'_>, QueryError> {
        // The dimension is the only text column of a search that cells answer.
        Ok(Codes {
            codes: &self.codes,
            index: ValueIndex::Starts(&self.starts),
        })
    }

    fn numbers(&mut self, _: NumberSlot) -> Result<Numbers<'_>, QueryError> {
        unreachable!("a search that reads single numbers is not answered from cells")
    }

    fn row_values(
        &mut self,
        _: TextSlot,
        _: &[NumberSlot],
    ) -> Result<Option<RowValues<'_>>, QueryError> {
        Ok(None)
    }

    fn code_bounds(&self, _: TextSlot) -> Result<Option<CodeBounds>, QueryError> {
        Ok(None)
    }

    fn summary(&self, _: NumberSlot) -> Option<NumberSummary> {
        None
    }

    fn feed_metric(
        &mut self,
        metric: &BoundMetric,
        states: &mut MetricStates,
        members: &Members,
    ) -> Result<(), QueryError> {
        let measure = metric.number_slot().and_then(|slot| self.measures[slot.0]);
        if let Some(measure) = measure {
            let measure = CellMeasure {
                cells: self.cells,
                measure: &self.set.measures[measure],
            };
            states.feed_cells(&measure, members);
        }
        Ok(())
    }
}
