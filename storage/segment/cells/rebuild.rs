//! Cells of a segment without some of its rows: those of the hours that lost rows are derived
//! again, the others stay.

use std::ops::Range;

use super::{
    CellForm, CellPlan, CellSet, Cells, Dimension, HourCollector, MeasureCells, derive_cells,
};
use crate::model::VECTOR_ROWS;
use crate::segment::input::{KeyPart, MergedSegments, NumberName, RowInput};
use crate::segment::source::vector_rows;
use crate::segment::{ColumnRoles, DeletedRows, MergeInput, SegmentError, SegmentReader};

/// The cells of the rows of `segment` that are not in `deleted`.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn cells_without(
    segment: &SegmentReader,
    deleted: &DeletedRows,
) -> Result<Cells, SegmentError> {
    let old = segment.cells()?;
    // Rows of hours that lost none need not be read.
    let mut left_out = deleted.clone();
    let mut changed_ms = Vec::new();
    for (hour_ms, rows) in hours(&old, segment.row_count()) {
        match has_deleted(deleted, &rows) {
            true => changed_ms.push(hour_ms),
            false => rows.for_each(|row| {
                left_out.insert(row);
            }),
        }
    }
    if changed_ms.is_empty() {
        return Ok(Cells::clone(&old));
    }
    let fresh = match left_out.count() == segment.row_count() {
        true => None,
        false => Some(derive(segment, &old, &left_out)?),
    };
    let none = CellSet::default();
    let fresh = |number: usize| fresh.as_ref().map_or(&none, |fresh| &fresh.sets[number]);
    let sets = old.sets.iter().enumerate();
    Ok(Cells {
        sets: sets
            .map(|(number, old)| splice(old, fresh(number), &changed_ms))
            .collect(),
        // Where the rows of an hour lie has not changed.
        hours: old.hours.clone(),
    })
}

fn hours(cells: &Cells, row_count: usize) -> impl Iterator<Item = (i64, Range<usize>)> {
    let ends = cells.hours.iter().skip(1);
    let ends = ends.map(|hour| hour.first_row as usize).chain([row_count]);
    let hours = cells.hours.iter().zip(ends);
    hours.map(|(hour, end)| (hour.hour_ms, hour.first_row as usize..end))
}

fn has_deleted(deleted: &DeletedRows, rows: &Range<usize>) -> bool {
    let mut vectors = rows.start / VECTOR_ROWS..rows.end.div_ceil(VECTOR_ROWS);
    vectors.any(|vector| {
        deleted.vector(vector).is_some() && {
            let first = (vector * VECTOR_ROWS).max(rows.start);
            let end = ((vector + 1) * VECTOR_ROWS).min(rows.end);
            (first..end).any(|row| deleted.contains(row))
        }
    })
}

/// The cells of the rows that are not left out, in the sets that there were.
fn derive(
    segment: &SegmentReader,
    old: &Cells,
    left_out: &DeletedRows,
) -> Result<Cells, SegmentError> {
    let inputs = [MergeInput {
        reader: segment,
        deleted: Some(left_out),
    }];
    let roles = ColumnRoles::default();
    let rows = MergedSegments::new(&inputs, &roles)?;
    let mut plan = CellPlan {
        dimension_cells_max: usize::MAX,
        ..CellPlan::default()
    };
    let measures = old.sets.first().map(|set| set.measures.iter());
    let measures = measures.into_iter().flatten();
    plan.measures
        .extend(measures.map(|measure| (measure.column.clone(), measure.kind)));
    for path in old.sets.iter().filter_map(|set| set.dimension.clone()) {
        let handle = segment.column(&path);
        let dictionary = handle
            .map(|handle| segment.dictionary(handle))
            .transpose()?;
        let term_count = dictionary.map_or(0, |dictionary| dictionary.len());
        plan.dimensions.push(Dimension {
            path,
            term_count,
            // Codes stay what they are in the segment.
            maps: vec![(0_u32..).take(term_count).collect()],
        });
    }
    let mut hours = HourCollector::default();
    let mut times = rows.numbers(NumberName::Key(KeyPart::Times))?;
    let mut vector = Default::default();
    for number in 0..rows.row_count().div_ceil(VECTOR_ROWS) {
        times.next(vector_rows(rows.row_count(), number).len(), &mut vector)?;
        hours.push(&vector.mantissas);
    }
    let derived = derive_cells(&rows, hours.hours, &plan, CellForm::Values)?;
    Ok(derived.cells)
}

/// Cells one behind the other.
struct Taker<'a> {
    out: &'a mut CellSet,
}

impl Taker<'_> {
    fn take(&mut self, from: &CellSet, cell: usize) {
        let out = &mut *self.out;
        out.hours_ms.push(from.hours_ms[cell]);
        out.codes.push(from.codes[cell]);
        out.row_counts.push(from.row_counts[cell]);
        for (out, from) in out.measures.iter_mut().zip(&from.measures) {
            out.value_counts.push(from.value_counts[cell]);
            out.sums.push(from.sums[cell].clone());
            out.mins.push(from.mins[cell]);
            out.maxs.push(from.maxs[cell]);
        }
    }
}

/// `old` with the cells of `fresh` in the hours `changed_ms`, which ascend.
fn splice(old: &CellSet, fresh: &CellSet, changed_ms: &[i64]) -> CellSet {
    let mut out = CellSet {
        dimension: old.dimension.clone(),
        measures: old
            .measures
            .iter()
            .map(|measure| MeasureCells {
                column: measure.column.clone(),
                kind: measure.kind,
                value_counts: Vec::new(),
                sums: Vec::new(),
                mins: Vec::new(),
                maxs: Vec::new(),
            })
            .collect(),
        ..CellSet::default()
    };
    let mut taker = Taker { out: &mut out };
    let mut fresh_cell = 0;
    for cell in 0..old.row_counts.len() {
        let hour_ms = old.hours_ms[cell];
        if changed_ms.binary_search(&hour_ms).is_ok() {
            continue;
        }
        while fresh
            .hours_ms
            .get(fresh_cell)
            .is_some_and(|fresh_ms| *fresh_ms < hour_ms)
        {
            taker.take(fresh, fresh_cell);
            fresh_cell += 1;
        }
        taker.take(old, cell);
    }
    (fresh_cell..fresh.row_counts.len()).for_each(|cell| taker.take(fresh, cell));
    out
}
