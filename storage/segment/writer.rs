//! Turns rows into the bytes of a segment file.
//!
//! 1. Order all rows by time, partition and offset.
//! 2. Gather each column in that order; texts get one dictionary, sorted by bytes.
//! 3. Derive the cells.
//! 4. Append pages in ascending order of column and section, then the footer.
//!
//! The bytes are a function of the rows, the roles and the options alone.

use std::io;
use std::sync::Arc;

use super::cells::{CellPlan, Cells, derive_cells, write_cells};
use super::check::check_batch;
use super::column_writer::{write_numbers, write_texts};
use super::documents::write_documents;
use super::footer::{ColumnEntry, Footer};
use super::gather::{
    RowRef, TermOrder, common_kind, gather_column, gather_sources, gather_texts, rows_in_order,
};
use super::ids::write_id_rows;
use super::layout::{CELLS, DOCUMENTS, FIELDS_FIRST, IDS, OFFSETS, PARTITIONS, ROWS_MAX, TIMES};
use super::pages::{PageWriter, WriteFlaw};
use super::source::occurrence_kind;
use super::{
    ColumnInfo, ColumnRoles, OriginRange, SEGMENT_FORMAT_VERSION, SegmentError, SegmentOptions,
    SegmentSummary, WrittenSegment,
};
use crate::model::{
    Column, ColumnBatch, ColumnKind, Exponents, NumberColumn, Occurrence, Offset, PartitionId,
    TextColumn, VECTOR_ROWS,
};

/// Who wrote a file, for people who look at it.
const CREATOR: &str = concat!("siltstone ", env!("CARGO_PKG_VERSION"));

/// What the documents are called in messages.
const SOURCE_PATH: &str = "_source";

/// What the ids are called in messages.
const IDS_PATH: &str = "_id";

/// Writes all rows of `batches` to `out` as one segment, sorted by time, partition and offset.
///
/// # Errors
/// When there is no row, when batches do not fit together, when a limit is passed or when `out`
/// fails.
pub fn write_segment(
    batches: &[&ColumnBatch],
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut dyn io::Write,
) -> Result<WrittenSegment, SegmentError> {
    for batch in batches {
        check_batch(batch)?;
    }
    write_rows(batches, &sorted_rows(batches)?, roles, options, out)
}

/// Writes `rows`, which ascend by time, partition and offset.
pub(super) fn write_rows(
    batches: &[&ColumnBatch],
    rows: &[RowRef],
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut dyn io::Write,
) -> Result<WrittenSegment, SegmentError> {
    if rows.is_empty() {
        return Err(SegmentError::NoRows);
    }
    let sorted = gather_rows(batches, rows, roles)?;
    let cells = derive_cells(&sorted, &CellPlan::new(&sorted, roles, options));
    encode_segment(&sorted, &cells, out)
}

/// `rows` of `batches` as one batch in the form that segments have.
fn gather_rows(
    batches: &[&ColumnBatch],
    rows: &[RowRef],
    roles: &ColumnRoles,
) -> Result<ColumnBatch, SegmentError> {
    let order = TermOrder::Bytes;
    let mut paths: Vec<&Arc<str>> = batches
        .iter()
        .flat_map(|batch| batch.columns.iter().map(|(path, _)| path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut columns = Vec::with_capacity(paths.len());
    for path in paths {
        let kind = common_kind(batches, path, roles.decimals.contains(path))?;
        columns.push((
            path.clone(),
            gather_column(batches, path, kind, rows, order)?,
        ));
    }
    let all_ids: Vec<_> = batches.iter().map(|batch| batch.ids.as_ref()).collect();
    let ids = gather_texts(&all_ids, &IDS_PATH.into(), rows, order)?;
    let pick = |row: &RowRef| (batches[row.batch as usize], row.row as usize);
    Ok(ColumnBatch {
        times_ms: rows
            .iter()
            .map(pick)
            .map(|(batch, row)| batch.times_ms[row])
            .collect(),
        partitions: rows
            .iter()
            .map(pick)
            .map(|(batch, row)| batch.partitions[row])
            .collect(),
        offsets: rows
            .iter()
            .map(pick)
            .map(|(batch, row)| batch.offsets[row])
            .collect(),
        ids: Some(ids).filter(|ids| !ids.codes.is_empty()),
        sources: gather_sources(batches, rows, order),
        columns,
        times_are_field: batches
            .iter()
            .all(|batch| batch.times_are_field || batch.row_count() == 0),
    })
}

pub(super) fn sorted_rows(batches: &[&ColumnBatch]) -> Result<Vec<RowRef>, SegmentError> {
    let rows = rows_in_order(batches);
    if rows.is_empty() {
        return Err(SegmentError::NoRows);
    }
    if rows.len() > ROWS_MAX {
        return Err(SegmentError::TooManyRows {
            rows: rows.len(),
            rows_max: ROWS_MAX,
        });
    }
    let mut keyed: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let (batch, index) = (batches[row.batch as usize], row.row as usize);
            (
                batch.times_ms[index],
                batch.partitions[index],
                batch.offsets[index],
                row,
            )
        })
        .collect();
    keyed.sort_by_key(|(time_ms, partition, offset, _)| (*time_ms, *partition, *offset));
    Ok(keyed.into_iter().map(|(.., row)| row).collect())
}

/// The file of a batch that [`sort_batches`] made.
fn encode_segment(
    batch: &ColumnBatch,
    cells: &Cells,
    out: &mut dyn io::Write,
) -> Result<WrittenSegment, SegmentError> {
    let row_count = batch.row_count();
    let seed = seed(batch);
    let mut out = PageWriter::new(seed, out).map_err(|flaw| flaw.of("header"))?;
    write_row_keys(batch, &mut out).map_err(|flaw| flaw.of("row keys"))?;
    let ids = match &batch.ids {
        Some(ids) => Some(write_ids(ids, row_count, &mut out)?),
        None => None,
    };
    let documents = write_documents(&batch.sources, row_count, &mut out);
    let shapes = documents.map_err(|flaw| flaw.of(SOURCE_PATH))?;
    write_cells(cells, &mut out).map_err(|flaw| flaw.of("cells"))?;
    let mut columns = Vec::with_capacity(batch.columns.len());
    for ((path, column), number) in batch.columns.iter().zip(FIELDS_FIRST..) {
        let entry = write_field(path, column, number, batch, &mut out);
        columns.push(entry.map_err(|flaw| flaw.of(path))?);
    }
    let summary = summarise(batch);
    let footer = Footer {
        creator: CREATOR.into(),
        summary: summary.clone(),
        seed,
        times_are_field: batch.times_are_field,
        vector_times_ms: batch
            .times_ms
            .chunks(VECTOR_ROWS)
            .map(|times| (times[0], times[times.len() - 1]))
            .collect(),
        ids,
        shapes,
        columns,
        pages: std::mem::take(&mut out.pages),
    };
    let (bytes, content_hash) = out.finish(&footer).map_err(|flaw| flaw.of("footer"))?;
    Ok(WrittenSegment {
        content_hash,
        bytes,
        summary,
    })
}

/// What checksums of this segment start from: the place and time of its ends, so that a page of
/// another segment is not taken for one of this.
fn seed(batch: &ColumnBatch) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(batch.row_count() as u64).to_le_bytes());
    for row in [0, batch.row_count() - 1] {
        hasher.update(&batch.times_ms[row].to_le_bytes());
        hasher.update(&batch.partitions[row].to_le_bytes());
        hasher.update(&batch.offsets[row].to_le_bytes());
    }
    hasher.finalize()
}

/// Sort times, partitions and offsets.
fn write_row_keys(batch: &ColumnBatch, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
    let partitions = batch
        .partitions
        .iter()
        .map(|partition| i64::from(*partition));
    let offsets = batch.offsets.iter().map(|offset| offset.cast_signed());
    let columns = [
        (TIMES, batch.times_ms.clone()),
        (PARTITIONS, partitions.collect()),
        (OFFSETS, offsets.collect()),
    ];
    for (number, mantissas) in columns {
        let numbers = NumberColumn {
            mantissas,
            exponents: Exponents::Uniform(0),
            occurrence: Occurrence::One,
        };
        write_numbers(&numbers, batch.row_count(), number, out)?;
    }
    Ok(())
}

fn write_ids(
    ids: &TextColumn,
    row_count: usize,
    out: &mut PageWriter<'_>,
) -> Result<ColumnEntry, SegmentError> {
    let written = write_texts(ids, row_count, IDS, out);
    let written = written.and_then(|()| write_id_rows(ids, row_count, out));
    written.map_err(|flaw| flaw.of(IDS_PATH))?;
    Ok(text_entry(&IDS_PATH.into(), ids, IDS))
}

fn write_field(
    path: &Arc<str>,
    column: &Column,
    number: u32,
    batch: &ColumnBatch,
    out: &mut PageWriter<'_>,
) -> Result<ColumnEntry, WriteFlaw> {
    let row_count = batch.row_count();
    let (numbers, kind) = match column {
        Column::Integer(numbers) => (numbers, ColumnKind::Integer),
        Column::Decimal(numbers) => (numbers, ColumnKind::Decimal),
        Column::Text(texts) => {
            write_texts(texts, row_count, number, out)?;
            return Ok(text_entry(path, texts, number));
        }
    };
    let is_time = kind == ColumnKind::Integer
        && numbers.occurrence == Occurrence::One
        && numbers.mantissas == batch.times_ms;
    if !is_time {
        write_numbers(numbers, row_count, number, out)?;
    }
    Ok(ColumnEntry {
        path: path.clone(),
        stored_as: if is_time { TIMES } else { number },
        info: ColumnInfo {
            kind,
            occurrence: occurrence_kind(&numbers.occurrence),
        },
        term_count: 0,
        text_bytes: 0,
    })
}

fn text_entry(path: &Arc<str>, texts: &TextColumn, number: u32) -> ColumnEntry {
    let dictionary = &texts.dictionary;
    ColumnEntry {
        path: path.clone(),
        stored_as: number,
        info: ColumnInfo {
            kind: ColumnKind::Text,
            occurrence: occurrence_kind(&texts.occurrence),
        },
        term_count: u32::try_from(dictionary.len()).expect("codes have 32 bits"),
        text_bytes: u32::try_from(dictionary.text_bytes()).expect("dictionaries are bounded"),
    }
}

/// What the footer says about the rows of `batch`.
pub(super) fn summarise(batch: &ColumnBatch) -> SegmentSummary {
    let mut origins: std::collections::BTreeMap<u32, OriginRange> = Default::default();
    for (partition, offset) in batch.partitions.iter().zip(&batch.offsets) {
        let offset = Offset(*offset);
        let origin = origins.entry(*partition).or_insert(OriginRange {
            partition: PartitionId(*partition),
            first: offset,
            last: offset,
            row_count: 0,
        });
        origin.first = origin.first.min(offset);
        origin.last = origin.last.max(offset);
        origin.row_count += 1;
    }
    SegmentSummary {
        row_count: batch.row_count() as u64,
        time_first_ms: batch.times_ms.first().copied().unwrap_or(0),
        time_last_ms: batch.times_ms.last().copied().unwrap_or(0),
        format_version: SEGMENT_FORMAT_VERSION,
        origins: origins.into_values().collect(),
    }
}

// Pages are written in ascending order of their column's number.
const _: () = assert!(TIMES < PARTITIONS && PARTITIONS < OFFSETS && OFFSETS < IDS);
const _: () = assert!(IDS < DOCUMENTS && DOCUMENTS < CELLS && CELLS < FIELDS_FIRST);
