//! Keys of several values as JSON.

use query::response::BucketKey;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::number::{Number, java_double};
use crate::elastic::shape::{TupleShape, ValueText};

/// Keys under the names of their sources.
pub(super) struct NamedKeys<'a> {
    pub(super) sources: &'a [TupleShape],
    pub(super) keys: &'a [BucketKey],
}

impl Serialize for NamedKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.keys.len()))?;
        for (source, key) in self.sources.iter().zip(self.keys) {
            map.serialize_entry(&source.name, &One::new(source, key))?;
        }
        map.end()
    }
}

/// Keys in the order of their sources.
pub(super) struct ListedKeys<'a> {
    pub(super) sources: &'a [TupleShape],
    pub(super) keys: &'a [BucketKey],
}

impl Serialize for ListedKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.keys.len()))?;
        for (source, key) in self.sources.iter().zip(self.keys) {
            list.serialize_element(&One::new(source, key))?;
        }
        list.end()
    }
}

impl ListedKeys<'_> {
    /// All of them in one text.
    pub(super) fn text(&self) -> String {
        let pairs = self.sources.iter().zip(self.keys);
        let texts: Vec<_> = pairs
            .map(|(source, key)| One::new(source, key).text())
            .collect();
        texts.join("|")
    }
}

struct One<'a> {
    text: Option<&'a ValueText>,
    key: &'a BucketKey,
}

impl<'a> One<'a> {
    fn new(source: &'a TupleShape, key: &'a BucketKey) -> Self {
        Self {
            text: source.text.as_ref(),
            key,
        }
    }

    fn text(&self) -> String {
        match (self.key, self.text) {
            (BucketKey::Time(number) | BucketKey::Integer(number), Some(text)) => {
                text.of_integer(*number)
            }
            (BucketKey::Time(number) | BucketKey::Integer(number), None) => number.to_string(),
            (BucketKey::Decimal(number), Some(text)) => {
                text.of_number(&Number::of_decimal(*number))
            }
            (BucketKey::Decimal(number), None) => java_double(number.to_f64()),
            (BucketKey::Text(text), _) => String::from_utf8_lossy(text).into_owned(),
            (BucketKey::Name(name), _) => name.to_string(),
            (BucketKey::None | BucketKey::Tuple(_), _) => String::new(),
            (BucketKey::Cluster { .. } | BucketKey::Significant { .. }, _) => String::new(),
        }
    }
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.key, self.text) {
            (BucketKey::None, _) => serializer.serialize_unit(),
            (BucketKey::Time(flag) | BucketKey::Integer(flag), Some(ValueText::Boolean)) => {
                serializer.serialize_bool(*flag != 0)
            }
            (BucketKey::Time(number) | BucketKey::Integer(number), None) => {
                serializer.serialize_i64(*number)
            }
            (BucketKey::Decimal(number), None) => Number::of_decimal(*number).serialize(serializer),
            _text => serializer.serialize_str(&self.text()),
        }
    }
}
