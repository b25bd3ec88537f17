//! Which cells of a segment answer a search, and which rows must be read beside them.
//!
//! A cell stands for all rows of one hour, or of one hour and one term. It answers exactly when no
//! bucket edge and no range edge lies inside its hour, and when the search reads nothing that the
//! cell does not keep. Where an edge cuts an hour, the rows of just that hour are read; where none
//! cuts a day, or the segment, totals over all its hours answer. An edge behind the last row of a
//! segment, or before its first one, cuts nothing: *now* lies in no hour of what is sealed.

use std::ops::Range;
use std::sync::Arc;

use storage::model::{ColumnKind, HOUR_MS};
use storage::segment::{CellSet, Cells, HourRows, RowSource};

use crate::QueryError;
use crate::aggregate::{BoundKind, BoundNode, MetricSource};
use crate::filter::BoundFilter;
use crate::frame::{Columns, NumberSlot, TextSlot, is_exact_widened};
use crate::pool::ScanPool;
use crate::totals::{DAY_MS, Fold};
use crate::window;

/// Fewest cells an hour that are worth totals by day.
const DAY_HOURS_CELLS_MIN: usize = 16;

/// How cells and rows of one segment share the work.
#[derive(Debug)]
pub(crate) struct Cover {
    cells: Arc<Cells>,
    set: usize,
    /// The set without hours, where no edge cuts the segment.
    totals: Option<Arc<CellSet>>,
    /// The set by days instead of hours, where it is much smaller.
    days: Option<Arc<CellSet>>,
    /// Measure of each number slot.
    pub(crate) measures: Vec<Option<usize>>,
    /// The cells that answer, ascending.
    whole: Vec<usize>,
    /// The cells of days that answer, ascending.
    whole_days: Vec<usize>,
    /// The first and the last instant of the segment's rows.
    bounds_ms: (i64, i64),
    /// The rows of the hours that an edge cuts, ascending.
    pub(crate) cut_rows: Vec<Range<usize>>,
}

impl Cover {
    /// The cells that answer: sets, and which cells of each.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (&CellSet, &[usize])> {
        let hours = match &self.totals {
            Some(totals) => totals,
            None => &self.cells.sets[self.set],
        };
        let days = self
            .days
            .as_deref()
            .map(|days| (days, self.whole_days.as_slice()));
        [(hours, self.whole.as_slice())].into_iter().chain(days)
    }

    /// No row is of an instant before this one, though its cell's hour may start earlier.
    pub(crate) fn first_ms(&self) -> i64 {
        self.bounds_ms.0
    }
}

/// What a search reads of a segment.
#[derive(Debug, Default)]
struct Reads {
    dimension: Option<TextSlot>,
    measures: Vec<NumberSlot>,
    /// Why cells cannot answer.
    obstacles: Vec<String>,
}

/// The cells of `source` that answer, or why none do; `None` when it has no cells at all.
pub(crate) fn cover(
    source: &RowSource,
    columns: &Columns,
    filter: &BoundFilter,
    nodes: &mut [BoundNode<'_>],
    pool: &ScanPool,
) -> Result<Option<Result<Cover, Vec<String>>>, QueryError> {
    let mut reads = Reads::default();
    reads.filter(filter, columns);
    reads.nodes(nodes, columns);
    let RowSource::Segment(_) = source else {
        return Ok(None);
    };
    if !reads.obstacles.is_empty() {
        return Ok(Some(Err(reads.obstacles)));
    }
    let Some(cells) = source.cells()? else {
        return Ok(None);
    };
    let Some(bounds_ms) = source.time_bounds_ms() else {
        return Ok(None);
    };
    let (set, measures) = match find_set(&cells, &reads, columns) {
        Ok(found) => found,
        Err(obstacle) => return Ok(Some(Err(vec![obstacle]))),
    };
    let mut cover = Cover {
        cells: Arc::clone(&cells),
        set,
        totals: None,
        days: None,
        measures,
        whole: Vec::new(),
        whole_days: Vec::new(),
        bounds_ms,
        cut_rows: Vec::new(),
    };
    let (first_ms, last_ms) = bounds_ms;
    if !is_cut(filter, first_ms, last_ms) && !cuts_any(nodes, first_ms, last_ms) {
        cover.totals = pool.totals.totals(&cells, set, Fold::All, pool.memory());
    }
    match &cover.totals {
        Some(totals) => cover.whole = (0..totals.codes.len()).collect(),
        None => {
            let many = cells.sets[set].hours_ms.len() >= DAY_HOURS_CELLS_MIN * cells.hours.len();
            if many {
                cover.days = pool.totals.totals(&cells, set, Fold::Days, pool.memory());
            }
            split_hours(&mut cover, source.row_count(), filter, nodes);
        }
    }
    if cover.whole.is_empty() && cover.whole_days.is_empty() {
        let obstacle = "a bucket edge or a range edge lies inside every hour".into();
        return Ok(Some(Err(vec![obstacle])));
    }
    Ok(Some(Ok(cover)))
}

impl Reads {
    fn dimension(&mut self, slot: TextSlot, columns: &Columns) {
        match self.dimension {
            Some(other) if other != slot => {
                let (one, two) = (&columns.texts[other.0].path, &columns.texts[slot.0].path);
                self.obstacles.push(format!(
                    "cells have one dimension, not both '{one}' and '{two}'"
                ));
            }
            Some(_) | None => self.dimension = Some(slot),
        }
    }

    fn number(&mut self, slot: NumberSlot, columns: &Columns) {
        let path = &columns.numbers[slot.0].path;
        self.obstacles.push(format!(
            "single values of the number field '{path}' are read"
        ));
    }

    fn filter(&mut self, filter: &BoundFilter, columns: &Columns) {
        match filter {
            BoundFilter::Constant(_) | BoundFilter::Time { .. } => {}
            BoundFilter::And(inner) | BoundFilter::AtLeast(_, inner) => {
                for filter in inner {
                    self.filter(filter, columns);
                }
            }
            BoundFilter::Not(inner) => self.filter(inner, columns),
            BoundFilter::HasText(slot) | BoundFilter::HasCode(slot, _) => {
                self.dimension(*slot, columns);
            }
            BoundFilter::HasNumber(slot)
            | BoundFilter::InRange(slot, _)
            | BoundFilter::InSet(slot, _)
            | BoundFilter::InArea(slot, _) => self.number(*slot, columns),
            BoundFilter::Distance(..) => self.obstacles.push("places are read one by one".into()),
            BoundFilter::Script(_) => self.obstacles.push("a script runs for each row".into()),
            BoundFilter::Rows(_) | BoundFilter::Slice { .. } => self
                .obstacles
                .push("single rows are asked for by id".into()),
        }
    }

    fn nodes(&mut self, nodes: &[BoundNode<'_>], columns: &Columns) {
        for node in nodes {
            match &node.kind {
                BoundKind::Metric(metric) => match (metric.source, metric.missing) {
                    (MetricSource::Absent, None) => {}
                    (MetricSource::Numbers(slot), None) if metric.reads_values => {
                        self.number(slot, columns);
                    }
                    (MetricSource::Numbers(slot), None) => self.measures.push(slot),
                    (MetricSource::Texts(slot), _) => {
                        let path = &columns.texts[slot.0].path;
                        self.obstacles
                            .push(format!("values of the text field '{path}' are counted"));
                    }
                    (MetricSource::Absent | MetricSource::Numbers(_), Some(_)) => {
                        self.obstacles
                            .push("a metric gives rows without a value one".into());
                    }
                },
                BoundKind::Leaf(leaf) => self.obstacles.extend(leaf.obstacle().map(Into::into)),
                BoundKind::Histogram(histogram) => {
                    if let Some(slot) = histogram.text_slot() {
                        self.dimension(slot, columns);
                    }
                    if let Some(slot) = histogram.number_slot() {
                        self.number(slot, columns);
                    }
                }
                BoundKind::Numbers(histogram) => {
                    if let Some(slot) = histogram.text_slot() {
                        self.dimension(slot, columns);
                    }
                    if let Some(slot) = histogram.number_slot() {
                        self.number(slot, columns);
                    }
                }
                BoundKind::Terms(terms) => {
                    if let Some(slot) = terms.text_slot() {
                        self.dimension(slot, columns);
                    }
                    if let Some(slot) = terms.number_slot() {
                        self.number(slot, columns);
                    }
                }
                BoundKind::Filters(filters) => {
                    for filter in &filters.filters {
                        self.filter(filter, columns);
                    }
                }
            }
            self.nodes(&node.children, columns);
        }
    }
}

/// The set of cells that keeps what is read, and the measure of each number slot.
fn find_set(
    cells: &Cells,
    reads: &Reads,
    columns: &Columns,
) -> Result<(usize, Vec<Option<usize>>), String> {
    let dimension = reads.dimension.map(|slot| &columns.texts[slot.0].path);
    let found = cells
        .sets
        .iter()
        .position(|set| set.dimension.as_ref() == dimension);
    let Some(index) = found else {
        return Err(match dimension {
            None => "a segment has no cells".into(),
            Some(path) => format!("a segment has no cells by '{path}'"),
        });
    };
    let set = &cells.sets[index];
    let mut measures = vec![None; columns.numbers.len()];
    for slot in &reads.measures {
        let column = &columns.numbers[slot.0];
        let place = set
            .measures
            .iter()
            .position(|cells| cells.column == column.path);
        let Some(place) = place else {
            return Err(format!("a segment has no cells of '{}'", column.path));
        };
        let cells = &set.measures[place];
        let is_exact = |cell: usize| {
            cells.value_counts[cell] == 0 || is_exact_widened(cells.mins[cell], cells.maxs[cell])
        };
        let must_widen = column.is_widened && cells.kind == ColumnKind::Integer;
        if must_widen && !(0..cells.value_counts.len()).all(is_exact) {
            return Err(format!(
                "integers of '{}' are beyond 2^53 and now decimals",
                column.path
            ));
        }
        measures[slot.0] = Some(place);
    }
    Ok((index, measures))
}

/// Deals the hours out: whole ones to their cells, or those of their day; cut ones to their rows.
fn split_hours(
    cover: &mut Cover,
    row_count: usize,
    filter: &BoundFilter,
    nodes: &mut [BoundNode<'_>],
) {
    let cells = Arc::clone(&cover.cells);
    let hours = &cells.hours;
    let (from_ms, to_ms) = window::instants(filter);
    let first = hours.partition_point(|hour| hour_end_ms(hour.hour_ms) < from_ms);
    let last = hours.partition_point(|hour| hour.hour_ms <= to_ms);
    let days = cover.days.clone();
    let mut next = first;
    while next < last {
        let start = next;
        let day = hours[start].hour_ms.div_euclid(DAY_MS);
        let in_day = |hour: &HourRows| hour.hour_ms.div_euclid(DAY_MS) == day;
        let end = start + hours[start..].partition_point(in_day);
        let starts_day = start == 0 || !in_day(&hours[start - 1]);
        if let Some(days) = days.as_deref().filter(|_| starts_day)
            && !cover.is_cut(&hours[start..end], filter, nodes)
        {
            let cells = days
                .hours_ms
                .partition_point(|ms| ms.div_euclid(DAY_MS) < day)
                ..days
                    .hours_ms
                    .partition_point(|ms| ms.div_euclid(DAY_MS) <= day);
            cover.whole_days.extend(cells);
            next = end;
            continue;
        }
        next = end.min(last);
        for hour in start..next {
            split_hour(cover, hour, row_count, filter, nodes);
        }
    }
}

fn split_hour(
    cover: &mut Cover,
    hour: usize,
    row_count: usize,
    filter: &BoundFilter,
    nodes: &mut [BoundNode<'_>],
) {
    let cells = Arc::clone(&cover.cells);
    let HourRows { hour_ms, first_row } = cells.hours[hour];
    if cover.is_cut(&cells.hours[hour..=hour], filter, nodes) {
        let end = cells.hours.get(hour + 1);
        let end = end.map_or(row_count, |next| next.first_row as usize);
        push_range(&mut cover.cut_rows, first_row as usize..end);
        return;
    }
    let hours_ms = &cells.sets[cover.set].hours_ms;
    let start = hours_ms.partition_point(|cell_ms| *cell_ms < hour_ms);
    let of_hour = hours_ms[start..].partition_point(|cell_ms| *cell_ms == hour_ms);
    cover.whole.extend(start..start + of_hour);
}

fn hour_end_ms(hour_ms: i64) -> i64 {
    hour_ms.saturating_add(HOUR_MS - 1)
}

impl Cover {
    /// Whether an edge lies between two rows of `hours`, which are neighbours.
    fn is_cut(
        &self,
        hours: &[HourRows],
        filter: &BoundFilter,
        nodes: &mut [BoundNode<'_>],
    ) -> bool {
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else {
            return true;
        };
        let first_ms = first.hour_ms.max(self.bounds_ms.0);
        let last_ms = hour_end_ms(last.hour_ms).min(self.bounds_ms.1);
        is_cut(filter, first_ms, last_ms) || cuts_any(nodes, first_ms, last_ms)
    }
}

/// Adds `range`, joined to the last one where they touch.
fn push_range(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        Some(_) | None => ranges.push(range),
    }
}

/// Whether an edge of a time range lies between `first_ms` and `last_ms`.
fn is_cut(filter: &BoundFilter, first_ms: i64, last_ms: i64) -> bool {
    match filter {
        BoundFilter::Time {
            first_ms: from_ms,
            last_ms: to_ms,
        } => {
            let cuts_before = first_ms < *from_ms && *from_ms <= last_ms;
            let cuts_behind = first_ms <= *to_ms && *to_ms < last_ms;
            cuts_before || cuts_behind
        }
        BoundFilter::And(inner) | BoundFilter::AtLeast(_, inner) => {
            inner.iter().any(|filter| is_cut(filter, first_ms, last_ms))
        }
        BoundFilter::Not(inner) => is_cut(inner, first_ms, last_ms),
        BoundFilter::Constant(_)
        | BoundFilter::HasNumber(_)
        | BoundFilter::HasText(_)
        | BoundFilter::InRange(..)
        | BoundFilter::InSet(..)
        | BoundFilter::HasCode(..)
        | BoundFilter::Rows(_)
        | BoundFilter::Distance(..)
        | BoundFilter::Script(_)
        | BoundFilter::InArea(..)
        | BoundFilter::Slice { .. } => false,
    }
}

/// Whether a bucket edge lies between `first_ms` and `last_ms`.
fn cuts_any(nodes: &mut [BoundNode<'_>], first_ms: i64, last_ms: i64) -> bool {
    nodes.iter_mut().any(|node| {
        let cuts = match &mut node.kind {
            BoundKind::Histogram(histogram) => !histogram.is_uncut(first_ms, last_ms),
            BoundKind::Filters(filters) => filters
                .filters
                .iter()
                .any(|filter| is_cut(filter, first_ms, last_ms)),
            BoundKind::Metric(_) | BoundKind::Leaf(_) => false,
            BoundKind::Numbers(_) | BoundKind::Terms(_) => false,
        };
        cuts || cuts_any(&mut node.children, first_ms, last_ms)
    })
}
