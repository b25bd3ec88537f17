//! The first row of each explicit id, in order of the ids, so that an id leads to its row.

use super::encoding::Flaw;
use super::layout::{ID_ROWS_PAGE_TERMS, IDS, page};
use super::occurrence::for_each_value;
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw};
use super::{Section, SegmentError};
use crate::model::TextColumn;

/// Appends the rows of the ids, of which every term has a row.
pub(super) fn write_id_rows(
    ids: &TextColumn,
    row_count: usize,
    out: &mut PageWriter<'_>,
) -> Result<(), WriteFlaw> {
    let rows = first_rows(ids, row_count);
    for (number, rows) in (0..).zip(rows.chunks(ID_ROWS_PAGE_TERMS)) {
        let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        out.add(page(IDS, Section::IdRows, number), &bytes, Packing::Zstd)?;
    }
    Ok(())
}

/// The first row of each term.
pub(super) fn first_rows(ids: &TextColumn, row_count: usize) -> Vec<u32> {
    let mut rows = vec![u32::MAX; ids.dictionary.len()];
    for_each_value(&ids.occurrence, row_count, |row, value| {
        let first = &mut rows[ids.codes[value] as usize];
        *first = (*first).min(u32::try_from(row).expect("segments hold fewer than 2^32 rows"));
    });
    rows
}

/// The first row of the id with `code`.
pub(super) fn id_row(code: u32, file: &PagedFile) -> Result<usize, SegmentError> {
    let pages = file.pages(IDS, Section::IdRows);
    let place = code as usize;
    let number = pages.start + place / ID_ROWS_PAGE_TERMS;
    if !pages.contains(&number) {
        let name = page(IDS, Section::IdRows, 0);
        return Err(name.malformed(Flaw("an id has no row")));
    }
    let bytes = file.page(number)?;
    let row = bytes.as_chunks().0.get(place % ID_ROWS_PAGE_TERMS);
    row.map(|row| u32::from_le_bytes(*row))
        .filter(|row| u64::from(*row) < file.footer.summary.row_count)
        .map(|row| row as usize)
        .ok_or_else(|| {
            file.footer.pages[number]
                .name
                .malformed(Flaw("an id has no row"))
        })
}
