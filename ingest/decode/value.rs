//! A value of a document as a value of its field.

use core::net::IpAddr;

use jiff::tz::TimeZone;
use storage::model::{Decimal, FieldType};

use super::field::{Coercion, FieldState};
use super::number::{decimal, decimal_of_integer, integer, truncated};

/// A value as it stands in a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    Integer(i64),
    /// Beyond the range of `Integer`.
    Unsigned(u64),
    /// Finite.
    Float(f64),
    Text(&'a str),
}

/// A value as its column takes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Converted<'a> {
    Integer(i64),
    Decimal(Decimal),
    Text(&'a str),
    OwnedText(String),
    /// As if it were not there.
    Nothing,
}

/// Largest value of `half_float`.
const HALF_FLOAT_MAX: f64 = 65_504.0;

impl Scalar<'_> {
    /// The value as text, as close to how it was written as we know.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => (*text).into(),
        }
    }
}

/// Converts `scalar` for `field`; the error says why it does not fit.
pub(super) fn convert<'a>(field: &FieldState, scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    match field.definition.field_type {
        FieldType::Long => long(field, scalar),
        FieldType::Integer => small(field, scalar, "an integer", i64::from(i32::MAX)),
        FieldType::Short => small(field, scalar, "a short", i64::from(i16::MAX)),
        FieldType::Byte => small(field, scalar, "a byte", i64::from(i8::MAX)),
        FieldType::Double => fraction(field, scalar, "double", f64::MAX),
        FieldType::Float => fraction(field, scalar, "float", f64::from(f32::MAX)),
        FieldType::HalfFloat => fraction(field, scalar, "half_float", HALF_FLOAT_MAX),
        FieldType::Boolean => boolean(scalar),
        FieldType::Date => date(field, scalar),
        FieldType::DateNanos => date_nanos(field, scalar),
        FieldType::Keyword | FieldType::Text => Ok(text(field, scalar)),
        FieldType::Ip => ip(scalar),
    }
}

/// Numbers in texts become numbers; an empty text is nothing.
fn coerced<'a>(field: &FieldState, scalar: Scalar<'a>) -> Result<Option<Scalar<'a>>, String> {
    let Scalar::Text(text) = scalar else {
        return match scalar {
            Scalar::Bool(_) => Err(format!("Current token ({}) not numeric", scalar.text())),
            Scalar::Integer(_) | Scalar::Unsigned(_) | Scalar::Float(_) | Scalar::Text(_) => {
                Ok(Some(scalar))
            }
        };
    };
    if field.coercion == Coercion::Off {
        return Err("Integer value passed as String".into());
    }
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(Some(Scalar::Integer(value)));
    }
    // Only digits make a number here: `infinity` and `nan` are words.
    let looks_numeric = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(value) if looks_numeric && value.is_finite() => Ok(Some(Scalar::Float(value))),
        _ => Err(format!(
            "For input string: \"{}\"",
            super::error::preview(text)
        )),
    }
}

fn long<'a>(field: &FieldState, scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    let out_of_range = |scalar: Scalar<'_>| Err(out_of_range(scalar, "a long"));
    match coerced(field, scalar)? {
        None => Ok(Converted::Nothing),
        Some(Scalar::Integer(value)) => Ok(Converted::Integer(value)),
        Some(Scalar::Float(value)) => match (integer(value), truncated(value), field.coercion) {
            (Some(value), _, _) => Ok(Converted::Integer(value)),
            (None, None, _) => out_of_range(Scalar::Float(value)),
            (None, Some(_), Coercion::Unsaid) => Ok(Converted::Decimal(decimal(value))),
            (None, Some(value), Coercion::On) => Ok(Converted::Integer(value)),
            (None, Some(_), Coercion::Off) => Err(format!(
                "{value:?} cannot be converted to Long without data loss"
            )),
        },
        Some(other) => out_of_range(other),
    }
}

/// An integer from `-max - 1` to `max`.
fn small<'a>(
    field: &FieldState,
    scalar: Scalar<'a>,
    name: &str,
    max: i64,
) -> Result<Converted<'a>, String> {
    let Some(number) = coerced(field, scalar)? else {
        return Ok(Converted::Nothing);
    };
    let value = match number {
        Scalar::Integer(value) => Some(value),
        Scalar::Float(value) if field.coercion == Coercion::Off && value.fract() != 0.0 => {
            return Err(format!(
                "{value:?} cannot be converted to {name} without data loss"
            ));
        }
        Scalar::Float(value) => truncated(value),
        Scalar::Unsigned(_) | Scalar::Bool(_) | Scalar::Text(_) => None,
    };
    match value {
        Some(value) if (-max - 1..=max).contains(&value) => Ok(Converted::Integer(value)),
        _ => Err(out_of_range(number, name)),
    }
}

fn is_in_range_of_long(number: Scalar<'_>) -> bool {
    match number {
        Scalar::Integer(_) => true,
        Scalar::Float(value) => truncated(value).is_some(),
        Scalar::Unsigned(_) | Scalar::Bool(_) | Scalar::Text(_) => false,
    }
}

fn out_of_range(scalar: Scalar<'_>, name: &str) -> String {
    format!("Value [{}] is out of range for {name}", scalar.text())
}

fn fraction<'a>(
    field: &FieldState,
    scalar: Scalar<'a>,
    name: &str,
    max: f64,
) -> Result<Converted<'a>, String> {
    let number = coerced(field, scalar)?;
    if field.definition.widened && number.is_some_and(|number| !is_in_range_of_long(number)) {
        return Err(out_of_range(scalar, "a long"));
    }
    let value = match number {
        None => return Ok(Converted::Nothing),
        Some(Scalar::Integer(value)) => decimal_of_integer(value),
        // Beyond 2^63 a decimal field holds the nearest double; the rounding is meant.
        Some(Scalar::Unsigned(value)) => decimal(value as f64),
        Some(Scalar::Float(value)) => decimal(value),
        Some(Scalar::Bool(_) | Scalar::Text(_)) => {
            unreachable!("coercion leaves numbers only")
        }
    };
    if value.to_f64().abs() > max {
        return Err(format!(
            "[{name}] supports only finite values, but got [{}]",
            scalar.text()
        ));
    }
    Ok(Converted::Decimal(value))
}

fn boolean<'a>(scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    match scalar {
        Scalar::Bool(value) => Ok(Converted::Integer(i64::from(value))),
        Scalar::Text("true") => Ok(Converted::Integer(1)),
        Scalar::Text("false" | "") => Ok(Converted::Integer(0)),
        Scalar::Text(_) | Scalar::Integer(_) | Scalar::Unsigned(_) | Scalar::Float(_) => {
            Err(format!(
                "Failed to parse value [{}] as only [true] or [false] are allowed.",
                super::error::preview(&scalar.text())
            ))
        }
    }
}

/// Reads a date; a number is read as its digits are.
fn read_date(
    field: &FieldState,
    scalar: Scalar<'_>,
) -> Result<storage::model::DateReading, String> {
    let format = field.format.as_ref().expect("a date field has a format");
    let read = match scalar {
        Scalar::Text(text) => format.read(text, &TimeZone::UTC),
        // Without an exponent, which no format reads.
        Scalar::Float(value) => format.read(&value.to_string(), &TimeZone::UTC),
        Scalar::Integer(_) | Scalar::Unsigned(_) | Scalar::Bool(_) => {
            format.read(&scalar.text(), &TimeZone::UTC)
        }
    };
    read.map_err(|error| error.to_string())
}

fn date<'a>(field: &FieldState, scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    Ok(Converted::Integer(read_date(field, scalar)?.ms))
}

fn date_nanos<'a>(field: &FieldState, scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    let reading = read_date(field, scalar)?;
    let shown = || super::error::preview(&scalar.text());
    if reading.ms < 0 {
        return Err(format!(
            "date[{}] is before the epoch in 1970 and cannot be stored in nanosecond resolution",
            shown()
        ));
    }
    reading.epoch_nanos().map(Converted::Integer).ok_or_else(|| {
        format!(
            "date[{}] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond \
             resolution",
            shown()
        )
    })
}

fn text<'a>(field: &FieldState, scalar: Scalar<'a>) -> Converted<'a> {
    let too_long = |text: &str| {
        // Bytes bound characters from above, so most texts need no count.
        field
            .ignore_above
            .is_some_and(|most| text.len() > most && text.chars().count() > most)
    };
    match scalar {
        Scalar::Text(text) if too_long(text) => Converted::Nothing,
        Scalar::Text(text) => Converted::Text(text),
        Scalar::Bool(_) | Scalar::Integer(_) | Scalar::Unsigned(_) | Scalar::Float(_) => {
            let text = scalar.text();
            if too_long(&text) {
                Converted::Nothing
            } else {
                Converted::OwnedText(text)
            }
        }
    }
}

fn ip<'a>(scalar: Scalar<'a>) -> Result<Converted<'a>, String> {
    let text = scalar.text();
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(Converted::OwnedText(address.to_canonical().to_string())),
        Err(_) => {
            let shown = super::error::preview(&text);
            Err(format!("'{shown}' is not an IP string literal."))
        }
    }
}
