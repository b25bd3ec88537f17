//! The merged state as an answer: gaps filled, buckets ordered and cut, values rounded once.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;
use storage::model::FieldType;

use super::groups::Groups;
use super::leaf::LeafStates;
use super::metric::{MetricStates, plain};
use super::number_histogram;
use super::order::{Entry, FirstOf, order_rank, sort};
use super::state::{BucketState, State, children};
use super::term_table::{TableTerms, TermTable};
use super::tuples;
use crate::QueryError;
use crate::budget::Budget;
use crate::ordinals::Ranks;
use crate::pattern::address;
use crate::request::{
    Aggregation, BucketBy, DateHistogram, Filters, Metric, MetricValue, NamedAggregation,
    NumberHistogram, Terms, Tuples,
};
use crate::response::{AggregationResult, Bucket, BucketKey, BucketsNote, MetricResult};
use crate::rounding::Rounding;

/// A merged state, with the groups of each parent at hand.
#[derive(Debug)]
pub(super) enum View<'s> {
    Metric(&'s MetricStates),
    Leaf(&'s LeafStates),
    Buckets(BucketView<'s>),
}

#[derive(Debug)]
pub(super) struct BucketView<'s> {
    pub(super) state: &'s BucketState,
    by_parent: ByParent,
    pub(super) children: Vec<View<'s>>,
    /// Boundaries of a histogram, from its first key or bound to its last.
    rounding: Option<Rounding>,
    /// Order of the keys of text terms.
    ranks: Option<Ranks>,
}

/// How the groups of a parent are found.
#[derive(Debug)]
enum ByParent {
    /// So many each, by number.
    Dense(u32),
    Found {
        /// Groups by parent.
        groups: Vec<u32>,
        /// Where the groups of each parent begin; one entry more than parents.
        starts: Vec<usize>,
    },
}

impl ByParent {
    fn new(groups: &Groups, parent_count: usize) -> Self {
        if let Groups::Dense(groups) = groups {
            return Self::Dense(groups.width());
        }
        let mut starts = vec![0; parent_count + 1];
        for key in groups.keys() {
            starts[key.parent as usize + 1] += 1;
        }
        for parent in 0..parent_count {
            starts[parent + 1] += starts[parent];
        }
        let mut by_parent: Vec<u32> = (0..).take(groups.len()).collect();
        by_parent.sort_by_key(|group| groups.key(*group).parent);
        Self::Found {
            groups: by_parent,
            starts,
        }
    }

    /// The groups below `parent`.
    fn groups(&self, parent: u32) -> impl Iterator<Item = u32> {
        let (range, listed) = match self {
            Self::Dense(width) => (parent * width..(parent + 1) * width, &[][..]),
            Self::Found { groups, starts } => {
                let parent = parent as usize;
                (0..0, &groups[starts[parent]..starts[parent + 1]])
            }
        };
        range.chain(listed.iter().copied())
    }
}

/// The results of the aggregations of a search.
pub(crate) fn finish(
    named: &[NamedAggregation],
    states: &[State],
    budget: &Budget,
) -> Result<Vec<AggregationResult>, QueryError> {
    let views = View::all(named, states, 1)?;
    results(named, &views, Some(0), budget)
}

impl<'s> View<'s> {
    fn all(
        named: &[NamedAggregation],
        states: &'s [State],
        parent_count: usize,
    ) -> Result<Vec<Self>, QueryError> {
        named
            .iter()
            .zip(states)
            .map(|(named, state)| Self::new(&named.aggregation, state, parent_count))
            .collect()
    }

    fn new(
        aggregation: &Aggregation,
        state: &'s State,
        parent_count: usize,
    ) -> Result<Self, QueryError> {
        let chain = match aggregation {
            Aggregation::Bucket {
                by: BucketBy::Tuples(by),
                ..
            } => by.sources.len(),
            _single => 1,
        };
        Self::chained(aggregation, chain, state, parent_count)
    }

    /// A view of `chain` aggregations, one below the other, that are one of the request.
    fn chained(
        aggregation: &Aggregation,
        chain: usize,
        state: &'s State,
        parent_count: usize,
    ) -> Result<Self, QueryError> {
        let state = match state {
            State::Metric(states) => return Ok(Self::Metric(states)),
            State::Leaf(states) => return Ok(Self::Leaf(states)),
            State::Buckets(state) => state,
        };
        let rounding = match aggregation {
            Aggregation::Bucket {
                by: BucketBy::DateHistogram(by),
                ..
            } => Some(rounding_over(by, state)),
            _without_gaps => None,
        };
        let children = match (chain, state.children.first()) {
            (2.., Some(inner)) => vec![Self::chained(
                aggregation,
                chain - 1,
                inner,
                state.groups.len(),
            )?],
            _ => Self::all(children(aggregation), &state.children, state.groups.len())?,
        };
        let ranks = match state.terms.as_ref().map(|table| &table.terms) {
            Some(TableTerms::Texts(Some(space))) => Some(space.ranks()?),
            Some(TableTerms::Texts(None) | TableTerms::Integers) => None,
            Some(TableTerms::Decimals { .. }) | None => None,
        };
        Ok(Self::Buckets(BucketView {
            state,
            by_parent: ByParent::new(&state.groups, parent_count),
            children,
            rounding,
            ranks,
        }))
    }
}

impl BucketView<'_> {
    /// The groups with rows below `parent` and how many they have, in no order.
    fn counted(&self, parent: Option<u32>) -> impl Iterator<Item = (u32, u64)> {
        let groups = parent.into_iter();
        let groups = groups.flat_map(|parent| self.by_parent.groups(parent));
        groups
            .map(|group| (group, self.state.counts[group as usize]))
            .filter(|(_, count)| *count > 0)
    }

    /// How many buckets with rows there are below `parent`.
    fn count(&self, parent: Option<u32>) -> u64 {
        self.counted(parent).count() as u64
    }

    fn key(&self, group: u32) -> i64 {
        self.state.groups.key(group).key
    }

    /// The buckets with rows below `parent`, in no order.
    pub(super) fn entries(&self, parent: Option<u32>) -> Vec<Entry> {
        let entry = |(group, count)| Entry::new(self.key(group), Some(group), count);
        self.counted(parent).map(entry).collect()
    }

    /// The group of `key` below `parent`.
    fn group(&self, parent: Option<u32>, key: i64) -> Option<Entry> {
        let mut counted = self.counted(parent);
        let (group, count) = counted.find(|(group, _)| self.key(*group) == key)?;
        Some(Entry::new(key, Some(group), count))
    }

    fn bucket(
        &self,
        aggregation: &Aggregation,
        key: BucketKey,
        entry: &Entry,
        budget: &Budget,
    ) -> Result<Bucket, QueryError> {
        Ok(Bucket {
            key,
            count: entry.count,
            aggregations: results(children(aggregation), &self.children, entry.group, budget)?,
        })
    }

    fn buckets(
        &self,
        aggregation: &Aggregation,
        entries: &[Entry],
        key: impl Fn(i64) -> Result<BucketKey, QueryError>,
        budget: &Budget,
    ) -> Result<Vec<Bucket>, QueryError> {
        budget.add_buckets(entries.len())?;
        entries
            .iter()
            .map(|entry| self.bucket(aggregation, key(entry.key)?, entry, budget))
            .collect()
    }
}

fn results(
    named: &[NamedAggregation],
    views: &[View<'_>],
    parent: Option<u32>,
    budget: &Budget,
) -> Result<Vec<AggregationResult>, QueryError> {
    named
        .iter()
        .zip(views)
        .map(|(named, view)| match view {
            View::Metric(states) => {
                let result = states.result(parent);
                Ok(AggregationResult::Metric(scaled(
                    &named.aggregation,
                    result,
                )))
            }
            View::Leaf(states) => states.result(parent),
            View::Buckets(view) => bucket_result(&named.aggregation, view, parent, budget),
        })
        .collect()
}

/// Buckets of which none is cut off.
fn plain_buckets(buckets: Vec<Bucket>) -> AggregationResult {
    AggregationResult::Buckets {
        buckets,
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

fn bucket_result(
    aggregation: &Aggregation,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<AggregationResult, QueryError> {
    let by = match aggregation {
        Aggregation::Bucket { by, .. } => by,
        Aggregation::Cardinality(_) => {
            let count = view.count(parent);
            return Ok(AggregationResult::Metric(MetricResult::Cardinality(count)));
        }
        Aggregation::Metric(_)
        | Aggregation::WeightedAvg(_)
        | Aggregation::TopRows(_)
        | Aggregation::Places(_)
        | Aggregation::Moments(_)
        | Aggregation::Script(_)
        | Aggregation::Pipeline(_) => {
            unreachable!("a metric has no buckets")
        }
    };
    match by {
        BucketBy::DateHistogram(by) => {
            let entries = histogram_entries(by, view, parent, budget)?;
            Ok(plain_buckets(view.buckets(
                aggregation,
                &entries,
                |key_ms| Ok(BucketKey::Time(key_ms)),
                budget,
            )?))
        }
        BucketBy::NumberHistogram(by) => {
            let entries = number_entries(by, view, parent, budget)?;
            let key = |index| Ok(BucketKey::Decimal(plain(by.steps.start(index))));
            Ok(plain_buckets(view.buckets(
                aggregation,
                &entries,
                key,
                budget,
            )?))
        }
        BucketBy::Terms(by) => term_result(aggregation, by, view, parent, budget),
        BucketBy::Tuples(by) => tuple_result(aggregation, by, view, parent, budget),
        BucketBy::Filter(_) | BucketBy::Global => {
            let entry = view.group(parent, 0).unwrap_or(Entry::new(0, None, 0));
            let bucket = view.bucket(aggregation, BucketKey::None, &entry, budget)?;
            Ok(AggregationResult::Single(bucket))
        }
        BucketBy::Filters(by) => {
            let mut found = view.entries(parent);
            found.sort_by_key(|entry| entry.key);
            let entries = filter_entries(by, found);
            Ok(plain_buckets(view.buckets(
                aggregation,
                &entries,
                |key| Ok(filter_key(by, key)),
                budget,
            )?))
        }
        BucketBy::Adaptive(_) => unreachable!("what it became was planned"),
    }
}

fn term_result(
    aggregation: &Aggregation,
    by: &Terms,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<AggregationResult, QueryError> {
    let TermEntries {
        entries,
        other_count,
        term_count,
    } = term_entries(by, view, parent)?;
    let key = |key| term_key(view.state.terms.as_ref(), key);
    Ok(AggregationResult::Buckets {
        buckets: view.buckets(aggregation, &entries, key, budget)?,
        other_count,
        term_count,
        note: BucketsNote::None,
    })
}

fn tuple_result(
    aggregation: &Aggregation,
    by: &Tuples,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<AggregationResult, QueryError> {
    let shown = tuples::shown(by, view, parent, budget)?;
    let inner = tuples::innermost(view, by.sources.len());
    budget.add_buckets(shown.tuples.len())?;
    let mut buckets = Vec::with_capacity(shown.tuples.len());
    for tuple in shown.tuples {
        let entry = Entry::new(0, Some(tuple.group), tuple.count);
        let key = BucketKey::Tuple(tuple.keys);
        buckets.push(inner.bucket(aggregation, key, &entry, budget)?);
    }
    Ok(AggregationResult::Buckets {
        buckets,
        other_count: shown.other_count,
        term_count: shown.tuple_count,
        note: BucketsNote::None,
    })
}

/// What a metric's script makes of its value.
fn scaled(aggregation: &Aggregation, result: MetricResult) -> MetricResult {
    let Aggregation::Metric(Metric {
        linear: Some(linear),
        ..
    }) = aggregation
    else {
        return result;
    };
    let value = result.value(MetricValue::Single);
    MetricResult::Avg(value.map(|value| value * linear.factor + linear.addend))
}

/// A value below `group` to order by, found through single-bucket aggregations.
pub(super) fn metric_below(
    views: &[View<'_>],
    path: &[usize],
    value: MetricValue,
    group: Option<u32>,
) -> Option<f64> {
    let (first, rest) = path.split_first()?;
    match views.get(*first)? {
        View::Metric(states) => states.order_value(group, value),
        View::Leaf(states) => states.order_value(group, value),
        View::Buckets(view) if rest.is_empty() => Some(match &view.state.terms {
            // A filter's rows.
            None => view.group(group, 0).map_or(0, |entry| entry.count) as f64,
            // How many distinct values there are.
            Some(_) => view.count(group) as f64,
        }),
        View::Buckets(view) => {
            let group = view.group(group, 0).and_then(|entry| entry.group);
            metric_below(&view.children, rest, value, group)
        }
    }
}

fn histogram_entries(
    by: &DateHistogram,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<Vec<Entry>, QueryError> {
    let mut entries = view.entries(parent);
    entries.sort_by_key(|entry| entry.key);
    if by.doc_count_min == 0 {
        if let Some(rounding) = &view.rounding {
            entries = fill_gaps(by, rounding, &entries, budget)?;
        }
    } else {
        entries.retain(|entry| entry.count >= by.doc_count_min);
    }
    sort(
        &mut entries,
        &by.order,
        &view.children,
        |a, b| a.cmp(&b),
        usize::MAX,
    );
    Ok(entries)
}

fn number_entries(
    by: &NumberHistogram,
    view: &BucketView<'_>,
    parent: Option<u32>,
    budget: &Budget,
) -> Result<Vec<Entry>, QueryError> {
    let mut entries = view.entries(parent);
    entries.sort_by_key(|entry| entry.key);
    if by.doc_count_min == 0 {
        entries = number_histogram::fill_gaps(by, &entries, budget)?;
    } else {
        entries.retain(|entry| entry.count >= by.doc_count_min);
    }
    let by_key = |a: i64, b: i64| a.cmp(&b);
    sort(&mut entries, &by.order, &view.children, by_key, usize::MAX);
    Ok(entries)
}

/// `entries` with an empty bucket for every key between the first and the last, bounds included.
fn fill_gaps(
    by: &DateHistogram,
    rounding: &Rounding,
    entries: &[Entry],
    budget: &Budget,
) -> Result<Vec<Entry>, QueryError> {
    let (lower_ms, upper_ms) = by.extended_bounds_ms.unwrap_or((None, None));
    let lower_ms = lower_ms.map(|bound_ms| rounding.round(bound_ms));
    let upper_ms = upper_ms.map(|bound_ms| rounding.round(bound_ms));
    let (first_ms, last_ms) = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => (
            lower_ms.unwrap_or(first.key).min(first.key),
            upper_ms.unwrap_or(last.key).max(last.key),
        ),
        // Without rows only both bounds together say where buckets are.
        _ => match (lower_ms, upper_ms) {
            (Some(lower_ms), Some(upper_ms)) => (lower_ms, upper_ms),
            _ => return Ok(Vec::new()),
        },
    };
    let mut filled = Vec::with_capacity(entries.len());
    let mut found = entries.iter().peekable();
    let mut next = (first_ms <= last_ms).then_some(first_ms);
    while let Some(key_ms) = next {
        budget.check_more_buckets(filled.len() + 1)?;
        match found.next_if(|entry| entry.key <= key_ms) {
            Some(entry) => filled.push(entry.clone()),
            None => filled.push(Entry::new(key_ms, None, 0)),
        }
        next = rounding.next(key_ms).filter(|next_ms| *next_ms <= last_ms);
    }
    Ok(filled)
}

fn rounding_over(by: &DateHistogram, state: &BucketState) -> Rounding {
    let (lower_ms, upper_ms) = by.extended_bounds_ms.unwrap_or((None, None));
    let keys = state.groups.keys().map(|group| group.key);
    let all = keys.chain(lower_ms).chain(upper_ms);
    let (first_ms, last_ms) = all.fold((i64::MAX, i64::MIN), |(first_ms, last_ms), key_ms| {
        (first_ms.min(key_ms), last_ms.max(key_ms))
    });
    let first_ms = first_ms.min(last_ms);
    Rounding::new(by.interval, &by.time_zone, by.offset_ms, first_ms, last_ms)
}

/// The terms that are shown below one bucket.
struct TermEntries {
    entries: Vec<Entry>,
    /// Rows of the terms that are cut off.
    other_count: u64,
    /// All terms, shown or not.
    term_count: usize,
}

fn term_entries(
    by: &Terms,
    view: &BucketView<'_>,
    parent: Option<u32>,
) -> Result<TermEntries, QueryError> {
    let mut term_count = 0;
    let mut all = 0;
    let mut first = FirstOf::new(by.size);
    let rank = |group: u32, count: u64| match by.order.first() {
        Some(order) => order_rank(order, &view.children, Some(group), count),
        None => 0,
    };
    for (group, count) in view.counted(parent) {
        term_count += 1;
        if (by.doc_count_min..=by.doc_count_max).contains(&count) {
            all += count;
            first.offer(rank(group, count), (group, count));
        }
    }
    let candidates = first.finish().into_iter();
    let mut entries: Vec<Entry> = candidates
        .map(|(group, count)| Entry::new(view.key(group), Some(group), count))
        .collect();
    if by.doc_count_min == 0 {
        let mut found: Vec<i64> = view
            .counted(parent)
            .map(|(group, _)| view.key(group))
            .collect();
        found.sort_unstable();
        let listed = view.state.terms.iter().flat_map(TermTable::listed);
        let empty = listed.filter(|key| found.binary_search(key).is_err());
        let before = entries.len();
        entries.extend(empty.map(|key| Entry::new(*key, None, 0)));
        term_count += entries.len() - before;
    }
    let table = view.state.terms.as_ref();
    let addresses = match &by.field {
        Some(field) if field.field_type == FieldType::Ip => Some(addresses(table, &entries)?),
        Some(_) | None => None,
    };
    let compare_keys = |a: i64, b: i64| match &addresses {
        Some(addresses) => addresses.get(&a).cmp(&addresses.get(&b)),
        None => compare_terms(table, view.ranks.as_ref(), a, b),
    };
    sort(
        &mut entries,
        &by.order,
        &view.children,
        compare_keys,
        by.size,
    );
    let shown: u64 = entries.iter().map(|entry| entry.count).sum();
    Ok(TermEntries {
        entries,
        other_count: all - shown,
        term_count,
    })
}

/// The numbers that the keys of `entries` have as addresses: their texts order otherwise.
fn addresses(
    table: Option<&TermTable>,
    entries: &[Entry],
) -> Result<FxHashMap<i64, Option<u128>>, QueryError> {
    let mut addresses = FxHashMap::default();
    for entry in entries {
        if let BucketKey::Text(text) = term_key(table, entry.key)? {
            addresses.insert(entry.key, address(text.as_ref()));
        }
    }
    Ok(addresses)
}

fn place(key: i64) -> usize {
    usize::try_from(key).expect("places are counted from 0")
}

fn compare_terms(table: Option<&TermTable>, ranks: Option<&Ranks>, a: i64, b: i64) -> Ordering {
    match table.map(|table| &table.terms) {
        None | Some(TableTerms::Integers) => a.cmp(&b),
        Some(TableTerms::Decimals { values, .. }) => values[place(a)].compare(values[place(b)]),
        Some(TableTerms::Texts(_)) => ranks.map_or(a.cmp(&b), |ranks| ranks.compare(a, b)),
    }
}

pub(super) fn term_key(table: Option<&TermTable>, key: i64) -> Result<BucketKey, QueryError> {
    Ok(match table.map(|table| &table.terms) {
        None | Some(TableTerms::Integers) => BucketKey::Integer(key),
        Some(TableTerms::Decimals { values, .. }) => BucketKey::Decimal(plain(values[place(key)])),
        Some(TableTerms::Texts(None)) => BucketKey::None,
        Some(TableTerms::Texts(Some(space))) => {
            let key = u32::try_from(key).expect("keys of texts are 32 bits");
            BucketKey::Text(space.term(key)?)
        }
    })
}

/// A bucket for every filter, and for the rest if it is asked for.
fn filter_entries(by: &Filters, found: Vec<Entry>) -> Vec<Entry> {
    let count = by.filters.len() + usize::from(by.other.is_some());
    let mut found = found.into_iter().peekable();
    (0..)
        .take(count)
        .map(|key| {
            let entry = found.next_if(|entry| entry.key == key);
            entry.unwrap_or(Entry::new(key, None, 0))
        })
        .collect()
}

fn filter_key(by: &Filters, key: i64) -> BucketKey {
    let name = match by.filters.get(place(key)) {
        Some((name, _)) => name.as_deref(),
        None => by.other.as_deref(),
    };
    name.map_or(BucketKey::None, |name| BucketKey::Name(name.into()))
}
