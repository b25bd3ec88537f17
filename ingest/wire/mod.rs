//! Kafka's wire protocol: bytes to typed requests, typed responses to bytes.
//!
//! [`decode_request`] takes one frame (without its length) and [`encode_response`] makes one (with
//! its length). The messages themselves come from the `kafka-protocol` crate, which trusts every
//! length that it reads; so each body is first walked against a table of its layout
//! (`layouts.rs`), which reads every length, allocates nothing and refuses what does not fit in
//! the bytes that are there. Fetch responses are written by hand: the stored batches go out as
//! they are, without a copy.
//!
//! Nothing here knows a log, a topic's state, a clock or a socket.

mod api;
mod cursor;
mod fetch;
mod frame;
mod layout;
mod layouts;
mod layouts_groups;
mod layouts_transactions;
mod request;
mod response;

#[cfg(test)]
mod test_requests;
#[cfg(test)]
mod tests;

pub use api::{Api, VersionRange};
pub use fetch::{FetchResponse, FetchedPartition, FetchedTopic};
pub use frame::Frame;
pub use kafka_protocol::ResponseError as KafkaError;
pub use request::{Request, RequestHeader, WireError, decode_request};
pub use response::{Response, encode_response};

/// Largest frame that is accepted, as Kafka's `socket.request.max.bytes`.
pub const FRAME_BYTES_MAX: usize = 100 << 20;

/// Most array elements and tagged fields in one request. A decoded element costs up to 200 bytes
/// where its encoding may cost two, so this bounds the memory that a request can claim.
pub const ELEMENTS_MAX: usize = 100_000;
