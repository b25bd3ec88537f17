//! How values become bytes and come back.
//!
//! Decoders take bytes that may be anything: they check every length, never panic, and allocate
//! no more than what was asked for. They name a flaw; the caller knows the page.

mod bits;
mod bytes;
mod integers;
mod occurrences;
mod terms;
mod vectors;

#[cfg(test)]
mod tests;

pub(super) use bytes::{ByteReader, ByteWriter, Flaw};
pub(super) use terms::{BlockWriter, TermReader, shared_bytes};
pub(super) use vectors::{
    CodeCheck, HEADER_BYTES, VECTOR_VALUES_MAX, VectorHeader, decode_code_vector,
    decode_number_vector, encode_code_vector, encode_number_vector, number_statistics, scale,
};
