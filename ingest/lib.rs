//! ARRIVAL: how records come in.
//!
//! `wire` turns Kafka's bytes into typed requests, `broker` applies them to the store and answers;
//! decoding and materialization turn the log's records into rows. Nothing here opens a socket,
//! reads a clock or asks a query.

pub mod broker;
pub mod decode;
pub mod documents;
pub mod materialize;
pub mod wire;
