//! Exact sums of products: squares, and values times weights.

use num_bigint::BigInt;
use storage::model::Decimal;

/// Bits of a product that are summed apart, so that neither half can overflow.
const LOW_BITS: u32 = 64;

/// The exact sum of products of two decimals: for each power of ten the high and the low halves of
/// the mantissas' products. A product is below 2^126 and there are fewer than 2^63 of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct WideSum {
    parts: Vec<Part>,
}

/// The products of one power of ten: `high × 2^64 + low`.
#[derive(Debug, Clone, Copy)]
struct Part {
    exponent: i32,
    high: i128,
    low: i128,
}

impl WideSum {
    /// Adds `one × other`.
    pub(crate) fn add(&mut self, one: Decimal, other: Decimal) {
        let product = i128::from(one.mantissa) * i128::from(other.mantissa);
        self.add_part(Part {
            exponent: i32::from(one.exponent) + i32::from(other.exponent),
            high: product >> LOW_BITS,
            low: product & i128::from(u64::MAX),
        });
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        for part in &other.parts {
            self.add_part(*part);
        }
    }

    fn add_part(&mut self, part: Part) {
        let known = self
            .parts
            .iter_mut()
            .find(|known| known.exponent == part.exponent);
        match known {
            Some(known) => {
                known.high += part.high;
                known.low += part.low;
            }
            None => self.parts.push(part),
        }
    }

    /// The lowest power of ten, 0 without parts.
    pub(crate) fn lowest(&self) -> i32 {
        let exponents = self.parts.iter().map(|part| part.exponent);
        exponents.min().unwrap_or(0)
    }

    /// The sum divided by `10^exponent`, which is no higher than that of any part.
    pub(crate) fn scaled_to(&self, exponent: i32) -> BigInt {
        let scaled = |part: &Part| {
            let mantissas = (BigInt::from(part.high) << LOW_BITS) + BigInt::from(part.low);
            mantissas * power_of_ten(part.exponent - exponent)
        };
        self.parts.iter().map(scaled).sum()
    }

    /// The nearest IEEE double.
    pub(crate) fn to_f64(&self) -> f64 {
        let lowest = self.lowest();
        scaled_to_f64(&self.scaled_to(lowest), lowest)
    }
}

/// `10^exponent`.
///
/// # Panics
/// When it is no integer.
pub(crate) fn power_of_ten(exponent: i32) -> BigInt {
    let exponent = u32::try_from(exponent).expect("the exponent is the lowest");
    BigInt::from(10).pow(exponent)
}

/// `digits × 10^exponent`; the standard library rounds any number of digits correctly.
pub(crate) fn scaled_to_f64(digits: &BigInt, exponent: i32) -> f64 {
    format!("{digits}e{exponent}")
        .parse()
        .expect("digits with an exponent are a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact() {
        let of = |value: f64| Decimal::from_f64(value).expect("finite");
        let mut sum = WideSum::default();
        for value in [0.1, 0.2, -0.3] {
            sum.add(of(value), of(value));
        }
        assert_eq!(sum.to_f64(), 0.14);
        let extreme = Decimal::from_i64(i64::MIN);
        let mut sum = WideSum::default();
        for _ in 0..1_000 {
            sum.add(extreme, extreme);
        }
        assert_eq!(sum.to_f64(), 1_000.0 * 2_f64.powi(126));
        sum.add(of(1e300), of(-1e-300));
        let exact = BigInt::from(2).pow(126) * 1_000 - 1;
        assert_eq!(sum.scaled_to(0), exact);
    }
}
