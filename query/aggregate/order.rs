//! In which order buckets are shown, and which are cut off.

use std::cmp::Ordering;

use super::finish::{View, metric_below};
use crate::request::{Order, OrderBy};

/// A bucket that may be shown.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: i64,
    /// `None` for a bucket without rows.
    pub(super) group: Option<u32>,
    pub(super) count: u64,
    /// Values of the criteria that are metrics, in their order.
    metrics: Vec<Option<f64>>,
}

impl Entry {
    pub(super) fn new(key: i64, group: Option<u32>, count: u64) -> Self {
        Self {
            key,
            group,
            count,
            metrics: Vec::new(),
        }
    }
}

/// A number that is smaller the earlier a bucket comes by `order` alone. By key all are equal:
/// keys are compared later, and only those of candidates.
pub(super) fn order_rank(
    order: &Order,
    children: &[View<'_>],
    group: Option<u32>,
    count: u64,
) -> u64 {
    let rank = match &order.by {
        OrderBy::Count => Some(count),
        OrderBy::Key => return 0,
        OrderBy::Metric { path, value } => {
            metric_below(children, path, *value, group).map(ordered_bits)
        }
    };
    match rank {
        // Buckets without a value come last, whatever the direction. A value whose bits are all
        // set shares their rank: ranks may be equal where values are not.
        None => u64::MAX,
        Some(rank) if order.descending => !rank,
        Some(rank) => rank,
    }
}

/// Bits that order as [`f64::total_cmp`] does.
fn ordered_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    match bits >> 63 {
        0 => bits | 1 << 63,
        _ => !bits,
    }
}

/// The first `size` of what is offered, by rank, with all that share the rank of the last.
#[derive(Debug)]
pub(super) struct FirstOf<T> {
    size: usize,
    offered: Vec<(u64, T)>,
    /// Nothing of a larger rank is wanted.
    rank_max: u64,
    /// Shrink when there are so many.
    room: usize,
}

/// Candidates that are looked through at once, at the least.
const ROOM_MIN: usize = 1 << 10;

impl<T> FirstOf<T> {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            offered: Vec::new(),
            rank_max: u64::MAX,
            room: size.saturating_mul(2).max(ROOM_MIN),
        }
    }

    pub(super) fn offer(&mut self, rank: u64, value: T) {
        if rank > self.rank_max {
            return;
        }
        self.offered.push((rank, value));
        if self.offered.len() >= self.room {
            self.shrink();
            // Many may share the last rank.
            self.room = self.room.max(2 * self.offered.len());
        }
    }

    fn shrink(&mut self) {
        if self.size == 0 {
            self.offered.clear();
        } else if self.size < self.offered.len() {
            let by_rank = |offered: &(u64, T)| offered.0;
            self.offered
                .select_nth_unstable_by_key(self.size - 1, by_rank);
            self.rank_max = self.offered[self.size - 1].0;
            let rank_max = self.rank_max;
            self.offered.retain(|(rank, _)| *rank <= rank_max);
        }
    }

    pub(super) fn finish(mut self) -> Vec<T> {
        self.shrink();
        self.offered.into_iter().map(|(_, value)| value).collect()
    }
}

/// Sorts `entries` by `orders`, ties by ascending key, and keeps the first `size`.
pub(super) fn sort(
    entries: &mut Vec<Entry>,
    orders: &[Order],
    children: &[View<'_>],
    compare_keys: impl Fn(i64, i64) -> Ordering,
    size: usize,
) {
    for order in orders {
        if let OrderBy::Metric { path, value } = &order.by {
            for entry in &mut *entries {
                let metric = metric_below(children, path, *value, entry.group);
                entry.metrics.push(metric);
            }
        }
    }
    let compare = |a: &Entry, b: &Entry| {
        let mut metrics = a.metrics.iter().zip(&b.metrics);
        for order in orders {
            let ordering = match &order.by {
                OrderBy::Count => directed(a.count.cmp(&b.count), order.descending),
                OrderBy::Key => directed(compare_keys(a.key, b.key), order.descending),
                OrderBy::Metric { .. } => {
                    let (a, b) = metrics.next().expect("each criterion has its value");
                    compare_metrics(*a, *b, order.descending)
                }
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        compare_keys(a.key, b.key)
    };
    if size < entries.len() {
        if size > 0 {
            entries.select_nth_unstable_by(size - 1, compare);
        }
        entries.truncate(size);
    }
    entries.sort_unstable_by(compare);
}

fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending {
        ordering.reverse()
    } else {
        ordering
    }
}

/// Buckets without a value come last, whatever the direction.
fn compare_metrics(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => directed(a.total_cmp(&b), descending),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
