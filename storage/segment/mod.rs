//! Rows that answer queries: immutable columnar files and the active rows before them.
//!
//! [`write_segment`] turns batches of rows into the bytes of one file, [`SegmentReader`] answers
//! from such a file, [`ActiveChunk`] answers from rows that are not sealed yet, and [`RowSource`]
//! is either of the two. `docs/formats/segment.md` describes every byte of the file.
//!
//! Nothing here knows what an aggregation is, where a file is kept or what the catalog says.

mod active;
mod cells;
mod check;
mod error;
mod gather;
mod occurrence;
mod options;
mod reader;
mod source;
mod summary;
mod writer;

pub use active::ActiveChunk;
pub use cells::{CellSet, Cells, HourRows, MeasureCells, NULL_CODE};
pub use error::{PageName, Section, SegmentError};
pub use options::{ColumnRoles, SegmentOptions};
pub use reader::SegmentReader;
pub use source::{ColumnHandle, ColumnInfo, ColumnOccurrence, NumberSummary, RowSource};
pub use summary::{ContentHash, EncodedSegment, OriginRange, SegmentSummary};
pub use writer::write_segment;

/// Version of the file format that this code writes; `docs/formats/segment.md` has the history.
pub const SEGMENT_FORMAT_VERSION: u32 = 1;
