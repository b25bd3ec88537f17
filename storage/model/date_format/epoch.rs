//! `epoch_millis` and `epoch_second`: a number, with a fraction perhaps.

use super::fields::End;
use super::format::{DateReading, DateUnit};
use super::print::fraction;
use super::read;

/// What one unit of the number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EpochUnit {
    Milliseconds,
    Seconds,
}

impl EpochUnit {
    fn nanos(self) -> i128 {
        match self {
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }
}

/// Most digits before the point: those of the largest 64-bit integer.
const WHOLE_DIGITS_MAX: usize = 19;

/// Reads all of `text`; `None` when it is no number or 64 bits of milliseconds cannot hold it.
pub(super) fn read(unit: EpochUnit, text: &str, end: End) -> Option<DateReading> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, rest) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > WHOLE_DIGITS_MAX || !is_digits(whole) {
        return None;
    }
    // Digits finer than a nanosecond are zeros at most in what programs print.
    let fraction_nanos = if rest.is_empty() {
        if unsigned.ends_with('.') {
            return None;
        }
        0
    } else {
        if !is_digits(rest) {
            return None;
        }
        let (of_billion, _, _) = read::fraction(rest, 1, 9)?;
        i128::from(of_billion) * unit.nanos() / 1_000_000_000
    };
    let magnitude = whole.parse::<i128>().ok()? * unit.nanos() + fraction_nanos;
    let mut nanos = if negative { -magnitude } else { magnitude };
    let named_unit = match unit {
        EpochUnit::Milliseconds if fraction_nanos == 0 => DateUnit::Millisecond,
        EpochUnit::Seconds if rest.is_empty() => DateUnit::Second,
        EpochUnit::Seconds if rest.len() <= 3 => DateUnit::Millisecond,
        EpochUnit::Milliseconds | EpochUnit::Seconds => DateUnit::Nanosecond,
    };
    if end == End::Last {
        nanos += match named_unit {
            DateUnit::Second => 999_999_999,
            DateUnit::Millisecond => 999_999,
            _ => 0,
        };
    }
    let ms = i64::try_from(nanos.div_euclid(1_000_000)).ok()?;
    let nanos = u32::try_from(nanos.rem_euclid(1_000_000)).expect("below a million");
    Some(DateReading {
        ms,
        nanos,
        unit: named_unit,
    })
}

/// Prints the number; the fraction only when there is one.
pub(super) fn print(unit: EpochUnit, ms: i64, nanos: u32, out: &mut String) {
    let total = i128::from(ms) * 1_000_000 + i128::from(nanos);
    if total < 0 {
        out.push('-');
    }
    let magnitude = total.unsigned_abs();
    let unit_nanos = unit.nanos().unsigned_abs();
    out.push_str(&(magnitude / unit_nanos).to_string());
    let rest = magnitude % unit_nanos;
    if rest != 0 {
        out.push('.');
        let of_billion = rest * (1_000_000_000 / unit_nanos);
        fraction(
            i64::try_from(of_billion).expect("below a billion"),
            1,
            9,
            out,
        );
    }
}
