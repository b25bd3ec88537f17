//! Sorted terms in blocks: each term says how many bytes it shares with the one before it.
//!
//! Every sixteenth term is whole, so that a damaged or hostile prefix cannot reach far.

use super::bytes::{ByteReader, ByteWriter, Flaw};

/// A term in so many is stored whole.
const RESTART_TERMS: usize = 16;

/// Encodes the terms of one block.
#[derive(Debug, Default)]
pub(in crate::segment) struct BlockWriter {
    pub(in crate::segment) bytes: Vec<u8>,
    pub(in crate::segment) term_count: usize,
}

impl BlockWriter {
    /// Adds a term; `previous` is the one before it, in whichever block.
    pub(in crate::segment) fn push(&mut self, previous: &[u8], term: &[u8]) {
        if self.term_count.is_multiple_of(RESTART_TERMS) {
            self.bytes.put_sized(term);
        } else {
            let shared = shared_bytes(previous, term);
            self.bytes.put_unsigned(shared);
            self.bytes.put_sized(&term[shared..]);
        }
        self.term_count += 1;
    }

    /// Whether the next term would be stored whole, which is where a block may end.
    pub(in crate::segment) fn is_at_restart(&self) -> bool {
        self.term_count.is_multiple_of(RESTART_TERMS)
    }
}

/// Length of the common beginning.
pub(in crate::segment) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads the terms of one block.
#[derive(Debug)]
pub(in crate::segment) struct TermReader<'a> {
    bytes: ByteReader<'a>,
    term_count: usize,
    index: usize,
    /// Length of the term read last.
    length: usize,
}

impl<'a> TermReader<'a> {
    /// The terms of a block that has `term_count` of them.
    pub(in crate::segment) fn new(bytes: &'a [u8], term_count: usize) -> Self {
        Self {
            bytes: ByteReader::new(bytes),
            term_count,
            index: 0,
            length: 0,
        }
    }

    /// How many bytes the next term shares with the one before it, and the rest of it; `None` at
    /// the end, where nothing may be left over.
    pub(in crate::segment) fn next(&mut self) -> Result<Option<(usize, &'a [u8])>, Flaw> {
        if self.index == self.term_count {
            return self.bytes.finish().map(|()| None);
        }
        let shared = match self.index % RESTART_TERMS {
            0 => 0,
            _ => self.bytes.unsigned()?,
        };
        if shared > self.length {
            return Err(Flaw("a term shares more than its neighbour has"));
        }
        let rest = self.bytes.sized()?;
        self.index += 1;
        self.length = shared + rest.len();
        Ok(Some((shared, rest)))
    }
}
