//! ANSWERS: request → plan → partial → response.
//!
//! A query reads a snapshot of a topic and returns values. It knows no protocol, no JSON, no file
//! and no clock, and it never writes.

mod error;
pub mod request;
pub mod response;
pub mod rounding;
pub mod text;

pub use error::QueryError;
