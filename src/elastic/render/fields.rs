//! `fields` of a hit: values out of the document, each as its field's type says it.

use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use storage::model::{DATE_FORMAT_DEFAULT, DateFormat, DateReading, FieldType};

use super::number::Number;
use crate::elastic::read;
use crate::elastic::shape::{FieldShape, ValueText};

/// Objects and lists nested deeper than this are not looked into.
const DEPTH_MAX: usize = 64;

/// Fields with at least one value.
pub(super) struct Fields<'a>(Vec<(&'a str, Vec<Value>)>);

impl<'a> Fields<'a> {
    /// Reads `shapes` out of a document.
    pub(super) fn read(shapes: &'a [FieldShape], source: &[u8]) -> Self {
        if shapes.is_empty() {
            return Self(Vec::new());
        }
        let document: Value = serde_json::from_slice(source).unwrap_or_default();
        let mut fields = Vec::new();
        for shape in shapes {
            let mut values = Vec::new();
            collect(&document, &shape.source_path, 0, &mut |value| {
                values.extend(shown(shape, value));
            });
            let path = shape.path.as_str();
            match fields
                .iter_mut()
                .find(|(known, _): &&mut (&str, Vec<Value>)| *known == path)
            {
                Some((_, all)) => all.extend(values),
                None if values.is_empty() => {}
                None => fields.push((path, values)),
            }
        }
        Self(fields)
    }

    /// Adds a value of a field that is not there.
    pub(super) fn add(&mut self, path: &'a str, value: Value) {
        if !self.0.iter().any(|(known, _)| *known == path) {
            self.0.push((path, vec![value]));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, values) in &self.0 {
            map.serialize_entry(path, values)?;
        }
        map.end()
    }
}

/// Calls `found` with each scalar at `path`, through lists and through keys with dots.
pub(in crate::elastic) fn collect(
    value: &Value,
    path: &[String],
    depth: usize,
    found: &mut impl FnMut(&Value),
) {
    if depth == DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(values) => {
            for value in values {
                collect(value, path, depth + 1, found);
            }
        }
        Value::Object(entries) => {
            for parts in 1..=path.len() {
                if let Some(value) = entries.get(&path[..parts].join(".")) {
                    collect(value, &path[parts..], depth + 1, found);
                }
            }
        }
        Value::Null => {}
        scalar if path.is_empty() => found(scalar),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value of the document as its field shows it; `None` when the field has no such value.
fn shown(shape: &FieldShape, value: &Value) -> Option<Value> {
    match shape.field.field_type {
        FieldType::Date | FieldType::DateNanos => date(shape, value),
        FieldType::Long | FieldType::Integer | FieldType::Short | FieldType::Byte => {
            let number = read::integer(value, &shape.path).ok()?;
            Some(match &shape.text {
                Some(text) => text.of_integer(number).into(),
                None => number.into(),
            })
        }
        FieldType::Double | FieldType::Float | FieldType::HalfFloat => {
            let number: f64 = match value {
                Value::Number(number) => number.as_f64()?,
                other => other.as_str()?.trim().parse().ok()?,
            };
            Some(match &shape.text {
                Some(text) => text.of_number(&Number::Double(number)).into(),
                None => number.into(),
            })
        }
        FieldType::Boolean => match value {
            Value::Bool(flag) => Some((*flag).into()),
            other => Some((other.as_str()? == "true").into()),
        },
        FieldType::Keyword => {
            let text = read::text(value, &shape.path).ok()?;
            let is_kept = shape
                .field
                .ignore_above
                .is_none_or(|limit| text.chars().count() <= limit as usize);
            is_kept.then(|| text.into())
        }
        FieldType::Text | FieldType::Ip => Some(read::text(value, &shape.path).ok()?.into()),
    }
}

/// A date, read in the field's format and printed in the request's.
fn date(shape: &FieldShape, value: &Value) -> Option<Value> {
    let own = shape.field.format.as_deref().unwrap_or(DATE_FORMAT_DEFAULT);
    let text = read::text(value, &shape.path).ok()?;
    let reading: DateReading = DateFormat::parse(own)
        .ok()?
        .read(&text, &TimeZone::UTC)
        .ok()?;
    let Some(ValueText::Date {
        format,
        zone,
        is_nanos,
    }) = &shape.text
    else {
        return Some(value.clone());
    };
    let printed = match reading.epoch_nanos() {
        Some(nanos) if *is_nanos => format.print_nanos(nanos, zone),
        Some(_) | None => format.print(reading.ms, zone),
    };
    Some(printed.into())
}
