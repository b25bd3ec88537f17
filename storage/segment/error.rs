//! What can go wrong with a segment.

use std::fmt;
use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::SEGMENT_FORMAT_VERSION;

/// Why rows could not be written to or read from a segment.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The file could not be read.
    #[error("cannot read {length_bytes} bytes at {offset} of a segment file")]
    Io {
        /// Where the read began.
        offset: u64,
        /// How much was wanted.
        length_bytes: u64,
        /// What the disk said.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write a segment file")]
    Write {
        /// What the disk said.
        source: io::Error,
    },
    /// The file does not begin or end as segments do.
    #[error("file of {file_bytes} bytes is no segment or lacks its end")]
    NotASegment {
        /// Its length.
        file_bytes: u64,
    },
    /// Written by a version that this one does not know.
    #[error(
        "segment has format version {version}; this program reads version {SEGMENT_FORMAT_VERSION}"
    )]
    UnknownVersion {
        /// The version it names.
        version: u32,
    },
    /// Bytes are not those that were written here.
    #[error("{page} of a segment is damaged: its checksum does not hold")]
    Checksum {
        /// The page.
        page: PageName,
    },
    /// Bytes with a right checksum that no writer makes.
    #[error("{page} of a segment is malformed: {reason}")]
    Malformed {
        /// The page.
        page: PageName,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Rollup cells or header statistics are not those of the rows.
    #[error("{page} of a segment does not agree with its rows: {reason}")]
    Disagrees {
        /// The page.
        page: PageName,
        /// What differs.
        reason: &'static str,
    },
    /// There is nothing to write.
    #[error("a segment needs at least one row")]
    NoRows,
    /// More rows than one segment holds.
    #[error("{rows} rows are more than the {rows_max} that one segment holds")]
    TooManyRows {
        /// Rows given.
        rows: usize,
        /// Rows allowed.
        rows_max: usize,
    },
    /// More text than one dictionary or more values than one column holds.
    #[error("column '{column}' is too large for one segment: {reason}")]
    TooLarge {
        /// Path of the column.
        column: Arc<str>,
        /// Which limit it passes.
        reason: &'static str,
    },
    /// One path holds texts in one batch and numbers in another.
    #[error("column '{column}' holds texts in some rows and numbers in others")]
    MixedKinds {
        /// Path of the column.
        column: Arc<str>,
    },
    /// A batch whose parts do not fit together.
    #[error("batch of {rows} rows is inconsistent: {reason}")]
    Inconsistent {
        /// Rows of the batch.
        rows: usize,
        /// What does not fit.
        reason: &'static str,
    },
    /// Numbers were asked of a text column or codes of a number column, or there is no such
    /// column.
    #[error("column number {column} does not exist or does not hold {wanted}")]
    WrongColumn {
        /// The handle's number.
        column: u32,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A row or vector behind the end was asked for.
    #[error("{what} {index} does not exist; there are {count}")]
    OutOfRange {
        /// What was asked for.
        what: &'static str,
        /// Which one.
        index: usize,
        /// How many there are.
        count: usize,
    },
}

/// The parts of a segment file that have pages of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// The first bytes of the file.
    FileHeader,
    /// Terms of a dictionary.
    DictionaryBlock,
    /// What terms have in common, and where the blocks of a dictionary begin.
    DictionaryIndex,
    /// Encoded values of one column and one row group.
    Values,
    /// Vector headers of a column.
    Headers,
    /// Original documents.
    DocumentBlock,
    /// Where the blocks of documents begin.
    DocumentIndex,
    /// The row of each id, in order of the ids.
    IdRows,
    /// Tells most ids that are not there.
    IdFilter,
    /// Which terms each row group has.
    TermPresence,
    /// Rollup cells.
    Cells,
    /// Schema, page directory and bounds.
    Footer,
    /// Everything about a segment's deleted rows.
    Overlay,
}

impl Section {
    /// What it is called in messages.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::FileHeader => "file header",
            Self::Headers => "vector headers",
            Self::Values => "values page",
            Self::DictionaryIndex => "dictionary index",
            Self::DictionaryBlock => "dictionary block",
            Self::DocumentIndex => "document index",
            Self::DocumentBlock => "document block",
            Self::IdRows => "id rows",
            Self::IdFilter => "id filter",
            Self::TermPresence => "term presence",
            Self::Cells => "cells",
            Self::Footer => "footer",
            Self::Overlay => "overlay",
        }
    }
}

/// Which page of a segment file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageName {
    /// What it holds.
    pub section: Section,
    /// Number of the column that it belongs to.
    pub column: u32,
    /// Its number among the pages of that section and column.
    pub index: u32,
}

impl fmt::Display for PageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} of column {}",
            self.section.label(),
            self.index,
            self.column
        )
    }
}
