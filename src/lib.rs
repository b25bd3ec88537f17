//! Streams settle into answers: a store for time-stamped events, as a library.
//!
//! Records go in through [`Db::append`] (or through the Kafka port of [`server`]); they become rows
//! by themselves and answer Elasticsearch's searches, or typed ones. Nothing here needs a port or a
//! runtime.
//!
//! ```
//! use siltstone::Db;
//!
//! let db = Db::builder().in_memory().open()?; // or Db::open("some/directory")?
//! db.append("trades", [r#"{"@timestamp": "2026-01-02T03:04:05Z", "price": 0.1}"#])?;
//! db.append("trades", [r#"{"@timestamp": "2026-01-02T03:04:06Z", "price": 0.2}"#])?;
//! db.refresh("trades")?;
//!
//! let question = r#"{"size": 0, "aggs": {"high": {"max": {"field": "price"}}}}"#;
//! assert!(db.search("trades", question)?.contains(r#""high":{"value":0.2}"#));
//! db.close()?;
//! # Ok::<(), siltstone::Error>(())
//! ```
//!
//! | wanted | found |
//! |---|---|
//! | open, write, ask | [`Db`], [`DbBuilder`], [`Record`] |
//! | limits and defaults | [`Options`], [`options`] |
//! | what to do about an error | [`ErrorKind`] |
//! | typed questions and answers | [`request`], [`response`] |
//! | Arrow record batches, Parquet | [`Db::rows`], [`Db::rollup`], [`export`] |
//! | serve Kafka and Elasticsearch clients from a program | [`server`] |

mod background;
pub mod cli;
mod db;
pub mod elastic;
mod error;
mod metrics;
pub mod options;
pub mod server;

pub use db::{Db, DbBuilder, Record, RecordPlace, RepairReport, ScrubStatus, Verdict};
pub use error::{Error, ErrorKind, Result};
pub use options::Options;

/// Rows and rollups as Arrow record batches: see [`Db::rows`] and [`Db::rollup`].
pub use ::export;
pub use query::{request, response};
pub use storage::{disk, model};

/// The README's Rust code, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
