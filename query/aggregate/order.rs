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
