//! Original documents: the shape of each row, and its own bytes in compressed blocks.
//!
//! Shapes are a text column. The index of own bytes holds the number of rows of each block; a block
//! holds the lengths of its rows' bytes and then the bytes. Where all shapes are empty there are no
//! shapes, and where no row has own bytes there are no blocks.

use std::sync::{Arc, OnceLock};

use super::column_reader::StoredColumn;
use super::column_writer::write_texts;
use super::encoding::{ByteReader, ByteWriter, Flaw};
use super::footer::ColumnEntry;
use super::input::{RowInput, TextName};
use super::layout::{BLOCK_BYTES, DOCUMENTS, page};
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw, decode_page};
use super::{Section, SegmentError};
use crate::model::{CodeVector, Dictionary, SourceColumn, VECTOR_ROWS};

/// Appends the pages of documents; says what the footer must know about shapes.
pub(super) fn write_documents(
    input: &dyn RowInput,
    out: &mut PageWriter<'_>,
) -> Result<Option<ColumnEntry>, WriteFlaw> {
    let mut entry = None;
    let name = TextName::Shapes;
    let mut shapes = input.terms(name)?;
    if shapes.statistics().length_max > 0 {
        let written = write_texts(input, name, shapes.as_mut(), DOCUMENTS, out, |_, _| ())?;
        let size = written.size;
        entry = Some(ColumnEntry::shapes(size.term_count, size.text_bytes));
    }
    if input.has_own_bytes() {
        write_own_bytes(input, out)?;
    }
    Ok(entry)
}

fn write_own_bytes(input: &dyn RowInput, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
    let mut index = Vec::new();
    let mut block = OwnBytesBlock::default();
    let mut count = 0;
    let mut write = |block: &mut OwnBytesBlock, out: &mut PageWriter<'_>| {
        index.put_unsigned(block.row_count);
        let bytes = block.take();
        let name = page(DOCUMENTS, Section::DocumentBlock, count);
        count += 1;
        out.add(name, &bytes, Packing::Zstd)
    };
    input.visit_own_bytes(&mut |own| {
        block.push(own);
        match block.bytes.len() >= BLOCK_BYTES {
            true => write(&mut block, out),
            false => Ok(()),
        }
    })?;
    if block.row_count > 0 {
        write(&mut block, out)?;
    }
    out.add(
        page(DOCUMENTS, Section::DocumentIndex, 0),
        &index,
        Packing::Zstd,
    )
}

/// The rows of a block that is being filled.
#[derive(Debug, Default)]
struct OwnBytesBlock {
    row_count: usize,
    lengths: Vec<u8>,
    bytes: Vec<u8>,
}

impl OwnBytesBlock {
    fn push(&mut self, own: &[u8]) {
        self.row_count += 1;
        self.lengths.put_unsigned(own.len());
        self.bytes.put(own);
    }

    /// The block; nothing is left here.
    fn take(&mut self) -> Vec<u8> {
        self.row_count = 0;
        let mut block = std::mem::take(&mut self.lengths);
        block.append(&mut self.bytes);
        block
    }
}

/// Reads own bytes row by row, block by block, past the cache.
#[derive(Debug)]
pub(super) struct OwnBytesCursor<'a> {
    pages: &'a DocumentPages,
    file: &'a PagedFile,
    block: Option<usize>,
    bytes: Vec<u8>,
    /// Where each row of the block begins in its bytes, and where the last one ends.
    starts: Vec<usize>,
}

impl<'a> OwnBytesCursor<'a> {
    pub(super) fn new(pages: &'a DocumentPages, file: &'a PagedFile) -> Self {
        Self {
            pages,
            file,
            block: None,
            bytes: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// The own bytes of `row`, which exists.
    pub(super) fn own_bytes(&mut self, row: usize) -> Result<&[u8], SegmentError> {
        let pages = self.file.pages(DOCUMENTS, Section::DocumentBlock);
        if pages.is_empty() {
            return Ok(&[]);
        }
        let first_rows = self.pages.first_rows(self.file)?;
        let known = self
            .block
            .filter(|block| (first_rows[*block]..first_rows[*block + 1]).contains(&row));
        let block = match known {
            Some(block) => block,
            None => {
                let block = first_rows.partition_point(|first| *first <= row) - 1;
                let number = pages.start + block;
                self.bytes = self.file.read_page(number)?;
                let rows = first_rows[block + 1] - first_rows[block];
                let mut reader = ByteReader::new(&self.bytes);
                let lengths = decode_lengths(&mut reader, rows)
                    .map_err(|flaw| self.file.footer.pages[number].name.malformed(flaw))?;
                let mut end = self.bytes.len() - reader.remaining();
                self.starts.clear();
                self.starts.push(end);
                self.starts.extend(lengths.into_iter().map(|length| {
                    end += length;
                    end
                }));
                self.block = Some(block);
                block
            }
        };
        let place = row - first_rows[block];
        Ok(&self.bytes[self.starts[place]..self.starts[place + 1]])
    }
}

/// Documents in a file.
#[derive(Debug)]
pub(super) struct DocumentPages {
    /// `None`: all shapes are empty.
    shapes: Option<StoredColumn>,
    /// First row of each block, and the number of rows.
    first_rows: OnceLock<Vec<usize>>,
}

impl DocumentPages {
    pub(super) fn new(file: &PagedFile) -> Self {
        let entry = file.footer.shapes.as_ref();
        Self {
            shapes: entry.map(|entry| StoredColumn::new(DOCUMENTS, Some(entry), file)),
            first_rows: OnceLock::new(),
        }
    }

    /// The shapes as a column, when one is not empty.
    pub(super) fn shape_column(&self) -> Option<&StoredColumn> {
        self.shapes.as_ref()
    }

    /// All shapes by code.
    pub(super) fn shapes(&self, file: &PagedFile) -> Result<Arc<Dictionary>, SegmentError> {
        let stored = self.shapes.as_ref();
        match stored.and_then(|shapes| shapes.dictionary.as_ref()) {
            Some(dictionary) => dictionary.load(file),
            None => Ok(Arc::new(Dictionary::from_terms([[].as_slice()]))),
        }
    }

    /// The shape of each row of `vector`, which has `row_count` rows; `out` is replaced.
    pub(super) fn shape_codes(
        &self,
        vector: usize,
        row_count: usize,
        file: &PagedFile,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let Some(shapes) = &self.shapes else {
            *out = CodeVector {
                row_count,
                codes: vec![0; row_count],
                ..CodeVector::default()
            };
            return Ok(());
        };
        shapes.codes(vector, file, out)?;
        if out.codes.len() != row_count {
            let name = page(DOCUMENTS, Section::Headers, 0);
            return Err(name.malformed(Flaw("a row has not one shape")));
        }
        Ok(())
    }

    /// What the shape of `row`, which exists, does not say.
    pub(super) fn own_bytes(&self, row: usize, file: &PagedFile) -> Result<Vec<u8>, SegmentError> {
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

    /// All documents.
    pub(super) fn read_all(&self, file: &PagedFile) -> Result<SourceColumn, SegmentError> {
        let row_count = usize::try_from(file.footer.summary.row_count)
            .expect("the footer bounds the number of rows");
        let mut out = SourceColumn {
            shapes: self.shapes(file)?,
            ..SourceColumn::default()
        };
        let mut vector_codes = CodeVector::default();
        let mut codes = Vec::with_capacity(row_count);
        for vector in 0..row_count.div_ceil(VECTOR_ROWS) {
            let rows = super::source::vector_rows(row_count, vector).len();
            self.shape_codes(vector, rows, file, &mut vector_codes)?;
            codes.extend_from_slice(&vector_codes.codes);
        }
        let pages = file.pages(DOCUMENTS, Section::DocumentBlock);
        if pages.is_empty() {
            out.codes = codes;
            return Ok(out);
        }
        let first_rows = self.first_rows(file)?;
        for (number, rows) in pages.zip(first_rows.windows(2)) {
            let bytes = file.read_page(number)?;
            let name = file.footer.pages[number].name;
            decode_page(name, &bytes, |bytes| {
                let lengths = decode_lengths(bytes, rows[1] - rows[0])?;
                for (row, length) in (rows[0]..).zip(lengths) {
                    out.push_parts(codes[row], bytes.take(length)?);
                }
                Ok(())
            })?;
        }
        Ok(out)
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
