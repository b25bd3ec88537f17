//! Names with dates in them: `<logs-{now/d}>` is `logs-2026.01.31` today.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::ElasticError;
use super::date_math::{DateReader, Missing, parse_format, parse_zone};

/// How a date in a name is printed unless the name says otherwise.
const FORMAT_DEFAULT: &str = "uuuu.MM.dd";

/// `expression` with the dates of its names put in.
///
/// # Errors
/// When a name that begins with `<` is not written as such names are.
pub fn dated_names(expression: &str, now_ms: i64) -> Result<Cow<'_, str>, ElasticError> {
    if !expression.contains('<') {
        return Ok(Cow::Borrowed(expression));
    }
    let names = expression.split(',').map(|name| {
        let (minus, bare) = match name.strip_prefix('-') {
            Some(bare) => ("-", bare),
            None => ("", name),
        };
        match bare
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
        {
            Some(inner) => Ok(format!("{minus}{}", dated(bare, inner, now_ms)?)),
            None => Ok(name.to_owned()),
        }
    });
    let names: Result<Vec<String>, ElasticError> = names.collect();
    Ok(Cow::Owned(names?.join(",")))
}

/// The name that `inner`, the text of `name` without its brackets, stands for.
fn dated(name: &str, inner: &str, now_ms: i64) -> Result<String, ElasticError> {
    let malformed = |why: &str| {
        let reason = format!("invalid dynamic name expression [{name}]. {why}");
        ElasticError::new(400, "parse_exception", reason)
    };
    let mut found = String::new();
    let mut rest = inner;
    while let Some(at) = rest.find(['{', '}', '\\']) {
        found.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        match rest.as_bytes()[at] {
            b'\\' => {
                let escaped = behind.chars().next();
                let escaped = escaped.ok_or_else(|| malformed("nothing is escaped"))?;
                found.push(escaped);
                rest = &behind[escaped.len_utf8()..];
            }
            b'{' => {
                let end = end_of(behind).ok_or_else(|| malformed("a bracket is not closed"))?;
                found.push_str(&date(&behind[..end], now_ms)?);
                rest = &behind[end + 1..];
            }
            _closing => return Err(malformed("a closing bracket closes nothing")),
        }
    }
    found.push_str(rest);
    Ok(found)
}

/// Where the bracket closes that was opened before `text`.
fn end_of(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _other => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// `now/M{yyyy.MM|+01:00}`: an instant, how it is printed, and where.
fn date(text: &str, now_ms: i64) -> Result<String, ElasticError> {
    let (math, printing) = match text.split_once('{') {
        Some((math, printing)) => (math, printing.strip_suffix('}').unwrap_or(printing)),
        None => (text, FORMAT_DEFAULT),
    };
    let (format, zone) = match printing.split_once('|') {
        Some((format, zone)) => (format, parse_zone(zone)?),
        None => (printing, TimeZone::UTC),
    };
    let format = parse_format(Some(format))?;
    let reader = DateReader {
        format: format.clone(),
        zone: zone.clone(),
        now_ms,
    };
    let instant = reader.read(math, Missing::First)?;
    Ok(format.print(instant.ms, &zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-03-22T12:34:56Z
    const NOW_MS: i64 = 1_711_110_896_000;

    fn check(expression: &str, expected: &str) {
        let found = match dated_names(expression, NOW_MS) {
            Ok(names) => names.into_owned(),
            Err(error) => error.error_type().to_owned(),
        };
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn dates_are_put_into_names() {
        check("logs", "logs");
        check("<logs-{now/d}>", "logs-2024.03.22");
        check(
            "<logs-{now/M}>,-<logs-{now/d-1d}>,x*",
            "logs-2024.03.01,-logs-2024.03.21,x*",
        );
        check("<logs-{now/M{yyyy.MM}}-a>", "logs-2024.03-a");
        check("<logs-{now/d{yyyy.MM.dd|+12:00}}>", "logs-2024.03.23");
        check("<elastic\\{ON\\}-{now/M}>", "elastic{ON}-2024.03.01");
        check("<logs-{now/d>", "parse_exception");
        check("<logs-now/d}>", "parse_exception");
        check("<logs", "<logs");
    }
}
