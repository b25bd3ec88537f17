//! A column in a file: vectors on demand, headers and dictionary once.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::cursor::ColumnCursor;
use super::dictionary_pages::DictionaryPages;
use super::encoding::{
    CodeCheck, Flaw, HEADER_BYTES, VectorHeader, decode_code_vector, decode_number_vector,
    decode_offsets,
};
use super::footer::ColumnEntry;
use super::layout::{GROUP_ROWS, page};
use super::pages::{PagedFile, decode_page};
use super::presence::TermPresence;
use super::source::vector_rows;
use super::{NumberSummary, PageName, Section, SegmentError};
use crate::model::{CodeVector, NumberVector, VECTOR_ROWS};

/// Vectors of a row group.
pub(super) const GROUP_VECTORS: usize = GROUP_ROWS / VECTOR_ROWS;

/// A column whose pages are in a file.
#[derive(Debug)]
pub(super) struct StoredColumn {
    number: u32,
    row_count: usize,
    /// Numbers of its pages of values.
    values: Range<usize>,
    headers: OnceLock<Vec<VectorHeader>>,
    pub(super) presence: OnceLock<Option<TermPresence>>,
    pub(super) dictionary: Option<DictionaryPages>,
}

impl StoredColumn {
    /// The column with this number; `entry` says what a field or the ids have besides.
    pub(super) fn new(number: u32, entry: Option<&ColumnEntry>, file: &PagedFile) -> Self {
        let text = entry.filter(|entry| entry.info.kind == crate::model::ColumnKind::Text);
        Self {
            number,
            row_count: usize::try_from(file.footer.summary.row_count)
                .expect("the footer bounds the number of rows"),
            values: file.pages(number, Section::Values),
            headers: OnceLock::new(),
            presence: OnceLock::new(),
            dictionary: text
                .map(|entry| DictionaryPages::new(number, entry.term_count, entry.text_bytes)),
        }
    }

    /// Replaces `out` by the numbers of `vector`, for a scan.
    pub(super) fn numbers_at(
        &self,
        vector: usize,
        file: &PagedFile,
        cursor: &mut ColumnCursor,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let rows = vector_rows(self.row_count, vector).len();
        self.decode_at(vector, file, cursor, |header, bytes| {
            decode_number_vector(header, rows, bytes, out)
        })
    }

    /// Replaces `out` by the codes of `vector`, of a column of texts, for a scan.
    pub(super) fn codes_at(
        &self,
        vector: usize,
        file: &PagedFile,
        cursor: &mut ColumnCursor,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let rows = vector_rows(self.row_count, vector).len();
        let check = self.code_check();
        self.decode_at(vector, file, cursor, |header, bytes| {
            decode_code_vector(header, rows, bytes, check, out)
        })
    }

    /// Replaces `out` by the numbers of `vector`.
    pub(super) fn numbers(
        &self,
        vector: usize,
        file: &PagedFile,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let rows = vector_rows(self.row_count, vector).len();
        let (page, name) = self.values_page(vector, file)?;
        decode_number_vector(header, rows, &page, out).map_err(|flaw| name.malformed(flaw))
    }

    /// As [`StoredColumn::numbers`], but the page stays in `kept` and not in the cache: for reading
    /// a whole column once.
    pub(super) fn numbers_past_cache(
        &self,
        vector: usize,
        file: &PagedFile,
        kept: &mut GroupPage,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let rows = vector_rows(self.row_count, vector).len();
        let name = self.fill(vector, file, kept)?;
        decode_number_vector(header, rows, &kept.bytes, out).map_err(|flaw| name.malformed(flaw))
    }

    /// As [`StoredColumn::codes`], past the cache.
    pub(super) fn codes_past_cache(
        &self,
        vector: usize,
        file: &PagedFile,
        kept: &mut GroupPage,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let rows = vector_rows(self.row_count, vector).len();
        let name = self.fill(vector, file, kept)?;
        let check = self.code_check();
        decode_code_vector(header, rows, &kept.bytes, check, out)
            .map_err(|flaw| name.malformed(flaw))
    }

    /// Offsets of the rows of `vector`, whose partitions are known, past the cache.
    pub(super) fn offsets_past_cache(
        &self,
        vector: usize,
        partitions: &[i64],
        file: &PagedFile,
        kept: &mut GroupPage,
        out: &mut Vec<i64>,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let name = self.fill(vector, file, kept)?;
        decode_offsets(header, partitions, &kept.bytes, out).map_err(|flaw| name.malformed(flaw))
    }

    /// Offsets of the rows of `vector`, whose partitions are known.
    pub(super) fn offsets(
        &self,
        vector: usize,
        partitions: &[i64],
        file: &PagedFile,
        out: &mut Vec<i64>,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let (page, name) = self.values_page(vector, file)?;
        decode_offsets(header, partitions, &page, out).map_err(|flaw| name.malformed(flaw))
    }

    /// Its number in the file.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Rows of the segment.
    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Number of terms of a column of texts.
    pub(super) fn term_count(&self) -> u32 {
        self.dictionary
            .as_ref()
            .map_or(0, DictionaryPages::term_count)
    }

    fn code_check(&self) -> CodeCheck {
        CodeCheck {
            term_count: self.term_count(),
        }
    }

    /// Makes `kept` the page of `vector`.
    fn fill(
        &self,
        vector: usize,
        file: &PagedFile,
        kept: &mut GroupPage,
    ) -> Result<PageName, SegmentError> {
        let number = self.values_page_number(vector)?;
        if kept.number != Some(number) {
            kept.bytes = file.read_page(number)?;
            kept.number = Some(number);
        }
        Ok(file.footer.pages[number].name)
    }

    /// Replaces `out` by the codes of `vector`, of a column of texts.
    pub(super) fn codes(
        &self,
        vector: usize,
        file: &PagedFile,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let header = self.header(vector, file)?;
        let rows = vector_rows(self.row_count, vector).len();
        let (page, name) = self.values_page(vector, file)?;
        decode_code_vector(header, rows, &page, self.code_check(), out)
            .map_err(|flaw| name.malformed(flaw))
    }

    /// Statistics of `vector`, when it has some.
    pub(super) fn number_summary(&self, vector: usize, file: &PagedFile) -> Option<NumberSummary> {
        // A damaged header is reported when the values are asked for, which is what follows.
        let header = self.header(vector, file).ok()?;
        let statistics = header.statistics?;
        Some(NumberSummary {
            count: header.value_count,
            min: statistics.min,
            max: statistics.max,
            sum: (statistics.sum, header.exponent),
        })
    }

    /// The header of `vector`.
    pub(super) fn header(
        &self,
        vector: usize,
        file: &PagedFile,
    ) -> Result<&VectorHeader, SegmentError> {
        let headers = match self.headers.get() {
            Some(headers) => headers,
            None => {
                let headers = self.read_headers(file)?;
                self.headers.get_or_init(|| {
                    file.keep(size_of_val(headers.as_slice()));
                    headers
                })
            }
        };
        headers.get(vector).ok_or(SegmentError::OutOfRange {
            what: "vector",
            index: vector,
            count: headers.len(),
        })
    }

    fn read_headers(&self, file: &PagedFile) -> Result<Vec<VectorHeader>, SegmentError> {
        let bytes = file.read_single(self.number, Section::Headers)?;
        let name = page(self.number, Section::Headers, 0);
        let count = self.row_count.div_ceil(VECTOR_ROWS);
        if bytes.len() != count * HEADER_BYTES {
            return Err(name.malformed(Flaw("it has not one header a vector")));
        }
        decode_page(name, &bytes, |bytes| {
            (0..count)
                .map(|vector| {
                    VectorHeader::decode(bytes, vector_rows(self.row_count, vector).len())
                })
                .collect()
        })
    }

    fn values_page(
        &self,
        vector: usize,
        file: &PagedFile,
    ) -> Result<(Arc<Vec<u8>>, PageName), SegmentError> {
        let number = self.values_page_number(vector)?;
        Ok((file.page(number)?, file.footer.pages[number].name))
    }

    pub(super) fn values_page_number(&self, vector: usize) -> Result<usize, SegmentError> {
        let group = vector / GROUP_VECTORS;
        let number = self.values.start + group;
        if self.values.contains(&number) {
            return Ok(number);
        }
        let index = u32::try_from(group).unwrap_or(u32::MAX);
        let name = page(self.number, Section::Values, index);
        Err(name.malformed(Flaw("it is not there")))
    }
}

/// A page of values that is kept between vectors by who reads them one after the other.
#[derive(Debug, Default)]
pub(super) struct GroupPage {
    number: Option<usize>,
    bytes: Vec<u8>,
}
