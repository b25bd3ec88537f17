//! Reading a text item by item.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::fields::Fields;
use super::pattern::{Item, NameField, NumberField};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Largest offset of a zone, in hours: what java.time allows.
const OFFSET_HOURS_MAX: i64 = 18;

/// Longest name of a time zone worth looking up, in bytes.
const ZONE_NAME_BYTES_MAX: usize = 64;

/// Reads all of `text`; `None` when it does not fit.
pub(super) fn read(items: &[Item], text: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let rest = read_items(items, text, &mut fields)?;
    rest.is_empty().then_some(fields)
}

fn read_items<'a>(items: &[Item], mut rest: &'a str, fields: &mut Fields) -> Option<&'a str> {
    for item in items {
        rest = read_item(item, rest, fields)?;
    }
    Some(rest)
}

fn read_item<'a>(item: &Item, rest: &'a str, fields: &mut Fields) -> Option<&'a str> {
    match item {
        Item::Literal(literal) => rest.strip_prefix(literal.as_str()),
        Item::Number {
            field,
            digits_min,
            digits_max,
            signed,
            reserved,
            ..
        } => {
            let (value, rest) = number(rest, *digits_min, *digits_max, *signed, *reserved)?;
            set(fields, *field, value)?;
            Some(rest)
        }
        Item::YearOfCentury(field) => {
            let (digits, rest) = digits(rest, 2, 2)?;
            set(fields, *field, 2_000 + digits)?;
            Some(rest)
        }
        Item::Fraction {
            digits_min,
            digits_max,
        } => {
            let (nanos, count, rest) = fraction(rest, *digits_min, *digits_max)?;
            fields.nanos = Some(nanos);
            fields.fraction_digits = count;
            Some(rest)
        }
        Item::Name { field, .. } => read_name(*field, rest, fields),
        Item::Offset(_) => {
            let (seconds, rest) = offset(rest)?;
            fields.offset_seconds = Some(seconds);
            Some(rest)
        }
        Item::ZoneId | Item::ZoneName => {
            if let Some((seconds, rest)) = offset(rest) {
                fields.offset_seconds = Some(seconds);
                return Some(rest);
            }
            let (zone, rest) = zone(rest)?;
            fields.zone = Some(zone);
            Some(rest)
        }
        Item::Optional(inner) => {
            // Only a section that fits whole leaves a trace.
            let mut tried = fields.clone();
            match read_items(inner, rest, &mut tried) {
                Some(behind) => {
                    *fields = tried;
                    Some(behind)
                }
                None => Some(rest),
            }
        }
    }
}

fn set(fields: &mut Fields, field: NumberField, value: i64) -> Option<()> {
    let place = match field {
        NumberField::Year => &mut fields.year,
        NumberField::WeekYear => &mut fields.week_year,
        NumberField::Quarter => &mut fields.quarter,
        NumberField::Month => &mut fields.month,
        NumberField::Week => &mut fields.week,
        NumberField::WeekOfMonth => &mut fields.week_of_month,
        NumberField::Day => &mut fields.day,
        NumberField::DayOfYear => &mut fields.day_of_year,
        NumberField::Weekday => &mut fields.weekday,
        NumberField::Hour | NumberField::ClockHour => &mut fields.hour,
        NumberField::HalfDayHour | NumberField::HalfDayClockHour => &mut fields.half_day_hour,
        NumberField::Minute => &mut fields.minute,
        NumberField::Second => &mut fields.second,
    };
    let value = if field == NumberField::ClockHour && value == 24 {
        0
    } else {
        value
    };
    // A part that is named twice must say the same.
    if place.is_some_and(|before| before != value) {
        return None;
    }
    *place = Some(value);
    Some(())
}

fn digit_count(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Between `min` and `max` digits, as many as there are.
pub(super) fn digits(text: &str, min: usize, max: usize) -> Option<(i64, &str)> {
    let count = digit_count(text).min(max);
    if count < min {
        return None;
    }
    let (digits, rest) = text.split_at(count);
    // At most 18 digits are ever asked for.
    Some((digits.parse().ok()?, rest))
}

fn number(
    text: &str,
    min: usize,
    max: usize,
    signed: bool,
    reserved: usize,
) -> Option<(i64, &str)> {
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') if signed => (-1, &text[1..]),
        Some(b'+') if signed => (1, &text[1..]),
        _ => (0, text),
    };
    let available = digit_count(unsigned);
    // Without a sign a wide year has exactly its digits, unless digits of others follow.
    let max = if signed && sign == 0 && min > 1 {
        min
    } else {
        max
    };
    let count = available.saturating_sub(reserved).min(max);
    if count < min {
        return None;
    }
    let (value, rest) = digits(unsigned, count, count)?;
    Some((if sign < 0 { -value } else { value }, rest))
}

/// Digits behind a decimal separator as nanoseconds.
pub(super) fn fraction(text: &str, min: usize, max: usize) -> Option<(i64, usize, &str)> {
    let (mut nanos, rest) = digits(text, min.max(1), max.min(9))?;
    let count = text.len() - rest.len();
    for _ in count..9 {
        nanos *= 10;
    }
    Some((nanos, count, rest))
}

/// `Z`, `+01`, `+0100`, `+01:00`, `+01:00:00`, `GMT+1`, `UTC`.
pub(super) fn offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let prefixed = text
        .strip_prefix("GMT")
        .or_else(|| text.strip_prefix("UTC"));
    let signed = prefixed.unwrap_or(text);
    let sign = match signed.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return prefixed.map(|rest| (0, rest)),
    };
    let hour_digits_min = if prefixed.is_some() { 1 } else { 2 };
    let (hours, mut rest) = digits(&signed[1..], hour_digits_min, 2)?;
    let mut seconds = hours * 3_600;
    for unit_seconds in [60, 1] {
        let part = rest.strip_prefix(':').unwrap_or(rest);
        let Some((value, behind)) = digits(part, 2, 2) else {
            break;
        };
        if value > 59 {
            return None;
        }
        seconds += value * unit_seconds;
        rest = behind;
    }
    (seconds <= OFFSET_HOURS_MAX * 3_600).then_some((sign * seconds, rest))
}

/// A name of the time zone database at the start of `text`.
fn zone(text: &str) -> Option<(TimeZone, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let length = text.find(|c| !is_name(c)).unwrap_or(text.len());
    if length == 0 || length > ZONE_NAME_BYTES_MAX {
        return None;
    }
    let (name, rest) = text.split_at(length);
    Some((zone_named(name)?, rest))
}

/// The zone called `name` in the database that is part of the program: answers must not depend
/// on the machine.
fn zone_named(name: &str) -> Option<TimeZone> {
    static DATABASE: std::sync::LazyLock<TimeZoneDatabase> =
        std::sync::LazyLock::new(TimeZoneDatabase::bundled);
    DATABASE.get(name).ok()
}

fn read_name<'a>(field: NameField, text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    match field {
        NameField::Month => {
            let (index, rest) = name_of(&MONTHS, text)?;
            set(fields, NumberField::Month, index + 1)?;
            Some(rest)
        }
        NameField::Weekday => {
            let (index, rest) = name_of(&WEEKDAYS, text)?;
            set(fields, NumberField::Weekday, index + 1)?;
            Some(rest)
        }
        NameField::HalfDay => {
            let (index, rest) = word_of(&["AM", "PM"], text)?;
            fields.afternoon = Some(index == 1);
            Some(rest)
        }
        NameField::Era => {
            let (index, rest) = word_of(&["AD", "BC"], text)?;
            fields.before_christ = index == 1;
            Some(rest)
        }
    }
}

/// The name that `text` starts with, in full or by its first three letters.
fn name_of<'a>(names: &[&str], text: &'a str) -> Option<(i64, &'a str)> {
    if let Some(found) = word_of(names, text) {
        return Some(found);
    }
    let index = names
        .iter()
        .position(|name| starts_with(text, &name[..3]))?;
    Some((i64::try_from(index).ok()?, &text[3..]))
}

fn word_of<'a>(words: &[&str], text: &'a str) -> Option<(i64, &'a str)> {
    let index = words.iter().position(|word| starts_with(text, word))?;
    Some((i64::try_from(index).ok()?, &text[words[index].len()..]))
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}
