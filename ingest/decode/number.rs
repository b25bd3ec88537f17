//! The decimal that a number's text says.

use storage::model::Decimal;

/// 10^0 to 10^15.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Below it, every integer has at most 15 digits.
const FIFTEEN_DIGITS: f64 = 1e15;

/// [`Decimal::from_f64`] of a finite number, quickly when 15 digits say it.
///
/// Two decimals of at most 15 digits never read as the same double. So when `mantissa / 10^places`
/// (one correctly rounded operation on exact operands) gives `value` back, these are the shortest
/// digits; the fewest places come first, so none of them is a trailing zero.
pub(super) fn decimal(value: f64) -> Decimal {
    for (power, exponent) in POWERS.iter().zip((-15i16..=0).rev()) {
        let mantissa = (value * power).round();
        if mantissa.abs() >= FIFTEEN_DIGITS {
            break;
        }
        if mantissa / power == value {
            // Whole and below 10^15: the cast is exact.
            return Decimal {
                mantissa: mantissa as i64,
                exponent,
            }
            .normalized();
        }
    }
    Decimal::from_f64(value).expect("JSON has no number that is not finite")
}

/// An integer in a decimal field: what the same digits with a point would be.
pub(super) fn decimal_of_integer(value: i64) -> Decimal {
    if value.unsigned_abs() < 1_000_000_000_000_000 {
        return Decimal::from_i64(value).normalized();
    }
    // Beyond 2^53 a decimal field holds the nearest double; the rounding is meant.
    decimal(value as f64)
}

/// The integer that `value` is, if it is one of 64 bits.
pub(super) fn integer(value: f64) -> Option<i64> {
    // 2^63 is a double, and the first that does not fit.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let fits = value.trunc() == value && (-END..END).contains(&value);
    fits.then_some(value as i64)
}

/// As [`integer`], without what stands behind the point.
pub(super) fn truncated(value: f64) -> Option<i64> {
    integer(value.trunc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_keep_their_range() {
        assert_eq!(integer(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(integer(9_223_372_036_854_775_808.0), None);
        assert_eq!(integer(0.5), None);
        assert_eq!(truncated(-2.9), Some(-2));
    }

    proptest! {
        #[test]
        fn quick_and_slow_agree(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                prop_assert_eq!(Some(decimal(value)), Decimal::from_f64(value));
            }
        }

        #[test]
        fn quick_and_slow_agree_on_what_people_write(digits in any::<i32>(), places in 0u8..12) {
            let value: f64 = format!("{digits}e-{places}").parse().expect("a number");
            prop_assert_eq!(Some(decimal(value)), Decimal::from_f64(value));
            prop_assert_eq!(decimal_of_integer(i64::from(digits)),
                Decimal::from_f64(f64::from(digits)).expect("finite"));
        }
    }
}
