//! Metrics: bound to a column, fed from rows or cells, finished to a value.

use storage::model::{Decimal, Exponents, VECTOR_ROWS};
use storage::segment::MeasureCells;

use super::accumulate::{Accumulator, Count, Greatest, Least, Mean, Statistics, Summary};
use super::deviation::Deviations;
use super::group_states::GroupStates;
use super::members::{Entries, MemberGroups, Members};
use super::sums::SumStates;
use crate::QueryError;
use crate::distribution::Distribution;
use crate::filter::{Binder, BoundField};
use crate::frame::{Frame, NumberSlot, TextSlot, ValueIndex};
use crate::request::{Metric, MetricKind, MetricValue};
use crate::response::MetricResult;

/// A metric over the entries of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundMetric {
    pub(crate) source: MetricSource,
    /// The value of rows without one.
    pub(crate) missing: Option<Decimal>,
    /// Whether it needs single values, which cells do not keep.
    pub(crate) reads_values: bool,
}

/// Where the values of a metric come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricSource {
    /// No row has one.
    Absent,
    Numbers(NumberSlot),
    /// Texts can only be counted.
    Texts(TextSlot),
}

impl BoundMetric {
    pub(super) fn bind(metric: &Metric, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let source = match &metric.field {
            None => MetricSource::Absent,
            Some(field) => match binder.field(field)? {
                BoundField::Absent => MetricSource::Absent,
                BoundField::Numbers(slot) => MetricSource::Numbers(slot),
                BoundField::Texts(slot) if metric.kind == MetricKind::ValueCount => {
                    MetricSource::Texts(slot)
                }
                BoundField::Texts(_) => {
                    return Err(QueryError::WrongKind {
                        column: field.column.clone(),
                    });
                }
            },
        };
        Ok(Self {
            source,
            missing: metric.missing,
            reads_values: reads_values(metric.kind),
        })
    }

    /// The number column that it reads.
    pub(crate) fn number_slot(&self) -> Option<NumberSlot> {
        match self.source {
            MetricSource::Numbers(slot) => Some(slot),
            MetricSource::Absent | MetricSource::Texts(_) => None,
        }
    }
}

/// One number column in the cells of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellMeasure<'a> {
    /// The cells of the frame's entries.
    pub(crate) cells: &'a [usize],
    pub(crate) measure: &'a MeasureCells,
}

/// A state for each group of the bucket that a metric stands in.
#[derive(Debug, Clone)]
pub(crate) enum MetricStates {
    Counts(Vec<Count>),
    Sums(SumStates),
    Means(Vec<Mean>),
    Least(Vec<Least>),
    Greatest(Vec<Greatest>),
    Statistics(Vec<Statistics>),
    Deviations(Vec<Deviations>),
    Distributions(Vec<Distribution>),
}

/// Runs `$answer` with the states of any kind.
macro_rules! with_states {
    ($all:expr, $states:ident => $answer:expr) => {
        match $all {
            MetricStates::Counts($states) => $answer,
            MetricStates::Sums($states) => $answer,
            MetricStates::Means($states) => $answer,
            MetricStates::Least($states) => $answer,
            MetricStates::Greatest($states) => $answer,
            MetricStates::Statistics($states) => $answer,
            MetricStates::Deviations($states) => $answer,
            MetricStates::Distributions($states) => $answer,
        }
    };
}

pub(super) use with_states;

impl MetricStates {
    pub(super) fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Sum => Self::Sums(SumStates::default()),
            MetricKind::Avg => Self::Means(Vec::new()),
            MetricKind::Min => Self::Least(Vec::new()),
            MetricKind::Max => Self::Greatest(Vec::new()),
            MetricKind::ValueCount => Self::Counts(Vec::new()),
            MetricKind::Stats => Self::Statistics(Vec::new()),
            MetricKind::ExtendedStats => Self::Deviations(Vec::new()),
            MetricKind::Distribution => Self::Distributions(Vec::new()),
        }
    }

    /// Bytes of one state.
    pub(super) fn state_bytes(kind: MetricKind) -> usize {
        match kind {
            MetricKind::Sum => size_of::<i64>(),
            MetricKind::Avg => size_of::<Mean>(),
            MetricKind::Min | MetricKind::Max => size_of::<Least>(),
            MetricKind::ValueCount => size_of::<Count>(),
            MetricKind::Stats => size_of::<Statistics>(),
            MetricKind::ExtendedStats => size_of::<Deviations>(),
            MetricKind::Distribution => size_of::<Distribution>(),
        }
    }

    /// Makes sure that there are states for `group_count` groups.
    pub(super) fn grow(&mut self, group_count: usize) {
        with_states!(self, states => states.grow(group_count));
    }

    /// Adds the values of `members` in `frame`.
    pub(crate) fn feed_rows<F: Frame>(
        &mut self,
        metric: &BoundMetric,
        frame: &mut F,
        members: &Members,
    ) -> Result<(), QueryError> {
        match metric.source {
            MetricSource::Absent => {
                if let Some(missing) = metric.missing {
                    with_states!(self, states => feed_value(states, missing, members));
                }
                Ok(())
            }
            MetricSource::Texts(slot) => match self {
                Self::Counts(states) => feed_texts(states, metric, slot, frame, members),
                Self::Sums(_) | Self::Means(_) | Self::Least(_) => Ok(()),
                Self::Greatest(_) | Self::Statistics(_) => Ok(()),
                Self::Deviations(_) | Self::Distributions(_) => Ok(()),
            },
            MetricSource::Numbers(slot) => {
                with_states!(self, states => feed_numbers(states, metric, slot, frame, members))
            }
        }
    }

    /// Whether counts and sums of values are all that is kept of them.
    pub(super) fn are_totals(&self) -> bool {
        match self {
            Self::Counts(_) | Self::Sums(_) | Self::Means(_) => true,
            Self::Least(_) | Self::Greatest(_) | Self::Statistics(_) => false,
            Self::Deviations(_) | Self::Distributions(_) => false,
        }
    }

    /// Adds to group `groups[i]` values that are `counts[i]` many and have this sum.
    pub(super) fn add_totals(
        &mut self,
        groups: &[u32],
        counts: &[u64],
        sums: &[i64],
        exponent: i16,
    ) {
        let totals = groups.iter().zip(counts).zip(sums);
        match self {
            Self::Counts(states) => {
                for ((group, count), _) in totals {
                    states[*group as usize].0 += count;
                }
            }
            Self::Sums(states) => states.add_each(groups, sums, exponent),
            Self::Means(states) => {
                for ((group, count), sum) in totals {
                    states[*group as usize].add_total(*count, *sum, exponent);
                }
            }
            Self::Least(_) | Self::Greatest(_) | Self::Statistics(_) => {
                unreachable!("totals do not say what values were there")
            }
            Self::Deviations(_) | Self::Distributions(_) => {
                unreachable!("totals do not say what values were there")
            }
        }
    }

    /// Adds the cells of `members`.
    pub(crate) fn feed_cells(&mut self, measure: &CellMeasure<'_>, members: &Members) {
        with_states!(self, states => feed_measure(states, measure, members));
    }

    /// Adds the states of `other`: group `g` of it is group `groups[g]` here.
    pub(super) fn merge(&mut self, other: &Self, groups: &[u32]) {
        match (self, other) {
            (Self::Counts(own), Self::Counts(other)) => own.merge(other, groups),
            (Self::Sums(own), Self::Sums(other)) => own.merge(other, groups),
            (Self::Means(own), Self::Means(other)) => own.merge(other, groups),
            (Self::Least(own), Self::Least(other)) => own.merge(other, groups),
            (Self::Greatest(own), Self::Greatest(other)) => own.merge(other, groups),
            (Self::Statistics(own), Self::Statistics(other)) => own.merge(other, groups),
            (Self::Deviations(own), Self::Deviations(other)) => own.merge(other, groups),
            (Self::Distributions(own), Self::Distributions(other)) => own.merge(other, groups),
            (Self::Counts(_) | Self::Sums(_) | Self::Means(_), _)
            | (Self::Least(_) | Self::Greatest(_) | Self::Statistics(_), _)
            | (Self::Deviations(_) | Self::Distributions(_), _) => {
                unreachable!("the parts of a search were checked to have one shape")
            }
        }
    }

    /// The answer for `group`; of no values when there is no such group.
    pub(super) fn result(&self, group: Option<u32>) -> MetricResult {
        match self {
            Self::Counts(states) => MetricResult::ValueCount(state(states, group).0),
            Self::Sums(states) => MetricResult::Sum(states.total(group)),
            Self::Means(states) => MetricResult::Avg(state(states, group).value()),
            Self::Least(states) => MetricResult::Min(state(states, group).0.map(plain)),
            Self::Greatest(states) => MetricResult::Max(state(states, group).0.map(plain)),
            Self::Statistics(states) => {
                let all = state(states, group);
                MetricResult::Stats {
                    count: all.mean.count.0,
                    min: all.least.0.map(plain),
                    max: all.greatest.0.map(plain),
                    sum: all.mean.sum.total(),
                    avg: all.mean.value(),
                }
            }
            Self::Deviations(states) => {
                MetricResult::ExtendedStats(Box::new(state(states, group).result()))
            }
            Self::Distributions(states) => {
                MetricResult::Distribution(state(states, group).sorted())
            }
        }
    }

    /// A value of the answer for `group` to order by; `None` sorts last.
    pub(super) fn order_value(&self, group: Option<u32>, value: MetricValue) -> Option<f64> {
        match self {
            Self::Sums(states) => Some(states.to_f64(group)),
            Self::Counts(_) | Self::Means(_) | Self::Least(_) | Self::Greatest(_) => {
                self.result(group).value(value)
            }
            Self::Statistics(_) | Self::Deviations(_) | Self::Distributions(_) => {
                self.result(group).value(value)
            }
        }
    }

    /// Memory that all states hold beside themselves.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Distributions(states) => states.iter().map(Accumulator::heap_bytes).sum(),
            Self::Counts(_) | Self::Sums(_) | Self::Means(_) => 0,
            Self::Least(_) | Self::Greatest(_) | Self::Statistics(_) | Self::Deviations(_) => 0,
        }
    }

    /// Memory that the states of `groups` hold beside themselves, each counted once.
    pub(super) fn heap_bytes(&self, groups: impl Iterator<Item = u32>) -> usize {
        match self {
            Self::Distributions(states) => {
                let mut groups: Vec<u32> = groups.collect();
                groups.sort_unstable();
                groups.dedup();
                let states = groups
                    .iter()
                    .filter_map(|group| states.get(*group as usize));
                states.map(Accumulator::heap_bytes).sum()
            }
            Self::Counts(_) | Self::Sums(_) | Self::Means(_) => 0,
            Self::Least(_) | Self::Greatest(_) | Self::Statistics(_) | Self::Deviations(_) => 0,
        }
    }
}

/// Whether a metric needs single values.
fn reads_values(kind: MetricKind) -> bool {
    match kind {
        MetricKind::ExtendedStats => Deviations::READS_VALUES,
        MetricKind::Distribution => Distribution::READS_VALUES,
        MetricKind::Sum | MetricKind::Avg | MetricKind::Min | MetricKind::Max => false,
        MetricKind::ValueCount | MetricKind::Stats => false,
    }
}

fn state<A: Accumulator>(states: &[A], group: Option<u32>) -> A {
    group
        .and_then(|group| states.get(group as usize))
        .cloned()
        .unwrap_or_default()
}

fn feed_value<S: GroupStates>(states: &mut S, value: Decimal, members: &Members) {
    for (_, group) in members.pairs() {
        states.add(group, value);
    }
}

fn feed_numbers<S: GroupStates, F: Frame>(
    states: &mut S,
    metric: &BoundMetric,
    slot: NumberSlot,
    frame: &mut F,
    members: &Members,
) -> Result<(), QueryError> {
    if let (Some(group), None) = (members.whole(frame.entry_count()), metric.missing)
        && !S::READS_VALUES
        && let Some(summary) = frame.summary(slot)
    {
        let (mantissas, exponent) = summary.sum;
        let summary = Summary {
            count: u64::from(summary.count),
            min: summary.min,
            max: summary.max,
            sum: &[(exponent, mantissas)],
        };
        states.add_summary(group, &summary);
        return Ok(());
    }
    let numbers = frame.numbers(slot)?;
    if let (Exponents::Uniform(exponent), ValueIndex::One) = (numbers.exponents, numbers.index) {
        feed_single(states, numbers.mantissas, *exponent, members);
        return Ok(());
    }
    for (entry, group) in members.pairs() {
        let values = numbers.index.values(entry);
        match metric.missing {
            Some(missing) if values.is_empty() => states.add(group, missing),
            Some(_) | None => {
                for value in values {
                    states.add(group, numbers.value(value));
                }
            }
        }
    }
    Ok(())
}

/// Adds the one value that each member has; value `i` is that of entry `i`.
fn feed_single<S: GroupStates>(
    states: &mut S,
    mantissas: &[i64],
    exponent: i16,
    members: &Members,
) {
    match (members.entries(), members.member_groups()) {
        (Entries::Range(range), MemberGroups::One(group)) => {
            states.add_run(*group, &mantissas[range.clone()], exponent);
        }
        (Entries::Range(range), MemberGroups::Each(groups)) => {
            states.add_each(groups, &mantissas[range.clone()], exponent);
        }
        (Entries::These(entries), groups) => {
            let mut chosen = [0; VECTOR_ROWS];
            for (start, entries) in (0..).step_by(VECTOR_ROWS).zip(entries.chunks(VECTOR_ROWS)) {
                for (chosen, entry) in chosen.iter_mut().zip(entries) {
                    *chosen = mantissas[usize::from(*entry)];
                }
                let chosen = &chosen[..entries.len()];
                match groups {
                    MemberGroups::One(group) => states.add_run(*group, chosen, exponent),
                    MemberGroups::Each(groups) => {
                        let groups = &groups[start..start + entries.len()];
                        states.add_each(groups, chosen, exponent);
                    }
                }
            }
        }
    }
}

fn feed_texts<F: Frame>(
    states: &mut [Count],
    metric: &BoundMetric,
    slot: TextSlot,
    frame: &mut F,
    members: &Members,
) -> Result<(), QueryError> {
    let codes = frame.codes(slot)?;
    let mut sorted = Vec::new();
    for (entry, group) in members.pairs() {
        let count = distinct_count(&codes.codes[codes.index.values(entry)], &mut sorted);
        let counted = match metric.missing {
            Some(_) => count.max(1),
            None => count,
        };
        states[group as usize].0 += counted;
    }
    Ok(())
}

/// How many different texts a row has: one that it repeats counts once, as in terms.
fn distinct_count(codes: &[u32], sorted: &mut Vec<u32>) -> u64 {
    if codes.len() < 2 {
        return codes.len() as u64;
    }
    sorted.clear();
    sorted.extend_from_slice(codes);
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() as u64
}

fn feed_measure<S: GroupStates>(states: &mut S, cells: &CellMeasure<'_>, members: &Members) {
    for (entry, group) in members.pairs() {
        let cell = cells.cells[entry];
        let count = cells.measure.value_counts[cell];
        if count > 0 {
            let summary = Summary {
                count,
                min: cells.measure.mins[cell],
                max: cells.measure.maxs[cell],
                sum: cells.measure.sums[cell].parts(),
            };
            states.add_summary(group, &summary);
        }
    }
}

/// Powers of ten that keep a 64-bit integer other than zero within 64 bits.
const INTEGER_EXPONENT_MAX: i16 = 18;

/// The one form that a value has in answers: integers that fit have exponent 0, others no trailing
/// zeros.
pub(super) fn plain(value: Decimal) -> Decimal {
    let value = value.normalized();
    let exponent = value.exponent;
    let integer = (0..=INTEGER_EXPONENT_MAX)
        .contains(&exponent)
        .then(|| 10_i64.pow(exponent.unsigned_abs().into()))
        .and_then(|power| value.mantissa.checked_mul(power));
    integer.map_or(value, Decimal::from_i64)
}
