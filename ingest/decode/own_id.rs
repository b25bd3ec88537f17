//! Ids that records of Kafka clients bring along: in a field of the document, or as their key.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use storage::catalog::Topic;
use storage::log::Record;

use super::record::{ID_BYTES_MAX, OPERATION_HEADER};

/// The setting that says which field of a document is its id; [`KEY_AS_ID`] is the record's key.
pub const ID_FIELD_SETTING: &str = "index.id_field";

/// As the setting's value: the key of a record is the id of its document, and a record without
/// a value takes the document away.
pub const KEY_AS_ID: &str = "_key";

/// Where the records of a topic have their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OwnId {
    /// Nowhere: partition and offset name a row.
    #[default]
    None,
    /// In the key.
    Key,
    /// In this field, by the names from the outermost object on.
    Field(Vec<String>),
}

impl OwnId {
    /// Where `topic` says.
    #[must_use]
    pub fn of(topic: &Topic) -> Self {
        match topic.settings.get(ID_FIELD_SETTING).and_then(Value::as_str) {
            None | Some("") => Self::None,
            Some(KEY_AS_ID) => Self::Key,
            Some(path) => Self::Field(path.split('.').map(str::to_owned).collect()),
        }
    }

    /// The id that `record` brings along; `None` when it has none, or is one of our own writers',
    /// who say it elsewhere. A document without the field is named as all others are.
    ///
    /// # Errors
    /// Why what stands there cannot be an id.
    pub fn find<'a>(&self, record: &Record<'a>) -> Result<Option<Cow<'a, str>>, &'static str> {
        let is_write = || record.headers.last(OPERATION_HEADER.as_bytes()).is_some();
        let id = match self {
            Self::None => return Ok(None),
            Self::Key | Self::Field(_) if record.headers.count() > 0 && is_write() => {
                return Ok(None);
            }
            Self::Key => match record.key.map(std::str::from_utf8) {
                None => None,
                Some(Ok(key)) => Some(Cow::Borrowed(key)),
                Some(Err(_)) => return Err("a key that is no text cannot be an id"),
            },
            Self::Field(path) => match record.value {
                None => None,
                Some(source) => field(source, path)?.map(Cow::Owned),
            },
        };
        match id {
            Some(id) if id.is_empty() => Err("an empty text cannot be an id"),
            Some(id) if id.len() > ID_BYTES_MAX => Err("an id has at most 512 bytes"),
            id => Ok(id),
        }
    }
}

/// The value at `path` of a JSON document as text. What is no JSON has none here: decoding it
/// says what is wrong.
fn field(source: &[u8], path: &[String]) -> Result<Option<String>, &'static str> {
    let mut json = serde_json::Deserializer::from_slice(source);
    let Ok(Some(raw)) = (Step { path }).deserialize(&mut json) else {
        return Ok(None);
    };
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(serde_json::from_str(raw.get()).ok()),
        Some(b'{' | b'[') => Err("an object or a list cannot be an id"),
        Some(b'n') | None => Ok(None),
        Some(_) => Ok(Some(raw.get().to_owned())),
    }
}

/// Reads one member of an object, and of that one the next.
struct Step<'p> {
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<Box<RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<Box<RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match self.path {
                [last] if *last == name => found = Some(map.next_value()?),
                [first, rest @ ..] if *first == name && !rest.is_empty() => {
                    found = map.next_value_seed(Step { path: rest })?;
                }
                // A name may have the dots of the path itself.
                path if path.len() > 1 && path.join(".") == name => {
                    found = Some(map.next_value()?);
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(path: &str, source: &str) -> Result<Option<String>, &'static str> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        field(source.as_bytes(), &path)
    }

    #[test]
    fn a_field_is_an_id_when_it_is_one_value() {
        let text = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(id("a", r#"{"b":{"a":1},"a":"x\u0041"}"#), text("xA"));
        assert_eq!(id("a", r#"{"a":12}"#), text("12"));
        assert_eq!(id("a", r#"{"a":true,"b":[1]}"#), text("true"));
        assert_eq!(id("a.b", r#"{"a":{"c":1,"b":"y"}}"#), text("y"));
        assert_eq!(id("a.b", r#"{"a.b":"z"}"#), text("z"));
        assert_eq!(id("a", r#"{"b":1}"#), Ok(None));
        assert_eq!(id("a", r#"{"a":null}"#), Ok(None));
        assert_eq!(id("a", r#"{"a":"#), Ok(None));
        assert_eq!(
            id("a", r#"{"a":[1]}"#),
            Err("an object or a list cannot be an id")
        );
    }
}
