//! One source: bound, pruned, scanned by cells and rows, merged into what is known so far.

use std::ops::Range;

use storage::model::VECTOR_ROWS;
use storage::segment::RowSource;

use crate::QueryError;
use crate::aggregate::{BoundNode, Members, PlanNode, State, feed, list, merge};
use crate::budget::Budget;
use crate::filter::{Binder, BoundFilter, NumberRange};
use crate::frame::{CellFrame, Columns, Frame, RowFrame};
use crate::request::{Filter, RollupUse, SearchRequest};
use crate::response::Profile;
use crate::rollup::{Cover, cover};
use crate::selection::Selection;

/// A search over one topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) request: &'a SearchRequest,
    /// Path of the field that rows are sorted by.
    pub(crate) time_field: Option<&'a str>,
    pub(crate) sources: &'a [RowSource],
}

impl Part<'_> {
    /// The earliest and the latest time of its rows.
    pub(crate) fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        let all = self.sources.iter().filter_map(RowSource::time_bounds_ms);
        all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Whether the time bounds of `source` say that none of its rows match.
    pub(crate) fn is_pruned(&self, source: &RowSource) -> bool {
        let Some((first_ms, last_ms)) = source.time_bounds_ms() else {
            return true;
        };
        source.times_are_field()
            && !may_match(&self.request.filter, self.time_field, first_ms, last_ms)
    }
}

/// Whether rows from `first_ms` to `last_ms` may pass the ranges that the time field must lie in.
fn may_match(filter: &Filter, time_field: Option<&str>, first_ms: i64, last_ms: i64) -> bool {
    match filter {
        Filter::And(inner) => inner
            .iter()
            .all(|filter| may_match(filter, time_field, first_ms, last_ms)),
        Filter::NumberRange {
            field,
            lower,
            upper,
        } if time_field == Some(field.column.as_ref()) => {
            let range = NumberRange {
                lower: *lower,
                upper: *upper,
            };
            range
                .mantissas(0)
                .is_some_and(|range| *range.start() <= last_ms && first_ms <= *range.end())
        }
        Filter::None => false,
        Filter::All
        | Filter::AtLeast { .. }
        | Filter::Not(_)
        | Filter::Exists(_)
        | Filter::NumberRange { .. }
        | Filter::NumberIn { .. }
        | Filter::Text { .. }
        | Filter::Ids(_) => true,
    }
}

/// What all sources of a search found so far.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) matched: u64,
    pub(crate) states: Vec<State>,
    pub(crate) profile: Profile,
}

/// Scans `source` and adds what it finds.
pub(crate) fn scan(
    part: &Part<'_>,
    plan: &[PlanNode<'_>],
    source: &RowSource,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    let is_pruned = part.is_pruned(source);
    let shows_empty = plan.iter().any(PlanNode::shows_empty_terms);
    if is_pruned && !shows_empty {
        return Ok(());
    }
    let mut binder = Binder::new(source, part.time_field);
    let filter = binder.filter(&part.request.filter)?;
    let mut nodes = BoundNode::bind_all(plan, &mut binder)?;
    let columns = binder.into_columns();
    if shows_empty {
        for (state, node) in found.states.iter_mut().zip(&nodes) {
            list(state, node, source, &columns, budget)?;
        }
    }
    if is_pruned {
        return Ok(());
    }
    match source {
        RowSource::Segment(_) => found.profile.segments += 1,
        RowSource::Active(_) => found.profile.active_chunks += 1,
    }
    let cover = choose(
        part,
        source,
        &columns,
        &filter,
        &mut nodes,
        &mut found.profile,
    )?;
    let charged = budget.state_bytes();
    let mut run = SourceScan {
        states: State::of_source(plan, &nodes),
        filter,
        nodes,
        matched: 0,
    };
    match cover {
        None => run.rows(source, &columns, None, &mut found.profile, budget)?,
        Some(cover) => {
            run.cells(&cover, &mut found.profile, budget)?;
            let rows = Some(cover.cut_rows.as_slice());
            run.rows(source, &columns, rows, &mut found.profile, budget)?;
        }
    }
    let charged = budget.state_bytes() - charged;
    for ((into, from), node) in found.states.iter_mut().zip(&run.states).zip(&run.nodes) {
        merge(into, from, node, &[0], budget)?;
    }
    budget.release(charged);
    found.matched += run.matched;
    Ok(())
}

/// The cells that answer, if any; otherwise why not.
fn choose(
    part: &Part<'_>,
    source: &RowSource,
    columns: &Columns,
    filter: &BoundFilter,
    nodes: &mut [BoundNode<'_>],
    profile: &mut Profile,
) -> Result<Option<Cover>, QueryError> {
    let reasons = match part.request.rollup {
        RollupUse::Never => match source {
            RowSource::Segment(_) => vec!["the request asks for rows alone".into()],
            RowSource::Active(_) => return Ok(None),
        },
        RollupUse::WhereExact => match cover(source, columns, filter, nodes)? {
            None => return Ok(None),
            Some(Err(reasons)) => reasons,
            Some(Ok(cover)) => {
                if !cover.cut_rows.is_empty() {
                    add_reason(profile, "a bucket edge or a range edge lies inside an hour");
                }
                return Ok(Some(cover));
            }
        },
    };
    for reason in &reasons {
        add_reason(profile, reason);
    }
    Ok(None)
}

fn add_reason(profile: &mut Profile, reason: &str) {
    let reasons = &mut profile.cells_unused_because;
    if !reasons.iter().any(|known| known == reason) {
        reasons.push(reason.into());
    }
}

/// The scan of one source.
#[derive(Debug)]
struct SourceScan<'p> {
    filter: BoundFilter,
    nodes: Vec<BoundNode<'p>>,
    states: Vec<State>,
    matched: u64,
}

impl SourceScan<'_> {
    /// Scans the rows of `ranges`, or all.
    fn rows(
        &mut self,
        source: &RowSource,
        columns: &Columns,
        ranges: Option<&[Range<usize>]>,
        profile: &mut Profile,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        let mut frame = RowFrame::new(source, columns);
        for vector in 0..source.vector_count() {
            let rows = source.vector_rows(vector);
            let inside = match ranges {
                None => None,
                Some(ranges) => match rows_inside(&rows, ranges) {
                    inside if inside.is_empty() => continue,
                    inside => Some(inside),
                },
            };
            let inside = match Selection::live(source, vector) {
                None => inside,
                Some(live) => Some(inside.map_or(live, |inside| inside.and(&live))),
            };
            frame.move_to(vector);
            self.frame(&mut frame, inside.as_ref(), budget)?;
            if frame.is_read() {
                let count = inside.map_or(rows.len(), |inside| inside.count());
                profile.rows_scanned += count as u64;
            }
        }
        Ok(())
    }

    /// Merges the cells of `cover`.
    fn cells(
        &mut self,
        cover: &Cover,
        profile: &mut Profile,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        for cells in cover.whole.chunks(VECTOR_ROWS) {
            let mut frame = CellFrame::new(cover.set(), &cover.measures, cells);
            profile.cells_used += self.frame(&mut frame, None, budget)? as u64;
        }
        Ok(())
    }

    /// Feeds the entries of `frame` that lie inside and match; returns how many.
    fn frame<F: Frame>(
        &mut self,
        frame: &mut F,
        inside: Option<&Selection>,
        budget: &mut Budget,
    ) -> Result<usize, QueryError> {
        let mut selection = self.filter.select(frame)?;
        if let Some(inside) = inside {
            selection = selection.and(inside);
        }
        if selection.is_empty() {
            return Ok(0);
        }
        let count = selection.count();
        self.matched += match F::ENTRIES_ARE_ROWS {
            true => count as u64,
            false => selection.rows().map(|entry| frame.row_count(entry)).sum(),
        };
        let members = Members::selected(&selection, frame.entry_count(), 0);
        for (node, state) in self.nodes.iter_mut().zip(&mut self.states) {
            feed(node, state, &members, 1, frame, budget)?;
        }
        Ok(count)
    }
}

/// The rows of a vector that lie in `ranges`, which ascend.
fn rows_inside(rows: &Range<usize>, ranges: &[Range<usize>]) -> Selection {
    let first = ranges.partition_point(|range| range.end <= rows.start);
    let mut inside = Selection::NONE;
    for range in &ranges[first..] {
        if range.start >= rows.end {
            break;
        }
        let start = range.start.max(rows.start) - rows.start;
        let end = range.end.min(rows.end) - rows.start;
        let before = Selection::first(start);
        inside = inside.or(&before.complement(end));
    }
    inside
}
