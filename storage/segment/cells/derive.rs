//! Cells from sorted rows.

use std::sync::Arc;

use super::{CellSet, Cells, HourRows, MeasureCells, NULL_CODE};
use crate::model::{
    Column, ColumnBatch, ColumnKind, Decimal, ExactSum, HOUR_MS, NumberColumn, Occurrence,
    TextColumn,
};
use crate::segment::encoding::scale;
use crate::segment::occurrence::for_each_value;
use crate::segment::{ColumnRoles, SegmentOptions};

/// Most values of measures in the cells of one dimension, for each row of the segment: a wide
/// segment gets cells only for dimensions that make few of them.
const MEASURE_CELLS_PER_ROW_MAX: usize = 8;

/// Which cells to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::segment) struct CellPlan {
    /// Number columns that are measured, ascending.
    pub(in crate::segment) measures: Vec<Arc<str>>,
    /// Text columns that get a set of cells each, ascending.
    pub(in crate::segment) dimensions: Vec<Arc<str>>,
    /// Most cells of a dimension; one that has more gets none.
    pub(in crate::segment) dimension_cells_max: usize,
}

impl CellPlan {
    /// What `roles` and `options` want for `batch`.
    pub(in crate::segment) fn new(
        batch: &ColumnBatch,
        roles: &ColumnRoles,
        options: &SegmentOptions,
    ) -> Self {
        let mut plan = Self::default();
        for (path, column) in &batch.columns {
            match column {
                Column::Integer(_) | Column::Decimal(_) => {
                    let is_measure = roles.time_column.as_ref() != Some(path);
                    if is_measure && plan.measures.len() < options.measures_max {
                        plan.measures.push(path.clone());
                    }
                }
                Column::Text(texts) => {
                    let is_single = !matches!(texts.occurrence, Occurrence::Many(_));
                    let is_small = texts.dictionary.len() <= options.dimension_terms_max;
                    if is_single && is_small && roles.dimensions.contains(path) {
                        plan.dimensions.push(path.clone());
                    }
                }
            }
        }
        let rows = batch.row_count();
        let by_rows = rows.saturating_mul(options.cell_rows_percent_max) / 100;
        let by_width = rows * MEASURE_CELLS_PER_ROW_MAX / plan.measures.len().max(1);
        plan.dimension_cells_max = by_rows.min(by_width);
        plan
    }

    /// What was wanted when `cells` were made.
    pub(in crate::segment) fn of(cells: &Cells) -> Self {
        let measures = cells.sets.first().map(|set| set.measures.iter());
        Self {
            measures: measures
                .into_iter()
                .flatten()
                .map(|measure| measure.column.clone())
                .collect(),
            dimensions: cells
                .sets
                .iter()
                .filter_map(|set| set.dimension.clone())
                .collect(),
            dimension_cells_max: usize::MAX,
        }
    }
}

/// The cells of `batch`, whose rows ascend by time and whose dictionaries ascend by bytes.
pub(in crate::segment) fn derive_cells(batch: &ColumnBatch, plan: &CellPlan) -> Cells {
    let hours = hours(&batch.times_ms);
    let mut sets = vec![fill(
        assign_hours(&hours, batch.row_count()),
        None,
        batch,
        plan,
    )];
    for path in &plan.dimensions {
        let Some(Column::Text(texts)) = batch.column(path) else {
            continue;
        };
        let assignment = assign_terms(&hours, texts, batch.row_count());
        if assignment.row_counts.len() <= plan.dimension_cells_max {
            sets.push(fill(assignment, Some(path.clone()), batch, plan));
        }
    }
    Cells { sets, hours }
}

/// The hours that rows of these ascending times fall into.
fn hours(times_ms: &[i64]) -> Vec<HourRows> {
    let mut hours: Vec<HourRows> = Vec::new();
    for (time_ms, row) in times_ms.iter().zip(0..) {
        let hour_ms = time_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS);
        if hours.last().is_none_or(|last| last.hour_ms != hour_ms) {
            hours.push(HourRows {
                hour_ms,
                first_row: row,
            });
        }
    }
    hours
}

/// Cells without measures, and the cell of each row.
struct Assignment {
    hours_ms: Vec<i64>,
    codes: Vec<u32>,
    row_counts: Vec<u64>,
    cell_of_row: Vec<u32>,
}

impl Assignment {
    fn new(row_count: usize) -> Self {
        Self {
            hours_ms: Vec::new(),
            codes: Vec::new(),
            row_counts: Vec::new(),
            cell_of_row: vec![0; row_count],
        }
    }

    /// Adds a cell and gives its number.
    fn push(&mut self, hour_ms: i64, code: u32) -> u32 {
        self.hours_ms.push(hour_ms);
        self.codes.push(code);
        self.row_counts.push(0);
        u32::try_from(self.codes.len() - 1).expect("there are no more cells than rows")
    }

    fn put(&mut self, row: usize, cell: u32) {
        self.cell_of_row[row] = cell;
        self.row_counts[cell as usize] += 1;
    }
}

/// The rows of each hour.
fn row_ranges(
    hours: &[HourRows],
    row_count: usize,
) -> impl Iterator<Item = (i64, std::ops::Range<usize>)> {
    hours.iter().enumerate().map(move |(index, hour)| {
        let end = hours
            .get(index + 1)
            .map_or(row_count, |next| next.first_row as usize);
        (hour.hour_ms, hour.first_row as usize..end)
    })
}

fn assign_hours(hours: &[HourRows], row_count: usize) -> Assignment {
    let mut assignment = Assignment::new(row_count);
    for (hour_ms, rows) in row_ranges(hours, row_count) {
        let cell = assignment.push(hour_ms, NULL_CODE);
        rows.for_each(|row| assignment.put(row, cell));
    }
    assignment
}

fn assign_terms(hours: &[HourRows], texts: &TextColumn, row_count: usize) -> Assignment {
    let mut code_of_row = vec![NULL_CODE; row_count];
    for_each_value(&texts.occurrence, row_count, |row, value| {
        code_of_row[row] = texts.codes[value];
    });
    let mut assignment = Assignment::new(row_count);
    // The cell of each term in the hour at hand; rows without a term use the slot behind the last.
    let null_slot = texts.dictionary.len();
    let slot = |code: u32| {
        if code == NULL_CODE {
            null_slot
        } else {
            code as usize
        }
    };
    let mut cell_of_slot = vec![0; null_slot + 1];
    let mut codes = Vec::new();
    for (hour_ms, rows) in row_ranges(hours, row_count) {
        codes.clear();
        codes.extend_from_slice(&code_of_row[rows.clone()]);
        codes.sort_unstable();
        codes.dedup();
        for code in &codes {
            cell_of_slot[slot(*code)] = assignment.push(hour_ms, *code);
        }
        for row in rows {
            assignment.put(row, cell_of_slot[slot(code_of_row[row])]);
        }
    }
    assignment
}

fn fill(
    assignment: Assignment,
    dimension: Option<Arc<str>>,
    batch: &ColumnBatch,
    plan: &CellPlan,
) -> CellSet {
    let measures = plan
        .measures
        .iter()
        .filter_map(|path| match batch.column(path)? {
            Column::Integer(numbers) => Some((path, numbers, ColumnKind::Integer)),
            Column::Decimal(numbers) => Some((path, numbers, ColumnKind::Decimal)),
            Column::Text(_) => None,
        })
        .map(|(path, numbers, kind)| measure(path, numbers, kind, &assignment))
        .collect();
    CellSet {
        dimension,
        hours_ms: assignment.hours_ms,
        codes: assignment.codes,
        row_counts: assignment.row_counts,
        measures,
    }
}

fn measure(
    path: &Arc<str>,
    numbers: &NumberColumn,
    kind: ColumnKind,
    assignment: &Assignment,
) -> MeasureCells {
    let cell_count = assignment.row_counts.len();
    let mut cells = MeasureCells {
        column: path.clone(),
        kind,
        value_counts: vec![0; cell_count],
        sums: Vec::new(),
        mins: vec![Decimal::default(); cell_count],
        maxs: vec![Decimal::default(); cell_count],
    };
    match scale(&numbers.mantissas, &numbers.exponents) {
        Some((mantissas, exponent)) => {
            measure_scaled(
                &mantissas,
                exponent,
                &numbers.occurrence,
                assignment,
                &mut cells,
            );
        }
        None => measure_mixed(numbers, assignment, &mut cells),
    }
    if kind == ColumnKind::Decimal {
        cells.sums = cells.sums.iter().map(shortest_sum).collect();
        for bound in cells.mins.iter_mut().chain(&mut cells.maxs) {
            *bound = bound.normalized();
        }
    }
    cells
}

/// All values at one power of ten: plain integer arithmetic.
fn measure_scaled(
    mantissas: &[i64],
    exponent: i16,
    occurrence: &Occurrence,
    assignment: &Assignment,
    cells: &mut MeasureCells,
) {
    let cell_count = assignment.row_counts.len();
    let mut sums = vec![0_i128; cell_count];
    let mut bounds = vec![(i64::MAX, i64::MIN); cell_count];
    for_each_value(occurrence, assignment.cell_of_row.len(), |row, value| {
        let cell = assignment.cell_of_row[row] as usize;
        let mantissa = mantissas[value];
        cells.value_counts[cell] += 1;
        sums[cell] += i128::from(mantissa);
        let (min, max) = &mut bounds[cell];
        *min = mantissa.min(*min);
        *max = mantissa.max(*max);
    });
    let decimal = |mantissa| Decimal { mantissa, exponent };
    for (cell, (min, max)) in bounds.into_iter().enumerate() {
        if cells.value_counts[cell] > 0 {
            cells.mins[cell] = decimal(min);
            cells.maxs[cell] = decimal(max);
        }
    }
    cells.sums.extend(sums.into_iter().map(|mantissas| {
        let mut sum = ExactSum::default();
        sum.add_scaled(mantissas, exponent);
        sum
    }));
}

/// Values whose powers of ten lie too far apart for one integer.
fn measure_mixed(numbers: &NumberColumn, assignment: &Assignment, cells: &mut MeasureCells) {
    cells
        .sums
        .resize(assignment.row_counts.len(), ExactSum::default());
    let row_count = assignment.cell_of_row.len();
    for_each_value(&numbers.occurrence, row_count, |row, value| {
        let cell = assignment.cell_of_row[row] as usize;
        let decimal = Decimal {
            mantissa: numbers.mantissas[value],
            exponent: numbers.exponents.get(value),
        };
        let is_first = cells.value_counts[cell] == 0;
        if is_first || decimal.compare(cells.mins[cell]).is_lt() {
            cells.mins[cell] = decimal;
        }
        if is_first || decimal.compare(cells.maxs[cell]).is_gt() {
            cells.maxs[cell] = decimal;
        }
        cells.value_counts[cell] += 1;
        cells.sums[cell].add(decimal);
    });
}

/// The same sum as one integer without trailing zeros, where 128 bits hold it. Then equal sums
/// have equal bytes, whatever the powers of ten of their values were.
fn shortest_sum(sum: &ExactSum) -> ExactSum {
    let mut shortest = ExactSum::default();
    match single_part(sum) {
        Some((mut mantissas, mut exponent)) => {
            while mantissas != 0 && mantissas % 10 == 0 {
                mantissas /= 10;
                exponent += 1;
            }
            shortest.add_scaled(mantissas, exponent);
            shortest
        }
        None => sum.clone(),
    }
}

/// The sum at its lowest power of ten, when it fits.
fn single_part(sum: &ExactSum) -> Option<(i128, i16)> {
    let (lowest, _) = *sum.parts().first()?;
    let mut total = 0_i128;
    for (exponent, mantissas) in sum.parts() {
        let up = u32::try_from(i32::from(*exponent) - i32::from(lowest)).ok()?;
        total = total.checked_add(10_i128.checked_pow(up)?.checked_mul(*mantissas)?)?;
    }
    Some((total, lowest))
}
