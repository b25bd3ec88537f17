//! Rows that answer queries: immutable columnar files and the active rows before them.
//!
//! [`write_segment`] turns batches of rows into the bytes of one file, [`merge_segments`] several
//! files into one, [`SegmentReader`] answers
//! from such a file, [`ActiveChunk`] answers from rows that are not sealed yet, and [`RowSource`]
//! is either of the two. `docs/formats/segment.md` describes every byte of the file.
//!
//! Nothing here knows what an aggregation is, where a file is kept or what the catalog says.

mod active;
mod cache;
mod cells;
mod check;
mod collect;
mod column_reader;
mod column_writer;
mod cursor;
mod deleted;
mod describe;
mod dictionary_pages;
mod dictionary_writer;
mod document_reader;
mod documents;
mod encoding;
mod error;
mod footer;
mod gather;
mod id_filter;
mod ids;
mod input;
mod layout;
mod merge;
mod occurrence;
mod options;
mod overlay;
mod pages;
mod presence;
mod reader;
mod row_keys;
mod source;
mod summary;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use active::ActiveChunk;
pub use cache::{PAGE_CACHE_BYTES, PageCache};
pub use cells::{CellSet, Cells, HourRows, MeasureCells, NULL_CODE, cells_without};
pub use cursor::ColumnCursor;
pub use deleted::{DeletedRows, VectorDeletions};
pub use describe::{CellsSight, ColumnSight, PageDamage, SegmentSight};
pub use document_reader::DocumentReader;
pub use error::{PageName, Section, SegmentError};
pub use merge::{MergeInput, MergedSegment, merge_bytes, merge_segments};
pub use options::{
    CELL_ROWS_PERCENT_MAX, ColumnRoles, DIMENSION_TERMS_MAX, MEASURES_MAX, SegmentOptions,
};
pub use overlay::{OVERLAY_FORMAT_VERSION, Overlay, encode_overlay};
pub use reader::SegmentReader;
pub use source::{
    ColumnHandle, ColumnInfo, ColumnOccurrence, NumberSummary, RowSource, SourceId, SourceRows,
};
pub use summary::{ContentHash, OriginRange, SegmentSummary, WrittenSegment};
pub use writer::write_segment;

/// Version of the file format that this code writes; `docs/formats/segment.md` has the history.
pub const SEGMENT_FORMAT_VERSION: u32 = 1;
