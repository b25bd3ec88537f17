//! Why an export ends early.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use query::QueryError;
use storage::segment::SegmentError;
use thiserror::Error;

/// Why an export ends early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A filter does not fit, a limit is passed, or rows cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows cannot be read.
    #[error("cannot read the rows: {0}")]
    Rows(#[from] SegmentError),
    /// A field that is asked for does not exist or cannot be used so.
    #[error("field '{field}' {what}")]
    Field {
        /// Its path.
        field: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Rows of the topic are sorted by the time of their records, which no rollup has.
    #[error("rollups need a time field, and the topic has none")]
    NoTimeField,
    /// One hour alone has more cells than one answer may.
    #[error("an hour has more than {cells_max} terms of '{dimension}'; export its rows instead")]
    TooManyCells {
        /// The dimension.
        dimension: String,
        /// The limit.
        cells_max: usize,
    },
    /// More values in one batch than Arrow's offsets count.
    #[error("column '{column}' has more values in one batch than Arrow can count")]
    TooManyValues {
        /// The column.
        column: String,
    },
    /// Arrow says no.
    #[error("cannot make Arrow data: {0}")]
    Arrow(#[from] ArrowError),
    /// Parquet says no, or the output cannot be written.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
}
