//! Original documents in compressed blocks, found by row.
//!
//! The index holds the number of rows of each block; a block holds the lengths of its documents
//! and then the documents. A segment whose documents are all empty has no such pages.

use std::sync::OnceLock;

use super::encoding::{ByteReader, ByteWriter, Flaw};
use super::layout::{BLOCK_BYTES, DOCUMENTS, page};
use super::pages::{Packing, PageWriter, PagedFile, decode_page};
use super::{Section, SegmentError};
use crate::model::SourceColumn;

/// Appends the pages of `documents`; `None` when one of them is too large.
pub(super) fn write_documents(documents: &SourceColumn, out: &mut PageWriter) -> Option<()> {
    if documents.bytes.is_empty() {
        return Some(());
    }
    let mut index = Vec::new();
    let mut blocks = Vec::new();
    let mut first = 0;
    for row in 0..documents.ends.len() {
        let start = if first == 0 {
            0
        } else {
            documents.ends[first - 1]
        };
        let is_last = row + 1 == documents.ends.len();
        if is_last || documents.ends[row] - start >= BLOCK_BYTES as u64 {
            index.put_unsigned(row + 1 - first);
            blocks.push(encode_block(documents, first..row + 1));
            first = row + 1;
        }
    }
    out.add(
        page(DOCUMENTS, Section::DocumentIndex, 0),
        &index,
        Packing::Zstd,
    )?;
    for (number, block) in (0..).zip(&blocks) {
        out.add(
            page(DOCUMENTS, Section::DocumentBlock, number),
            block,
            Packing::Zstd,
        )?;
    }
    Some(())
}

fn encode_block(documents: &SourceColumn, rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut block = Vec::new();
    for row in rows.clone() {
        block.put_unsigned(documents.get(row).len());
    }
    for row in rows {
        block.put(documents.get(row));
    }
    block
}

/// Documents in a file.
#[derive(Debug, Default)]
pub(super) struct DocumentPages {
    /// First row of each block, and the number of rows.
    first_rows: OnceLock<Vec<usize>>,
}

impl DocumentPages {
    /// The document of `row`, which exists.
    pub(super) fn document(&self, row: usize, file: &PagedFile) -> Result<Vec<u8>, SegmentError> {
        let pages = file.pages(DOCUMENTS, Section::DocumentBlock);
        if pages.is_empty() {
            return Ok(Vec::new());
        }
        let first_rows = self.first_rows(file)?;
        let block = first_rows.partition_point(|first| *first <= row) - 1;
        let number = pages.start + block;
        let bytes = file.page(number)?;
        let rows = first_rows[block + 1] - first_rows[block];
        let name = file.footer.pages[number].name;
        decode_page(name, &bytes, |bytes| {
            let lengths = decode_lengths(bytes, rows)?;
            let place = row - first_rows[block];
            let start = lengths[..place].iter().sum();
            let documents = bytes.take(bytes.remaining())?;
            Ok(documents[start..start + lengths[place]].to_vec())
        })
    }

    /// Appends all documents to `out`.
    pub(super) fn read_all(
        &self,
        file: &PagedFile,
        out: &mut SourceColumn,
    ) -> Result<(), SegmentError> {
        let pages = file.pages(DOCUMENTS, Section::DocumentBlock);
        if pages.is_empty() {
            (0..file.footer.summary.row_count).for_each(|_| out.push(&[]));
            return Ok(());
        }
        let first_rows = self.first_rows(file)?;
        for (number, rows) in pages.zip(first_rows.windows(2)) {
            let bytes = file.read_page(number)?;
            let name = file.footer.pages[number].name;
            decode_page(name, &bytes, |bytes| {
                for length in decode_lengths(bytes, rows[1] - rows[0])? {
                    out.push(bytes.take(length)?);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn first_rows(&self, file: &PagedFile) -> Result<&[usize], SegmentError> {
        if let Some(first_rows) = self.first_rows.get() {
            return Ok(first_rows);
        }
        let bytes = file.read_single(DOCUMENTS, Section::DocumentIndex)?;
        let block_count = file.pages(DOCUMENTS, Section::DocumentBlock).len();
        let row_count = file.footer.summary.row_count;
        let name = page(DOCUMENTS, Section::DocumentIndex, 0);
        let first_rows = decode_page(name, &bytes, |bytes| {
            let mut first_rows = vec![0];
            let mut end = 0_usize;
            for _ in 0..block_count {
                let rows: usize = bytes.unsigned()?;
                end = end.checked_add(rows).ok_or(Flaw("it has too many rows"))?;
                if rows == 0 {
                    return Err(Flaw("a block has no rows"));
                }
                first_rows.push(end);
            }
            if end as u64 != row_count {
                return Err(Flaw("its blocks have another number of rows together"));
            }
            Ok(first_rows)
        })?;
        Ok(self.first_rows.get_or_init(|| first_rows))
    }
}

/// Lengths of the documents of a block, which fill the rest of it.
fn decode_lengths(bytes: &mut ByteReader<'_>, rows: usize) -> Result<Vec<usize>, Flaw> {
    let wrong = Flaw("its documents do not fill it");
    if rows > bytes.remaining() {
        return Err(wrong);
    }
    let mut lengths = Vec::with_capacity(rows);
    let mut total = 0_usize;
    for _ in 0..rows {
        let length: usize = bytes.unsigned()?;
        total = total.checked_add(length).ok_or(wrong)?;
        lengths.push(length);
    }
    if total != bytes.remaining() {
        return Err(wrong);
    }
    Ok(lengths)
}
