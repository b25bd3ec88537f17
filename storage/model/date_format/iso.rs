//! `strict_date_optional_time`, read by hand: this is what most documents carry.

use super::fields::Fields;
use super::pattern::Item;
use super::read::{self, digits, fraction};

/// `yyyy[-MM[-dd]][T[HH[:mm[:ss[.fraction]]]][offset or zone]]`, all of `text`.
pub(super) fn read(text: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let rest = date(text, &mut fields)?;
    let Some(rest) = rest.strip_prefix('T') else {
        return rest.is_empty().then_some(fields);
    };
    let rest = time(rest, &mut fields)?;
    if rest.is_empty() {
        return Some(fields);
    }
    // An offset or zone stands only behind a time.
    fields.hour?;
    let zone = read::read(&[Item::ZoneId], rest)?;
    fields.offset_seconds = zone.offset_seconds;
    fields.zone = zone.zone;
    Some(fields)
}

fn date<'a>(text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let signed = matches!(text.as_bytes().first(), Some(b'-' | b'+'));
    let (year, rest) = if signed {
        digits(&text[1..], 4, 9)?
    } else {
        digits(text, 4, 4)?
    };
    // A signed number alone is an instant in milliseconds, which the next format reads.
    if signed && !rest.starts_with('-') {
        return None;
    }
    fields.year = Some(if text.starts_with('-') { -year } else { year });
    let Some(rest) = rest.strip_prefix('-') else {
        return Some(rest);
    };
    let (month, rest) = digits(rest, 2, 2)?;
    fields.month = Some(month);
    let Some(rest) = rest.strip_prefix('-') else {
        return Some(rest);
    };
    let (day, rest) = digits(rest, 2, 2)?;
    fields.day = Some(day);
    Some(rest)
}

fn time<'a>(text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let Some((hour, rest)) = digits(text, 2, 2) else {
        return Some(text);
    };
    fields.hour = Some(hour);
    let Some(rest) = rest.strip_prefix(':') else {
        return Some(rest);
    };
    let (minute, rest) = digits(rest, 2, 2)?;
    fields.minute = Some(minute);
    let Some(rest) = rest.strip_prefix(':') else {
        return Some(rest);
    };
    let (second, rest) = digits(rest, 2, 2)?;
    fields.second = Some(second);
    let Some(rest) = rest.strip_prefix(['.', ',']) else {
        return Some(rest);
    };
    let (nanos, count, rest) = fraction(rest, 1, 9)?;
    fields.nanos = Some(nanos);
    fields.fraction_digits = count;
    Some(rest)
}
