//! Buckets by time: which bucket each entry falls into.

use storage::model::{ColumnKind, FieldType, Span};

use super::clock::Clock;
use super::groups::Groups;
use super::members::{MemberGroups, Members};
use super::plan::PlanHistogram;
use super::spans::{BoundSpans, SPAN_BUCKETS_MAX};
use super::terms::{assign_many, assign_values};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot, TextSlot};
use crate::request::DateHistogram;

/// Nanoseconds in a millisecond.
const MS_NANOS: i64 = 1_000_000;

/// A histogram over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundHistogram<'q> {
    by: &'q DateHistogram,
    clock: Clock,
    hard_bounds_ms: (Option<i64>, Option<i64>),
    source: TimeSource,
    /// Those of the frame at hand.
    runs: Vec<KeyRun>,
}

/// Where a run of neighbouring members ends, and their key unless it lies outside of the hard
/// bounds.
pub(super) type KeyRun = (usize, Option<i64>);

/// Where instants come from.
#[derive(Debug, Clone)]
enum TimeSource {
    /// No row has one.
    Absent,
    /// From the sort key, one for each row.
    SortKey,
    /// From a number column, so many to the millisecond.
    Numbers(NumberSlot, i64),
    /// From a text column of spans: a row is in each bucket that one of its spans overlaps.
    Spans(BoundSpans),
}

impl<'q> BoundHistogram<'q> {
    pub(super) fn bind(
        plan: &PlanHistogram<'q>,
        binder: &mut Binder<'_>,
    ) -> Result<Self, QueryError> {
        let source = match &plan.by.field {
            None => TimeSource::Absent,
            Some(field) if binder.is_sort_key(field) => TimeSource::SortKey,
            Some(field) if field.field_type.column_kind() == ColumnKind::Text => {
                match BoundSpans::bind(field, binder)? {
                    None => TimeSource::Absent,
                    Some(spans) => TimeSource::Spans(spans),
                }
            }
            Some(field) => match binder.numbers(field)? {
                None => TimeSource::Absent,
                Some(slot) if field.field_type == FieldType::DateNanos => {
                    TimeSource::Numbers(slot, MS_NANOS)
                }
                Some(slot) => TimeSource::Numbers(slot, 1),
            },
        };
        Ok(Self {
            by: plan.by,
            clock: plan.clock.clone(),
            hard_bounds_ms: plan.hard_bounds_ms,
            source,
            runs: Vec::new(),
        })
    }

    /// The number column that is read.
    pub(crate) fn number_slot(&self) -> Option<NumberSlot> {
        match &self.source {
            TimeSource::Absent | TimeSource::SortKey | TimeSource::Spans(_) => None,
            TimeSource::Numbers(slot, _) => Some(*slot),
        }
    }

    /// The text column that is read.
    pub(crate) fn text_slot(&self) -> Option<TextSlot> {
        match &self.source {
            TimeSource::Absent | TimeSource::SortKey | TimeSource::Numbers(..) => None,
            TimeSource::Spans(spans) => Some(spans.slot),
        }
    }

    /// Whether one bucket holds everything from `first_ms` to `last_ms`, if it is asked at all.
    pub(crate) fn is_uncut(&mut self, first_ms: i64, last_ms: i64) -> bool {
        match self.source {
            TimeSource::Absent | TimeSource::Numbers(..) | TimeSource::Spans(_) => true,
            TimeSource::SortKey => self.clock.run(self.by, first_ms).contains(last_ms),
        }
    }

    /// Deals `members` out to buckets.
    pub(super) fn assign<F: Frame>(
        &mut self,
        members: &Members,
        frame: &mut F,
        groups: &mut Groups,
        out: &mut Members,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        match self.source.clone() {
            TimeSource::Absent => match self.by.missing_ms.and_then(|time_ms| self.key(time_ms)) {
                None => Ok(()),
                Some(key_ms) => assign_one_key(members, key_ms, groups, out, budget),
            },
            TimeSource::SortKey => self.assign_sort_keys(members, frame, groups, out, budget),
            TimeSource::Numbers(slot, unit) => {
                let missing = self.by.missing_ms.and_then(|time_ms| self.key(time_ms));
                let numbers = frame.numbers(slot)?;
                let key = |value: usize| Ok(self.key(numbers.mantissas[value].div_euclid(unit)));
                assign_values(members, numbers.index, key, missing, groups, out, budget)
            }
            TimeSource::Spans(spans) => {
                let missing = self.by.missing_ms.and_then(|time_ms| self.key(time_ms));
                let codes = frame.codes(spans.slot)?;
                let add = |value: usize, keys: &mut Vec<i64>| match spans.of(codes.codes[value]) {
                    Some(span) => self.add_keys(span, keys),
                    None => Ok(()),
                };
                assign_many(members, codes.index, add, missing, groups, out, budget)
            }
        }
    }

    /// The buckets that `span` overlaps. Unlike that of instants, the upper hard bound is inside.
    fn add_keys(&mut self, span: Span, keys: &mut Vec<i64>) -> Result<(), QueryError> {
        let (lower_ms, upper_ms) = self.hard_bounds_ms;
        let first_ms = Span::integer(span.first).max(lower_ms.unwrap_or(i64::MIN));
        let last_ms = Span::integer(span.last);
        let mut next_ms = first_ms;
        while next_ms <= last_ms {
            let run = self.clock.run(self.by, next_ms);
            if upper_ms.is_some_and(|upper_ms| run.key_ms > upper_ms) {
                break;
            }
            keys.push(run.key_ms);
            if keys.len() > SPAN_BUCKETS_MAX {
                return Err(QueryError::TooManyBuckets {
                    buckets_max: SPAN_BUCKETS_MAX,
                });
            }
            if run.end_ms == i64::MAX {
                break;
            }
            next_ms = run.end_ms;
        }
        Ok(())
    }

    /// Whether no entry has another instant than its sort key.
    pub(super) fn has_sort_keys_only(&self) -> bool {
        match self.source {
            TimeSource::SortKey => true,
            TimeSource::Absent => self.by.missing_ms.is_none(),
            TimeSource::Numbers(..) | TimeSource::Spans(_) => false,
        }
    }

    /// Whether each row's instant is its sort key.
    pub(super) fn reads_sort_keys(&self) -> bool {
        matches!(self.source, TimeSource::SortKey)
    }

    /// Runs of neighbouring members with one key; `None` when entries have to be looked at one by
    /// one.
    pub(super) fn runs<F: Frame>(
        &mut self,
        members: &Members,
        frame: &mut F,
    ) -> Result<Option<&[KeyRun]>, QueryError> {
        if !self.reads_sort_keys() {
            return Ok(None);
        }
        self.runs.clear();
        let (first_ms, last_ms) = frame.time_bounds_ms();
        if self.clock.run(self.by, first_ms).contains(last_ms) {
            let key = self.key(first_ms);
            self.runs.push((members.len(), key));
            return Ok(Some(&self.runs));
        }
        if !frame.times_ascend() {
            return Ok(None);
        }
        let times_ms = frame.times_ms()?;
        let mut start = 0;
        while start < members.len() {
            let first_ms = times_ms[members.entry(start)];
            let end_ms = self.clock.run(self.by, first_ms).end_ms;
            let end = members.partition_point(|entry| times_ms[entry] < end_ms);
            // The last run of all time has no end.
            let end = if end_ms == i64::MAX {
                members.len()
            } else {
                end
            };
            let key = self.key(first_ms);
            self.runs.push((end, key));
            start = end;
        }
        Ok(Some(&self.runs))
    }

    fn assign_sort_keys<F: Frame>(
        &mut self,
        members: &Members,
        frame: &mut F,
        groups: &mut Groups,
        out: &mut Members,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        if let Some(runs) = self.runs(members, frame)? {
            if let (Groups::Dense(dense), [(_, Some(key_ms))]) = (&*groups, runs) {
                let (place, width) = (dense.place(*key_ms), dense.width());
                let own = out.regroup_each(members);
                match members.member_groups() {
                    MemberGroups::Each(parents) => {
                        own.extend(parents.iter().map(|parent| parent * width + place));
                    }
                    MemberGroups::One(parent) => {
                        own.resize(members.len(), parent * width + place);
                    }
                }
                return Ok(());
            }
            let mut start = 0;
            for (end, key_ms) in runs.iter().copied() {
                if let Some(key_ms) = key_ms {
                    for (entry, parent) in members.pairs_of(start..end) {
                        out.push(entry, groups.group(parent, key_ms, budget)?);
                    }
                }
                start = end;
            }
            return Ok(());
        }
        let times_ms = frame.times_ms()?;
        for (entry, parent) in members.pairs() {
            if let Some(key_ms) = self.key(times_ms[entry]) {
                out.push(entry, groups.group(parent, key_ms, budget)?);
            }
        }
        Ok(())
    }

    /// The bucket of `time_ms`, unless it lies outside of the hard bounds.
    fn key(&mut self, time_ms: i64) -> Option<i64> {
        let key_ms = self.clock.run(self.by, time_ms).key_ms;
        let (lower_ms, upper_ms) = self.hard_bounds_ms;
        let is_inside = lower_ms.is_none_or(|lower_ms| lower_ms <= key_ms)
            && upper_ms.is_none_or(|upper_ms| key_ms < upper_ms);
        is_inside.then_some(key_ms)
    }
}

/// Deals `members` out when all of them have the same key.
pub(super) fn assign_one_key(
    members: &Members,
    key: i64,
    groups: &mut Groups,
    out: &mut Members,
    budget: &Budget,
) -> Result<(), QueryError> {
    if let Some(parent) = members.only_group() {
        if !members.is_empty() {
            out.regroup_all(members, groups.group(parent, key, budget)?);
        }
        return Ok(());
    }
    for (entry, parent) in members.pairs() {
        out.push(entry, groups.group(parent, key, budget)?);
    }
    Ok(())
}
