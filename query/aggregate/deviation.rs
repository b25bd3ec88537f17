//! Statistics with sums of squares: variances and deviations, rounded once at the end.

use num_bigint::BigInt;
use storage::model::Decimal;

use super::accumulate::{Accumulator, Statistics, Summary};
use super::metric::plain;
use super::wide_sum::{WideSum, power_of_ten, scaled_to_f64};
use crate::response::ExtendedStats;

/// Statistics and the sum of squares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deviations {
    statistics: Statistics,
    squares: WideSum,
}

impl Accumulator for Deviations {
    const READS_VALUES: bool = true;

    fn add(&mut self, value: Decimal) {
        self.statistics.add(value);
        self.squares.add(value, value);
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        self.statistics.add_run(mantissas, exponent);
        for mantissa in mantissas {
            let value = Decimal {
                mantissa: *mantissa,
                exponent,
            };
            self.squares.add(value, value);
        }
    }

    fn add_summary(&mut self, _: &Summary<'_>) {
        unreachable!("a summary does not know squares, so values are read");
    }

    fn merge(&mut self, other: &Self) {
        self.statistics.merge(&other.statistics);
        self.squares.merge(&other.squares);
    }
}

impl Deviations {
    /// What the answer carries.
    pub(super) fn result(&self) -> ExtendedStats {
        let all = &self.statistics;
        let count = all.mean.count.0;
        let sum = all.mean.sum.total();
        ExtendedStats {
            count,
            min: all.least.0.map(plain),
            max: all.greatest.0.map(plain),
            avg: all.mean.value(),
            sum_of_squares: self.squares.to_f64(),
            variance_population: self.variance(count, &sum, count),
            variance_sampling: self.variance(count, &sum, count.saturating_sub(1)),
            sum,
        }
    }

    /// `(n Σx² - (Σx)²) / (n divisor)`, exact up to the two roundings of the division.
    fn variance(&self, count: u64, sum: &storage::model::ExactSum, divisor: u64) -> Option<f64> {
        if divisor == 0 {
            return None;
        }
        let lowest_sum = sum.parts().first().map_or(0, |part| i32::from(part.0));
        // Both sides at one power of ten: squares are at twice that of the sum.
        let lowest = self.squares.lowest().min(2 * lowest_sum).div_euclid(2);
        let total: BigInt = sum
            .parts()
            .iter()
            .map(|(exponent, mantissas)| {
                BigInt::from(*mantissas) * power_of_ten(i32::from(*exponent) - lowest)
            })
            .sum();
        let squares = self.squares.scaled_to(2 * lowest);
        let difference = squares * count - &total * &total;
        let divisor = BigInt::from(count) * divisor;
        Some(scaled_to_f64(&difference, 2 * lowest) / scaled_to_f64(&divisor, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], population: Option<f64>, sampling: Option<f64>) {
        let mut all = Deviations::default();
        for value in values {
            all.add(Decimal::from_f64(*value).expect("finite"));
        }
        let found = all.result();
        assert_eq!(found.variance_population, population);
        assert_eq!(found.variance_sampling, sampling);
    }

    #[test]
    fn variances() {
        check(&[], None, None);
        check(&[4.2], Some(0.0), None);
        check(&[1.0, 2.0, 3.0, 4.0], Some(1.25), Some(5.0 / 3.0));
        // Doubles would lose all digits of it.
        check(&[1e15, 1e15 + 1.0, 1e15 + 2.0], Some(2.0 / 3.0), Some(1.0));
        check(&[0.1, 0.1, 0.1], Some(0.0), Some(0.0));
        check(&[1e300, -1e-300], Some(f64::INFINITY), Some(f64::INFINITY));
    }
}
