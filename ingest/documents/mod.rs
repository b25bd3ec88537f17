//! Writes of documents by id, as records of the log.
//!
//! A write is a record whose key is the id and whose headers name the operation and the version.
//! An id has one partition, told by a hash that never changes; a document without one goes
//! wherever its request goes and is named by partition and offset. A [`DocumentWriter`] decides
//! under the lock of a topic what becomes of a write: against the newest that is known of its id,
//! in a row, in the log but not a row yet, or staged a moment ago. The record says what was
//! decided, so that it becomes the same rows whenever it is read.

mod batches;
mod latest;
mod pending;
mod update;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::decode::{ID_BYTES_MAX, partition_of_id};
pub use latest::StoredDocument;
pub use update::Update;
pub use write::{
    Action, Condition, Conflict, DOCUMENT_BYTES_MAX, DocumentWrite, Refusal, WriteError,
    WriteOutcome, WriteResult,
};
pub use writer::DocumentWriter;
