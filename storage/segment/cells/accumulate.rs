//! One number column in the cells of one hour.

use std::ops::Range;
use std::sync::Arc;

use super::codec::{begin_measure, put_measure_cells};
use super::{CellForm, CellSet, MeasureCells};
use crate::model::{
    ColumnKind, Decimal, ExactSum, Exponents, NumberVector, VECTOR_ROWS, VectorOccurrence,
};
use crate::segment::occurrence::values_of;

/// The cells of hours that are complete, and what is being added up.
pub(super) struct MeasureBuilder {
    out: MeasureCells,
    /// The page of all hours but the newest, when that is wanted: cells take much more memory.
    page: Option<Vec<u8>>,
    counts: Vec<u64>,
    totals: Totals,
}

/// Sums and bounds of the hour at hand, by slot.
enum Totals {
    /// All values are integers at one power of ten.
    Scaled {
        exponent: i16,
        /// Whether `exponent` is that of some value.
        has_values: bool,
        cells: Vec<ScaledTotal>,
    },
    /// Powers lie too far apart for one integer.
    Mixed(Vec<MixedTotal>),
}

#[derive(Debug, Clone, Copy)]
struct ScaledTotal {
    sum: i128,
    min: i64,
    max: i64,
}

const NOTHING: ScaledTotal = ScaledTotal {
    sum: 0,
    min: i64::MAX,
    max: i64::MIN,
};

#[derive(Debug, Clone, Default)]
struct MixedTotal {
    sum: ExactSum,
    bounds: Option<(Decimal, Decimal)>,
}

impl Default for Totals {
    fn default() -> Self {
        Self::Scaled {
            exponent: 0,
            has_values: false,
            cells: Vec::new(),
        }
    }
}

impl MeasureBuilder {
    pub(super) fn new(column: Arc<str>, kind: ColumnKind, form: CellForm) -> Self {
        Self {
            page: match form {
                CellForm::Values => None,
                CellForm::Pages => Some(begin_measure(&column, kind)),
            },
            out: MeasureCells {
                column,
                kind,
                value_counts: Vec::new(),
                sums: Vec::new(),
                mins: Vec::new(),
                maxs: Vec::new(),
            },
            counts: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// Makes room for `slot_count` slots.
    pub(super) fn reach(&mut self, slot_count: usize) {
        self.counts.resize(slot_count, 0);
        match &mut self.totals {
            Totals::Scaled { cells, .. } => cells.resize(slot_count, NOTHING),
            Totals::Mixed(cells) => cells.resize(slot_count, MixedTotal::default()),
        }
    }

    /// Adds the values of `rows`; `value_rows` has the row of each value unless each row has one.
    /// Without `slots` all belong to the first.
    pub(super) fn add(
        &mut self,
        vector: &NumberVector,
        value_rows: &[u16],
        rows: Range<usize>,
        slots: Option<&[u32; VECTOR_ROWS]>,
    ) {
        let values = values_of(&vector.occurrence, rows);
        if values.is_empty() {
            return;
        }
        let is_single = vector.occurrence == VectorOccurrence::One;
        let slot_of = |value: usize| {
            let row = match is_single {
                true => value,
                false => usize::from(value_rows[value]),
            };
            slots.map_or(0, |slots| slots[row] as usize)
        };
        let factor = self.align(vector, values.clone());
        match (&mut self.totals, factor) {
            (Totals::Scaled { cells, .. }, Some(factor)) => {
                let digits = &vector.mantissas[values.clone()];
                if slots.is_none() {
                    self.counts[0] += digits.len() as u64;
                    add_all(&mut cells[0], digits, factor);
                    return;
                }
                for (digits, value) in digits.iter().zip(values) {
                    let slot = slot_of(value);
                    self.counts[slot] += 1;
                    let cell = &mut cells[slot];
                    // Every product was checked.
                    let digits = digits * factor;
                    cell.sum += i128::from(digits);
                    cell.min = cell.min.min(digits);
                    cell.max = cell.max.max(digits);
                }
            }
            (Totals::Mixed(cells), _) => {
                for value in values {
                    let slot = slot_of(value);
                    self.counts[slot] += 1;
                    cells[slot].add(Decimal {
                        mantissa: vector.mantissas[value],
                        exponent: vector.exponents.get(value),
                    });
                }
            }
            (Totals::Scaled { .. }, None) => unreachable!("what cannot be scaled is mixed"),
        }
    }

    /// Brings totals and values to one power of ten: what to multiply the values with. `None`:
    /// there is none, and totals are mixed now.
    fn align(&mut self, vector: &NumberVector, values: Range<usize>) -> Option<i64> {
        let Totals::Scaled {
            exponent,
            has_values,
            cells,
        } = &mut self.totals
        else {
            return None;
        };
        if let Exponents::Uniform(wanted) = vector.exponents {
            if !*has_values {
                (*exponent, *has_values) = (wanted, true);
            }
            let up = i32::from(wanted) - i32::from(*exponent);
            if up == 0 {
                return Some(1);
            }
            if up > 0 {
                let factor = 10_i64.checked_pow(up.unsigned_abs());
                let fits = |factor: &i64| {
                    let digits = &vector.mantissas[values];
                    digits
                        .iter()
                        .all(|digits| digits.checked_mul(*factor).is_some())
                };
                if let Some(factor) = factor.filter(fits) {
                    return Some(factor);
                }
            } else if let Some(scaled) = rescale(cells, up.unsigned_abs()) {
                (*exponent, *cells) = (wanted, scaled);
                return Some(1);
            }
        }
        let mixed = cells.iter().zip(&self.counts).map(|(cell, count)| {
            if *count == 0 {
                return MixedTotal::default();
            }
            let mut sum = ExactSum::default();
            sum.add_scaled(cell.sum, *exponent);
            let bound = |mantissa| Decimal {
                mantissa,
                exponent: *exponent,
            };
            MixedTotal {
                sum,
                bounds: Some((bound(cell.min), bound(cell.max))),
            }
        });
        self.totals = Totals::Mixed(mixed.collect());
        None
    }

    /// Appends the cells of the hour in the given order of slots, and starts the next one.
    pub(super) fn finish_hour(&mut self, order: impl Iterator<Item = usize>) {
        for slot in order {
            // An hour may have rows and no values.
            let count = self.counts.get(slot).copied().unwrap_or(0);
            let (mut sum, mut bounds) = (ExactSum::default(), None);
            match &self.totals {
                Totals::Scaled {
                    exponent, cells, ..
                } if count > 0 => {
                    let cell = cells[slot];
                    let bound = |mantissa| Decimal {
                        mantissa,
                        exponent: *exponent,
                    };
                    sum.add_scaled(cell.sum, *exponent);
                    bounds = Some((bound(cell.min), bound(cell.max)));
                }
                Totals::Mixed(cells) if count > 0 => {
                    sum = cells[slot].sum.clone();
                    bounds = cells[slot].bounds;
                }
                Totals::Scaled { .. } | Totals::Mixed(_) => {}
            }
            let (mut min, mut max) = bounds.unwrap_or_default();
            if self.out.kind == ColumnKind::Decimal {
                sum = shortest_sum(&sum);
                (min, max) = (min.normalized(), max.normalized());
            }
            self.out.value_counts.push(count);
            self.out.sums.push(sum);
            self.out.mins.push(min);
            self.out.maxs.push(max);
        }
        if let Some(page) = &mut self.page {
            put_measure_cells(&self.out, page);
            self.out.value_counts.clear();
            self.out.sums.clear();
            self.out.mins.clear();
            self.out.maxs.clear();
        }
        self.counts.clear();
        match &mut self.totals {
            Totals::Scaled {
                has_values, cells, ..
            } => {
                *has_values = false;
                cells.clear();
            }
            Totals::Mixed(_) => self.totals = Totals::default(),
        }
    }

    /// Adds the cells of all hours to `set`, or their page to `pages`.
    pub(super) fn finish(self, set: &mut CellSet, pages: &mut Vec<Vec<u8>>) {
        match self.page {
            Some(page) => pages.push(page),
            None => set.measures.push(self.out),
        }
    }
}

impl MixedTotal {
    fn add(&mut self, value: Decimal) {
        let (min, max) = self.bounds.get_or_insert((value, value));
        if value.compare(*min).is_lt() {
            *min = value;
        }
        if value.compare(*max).is_gt() {
            *max = value;
        }
        self.sum.add(value);
    }
}

/// Adds many values to one cell.
fn add_all(cell: &mut ScaledTotal, digits: &[i64], factor: i64) {
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for digits in digits {
        min = min.min(*digits);
        max = max.max(*digits);
    }
    let sum: i128 = digits.iter().map(|digits| i128::from(*digits)).sum();
    cell.sum += sum * i128::from(factor);
    cell.min = cell.min.min(min * factor);
    cell.max = cell.max.max(max * factor);
}

/// Totals at a power of ten that is lower by `down`, when they fit.
fn rescale(cells: &[ScaledTotal], down: u32) -> Option<Vec<ScaledTotal>> {
    let factor = 10_i64.checked_pow(down)?;
    let scaled = cells.iter().map(|cell| {
        if cell.min > cell.max {
            return Some(NOTHING);
        }
        Some(ScaledTotal {
            sum: cell.sum.checked_mul(i128::from(factor))?,
            min: cell.min.checked_mul(factor)?,
            max: cell.max.checked_mul(factor)?,
        })
    });
    scaled.collect()
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
