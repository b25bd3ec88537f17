//! The cells of a segment, folded over all its time or by day.
//!
//! A search that cuts a segment nowhere does not care which hour a cell is of: what it asks of a
//! year of hours by term, one cell a term answers. One that wants days of UTC, or months, needs a
//! cell for each day and term, a tenth of the hourly ones. Such totals follow from the cells alone,
//! so they are made when first asked for and kept while there is room and the cells are in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use storage::memory::{GivesWay, Held, MemoryBudget, MemoryUse};
use storage::model::{Decimal, ExactSum, HOUR_MS};
use storage::segment::{CellSet, Cells, MeasureCells};

/// Fewest cells that are worth it.
const CELLS_MIN: usize = 1024;

/// Most cells that become one, measures counted apart: some 16 MiB of all kept totals.
const KEPT_CELLS_MAX: usize = 1 << 18;

pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// What cells become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fold {
    /// All of a term.
    All,
    /// All of a term in a day of UTC.
    Days,
}

/// Totals of sets of cells.
#[derive(Debug, Default)]
pub(crate) struct TotalsCache {
    /// By where the cells are; these stay there as long as they are known here.
    entries: Mutex<HashMap<(usize, usize, Fold), Entry>>,
}

#[derive(Debug)]
struct Entry {
    cells: Weak<Cells>,
    totals: Arc<CellSet>,
    /// Its memory.
    _held: Held,
}

impl GivesWay for TotalsCache {
    /// They are made anew in a moment, so all of them go.
    fn give_way(&self, _: usize) -> usize {
        let gone = std::mem::take(&mut *self.lock());
        gone.values().map(|entry| memory_bytes(&entry.totals)).sum()
    }
}

impl TotalsCache {
    /// The totals of set `set`; `None` where it has few cells anyway.
    pub(crate) fn totals(
        &self,
        cells: &Arc<Cells>,
        set: usize,
        by: Fold,
        memory: &Arc<MemoryBudget>,
    ) -> Option<Arc<CellSet>> {
        let cells_of_set = &cells.sets[set];
        if cells_of_set.hours_ms.len() < CELLS_MIN {
            return None;
        }
        let key = (Arc::as_ptr(cells).addr(), set, by);
        if let Some(entry) = self.lock().get(&key) {
            return Some(Arc::clone(&entry.totals));
        }
        let totals = Arc::new(fold(cells_of_set, by));
        // Not under the lock: whoever makes room may take it.
        let Some(held) = memory.hold_if_room(MemoryUse::Totals, memory_bytes(&totals)) else {
            return Some(totals);
        };
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.cells.strong_count() > 0);
        let kept: usize = entries.values().map(|entry| size(&entry.totals)).sum();
        if kept + size(&totals) > KEPT_CELLS_MAX {
            entries.clear();
        }
        let entry = Entry {
            cells: Arc::downgrade(cells),
            totals: Arc::clone(&totals),
            _held: held,
        };
        entries.insert(key, entry);
        Some(totals)
    }

    /// A panic elsewhere leaves at worst totals too few.
    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, usize, Fold), Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(set: &CellSet) -> usize {
    set.codes.len() * (1 + set.measures.len())
}

/// Memory of totals, about.
fn memory_bytes(set: &CellSet) -> usize {
    const ROW_BYTES: usize = size_of::<i64>() + size_of::<u32>() + size_of::<u64>();
    // A sum has its parts in memory of their own.
    const MEASURE_BYTES: usize = size_of::<u64>() + 2 * size_of::<Decimal>() + 64;
    set.codes.len() * (ROW_BYTES + set.measures.len() * MEASURE_BYTES)
}

/// One cell for each code of `set`, or for each day and code, at the hour of the first one.
fn fold(set: &CellSet, by: Fold) -> CellSet {
    let first_ms = set.hours_ms.first().copied().unwrap_or(0);
    let key = |(hour_ms, code): (&i64, &u32)| match by {
        Fold::All => (first_ms, *code),
        Fold::Days => (hour_ms.div_euclid(DAY_MS), *code),
    };
    let keys = || set.hours_ms.iter().zip(&set.codes).map(key);
    let mut places: BTreeMap<(i64, u32), usize> = keys().map(|key| (key, 0)).collect();
    for (place, number) in places.values_mut().zip(0..) {
        *place = number;
    }
    let places_of_cells: Vec<usize> = keys().map(|key| places[&key]).collect();
    let count = places.len();
    let mut row_counts = vec![0; count];
    for (place, rows) in places_of_cells.iter().zip(&set.row_counts) {
        row_counts[*place] += rows;
    }
    let measures = set.measures.iter();
    CellSet {
        dimension: set.dimension.clone(),
        hours_ms: places
            .keys()
            .map(|(day, _)| match by {
                Fold::All => first_ms,
                Fold::Days => day * DAY_MS,
            })
            .collect(),
        codes: places.into_keys().map(|(_, code)| code).collect(),
        row_counts,
        measures: measures
            .map(|measure| fold_measure(measure, &places_of_cells, count))
            .collect(),
    }
}

fn fold_measure(measure: &MeasureCells, places: &[usize], count: usize) -> MeasureCells {
    let mut folded = MeasureCells {
        column: measure.column.clone(),
        kind: measure.kind,
        value_counts: vec![0; count],
        sums: vec![ExactSum::default(); count],
        mins: vec![Decimal::default(); count],
        maxs: vec![Decimal::default(); count],
    };
    for (cell, place) in places.iter().copied().enumerate() {
        let values = measure.value_counts[cell];
        if values == 0 {
            continue;
        }
        let (min, max) = (measure.mins[cell], measure.maxs[cell]);
        let is_first = folded.value_counts[place] == 0;
        if is_first || min.compare(folded.mins[place]).is_lt() {
            folded.mins[place] = min;
        }
        if is_first || max.compare(folded.maxs[place]).is_gt() {
            folded.maxs[place] = max;
        }
        folded.value_counts[place] += values;
        folded.sums[place].merge(&measure.sums[cell]);
    }
    folded
}

#[cfg(test)]
mod tests {
    use storage::model::ColumnKind;

    use super::*;

    /// 600 hours of three codes; code 2 has values in every second hour only.
    fn cells() -> Cells {
        let mut set = CellSet::default();
        let mut measure = MeasureCells {
            column: "size".into(),
            kind: ColumnKind::Integer,
            value_counts: Vec::new(),
            sums: Vec::new(),
            mins: Vec::new(),
            maxs: Vec::new(),
        };
        for hour in 0..600_i64 {
            for code in [0, 2, u32::MAX] {
                set.hours_ms.push(hour * 3_600_000);
                set.codes.push(code);
                set.row_counts.push(2);
                let count = u64::from(code != 2 || hour % 2 == 0);
                measure.value_counts.push(count);
                let value = Decimal::from_i64(hour - 5);
                let mut sum = ExactSum::default();
                sum.add(value);
                measure.sums.push(sum);
                measure.mins.push(value);
                measure.maxs.push(value);
            }
        }
        set.measures.push(measure);
        Cells {
            sets: vec![set, CellSet::default()],
            hours: Vec::new(),
        }
    }

    #[test]
    fn totals_by_day_keep_days_apart() {
        let cells = cells();
        let days = fold(&cells.sets[0], Fold::Days);
        assert_eq!(days.hours_ms.len(), 25 * 3);
        assert_eq!(days.hours_ms[..4], [0, 0, 0, DAY_MS]);
        assert_eq!(days.codes[..4], [0, 2, u32::MAX, 0]);
        assert_eq!(days.row_counts[72..], [48; 3]);
        assert_eq!(days.measures[0].value_counts[..3], [24, 12, 24]);
        // -5 + -4 + … + 18
        assert_eq!(days.measures[0].sums[0].parts(), [(0, 156)]);
        assert_eq!(days.measures[0].mins[3], Decimal::from_i64(19));
    }

    #[test]
    fn totals_are_cells_without_hours() {
        let cells = Arc::new(cells());
        let cache = TotalsCache::default();
        let memory = MemoryBudget::new(1 << 20);
        let totals = cache
            .totals(&cells, 0, Fold::All, &memory)
            .expect("many cells");
        assert_eq!(totals.codes, [0, 2, u32::MAX]);
        assert_eq!(totals.row_counts, [1200; 3]);
        let measure = &totals.measures[0];
        assert_eq!(measure.value_counts, [600, 300, 600]);
        assert_eq!(measure.sums[0].parts(), [(0, 176_700)]);
        assert_eq!(measure.sums[1].parts(), [(0, 88_200)]);
        assert_eq!(measure.mins, [Decimal::from_i64(-5); 3]);
        let maxs = [594, 593, 594].map(Decimal::from_i64);
        assert_eq!(measure.maxs, maxs);
        // They are kept; few cells have none.
        let again = cache
            .totals(&cells, 0, Fold::All, &memory)
            .expect("many cells");
        assert!(Arc::ptr_eq(&totals, &again));
        assert!(cache.totals(&cells, 1, Fold::All, &memory).is_none());
        // Gone cells take theirs along when others come.
        drop(cells);
        let others = Arc::new(self::cells());
        cache
            .totals(&others, 0, Fold::All, &memory)
            .expect("many cells");
        assert_eq!(cache.lock().len(), 1);
        // They are counted, and go when others need the room.
        let counted = memory.used_bytes_for(MemoryUse::Totals);
        assert_eq!(counted, memory_bytes(&totals));
        assert_eq!(cache.give_way(1), counted);
        assert_eq!(memory.used_bytes(), 0);
        // Where there is no room for them, they serve one search.
        let full = memory.hold(MemoryUse::ActiveRows, 1 << 20);
        cache
            .totals(&others, 0, Fold::All, &memory)
            .expect("many cells");
        assert_eq!(cache.lock().len(), 0);
        drop(full);
    }
}
