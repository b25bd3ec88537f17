//! Values of fields as requests write them outside of queries: what rows without one count as,
//! which terms to take.

use std::sync::Arc;

use jiff::tz::TimeZone;
use query::request::TermValue;
use serde_json::Value;
use storage::model::{Decimal, FieldType};

use super::ElasticError;
use super::context::{Context, NamedField};
use super::date_math::{DateReader, Missing, parse_format};
use super::read;

/// The number that a text says; integers with exponent 0, as integer columns hold them.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Decimal::from_i64(whole));
    }
    Decimal::from_f64(text.parse().ok()?).map(as_integer)
}

/// The same value with exponent 0 where that is possible.
fn as_integer(value: Decimal) -> Decimal {
    let power = u32::try_from(value.exponent)
        .ok()
        .and_then(|power| 10_i64.checked_pow(power));
    match power.and_then(|power| value.mantissa.checked_mul(power)) {
        Some(whole) => Decimal::from_i64(whole),
        None => value,
    }
}

/// An instant in milliseconds: a number as it is, a text by the format and date math.
pub(super) fn date_ms(reader: &DateReader, value: &Value) -> Result<i64, ElasticError> {
    if let Some(number) = value.as_number() {
        let ms = number
            .as_i64()
            .or_else(|| read::integer(value, "date").ok());
        return ms.ok_or_else(|| read::wrong(value, "date"));
    }
    let text = read::text(value, "date")?;
    match reader.read(&text, Missing::First) {
        Ok(at) => Ok(at.ms),
        // Dashboards write numbers as texts; a format that cannot read them is not asked.
        Err(error) => text.trim().parse().map_err(|_| error),
    }
}

/// The instant of rows without one. Unlike bounds, a number is read by the format too.
pub(super) fn missing_ms(reader: &DateReader, value: &Value) -> Result<i64, ElasticError> {
    date_ms(reader, &Value::String(read::text(value, "missing")?))
}

/// A value of a number field in the unit of its column.
pub(super) fn number_value(
    context: &Context<'_>,
    field: &NamedField<'_>,
    value: &Value,
    format: Option<&str>,
    zone: &TimeZone,
) -> Result<Decimal, ElasticError> {
    match field.field_type() {
        FieldType::Date | FieldType::DateNanos => {
            let format = parse_format(format.or(field.field.format.as_deref()))
                .map_err(|error| context.fail(error))?;
            let reader = DateReader {
                format,
                zone: zone.clone(),
                now_ms: context.now_ms,
            };
            let ms = missing_ms(&reader, value).map_err(|error| context.fail(error))?;
            let scaled = if field.field_type() == FieldType::DateNanos {
                ms.checked_mul(1_000_000)
            } else {
                Some(ms)
            };
            scaled.map(Decimal::from_i64).ok_or_else(|| {
                context.fail(ElasticError::illegal_argument(format!(
                    "date [{ms}] is out of range for a field of nanosecond resolution"
                )))
            })
        }
        FieldType::Boolean => match read::shown(value).as_str() {
            "true" => Ok(Decimal::from_i64(1)),
            "false" => Ok(Decimal::from_i64(0)),
            other => Err(context.fail(ElasticError::illegal_argument(format!(
                "Cannot parse boolean [{other}], expected either [true] or [false]"
            )))),
        },
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat
        | FieldType::Keyword
        | FieldType::Text
        | FieldType::Ip => {
            let text = read::text(value, &field.path)?;
            decimal(&text).ok_or_else(|| context.fail(read::number_format(&text)))
        }
    }
}

/// A value that a terms bucket may have.
pub(super) fn term_value(
    context: &Context<'_>,
    field: &NamedField<'_>,
    value: &Value,
    format: Option<&str>,
) -> Result<TermValue, ElasticError> {
    match field.field_type() {
        FieldType::Keyword | FieldType::Text => Ok(TermValue::Text(Arc::from(
            read::text(value, &field.path)?.into_bytes(),
        ))),
        FieldType::Ip => {
            let text = read::text(value, &field.path)?;
            let address: core::net::IpAddr = text.parse().map_err(|_| {
                context.fail(ElasticError::illegal_argument(format!(
                    "'{text}' is not an IP string literal."
                )))
            })?;
            let canonical = address.to_canonical().to_string();
            Ok(TermValue::Text(Arc::from(canonical.into_bytes())))
        }
        FieldType::Double | FieldType::Float | FieldType::HalfFloat => {
            let value = number_value(context, field, value, format, &TimeZone::UTC)?;
            Ok(TermValue::Decimal(value.normalized()))
        }
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateNanos => {
            let number = number_value(context, field, value, format, &TimeZone::UTC)?;
            // A fraction is no value of an integer field; Elasticsearch takes its whole part.
            let whole = if number.exponent == 0 {
                number.mantissa
            } else {
                read::integer_text(&number.to_f64().to_string()).unwrap_or_default()
            };
            Ok(TermValue::Integer(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts() {
        assert_eq!(decimal(" 75"), Some(Decimal::from_i64(75)));
        assert_eq!(decimal("5e1"), Some(Decimal::from_i64(50)));
        assert_eq!(
            decimal("2.50"),
            Some(Decimal {
                mantissa: 25,
                exponent: -1
            })
        );
        assert_eq!(decimal("abc"), None);
        assert_eq!(decimal("NaN"), None);
    }
}
