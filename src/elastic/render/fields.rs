//! `fields` of a hit: values out of the document, each as its field's type says it.

use core::net::IpAddr;
use std::cmp::Ordering;

use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use storage::model::{DATE_FORMAT_DEFAULT, DateFormat, DateReading, FieldType};

use super::number::Number;
use crate::elastic::field_types::type_name;
use crate::elastic::read;
use crate::elastic::shape::{FieldShape, ValueOrder, ValueText};

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
            let is_range = type_name(&shape.field).ends_with("_range");
            collect_all(&document, &shape.source_path, 0, &mut |value| {
                match value {
                    Value::Object(_) if is_range => values.push(value.clone()),
                    Value::Object(_) => {}
                    scalar => values.push(scalar.clone()),
                };
            });
            if shape.order == ValueOrder::Column {
                in_order(shape, &mut values);
            }
            let values: Vec<Value> = match is_range {
                true => values,
                false => values
                    .iter()
                    .filter_map(|value| shown(shape, value))
                    .collect(),
            };
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

/// Puts the values of a field in the order that a column has: ascending, and texts that are equal
/// once.
fn in_order(shape: &FieldShape, values: &mut Vec<Value>) {
    let mut keyed: Vec<(ColumnKey, Value)> = std::mem::take(values)
        .into_iter()
        .filter_map(|value| Some((column_key(shape, &value)?, value)))
        .collect();
    keyed.sort_by(|(left, _), (right, _)| left.order(right));
    if matches!(shape.field.field_type, FieldType::Keyword | FieldType::Ip) {
        keyed.dedup_by(|(left, _), (right, _)| left.order(right) == Ordering::Equal);
    }
    values.extend(keyed.into_iter().map(|(_, value)| value));
}

/// What a column orders its values by.
enum ColumnKey {
    Integer(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

impl ColumnKey {
    /// The keys of one field are of one kind.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Float(left), Self::Float(right)) => left.total_cmp(right),
            (Self::Bytes(left), Self::Bytes(right)) => left.cmp(right),
            (Self::Integer(_) | Self::Float(_) | Self::Bytes(_), _) => Ordering::Equal,
        }
    }
}

/// `None` when the field has no such value.
fn column_key(shape: &FieldShape, value: &Value) -> Option<ColumnKey> {
    let text = || read::text(value, &shape.path).ok();
    Some(match shape.field.field_type {
        FieldType::Date | FieldType::DateNanos => {
            let reading = reading(shape, value)?;
            let nanos = reading.epoch_nanos().map(i128::from);
            ColumnKey::Integer(nanos.unwrap_or(i128::from(reading.ms) * 1_000_000))
        }
        FieldType::Long | FieldType::Integer | FieldType::Short | FieldType::Byte => {
            ColumnKey::Integer(read::integer(value, &shape.path).ok()?.into())
        }
        FieldType::Double | FieldType::Float | FieldType::HalfFloat => {
            ColumnKey::Float(text()?.trim().parse().ok()?)
        }
        FieldType::Boolean => ColumnKey::Integer((text()? == "true").into()),
        FieldType::Ip => {
            let address: IpAddr = text()?.parse().ok()?;
            let address = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            ColumnKey::Bytes(address.octets().to_vec())
        }
        FieldType::Keyword | FieldType::Text => ColumnKey::Bytes(text()?.into_bytes()),
    })
}

/// Calls `found` with each scalar at `path`, through lists and through keys with dots.
pub(in crate::elastic) fn collect(
    value: &Value,
    path: &[String],
    depth: usize,
    found: &mut impl FnMut(&Value),
) {
    collect_all(value, path, depth, &mut |value| {
        if !value.is_object() {
            found(value);
        }
    });
}

/// The same, and objects at `path` as they are.
fn collect_all(value: &Value, path: &[String], depth: usize, found: &mut impl FnMut(&Value)) {
    if depth == DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(values) => {
            for value in values {
                collect_all(value, path, depth + 1, found);
            }
        }
        Value::Object(_) if path.is_empty() => found(value),
        Value::Object(entries) => {
            for parts in 1..=path.len() {
                if let Some(value) = entries.get(&path[..parts].join(".")) {
                    collect_all(value, &path[parts..], depth + 1, found);
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

/// A date, read in the field's format.
fn reading(shape: &FieldShape, value: &Value) -> Option<DateReading> {
    let own = shape.field.format.as_deref().unwrap_or(DATE_FORMAT_DEFAULT);
    let text = read::text(value, &shape.path).ok()?;
    let format = DateFormat::parse(own).ok()?;
    format.read(&text, &TimeZone::UTC).ok()
}

/// A date, read in the field's format and printed in the request's.
fn date(shape: &FieldShape, value: &Value) -> Option<Value> {
    let reading = reading(shape, value)?;
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
