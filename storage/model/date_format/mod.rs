//! Dates as texts: Elasticsearch's named formats, java.time patterns, and lists of them.
//!
//! A [`DateFormat`] reads a text as an instant and prints an instant in any zone. Calendar
//! arithmetic is our own and never overflows; only the offsets of zones come from `jiff`.

mod civil;
mod epoch;
mod fields;
mod format;
mod iso;
mod named;
mod pattern;
mod print;
mod read;
#[cfg(test)]
mod tests;

pub(super) use civil::{DAY_MS, Date};
pub use format::{DATE_FORMAT_DEFAULT, DateError, DateFormat, DateReading, DateUnit};
