//! Answers from a segment file.

use std::sync::{Arc, OnceLock};

use super::cache::PageCache;
use super::cells::{Cells, read_cells};
use super::collect::{read_codes, read_numbers};
use super::column_reader::StoredColumn;
use super::cursor::ColumnCursor;
use super::dictionary_pages::DictionaryPages;
use super::documents::{DocumentPages, OwnBytesCursor};
use super::encoding::{Flaw, VectorHeader};
use super::footer::ColumnEntry;
use super::id_filter::may_have_id;
use super::ids::id_row;
use super::layout::{DOCUMENTS, FIELDS_FIRST, IDS, OFFSETS, PARTITIONS, TIMES, page};
use super::occurrence::nth_value;
use super::pages::PagedFile;
use super::source::vector_rows;
use super::{
    ColumnHandle, ColumnInfo, NumberSummary, Section, SegmentError, SegmentSummary, SourceId,
};
use crate::disk::ReadFile;
use crate::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, Dictionary, NumberVector, VECTOR_ROWS,
    VectorOccurrence,
};

/// An open segment file. Pages are read when they are asked for; vector headers, dictionaries and
/// cells stay in memory once they were.
#[derive(Debug)]
pub struct SegmentReader {
    pub(super) file: PagedFile,
    id: SourceId,
    pub(super) times: StoredColumn,
    pub(super) partitions: StoredColumn,
    pub(super) offsets: StoredColumn,
    pub(super) ids: Option<StoredColumn>,
    /// Whether each id has one row; known once an id is looked up.
    ids_are_unique: OnceLock<bool>,
    columns: Vec<StoredColumn>,
    pub(super) documents: DocumentPages,
    cells: OnceLock<Arc<Cells>>,
}

impl SegmentReader {
    /// Opens a segment with a page cache of its own.
    ///
    /// # Errors
    /// When the file cannot be read, is no segment, has another version or a damaged footer.
    pub fn open(file: Arc<dyn ReadFile>) -> Result<Self, SegmentError> {
        Self::open_with_cache(file, Arc::default())
    }

    /// Opens a segment whose pages are kept in `cache`, which many segments may share.
    ///
    /// # Errors
    /// As [`SegmentReader::open`].
    pub fn open_with_cache(
        file: Arc<dyn ReadFile>,
        cache: Arc<PageCache>,
    ) -> Result<Self, SegmentError> {
        let file = PagedFile::open(file, cache)?;
        let footer = &file.footer;
        let ids = footer.ids.as_ref();
        Ok(Self {
            times: StoredColumn::new(TIMES, None, &file),
            partitions: StoredColumn::new(PARTITIONS, None, &file),
            offsets: StoredColumn::new(OFFSETS, None, &file),
            ids: ids.map(|entry| StoredColumn::new(IDS, Some(entry), &file)),
            ids_are_unique: OnceLock::new(),
            columns: footer
                .columns
                .iter()
                .map(|entry| StoredColumn::new(entry.stored_as, Some(entry), &file))
                .collect(),
            documents: DocumentPages::new(&file),
            cells: OnceLock::new(),
            id: SourceId::new(),
            file,
        })
    }

    /// What the footer says about the rows.
    #[must_use]
    pub fn summary(&self) -> &SegmentSummary {
        &self.file.footer.summary
    }

    /// Program and version that wrote the file.
    #[must_use]
    pub fn creator(&self) -> &str {
        &self.file.footer.creator
    }

    /// The rollup cells.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn cells(&self) -> Result<Arc<Cells>, SegmentError> {
        if let Some(cells) = self.cells.get() {
            return Ok(cells.clone());
        }
        let cells = Arc::new(read_cells(&self.file)?);
        let kept = self.cells.get_or_init(|| {
            self.file.keep(cells.memory_bytes());
            cells
        });
        Ok(kept.clone())
    }

    /// What was found damaged while its pages were read; scans end with an error then.
    #[must_use]
    pub fn damage(&self) -> Option<&Arc<str>> {
        self.file.damage()
    }

    /// Memory that is kept of it besides pages, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.file.kept_bytes()
    }

    /// All rows, in the order of the segment.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn read_batch(&self) -> Result<ColumnBatch, SegmentError> {
        let vectors = 0..self.row_count().div_ceil(VECTOR_ROWS);
        let mut batch = ColumnBatch {
            times_are_field: self.times_are_field(),
            ..ColumnBatch::default()
        };
        let (mut times, mut partitions, mut offsets) = Default::default();
        for vector in vectors.clone() {
            self.times_ms(vector, &mut times)?;
            self.origins(vector, &mut partitions, &mut offsets)?;
            batch.times_ms.append(&mut times);
            batch.partitions.append(&mut partitions);
            batch.offsets.append(&mut offsets);
        }
        if let Some(ids) = &self.ids {
            let dictionary = self.texts(ids, IDS)?.load(&self.file)?;
            batch.ids = Some(read_codes(vectors.clone(), dictionary, |vector, out| {
                ids.codes(vector, &self.file, out)
            })?);
        }
        batch.sources = self.documents.read_all(&self.file)?;
        for (entry, stored) in self.file.footer.columns.iter().zip(&self.columns) {
            let column = self.read_column(entry, stored, vectors.clone())?;
            batch.columns.push((entry.path.clone(), column));
        }
        Ok(batch)
    }

    fn read_column(
        &self,
        entry: &ColumnEntry,
        stored: &StoredColumn,
        vectors: std::ops::Range<usize>,
    ) -> Result<Column, SegmentError> {
        let numbers = |vector, out: &mut NumberVector| stored.numbers(vector, &self.file, out);
        Ok(match entry.info.kind {
            ColumnKind::Integer => {
                Column::Integer(read_numbers(vectors, ColumnKind::Integer, numbers)?)
            }
            ColumnKind::Decimal => {
                Column::Decimal(read_numbers(vectors, ColumnKind::Decimal, numbers)?)
            }
            ColumnKind::Text => {
                let dictionary = self.texts(stored, entry.stored_as)?.load(&self.file)?;
                Column::Text(read_codes(vectors, dictionary, |vector, out| {
                    stored.codes(vector, &self.file, out)
                })?)
            }
        })
    }

    pub(super) fn row_count(&self) -> usize {
        usize::try_from(self.summary().row_count).expect("the footer bounds the number of rows")
    }

    pub(super) fn times_are_field(&self) -> bool {
        self.file.footer.times_are_field
    }

    pub(super) fn is_time_sorted(&self) -> bool {
        true
    }

    pub(super) fn time_bounds_ms(&self) -> Option<(i64, i64)> {
        Some((self.summary().time_first_ms, self.summary().time_last_ms))
    }

    pub(super) fn vector_time_bounds_ms(&self, vector: usize) -> (i64, i64) {
        self.file.footer.vector_times_ms[vector]
    }

    pub(super) fn times_ms(&self, vector: usize, out: &mut Vec<i64>) -> Result<(), SegmentError> {
        self.row_keys(&self.times, TIMES, vector, out)
    }

    pub(super) fn times_ms_at(
        &self,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut Vec<i64>,
    ) -> Result<(), SegmentError> {
        keys_of(TIMES, out, |numbers| {
            self.times.numbers_at(vector, &self.file, cursor, numbers)
        })
    }

    pub(super) fn numbers_at(
        &self,
        column: ColumnHandle,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let stored = self.stored(column, "numbers")?;
        if stored.dictionary.is_some() {
            return Err(SegmentError::WrongColumn {
                column: column.0,
                wanted: "numbers",
            });
        }
        stored.numbers_at(vector, &self.file, cursor, out)
    }

    pub(super) fn codes_at(
        &self,
        column: ColumnHandle,
        vector: usize,
        cursor: &mut ColumnCursor,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let stored = self.stored(column, "texts")?;
        self.texts(stored, column.0 + FIELDS_FIRST)?;
        stored.codes_at(vector, &self.file, cursor, out)
    }

    pub(super) fn origins(
        &self,
        vector: usize,
        partitions: &mut Vec<u32>,
        offsets: &mut Vec<u64>,
    ) -> Result<(), SegmentError> {
        let mut keys = Vec::new();
        self.row_keys(&self.partitions, PARTITIONS, vector, &mut keys)?;
        let wrong = || {
            let name = page(PARTITIONS, Section::Headers, 0);
            name.malformed(Flaw("a partition is larger than 32 bits"))
        };
        partitions.clear();
        for key in &keys {
            partitions.push(u32::try_from(*key).map_err(|_| wrong())?);
        }
        let mut of_rows = Vec::new();
        self.offsets
            .offsets(vector, &keys, &self.file, &mut of_rows)?;
        offsets.clear();
        offsets.extend(of_rows.iter().map(|key| key.cast_unsigned()));
        Ok(())
    }

    /// A column that has one integer for each row of every segment.
    fn row_keys(
        &self,
        column: &StoredColumn,
        number: u32,
        vector: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), SegmentError> {
        keys_of(number, out, |numbers| {
            column.numbers(vector, &self.file, numbers)
        })
    }

    pub(super) fn column(&self, path: &str) -> Option<ColumnHandle> {
        let columns = &self.file.footer.columns;
        let index = columns
            .binary_search_by(|column| column.path.as_ref().cmp(path))
            .ok()?;
        u32::try_from(index).ok().map(ColumnHandle)
    }

    /// Where the values of a column are, which exists.
    pub(super) fn column_at(&self, column: ColumnHandle) -> &StoredColumn {
        &self.columns[column.0 as usize]
    }

    /// Reads own bytes of documents from the first row to the last.
    pub(super) fn own_bytes_cursor(&self) -> OwnBytesCursor<'_> {
        OwnBytesCursor::new(&self.documents, &self.file)
    }

    /// Whether some document has own bytes.
    pub(super) fn has_own_bytes(&self) -> bool {
        !self
            .file
            .pages(DOCUMENTS, Section::DocumentBlock)
            .is_empty()
    }

    pub(super) fn column_paths(&self) -> impl Iterator<Item = &Arc<str>> {
        self.file.footer.columns.iter().map(|column| &column.path)
    }

    pub(super) fn column_info(&self, column: ColumnHandle) -> ColumnInfo {
        self.file.footer.columns[column.0 as usize].info
    }

    pub(super) fn dictionary(&self, column: ColumnHandle) -> Result<Arc<Dictionary>, SegmentError> {
        let stored = self.stored(column, "texts")?;
        self.texts(stored, column.0 + FIELDS_FIRST)?
            .load(&self.file)
    }

    pub(super) fn source_id(&self) -> SourceId {
        self.id
    }

    pub(super) fn term_count(&self, column: ColumnHandle) -> Result<usize, SegmentError> {
        Ok(self.terms(column)?.term_count() as usize)
    }

    pub(super) fn find_term(
        &self,
        column: ColumnHandle,
        term: &[u8],
    ) -> Result<Option<u32>, SegmentError> {
        self.terms(column)?.find(term, &self.file)
    }

    pub(super) fn groups_with(
        &self,
        column: ColumnHandle,
        is_wanted: &mut dyn FnMut(u32) -> bool,
    ) -> Result<Option<Vec<bool>>, SegmentError> {
        let stored = self.stored(column, "texts")?;
        let presence = stored.term_presence(&self.file)?;
        Ok(presence.map(|presence| presence.groups_with(is_wanted)))
    }

    /// Number of blocks of the dictionary of `column`.
    ///
    /// # Errors
    /// When `column` holds no texts, or the file cannot be read or is damaged, as below.
    pub fn term_block_count(&self, column: ColumnHandle) -> Result<usize, SegmentError> {
        Ok(self.terms(column)?.block_count(&self.file))
    }

    /// A text between the terms of the blocks before `block`, which are smaller, and all others,
    /// which are not.
    ///
    /// # Errors
    /// As [`SegmentReader::term_block_count`].
    ///
    /// # Panics
    /// When there is no such block.
    pub fn term_block_start(
        &self,
        column: ColumnHandle,
        block: usize,
    ) -> Result<&[u8], SegmentError> {
        let block = u32::try_from(block).expect("blocks are counted in 32 bits");
        self.terms(column)?.separator(block, &self.file)
    }

    /// Replaces `out` by the terms of `block`, and says the code of the first.
    ///
    /// # Errors
    /// As [`SegmentReader::term_block_count`].
    ///
    /// # Panics
    /// When there is no such block.
    pub fn term_block(
        &self,
        column: ColumnHandle,
        block: usize,
        out: &mut Dictionary,
    ) -> Result<u32, SegmentError> {
        self.terms(column)?.block(block, &self.file, out)
    }

    fn terms(&self, column: ColumnHandle) -> Result<&DictionaryPages, SegmentError> {
        let stored = self.stored(column, "texts")?;
        self.texts(stored, column.0 + FIELDS_FIRST)
    }

    pub(super) fn numbers(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut NumberVector,
    ) -> Result<(), SegmentError> {
        let stored = self.stored(column, "numbers")?;
        if stored.dictionary.is_some() {
            return Err(SegmentError::WrongColumn {
                column: column.0,
                wanted: "numbers",
            });
        }
        stored.numbers(vector, &self.file, out)
    }

    pub(super) fn codes(
        &self,
        column: ColumnHandle,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let stored = self.stored(column, "texts")?;
        self.texts(stored, column.0 + FIELDS_FIRST)?;
        stored.codes(vector, &self.file, out)
    }

    pub(super) fn number_summary(
        &self,
        column: ColumnHandle,
        vector: usize,
    ) -> Option<NumberSummary> {
        self.columns
            .get(column.0 as usize)?
            .number_summary(vector, &self.file)
    }

    /// The header of a vector of a column, for verification.
    pub(super) fn header(
        &self,
        column: ColumnHandle,
        vector: usize,
    ) -> Result<&VectorHeader, SegmentError> {
        self.stored(column, "vectors")?.header(vector, &self.file)
    }

    pub(super) fn id(&self, row: usize) -> Result<Option<Vec<u8>>, SegmentError> {
        self.check_row(row)?;
        let Some(ids) = &self.ids else {
            return Ok(None);
        };
        let mut vector = CodeVector::default();
        ids.codes(row / VECTOR_ROWS, &self.file, &mut vector)?;
        let value = nth_value(&vector.occurrence, row % VECTOR_ROWS, 0);
        let code = value.map(|value| vector.codes[value]);
        code.map(|code| self.texts(ids, IDS)?.term(code, &self.file))
            .transpose()
    }

    /// All rows with the given id, ascending.
    pub(super) fn find_id(&self, id: &[u8]) -> Result<Vec<usize>, SegmentError> {
        let Some(ids) = &self.ids else {
            return Ok(Vec::new());
        };
        if !may_have_id(id, ids.term_count(), &self.file)? {
            return Ok(Vec::new());
        }
        let Some(code) = self.texts(ids, IDS)?.find(id, &self.file)? else {
            return Ok(Vec::new());
        };
        let first = id_row(code, ids.term_count(), &self.file)?;
        let mut rows = vec![first];
        if self.ids_are_unique(ids)? {
            return Ok(rows);
        }
        // Rare: a row that was replaced while it was sealed, or one id in several partitions.
        let mut vector_codes = CodeVector::default();
        for vector in first / VECTOR_ROWS..self.row_count().div_ceil(VECTOR_ROWS) {
            ids.codes(vector, &self.file, &mut vector_codes)?;
            if vector_codes.codes.contains(&code) {
                let found = rows_with_code(&vector_codes, code);
                let found = found.map(|row| vector * VECTOR_ROWS + row);
                rows.extend(found.filter(|row| *row > first));
            }
        }
        Ok(rows)
    }

    /// Whether there are as many ids as distinct ones.
    fn ids_are_unique(&self, ids: &StoredColumn) -> Result<bool, SegmentError> {
        if let Some(are_unique) = self.ids_are_unique.get() {
            return Ok(*are_unique);
        }
        let mut count = 0;
        for vector in 0..self.row_count().div_ceil(VECTOR_ROWS) {
            count += u64::from(ids.header(vector, &self.file)?.value_count);
        }
        let are_unique = count == u64::from(self.texts(ids, IDS)?.term_count());
        Ok(*self.ids_are_unique.get_or_init(|| are_unique))
    }

    pub(super) fn shapes(&self) -> Result<Arc<Dictionary>, SegmentError> {
        self.documents.shapes(&self.file)
    }

    pub(super) fn shape_codes(
        &self,
        vector: usize,
        out: &mut CodeVector,
    ) -> Result<(), SegmentError> {
        let rows = vector_rows(self.row_count(), vector).len();
        self.documents.shape_codes(vector, rows, &self.file, out)
    }

    pub(super) fn own_bytes(&self, row: usize) -> Result<Vec<u8>, SegmentError> {
        self.check_row(row)?;
        self.documents.own_bytes(row, &self.file)
    }

    /// One term of a text column, without loading the others.
    pub(super) fn term(&self, column: ColumnHandle, code: u32) -> Result<Vec<u8>, SegmentError> {
        self.terms(column)?.term(code, &self.file)
    }

    fn check_row(&self, row: usize) -> Result<(), SegmentError> {
        let count = self.row_count();
        if row < count {
            return Ok(());
        }
        Err(SegmentError::OutOfRange {
            what: "row",
            index: row,
            count,
        })
    }

    fn stored(
        &self,
        column: ColumnHandle,
        wanted: &'static str,
    ) -> Result<&StoredColumn, SegmentError> {
        let wrong = SegmentError::WrongColumn {
            column: column.0,
            wanted,
        };
        self.columns.get(column.0 as usize).ok_or(wrong)
    }

    fn texts<'a>(
        &self,
        stored: &'a StoredColumn,
        number: u32,
    ) -> Result<&'a DictionaryPages, SegmentError> {
        stored.dictionary.as_ref().ok_or(SegmentError::WrongColumn {
            column: number,
            wanted: "texts",
        })
    }
}

/// The rows of a vector that have `code`, ascending.
fn rows_with_code(vector: &CodeVector, code: u32) -> impl Iterator<Item = usize> {
    let mut value = 0;
    (0..vector.row_count).filter(move |row| {
        let count = match &vector.occurrence {
            VectorOccurrence::One => 1,
            VectorOccurrence::Optional(words) => (words[row / 64] >> (row % 64) & 1) as usize,
            VectorOccurrence::Many(starts) => (starts[row + 1] - starts[*row]) as usize,
        };
        let values = value..value + count;
        value = values.end;
        vector.codes[values].contains(&code)
    })
}

/// Replaces `out` by the numbers that `read` gives of column `number`, one for each row.
fn keys_of(
    number: u32,
    out: &mut Vec<i64>,
    read: impl FnOnce(&mut NumberVector) -> Result<(), SegmentError>,
) -> Result<(), SegmentError> {
    let mut numbers = NumberVector {
        mantissas: std::mem::take(out),
        ..NumberVector::default()
    };
    read(&mut numbers)?;
    if numbers.occurrence != VectorOccurrence::One {
        let name = page(number, Section::Headers, 0);
        return Err(name.malformed(Flaw("a row has no key")));
    }
    *out = numbers.mantissas;
    Ok(())
}
