//! ANSWERS: request → plan → partial → response.
//!
//! A query reads a snapshot of a topic and returns values. It knows no protocol, no JSON, no file
//! and no clock, and it never writes.
//!
//! [`search`] shows the whole way in one screen. `filter` decides which rows take part, `frame`
//! decodes them vector by vector, `aggregate` deals them out to buckets, `rollup` says where cells
//! answer instead, and `hits` picks the rows that are returned.

pub mod adaptive;
mod aggregate;
mod budget;
mod distribution;
mod error;
mod estimate;
mod filter;
mod frame;
mod global;
mod hits;
mod intervals;
mod kept;
mod marks;
mod matching;
mod ordinals;
mod pattern;
pub mod pipeline;
mod pool;
pub mod request;
pub mod response;
mod rollup;
pub mod rounding;
pub mod row_script;
mod scan;
mod search;
mod selection;
mod steps;
mod stop;
#[cfg(test)]
mod testing;
pub mod text;
mod time_range;
mod totals;
mod window;

pub use distribution::{Distribution, VALUES_MAX};
pub use error::QueryError;
pub use marks::Marker;
pub use matching::MatchingRows;
pub use pool::ScanPool;
pub use search::{search, search_many, search_many_until};
pub use steps::Steps;
pub use stop::Stop;
pub use time_range::times_needed;
