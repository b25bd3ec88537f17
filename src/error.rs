//! One error for embedders and for the edges: what a caller can do about it, and a sentence.
//!
//! Each module below has its own error enum; only this file knows them all.

use std::error::Error as StdError;
use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request makes no sense as it is: change it.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// What it would create exists.
    Exists,
    /// Another write came first: read again, then decide.
    Conflict,
    /// A named limit would be passed: ask for less.
    LimitExceeded,
    /// Not now: try again later.
    Unavailable,
    /// Bytes on disk are not what was written: run `siltstone verify`.
    Corrupt,
    /// The store was closed or has stopped after a failure: open it again.
    Closed,
    /// A defect of Siltstone or of the machine: report it.
    Internal,
}

/// What went wrong.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error of `kind` caused by `source`, in its words.
    pub(crate) fn caused(
        kind: ErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self {
            kind,
            message: source.to_string(),
            source: Some(source),
        }
    }

    /// The same error with what was attempted put in front.
    #[must_use]
    pub fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// What can be done about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message repeats the direct cause's words, so the chain goes on below it.
        self.source.as_ref().and_then(|source| source.source())
    }
}
