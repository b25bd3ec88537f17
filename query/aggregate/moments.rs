//! How several fields are distributed together: means, variances, skewness, kurtosis, covariances.
//!
//! Sums of powers are kept exactly, so no answer depends on the order of rows; differences of them
//! lose no digits, and each value is rounded once.

use num_bigint::BigInt;
use storage::model::Decimal;

use super::members::Members;
use super::wide_sum::{WideSum, power_of_ten, scaled_to_f64};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::{Frame, NumberSlot};
use crate::request::{Moments, Several};
use crate::response::FieldMoments;

/// Fields over the entries of one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundMoments {
    inputs: Vec<(Option<NumberSlot>, Option<Decimal>)>,
    several: Several,
}

/// What is kept of one group: of rows that have a value in every field.
#[derive(Debug, Clone, Default)]
pub(crate) struct MomentSums {
    count: u64,
    /// Of each field the sums of its first four powers.
    powers: Vec<[PowerSum; 4]>,
    /// Sums of products of each field with those behind it.
    products: Vec<WideSum>,
}

/// An exact sum of integers times powers of ten.
#[derive(Debug, Clone, Default)]
struct PowerSum {
    parts: Vec<(i32, BigInt)>,
}

impl PowerSum {
    fn add(&mut self, number: BigInt, exponent: i32) {
        match self.parts.iter_mut().find(|part| part.0 == exponent) {
            Some((_, sum)) => *sum += number,
            None => self.parts.push((exponent, number)),
        }
    }

    fn merge(&mut self, other: &Self) {
        for (exponent, sum) in &other.parts {
            self.add(sum.clone(), *exponent);
        }
    }

    fn lowest(&self) -> Option<i32> {
        self.parts.iter().map(|part| part.0).min()
    }

    /// The sum divided by `10^exponent`, which is no higher than that of any part.
    fn scaled_to(&self, exponent: i32) -> BigInt {
        let parts = self.parts.iter();
        parts
            .map(|(own, sum)| sum * power_of_ten(own - exponent))
            .sum()
    }
}

/// Memory of one group and field, about: four sums of up to 256 bits and a list each.
const FIELD_BYTES: usize = 512;

impl MomentSums {
    fn add(&mut self, values: &[Decimal]) {
        if self.powers.is_empty() {
            self.powers = vec![Default::default(); values.len()];
            let pairs = values.len() * values.len().saturating_sub(1) / 2;
            self.products = vec![WideSum::default(); pairs];
        }
        self.count += 1;
        for (value, powers) in values.iter().zip(&mut self.powers) {
            let exponent = i32::from(value.exponent);
            let square = i128::from(value.mantissa) * i128::from(value.mantissa);
            let (one, two) = (BigInt::from(value.mantissa), BigInt::from(square));
            let [first, second, third, fourth] = powers;
            third.add(&two * &one, 3 * exponent);
            fourth.add(&two * &two, 4 * exponent);
            first.add(one, exponent);
            second.add(two, 2 * exponent);
        }
        for (product, (left, right)) in self.products.iter_mut().zip(pairs(values.len())) {
            product.add(values[left], values[right]);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.powers.is_empty() {
            *self = other.clone();
            return;
        }
        self.count += other.count;
        for (own, other) in self.powers.iter_mut().zip(&other.powers) {
            for (own, other) in own.iter_mut().zip(other) {
                own.merge(other);
            }
        }
        for (own, other) in self.products.iter_mut().zip(&other.products) {
            own.merge(other);
        }
    }

    /// What the answer carries, field by field.
    pub(super) fn result(&self) -> Vec<FieldMoments> {
        let fields = self.powers.len();
        let deviations: Vec<f64> = self.powers.iter().map(|own| self.spread(own)).collect();
        let mut together = vec![vec![0.0; fields]; fields];
        for (product, (left, right)) in self.products.iter().zip(pairs(fields)) {
            let shared = self.shared(product, &self.powers[left][0], &self.powers[right][0]);
            together[left][right] = shared;
            together[right][left] = shared;
        }
        let others = self.count.saturating_sub(1) as f64;
        (0..fields)
            .map(|field| {
                together[field][field] = deviations[field];
                let covariance = |other: usize| together[field][other] / others;
                let correlation = |other: usize| match other == field {
                    true => 1.0,
                    false => {
                        let spread = (deviations[field] / others).sqrt()
                            * (deviations[other] / others).sqrt();
                        covariance(other) / spread
                    }
                };
                let own = &self.powers[field];
                let spread = deviations[field];
                let count = self.count as f64;
                FieldMoments {
                    count: self.count,
                    mean: self.mean(&own[0]),
                    variance: spread / others,
                    skewness: count.sqrt() * self.third(own) / spread.powf(1.5),
                    kurtosis: count * self.fourth(own) / (spread * spread),
                    covariance: (0..fields).map(covariance).collect(),
                    correlation: (0..fields).map(correlation).collect(),
                }
            })
            .collect()
    }

    fn mean(&self, first: &PowerSum) -> f64 {
        let lowest = first.lowest().unwrap_or(0);
        scaled_to_f64(&first.scaled_to(lowest), lowest) / self.count as f64
    }

    /// Powers of a field at one scale: the first at `10^lowest`, the second at its square.
    fn at_one_scale(own: &[PowerSum; 4]) -> (i32, [BigInt; 4]) {
        let lowest = own[0].lowest().unwrap_or(0);
        let [first, second, third, fourth] = own;
        let scaled = [
            first.scaled_to(lowest),
            second.scaled_to(2 * lowest),
            third.scaled_to(3 * lowest),
            fourth.scaled_to(4 * lowest),
        ];
        (lowest, scaled)
    }

    /// The sum of squared distances from the mean: `(n S2 - S1²) / n`.
    fn spread(&self, own: &[PowerSum; 4]) -> f64 {
        let (lowest, [first, second, ..]) = Self::at_one_scale(own);
        let exact = second * self.count - &first * &first;
        scaled_to_f64(&exact, 2 * lowest) / self.count as f64
    }

    /// The sum of cubed distances: `(n² S3 - 3 n S1 S2 + 2 S1³) / n²`.
    fn third(&self, own: &[PowerSum; 4]) -> f64 {
        let (lowest, [first, second, third, _]) = Self::at_one_scale(own);
        let count = BigInt::from(self.count);
        let exact =
            &count * &count * third - &count * &first * second * 3 + &first * &first * &first * 2;
        scaled_to_f64(&exact, 3 * lowest) / (self.count as f64).powi(2)
    }

    /// The sum of distances to the fourth: `(n³ S4 - 4 n² S1 S3 + 6 n S1² S2 - 3 S1⁴) / n³`.
    fn fourth(&self, own: &[PowerSum; 4]) -> f64 {
        let (lowest, [first, second, third, fourth]) = Self::at_one_scale(own);
        let count = BigInt::from(self.count);
        let square = &first * &first;
        let exact = &count * &count * &count * fourth - &count * &count * &first * third * 4
            + &count * &square * second * 6
            - &square * &square * 3;
        scaled_to_f64(&exact, 4 * lowest) / (self.count as f64).powi(3)
    }

    /// The sum of products of distances: `(n Sxy - Sx Sy) / n`.
    fn shared(&self, product: &WideSum, left: &PowerSum, right: &PowerSum) -> f64 {
        let (one, other) = (left.lowest().unwrap_or(0), right.lowest().unwrap_or(0));
        let lowest = product.lowest().min(one + other);
        let sums = left.scaled_to(one) * right.scaled_to(other);
        let exact =
            product.scaled_to(lowest) * self.count - sums * power_of_ten(one + other - lowest);
        scaled_to_f64(&exact, lowest) / self.count as f64
    }
}

/// Every pair of places below `count`, the smaller first.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |left| (left + 1..count).map(move |right| (left, right)))
}

impl BoundMoments {
    pub(super) fn bind(by: &Moments, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let mut inputs = Vec::with_capacity(by.fields.len());
        for input in &by.fields {
            let slot = match &input.field {
                None => None,
                Some(field) => binder.numbers(field)?,
            };
            inputs.push((slot, input.missing));
        }
        Ok(Self {
            inputs,
            several: by.several,
        })
    }

    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut [MomentSums],
        members: &Members,
        frame: &mut F,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        let mut columns: Vec<Vec<Option<Decimal>>> = Vec::with_capacity(self.inputs.len());
        for (slot, missing) in &self.inputs {
            let Some(slot) = slot else {
                columns.push(vec![*missing; members.len()]);
                continue;
            };
            let numbers = frame.numbers(*slot)?;
            let value = |(entry, _): (usize, u32)| {
                let values = numbers.index.values(entry);
                let values: Vec<Decimal> = values.map(|value| numbers.value(value)).collect();
                self.several.one(&values).or(*missing)
            };
            columns.push(members.pairs().map(value).collect());
        }
        let mut row = Vec::with_capacity(columns.len());
        for (place, (_, group)) in members.pairs().enumerate() {
            row.clear();
            row.extend(columns.iter().filter_map(|column| column[place]));
            if row.len() < columns.len() {
                continue;
            }
            let state = &mut states[group as usize];
            if state.powers.is_empty() {
                budget.charge(row.len() * FIELD_BYTES)?;
            }
            state.add(&row);
        }
        Ok(())
    }
}

impl Several {
    /// The one value that stands for several of a row.
    fn one(self, values: &[Decimal]) -> Option<Decimal> {
        match (values, self) {
            ([], _) => None,
            ([only], _) => Some(*only),
            (_, Self::Min) => values.iter().copied().min_by(|a, b| a.compare(*b)),
            (_, Self::Max) => values.iter().copied().max_by(|a, b| a.compare(*b)),
            (_, Self::Sum) => Decimal::from_f64(values.iter().map(|value| value.to_f64()).sum()),
            (_, Self::Avg) => {
                let sum: f64 = values.iter().map(|value| value.to_f64()).sum();
                Decimal::from_f64(sum / values.len() as f64)
            }
            (_, Self::Median) => {
                let mut sorted = values.to_vec();
                sorted.sort_by(|a, b| a.compare(*b));
                let middle = sorted.len() / 2;
                match sorted.len() % 2 {
                    1 => Some(sorted[middle]),
                    _ => {
                        let sum = sorted[middle - 1].to_f64() + sorted[middle].to_f64();
                        Decimal::from_f64(sum / 2.0)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[[f64; 2]]) -> MomentSums {
        let mut all = MomentSums::default();
        for row in rows {
            all.add(&row.map(|value| Decimal::from_f64(value).expect("finite")));
        }
        all
    }

    #[test]
    fn moments_are_those_of_the_textbook() {
        let rows = [[1.0, 10.5], [2.0, 20.5], [4.0, 0.25], [9.0, -3.5]];
        let all = of(&rows);
        let found = all.result();
        let mean = rows.iter().map(|row| row[0]).sum::<f64>() / 4.0;
        let power = |power: i32| {
            rows.iter()
                .map(|row| (row[0] - mean).powi(power))
                .sum::<f64>()
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * b.abs(), "{a} {b}");
        near(found[0].mean, mean);
        near(found[0].variance, power(2) / 3.0);
        near(found[0].skewness, 2.0 * power(3) / power(2).powf(1.5));
        near(found[0].kurtosis, 4.0 * power(4) / power(2).powi(2));
        let other = rows.iter().map(|row| row[1]).sum::<f64>() / 4.0;
        let shared: f64 = rows
            .iter()
            .map(|row| (row[0] - mean) * (row[1] - other))
            .sum();
        near(found[0].covariance[1], shared / 3.0);
        near(found[1].covariance[0], shared / 3.0);
        assert_eq!(found[1].correlation[1], 1.0);
        assert_eq!(found[0].correlation[1], found[1].correlation[0]);
    }

    #[test]
    fn no_digits_are_lost_and_parts_merge_to_the_same() {
        let rows = [[1e9 + 0.1, 1.0], [1e9 + 0.2, 2.0], [1e9 + 0.3, 3.0]];
        let whole = of(&rows);
        assert_eq!(whole.result()[0].variance, 0.01);
        let mut parts = of(&rows[1..]);
        parts.merge(&of(&rows[..1]));
        assert_eq!(parts.result(), whole.result());
        let mut empty = MomentSums::default();
        empty.merge(&whole);
        assert_eq!(empty.result(), whole.result());
    }
}
