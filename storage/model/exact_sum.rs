//! Sums that lose nothing.

use num_bigint::BigInt;

use super::Decimal;

/// The exact sum of decimals: one 128-bit integer for each power of ten seen.
///
/// A mantissa is below 2^63 and a store holds fewer than 2^63 values, so no part can overflow.
/// The sum is rounded once, in [`ExactSum::to_f64`]; how values were grouped, ordered or encoded
/// does not show in it.
/// Sums are equal when their values are, whatever powers of ten the values came in.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    parts: Parts,
}

/// One sum of mantissas for each exponent, as `(exponent, sum)`.
#[derive(Debug, Clone)]
enum Parts {
    /// Nearly every sum has one, in place: an answer has thousands of them. Zero is no part.
    One((i16, i128)),
    /// Ascending by exponent, none of them zero.
    Many(Vec<(i16, i128)>),
}

impl Default for Parts {
    fn default() -> Self {
        Self::One((0, 0))
    }
}

impl ExactSum {
    /// Adds one value.
    pub fn add(&mut self, value: Decimal) {
        self.add_scaled(i128::from(value.mantissa), value.exponent);
    }

    /// Adds `mantissas × 10^exponent`, the sum of many values of one exponent.
    pub fn add_scaled(&mut self, mantissas: i128, exponent: i16) {
        if mantissas == 0 {
            return;
        }
        let parts = match &mut self.parts {
            Parts::One(part) if part.1 == 0 => {
                *part = (exponent, mantissas);
                return;
            }
            Parts::One(part) if part.0 == exponent => {
                part.1 += mantissas;
                return;
            }
            Parts::One(part) => {
                self.parts = Parts::Many(vec![*part]);
                return self.add_scaled(mantissas, exponent);
            }
            Parts::Many(parts) => parts,
        };
        match parts.binary_search_by_key(&exponent, |part| part.0) {
            Ok(index) => {
                parts[index].1 += mantissas;
                if parts[index].1 == 0 {
                    parts.remove(index);
                }
            }
            Err(index) => parts.insert(index, (exponent, mantissas)),
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        for (exponent, mantissas) in other.parts() {
            self.add_scaled(*mantissas, *exponent);
        }
    }

    /// The parts `(exponent, sum of mantissas)`, ascending by exponent; for encoding.
    #[must_use]
    pub fn parts(&self) -> &[(i16, i128)] {
        match &self.parts {
            Parts::One((_, 0)) => &[],
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

    /// The nearest IEEE double (ties to even; infinite beyond its range).
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        match self.parts() {
            [] => 0.0,
            [(exponent, mantissas)] => match i64::try_from(*mantissas) {
                Ok(mantissa) => Decimal {
                    mantissa,
                    exponent: *exponent,
                }
                .to_f64(),
                Err(_) => scaled_to_f64(&mantissas.to_string(), *exponent),
            },
            [(lowest, _), ..] => scaled_to_f64(&self.scaled_to(*lowest).to_string(), *lowest),
        }
    }

    /// The sum divided by `10^exponent`, which is no higher than that of any part.
    fn scaled_to(&self, exponent: i16) -> BigInt {
        let mut total = BigInt::ZERO;
        for (part_exponent, mantissas) in self.parts() {
            let shift = i32::from(*part_exponent) - i32::from(exponent);
            let shift = u32::try_from(shift).expect("the exponent is the lowest");
            total += BigInt::from(*mantissas) * BigInt::from(10).pow(shift);
        }
        total
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        if self.parts() == other.parts() {
            return true;
        }
        let parts = self.parts().iter().chain(other.parts());
        let lowest = parts.map(|part| part.0).min().unwrap_or(0);
        self.scaled_to(lowest) == other.scaled_to(lowest)
    }
}

impl Eq for ExactSum {}

/// Reads `digits × 10^exponent`; the standard library rounds any number of digits correctly.
fn scaled_to_f64(digits: &str, exponent: i16) -> f64 {
    format!("{digits}e{exponent}")
        .parse()
        .expect("digits with an exponent are a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(Decimal::from_f64(*value).expect("finite"));
        }
        sum.to_f64()
    }

    #[test]
    fn equal_by_value() {
        let of = |parts: &[(i128, i16)]| {
            let mut sum = ExactSum::default();
            for (mantissas, exponent) in parts {
                sum.add_scaled(*mantissas, *exponent);
            }
            sum
        };
        assert_eq!(of(&[(375, -2)]), of(&[(15, -1), (225, -2)]));
        assert_eq!(of(&[(1, 3), (-1000, 0)]), of(&[]));
        assert_ne!(of(&[(1, 300)]), of(&[(1, 300), (1, -300)]));
    }

    #[test]
    fn parts_ascend_and_none_is_zero() {
        let mut sum = ExactSum::default();
        let mut add = |mantissas, exponent, expected: &[(i16, i128)]| {
            sum.add_scaled(mantissas, exponent);
            assert_eq!(sum.parts(), expected);
        };
        add(5, 2, &[(2, 5)]);
        add(-5, 2, &[]);
        add(7, 1, &[(1, 7)]);
        add(2, 1, &[(1, 9)]);
        add(3, -4, &[(-4, 3), (1, 9)]);
        add(1, 0, &[(-4, 3), (0, 1), (1, 9)]);
        add(-9, 1, &[(-4, 3), (0, 1)]);
        add(-3, -4, &[(0, 1)]);
        add(-1, 0, &[]);
        add(4, 9, &[(9, 4)]);
    }

    #[test]
    fn decimals_add_as_people_expect() {
        assert_eq!(sum(&[0.1, 0.2]), 0.3);
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[9007199254740993.0, 1e-8, -1e-8]), 9007199254740992.0);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1.5, -1.5]), 0.0);
    }
}
