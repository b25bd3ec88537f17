//! All sources of a search: bound, pruned, cut into morsels, scanned by cells and rows.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use storage::model::VECTOR_ROWS;
use storage::segment::RowSource;

use crate::QueryError;
use crate::aggregate::{
    BoundNode, BoundTree, Layout, Members, PlanNode, State, answer_by_dictionaries, feed, list,
    merge, settle,
};
use crate::budget::Budget;
use crate::filter::{Binder, BoundFilter};
use crate::frame::{CellFrame, Columns, Frame, RowFrame};
use crate::kept::{self, KeptStates, Question};
use crate::pool::ScanPool;
use crate::request::{Filter, RollupUse, SearchRequest};
use crate::response::Profile;
use crate::rollup::{Cover, cover};
use crate::selection::Selection;
use crate::time_range::times_of;
use crate::window;

/// A search over one topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) request: &'a SearchRequest,
    /// Path of the field that rows are sorted by.
    pub(crate) time_field: Option<&'a str>,
    pub(crate) sources: &'a [RowSource],
}

impl Part<'_> {
    /// The earliest and the latest time that rows which match may have.
    pub(crate) fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        let times_ms = times_of(&self.request.filter, self.time_field);
        let all = self.sources.iter().filter_map(|source| {
            let (first_ms, last_ms) = source.time_bounds_ms()?;
            if !source.times_are_field() {
                return Some((first_ms, last_ms));
            }
            let first_ms = first_ms.max(*times_ms.start());
            let last_ms = last_ms.min(*times_ms.end());
            (first_ms <= last_ms).then_some((first_ms, last_ms))
        });
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
pub(crate) fn may_match(
    filter: &Filter,
    time_field: Option<&str>,
    first_ms: i64,
    last_ms: i64,
) -> bool {
    let times_ms = times_of(filter, time_field);
    *times_ms.start() <= last_ms && first_ms <= *times_ms.end()
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) matched: u64,
    pub(crate) states: Vec<State>,
    pub(crate) profile: Profile,
}

/// A source with what a search reads of it.
#[derive(Debug)]
struct BoundSource<'s, 'p> {
    source: &'s RowSource,
    rollup: RollupUse,
    columns: Columns,
    filter: BoundFilter,
    nodes: Vec<BoundNode<'p>>,
    is_pruned: bool,
    /// What is asked of its row groups, where their answers are kept.
    question: Option<Question>,
}

impl BoundSource<'_, '_> {
    /// Whether rows are only counted, and all of them or none.
    fn only_counts_all(&self) -> bool {
        self.nodes.is_empty() && matches!(self.filter, BoundFilter::Constant(_))
    }

    /// Whether it is a segment and all its rows take part.
    fn is_whole_segment(&self) -> bool {
        let is_segment = match self.source {
            RowSource::Segment(_) => true,
            RowSource::Active(_) => false,
        };
        let is_all = matches!(self.filter, BoundFilter::Constant(true));
        let is_live = self.source.live_row_count() == self.source.row_count();
        is_segment && is_all && is_live && !self.is_pruned
    }
}

/// Some of the work at one source, small enough to be shared out.
#[derive(Debug)]
enum Morsel {
    /// These vectors, of them the rows in the ranges of the cover if there is one.
    Rows {
        source: usize,
        vectors: Range<usize>,
    },
    /// All cells of the cover.
    Cells { source: usize },
}

/// Scans all sources of `parts` and merges what threads found.
///
/// 1. Bind: find columns and look up terms, source by source.
/// 2. Agree: number the terms of all sources, list buckets.
/// 3. Cover: choose cells or rows, and cut them into morsels.
/// 4. Each thread takes the next morsel until none is left, and keeps states of its own.
/// 5. Merge the states. Nothing found depends on which thread took what.
pub(crate) fn scan(
    parts: &[Part<'_>],
    plans: &[Vec<PlanNode<'_>>],
    pool: &ScanPool,
    budget: &Budget,
) -> Result<Found, QueryError> {
    let plan = plans[0].as_slice();
    let shows_empty = plan.iter().any(PlanNode::shows_empty_terms);
    let counted_max = counted_rows_max(plan, budget);
    let mut sources = match counted_max {
        // Nobody asks for what a scan would find.
        0 => Vec::new(),
        _ => bind(parts, plans, shows_empty, pool)?,
    };
    let times_ms = parts.iter().filter_map(Part::time_bounds_ms);
    let times_ms = times_ms.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let layout = agree(plan, &mut sources, times_ms, pool, budget)?;
    let mut first = Worker::new(plan, &layout, budget)?;
    let mut covers = Vec::with_capacity(sources.len());
    for bound in &mut sources {
        let cover = match bound.is_pruned {
            true => None,
            false => choose(bound, pool, &mut first.profile)?,
        };
        let states = &mut first.states;
        if shows_empty {
            for (state, node) in states.iter_mut().zip(&bound.nodes) {
                list(state, node, bound.source, &bound.columns, budget)?;
            }
        }
        if cover.is_none() && bound.is_whole_segment() {
            let BoundSource { columns, nodes, .. } = bound;
            answer_by_dictionaries(nodes, states, bound.source, columns, budget)?;
        }
        covers.push(cover);
    }
    let work = Work {
        sources: &sources,
        covers: &covers,
        morsels: &morsels(&sources, &covers),
        plan,
        pool,
    };
    let mut workers = vec![first];
    while workers.len() < work.width() {
        workers.push(Worker::new(plan, &layout, budget)?);
    }
    work.share(&mut workers, counted_max);
    merge_workers(workers, budget)
}

/// Finds what the search reads in each source.
fn bind<'s, 'p>(
    parts: &[Part<'s>],
    plans: &'p [Vec<PlanNode<'_>>],
    shows_empty: bool,
    pool: &ScanPool,
) -> Result<Vec<BoundSource<'s, 'p>>, QueryError> {
    let mut sources = Vec::new();
    for (part, plan) in parts.iter().zip(plans) {
        for source in part.sources {
            let is_pruned = part.is_pruned(source);
            if is_pruned && !shows_empty {
                continue;
            }
            let question = match part.request.rollup {
                RollupUse::Never => None,
                RollupUse::WhereExact => {
                    kept::question_of(source, plan, &part.request.filter, part.time_field)
                }
            };
            let mut binder = Binder::new(source, part.time_field);
            sources.push(BoundSource {
                source,
                rollup: part.request.rollup,
                filter: binder.filter(&part.request.filter)?,
                nodes: BoundNode::bind_all(plan, &mut binder)?,
                columns: binder.into_columns(),
                is_pruned,
                question: question.filter(|question| pool.kept.is_repeated(question)),
            });
        }
    }
    Ok(sources)
}

/// Vectors of a morsel: a row group, whose pages one thread reads.
const MORSEL_VECTORS: usize = 64;

/// Rows are counted at least up to this number: all where aggregations read them anyway.
fn counted_rows_max(plan: &[PlanNode<'_>], budget: &Budget) -> u64 {
    match plan.is_empty() {
        true => budget.limits().counted_rows_max,
        false => u64::MAX,
    }
}

fn agree(
    plan: &[PlanNode<'_>],
    sources: &mut [BoundSource<'_, '_>],
    times_ms: Option<(i64, i64)>,
    pool: &ScanPool,
    budget: &Budget,
) -> Result<Layout, QueryError> {
    let mut trees: Vec<BoundTree<'_, '_>> = sources
        .iter_mut()
        .map(|bound| BoundTree {
            source: bound.source,
            columns: &bound.columns,
            nodes: &mut bound.nodes,
        })
        .collect();
    Layout::new(
        plan,
        &mut trees,
        times_ms,
        budget.limits().state_bytes_max,
        pool,
    )
}

fn morsels(sources: &[BoundSource<'_, '_>], covers: &[Option<Cover>]) -> Vec<Morsel> {
    let mut morsels = Vec::new();
    for (index, (bound, cover)) in sources.iter().zip(covers).enumerate() {
        if bound.is_pruned {
            continue;
        }
        let source = bound.source;
        let Some(cover) = cover else {
            push_rows(&mut morsels, index, window::vectors(source, &bound.filter));
            continue;
        };
        morsels.push(Morsel::Cells { source: index });
        let mut next = 0;
        for rows in &cover.cut_rows {
            let start = (rows.start / VECTOR_ROWS).max(next);
            next = rows.end.div_ceil(VECTOR_ROWS).max(next);
            push_rows(&mut morsels, index, start..next);
        }
    }
    morsels
}

/// Adds the rows of `vectors`, cut where row groups end.
fn push_rows(morsels: &mut Vec<Morsel>, source: usize, vectors: Range<usize>) {
    let mut start = vectors.start;
    while start < vectors.end {
        let end = (start / MORSEL_VECTORS + 1) * MORSEL_VECTORS;
        let vectors = start..end.min(vectors.end);
        start = vectors.end;
        morsels.push(Morsel::Rows { source, vectors });
    }
}

impl Morsel {
    /// How many rows are looked at, at most; cells are few.
    fn row_count(&self, sources: &[BoundSource<'_, '_>]) -> usize {
        match self {
            Self::Cells { .. } => 0,
            Self::Rows { source, vectors } => {
                let source = sources[*source].source;
                vectors
                    .len()
                    .saturating_mul(VECTOR_ROWS)
                    .min(source.row_count())
            }
        }
    }
}

fn merge_workers(workers: Vec<Worker<'_, '_>>, budget: &Budget) -> Result<Found, QueryError> {
    let mut workers = workers.into_iter();
    let mut all = workers.next().expect("there is a first worker");
    let mut error = all.error.take();
    for worker in workers {
        error = match (error, worker.error) {
            (Some(one), Some(other)) if other.0 < one.0 => Some(other),
            (Some(one), _) => Some(one),
            (None, other) => other,
        };
        if error.is_some() {
            continue;
        }
        for (into, from) in all.states.iter_mut().zip(&worker.states) {
            merge(into, from, &[0], budget)?;
        }
        all.matched += worker.matched;
        all.profile.rows_scanned += worker.profile.rows_scanned;
        all.profile.cells_used += worker.profile.cells_used;
    }
    match error {
        Some((_, error)) => Err(error),
        None => Ok(Found {
            matched: all.matched,
            states: all.states,
            profile: all.profile,
        }),
    }
}

/// The cells that answer, if any; otherwise why not.
fn choose(
    bound: &mut BoundSource<'_, '_>,
    pool: &ScanPool,
    profile: &mut Profile,
) -> Result<Option<Cover>, QueryError> {
    let source = bound.source;
    match source {
        RowSource::Segment(_) => profile.segments += 1,
        RowSource::Active(_) => profile.active_chunks += 1,
    }
    let reasons = match bound.rollup {
        RollupUse::Never => match source {
            RowSource::Segment(_) => vec!["the request asks for rows alone".into()],
            RowSource::Active(_) => return Ok(None),
        },
        // All rows or none: how many there are is known without rows and without cells.
        RollupUse::WhereExact if bound.only_counts_all() => return Ok(None),
        RollupUse::WhereExact => {
            let BoundSource {
                columns,
                filter,
                nodes,
                ..
            } = bound;
            match cover(source, columns, filter, nodes, pool)? {
                None => return Ok(None),
                Some(Err(reasons)) => reasons,
                Some(Ok(cover)) => {
                    if !cover.cut_rows.is_empty() {
                        add_reason(profile, "a bucket edge or a range edge lies inside an hour");
                    }
                    return Ok(Some(cover));
                }
            }
        }
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

/// What is to be done.
#[derive(Debug)]
struct Work<'w, 's, 'p> {
    sources: &'w [BoundSource<'s, 'p>],
    covers: &'w [Option<Cover>],
    morsels: &'w [Morsel],
    plan: &'w [PlanNode<'w>],
    pool: &'w ScanPool,
}

impl<'w, 's, 'p> Work<'w, 's, 'p> {
    /// How many threads are worth it.
    fn width(&self) -> usize {
        let pool = self.pool;
        let rows = self
            .morsels
            .iter()
            .map(|morsel| morsel.row_count(self.sources));
        pool.width()
            .min(rows.sum::<usize>() / pool.thread_rows_min.max(1))
    }

    /// Lets `workers` take all morsels, or so many that more than `counted_max` rows are found.
    fn share(&self, workers: &mut [Worker<'w, 'p>], counted_max: u64)
    where
        's: 'w,
    {
        let next = AtomicUsize::new(0);
        let counted = AtomicU64::new(0);
        self.pool.run(workers, |worker| {
            let morsel = next.fetch_add(1, Ordering::Relaxed);
            let before = worker.matched;
            let took = worker.take(self, morsel);
            let new = worker.matched - before;
            let counted = counted.fetch_add(new, Ordering::Relaxed) + new;
            if worker.error.is_some() || counted > counted_max {
                // The others need not go on.
                next.store(self.morsels.len(), Ordering::Relaxed);
            }
            took
        });
    }
}

/// A thread's part of a search.
#[derive(Debug)]
struct Worker<'w, 'p> {
    states: Vec<State>,
    matched: u64,
    profile: Profile,
    budget: Budget,
    /// Where it is: the tree of this source, with what it remembers from frame to frame.
    current: Option<SourceScan<'w, 'p>>,
    /// What ended it, and at which morsel.
    error: Option<(usize, QueryError)>,
}

impl<'w, 'p> Worker<'w, 'p> {
    fn new(plan: &[PlanNode<'_>], layout: &Layout, budget: &Budget) -> Result<Self, QueryError> {
        Ok(Self {
            states: State::new(plan, layout, budget)?,
            matched: 0,
            profile: Profile::default(),
            budget: budget.clone(),
            current: None,
            error: None,
        })
    }

    /// Does one morsel; says whether there was one.
    fn take(&mut self, work: &Work<'w, '_, 'p>, number: usize) -> bool {
        let took = match work.morsels.get(number) {
            Some(morsel) => {
                let goes_on = self.budget.check_stop();
                goes_on
                    .and_then(|()| self.morsel(work, morsel))
                    .map(|()| true)
            }
            None => self.leave().map(|()| false),
        };
        took.unwrap_or_else(|error| {
            self.error = Some((number, error));
            false
        })
    }

    /// Ends the scan of the source that it is at.
    fn leave(&mut self) -> Result<(), QueryError> {
        match self.current.take() {
            None => Ok(()),
            Some(mut left) => settle(&mut left.nodes, &mut self.states, &self.budget),
        }
    }

    fn morsel(&mut self, work: &Work<'w, '_, 'p>, morsel: &Morsel) -> Result<(), QueryError> {
        let (Morsel::Rows { source: index, .. } | Morsel::Cells { source: index }) = morsel;
        let bound = &work.sources[*index];
        if let (Morsel::Rows { vectors, .. }, Some(question)) = (morsel, &bound.question)
            && work.covers[*index].is_none()
            && kept::is_whole_group(bound.source, &bound.filter, vectors, MORSEL_VECTORS)
        {
            return self.row_group(work, *index, vectors.clone(), question);
        }
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.index != *index)
        {
            self.leave()?;
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => SourceScan {
                index: *index,
                filter: &bound.filter,
                nodes: bound.nodes.clone(),
                frame: RowFrame::new(bound.source, &bound.columns),
            },
        };
        match (morsel, &work.covers[*index]) {
            (Morsel::Rows { vectors, .. }, cover) => {
                let ranges = cover.as_ref().map(|cover| cover.cut_rows.as_slice());
                current.rows(bound.source, vectors.clone(), ranges, self)?;
            }
            (Morsel::Cells { .. }, Some(cover)) => current.cells(cover, self)?,
            (Morsel::Cells { .. }, None) => unreachable!("cells are of a cover"),
        }
        self.current = Some(current);
        Ok(())
    }
}

impl<'w, 'p> Worker<'w, 'p> {
    /// Adds what the row group of `vectors` gives, which is kept for those who ask the same.
    fn row_group(
        &mut self,
        work: &Work<'w, '_, 'p>,
        index: usize,
        vectors: Range<usize>,
        question: &Question,
    ) -> Result<(), QueryError> {
        let bound = &work.sources[index];
        let (kept, source, first) = (&work.pool.kept, bound.source.source_id(), vectors.start);
        let found = match kept.get(source, first, question) {
            Some(found) => found,
            None => {
                let memory = work.pool.memory();
                let budget = self.budget.beside(memory);
                let mut alone = Worker::new(work.plan, &Layout::open(work.plan), &budget)?;
                let mut scan = SourceScan {
                    index,
                    filter: &bound.filter,
                    nodes: bound.nodes.clone(),
                    frame: RowFrame::new(bound.source, &bound.columns),
                };
                scan.rows(bound.source, vectors, None, &mut alone)?;
                self.profile.rows_scanned += alone.profile.rows_scanned;
                let found = Arc::new(KeptStates {
                    matched: alone.matched,
                    states: alone.states,
                });
                kept.put(source, first, question, &found, memory);
                found
            }
        };
        self.matched += found.matched;
        for (into, from) in self.states.iter_mut().zip(&found.states) {
            merge(into, from, &[0], &self.budget)?;
        }
        Ok(())
    }
}

/// The scan of one source by one thread.
#[derive(Debug)]
struct SourceScan<'w, 'p> {
    index: usize,
    filter: &'w BoundFilter,
    nodes: Vec<BoundNode<'p>>,
    frame: RowFrame<'w>,
}

impl SourceScan<'_, '_> {
    /// Scans the rows of `vectors` that lie in `ranges`, or all.
    fn rows(
        &mut self,
        source: &RowSource,
        vectors: Range<usize>,
        ranges: Option<&[Range<usize>]>,
        worker: &mut Worker<'_, '_>,
    ) -> Result<(), QueryError> {
        for vector in vectors {
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
            self.frame.move_to(vector);
            let frame = &mut self.frame;
            feed_frame(self.filter, &mut self.nodes, frame, inside.as_ref(), worker)?;
            if self.frame.is_read() {
                let count = inside.map_or(rows.len(), |inside| inside.count());
                worker.profile.rows_scanned += count as u64;
            }
        }
        Ok(())
    }

    /// Merges the cells of `cover`.
    fn cells(&mut self, cover: &Cover, worker: &mut Worker<'_, '_>) -> Result<(), QueryError> {
        for (set, cells) in cover.sets() {
            for cells in cells.chunks(VECTOR_ROWS) {
                let mut frame = CellFrame::new(set, &cover.measures, cells, cover.first_ms());
                let used = feed_frame(self.filter, &mut self.nodes, &mut frame, None, worker)?;
                worker.profile.cells_used += used as u64;
            }
        }
        Ok(())
    }
}

/// Feeds the entries of `frame` that lie inside and match; returns how many.
fn feed_frame<F: Frame>(
    filter: &BoundFilter,
    nodes: &mut [BoundNode<'_>],
    frame: &mut F,
    inside: Option<&Selection>,
    worker: &mut Worker<'_, '_>,
) -> Result<usize, QueryError> {
    let mut selection = filter.select(frame)?;
    if let Some(inside) = inside {
        selection = selection.and(inside);
    }
    if selection.is_empty() {
        return Ok(0);
    }
    let count = selection.count();
    worker.matched += match F::ENTRIES_ARE_ROWS {
        true => count as u64,
        false => selection.rows().map(|entry| frame.row_count(entry)).sum(),
    };
    let members = Members::selected(&selection, frame.entry_count(), 0);
    for (node, state) in nodes.iter_mut().zip(&mut worker.states) {
        feed(node, state, &members, 1, frame, &worker.budget)?;
    }
    Ok(count)
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
