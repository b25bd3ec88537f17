//! Names of files relative to a store's folder.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// A relative path with `/` between its parts. No part is empty, `.` or `..`, so that no path
/// leaves the folder it is relative to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(Arc<str>);

/// Why a text is no path inside a store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "path {path:?} is not a relative path of plain names: no part may be empty, '.' or '..', \
     or contain '\\' or a zero byte"
)]
pub struct PathError {
    path: String,
}

impl FilePath {
    /// Checks `text` and makes it a path.
    ///
    /// # Errors
    /// When a part is empty, `.` or `..`, or holds a backslash or a zero byte.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
        if text.split('/').all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(PathError { path: text.into() })
        }
    }

    /// The path of `name` inside this folder.
    ///
    /// # Panics
    /// When `name` could not be part of a path. Names come from our own numbers and hashes, never
    /// from outside.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self::parse(&format!("{}/{name}", self.0)).expect("names of files are made by the store")
    }

    /// The folder that holds it; `None` for a name directly inside the store's folder.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.into()))
    }

    /// Its last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// The whole path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
