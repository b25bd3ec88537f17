//! Buckets by several values together: a chain of aggregations, one below the other, whose
//! innermost groups are the buckets.

use std::cmp::Ordering;

use super::finish::{BucketView, View, term_key};
use super::metric::plain;
use super::order::{Entry, sort};
use super::term_table::EMPTY_KEY;
use crate::QueryError;
use crate::budget::Budget;
use crate::request::{MissingPlace, TupleBy, TupleSource, Tuples};
use crate::response::BucketKey;

/// A bucket of the innermost aggregation, with the keys of all.
pub(super) struct Tuple {
    pub(super) keys: Vec<BucketKey>,
    pub(super) group: u32,
    pub(super) count: u64,
}

/// Memory of a tuple, about, for each of its keys.
const KEY_BYTES: usize = size_of::<Tuple>() + size_of::<BucketKey>();

/// The tuples that are shown, in order, and the rows of those that are cut off.
pub(super) struct ShownTuples {
    pub(super) tuples: Vec<Tuple>,
    pub(super) other_count: u64,
    /// All tuples, shown or not.
    pub(super) tuple_count: usize,
}

/// The innermost aggregation of a chain of `length`.
pub(super) fn innermost<'v, 's>(view: &'v BucketView<'s>, length: usize) -> &'v BucketView<'s> {
    let mut inner = view;
    for _ in 1..length {
        if let Some(View::Buckets(next)) = inner.children.first() {
            inner = next;
        }
    }
    inner
}

/// The tuples below `parent`.
pub(super) fn shown(
    by: &Tuples,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<ShownTuples, QueryError> {
    let buckets_max = budget.limits().buckets_max;
    if by.order.is_empty() && by.size > buckets_max {
        return Err(QueryError::TooManyBuckets { buckets_max });
    }
    let mut found = Vec::new();
    let mut keys = Vec::with_capacity(by.sources.len());
    collect(&by.sources, view, parent, &mut keys, &mut found)?;
    budget.charge(found.len() * by.sources.len() * KEY_BYTES)?;
    found.retain(|tuple| {
        tuple.count >= by.doc_count_min
            && by
                .after
                .as_ref()
                .is_none_or(|after| compare(&by.sources, &tuple.keys, after).is_gt())
    });
    let tuple_count = found.len();
    let all: u64 = found.iter().map(|tuple| tuple.count).sum();
    let mut entries: Vec<Entry> = (0..)
        .zip(&found)
        .map(|(place, tuple)| Entry::new(place, Some(tuple.group), tuple.count))
        .collect();
    let tuple = |place: i64| &found[usize::try_from(place).expect("places count from 0")];
    let by_keys = |a: i64, b: i64| compare(&by.sources, &tuple(a).keys, &tuple(b).keys);
    let children = &innermost(view, by.sources.len()).children;
    sort(&mut entries, &by.order, children, by_keys, by.size);
    let tuples: Vec<Tuple> = entries
        .iter()
        .map(|entry| {
            let tuple = tuple(entry.key);
            Tuple {
                keys: tuple.keys.clone(),
                ..*tuple
            }
        })
        .collect();
    let shown: u64 = tuples.iter().map(|tuple| tuple.count).sum();
    Ok(ShownTuples {
        tuples,
        other_count: all - shown,
        tuple_count,
    })
}

fn collect(
    sources: &[TupleSource],
    view: &BucketView<'_>,
    parent: Option<u32>,
    keys: &mut Vec<BucketKey>,
    found: &mut Vec<Tuple>,
) -> Result<(), QueryError> {
    let Some((source, rest)) = sources.split_first() else {
        return Ok(());
    };
    for entry in view.entries(parent) {
        keys.push(match &source.by {
            TupleBy::DateHistogram(_) => BucketKey::Time(entry.key),
            TupleBy::NumberHistogram(by) => BucketKey::Decimal(plain(by.steps.start(entry.key))),
            TupleBy::Terms(_) if source.missing.is_some() && entry.key == EMPTY_KEY => {
                BucketKey::None
            }
            TupleBy::Terms(_) => term_key(view.state.terms.as_ref(), entry.key)?,
        });
        match (view.children.first(), entry.group) {
            (Some(View::Buckets(next)), group) if !rest.is_empty() => {
                collect(rest, next, group, keys, found)?;
            }
            (_, Some(group)) => found.push(Tuple {
                keys: keys.clone(),
                group,
                count: entry.count,
            }),
            (_, None) => {}
        }
        keys.pop();
    }
    Ok(())
}

/// How a row without a value stands to one that has one.
fn missing_ordering(source: &TupleSource) -> Ordering {
    match source.missing {
        Some(MissingPlace::Last) => Ordering::Greater,
        Some(MissingPlace::First) | None => Ordering::Less,
    }
}

/// Compares the keys of two tuples in the order of their sources.
pub(crate) fn compare(sources: &[TupleSource], a: &[BucketKey], b: &[BucketKey]) -> Ordering {
    let pairs = a.iter().zip(b).zip(sources);
    pairs.fold(Ordering::Equal, |known, ((a, b), source)| {
        known.then_with(|| match (a, b) {
            (BucketKey::None, BucketKey::None) => Ordering::Equal,
            (BucketKey::None, _) => missing_ordering(source),
            (_, BucketKey::None) => missing_ordering(source).reverse(),
            (a, b) if source.descending => a.compare(b).reverse(),
            (a, b) => a.compare(b),
        })
    })
}
