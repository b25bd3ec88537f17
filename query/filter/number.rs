//! Numbers against bounds and sets, in the digits of the column.

use std::ops::{Bound, RangeInclusive};

use storage::model::{Decimal, Exponents};

use super::any_number;
use crate::frame::Numbers;
use crate::selection::Selection;

/// Higher powers of ten make no difference: 10^19 takes every 64-bit integer but zero beyond 64
/// bits, and divides every one to less than 1.
const SHIFT_MAX: u32 = 19;

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberRange {
    pub(crate) lower: Bound<Decimal>,
    pub(crate) upper: Bound<Decimal>,
}

impl NumberRange {
    /// The mantissas that lie inside when their power of ten is `exponent`; `None` without any.
    pub(crate) fn mantissas(&self, exponent: i16) -> Option<RangeInclusive<i64>> {
        let lowest = match self.lower {
            Bound::Unbounded => i128::from(i64::MIN),
            Bound::Included(bound) => ceil_at(bound, exponent),
            Bound::Excluded(bound) => floor_at(bound, exponent) + 1,
        };
        let highest = match self.upper {
            Bound::Unbounded => i128::from(i64::MAX),
            Bound::Included(bound) => floor_at(bound, exponent),
            Bound::Excluded(bound) => ceil_at(bound, exponent) - 1,
        };
        let lowest = i64::try_from(lowest.max(i128::from(i64::MIN))).ok()?;
        let highest = i64::try_from(highest.min(i128::from(i64::MAX))).ok()?;
        (lowest <= highest).then_some(lowest..=highest)
    }

    /// Whether nothing from `min` to `max` lies inside.
    pub(crate) fn excludes(&self, min: Decimal, max: Decimal) -> bool {
        let is_below = match self.lower {
            Bound::Unbounded => false,
            Bound::Included(bound) => max.compare(bound).is_lt(),
            Bound::Excluded(bound) => max.compare(bound).is_le(),
        };
        let is_above = match self.upper {
            Bound::Unbounded => false,
            Bound::Included(bound) => min.compare(bound).is_gt(),
            Bound::Excluded(bound) => min.compare(bound).is_ge(),
        };
        is_below || is_above
    }

    fn contains(&self, value: Decimal) -> bool {
        !self.excludes(value, value)
    }

    /// The entries with a number inside.
    pub(super) fn select(&self, count: usize, numbers: Numbers<'_>) -> Selection {
        match numbers.exponents {
            Exponents::Uniform(exponent) => match self.mantissas(*exponent) {
                None => Selection::NONE,
                Some(range) => any_number(count, numbers, |value| {
                    range.contains(&numbers.mantissas[value])
                }),
            },
            Exponents::Each(_) => {
                any_number(count, numbers, |value| self.contains(numbers.value(value)))
            }
        }
    }
}

/// The largest mantissa at `exponent` that is not above `bound`; where it would not fit 64 bits,
/// some mantissa that does not either.
fn floor_at(bound: Decimal, exponent: i16) -> i128 {
    let mantissa = i128::from(bound.mantissa);
    let shift = i32::from(bound.exponent) - i32::from(exponent);
    let power = 10_i128.pow(shift.unsigned_abs().min(SHIFT_MAX));
    if shift >= 0 {
        mantissa * power
    } else {
        mantissa.div_euclid(power)
    }
}

/// The smallest mantissa at `exponent` that is not below `bound`, with the same freedom.
fn ceil_at(bound: Decimal, exponent: i16) -> i128 {
    let mantissa = i128::from(bound.mantissa);
    let shift = i32::from(bound.exponent) - i32::from(exponent);
    let power = 10_i128.pow(shift.unsigned_abs().min(SHIFT_MAX));
    if shift >= 0 {
        mantissa * power
    } else {
        -(-mantissa).div_euclid(power)
    }
}

/// A set of numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct NumberSet {
    /// Without trailing zeros, ascending by digits.
    values: Vec<(i64, i16)>,
}

impl NumberSet {
    pub(crate) fn new(values: &[Decimal]) -> Self {
        let mut values: Vec<_> = values.iter().map(|value| digits(*value)).collect();
        values.sort_unstable();
        values.dedup();
        Self { values }
    }

    pub(crate) fn contains(&self, value: Decimal) -> bool {
        self.values.binary_search(&digits(value)).is_ok()
    }
}

fn digits(value: Decimal) -> (i64, i16) {
    let value = value.normalized();
    (value.mantissa, value.exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimals() -> impl Strategy<Value = Decimal> {
        let mantissas = prop_oneof![any::<i64>(), -1_000_i64..1_000];
        (mantissas, -25_i16..25).prop_map(|(mantissa, exponent)| Decimal { mantissa, exponent })
    }

    fn bounds() -> impl Strategy<Value = Bound<Decimal>> {
        prop_oneof![
            Just(Bound::Unbounded),
            decimals().prop_map(Bound::Included),
            decimals().prop_map(Bound::Excluded),
        ]
    }

    proptest! {
        #[test]
        fn bounds_in_the_digits_of_the_column(
            lower in bounds(),
            upper in bounds(),
            value in decimals(),
        ) {
            let range = NumberRange { lower, upper };
            let mantissas = range.mantissas(value.exponent);
            let fits = mantissas.is_some_and(|range| range.contains(&value.mantissa));
            prop_assert_eq!(fits, range.contains(value));
        }
    }

    #[test]
    fn sets_compare_by_value() {
        let decimal = |mantissa, exponent| Decimal { mantissa, exponent };
        let set = NumberSet::new(&[decimal(150, -2), decimal(2, 0)]);
        assert!(set.contains(decimal(15, -1)));
        assert!(set.contains(decimal(2000, -3)));
        assert!(!set.contains(decimal(15, 0)));
    }
}
