//! Buckets by number: which bucket each entry falls into.

use storage::model::{Decimal, Span};

use super::groups::Groups;
use super::histogram::assign_one_key;
use super::members::Members;
use super::order::Entry;
use super::spans::{BoundSpans, SPAN_BUCKETS_MAX};
use super::terms::{assign_many, assign_values};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot, TextSlot};
use crate::request::{NumberHistogram, SpanNumbers};

/// A number histogram over the entries of one source. A key is the number of a bucket.
#[derive(Debug, Clone)]
pub(crate) struct BoundNumberHistogram<'q> {
    by: &'q NumberHistogram,
    /// Where numbers come from; `None` when no row has one.
    slot: Option<NumberSlot>,
    /// Where spans of numbers come from.
    spans: Option<BoundSpans>,
    /// The first and the last bucket that there may be.
    indexes: (i64, i64),
}

impl<'q> BoundNumberHistogram<'q> {
    pub(super) fn bind(
        by: &'q NumberHistogram,
        binder: &mut Binder<'_>,
    ) -> Result<Self, QueryError> {
        let (mut slot, mut spans) = (None, None);
        match (&by.field, by.spans) {
            (None, _) => {}
            (Some(field), None) => slot = binder.numbers(field)?,
            (Some(field), Some(_)) => spans = BoundSpans::bind(field, binder)?,
        }
        let (lower, upper) = by.hard_bounds.unwrap_or((None, None));
        Ok(Self {
            by,
            slot,
            spans,
            indexes: by.steps.indexes_between(lower, upper),
        })
    }

    /// The number column that is read.
    pub(crate) fn number_slot(&self) -> Option<NumberSlot> {
        self.slot
    }

    /// The text column that is read.
    pub(crate) fn text_slot(&self) -> Option<TextSlot> {
        self.spans.as_ref().map(|spans| spans.slot)
    }

    /// Deals `members` out to buckets.
    pub(super) fn assign<F: Frame>(
        &self,
        members: &Members,
        frame: &mut F,
        groups: &mut Groups,
        out: &mut Members,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let missing = self.by.missing.and_then(|missing| self.key(missing));
        if let Some(spans) = &self.spans {
            let codes = frame.codes(spans.slot)?;
            let add = |value: usize, keys: &mut Vec<i64>| match spans.of(codes.codes[value]) {
                Some(span) => self.add_keys(span, keys),
                None => Ok(()),
            };
            return assign_many(members, codes.index, add, missing, groups, out, budget);
        }
        let Some(slot) = self.slot else {
            return match missing {
                None => Ok(()),
                Some(key) => assign_one_key(members, key, groups, out, budget),
            };
        };
        let numbers = frame.numbers(slot)?;
        let key = |value: usize| Ok(self.key(numbers.value(value)));
        assign_values(members, numbers.index, key, missing, groups, out, budget)
    }

    /// The buckets that `span` overlaps.
    fn add_keys(&self, span: Span, keys: &mut Vec<i64>) -> Result<(), QueryError> {
        let index = |place: u128| match self.by.spans {
            Some(SpanNumbers::Doubles) => match Span::double(place) {
                f64::NEG_INFINITY => i64::MIN,
                f64::INFINITY => i64::MAX,
                number => self
                    .by
                    .steps
                    .index(Decimal::from_f64(number).unwrap_or_default()),
            },
            Some(SpanNumbers::Integers) | None => {
                self.by.steps.index(Decimal::from_i64(Span::integer(place)))
            }
        };
        let first = index(span.first).max(self.indexes.0);
        let last = index(span.last).min(self.indexes.1);
        let count = i128::from(last) - i128::from(first) + 1;
        if count > SPAN_BUCKETS_MAX as i128 {
            return Err(QueryError::TooManyBuckets {
                buckets_max: SPAN_BUCKETS_MAX,
            });
        }
        keys.extend(first..=last);
        Ok(())
    }

    fn key(&self, value: Decimal) -> Option<i64> {
        let index = self.by.steps.index(value);
        let (first, last) = self.indexes;
        (first..=last).contains(&index).then_some(index)
    }
}

/// `entries`, ascending by key, with an empty one for every bucket between the first and the last,
/// bounds included.
pub(super) fn fill_gaps(
    by: &NumberHistogram,
    entries: &[Entry],
    budget: &Budget,
) -> Result<Vec<Entry>, QueryError> {
    let (lower, upper) = by.extended_bounds.unwrap_or((None, None));
    let lower = lower.map(|bound| by.steps.index(bound));
    let upper = upper.map(|bound| by.steps.index(bound));
    let ends = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => Some((
            lower.unwrap_or(first.key).min(first.key),
            upper.unwrap_or(last.key).max(last.key),
        )),
        _ => lower.zip(upper),
    };
    let Some((first, last)) = ends else {
        return Ok(Vec::new());
    };
    let count = i128::from(last) - i128::from(first) + 1;
    budget.check_more_buckets(usize::try_from(count.max(0)).unwrap_or(usize::MAX))?;
    let mut found = entries.iter().peekable();
    let filled = (first..=last).map(|key| match found.next_if(|entry| entry.key == key) {
        Some(entry) => entry.clone(),
        None => Entry::new(key, None, 0),
    });
    Ok(filled.collect())
}
