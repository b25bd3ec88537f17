//! The ways in which values are written.

use super::date::DateStyle;
use super::number::{self, ExponentStyle};
use super::{MalformedShape, take, text};
use crate::model::Decimal;

/// How a value is written. Quotes and everything else that does not vary belong to the text around
/// the hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A number without a point when it is whole: `15`, `1.5`, `-0.25`.
    Plain,
    /// A number with a digit behind the point at least: `15.0`, `1.5`.
    Point,
    /// A number with so many digits behind the point: `1.50`.
    Places(u8),
    /// A number with one digit before the point and a power of ten: `1.5e-07`.
    Exponent(ExponentStyle),
    /// `true` for every number but 0, which is `false`.
    Boolean,
    /// Milliseconds since the epoch as a date.
    Date(DateStyle),
    /// Milliseconds since the epoch as whole seconds.
    Seconds,
    /// A text as it is.
    Text,
    /// A text with what JSON does not allow in strings, and nothing else, escaped.
    Escaped,
    /// The same, and all that is not ASCII escaped, too.
    Ascii,
}

/// A value for a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeValue<'a> {
    /// Of a column of numbers.
    Number(Decimal),
    /// Of a column of texts.
    Text(&'a [u8]),
}

impl Style {
    /// Appends `value`; `None`, with an unknown part of it appended, when it has no such form.
    pub fn print(self, value: ShapeValue<'_>, out: &mut Vec<u8>) -> Option<()> {
        match (self, value) {
            (Self::Text, ShapeValue::Text(text)) => out.extend_from_slice(text),
            (Self::Escaped, ShapeValue::Text(text)) => text::print_escaped(text, out),
            (Self::Ascii, ShapeValue::Text(text)) => text::print_ascii(text, out)?,
            (Self::Plain, ShapeValue::Number(value)) => number::print_plain(value, 0, out),
            (Self::Point, ShapeValue::Number(value)) => number::print_plain(value, 1, out),
            (Self::Places(places), ShapeValue::Number(value)) => {
                number::print_places(value, places, out)?;
            }
            (Self::Exponent(style), ShapeValue::Number(value)) => style.print(value, out),
            (Self::Boolean, ShapeValue::Number(value)) => {
                let is_true = value.mantissa != 0;
                out.extend_from_slice(if is_true { b"true" } else { b"false" });
            }
            (Self::Date(style), ShapeValue::Number(value)) => style.print(whole(value)?, out)?,
            (Self::Seconds, ShapeValue::Number(value)) => {
                let ms = whole(value)?;
                if ms % 1000 != 0 {
                    return None;
                }
                number::print_plain(Decimal::from_i64(ms / 1000), 0, out);
            }
            (Self::Text | Self::Escaped | Self::Ascii, ShapeValue::Number(_))
            | (
                Self::Plain
                | Self::Point
                | Self::Places(_)
                | Self::Exponent(_)
                | Self::Boolean
                | Self::Date(_)
                | Self::Seconds,
                ShapeValue::Text(_),
            ) => return None,
        }
        Some(())
    }

    /// Whether it prints texts.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Escaped | Self::Ascii)
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.push(1),
            Self::Point => out.push(2),
            Self::Places(places) => out.extend([3, places]),
            Self::Exponent(style) => out.extend([4, style.flags()]),
            Self::Boolean => out.push(5),
            Self::Date(style) => {
                out.extend([6, style.flags()]);
                out.extend(style.offset_minutes.to_le_bytes());
            }
            Self::Seconds => out.push(7),
            Self::Text => out.push(8),
            Self::Escaped => out.push(9),
            Self::Ascii => out.push(10),
        }
    }

    pub(super) fn decode(tag: u8, rest: &mut &[u8]) -> Result<Self, MalformedShape> {
        Ok(match tag {
            1 => Self::Plain,
            2 => Self::Point,
            3 => Self::Places(take::<1>(rest)?[0]),
            4 => Self::Exponent(ExponentStyle::from_flags(take::<1>(rest)?[0])),
            5 => Self::Boolean,
            6 => {
                let [flags] = take(rest)?;
                let offset_minutes = i16::from_le_bytes(take(rest)?);
                Self::Date(DateStyle::from_flags(flags, offset_minutes))
            }
            7 => Self::Seconds,
            8 => Self::Text,
            9 => Self::Escaped,
            10 => Self::Ascii,
            _ => return Err(MalformedShape("a style is unknown")),
        })
    }
}

/// The 64-bit integer that `value` is.
fn whole(value: Decimal) -> Option<i64> {
    let power = u32::try_from(value.normalized().exponent).ok()?;
    let value = value.normalized();
    value.mantissa.checked_mul(10_i64.checked_pow(power)?)
}
