//! Printing an instant item by item.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::civil::{self, DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::pattern::{Item, NameField, NameWidth, NumberField, OffsetStyle};
use super::read::{MONTHS, WEEKDAYS};

/// An instant taken apart in a zone.
pub(super) struct Local<'a> {
    ms: i64,
    zone: &'a TimeZone,
    offset_seconds: i64,
    epoch_days: i64,
    date: Date,
    hour: i64,
    minute: i64,
    second: i64,
    nanos_of_second: i64,
}

impl<'a> Local<'a> {
    pub(super) fn new(ms: i64, nanos: u32, zone: &'a TimeZone) -> Self {
        let offset_seconds = civil::offset_seconds(ms, zone);
        let local_ms = ms.saturating_add(offset_seconds * SECOND_MS);
        let epoch_days = local_ms.div_euclid(DAY_MS);
        let time_ms = local_ms.rem_euclid(DAY_MS);
        Self {
            ms,
            zone,
            offset_seconds,
            epoch_days,
            date: Date::from_epoch_days(epoch_days),
            hour: time_ms / HOUR_MS,
            minute: time_ms % HOUR_MS / MINUTE_MS,
            second: time_ms % MINUTE_MS / SECOND_MS,
            nanos_of_second: time_ms % SECOND_MS * 1_000_000 + i64::from(nanos),
        }
    }

    fn number(&self, field: NumberField) -> i64 {
        match field {
            NumberField::Year => self.date.year,
            NumberField::WeekYear => self.date.iso_week().0,
            NumberField::Quarter => (self.date.month + 2) / 3,
            NumberField::Month => self.date.month,
            NumberField::Week => self.date.iso_week().1,
            NumberField::WeekOfMonth => self.week_of_month(),
            NumberField::Day => self.date.day,
            NumberField::DayOfYear => self.date.day_of_year(),
            NumberField::Weekday => civil::weekday(self.epoch_days),
            NumberField::Hour => self.hour,
            NumberField::ClockHour => (self.hour + 23) % 24 + 1,
            NumberField::HalfDayClockHour => (self.hour + 11) % 12 + 1,
            NumberField::HalfDayHour => self.hour % 12,
            NumberField::Minute => self.minute,
            NumberField::Second => self.second,
        }
    }

    /// ISO: weeks start on Monday, the first has at least four days; 0 before it.
    fn week_of_month(&self) -> i64 {
        let first = civil::weekday(self.epoch_days - (self.date.day - 1));
        let days_of_first_week = 8 - first;
        let whole_weeks = (self.date.day - 1 - days_of_first_week).div_euclid(7) + 1;
        whole_weeks + i64::from(days_of_first_week >= 4)
    }

    fn name(&self, field: NameField) -> &'static str {
        let at = |index: i64| usize::try_from(index).expect("calendar parts are positive");
        match field {
            NameField::Month => MONTHS[at(self.date.month - 1)],
            NameField::Weekday => WEEKDAYS[at(civil::weekday(self.epoch_days) - 1)],
            NameField::HalfDay if self.hour < 12 => "AM",
            NameField::HalfDay => "PM",
            NameField::Era if self.date.year > 0 => "AD",
            NameField::Era => "BC",
        }
    }
}

/// Prints `items`; optional sections are printed.
pub(super) fn print(items: &[Item], local: &Local<'_>, out: &mut String) {
    for item in items {
        match item {
            Item::Literal(literal) => out.push_str(literal),
            Item::Number {
                field,
                width,
                signed,
                ..
            } => {
                padded(local.number(*field), *width, *signed && *width > 1, out);
            }
            Item::YearOfCentury(field) => {
                padded(local.number(*field).rem_euclid(100), 2, false, out);
            }
            Item::Fraction {
                digits_min,
                digits_max,
            } => {
                // Named formats print milliseconds at least.
                let min = if digits_min == digits_max {
                    *digits_min
                } else {
                    3
                };
                fraction(local.nanos_of_second, min, *digits_max, out);
            }
            Item::Name { field, width } => {
                let name = local.name(*field);
                out.push_str(match width {
                    NameWidth::Full => name,
                    NameWidth::Short => &name[..name.len().min(3)],
                });
            }
            Item::Offset(style) => offset(local.offset_seconds, *style, out),
            Item::ZoneId => zone_id(local, out),
            Item::ZoneName => {
                let info = local.zone.to_offset_info(civil::timestamp(local.ms));
                out.push_str(info.abbreviation());
            }
            Item::Optional(inner) => print(inner, local, out),
        }
    }
}

/// `2016-01-01T00:00:00.000Z`: what `strict_date_optional_time` prints.
pub(super) fn print_iso(local: &Local<'_>, out: &mut String) {
    padded(local.date.year, 4, true, out);
    for (separator, value) in [
        ('-', local.date.month),
        ('-', local.date.day),
        ('T', local.hour),
        (':', local.minute),
        (':', local.second),
    ] {
        out.push(separator);
        padded(value, 2, false, out);
    }
    out.push('.');
    fraction(local.nanos_of_second, 3, 9, out);
    let style = OffsetStyle {
        zero: Some("Z"),
        colon: true,
        minutes_optional: false,
        prefix: "",
    };
    offset(local.offset_seconds, style, out);
}

/// With `exceeds`, more digits than `width` are announced by a plus.
fn padded(value: i64, width: usize, exceeds: bool, out: &mut String) {
    let digits = Digits::of(value.unsigned_abs());
    let digits = digits.significant();
    if value < 0 {
        out.push('-');
    } else if exceeds && digits.len() > width {
        out.push('+');
    }
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(digits);
}

/// A number in decimal. An answer has thousands of dates, so none of their parts allocates.
struct Digits {
    bytes: [u8; Self::COUNT],
    start: usize,
}

impl Digits {
    const COUNT: usize = 20;

    fn of(mut number: u64) -> Self {
        let mut digits = Self {
            bytes: [b'0'; Self::COUNT],
            start: Self::COUNT,
        };
        while number > 0 || digits.start == Self::COUNT {
            digits.start -= 1;
            digits.bytes[digits.start] += u8::try_from(number % 10).expect("a digit is small");
            number /= 10;
        }
        digits
    }

    fn significant(&self) -> &str {
        self.from(self.start)
    }

    /// The last `count` of them, zeros in front.
    fn last(&self, count: usize) -> &str {
        self.from(Self::COUNT - count)
    }

    fn from(&self, start: usize) -> &str {
        std::str::from_utf8(&self.bytes[start..]).expect("digits are ASCII")
    }
}

/// At least `min` and at most `max` digits; zeros beyond `min` are left out.
pub(super) fn fraction(nanos_of_second: i64, min: usize, max: usize, out: &mut String) {
    let digits = Digits::of(nanos_of_second.unsigned_abs());
    let cut = &digits.last(9)[..max.min(9)];
    let significant = cut.trim_end_matches('0').len();
    out.push_str(&cut[..significant.max(min.min(9))]);
}

fn offset(seconds: i64, style: OffsetStyle, out: &mut String) {
    if seconds == 0
        && let Some(zero) = style.zero
    {
        out.push_str(zero);
        return;
    }
    out.push_str(style.prefix);
    out.push(if seconds < 0 { '-' } else { '+' });
    let magnitude = seconds.abs();
    let (hours, minutes, rest) = (magnitude / 3_600, magnitude / 60 % 60, magnitude % 60);
    let written = if style.prefix.is_empty() || !style.minutes_optional {
        write!(out, "{hours:02}")
    } else {
        write!(out, "{hours}")
    };
    written.expect("a string takes every text");
    if style.minutes_optional && minutes == 0 && rest == 0 {
        return;
    }
    let colon = if style.colon { ":" } else { "" };
    write!(out, "{colon}{minutes:02}").expect("a string takes every text");
    if rest != 0 {
        write!(out, "{colon}{rest:02}").expect("a string takes every text");
    }
}

fn zone_id(local: &Local<'_>, out: &mut String) {
    match local.zone.iana_name() {
        Some(name) if name != "UTC" => out.push_str(name),
        _ => {
            let style = OffsetStyle {
                zero: Some("Z"),
                colon: true,
                minutes_optional: false,
                prefix: "",
            };
            offset(local.offset_seconds, style, out);
        }
    }
}
