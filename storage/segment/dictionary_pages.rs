//! The dictionary of a column as pages: blocks of sorted terms and an index.
//!
//! The index holds what all terms have in common and, for each block, its number of terms and a
//! separator: the shortest beginning of its first term that lies behind the last term before it.
//! One term is found by reading the index and one block.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::encoding::{ByteReader, Flaw, LetterPacking, TermFormat, TermReader};
use super::input::TermStatistics;
use super::layout::page;
use super::pages::{PagedFile, decode_page};
use super::{Section, SegmentError};
use crate::model::Dictionary;

/// A dictionary in a file. What is read of it is kept.
#[derive(Debug)]
pub(super) struct DictionaryPages {
    column: u32,
    term_count: u32,
    text_bytes: u64,
    index: OnceLock<Index>,
    /// All terms, once they were read: few ones stay.
    dictionary: OnceLock<Arc<Dictionary>>,
    /// Many ones stay as long as somebody uses them.
    used: Mutex<Weak<Dictionary>>,
}

/// A dictionary of at most so many bytes stays in memory once it was read.
const KEPT_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
struct Index {
    statistics: TermStatistics,
    format: TermFormat,
    blocks: Vec<BlockEntry>,
    separators: Dictionary,
}

#[derive(Debug)]
struct BlockEntry {
    first_code: u32,
    term_count: u32,
}

impl DictionaryPages {
    pub(super) fn new(column: u32, term_count: u32, text_bytes: u64) -> Self {
        Self {
            column,
            term_count,
            text_bytes,
            index: OnceLock::new(),
            dictionary: OnceLock::new(),
            used: Mutex::default(),
        }
    }

    /// Number of terms.
    pub(super) fn term_count(&self) -> u32 {
        self.term_count
    }

    /// All terms.
    pub(super) fn load(&self, file: &PagedFile) -> Result<Arc<Dictionary>, SegmentError> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary.clone());
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dictionary) = used.upgrade() {
            return Ok(dictionary);
        }
        // Under the lock: of many threads that want it, one reads it.
        let dictionary = Arc::new(self.read(file)?);
        if dictionary.memory_bytes() > KEPT_BYTES_MAX {
            *used = Arc::downgrade(&dictionary);
            return Ok(dictionary);
        }
        let kept = self.dictionary.get_or_init(|| {
            file.keep(dictionary.memory_bytes());
            dictionary
        });
        Ok(kept.clone())
    }

    fn read(&self, file: &PagedFile) -> Result<Dictionary, SegmentError> {
        if self.text_bytes > u64::from(u32::MAX) {
            return Err(SegmentError::TooLarge {
                column: format!("number {}", self.column).into(),
                reason: "its distinct texts together reach 4 GiB and are only read by block",
            });
        }
        let mut dictionary = Dictionary::default();
        for block in 0..self.block_count(file) {
            self.read_block(block, file, &mut dictionary)?;
        }
        if dictionary.text_bytes() as u64 != self.text_bytes {
            let name = page(self.column, Section::DictionaryIndex, 0);
            return Err(name.malformed(Flaw("its terms have another length together")));
        }
        Ok(dictionary)
    }

    /// Number of blocks.
    pub(super) fn block_count(&self, file: &PagedFile) -> usize {
        file.pages(self.column, Section::DictionaryBlock).len()
    }

    /// Appends the terms of `block`, which lie behind those in `out`, past the cache.
    pub(super) fn read_block(
        &self,
        block: usize,
        file: &PagedFile,
        out: &mut Dictionary,
    ) -> Result<(), SegmentError> {
        let index = self.index(file)?;
        let number = file.pages(self.column, Section::DictionaryBlock).start + block;
        let bytes = file.read_page(number)?;
        let term_count = index.blocks[block].term_count;
        append_block(&bytes, term_count, &index.format, out)
            .map_err(|flaw| file.footer.pages[number].name.malformed(flaw))
    }

    /// What all terms have in common.
    pub(super) fn statistics(&self, file: &PagedFile) -> Result<&TermStatistics, SegmentError> {
        Ok(&self.index(file)?.statistics)
    }

    /// The term of `code`, from one block.
    pub(super) fn term(&self, code: u32, file: &PagedFile) -> Result<Vec<u8>, SegmentError> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary.term(code).to_vec());
        }
        let index = self.index(file)?;
        let after = index
            .blocks
            .partition_point(|block| block.first_code <= code);
        let found = self.in_block_before(after, file, |terms, first_code| {
            for _ in first_code..=code {
                if !terms.advance()? {
                    return Ok(None);
                }
            }
            terms.term().map(|term| Some(term.to_vec()))
        })?;
        found.ok_or_else(|| {
            let name = page(self.column, Section::DictionaryIndex, 0);
            name.malformed(Flaw("a code has no term"))
        })
    }

    /// The code of `term`, from one block.
    pub(super) fn find(&self, term: &[u8], file: &PagedFile) -> Result<Option<u32>, SegmentError> {
        let index = self.index(file)?;
        let after = partition(index.separators.len(), |block| {
            index.separators.term(block) <= term
        });
        self.in_block_before(after, file, |terms, first_code| {
            Ok(terms.find(term)?.map(|before| first_code + before))
        })
    }

    /// What `look` finds among the terms of the block before block `after`, given the code of the
    /// first; nothing when there is no such block.
    fn in_block_before<T>(
        &self,
        after: usize,
        file: &PagedFile,
        look: impl FnOnce(&mut TermReader<'_>, u32) -> Result<Option<T>, Flaw>,
    ) -> Result<Option<T>, SegmentError> {
        let index = self.index(file)?;
        let pages = file.pages(self.column, Section::DictionaryBlock);
        let Some(entry) = after
            .checked_sub(1)
            .and_then(|block| index.blocks.get(block))
        else {
            return Ok(None);
        };
        let number = pages.start + after - 1;
        let block = file.page(number)?;
        let name = file.footer.pages[number].name;
        let mut terms = TermReader::new(&block, entry.term_count as usize, &index.format);
        look(&mut terms, entry.first_code).map_err(|flaw| name.malformed(flaw))
    }

    /// The separator of `block`: terms of blocks before it are smaller, all others are not.
    pub(super) fn separator(&self, block: u32, file: &PagedFile) -> Result<&[u8], SegmentError> {
        Ok(self.index(file)?.separators.term(block))
    }

    /// Replaces `out` by the terms of `block`, and says the code of the first.
    pub(super) fn block(
        &self,
        block: usize,
        file: &PagedFile,
        out: &mut Dictionary,
    ) -> Result<u32, SegmentError> {
        out.clear();
        self.read_block(block, file, out)?;
        Ok(self.index(file)?.blocks[block].first_code)
    }

    fn index(&self, file: &PagedFile) -> Result<&Index, SegmentError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let bytes = file.read_single(self.column, Section::DictionaryIndex)?;
        let block_count = file.pages(self.column, Section::DictionaryBlock).len();
        let name = page(self.column, Section::DictionaryIndex, 0);
        let index = decode_page(name, &bytes, |bytes| {
            decode_index(bytes, block_count, self.term_count)
        })?;
        Ok(self.index.get_or_init(|| {
            let blocks = size_of_val(index.blocks.as_slice());
            file.keep(blocks + index.separators.memory_bytes());
            index
        }))
    }
}

fn decode_index(
    bytes: &mut ByteReader<'_>,
    block_count: usize,
    term_count: u32,
) -> Result<Index, Flaw> {
    let mut first_code = 0_u32;
    let is_packed = bytes.u8()?;
    let statistics = decode_statistics(bytes)?;
    let mut index = Index {
        format: term_format(is_packed, &statistics)?,
        statistics,
        blocks: Vec::with_capacity(block_count),
        separators: Dictionary::default(),
    };
    for _ in 0..block_count {
        let terms: u32 = bytes.unsigned()?;
        index.blocks.push(BlockEntry {
            first_code,
            term_count: terms,
        });
        let separator = bytes.sized()?;
        let too_long = Flaw("its separators are too long");
        index
            .separators
            .push_sharing(0, separator)
            .ok_or(too_long)?;
        first_code = first_code
            .checked_add(terms)
            .ok_or(Flaw("it has too many terms"))?;
    }
    if first_code != term_count {
        return Err(Flaw("its blocks have another number of terms together"));
    }
    Ok(index)
}

fn decode_statistics(bytes: &mut ByteReader<'_>) -> Result<TermStatistics, Flaw> {
    let prefix = bytes.sized()?.to_vec();
    let mut alphabet = [0; 4];
    for word in &mut alphabet {
        *word = bytes.i64()?.cast_unsigned();
    }
    let (length_min, length_max) = (bytes.unsigned()?, bytes.unsigned()?);
    if prefix.len() > length_min || length_min > length_max {
        return Err(Flaw("lengths of its terms cannot be"));
    }
    Ok(TermStatistics {
        prefix: Some(prefix),
        alphabet,
        length_min,
        length_max,
    })
}

fn term_format(is_packed: u8, statistics: &TermStatistics) -> Result<TermFormat, Flaw> {
    let prefix = statistics.prefix.as_deref().unwrap_or_default();
    let packing = match is_packed {
        0 => None,
        1 => Some(
            LetterPacking::new(prefix, &statistics.alphabet)
                .ok_or(Flaw("it has too many letters to be packed"))?,
        ),
        _ => return Err(Flaw("a flag is neither 0 nor 1")),
    };
    let is_one_length = statistics.length_min == statistics.length_max;
    Ok(TermFormat {
        packing,
        length: is_one_length.then_some(statistics.length_min),
    })
}

/// Appends the terms of a block; all terms ascend.
fn append_block(
    bytes: &[u8],
    term_count: u32,
    format: &TermFormat,
    out: &mut Dictionary,
) -> Result<(), Flaw> {
    let mut terms = TermReader::new(bytes, term_count as usize, format);
    let mut is_first = true;
    while let Some(term) = terms.next()? {
        let newest = out.len().checked_sub(1).filter(|_| is_first);
        let newest = newest.and_then(|code| u32::try_from(code).ok());
        if newest.is_some_and(|code| out.term(code) >= term) {
            return Err(Flaw("its terms do not ascend"));
        }
        is_first = false;
        out.push_sharing(0, term)
            .ok_or(Flaw("its terms are too long"))?;
    }
    Ok(())
}

/// The first of `count` blocks for which `holds` is false; it is true for those before.
fn partition(count: usize, holds: impl Fn(u32) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match u32::try_from(middle).is_ok_and(&holds) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}
