//! The dictionary of a column becomes pages while its terms come, ascending.

use super::Section;
use super::encoding::{ByteWriter, LetterPacking, TermFormat, encode_terms, shared_bytes};
use super::input::TermStatistics;
use super::layout::{BLOCK_BYTES, page};
use super::pages::{Packing, PageWriter, WriteFlaw, compressed_bytes};
use crate::model::Dictionary;

/// A block ends behind a multiple of so many terms.
const BLOCK_TERMS_STEP: usize = 16;

/// Packed letters are read much faster than compressed ones: they may take this much more, in
/// percent.
const PACKED_PERCENT_MAX: usize = 115;

/// What the footer says about a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DictionarySize {
    pub(super) term_count: u32,
    pub(super) text_bytes: u64,
}

/// Writes the pages of one dictionary.
pub(super) struct DictionaryWriter<'a> {
    column: u32,
    statistics: &'a TermStatistics,
    /// Chosen when the first block is complete.
    format: Option<TermFormat>,
    /// The terms of the block at hand.
    block: Dictionary,
    /// The last term of the block before it.
    last: Vec<u8>,
    index: Vec<u8>,
    block_count: u32,
    size: DictionarySize,
}

impl<'a> DictionaryWriter<'a> {
    pub(super) fn new(column: u32, statistics: &'a TermStatistics) -> Self {
        Self {
            column,
            statistics,
            format: None,
            block: Dictionary::default(),
            last: Vec::new(),
            index: Vec::new(),
            block_count: 0,
            size: DictionarySize::default(),
        }
    }

    /// Adds a term, which lies behind all before it.
    pub(super) fn push(&mut self, term: &[u8], out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        let is_full = self.block.text_bytes() >= BLOCK_BYTES;
        if is_full && self.block.len().is_multiple_of(BLOCK_TERMS_STEP) {
            self.finish_block(out)?;
        }
        // Only a block is in memory at once: all terms together may take more than 32 bits count.
        let too_large = || WriteFlaw::TooLarge("one of its texts reaches 4 GiB");
        self.block.push_sharing(0, term).ok_or_else(too_large)?;
        self.size.text_bytes += term.len() as u64;
        let term_count = self.size.term_count.checked_add(1);
        self.size.term_count =
            term_count.ok_or(WriteFlaw::TooLarge("it has 2^32 distinct texts"))?;
        Ok(())
    }

    /// Writes what is left, and the index behind the blocks.
    pub(super) fn finish(mut self, out: &mut PageWriter<'_>) -> Result<DictionarySize, WriteFlaw> {
        if !self.block.is_empty() {
            self.finish_block(out)?;
        }
        let mut head = Vec::new();
        let is_packed = self.format.is_some_and(|format| format.packing.is_some());
        head.push(u8::from(is_packed));
        head.put_sized(self.statistics.prefix.as_deref().unwrap_or_default());
        for word in self.statistics.alphabet {
            head.put(&word.to_le_bytes());
        }
        head.put_unsigned(self.statistics.length_min);
        head.put_unsigned(self.statistics.length_max);
        head.append(&mut self.index);
        out.add(
            page(self.column, Section::DictionaryIndex, 0),
            &head,
            Packing::Zstd,
        )?;
        Ok(self.size)
    }

    fn finish_block(&mut self, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        let terms = std::mem::take(&mut self.block);
        let format = match self.format.take() {
            Some(format) => format,
            None => choose(self.statistics, &terms),
        };
        let bytes = encode_terms(&terms, &format);
        let packing = match format.packing {
            Some(_) => Packing::Plain,
            None => Packing::Zstd,
        };
        self.format = Some(format);
        out.add(
            page(self.column, Section::DictionaryBlock, self.block_count),
            &bytes,
            packing,
        )?;
        let first = terms.term(0);
        let separator = match self.block_count {
            0 => &[],
            _ => &first[..first.len().min(shared_bytes(&self.last, first) + 1)],
        };
        self.index.put_unsigned(terms.len());
        self.index.put_sized(separator);
        self.block_count += 1;
        let last = u32::try_from(terms.len() - 1).expect("a block has few terms");
        self.last.clear();
        self.last.extend_from_slice(terms.term(last));
        Ok(())
    }
}

/// Packed letters, where they are not much larger than compressed text. The first block stands for
/// all.
fn choose(statistics: &TermStatistics, terms: &Dictionary) -> TermFormat {
    let prefix = statistics.prefix.as_deref().unwrap_or_default();
    let is_one_length = statistics.length_min == statistics.length_max;
    let length = is_one_length.then_some(statistics.length_min);
    let plain = TermFormat {
        packing: None,
        length,
    };
    let Some(packing) = LetterPacking::new(prefix, &statistics.alphabet) else {
        return plain;
    };
    let packed = TermFormat {
        packing: Some(packing),
        length,
    };
    let packed_bytes = encode_terms(terms, &packed).len();
    let plain_bytes = compressed_bytes(&encode_terms(terms, &plain));
    match packed_bytes <= plain_bytes * PACKED_PERCENT_MAX / 100 {
        true => packed,
        false => plain,
    }
}
