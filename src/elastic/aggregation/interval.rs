//! Widths and shifts of time buckets: `1M`, `day`, `20000ms`, `-1h`.

use query::request::{CalendarUnit, Interval};

use crate::elastic::ElasticError;

/// A calendar unit by any of its names.
pub(super) fn calendar(text: &str) -> Option<CalendarUnit> {
    match text {
        "second" | "1s" => Some(CalendarUnit::Second),
        "minute" | "1m" => Some(CalendarUnit::Minute),
        "hour" | "1h" => Some(CalendarUnit::Hour),
        "day" | "1d" => Some(CalendarUnit::Day),
        "week" | "1w" => Some(CalendarUnit::Week),
        "month" | "1M" => Some(CalendarUnit::Month),
        "quarter" | "1q" => Some(CalendarUnit::Quarter),
        "year" | "1y" => Some(CalendarUnit::Year),
        _ => None,
    }
}

/// `calendar_interval`.
pub(super) fn parse_calendar(text: &str) -> Result<Interval, ElasticError> {
    calendar(text).map(Interval::Calendar).ok_or_else(|| {
        ElasticError::illegal_argument(format!(
            "The supplied interval [{text}] could not be parsed as a calendar interval."
        ))
    })
}

/// `fixed_interval`, which may turn out to be none.
pub(super) fn parse_fixed(text: &str) -> Result<Interval, ElasticError> {
    let digits = text.trim();
    let width_ms = match digits.strip_prefix('-') {
        Some(digits) => -parse_duration_ms(digits, "date_histogram.fixedInterval")?,
        None => parse_duration_ms(digits, "date_histogram.fixedInterval")?,
    };
    Ok(Interval::Fixed(width_ms))
}

/// The old `interval`: a calendar unit where it names one, else fixed; a bare number is
/// milliseconds.
pub(super) fn parse_legacy(text: &str) -> Result<Interval, ElasticError> {
    match (calendar(text), text.parse::<i64>()) {
        (Some(unit), _) => Ok(Interval::Calendar(unit)),
        (None, Ok(width_ms)) if width_ms > 0 => Ok(Interval::Fixed(width_ms)),
        (None, _) => parse_fixed(text),
    }
}

/// `offset`: a duration with a sign.
pub(super) fn parse_offset_ms(text: &str) -> Result<i64, ElasticError> {
    let text = text.trim();
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    Ok(sign * parse_duration_ms(digits, "DateHistogramAggregationBuilder.parseOffset")?)
}

/// A whole number of one unit, in milliseconds.
fn parse_duration_ms(text: &str, setting: &str) -> Result<i64, ElasticError> {
    let failed = |why: &str| {
        ElasticError::illegal_argument(format!(
            "failed to parse setting [{setting}] with value [{text}] as a time value: {why}"
        ))
    };
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    if unit.starts_with('.') {
        return Err(failed("fractional time values are not supported"));
    }
    let unit_ms: i64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" | "H" => 3_600_000,
        "d" => 86_400_000,
        // Finer than a bucket's key can say.
        "micros" | "nanos" => 0,
        _ => return Err(failed("unit is missing or unrecognized")),
    };
    let number: i64 = number.parse().map_err(|_| failed("no number"))?;
    number
        .checked_mul(unit_ms)
        .ok_or_else(|| failed("too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        assert_eq!(parse_fixed("20000ms"), Ok(Interval::Fixed(20_000)));
        assert_eq!(parse_fixed("100d"), Ok(Interval::Fixed(8_640_000_000)));
        assert_eq!(
            parse_legacy("1d"),
            Ok(Interval::Calendar(CalendarUnit::Day))
        );
        assert_eq!(parse_legacy("30s"), Ok(Interval::Fixed(30_000)));
        assert_eq!(parse_legacy("1000"), Ok(Interval::Fixed(1_000)));
        assert_eq!(
            parse_calendar("quarter"),
            Ok(Interval::Calendar(CalendarUnit::Quarter))
        );
        assert_eq!(parse_fixed("0s"), Ok(Interval::Fixed(0)));
        for wrong in ["1w", "1M", "1.5h", "", "d", "9223372036854775807d"] {
            parse_fixed(wrong).expect_err(wrong);
        }
        parse_calendar("2d").expect_err("two units");
    }

    #[test]
    fn shifts() {
        assert_eq!(parse_offset_ms("-1h"), Ok(-3_600_000));
        assert_eq!(parse_offset_ms("+6h"), Ok(21_600_000));
        assert_eq!(parse_offset_ms("90m"), Ok(5_400_000));
        assert_eq!(parse_offset_ms("-5"), Ok(-5));
        parse_offset_ms("1M").expect_err("months vary");
    }
}
