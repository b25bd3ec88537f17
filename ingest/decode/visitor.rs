//! JSON straight into the row: serde's calls, each name and value handed to [`RowState`].

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::DocumentError;
use super::row::{Names, Rejected, RowState, Target, Traced};
use super::tree::NodeId;
use super::value::Scalar;

/// Reads `text` as one document into `row`.
pub(super) fn read(text: &str, row: &mut RowState) -> Result<(), DocumentError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = ValueSeed {
        row,
        target: Target::Node(NodeId::ROOT),
    };
    let read = seed.deserialize(&mut json).and_then(|()| json.end());
    match (read, row.take_error()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(rejected)) => Err(rejected),
        (Err(error), None) => Err(DocumentError::Json {
            reason: without_position(&error),
        }),
    }
}

/// The message alone: reasons are counted, and where a document broke makes each its own.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].into(),
        None => text,
    }
}

/// A value and where it belongs.
struct ValueSeed<'r> {
    row: &'r mut RowState,
    target: Target,
}

impl ValueSeed<'_> {
    fn scalar<E: Error>(self, scalar: Scalar<'_>) -> Result<(), E> {
        self.row.scalar(self.target, scalar).map_err(stop)
    }
}

/// Ends the reading; the reason waits in the row.
fn stop<E: Error>(_: Rejected) -> E {
    E::custom("rejected")
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.target == Target::Nowhere {
            self.row.note(Traced::Ignored);
            return json.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        if let Some(field) = self.row.whole_field(self.target) {
            self.row.note(Traced::Ignored);
            let value = serde_json::Value::deserialize(json)?;
            return self.row.take_whole(field, &value).map_err(stop);
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(match i64::try_from(value) {
            Ok(value) => Scalar::Integer(value),
            Err(_) => Scalar::Unsigned(value),
        })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.row.null(self.target).map_err(stop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        if self.target == Target::Node(NodeId::ROOT) {
            return Err(stop(self.row.fail(DocumentError::NotObject)));
        }
        let Self { row, target } = self;
        row.note(Traced::Composite);
        while values
            .next_element_seed(ValueSeed {
                row: &mut *row,
                target,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { row, target } = self;
        row.note(Traced::Composite);
        let parent = row.enter_object(target);
        let mut names = row.names();
        loop {
            let key = KeySeed {
                row: &mut *row,
                parent,
                names: &mut names,
            };
            let Some(target) = members.next_key_seed(key)? else {
                return Ok(());
            };
            members.next_value_seed(ValueSeed {
                row: &mut *row,
                target,
            })?;
        }
    }
}

/// A name in an object.
struct KeySeed<'r> {
    row: &'r mut RowState,
    parent: Target,
    names: &'r mut Names,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Target;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Target, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Target;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Target, E> {
        self.row.key(self.parent, self.names, key).map_err(stop)
    }
}
