//! Rows and rollups as Arrow record batches, and as files of Arrow IPC and Parquet.
//!
//! Everything streams: [`RowBatches`] reads a snapshot vector by vector, [`RollupBatches`] asks for
//! one window of hours after another, and [`BatchWriter`] holds one row group. Memory is bounded by
//! a batch, a row group, and the dictionaries of one segment.
//!
//! | field of the topic | Arrow type |
//! |---|---|
//! | long, integer, short, byte | `Int64` |
//! | double, float, half_float | `Float64`, on request also `Utf8` in `<field>.decimal` |
//! | boolean | `Boolean` |
//! | date | `Timestamp(ms, UTC)` |
//! | date_nanos | `Timestamp(ns, UTC)` |
//! | keyword, text, ip | `Dictionary(Int32, Utf8)` |
//! | any of them with several values in some row | `List` of it |
//!
//! A decimal is the shortest one that reads back as the same double, so `Float64` loses nothing of
//! a single value. Sums are exact decimals with any number of digits: there the double is rounded
//! once, and the decimal text is exact.
//!
//! Rows that cannot be read are left out, and [`Unread`] says how many and why.
//!
//! Nothing here knows a protocol, a file system or a clock.

mod column;
mod decimal_text;
mod error;
mod rollup;
mod rows;
mod unread;
mod write;

#[cfg(test)]
mod tests;

pub use arrow_array::RecordBatch;
pub use arrow_schema::SchemaRef;
pub use error::ExportError;
pub use rollup::{RollupBatches, RollupChoice};
pub use rows::{BATCH_ROWS, Decimals, RowBatches, RowChoice};
pub use unread::Unread;
pub use write::{BatchWriter, Format};
