//! The first row of each explicit id, in order of the ids, so that an id leads to its row.

use super::encoding::{ByteReader, Flaw, decode_with_code, encode_with_code};
use super::layout::{ID_ROWS_PAGE_TERMS, IDS, page};
use super::occurrence::VECTOR_WORDS;
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw};
use super::{Section, SegmentError};
use crate::model::{CodeVector, VectorOccurrence};

/// The first row of each id.
#[derive(Debug, Default)]
pub(super) struct IdRows {
    rows: Vec<u32>,
}

impl IdRows {
    /// Adds the ids of a vector that begins with `first_row`.
    pub(super) fn push(&mut self, first_row: usize, vector: &CodeVector) {
        let first_row = u32::try_from(first_row).expect("segments hold fewer than 2^32 rows");
        match &vector.occurrence {
            VectorOccurrence::One => {
                for (row, code) in (first_row..).zip(&vector.codes) {
                    self.put(*code, row);
                }
            }
            VectorOccurrence::Optional(words) => {
                let mut codes = vector.codes.iter();
                for (row, place) in (first_row..).zip(0..VECTOR_WORDS * 64) {
                    if words[place / 64] >> (place % 64) & 1 == 1
                        && let Some(code) = codes.next()
                    {
                        self.put(*code, row);
                    }
                }
            }
            VectorOccurrence::Many(starts) => {
                for (row, pair) in (first_row..).zip(starts.windows(2)) {
                    for code in &vector.codes[pair[0] as usize..pair[1] as usize] {
                        self.put(*code, row);
                    }
                }
            }
        }
    }

    /// Rows come in ascending order.
    fn put(&mut self, code: u32, row: u32) {
        let place = code as usize;
        if self.rows.len() <= place {
            self.rows.resize(place + 1, u32::MAX);
        }
        self.rows[place] = self.rows[place].min(row);
    }

    /// Appends the rows of the ids, of which every term has a row.
    pub(super) fn write(&self, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        for (number, rows) in (0..).zip(self.rows.chunks(ID_ROWS_PAGE_TERMS)) {
            let rows: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
            let mut bytes = Vec::new();
            encode_with_code(&rows, &mut bytes);
            out.add(page(IDS, Section::IdRows, number), &bytes, Packing::Plain)?;
        }
        Ok(())
    }

    /// The first row of each id, in order of the ids.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }
}

/// The first row of the id with `code`, of `id_count`.
pub(super) fn id_row(code: u32, id_count: u32, file: &PagedFile) -> Result<usize, SegmentError> {
    let pages = file.pages(IDS, Section::IdRows);
    let place = code as usize;
    let number = pages.start + place / ID_ROWS_PAGE_TERMS;
    if !pages.contains(&number) {
        let name = page(IDS, Section::IdRows, 0);
        return Err(name.malformed(Flaw("an id has no row")));
    }
    let bytes = file.page(number)?;
    let name = file.footer.pages[number].name;
    let first = place - place % ID_ROWS_PAGE_TERMS;
    let count = (id_count as usize - first).min(ID_ROWS_PAGE_TERMS);
    let mut reader = ByteReader::new(&bytes);
    let mut rows = Vec::new();
    decode_with_code(count, &mut reader, &mut rows)
        .and_then(|()| reader.finish())
        .map_err(|flaw| name.malformed(flaw))?;
    let row = u64::try_from(rows[place - first]).ok();
    row.filter(|row| *row < file.footer.summary.row_count)
        .and_then(|row| usize::try_from(row).ok())
        .ok_or_else(|| name.malformed(Flaw("an id has no row")))
}
