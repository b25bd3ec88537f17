//! Sorted terms in blocks: each term says how many bytes it shares with the one before it.
//!
//! Every sixteenth term is whole, so that a damaged or hostile prefix cannot reach far.

use std::cmp::Ordering;

use super::bytes::{ByteReader, ByteWriter, Flaw};
use super::letters::LetterPacking;
use crate::model::Dictionary;

/// A term in so many is stored whole.
const RESTART_TERMS: usize = 16;

/// How the terms of a dictionary are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::segment) struct TermFormat {
    /// `None`: as they are.
    pub(in crate::segment) packing: Option<LetterPacking>,
    /// The length of all terms, if it is one; then none of them says it.
    pub(in crate::segment) length: Option<usize>,
}

/// The terms of a block, which ascend, as bytes.
pub(in crate::segment) fn encode_terms(terms: &Dictionary, format: &TermFormat) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut before, mut stored) = (Vec::new(), Vec::new());
    for (number, term) in terms.terms().enumerate() {
        match &format.packing {
            Some(packing) => packing.pack(term, &mut stored),
            None => {
                stored.clear();
                stored.extend_from_slice(term);
            }
        }
        if format.length.is_none() {
            out.put_unsigned(term.len());
        }
        let shared = match number % RESTART_TERMS {
            0 => 0,
            _ => {
                let shared = shared_bytes(&before, &stored);
                out.put_unsigned(shared);
                shared
            }
        };
        out.put(&stored[shared..]);
        std::mem::swap(&mut before, &mut stored);
    }
    out
}

/// Length of the common beginning.
pub(in crate::segment) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads the terms of one block.
#[derive(Debug)]
pub(in crate::segment) struct TermReader<'a> {
    bytes: ByteReader<'a>,
    format: &'a TermFormat,
    term_count: usize,
    index: usize,
    /// The term read last, as it is stored, and the length of its text.
    stored: Vec<u8>,
    length: usize,
    /// The text of the term read last, once it was asked for.
    term: Vec<u8>,
}

impl<'a> TermReader<'a> {
    /// The terms of a block that has `term_count` of them.
    pub(in crate::segment) fn new(
        bytes: &'a [u8],
        term_count: usize,
        format: &'a TermFormat,
    ) -> Self {
        Self {
            bytes: ByteReader::new(bytes),
            format,
            term_count,
            index: 0,
            stored: Vec::new(),
            length: 0,
            term: Vec::new(),
        }
    }

    /// The next term, which lies behind the one before it; `None` at the end, where nothing may be
    /// left over.
    pub(in crate::segment) fn next(&mut self) -> Result<Option<&[u8]>, Flaw> {
        match self.advance()? {
            true => self.term().map(Some),
            false => Ok(None),
        }
    }

    /// The text of the term read last.
    pub(in crate::segment) fn term(&mut self) -> Result<&[u8], Flaw> {
        let Some(packing) = &self.format.packing else {
            return Ok(&self.stored);
        };
        packing.unpack(&self.stored, self.length, &mut self.term)?;
        Ok(&self.term)
    }

    /// Reads on until `term` or the place where it would be; the number of terms before it, if it
    /// is there.
    pub(in crate::segment) fn find(&mut self, term: &[u8]) -> Result<Option<u32>, Flaw> {
        let mut packed = Vec::new();
        let wanted = match &self.format.packing {
            None => term,
            Some(packing) => match packing.try_pack(term, &mut packed) {
                true => &packed,
                false => return Ok(None),
            },
        };
        let mut before = 0;
        while self.advance()? {
            let order = self.stored.as_slice().cmp(wanted);
            match order.then(self.length.cmp(&term.len())) {
                Ordering::Less => before += 1,
                Ordering::Equal => return Ok(Some(before)),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Goes to the next term; false at the end.
    pub(in crate::segment) fn advance(&mut self) -> Result<bool, Flaw> {
        if self.index == self.term_count {
            return self.bytes.finish().map(|()| false);
        }
        let is_restart = self.index.is_multiple_of(RESTART_TERMS);
        let length = match self.format.length {
            Some(length) => length,
            None => self.bytes.unsigned()?,
        };
        let shared: usize = if is_restart {
            0
        } else {
            self.bytes.unsigned()?
        };
        let stored_bytes = match &self.format.packing {
            Some(packing) => packing.packed_bytes(length)?,
            None => length,
        };
        if shared > self.stored.len() || shared > stored_bytes {
            return Err(Flaw("a term shares more than its neighbour has"));
        }
        let rest = self.bytes.take(stored_bytes - shared)?;
        // The order of packed terms of one length is that of the terms, and a longer one with the
        // same bits lies behind.
        let tail = &self.stored[shared..];
        let ascends = tail < rest || tail == rest && self.length < length;
        if self.index > 0 && !ascends {
            return Err(Flaw("its terms do not ascend"));
        }
        self.stored.truncate(shared);
        self.stored.extend_from_slice(rest);
        self.index += 1;
        self.length = length;
        Ok(true)
    }
}
