//! The number that a text says.
//!
//! A value of a fractional field is the shortest decimal that reads back as the same IEEE double.
//! It is held as `mantissa × 10^exponent` with at most 17 digits, so sums over such values are
//! exact and the same in any order.

use std::cmp::Ordering;

/// `mantissa × 10^exponent`. Values made by [`Decimal::from_f64`] have no trailing zeros in the
/// mantissa (zero is `0 × 10^0`); integers may keep theirs with exponent 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    /// The digits with their sign.
    pub mantissa: i64,
    /// The power of ten.
    pub exponent: i16,
}

/// 10^0 to 10^22: the powers of ten that an IEEE double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Integers up to here are exact in an IEEE double.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

impl Decimal {
    /// An integer.
    #[must_use]
    pub fn from_i64(value: i64) -> Self {
        Self {
            mantissa: value,
            exponent: 0,
        }
    }

    /// The shortest decimal that reads back as `value`; `None` for NaN and infinities.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        // `{:e}` prints the shortest digits that read back as the same double: `d.ddde±x`.
        let text = format!("{value:e}");
        let (digits, exponent) = text
            .split_once('e')
            .expect("{:e} always prints an exponent");
        let exponent: i16 = exponent.parse().expect("a double's exponent fits 16 bits");
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction_digits = i16::try_from(fraction.len()).expect("at most 16 fraction digits");
        let mantissa: i64 = format!("{whole}{fraction}")
            .parse()
            .expect("17 digits fit 64 bits");
        Some(
            Self {
                mantissa,
                exponent: exponent - fraction_digits,
            }
            .normalized(),
        )
    }

    /// The same value without trailing zeros in the mantissa.
    #[must_use]
    pub fn normalized(self) -> Self {
        let Self {
            mut mantissa,
            mut exponent,
        } = self;
        if mantissa == 0 {
            return Self::default();
        }
        // The bound is for exponents that no number has, from damaged files alone.
        while mantissa % 10 == 0 && exponent < i16::MAX {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// The nearest IEEE double (ties to even).
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let magnitude = self.mantissa.unsigned_abs();
        let power = EXACT_POWERS.get(usize::from(self.exponent.unsigned_abs()));
        match power {
            // Both operands are exact, so one IEEE operation rounds correctly (Clinger 1990).
            Some(power) if magnitude <= EXACT_INTEGER_MAX => {
                let mantissa = self.mantissa as f64;
                if self.exponent < 0 {
                    mantissa / power
                } else {
                    mantissa * power
                }
            }
            _ => format!("{}e{}", self.mantissa, self.exponent)
                .parse()
                .expect("digits with an exponent are a number"),
        }
    }

    /// Compares by value, exactly.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        let shift = i32::from(self.exponent) - i32::from(other.exponent);
        match u32::try_from(shift) {
            Ok(0) => self.mantissa.cmp(&other.mantissa),
            Ok(shift) => compare_shifted(self.mantissa, shift, other.mantissa),
            Err(_) => {
                compare_shifted(other.mantissa, shift.unsigned_abs(), self.mantissa).reverse()
            }
        }
    }
}

/// Any 64-bit integer but zero, times this power of ten or a higher one, is beyond all of them.
const SHIFT_BEYOND: u32 = 20;

/// Compares `mantissa × 10^shift` with `other`.
fn compare_shifted(mantissa: i64, shift: u32, other: i64) -> Ordering {
    if mantissa != 0 && shift >= SHIFT_BEYOND {
        return mantissa.cmp(&0);
    }
    // Below 2^63 × 10^19, which fits 128 bits.
    let shifted = i128::from(mantissa) * 10_i128.pow(shift.min(SHIFT_BEYOND - 1));
    shifted.cmp(&i128::from(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: f64, mantissa: i64, exponent: i16) {
        let decimal = Decimal::from_f64(value).expect("finite");
        assert_eq!(decimal, Decimal { mantissa, exponent });
        assert_eq!(decimal.to_f64(), value);
    }

    #[test]
    fn shortest_digits() {
        check(0.0, 0, 0);
        check(0.1, 1, -1);
        check(-2.5, -25, -1);
        check(1e-8, 1, -8);
        check(1e22, 1, 22);
        check(3.7706872799999998, 37_706_872_799_999_998, -16);
        check(f64::MAX, 17_976_931_348_623_157, 292);
        check(5e-324, 5, -324);
        assert_eq!(Decimal::from_f64(f64::NAN), None);
    }

    #[test]
    fn order_is_by_value() {
        let decimal = |mantissa, exponent| Decimal { mantissa, exponent };
        let check = |a, b, expected: Ordering| {
            assert_eq!(Decimal::compare(a, b), expected);
            assert_eq!(Decimal::compare(b, a), expected.reverse());
        };
        check(decimal(150, -2), decimal(15, -1), Ordering::Equal);
        check(decimal(0, 300), decimal(0, -300), Ordering::Equal);
        check(decimal(0, 300), decimal(1, -300), Ordering::Less);
        check(decimal(-1, 300), decimal(i64::MIN, 0), Ordering::Less);
        check(
            decimal(i64::MAX, 19),
            decimal(i64::MAX, 0),
            Ordering::Greater,
        );
        // Equal as doubles, not as numbers.
        check(
            decimal(9_007_199_254_741, 3),
            decimal(9_007_199_254_741_001, 0),
            Ordering::Less,
        );
    }

    proptest! {
        #[test]
        fn order_is_that_of_doubles(a in any::<f64>(), b in any::<f64>()) {
            if let (Some(left), Some(right)) = (Decimal::from_f64(a), Decimal::from_f64(b)) {
                prop_assert_eq!(Some(left.compare(right)), a.partial_cmp(&b));
            }
        }

        #[test]
        fn any_double_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            if let Some(decimal) = Decimal::from_f64(value) {
                prop_assert_eq!(decimal.to_f64(), value);
            }
        }
    }
}
