//! Writes of documents by id, as records of the log.
//!
//! A write is a record whose key is the id and whose header names the operation. An id has one
//! partition, told by a hash that never changes; a document without one goes wherever its request
//! goes and is named by partition and offset. A [`DocumentWriter`] checks documents against the
//! mapping before they are appended, makes new fields durable first, and refuses an id that
//! exists: in a row, in the log but not a row yet, or staged a moment ago.

mod pending;
mod routing;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use routing::partition_of_id;
pub use write::{
    DOCUMENT_BYTES_MAX, DocumentWrite, ID_BYTES_MAX, Refusal, WriteError, WriteOutcome,
};
pub use writer::DocumentWriter;
