//! Exact sums of many groups.
//!
//! Nearly always all values of a column have one power of ten and their sums fit 64 bits. So each
//! group has one 64-bit integer, and one bound says how far from zero any of them can be: only when
//! the bound would pass 64 bits they are moved to 128 bits, all at once. Values of other powers of
//! ten that cannot be brought to the common one wait aside.

use std::collections::HashMap;

use storage::model::{Decimal, ExactSum};

use super::accumulate::Summary;
use super::group_states::GroupStates;

/// All groups are moved once in so many values for each group, or less often. Larger values, which
/// would need it sooner, go to 128 bits by themselves.
const MOVE_SHARE: u64 = 4;

/// Fewest groups that a move is counted as.
const MOVE_GROUPS_MIN: u64 = 64;

/// Exact sums by group.
#[derive(Debug, Clone, Default)]
pub(crate) struct SumStates {
    /// The power of ten of `low` and `high`.
    exponent: i16,
    low: Vec<i64>,
    /// No element of `low` is further from zero.
    bound: u64,
    /// What was moved out of `low`; empty before the first move.
    high: Vec<i128>,
    /// Sums of values of other powers of ten. Hashed with random keys as a habit; groups are ours.
    others: HashMap<u32, ExactSum>,
}

impl SumStates {
    /// The sum of `group`.
    pub(super) fn total(&self, group: Option<u32>) -> ExactSum {
        let Some(group) = group else {
            return ExactSum::default();
        };
        let mut total = self.others.get(&group).cloned().unwrap_or_default();
        total.add_scaled(self.common(group as usize), self.exponent);
        total
    }

    /// The sum of `group` as the nearest double.
    pub(super) fn to_f64(&self, group: Option<u32>) -> f64 {
        match group {
            Some(group) if self.others.is_empty() && self.high.is_empty() => Decimal {
                mantissa: self.low.get(group as usize).copied().unwrap_or(0),
                exponent: self.exponent,
            }
            .to_f64(),
            _ => self.total(group).to_f64(),
        }
    }

    /// What is kept of `group` at the common power of ten.
    fn common(&self, group: usize) -> i128 {
        let low = self.low.get(group).copied().unwrap_or(0);
        i128::from(low) + self.high.get(group).copied().unwrap_or(0)
    }

    /// Adds `mantissas × 10^exponent`.
    fn add_scaled(&mut self, group: u32, mantissas: i128, exponent: i16) {
        if mantissas == 0 {
            return;
        }
        let Some(factor) = self.align(exponent) else {
            let other = self.others.entry(group).or_default();
            other.add_scaled(mantissas, exponent);
            return;
        };
        let Some(scaled) = mantissas.checked_mul(i128::from(factor)) else {
            let other = self.others.entry(group).or_default();
            other.add_scaled(mantissas, exponent);
            return;
        };
        match i64::try_from(scaled) {
            Ok(small) if small.unsigned_abs() <= self.small_max(1) => {
                self.make_room(small.unsigned_abs());
                self.low[group as usize] += small;
            }
            Ok(_) | Err(_) => self.add_high(group as usize, scaled),
        }
    }

    /// Adds `mantissas[i] × 10^exponent` to group `groups[i]`.
    fn scatter(&mut self, groups: &[u32], mantissas: &[i64], exponent: i16) {
        let largest = largest_magnitude(mantissas);
        let all = largest.checked_mul(mantissas.len() as u64);
        let is_small = all.is_some_and(|all| all <= self.small_max(mantissas.len()));
        if is_small && self.align(exponent) == Some(1) {
            self.make_room(all.expect("it is small"));
            for (group, mantissa) in groups.iter().zip(mantissas) {
                self.low[*group as usize] += mantissa;
            }
            return;
        }
        for (group, mantissa) in groups.iter().zip(mantissas) {
            self.add_scaled(*group, i128::from(*mantissa), exponent);
        }
    }

    /// What takes a value of `exponent` to the common power of ten; `None` when nothing does.
    fn align(&mut self, exponent: i16) -> Option<i64> {
        if exponent == self.exponent {
            return Some(1);
        }
        let is_new = self.bound == 0 && self.high.is_empty();
        if is_new {
            self.exponent = exponent;
            return Some(1);
        }
        let shift = i32::from(exponent) - i32::from(self.exponent);
        let factor = 10_i64.checked_pow(shift.unsigned_abs())?;
        if shift > 0 {
            return Some(factor);
        }
        // The new one is lower: what is there goes down to it, if it fits.
        if !self.high.is_empty() {
            return None;
        }
        let bound = self.bound.checked_mul(factor.unsigned_abs())?;
        if bound > i64::MAX.unsigned_abs() {
            return None;
        }
        for low in &mut self.low {
            *low *= factor;
        }
        self.bound = bound;
        self.exponent = exponent;
        Some(1)
    }

    /// So far from zero may `count` values be together that are added to 64 bits.
    fn small_max(&self, count: usize) -> u64 {
        let groups = (self.low.len() as u64).max(MOVE_GROUPS_MIN);
        let share = i64::MAX.unsigned_abs() / MOVE_SHARE / groups;
        share
            .saturating_mul(count as u64)
            .min(i64::MAX.unsigned_abs() / 2)
    }

    /// Makes sure that `magnitude` can be added to any group.
    fn make_room(&mut self, magnitude: u64) {
        self.bound += magnitude;
        if self.bound <= i64::MAX.unsigned_abs() {
            return;
        }
        self.high.resize(self.low.len(), 0);
        for (high, low) in self.high.iter_mut().zip(&mut self.low) {
            *high += i128::from(*low);
            *low = 0;
        }
        self.bound = magnitude;
    }

    fn add_high(&mut self, group: usize, mantissas: i128) {
        self.high.resize(self.low.len(), 0);
        self.high[group] += mantissas;
    }
}

/// A number that no mantissa is further from zero than, and less than twice that of the furthest.
pub(super) fn largest_magnitude(mantissas: &[i64]) -> u64 {
    // All bits that differ from the sign: one pass without comparisons.
    let bits = mantissas
        .iter()
        .fold(0, |bits, mantissa| bits | (mantissa ^ (mantissa >> 63)));
    let magnitude = bits.cast_unsigned();
    // A negative one is one further from zero than its complement.
    (magnitude + 1).next_power_of_two()
}

impl GroupStates for SumStates {
    fn grow(&mut self, group_count: usize) {
        if self.low.is_empty() {
            // Memory of zeros is given out when it is first touched.
            self.low = vec![0; group_count];
        } else if self.low.len() < group_count {
            self.low.resize(group_count, 0);
        }
    }

    fn add(&mut self, group: u32, value: Decimal) {
        self.add_scaled(group, i128::from(value.mantissa), value.exponent);
    }

    fn add_run(&mut self, group: u32, mantissas: &[i64], exponent: i16) {
        let largest = largest_magnitude(mantissas);
        let is_small = largest
            .checked_mul(mantissas.len() as u64)
            .is_some_and(|all| all <= i64::MAX.unsigned_abs());
        let sum = match is_small {
            true => i128::from(mantissas.iter().sum::<i64>()),
            false => mantissas.iter().map(|mantissa| i128::from(*mantissa)).sum(),
        };
        self.add_scaled(group, sum, exponent);
    }

    fn add_each(&mut self, groups: &[u32], mantissas: &[i64], exponent: i16) {
        self.scatter(groups, mantissas, exponent);
    }

    fn add_summary(&mut self, group: u32, summary: &Summary<'_>) {
        for (exponent, mantissas) in summary.sum {
            self.add_scaled(group, *mantissas, *exponent);
        }
    }

    fn merge(&mut self, other: &Self, groups: &[u32]) {
        let bound = self.bound.saturating_add(other.bound);
        let is_plain = other.high.is_empty() && other.others.is_empty();
        let fits = bound <= i64::MAX.unsigned_abs();
        if is_plain && fits && self.align(other.exponent) == Some(1) {
            // Aligning may have scaled what is here.
            self.make_room(other.bound);
            for (low, group) in other.low.iter().zip(groups) {
                self.low[*group as usize] += low;
            }
            return;
        }
        for (place, group) in groups.iter().enumerate().take(other.low.len()) {
            self.add_scaled(*group, other.common(place), other.exponent);
        }
        for (place, sum) in &other.others {
            for (exponent, mantissas) in sum.parts() {
                self.add_scaled(groups[*place as usize], *mantissas, *exponent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of four groups, in any digits.
    fn values() -> impl Strategy<Value = Vec<(u32, i64, i16)>> {
        let mantissa = prop_oneof![
            -1_000..1_000_i64,
            any::<i64>(),
            (0..63_u32).prop_map(|bits| 1 << bits),
            Just(i64::MIN),
            Just(i64::MAX),
        ];
        let exponent = prop_oneof![Just(-2_i16), -3..3_i16, any::<i16>().prop_map(|e| e % 300)];
        prop::collection::vec((0..4_u32, mantissa, exponent), 0..40)
    }

    fn check(states: &SumStates, values: &[(u32, i64, i16)]) {
        for group in 0..4 {
            let mut expected = ExactSum::default();
            for (_, mantissa, exponent) in values.iter().filter(|value| value.0 == group) {
                expected.add_scaled(i128::from(*mantissa), *exponent);
            }
            assert_eq!(states.total(Some(group)), expected);
            assert_eq!(
                states.to_f64(Some(group)).to_bits(),
                expected.to_f64().to_bits()
            );
        }
    }

    fn empty() -> SumStates {
        let mut states = SumStates::default();
        states.grow(4);
        states
    }

    proptest! {
        #[test]
        fn sums_are_exact_however_values_come(values in values(), cut in 0..40_usize) {
            let mut one_by_one = empty();
            let mut scattered = empty();
            let mut runs = empty();
            for (group, mantissa, exponent) in &values {
                one_by_one.add(*group, Decimal { mantissa: *mantissa, exponent: *exponent });
            }
            for run in values.chunk_by(|a, b| a.2 == b.2) {
                let groups: Vec<u32> = run.iter().map(|value| value.0).collect();
                let mantissas: Vec<i64> = run.iter().map(|value| value.1).collect();
                scattered.add_each(&groups, &mantissas, run[0].2);
            }
            for run in values.chunk_by(|a, b| (a.0, a.2) == (b.0, b.2)) {
                let mantissas: Vec<i64> = run.iter().map(|value| value.1).collect();
                runs.add_run(run[0].0, &mantissas, run[0].2);
            }
            check(&one_by_one, &values);
            check(&scattered, &values);
            check(&runs, &values);

            let (first, second) = values.split_at(cut.min(values.len()));
            let mut parts = [empty(), empty()];
            for (part, values) in parts.iter_mut().zip([first, second]) {
                for (group, mantissa, exponent) in values {
                    part.add(*group, Decimal { mantissa: *mantissa, exponent: *exponent });
                }
            }
            let [mut both, other] = parts;
            both.merge(&other, &[0, 1, 2, 3]);
            check(&both, &values);
        }
    }
}
