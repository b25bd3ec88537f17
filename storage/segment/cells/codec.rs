//! Cells as pages: the hours first, then each set followed by its measures, a page each.

use std::sync::Arc;

use super::{CellSet, Cells, DerivedCells, HourRows, MeasureCells, NULL_CODE};
use crate::model::{ColumnKind, Decimal, ExactSum};
use crate::segment::encoding::{ByteReader, ByteWriter, Flaw};
use crate::segment::layout::{CELLS, page};
use crate::segment::pages::{Packing, PageWriter, PagedFile, WriteFlaw, decode_page};
use crate::segment::{PageName, Section, SegmentError};

const PAGE_HOURS: u8 = 0;
const PAGE_SET: u8 = 1;
const PAGE_MEASURE: u8 = 2;

/// Appends the pages of cells.
pub(in crate::segment) fn write_cells(
    derived: &DerivedCells,
    out: &mut PageWriter<'_>,
) -> Result<(), WriteFlaw> {
    let mut index = 0..;
    let mut add = |body: &[u8]| {
        let number = index
            .next()
            .expect("there are fewer than 2^32 sets and measures");
        out.add(page(CELLS, Section::Cells, number), body, Packing::Zstd)
    };
    add(&encode_hours(&derived.cells.hours))?;
    for (set, measure_pages) in derived.cells.sets.iter().zip(&derived.measure_pages) {
        add(&encode_set(set))?;
        for measure in &set.measures {
            add(&encode_measure(measure))?;
        }
        for page in measure_pages {
            add(page)?;
        }
    }
    Ok(())
}

/// The pages of `cells`, whose measures are values.
pub(in crate::segment) fn encode_cells(cells: &Cells) -> Vec<Vec<u8>> {
    let mut pages = vec![encode_hours(&cells.hours)];
    for set in &cells.sets {
        pages.push(encode_set(set));
        pages.extend(set.measures.iter().map(encode_measure));
    }
    pages
}

/// The cells that `pages` of `name` hold, of rows of `file`.
pub(in crate::segment) fn decode_cells(
    name: PageName,
    pages: Vec<&[u8]>,
    file: &PagedFile,
) -> Result<Cells, SegmentError> {
    let mut cells = Cells::default();
    for bytes in pages {
        decode_page(name, bytes, |bytes| decode_next(bytes, file, &mut cells))?;
    }
    check(cells).map_err(|flaw| name.malformed(flaw))
}

/// All cells of `file`.
pub(in crate::segment) fn read_cells(file: &PagedFile) -> Result<Cells, SegmentError> {
    let mut cells = Cells::default();
    for number in file.pages(CELLS, Section::Cells) {
        let bytes = file.read_page(number)?;
        let name = file.footer.pages[number].name;
        decode_page(name, &bytes, |bytes| decode_next(bytes, file, &mut cells))?;
    }
    check(cells).map_err(|flaw| page(CELLS, Section::Cells, 0).malformed(flaw))
}

/// Whether nothing is missing.
fn check(cells: Cells) -> Result<Cells, Flaw> {
    if cells.sets.first().is_none_or(|set| set.dimension.is_some()) || cells.hours.is_empty() {
        return Err(Flaw("hours or the set without dimension are missing"));
    }
    Ok(cells)
}

/// Reads one page and adds what it holds.
fn decode_next(
    bytes: &mut ByteReader<'_>,
    file: &PagedFile,
    cells: &mut Cells,
) -> Result<(), Flaw> {
    match bytes.u8()? {
        PAGE_HOURS if cells.hours.is_empty() => {
            cells.hours = decode_hours(bytes, file.footer.summary.row_count)?;
        }
        PAGE_SET => cells.sets.push(decode_set(bytes, file)?),
        PAGE_MEASURE => {
            let set = cells
                .sets
                .last_mut()
                .ok_or(Flaw("a measure belongs to no set"))?;
            let measure = decode_measure(bytes, set.row_counts.len())?;
            set.measures.push(measure);
        }
        _ => return Err(Flaw("it is of an unknown kind")),
    }
    Ok(())
}

fn encode_hours(hours: &[HourRows]) -> Vec<u8> {
    let mut out = vec![PAGE_HOURS];
    out.put_unsigned(hours.len());
    let mut previous = 0;
    for hour in hours {
        out.put_signed(i128::from(hour.hour_ms) - previous);
        out.put_varint(hour.first_row.into());
        previous = i128::from(hour.hour_ms);
    }
    out
}

fn decode_hours(bytes: &mut ByteReader<'_>, row_count: u64) -> Result<Vec<HourRows>, Flaw> {
    let count = bytes.count(2)?;
    let mut hours: Vec<HourRows> = Vec::with_capacity(count);
    let mut previous_ms = 0;
    for _ in 0..count {
        previous_ms = next_hour(previous_ms, bytes)?;
        let hour = HourRows {
            hour_ms: previous_ms,
            first_row: bytes.unsigned()?,
        };
        let ascends = hours
            .last()
            .is_none_or(|last| last.hour_ms < hour.hour_ms && last.first_row < hour.first_row);
        if !ascends || u64::from(hour.first_row) >= row_count {
            return Err(Flaw("hours do not ascend"));
        }
        hours.push(hour);
    }
    Ok(hours)
}

fn next_hour(previous_ms: i64, bytes: &mut ByteReader<'_>) -> Result<i64, Flaw> {
    let distance: i128 = bytes.signed()?;
    distance
        .checked_add(i128::from(previous_ms))
        .and_then(|hour_ms| i64::try_from(hour_ms).ok())
        .ok_or(Flaw("an hour is out of bounds"))
}

fn encode_set(set: &CellSet) -> Vec<u8> {
    let mut out = vec![PAGE_SET];
    match &set.dimension {
        Some(path) => {
            out.push(1);
            out.put_sized(path.as_bytes());
        }
        None => out.push(0),
    }
    out.put_unsigned(set.row_counts.len());
    let mut previous = 0;
    for hour_ms in &set.hours_ms {
        out.put_signed(i128::from(*hour_ms) - previous);
        previous = i128::from(*hour_ms);
    }
    for code in &set.codes {
        // No value is 0, so that a set without dimension costs nothing once compressed.
        out.put_varint(code.wrapping_add(1).into());
    }
    for rows in &set.row_counts {
        out.put_varint((*rows).into());
    }
    out
}

fn decode_set(bytes: &mut ByteReader<'_>, file: &PagedFile) -> Result<CellSet, Flaw> {
    let dimension = match bytes.u8()? {
        0 => None,
        1 => Some(text(bytes)?),
        _ => return Err(Flaw("a flag is neither 0 nor 1")),
    };
    let term_count = match &dimension {
        None => 0,
        Some(path) => {
            let columns = &file.footer.columns;
            let index = columns.binary_search_by(|column| column.path.cmp(path));
            let index = index.map_err(|_| Flaw("its dimension is no column"))?;
            columns[index].term_count
        }
    };
    let count = bytes.count(3)?;
    let mut set = CellSet {
        dimension,
        hours_ms: Vec::with_capacity(count),
        codes: Vec::with_capacity(count),
        row_counts: Vec::with_capacity(count),
        measures: Vec::new(),
    };
    let mut previous_ms = 0;
    for _ in 0..count {
        previous_ms = next_hour(previous_ms, bytes)?;
        set.hours_ms.push(previous_ms);
    }
    for _ in 0..count {
        let code = bytes.unsigned::<u32>()?.wrapping_sub(1);
        if code != NULL_CODE && code >= term_count {
            return Err(Flaw("a code has no term"));
        }
        set.codes.push(code);
    }
    for _ in 0..count {
        set.row_counts.push(bytes.unsigned()?);
    }
    if !set
        .hours_ms
        .iter()
        .zip(&set.codes)
        .is_sorted_by(|a, b| a < b)
    {
        return Err(Flaw("cells do not ascend"));
    }
    Ok(set)
}

fn encode_measure(measure: &MeasureCells) -> Vec<u8> {
    let mut out = begin_measure(&measure.column, measure.kind);
    put_measure_cells(measure, &mut out);
    out
}

/// What a page of a measure begins with.
pub(super) fn begin_measure(column: &str, kind: ColumnKind) -> Vec<u8> {
    let mut out = vec![PAGE_MEASURE];
    out.put_sized(column.as_bytes());
    out.push(match kind {
        ColumnKind::Integer => 0,
        ColumnKind::Decimal => 1,
        ColumnKind::Text => unreachable!("texts are not measured"),
    });
    out
}

/// Appends cells to the page of a measure.
pub(super) fn put_measure_cells(measure: &MeasureCells, out: &mut Vec<u8>) {
    for (cell, count) in measure.value_counts.iter().enumerate() {
        out.put_varint((*count).into());
        if *count == 0 {
            continue;
        }
        for bound in [measure.mins[cell], measure.maxs[cell]] {
            out.put_signed(bound.mantissa.into());
            out.put_signed(bound.exponent.into());
        }
        let parts = measure.sums[cell].parts();
        out.put_unsigned(parts.len());
        for (exponent, mantissas) in parts {
            out.put_signed((*exponent).into());
            out.put_signed(*mantissas);
        }
    }
}

fn decode_measure(bytes: &mut ByteReader<'_>, cell_count: usize) -> Result<MeasureCells, Flaw> {
    let column = text(bytes)?;
    let kind = match bytes.u8()? {
        0 => ColumnKind::Integer,
        1 => ColumnKind::Decimal,
        _ => return Err(Flaw("a measure is of an unknown kind")),
    };
    if cell_count > bytes.remaining() {
        return Err(Flaw("it ends too early"));
    }
    let mut measure = MeasureCells {
        column,
        kind,
        value_counts: Vec::with_capacity(cell_count),
        sums: Vec::with_capacity(cell_count),
        mins: Vec::with_capacity(cell_count),
        maxs: Vec::with_capacity(cell_count),
    };
    for _ in 0..cell_count {
        let count: u64 = bytes.unsigned()?;
        let mut sum = ExactSum::default();
        let (mut min, mut max) = (Decimal::default(), Decimal::default());
        if count > 0 {
            min = decimal(bytes)?;
            max = decimal(bytes)?;
            for _ in 0..bytes.count(2)? {
                let exponent = bytes.signed()?;
                let mantissas = bytes.signed()?;
                if sum
                    .parts()
                    .last()
                    .is_some_and(|(last, _)| *last >= exponent)
                {
                    return Err(Flaw("parts of a sum do not ascend"));
                }
                sum.add_scaled(mantissas, exponent);
            }
        }
        measure.value_counts.push(count);
        measure.mins.push(min);
        measure.maxs.push(max);
        measure.sums.push(sum);
    }
    Ok(measure)
}

fn decimal(bytes: &mut ByteReader<'_>) -> Result<Decimal, Flaw> {
    Ok(Decimal {
        mantissa: bytes.signed()?,
        exponent: bytes.signed()?,
    })
}

fn text(bytes: &mut ByteReader<'_>) -> Result<Arc<str>, Flaw> {
    let text = std::str::from_utf8(bytes.sized()?).map_err(|_| Flaw("a path is no UTF-8"))?;
    Ok(text.into())
}
