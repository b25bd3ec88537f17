//! How values become bytes and come back.
//!
//! Decoders take bytes that may be anything: they check every length, never panic, and allocate
//! no more than what was asked for. They name a flaw; the caller knows the page.

mod bits;
mod bytes;
mod choose;
mod decimals;
mod integers;
mod letters;
mod occurrences;
mod offsets;
mod terms;
mod vectors;

#[cfg(test)]
mod tests;

pub(super) use bytes::{ByteReader, ByteWriter, Flaw};
pub(super) use choose::encode_with_code;
pub(super) use decimals::make_canonical;
pub(super) use integers::decode_with_code;
pub(super) use letters::LetterPacking;
pub(super) use offsets::{decode_offsets, encode_offsets};
pub(super) use terms::{TermFormat, TermReader, encode_terms, shared_bytes};
pub(super) use vectors::{
    CodeCheck, HEADER_BYTES, VECTOR_VALUES_MAX, VectorHeader, decode_code_vector,
    decode_number_vector, encode_code_vector, encode_number_vector, number_statistics,
};
