//! The shape of a document that was read the long way.
//!
//! The reader left a trace: what became of each value, in the order of the document. Here the text
//! is walked once more beside that trace, and each value becomes a hole that says it, or one that
//! the row fills with bytes of its own.

use storage::model::{
    DateStyle, Decimal, ExponentStyle, Field, FieldType, Hole, Shape, ShapeValue, Style, push_own,
};

use super::scan::Scan;
use crate::decode::row::{RowState, StagedValue, Traced};

/// Longest array whose values have holes of their own; the text of a longer one, or of one that
/// holds objects, is the row's. Each length makes a shape.
const ARRAY_VALUES_MAX: usize = 4;

/// Integers of fields that may become decimal are sure to be printed as they were up to here.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Fraction digits beyond this make no style of their own.
const PLACES_MAX: usize = 30;

/// A document's shape and what it does not say.
#[derive(Debug, Default)]
pub(super) struct Recognised {
    pub(super) shape: Shape,
    pub(super) own: Vec<u8>,
    /// Whether each staged value has its hole, and nothing else is in a hole.
    pub(super) is_complete: bool,
}

/// The shape of `text`, which `state` has just read; `None` when text and trace do not agree.
pub(super) fn recognise(text: &[u8], state: &RowState) -> Option<Recognised> {
    let mut walk = Walk {
        scan: Scan { text, at: 0 },
        state,
        trace: state.trace().iter(),
        staged: 0,
        seen: vec![0; state.fields.len()],
        written: 0,
        found: Recognised {
            is_complete: true,
            ..Recognised::default()
        },
        print: Vec::new(),
    };
    walk.value(Values::Show)?;
    walk.scan.skip_space();
    if walk.scan.at != text.len() || walk.trace.next().is_some() {
        return None;
    }
    let staged = state.staged().len();
    let mut found = walk.found;
    found.shape.tail = text[walk.written..].into();
    found.is_complete &= walk.staged == staged && found.shape.holes.len() == staged;
    Some(found)
}

/// Whether values get holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Show,
    /// They stand inside a larger hole.
    Pass,
}

struct Walk<'a> {
    scan: Scan<'a>,
    state: &'a RowState,
    trace: std::slice::Iter<'a, Traced>,
    /// Values of the trace so far.
    staged: usize,
    /// The same for each field.
    seen: Vec<u32>,
    /// Up to here the text is in the shape.
    written: usize,
    found: Recognised,
    print: Vec<u8>,
}

impl Walk<'_> {
    fn value(&mut self, values: Values) -> Option<()> {
        self.scan.skip_space();
        let start = self.scan.at;
        match self.trace.next()? {
            Traced::Ignored => {
                self.scan.pass_value()?;
                self.own(start, self.scan.at, values);
            }
            Traced::Nothing => {
                self.scan.pass_scalar()?;
                if &self.scan.text[start..self.scan.at] != b"null" {
                    let (start, end) = self.inside_quotes(start);
                    self.own(start, end, values);
                }
            }
            Traced::Value => {
                self.scan.pass_scalar()?;
                self.staged_value(start, values)?;
            }
            Traced::Composite if self.scan.peek()? == b'{' => self.object(values)?,
            Traced::Composite => self.array(start, values)?,
        }
        Some(())
    }

    fn object(&mut self, values: Values) -> Option<()> {
        self.scan.pass(b'{')?;
        self.scan.skip_space();
        if self.scan.pass(b'}').is_some() {
            return Some(());
        }
        loop {
            self.scan.skip_space();
            self.scan.pass_string()?;
            self.scan.skip_space();
            self.scan.pass(b':')?;
            self.value(values)?;
            self.scan.skip_space();
            if self.scan.pass(b',').is_none() {
                return self.scan.pass(b'}');
            }
        }
    }

    fn array(&mut self, start: usize, values: Values) -> Option<()> {
        let inner = match is_short(self.scan) {
            true => values,
            false => Values::Pass,
        };
        self.scan.pass(b'[')?;
        self.scan.skip_space();
        if self.scan.pass(b']').is_none() {
            loop {
                self.value(inner)?;
                self.scan.skip_space();
                if self.scan.pass(b',').is_none() {
                    break self.scan.pass(b']')?;
                }
            }
        }
        if inner != values {
            self.own(start, self.scan.at, values);
        }
        Some(())
    }

    /// A value of the row, whose text begins at `start` and ends here.
    fn staged_value(&mut self, start: usize, values: Values) -> Option<()> {
        let staged = self.state.staged().get(self.staged)?;
        self.staged += 1;
        let seen = &mut self.seen[staged.field.0 as usize];
        let index = *seen;
        *seen += 1;
        if values == Values::Pass {
            return Some(());
        }
        let (start, end) = self.inside_quotes(start);
        let text = &self.scan.text[start..end];
        let field = &self.state.fields[staged.field.0 as usize];
        let value = match &staged.value {
            StagedValue::Integer(value) => ShapeValue::Number(Decimal::from_i64(*value)),
            StagedValue::Decimal(value) => ShapeValue::Number(*value),
            StagedValue::Text(range) => ShapeValue::Text(&self.state.text()[range.clone()]),
        };
        match style_of(text, value, &field.definition, &mut self.print) {
            Some((style, length)) => {
                let path = field.path.clone();
                self.hole(start, Hole::Value { path, index, style });
                self.written = start + length;
            }
            None => self.own(start, end, values),
        }
        Some(())
    }

    /// The row keeps the text between.
    fn own(&mut self, start: usize, end: usize, values: Values) {
        self.found.is_complete = false;
        if values == Values::Show {
            self.hole(start, Hole::Own);
            push_own(&self.scan.text[start..end], &mut self.found.own);
            self.written = end;
        }
    }

    fn hole(&mut self, start: usize, hole: Hole) {
        let before = self.scan.text[self.written..start].into();
        self.found.shape.holes.push((before, hole));
    }

    /// The text of the scalar from `start` to here, without quotes.
    fn inside_quotes(&self, start: usize) -> (usize, usize) {
        match self.scan.text[start] {
            b'"' => (start + 1, self.scan.at - 1),
            _ => (start, self.scan.at),
        }
    }
}

/// Whether the array that begins at `scan` has few values and no objects or arrays.
fn is_short(mut scan: Scan<'_>) -> bool {
    let mut count = 0;
    let mut pass = || {
        scan.pass(b'[')?;
        loop {
            scan.skip_space();
            match scan.peek()? {
                b']' => return Some(()),
                b',' => scan.at += 1,
                _ => {
                    scan.pass_scalar()?;
                    count += 1;
                }
            }
            if count > ARRAY_VALUES_MAX {
                return None;
            }
        }
    };
    pass().is_some()
}

/// The style in which `value` is the beginning of `text`, and how many bytes of it.
fn style_of(
    text: &[u8],
    value: ShapeValue<'_>,
    field: &Field,
    print: &mut Vec<u8>,
) -> Option<(Style, usize)> {
    let mut fits = |style: Style, length: usize| {
        print.clear();
        let is_printed = style.print(value, print).is_some();
        (is_printed && Some(print.as_slice()) == text.get(..length)).then_some((style, length))
    };
    let number = match value {
        ShapeValue::Text(_) => {
            let styles = [Style::Text, Style::Escaped, Style::Ascii];
            return styles.into_iter().find_map(|style| fits(style, text.len()));
        }
        ShapeValue::Number(number) => number,
    };
    match field.field_type {
        FieldType::Boolean => return fits(Style::Boolean, text.len()),
        FieldType::Date => {
            let date = date_style(text);
            return fits(Style::Plain, text.len())
                .or_else(|| fits(Style::Seconds, text.len()))
                .or_else(|| date.and_then(|style| fits(Style::Date(style), style.text_bytes())));
        }
        // Beyond, an integer that becomes decimal is the nearest double.
        FieldType::Long if number.mantissa.unsigned_abs() > EXACT_INTEGER_MAX => return None,
        FieldType::Long
        | FieldType::Integer
        | FieldType::Short
        | FieldType::Byte
        | FieldType::Double
        | FieldType::Float
        | FieldType::HalfFloat => {}
        FieldType::DateNanos | FieldType::Keyword | FieldType::Text | FieldType::Ip => return None,
    }
    let places = text.iter().rev().position(|byte| *byte == b'.');
    let places = places.filter(|places| *places <= PLACES_MAX);
    let places = places.and_then(|places| u8::try_from(places).ok());
    fits(Style::Plain, text.len())
        .or_else(|| fits(Style::Point, text.len()))
        .or_else(|| fits(Style::Places(places?), text.len()))
        .or_else(|| {
            let has_power = text.iter().any(|byte| matches!(byte, b'e' | b'E'));
            let mut styles = ExponentStyle::all().filter(|_| has_power);
            styles.find_map(|style| fits(Style::Exponent(style), text.len()))
        })
}

/// How the date that `text` begins with is written, and what it says of the zone behind it.
fn date_style(text: &[u8]) -> Option<DateStyle> {
    let mut style = DateStyle {
        has_slashes: *text.get(4)? == b'/',
        ..DateStyle::default()
    };
    let Some(separator) = text.get(10) else {
        return Some(style);
    };
    style.has_time = true;
    style.has_space = *separator == b' ';
    style.has_millis = text.get(19) == Some(&b'.');
    let behind = text.get(style.text_bytes()..)?;
    // Fractions beyond milliseconds are part of the shape while they say nothing.
    let zone = behind.trim_ascii_start();
    let zone = &zone[zone.iter().take_while(|byte| **byte == b'0').count()..];
    style.offset_minutes = match zone {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let digits: Vec<u8> = digits
                .iter()
                .copied()
                .filter(|byte| *byte != b':')
                .collect();
            let number: i16 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
            let minutes = match digits.len() {
                2 => number * 60,
                4 => number / 100 * 60 + number % 100,
                _ => return None,
            };
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    Some(style)
}
