//! Numbers put together with those nearest to them.
//!
//! Groups start as single values. The two neighbours whose means are nearest become one, the first
//! pair of equally near ones before others, until there are few enough. Which groups are left
//! depends on the values and how often each occurs, never on their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Distribution;

/// A group of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cluster {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    count: u64,
}

/// The groups, at most `count_max`, of the values of `all`, ascending.
pub(super) fn clusters(all: &Distribution, count_max: usize) -> Vec<Cluster> {
    let mut groups: Vec<Option<Cluster>> = Vec::new();
    for (value, count) in all.counted() {
        groups.push(Some(Cluster {
            min: value,
            max: value,
            mean: value,
            count,
        }));
    }
    let mut list = Neighbours::new(groups.len());
    let mut pairs = BinaryHeap::new();
    for right in 1..groups.len() {
        push(&mut pairs, &groups, right - 1, right);
    }
    let mut left_over = groups.len();
    while left_over > count_max.max(1) {
        let Some(Reverse((distance, left, right))) = pairs.pop() else {
            break;
        };
        let (Some(one), Some(other)) = (groups[left], groups[right]) else {
            continue;
        };
        if list.next[left] != Some(right) || (other.mean - one.mean).to_bits() != distance {
            // One of both has changed since.
            continue;
        }
        groups[left] = Some(one.with(other));
        groups[right] = None;
        list.unlink(left, right);
        left_over -= 1;
        if let Some(before) = list.previous[left] {
            push(&mut pairs, &groups, before, left);
        }
        if let Some(after) = list.next[left] {
            push(&mut pairs, &groups, left, after);
        }
    }
    groups.into_iter().flatten().collect()
}

/// Pairs of neighbours, the nearest first: the bits of their distance, and both.
type Pairs = BinaryHeap<Reverse<(u64, usize, usize)>>;

fn push(pairs: &mut Pairs, groups: &[Option<Cluster>], left: usize, right: usize) {
    if let (Some(one), Some(other)) = (groups[left], groups[right]) {
        // Distances are not negative, so their bits order as they do.
        pairs.push(Reverse(((other.mean - one.mean).to_bits(), left, right)));
    }
}

impl Cluster {
    fn with(self, other: Self) -> Self {
        let count = self.count + other.count;
        let sum = self.mean * self.count as f64 + other.mean * other.count as f64;
        Self {
            min: self.min,
            max: other.max,
            mean: sum / count as f64,
            count,
        }
    }
}

/// Who stands beside whom.
struct Neighbours {
    previous: Vec<Option<usize>>,
    next: Vec<Option<usize>>,
}

impl Neighbours {
    fn new(count: usize) -> Self {
        Self {
            previous: (0..count).map(|place| place.checked_sub(1)).collect(),
            next: (1..=count)
                .map(|place| (place < count).then_some(place))
                .collect(),
        }
    }

    /// Takes `right` out, which stands behind `left`.
    fn unlink(&mut self, left: usize, right: usize) {
        let after = self.next[right];
        self.next[left] = after;
        if let Some(after) = after {
            self.previous[after] = Some(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by looking at all pairs in each round.
    fn naive(values: &[f64], count_max: usize) -> Vec<Cluster> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut groups: Vec<Cluster> = Vec::new();
        for value in sorted {
            match groups.last_mut() {
                Some(last) if last.mean == value => last.count += 1,
                _ => groups.push(Cluster {
                    min: value,
                    max: value,
                    mean: value,
                    count: 1,
                }),
            }
        }
        while groups.len() > count_max {
            let mut nearest = 0;
            for place in 1..groups.len() - 1 {
                let distance = |place: usize| groups[place + 1].mean - groups[place].mean;
                if distance(place) < distance(nearest) {
                    nearest = place;
                }
            }
            let other = groups.remove(nearest + 1);
            groups[nearest] = groups[nearest].with(other);
        }
        groups
    }

    proptest::proptest! {
        #[test]
        fn the_nearest_come_together(
            values in proptest::collection::vec(-50_i32..50, 0..60),
            count_max in 1_usize..8,
        ) {
            let values: Vec<f64> = values.into_iter().map(|value| f64::from(value) / 4.0).collect();
            let mut all = Distribution::default();
            for value in &values {
                all.add(*value);
            }
            proptest::prop_assert_eq!(
                clusters(&all.sorted(), count_max),
                naive(&values, count_max)
            );
        }
    }
}
