//! Reading a document on the guess that it has the shape of an earlier one.
//!
//! A plan compares the text between values with the shape's and reads values only in the form that
//! the shape prints. Whatever else stands there ends the guess, and the document is read the long
//! way, so a plan need not know more of JSON or of a field's conversions than the common forms.

use storage::model::{DateStyle, Decimal, FieldType, Hole, Shape, Style};

use super::scan::plain_bytes;
use crate::decode::field::FieldState;
use crate::decode::number::decimal;
use crate::decode::row::{Staged, StagedValue};
use crate::decode::tree::FieldIndex;

/// Integers of fields that may become decimal are sure to be printed as they were up to here.
const EXACT_INTEGER_MAX: i64 = 1 << 53;

/// Decimals of so many digits never read as the same double.
const DISTINCT_DIGITS_MAX: usize = 15;

/// Most digits that are read at all: 64 bits hold them.
const DIGITS_MAX: usize = 18;

/// Most digits behind a point: with fewer, nothing comes near the smallest doubles.
const PLACES_MAX: usize = 40;

/// Numbers with so many digits are milliseconds, not years.
const MILLIS_DIGITS_MIN: usize = 11;

/// What is expected of a document.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    tail: Box<[u8]>,
}

#[derive(Debug)]
struct Step {
    before: Box<[u8]>,
    field: FieldIndex,
    reading: Reading,
}

#[derive(Debug, Clone, Copy)]
enum Reading {
    /// An integer from `-max - 1` to `max`.
    Integer {
        max: i64,
    },
    /// A number of a decimal field.
    Decimal(Places),
    /// A text in quotes, of so many bytes at most.
    Text {
        bytes_max: usize,
        ascii: bool,
    },
    Boolean,
    Date(DateStyle),
    /// Milliseconds since the epoch.
    Millis,
}

/// The digits that stand behind a point.
#[derive(Debug, Clone, Copy)]
enum Places {
    /// As many as there must be, and no point without one.
    Needed,
    /// The same, but one at least.
    NeededOrOne,
    Exactly(usize),
}

impl Plan {
    /// How documents of `shape` are read, of which one gave `staged`; `None` when there is a value
    /// in it that only the long way reads.
    pub(super) fn new(shape: &Shape, staged: &[Staged], fields: &[FieldState]) -> Option<Self> {
        let mut steps = Vec::with_capacity(staged.len());
        for (place, ((before, hole), staged)) in shape.holes.iter().zip(staged).enumerate() {
            let Hole::Value { style, .. } = hole else {
                return None;
            };
            let behind = match shape.holes.get(place + 1) {
                Some((behind, _)) => behind,
                None => &shape.tail,
            };
            let in_quotes = before.ends_with(b"\"") && behind.starts_with(b"\"");
            let field = &fields[staged.field.0 as usize];
            steps.push(Step {
                before: before.clone(),
                field: staged.field,
                reading: Reading::new(*style, field, in_quotes)?,
            });
        }
        Some(Self {
            steps,
            tail: shape.tail.clone(),
        })
    }

    /// Appends the values of `document` to `staged`; texts are ranges of `document`. `None`, with
    /// anything appended, when the guess was wrong.
    pub(super) fn read(&self, document: &[u8], staged: &mut Vec<Staged>) -> Option<()> {
        let mut at = 0;
        for step in &self.steps {
            let rest = document.get(at..)?.strip_prefix(&*step.before)?;
            at += step.before.len();
            let (value, length) = step.reading.read(rest, at)?;
            at += length;
            staged.push(Staged {
                field: step.field,
                value,
            });
        }
        (document.get(at..)? == &*self.tail).then_some(())
    }
}

impl Reading {
    fn new(style: Style, field: &FieldState, in_quotes: bool) -> Option<Self> {
        let definition = &field.definition;
        Some(match (definition.field_type, style) {
            (FieldType::Long, Style::Plain) => Self::Integer {
                max: EXACT_INTEGER_MAX - 1,
            },
            (FieldType::Integer, Style::Plain) => Self::Integer {
                max: i32::MAX.into(),
            },
            (FieldType::Short, Style::Plain) => Self::Integer {
                max: i16::MAX.into(),
            },
            (FieldType::Byte, Style::Plain) => Self::Integer {
                max: i8::MAX.into(),
            },
            (FieldType::Double | FieldType::Float, Style::Plain) => Self::Decimal(Places::Needed),
            (FieldType::Double | FieldType::Float, Style::Point) => {
                Self::Decimal(Places::NeededOrOne)
            }
            (FieldType::Double | FieldType::Float, Style::Places(places)) => {
                Self::Decimal(Places::Exactly(places.into()))
            }
            (FieldType::Keyword | FieldType::Text, _) if style.is_text() && in_quotes => {
                Self::Text {
                    bytes_max: field.ignore_above.unwrap_or(usize::MAX),
                    ascii: style == Style::Ascii,
                }
            }
            (FieldType::Boolean, Style::Boolean) => Self::Boolean,
            (FieldType::Date, Style::Plain) if field.reads_iso_dates() => Self::Millis,
            (FieldType::Date, Style::Date(style))
                if field.reads_iso_dates() && !style.has_slashes && !style.has_space =>
            {
                Self::Date(style)
            }
            _ => return None,
        })
    }

    /// The value that `rest`, which begins at `at`, begins with, and how many bytes it takes.
    #[inline]
    fn read(self, rest: &[u8], at: usize) -> Option<(StagedValue, usize)> {
        Some(match self {
            Self::Integer { max } => {
                let (value, length) = read_integer(rest)?;
                if value > max || value < -max - 1 {
                    return None;
                }
                (StagedValue::Integer(value), length)
            }
            Self::Decimal(places) => {
                let (value, length) = read_decimal(rest, places)?;
                (StagedValue::Decimal(value), length)
            }
            Self::Text { bytes_max, ascii } => {
                let (length, is_ascii) = plain_bytes(rest);
                let fits = length <= bytes_max
                    && (is_ascii || !ascii && simdutf8::basic::from_utf8(&rest[..length]).is_ok());
                if !fits {
                    return None;
                }
                (StagedValue::Text(at..at + length), length)
            }
            Self::Boolean if rest.starts_with(b"true") => (StagedValue::Integer(1), 4),
            Self::Boolean if rest.starts_with(b"false") => (StagedValue::Integer(0), 5),
            Self::Boolean => return None,
            Self::Date(style) => {
                let length = style.text_bytes();
                let ms = style.read(rest.get(..length)?)?;
                (StagedValue::Integer(ms), length)
            }
            Self::Millis => {
                let (value, length) = read_integer(rest)?;
                if value < 0 || length < MILLIS_DIGITS_MIN {
                    return None;
                }
                (StagedValue::Integer(value), length)
            }
        })
    }
}

/// How many of the first bytes of `text` are digits, and the number that they say while it fits.
#[inline]
fn read_digits(text: &[u8], mut number: i64) -> (usize, i64) {
    let mut count = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        count += 1;
    }
    (count, number)
}

/// The integer at the start of `text`, as integers are printed.
#[inline]
fn read_integer(text: &[u8]) -> Option<(i64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (count, number) = read_digits(&text[start..], 0);
    let has_zeros = text.get(start) == Some(&b'0') && (count > 1 || is_negative);
    if count == 0 || count > DIGITS_MAX || has_zeros {
        return None;
    }
    let value = if is_negative { -number } else { number };
    Some((value, start + count))
}

/// The number at the start of `text`, printed with such `places`, as a decimal field has it.
#[inline]
fn read_decimal(text: &[u8], expected: Places) -> Option<(Decimal, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (whole, number) = read_digits(&text[start..], 0);
    let has_zeros = text.get(start) == Some(&b'0') && whole > 1;
    let mut length = start + whole;
    let (mut places, mut number) = (0, number);
    if text.get(length) == Some(&b'.') {
        (places, number) = read_digits(&text[length + 1..], number);
        length += 1 + places;
    }
    let ends_in_zero = text.get(length.wrapping_sub(1)) == Some(&b'0');
    let fits = match expected {
        Places::Needed if places == 0 => !text[..length].ends_with(b"."),
        Places::Needed => !ends_in_zero,
        Places::NeededOrOne => places == 1 || places > 1 && !ends_in_zero,
        Places::Exactly(expected) => places == expected && places > 0,
    };
    let digits = whole + places;
    if !fits
        || whole == 0
        || has_zeros
        || digits > PLACES_MAX
        || number == 0 && (is_negative || digits > DIGITS_MAX)
    {
        return None;
    }
    let leading = match whole == 1 && text[start] == b'0' {
        true => {
            let fraction = text.get(start + 2..length).unwrap_or_default();
            1 + fraction.iter().take_while(|byte| **byte == b'0').count()
        }
        false => 0,
    };
    let significant = digits - leading.min(digits);
    if significant > DIGITS_MAX {
        return None;
    }
    let value = Decimal {
        mantissa: if is_negative { -number } else { number },
        exponent: -i16::try_from(places).ok()?,
    }
    .normalized();
    if significant > DISTINCT_DIGITS_MAX {
        // Only the shortest of several decimals of one double is what a field holds.
        let number = std::str::from_utf8(&text[..length]).ok()?;
        let double = number.parse::<f64>().ok()?;
        if decimal(double) != value {
            return None;
        }
    }
    Some((value, length))
}
