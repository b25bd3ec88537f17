//! ANSWERS: request → plan → partial → response.
//!
//! A query reads a snapshot of a topic and returns values. It knows no protocol, no JSON, no file
//! and no clock, and it never writes.

pub mod request;
pub mod response;
