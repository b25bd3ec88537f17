//! What is kept of the values of one group. Everything is exact, so the order of values, and
//! whether they came one by one or summed up, does not show.

use storage::model::{Decimal, ExactSum};

use crate::distribution::Distribution;

/// Several values at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary<'a> {
    /// How many; at least 1.
    pub(super) count: u64,
    pub(super) min: Decimal,
    pub(super) max: Decimal,
    /// Parts of the exact sum: power of ten, mantissas together.
    pub(super) sum: &'a [(i16, i128)],
}

/// What is kept of the values of one group.
pub(crate) trait Accumulator: Default + Clone {
    /// Whether single values are needed: summed up ones do not do.
    const READS_VALUES: bool = false;

    /// Adds a value.
    fn add(&mut self, value: Decimal);

    /// Adds values that share a power of ten.
    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        for mantissa in mantissas {
            self.add(Decimal {
                mantissa: *mantissa,
                exponent,
            });
        }
    }

    /// Adds values that are summed up already.
    fn add_summary(&mut self, summary: &Summary<'_>);

    /// Adds another one.
    fn merge(&mut self, other: &Self);

    /// Memory beside itself that grows with the values.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Number of values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(pub(super) u64);

impl Accumulator for Count {
    fn add(&mut self, _: Decimal) {
        self.0 += 1;
    }

    fn add_run(&mut self, mantissas: &[i64], _: i16) {
        self.0 += mantissas.len() as u64;
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        self.0 += summary.count;
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }
}

/// Exact sum: 128 bits for one power of ten, the rest aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    mantissas: i128,
    exponent: i16,
    rest: Option<Box<ExactSum>>,
}

impl Sum {
    fn add_scaled(&mut self, mantissas: i128, exponent: i16) {
        if self.mantissas == 0 {
            self.exponent = exponent;
        }
        if self.exponent == exponent {
            self.mantissas += mantissas;
        } else {
            let rest = self.rest.get_or_insert_default();
            rest.add_scaled(mantissas, exponent);
        }
    }

    /// The sum as the answer carries it.
    pub(super) fn total(&self) -> ExactSum {
        let mut total = self.rest.as_deref().cloned().unwrap_or_default();
        total.add_scaled(self.mantissas, self.exponent);
        total
    }
}

impl Accumulator for Sum {
    fn add(&mut self, value: Decimal) {
        self.add_scaled(i128::from(value.mantissa), value.exponent);
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        let total = mantissas.iter().map(|mantissa| i128::from(*mantissa)).sum();
        self.add_scaled(total, exponent);
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        for (exponent, mantissas) in summary.sum {
            self.add_scaled(*mantissas, *exponent);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add_scaled(other.mantissas, other.exponent);
        if let Some(rest) = &other.rest {
            for (exponent, mantissas) in rest.parts() {
                self.add_scaled(*mantissas, *exponent);
            }
        }
    }
}

/// Sum and count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mean {
    pub(super) count: Count,
    pub(super) sum: Sum,
}

impl Mean {
    pub(super) fn value(&self) -> Option<f64> {
        (self.count.0 > 0).then(|| self.sum.total().to_f64() / self.count.0 as f64)
    }

    /// Adds values of which count and sum are known.
    pub(super) fn add_total(&mut self, count: u64, sum: i64, exponent: i16) {
        self.count.0 += count;
        self.sum.add_scaled(i128::from(sum), exponent);
    }
}

impl Accumulator for Mean {
    fn add(&mut self, value: Decimal) {
        self.count.add(value);
        self.sum.add(value);
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        self.count.add_run(mantissas, exponent);
        self.sum.add_run(mantissas, exponent);
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        self.count.add_summary(summary);
        self.sum.add_summary(summary);
    }

    fn merge(&mut self, other: &Self) {
        self.count.merge(&other.count);
        self.sum.merge(&other.sum);
    }
}

/// Smallest value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Least(pub(super) Option<Decimal>);

impl Accumulator for Least {
    fn add(&mut self, value: Decimal) {
        if self.0.is_none_or(|least| value.compare(least).is_lt()) {
            self.0 = Some(value);
        }
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        if let Some(mantissa) = mantissas.iter().copied().min() {
            self.add(Decimal { mantissa, exponent });
        }
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        self.add(summary.min);
    }

    fn merge(&mut self, other: &Self) {
        if let Some(least) = other.0 {
            self.add(least);
        }
    }
}

/// Largest value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Greatest(pub(super) Option<Decimal>);

impl Accumulator for Greatest {
    fn add(&mut self, value: Decimal) {
        if self
            .0
            .is_none_or(|greatest| value.compare(greatest).is_gt())
        {
            self.0 = Some(value);
        }
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        if let Some(mantissa) = mantissas.iter().copied().max() {
            self.add(Decimal { mantissa, exponent });
        }
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        self.add(summary.max);
    }

    fn merge(&mut self, other: &Self) {
        if let Some(greatest) = other.0 {
            self.add(greatest);
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    pub(super) mean: Mean,
    pub(super) least: Least,
    pub(super) greatest: Greatest,
}

impl Accumulator for Statistics {
    fn add(&mut self, value: Decimal) {
        self.mean.add(value);
        self.least.add(value);
        self.greatest.add(value);
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        self.mean.add_run(mantissas, exponent);
        self.least.add_run(mantissas, exponent);
        self.greatest.add_run(mantissas, exponent);
    }

    fn add_summary(&mut self, summary: &Summary<'_>) {
        self.mean.add_summary(summary);
        self.least.add_summary(summary);
        self.greatest.add_summary(summary);
    }

    fn merge(&mut self, other: &Self) {
        self.mean.merge(&other.mean);
        self.least.merge(&other.least);
        self.greatest.merge(&other.greatest);
    }
}

impl Accumulator for Distribution {
    const READS_VALUES: bool = true;

    fn add(&mut self, value: Decimal) {
        Self::add(self, value.to_f64());
    }

    fn add_run(&mut self, mantissas: &[i64], exponent: i16) {
        self.add_all(mantissas, exponent);
    }

    fn add_summary(&mut self, _: &Summary<'_>) {
        unreachable!("a summary does not know single values, so values are read");
    }

    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }

    fn heap_bytes(&self) -> usize {
        Self::heap_bytes(self)
    }
}
