//! ARRIVAL: how records come in.
//!
//! `wire` turns Kafka's bytes into typed requests, `broker` applies them to the store and answers,
//! `group` is the life of a consumer group, `transaction` that of a producer's transaction;
//! decoding and materialization turn the log's records into rows. Nothing here opens a socket,
//! reads a clock or asks a query.

pub mod broker;
pub mod decode;
pub mod documents;
pub mod group;
pub mod materialize;
pub mod transaction;
pub mod wire;
