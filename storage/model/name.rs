//! A topic's name, which is also its index name.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest name, in bytes: Kafka's limit, which is the narrower of the two edges' limits.
pub const NAME_BYTES_MAX: usize = 249;

/// The name of a topic. Each edge has stricter rules for names it creates; any name that passes
/// `parse` can be read from both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(Arc<str>);

/// Why a text is no topic name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// The empty text.
    #[error("a topic name must not be empty")]
    Empty,
    /// `.` and `..` are folders to a file system.
    #[error("a topic name must not be '.' or '..'")]
    Dots,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("topic name is {bytes} bytes long, the limit is {NAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character outside `a-z A-Z 0-9 . _ -`.
    #[error("topic name '{name}' has the character {character:?}; allowed are a-z A-Z 0-9 . _ -")]
    Character {
        /// The name.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl TopicName {
    /// Checks `text` and makes it a name.
    ///
    /// # Errors
    /// Names what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match text {
            "" => Err(NameError::Empty),
            "." | ".." => Err(NameError::Dots),
            _ if text.len() > NAME_BYTES_MAX => Err(NameError::TooLong { bytes: text.len() }),
            _ => match text.chars().find(|c| !allowed(*c)) {
                Some(character) => Err(NameError::Character {
                    name: text.into(),
                    character,
                }),
                None => Ok(Self(text.into())),
            },
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether listings leave it out: names that start with two underscores are internal.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.0.starts_with("__")
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for TopicName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0.as_ref().into()
    }
}
