//! Instants that requests name: dates in a format, `now`, and arithmetic on both.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, Zoned};
use storage::model::{DATE_FORMAT_DEFAULT, DateFormat};

use super::ElasticError;

/// An instant to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    /// Milliseconds since the epoch, rounded down.
    pub(super) ms: i64,
    /// Nanoseconds beyond: 0 to 999,999.
    pub(super) nanos: u32,
}

/// Whether units that are not given are the first or the last of their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `2024-03` is the start of March.
    First,
    /// `2024-03` is the end of March.
    Last,
}

/// How a request's dates are read.
#[derive(Debug, Clone)]
pub(super) struct DateReader {
    /// The request's format, else the field's.
    pub(super) format: DateFormat,
    /// Where a text without an offset is local, and where units are rounded.
    pub(super) zone: TimeZone,
    /// What `now` is.
    pub(super) now_ms: i64,
}

impl DateReader {
    /// Reads `text`: a date in the format, `now`, or either (`now-1d/d`, `2024-01-01||+1M`) moved.
    ///
    /// # Errors
    /// When it fits no format, or its arithmetic cannot be read or leaves the calendar.
    pub(super) fn read(&self, text: &str, missing: Missing) -> Result<Instant, ElasticError> {
        if let Some(math) = text.strip_prefix("now") {
            return self.moved(self.now_ms, math, missing);
        }
        match text.split_once("||") {
            Some((date, math)) => {
                let anchor = self.plain(date, Missing::First)?;
                self.moved(anchor.ms, math, missing)
            }
            None => self.plain(text, missing),
        }
    }

    fn plain(&self, text: &str, missing: Missing) -> Result<Instant, ElasticError> {
        let reading = match missing {
            Missing::First => self.format.read(text, &self.zone),
            Missing::Last => self.format.read_last(text, &self.zone),
        };
        let reading = reading.map_err(|error| {
            let cause = ElasticError::new(400, "date_time_parse_exception", error.to_string());
            ElasticError::new(
                400,
                "parse_exception",
                format!(
                    "failed to parse date field [{text}] with format [{}]: [{error}]",
                    self.format.as_str()
                ),
            )
            .caused_by(cause)
        })?;
        Ok(Instant {
            ms: reading.ms,
            nanos: reading.nanos,
        })
    }

    /// Applies `math` (`+1d-2h/M`) to an instant.
    fn moved(&self, ms: i64, math: &str, missing: Missing) -> Result<Instant, ElasticError> {
        let mut at = zoned(ms, &self.zone).ok_or_else(|| beyond(math))?;
        let mut rest = math;
        let mut rounded_up = false;
        while let Some(operator) = rest.chars().next() {
            let step;
            (step, rest) = Step::read(operator, rest, math)?;
            at = match step {
                Step::Move(amount, unit) => unit.moved(&at, amount),
                Step::Round(unit) => {
                    rounded_up = missing == Missing::Last;
                    let start = unit.start(&at);
                    if rounded_up {
                        start
                            .and_then(|start| unit.moved(&start, 1))
                            .and_then(|next| one_ms_less(&next))
                    } else {
                        start
                    }
                }
            }
            .ok_or_else(|| beyond(math))?;
        }
        let ms = at.timestamp().as_millisecond();
        Ok(Instant {
            ms,
            nanos: if rounded_up { 999_999 } else { 0 },
        })
    }
}

fn one_ms_less(at: &Zoned) -> Option<Zoned> {
    at.checked_sub(1.millisecond()).ok()
}

fn zoned(ms: i64, zone: &TimeZone) -> Option<Zoned> {
    Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(zone.clone()))
}

fn math_error(reason: String) -> ElasticError {
    ElasticError::new(400, "parse_exception", reason)
}

fn beyond(math: &str) -> ElasticError {
    math_error(format!("date math [{math}] leaves the calendar"))
}

/// One operation of date math.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Move(i64, MathUnit),
    Round(MathUnit),
}

impl Step {
    /// The operation at the start of `rest`, and what follows it.
    fn read<'t>(
        operator: char,
        rest: &'t str,
        math: &str,
    ) -> Result<(Self, &'t str), ElasticError> {
        if !matches!(operator, '+' | '-' | '/') {
            return Err(math_error(format!(
                "operator not supported for date math [{math}]"
            )));
        }
        let rest = &rest[1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        let truncated = || math_error(format!("truncated date math [{math}]"));
        let letter = rest.chars().next().ok_or_else(truncated)?;
        let unit = MathUnit::parse(letter).ok_or_else(|| {
            math_error(format!(
                "unit [{letter}] not supported for date math [{math}]"
            ))
        })?;
        let rest = &rest[1..];
        if operator == '/' {
            return match number {
                "" | "1" => Ok((Self::Round(unit), rest)),
                _ => Err(math_error(format!(
                    "rounding `/` can only be used on single unit types [{math}]"
                ))),
            };
        }
        let amount: i64 = match number {
            "" => 1,
            digits => digits.parse().map_err(|_| beyond(math))?,
        };
        let signed = if operator == '-' { -amount } else { amount };
        Ok((Self::Move(signed, unit), rest))
    }
}

/// Units of date math.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MathUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl MathUnit {
    fn parse(letter: char) -> Option<Self> {
        match letter {
            'y' => Some(Self::Year),
            'M' => Some(Self::Month),
            'w' => Some(Self::Week),
            'd' => Some(Self::Day),
            'h' | 'H' => Some(Self::Hour),
            'm' => Some(Self::Minute),
            's' => Some(Self::Second),
            _ => None,
        }
    }

    /// The instant so many units later, by the local calendar.
    fn moved(self, at: &Zoned, amount: i64) -> Option<Zoned> {
        let span = jiff::Span::new();
        let span = match self {
            Self::Year => span.try_years(amount),
            Self::Month => span.try_months(amount),
            Self::Week => span.try_weeks(amount),
            Self::Day => span.try_days(amount),
            Self::Hour => span.try_hours(amount),
            Self::Minute => span.try_minutes(amount),
            Self::Second => span.try_seconds(amount),
        };
        at.checked_add(span.ok()?).ok()
    }

    /// The local start of the unit that `at` lies in.
    fn start(self, at: &Zoned) -> Option<Zoned> {
        let date = at.date();
        let midnight = |date: Date| {
            at.time_zone()
                .to_zoned(date.to_datetime(Time::midnight()))
                .ok()
        };
        match self {
            Self::Year => midnight(date.first_of_year()),
            Self::Month => midnight(date.first_of_month()),
            Self::Week => {
                let back = date.weekday().since(Weekday::Monday);
                midnight(date.checked_sub(i64::from(back).days()).ok()?)
            }
            Self::Day => midnight(date),
            Self::Hour => trunc(at, Unit::Hour),
            Self::Minute => trunc(at, Unit::Minute),
            Self::Second => trunc(at, Unit::Second),
        }
    }
}

fn trunc(at: &Zoned, unit: Unit) -> Option<Zoned> {
    at.round(
        jiff::ZonedRound::new()
            .smallest(unit)
            .mode(jiff::RoundMode::Floor),
    )
    .ok()
}

/// A time zone by name (`Europe/Berlin`, `UTC`, `Z`) or offset (`+05:30`, `-0800`, `+1`).
///
/// # Errors
/// When nobody knows it.
pub(super) fn parse_zone(text: &str) -> Result<TimeZone, ElasticError> {
    if matches!(text, "Z" | "UTC" | "GMT" | "UT" | "utc") {
        return Ok(TimeZone::UTC);
    }
    let offset = text
        .strip_prefix("UTC")
        .or_else(|| text.strip_prefix("GMT"))
        .or_else(|| text.strip_prefix("UT"))
        .unwrap_or(text);
    if let Some(zone) = parse_offset(offset) {
        return Ok(zone);
    }
    TimeZone::get(text)
        .map_err(|_| ElasticError::illegal_argument(format!("Unknown time-zone ID: {text}")))
}

fn parse_offset(text: &str) -> Option<TimeZone> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else if digits.len() > 2 && digits.is_ascii() {
        vec![&digits[..2], &digits[2..]]
    } else {
        vec![digits]
    };
    let number = |part: Option<&&str>| part.map_or(Some(0), |part| part.parse::<i32>().ok());
    let (hours, minutes) = (number(parts.first())?, number(parts.get(1))?);
    if parts.len() > 2 || !(0..=18).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()?;
    Some(offset.to_time_zone())
}

/// A format by its text; `None` is the default of date fields.
///
/// # Errors
/// When it is neither a known name nor a pattern.
pub(super) fn parse_format(text: Option<&str>) -> Result<DateFormat, ElasticError> {
    DateFormat::parse(text.unwrap_or(DATE_FORMAT_DEFAULT))
        .map_err(|error| ElasticError::illegal_argument(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2024-03-31T12:34:56.789Z";

    fn check(text: &str, missing: Missing, zone: &str, expected: &str) {
        let zone = parse_zone(zone).expect("a zone");
        let now_ms = NOW
            .parse::<Timestamp>()
            .expect("an instant")
            .as_millisecond();
        let reader = DateReader {
            format: parse_format(None).expect("known"),
            zone,
            now_ms,
        };
        let shown = match reader.read(text, missing) {
            Ok(at) => Timestamp::from_millisecond(at.ms)
                .expect("in range")
                .to_string(),
            Err(error) => error.reason().to_owned(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn arithmetic() {
        check("now", Missing::First, "UTC", "2024-03-31T12:34:56.789Z");
        check("now-1M", Missing::First, "UTC", "2024-02-29T12:34:56.789Z");
        check("now/d", Missing::First, "UTC", "2024-03-31T00:00:00Z");
        check("now/d", Missing::Last, "UTC", "2024-03-31T23:59:59.999Z");
        check("now/w", Missing::First, "UTC", "2024-03-25T00:00:00Z");
        check(
            "now-1d/d",
            Missing::First,
            "Europe/Berlin",
            "2024-03-29T23:00:00Z",
        );
        check(
            "now/d",
            Missing::Last,
            "Europe/Berlin",
            "2024-03-31T21:59:59.999Z",
        );
        check(
            "2017-03-15||+6M/M",
            Missing::First,
            "UTC",
            "2017-09-01T00:00:00Z",
        );
        check(
            "2017-03-15||/y",
            Missing::First,
            "+05:30",
            "2016-12-31T18:30:00Z",
        );
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        check(
            "now-1x",
            Missing::First,
            "UTC",
            "unit [x] not supported for date math [-1x]",
        );
        check(
            "now/2d",
            Missing::First,
            "UTC",
            "rounding `/` can only be used on single unit types [/2d]",
        );
        check("now+", Missing::First, "UTC", "truncated date math [+]");
        check(
            "now*1d",
            Missing::First,
            "UTC",
            "operator not supported for date math [*1d]",
        );
        check(
            "now+9223372036854775807d",
            Missing::First,
            "UTC",
            "date math [+9223372036854775807d] leaves the calendar",
        );
        check(
            "now+ö",
            Missing::First,
            "UTC",
            "unit [ö] not supported for date math [+ö]",
        );
    }

    #[test]
    fn zones() {
        for text in [
            "+05:30",
            "+0530",
            "-08",
            "+1",
            "Asia/Kolkata",
            "Z",
            "UTC+2",
            "GMT",
        ] {
            parse_zone(text).expect(text);
        }
        for text in ["", "Mars/Olympus", "+99", "+1:2:3", "+é"] {
            parse_zone(text).expect_err(text);
        }
    }
}
