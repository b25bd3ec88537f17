//! The dictionary of a column as pages: an index and blocks of sorted terms.
//!
//! The index holds, for each block, its number of terms and a separator: the shortest beginning of
//! its first term that lies behind the last term before it. One term is found by reading the index
//! and one block.

use std::sync::{Arc, OnceLock};

use super::encoding::{BlockWriter, ByteReader, ByteWriter, Flaw, TermReader, shared_bytes};
use super::layout::{BLOCK_BYTES, page};
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw, decode_page};
use super::{Section, SegmentError};
use crate::model::Dictionary;

/// Appends the pages of a dictionary whose terms ascend.
pub(super) fn write_dictionary(
    dictionary: &Dictionary,
    column: u32,
    out: &mut PageWriter<'_>,
) -> Result<(), WriteFlaw> {
    let mut index = Vec::new();
    let mut blocks = Vec::new();
    let mut block = BlockWriter::default();
    let mut separator = Vec::new();
    let mut previous: &[u8] = &[];
    for term in dictionary.terms() {
        if block.is_at_restart() && block.bytes.len() >= BLOCK_BYTES {
            finish_block(&mut block, &separator, &mut index, &mut blocks);
            separator = term[..term.len().min(shared_bytes(previous, term) + 1)].to_vec();
        }
        block.push(previous, term);
        previous = term;
    }
    if block.term_count > 0 {
        finish_block(&mut block, &separator, &mut index, &mut blocks);
    }
    out.add(
        page(column, Section::DictionaryIndex, 0),
        &index,
        Packing::Zstd,
    )?;
    for (number, block) in (0..).zip(&blocks) {
        out.add(
            page(column, Section::DictionaryBlock, number),
            block,
            Packing::Zstd,
        )?;
    }
    Ok(())
}

fn finish_block(
    block: &mut BlockWriter,
    separator: &[u8],
    index: &mut Vec<u8>,
    blocks: &mut Vec<Vec<u8>>,
) {
    let block = std::mem::take(block);
    index.put_unsigned(block.term_count);
    index.put_sized(separator);
    blocks.push(block.bytes);
}

/// A dictionary in a file. What is read of it is kept.
#[derive(Debug)]
pub(super) struct DictionaryPages {
    column: u32,
    term_count: u32,
    text_bytes: u32,
    index: OnceLock<Index>,
    dictionary: OnceLock<Arc<Dictionary>>,
}

#[derive(Debug)]
struct Index {
    blocks: Vec<BlockEntry>,
    separators: Dictionary,
}

#[derive(Debug)]
struct BlockEntry {
    first_code: u32,
    term_count: u32,
}

impl DictionaryPages {
    pub(super) fn new(column: u32, term_count: u32, text_bytes: u32) -> Self {
        Self {
            column,
            term_count,
            text_bytes,
            index: OnceLock::new(),
            dictionary: OnceLock::new(),
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
        let dictionary = Arc::new(self.read(file)?);
        Ok(self.dictionary.get_or_init(|| dictionary).clone())
    }

    fn read(&self, file: &PagedFile) -> Result<Dictionary, SegmentError> {
        let index = self.index(file)?;
        let pages = file.pages(self.column, Section::DictionaryBlock);
        let mut dictionary = Dictionary::default();
        for (entry, number) in index.blocks.iter().zip(pages) {
            let block = file.read_page(number)?;
            append_block(&block, entry.term_count, &mut dictionary)
                .map_err(|flaw| file.footer.pages[number].name.malformed(flaw))?;
        }
        if dictionary.text_bytes() != self.text_bytes as usize {
            let name = page(self.column, Section::DictionaryIndex, 0);
            return Err(name.malformed(Flaw("its terms have another length together")));
        }
        Ok(dictionary)
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
        let mut found = None;
        self.scan_block(after, file, |candidate, term| {
            if candidate == code {
                found = Some(term.to_vec());
            }
            found.is_none()
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
        let mut found = None;
        self.scan_block(after, file, |code, candidate| {
            if candidate == term {
                found = Some(code);
            }
            candidate < term
        })?;
        Ok(found)
    }

    /// Shows the terms of the block before block `after` with their codes, as long as `visit`
    /// wants more.
    fn scan_block(
        &self,
        after: usize,
        file: &PagedFile,
        mut visit: impl FnMut(u32, &[u8]) -> bool,
    ) -> Result<(), SegmentError> {
        let index = self.index(file)?;
        let pages = file.pages(self.column, Section::DictionaryBlock);
        let Some(entry) = after
            .checked_sub(1)
            .and_then(|block| index.blocks.get(block))
        else {
            return Ok(());
        };
        let number = pages.start + after - 1;
        let block = file.page(number)?;
        let name = file.footer.pages[number].name;
        let mut terms = TermReader::new(&block, entry.term_count as usize);
        let mut term = Vec::new();
        let mut code = entry.first_code;
        while let Some((shared, rest)) = terms.next().map_err(|flaw| name.malformed(flaw))? {
            term.truncate(shared);
            term.extend_from_slice(rest);
            if !visit(code, &term) {
                break;
            }
            code += 1;
        }
        Ok(())
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
        Ok(self.index.get_or_init(|| index))
    }
}

fn decode_index(
    bytes: &mut ByteReader<'_>,
    block_count: usize,
    term_count: u32,
) -> Result<Index, Flaw> {
    let mut first_code = 0_u32;
    let mut index = Index {
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

/// Appends the terms of a block; all terms ascend.
fn append_block(bytes: &[u8], term_count: u32, out: &mut Dictionary) -> Result<(), Flaw> {
    let mut terms = TermReader::new(bytes, term_count as usize);
    while let Some((shared, rest)) = terms.next()? {
        let newest = out
            .len()
            .checked_sub(1)
            .and_then(|code| u32::try_from(code).ok());
        let previous = newest.map(|code| out.term(code));
        let ascends =
            previous.is_none_or(|previous| previous.get(shared..).is_some_and(|tail| tail < rest));
        if !ascends {
            return Err(Flaw("its terms do not ascend"));
        }
        out.push_sharing(shared, rest)
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
