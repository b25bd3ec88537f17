//! Rows counted and summed by term before their groups are looked up.
//!
//! The codes of a source are dense, and a bucket of time has many of its vectors. So while rows of
//! one bucket go by, a table has a **line** for each code: the number of its rows, and sums side by
//! side with it. A row costs one look at one line. When the bucket or the source ends, or when a
//! sum might pass 64 bits, all lines go to the groups that they belong to, in the order of codes,
//! which is nearly the order of groups.
//!
//! What does not fit (rows of many groups, several values a row, powers of ten that change too
//! often) takes the general way at once; all is added up, so it does not matter what came when.

use storage::model::Exponents;
use storage::segment::NumberSummary;

use super::bind::{BoundKind, BoundNode};
use super::members::{Entries, Members};
use super::metric::MetricSource;
use super::state::{BucketState, State};
use super::sums::largest_magnitude;
use super::terms::BoundTerms;
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::{Frame, LANES_MAX, NumberSlot, RowValues, TextSlot, ValueIndex};

/// Codes that are worth a table however few rows their source has.
const CODES_FREE: usize = 1 << 12;

/// Fewest rows of a source for each code: lines are dealt out once for each thread.
const CODE_ROWS_MIN: usize = 4;

/// Most memory of a table.
const TABLE_BYTES_MAX: usize = 32 << 20;

/// One entry in so many of a frame must be a member: a table for few rows does not pay.
const MEMBER_SHARE: usize = 8;

/// Lines that are dealt out together.
const BATCH_LINES: usize = 1024;

/// Whether an aggregation keeps a table for the source at hand.
#[derive(Debug, Clone, Default)]
pub(super) enum TallyUse {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    Unfit,
    Fit(Box<Tally>),
}

/// A table of lines, for one aggregation by term over one source.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    text: TextSlot,
    /// The number columns that are summed, each once.
    lanes: Vec<NumberSlot>,
    /// Children that show totals, and of which lane.
    shown: Vec<(usize, usize)>,
    /// The child that is a histogram, and its children as above.
    histogram: Option<(usize, Vec<(usize, usize)>)>,
    line_count: usize,
    /// For each code the number of rows and the sum of each lane, [`line_len`] elements.
    lines: Vec<i64>,
    /// What the rows in the lines have in common.
    common: Common,
    /// Rows in the lines.
    row_count: usize,
    /// No sum in the lines is further from zero.
    bounds: [u64; LANES_MAX],
}

/// What all rows in the lines have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Common {
    parent: u32,
    /// Their bucket in the histogram below.
    key_ms: i64,
    exponents: [i16; LANES_MAX],
}

/// Takes `members` into the table of `node`; says whether it did.
pub(super) fn take<F: Frame>(
    node: &mut BoundNode<'_>,
    buckets: &mut BucketState,
    members: &Members,
    frame: &mut F,
    budget: &Budget,
) -> Result<bool, QueryError> {
    let BoundNode {
        kind: BoundKind::Terms(terms),
        children,
        tally,
        ..
    } = node
    else {
        return Ok(false);
    };
    let Some(parent) = members.only_group() else {
        return Ok(false);
    };
    if !F::ENTRIES_ARE_ROWS || members.len() * MEMBER_SHARE < frame.entry_count() {
        return Ok(false);
    }
    if let TallyUse::Unknown = tally {
        *tally = TallyUse::of(terms, children, &buckets.children, frame, budget)?;
    }
    let TallyUse::Fit(tally) = tally else {
        return Ok(false);
    };
    let mut common = Common {
        parent,
        ..Common::default()
    };
    if let Some((child, _)) = &tally.histogram {
        let BoundKind::Histogram(histogram) = &mut children[*child].kind else {
            unreachable!("the table was made for these children");
        };
        match histogram.runs(members, frame)? {
            Some([(_, Some(key_ms))]) => common.key_ms = *key_ms,
            Some(_) | None => return Ok(false),
        }
    }
    let mut summaries = [None; LANES_MAX];
    for (summary, slot) in summaries.iter_mut().zip(&tally.lanes) {
        *summary = frame.summary(*slot);
    }
    let Some(values) = frame.row_values(tally.text, &tally.lanes)? else {
        return Ok(false);
    };
    let Some((lanes, more)) = lanes_of(&values, &summaries, members, &mut common) else {
        return Ok(false);
    };
    if !tally.has_room(&common, more) {
        if tally.row_count < tally.line_count {
            // Dealing out so many lines for so few rows would cost more than it saves.
            return Ok(false);
        }
        tally.deal_out(terms, buckets, budget)?;
        tally.lines.fill(0);
        if !tally.has_room(&common, more) {
            return Ok(false);
        }
    }
    tally.common = common;
    tally.row_count += members.len();
    for (bound, more) in tally.bounds.iter_mut().zip(more) {
        *bound += more;
    }
    tally.add(values.codes.codes, lanes, members.entries());
    Ok(true)
}

/// Deals out what tables hold: the scan leaves the source.
pub(crate) fn settle(
    nodes: &mut [BoundNode<'_>],
    states: &mut [State],
    budget: &Budget,
) -> Result<(), QueryError> {
    for (node, state) in nodes.iter_mut().zip(states) {
        let State::Buckets(buckets) = state else {
            continue;
        };
        let tally = std::mem::take(&mut node.tally);
        if let (TallyUse::Fit(mut tally), BoundKind::Terms(terms)) = (tally, &node.kind) {
            tally.deal_out(terms, buckets, budget)?;
            budget.release(tally.table_bytes());
        }
        settle(&mut node.children, &mut buckets.children, budget)?;
    }
    Ok(())
}

impl TallyUse {
    fn of<F: Frame>(
        terms: &BoundTerms<'_>,
        children: &[BoundNode<'_>],
        states: &[State],
        frame: &F,
        budget: &Budget,
    ) -> Result<Self, QueryError> {
        let Some(text) = terms.text_slot().filter(|_| terms.has_plain_keys()) else {
            return Ok(Self::Unfit);
        };
        let Some(bounds) = frame.code_bounds(text)? else {
            return Ok(Self::Unfit);
        };
        let mut tally = Tally {
            text,
            lanes: Vec::new(),
            shown: Vec::new(),
            histogram: None,
            line_count: bounds.term_count,
            lines: Vec::new(),
            common: Common::default(),
            row_count: 0,
            bounds: [0; LANES_MAX],
        };
        let pays = bounds.term_count <= CODES_FREE.max(bounds.row_count / CODE_ROWS_MIN);
        if !pays || !tally.shows(children, states) {
            return Ok(Self::Unfit);
        }
        let bytes = tally.table_bytes();
        if bytes > TABLE_BYTES_MAX {
            return Ok(Self::Unfit);
        }
        if budget.charge(bytes).is_err() {
            // There is a way without a table.
            budget.release(bytes);
            return Ok(Self::Unfit);
        }
        tally.lines = vec![0; tally.line_count * line_len(tally.lanes.len())];
        Ok(Self::Fit(Box::new(tally)))
    }
}

impl Tally {
    /// Whether totals are all that `children` and a histogram among them show.
    fn shows(&mut self, children: &[BoundNode<'_>], states: &[State]) -> bool {
        for (child, (node, state)) in children.iter().zip(states).enumerate() {
            let BoundKind::Histogram(histogram) = &node.kind else {
                match self.total(child, node, state) {
                    Some(shown) => self.shown.extend(shown),
                    None => return false,
                }
                continue;
            };
            let State::Buckets(buckets) = state else {
                unreachable!("a histogram has buckets");
            };
            if self.histogram.is_some() || !histogram.reads_sort_keys() {
                return false;
            }
            let mut below = Vec::new();
            let inner = node.children.iter().zip(&buckets.children);
            for (child, (node, state)) in inner.enumerate() {
                match self.total(child, node, state) {
                    Some(shown) => below.extend(shown),
                    None => return false,
                }
            }
            self.histogram = Some((child, below));
        }
        true
    }

    /// The lane of a child that shows totals; `Some(None)` when it has no values.
    #[expect(
        clippy::option_option,
        reason = "no values is not the same as no totals"
    )]
    fn total(
        &mut self,
        child: usize,
        node: &BoundNode<'_>,
        state: &State,
    ) -> Option<Option<(usize, usize)>> {
        let (BoundKind::Metric(metric), State::Metric(states)) = (&node.kind, state) else {
            return None;
        };
        match metric.source {
            MetricSource::Absent if metric.missing.is_none() => Some(None),
            MetricSource::Numbers(slot) if states.are_totals() => {
                let known = self.lanes.iter().position(|other| *other == slot);
                let lane = known.unwrap_or(self.lanes.len());
                if lane == LANES_MAX {
                    return None;
                }
                if known.is_none() {
                    self.lanes.push(slot);
                }
                Some(Some((child, lane)))
            }
            MetricSource::Absent | MetricSource::Numbers(_) | MetricSource::Texts(_) => None,
        }
    }

    fn table_bytes(&self) -> usize {
        self.line_count * line_len(self.lanes.len()) * size_of::<i64>()
    }

    /// Whether rows that have `common` in common and `more` as bounds can join those that are here.
    fn has_room(&self, common: &Common, more: [u64; LANES_MAX]) -> bool {
        let fits = self.bounds.iter().zip(more).all(|(bound, more)| {
            let bound = bound.saturating_add(more);
            bound <= i64::MAX.unsigned_abs()
        });
        fits && (self.row_count == 0 || self.common == *common)
    }

    /// Adds rows to the lines of their codes. Sums wrap where a file's statistics are wrong, as
    /// answers from such statistics are.
    fn add(&mut self, codes: &[u32], lanes: [&[i64]; LANES_MAX], entries: &Entries) {
        let [a, b, c] = lanes;
        let lines = self.lines.as_mut_slice();
        match self.lanes.len() {
            0 => each(entries, |entry| lines[codes[entry] as usize] += 1),
            1 => add_pairs(lines.as_chunks_mut().0, codes, a, entries),
            2 => {
                let lines: &mut [[i64; 4]] = lines.as_chunks_mut().0;
                each(entries, |entry| {
                    let line = &mut lines[codes[entry] as usize];
                    line[0] += 1;
                    line[1] = line[1].wrapping_add(a[entry]);
                    line[2] = line[2].wrapping_add(b[entry]);
                });
            }
            _ => {
                let lines: &mut [[i64; 4]] = lines.as_chunks_mut().0;
                each(entries, |entry| {
                    let line = &mut lines[codes[entry] as usize];
                    line[0] += 1;
                    line[1] = line[1].wrapping_add(a[entry]);
                    line[2] = line[2].wrapping_add(b[entry]);
                    line[3] = line[3].wrapping_add(c[entry]);
                });
            }
        }
    }

    /// Gives what the lines hold to the groups that they belong to. The lines themselves stay.
    fn deal_out(
        &mut self,
        terms: &BoundTerms<'_>,
        buckets: &mut BucketState,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let mut batch = Batch::default();
        if self.row_count > 0 {
            let lines = std::mem::take(&mut self.lines);
            let line_len = line_len(self.lanes.len());
            for (code, line) in (0..).zip(lines.chunks_exact(line_len)) {
                if line[0] == 0 {
                    continue;
                }
                if let Some(key) = terms.key(code) {
                    batch.push(buckets.groups.group(self.common.parent, key, budget)?, line);
                }
                if batch.groups.len() == BATCH_LINES {
                    self.put(&mut batch, buckets, budget)?;
                }
            }
            self.put(&mut batch, buckets, budget)?;
            self.lines = lines;
        }
        self.row_count = 0;
        self.bounds = [0; LANES_MAX];
        Ok(())
    }

    /// Adds a batch of lines to the states of their groups.
    fn put(
        &self,
        batch: &mut Batch,
        buckets: &mut BucketState,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let exponents = self.common.exponents;
        batch.add_to(buckets, &self.shown, exponents);
        if let Some((child, shown)) = &self.histogram {
            let State::Buckets(inner) = &mut buckets.children[*child] else {
                unreachable!("a histogram has buckets");
            };
            for group in &mut batch.groups {
                *group = inner.groups.group(*group, self.common.key_ms, budget)?;
            }
            batch.add_to(inner, shown, exponents);
        }
        batch.clear();
        Ok(())
    }
}

/// Lines on their way to their groups.
#[derive(Debug, Default)]
struct Batch {
    groups: Vec<u32>,
    counts: Vec<u64>,
    sums: [Vec<i64>; LANES_MAX],
}

impl Batch {
    fn push(&mut self, group: u32, line: &[i64]) {
        self.groups.push(group);
        self.counts.push(line[0].unsigned_abs());
        for (sums, sum) in self.sums.iter_mut().zip(&line[1..]) {
            sums.push(*sum);
        }
    }

    fn clear(&mut self) {
        self.groups.clear();
        self.counts.clear();
        self.sums.iter_mut().for_each(Vec::clear);
    }

    /// Adds rows to `buckets`, and totals to the children that are `shown`.
    fn add_to(
        &self,
        buckets: &mut BucketState,
        shown: &[(usize, usize)],
        exponents: [i16; LANES_MAX],
    ) {
        let group_count = buckets.groups.len();
        if buckets.counts.len() < group_count {
            buckets.counts.resize(group_count, 0);
        }
        for (group, count) in self.groups.iter().zip(&self.counts) {
            buckets.counts[*group as usize] += count;
        }
        for (child, lane) in shown {
            let State::Metric(states) = &mut buckets.children[*child] else {
                unreachable!("totals are of metrics");
            };
            states.grow(group_count);
            states.add_totals(
                &self.groups,
                &self.counts,
                &self.sums[*lane],
                exponents[*lane],
            );
        }
    }
}

/// Elements of a line: a power of two, so that none lies in two cache lines.
fn line_len(lane_count: usize) -> usize {
    (1 + lane_count).next_power_of_two()
}

/// The numbers of each lane, and how far from zero the sum of the members can be in each; fills in
/// their powers of ten. `None` when rows do not have one code and one number each, of one power.
fn lanes_of<'a>(
    values: &RowValues<'a>,
    summaries: &[Option<NumberSummary>; LANES_MAX],
    members: &Members,
    common: &mut Common,
) -> Option<([&'a [i64]; LANES_MAX], [u64; LANES_MAX])> {
    let ValueIndex::One = values.codes.index else {
        return None;
    };
    let mut lanes = [[].as_slice(); LANES_MAX];
    let mut bounds = [0; LANES_MAX];
    for (lane, numbers) in values.numbers.iter().flatten().enumerate() {
        let (Exponents::Uniform(exponent), ValueIndex::One) = (numbers.exponents, numbers.index)
        else {
            return None;
        };
        common.exponents[lane] = *exponent;
        lanes[lane] = numbers.mantissas;
        let largest = summaries[lane]
            .and_then(|summary| largest_known(&summary, *exponent))
            .unwrap_or_else(|| largest_magnitude(numbers.mantissas));
        bounds[lane] = largest.checked_mul(members.len() as u64)?;
    }
    Some((lanes, bounds))
}

/// How far from zero the mantissas of a vector can be, if its statistics say so at `exponent`.
fn largest_known(summary: &NumberSummary, exponent: i16) -> Option<u64> {
    let NumberSummary { min, max, .. } = summary;
    let magnitude = min.mantissa.unsigned_abs().max(max.mantissa.unsigned_abs());
    (min.exponent == exponent && max.exponent == exponent).then_some(magnitude)
}

fn each(entries: &Entries, mut visit: impl FnMut(usize)) {
    match entries {
        Entries::Range(range) => range.clone().for_each(visit),
        Entries::These(entries) => entries.iter().for_each(|entry| visit(usize::from(*entry))),
    }
}

/// The usual case: a count and one sum.
fn add_pairs(lines: &mut [[i64; 2]], codes: &[u32], values: &[i64], entries: &Entries) {
    let mut add = |code: u32, value: i64| {
        let line = &mut lines[code as usize];
        line[0] += 1;
        line[1] = line[1].wrapping_add(value);
    };
    match entries {
        Entries::Range(range) => {
            let pairs = codes[range.clone()].iter().zip(&values[range.clone()]);
            pairs.for_each(|(code, value)| add(*code, *value));
        }
        Entries::These(entries) => {
            for entry in entries {
                let entry = usize::from(*entry);
                add(codes[entry], values[entry]);
            }
        }
    }
}
