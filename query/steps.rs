//! Numbers in buckets of one width, exactly: 0.3 starts the fourth bucket of 0.1.

use storage::model::Decimal;

/// Widths and offsets are whole numbers of one power of ten, and so far apart at most.
const SHIFT_MAX: u32 = 18;

/// Highest power of ten within 128 bits.
const POWER_MAX: u32 = 38;

/// Where buckets of one width start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The power of ten that both are multiples of.
    exponent: i16,
    interval: i128,
    offset: i128,
}

impl Steps {
    /// Buckets that start at multiples of `interval`, moved by `offset`. `None` unless the
    /// interval is positive and both are of comparable size.
    #[must_use]
    pub fn new(interval: Decimal, offset: Decimal) -> Option<Self> {
        let (interval, offset) = (interval.normalized(), offset.normalized());
        let exponent = match offset.mantissa {
            0 => interval.exponent,
            _ => interval.exponent.min(offset.exponent),
        };
        let scaled = |value: Decimal| {
            let shift = (i32::from(value.exponent) - i32::from(exponent)).unsigned_abs();
            let fits = value.mantissa == 0 || shift <= SHIFT_MAX;
            fits.then(|| i128::from(value.mantissa) * 10_i128.pow(shift.min(SHIFT_MAX)))
        };
        let steps = Self {
            exponent,
            interval: scaled(interval)?,
            offset: scaled(offset)?,
        };
        (steps.interval > 0).then_some(steps)
    }

    /// The number of the bucket that `value` is in; beyond 64 bits the outermost.
    #[must_use]
    pub fn index(&self, value: Decimal) -> i64 {
        let whole = floor_at(value, self.exponent);
        saturated(whole.saturating_sub(self.offset).div_euclid(self.interval))
    }

    /// Where bucket `index` starts.
    #[must_use]
    pub fn start(&self, index: i64) -> Decimal {
        let start = i128::from(index)
            .saturating_mul(self.interval)
            .saturating_add(self.offset);
        decimal(start, self.exponent)
    }

    /// The first and the last bucket whose start, were there no offset, lies between both ends.
    pub(crate) fn indexes_between(
        &self,
        lower: Option<Decimal>,
        upper: Option<Decimal>,
    ) -> (i64, i64) {
        let unmoved = Self { offset: 0, ..*self };
        let first = lower.map(|lower| {
            let index = unmoved.index(lower);
            let starts_below = unmoved.start(index).compare(lower).is_lt();
            index.saturating_add(i64::from(starts_below))
        });
        let last = upper.map(|upper| unmoved.index(upper));
        (first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX))
    }
}

/// The largest whole number that, times `10^exponent`, is not above `value`.
fn floor_at(value: Decimal, exponent: i16) -> i128 {
    let mantissa = i128::from(value.mantissa);
    let shift = i32::from(value.exponent) - i32::from(exponent);
    let power = shift.unsigned_abs();
    match shift {
        0.. if power > POWER_MAX => mantissa.signum() * (i128::MAX / 2),
        0.. => mantissa.saturating_mul(10_i128.pow(power)),
        _ => mantissa.div_euclid(10_i128.pow(power.min(POWER_MAX))),
    }
}

fn saturated(value: i128) -> i64 {
    let limit = if value < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(value).unwrap_or(limit)
}

/// `whole × 10^exponent`; with more digits than a decimal has, the nearest.
fn decimal(whole: i128, exponent: i16) -> Decimal {
    let (mut whole, mut exponent) = (whole, exponent);
    while whole != 0 && whole % 10 == 0 {
        whole /= 10;
        exponent += 1;
    }
    match i64::try_from(whole) {
        Ok(mantissa) => Decimal { mantissa, exponent }.normalized(),
        Err(_) => {
            let text = format!("{whole}e{exponent}");
            let number = text.parse().expect("digits with an exponent are a number");
            Decimal::from_f64(number).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: f64) -> Decimal {
        Decimal::from_f64(value).expect("finite")
    }

    fn check(interval: f64, offset: f64, value: f64, start: f64) {
        let steps = Steps::new(of(interval), of(offset)).expect("steps");
        let found = steps.start(steps.index(of(value))).to_f64();
        assert_eq!(found, start, "{value} in steps of {interval} from {offset}");
    }

    #[test]
    fn values_fall_into_the_bucket_that_their_digits_say() {
        check(0.1, 0.0, 0.3, 0.3);
        check(0.1, 0.0, 0.29999999999999993, 0.2);
        check(500.0, 100.0, 99.0, -400.0);
        check(500.0, 100.0, 100.0, 100.0);
        check(0.25, 0.0, -1e-300, -0.25);
        check(0.25, 0.0, 0.0, 0.0);
        check(1.5, 0.75, 2.25, 2.25);
        check(1e-8, 0.0, 21.12345678, 21.12345678);
        check(1e10, 0.0, 9.999999999e10, 9e10);
    }

    #[test]
    fn what_makes_no_steps() {
        assert_eq!(Steps::new(of(0.0), of(0.0)), None);
        assert_eq!(Steps::new(of(-1.0), of(0.0)), None);
        assert_eq!(Steps::new(of(1e30), of(1e-30)), None);
        let steps = Steps::new(of(1e-300), of(0.0)).expect("steps");
        assert_eq!(steps.index(of(1e300)), i64::MAX);
        assert_eq!(steps.index(of(-1e300)), i64::MIN);
    }

    #[test]
    fn bounds_take_buckets_by_their_start() {
        let steps = Steps::new(of(500.0), of(0.0)).expect("steps");
        let between = |lower, upper| steps.indexes_between(Some(of(lower)), Some(of(upper)));
        assert_eq!(between(1000.0, 2000.0), (2, 4));
        assert_eq!(between(1001.0, 1999.0), (3, 3));
        assert_eq!(between(-1.0, -1.0), (0, -1));
    }
}
