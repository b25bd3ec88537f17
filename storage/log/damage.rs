//! Bytes that are not what was written.

use std::fmt;

use crate::disk::FilePath;

/// A part of a file that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: FilePath,
    /// Where it begins.
    pub offset: u64,
    /// How far it reaches; 0 when that cannot be told.
    pub length_bytes: u64,
    /// What does not hold there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "'{}' at byte {}", self.path, self.offset)?;
        if self.length_bytes > 0 {
            write!(formatter, " ({} bytes)", self.length_bytes)?;
        }
        write!(formatter, ": {}", self.what)
    }
}
