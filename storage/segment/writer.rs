//! Turns rows into a segment file.
//!
//! 1. Put all rows in the order of time, partition and offset.
//! 2. Write the row keys, the ids, the documents, and each field in ascending order of path: the
//!    distinct texts first, then vector by vector. One column at a time is in memory.
//! 3. Derive the cells, hour by hour, and write them.
//! 4. Write the footer.
//!
//! The bytes are a function of the rows, the roles and the options alone.

use std::io;
use std::sync::Arc;

use super::cells::{CellForm, CellPlan, Dimension, derive_cells, write_cells};
use super::column_writer::{WrittenTexts, write_numbers, write_texts};
use super::documents::write_documents;
use super::footer::{ColumnEntry, Footer};
use super::id_filter::IdFilter;
use super::ids::IdRows;
use super::input::{
    CodeMaps, KeyPart, NumberName, RowInput, SortedBatches, TermStatistics, Terms, TextName,
    canonical_numbers,
};
use super::layout::{CELLS, DOCUMENTS, FIELDS_FIRST, IDS, OFFSETS, PARTITIONS, TIMES};
use super::pages::{PageWriter, WriteFlaw};
use super::presence::PresenceBuilder;
use super::row_keys::write_row_keys;
use super::source::vector_rows;
use super::{
    ColumnInfo, ColumnOccurrence, ColumnRoles, SegmentError, SegmentOptions, WrittenSegment,
};
use crate::model::{
    ColumnBatch, ColumnKind, NumberVector, VECTOR_ROWS, VERSION_COLUMN, VectorOccurrence,
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
    write_rows(&SortedBatches::new(batches, roles)?, roles, options, out)
}

/// Writes the rows of `input`.
pub(super) fn write_rows(
    input: &dyn RowInput,
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut dyn io::Write,
) -> Result<WrittenSegment, SegmentError> {
    let seed = seed(input)?;
    let mut out = PageWriter::new(seed, out).map_err(|flaw| flaw.of("file header"))?;
    let keys = write_row_keys(input, &mut out).map_err(|flaw| flaw.of("row keys"))?;
    let ids = write_ids(input, &mut out).map_err(|flaw| flaw.of(IDS_PATH))?;
    let shapes = write_documents(input, &mut out).map_err(|flaw| flaw.of(SOURCE_PATH))?;
    let fields = write_fields(input, roles, options, &mut out)?;
    let plan = fields.plan(input, options);
    let cells = derive_cells(input, keys.hours, &plan, CellForm::Pages)?;
    write_cells(&cells, &mut out).map_err(|flaw| flaw.of("cells"))?;
    let footer = Footer {
        creator: CREATOR.into(),
        summary: keys.summary,
        seed,
        times_are_field: input.times_are_field(),
        vector_times_ms: keys.vector_times_ms,
        ids,
        shapes,
        columns: fields.columns,
        pages: std::mem::take(&mut out.pages),
    };
    let (bytes, content_hash) = out.finish(&footer).map_err(|flaw| flaw.of("footer"))?;
    Ok(WrittenSegment {
        content_hash,
        bytes,
        summary: footer.summary,
    })
}

/// What checksums of this segment start from: the place and time of its ends, so that a page of
/// another segment is not taken for one of this.
fn seed(input: &dyn RowInput) -> Result<u32, SegmentError> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(input.row_count() as u64).to_le_bytes());
    for key in input.ends()? {
        hasher.update(&key.time_ms.to_le_bytes());
        hasher.update(&key.partition.to_le_bytes());
        hasher.update(&key.offset.to_le_bytes());
    }
    Ok(hasher.finalize())
}

/// Appends the ids, if some row has one.
fn write_ids(
    input: &dyn RowInput,
    out: &mut PageWriter<'_>,
) -> Result<Option<ColumnEntry>, WriteFlaw> {
    let terms = input.terms(TextName::Ids)?;
    if terms.statistics().prefix.is_none() {
        return Ok(None);
    }
    let mut rows = IdRows::default();
    let watch = |first_row, codes: &_| rows.push(first_row, codes);
    let mut ids = FilteredIds {
        filter: IdFilter::new(terms.count_max()),
        terms,
    };
    let written = write_texts(input, TextName::Ids, &mut ids, IDS, out, watch)?;
    rows.write(out)?;
    ids.filter.write(out)?;
    Ok(Some(text_entry(&IDS_PATH.into(), IDS, &written)))
}

/// Ids that go into the filter on their way.
struct FilteredIds<'a> {
    terms: Box<dyn Terms + 'a>,
    filter: IdFilter,
}

impl Terms for FilteredIds<'_> {
    fn statistics(&self) -> &TermStatistics {
        self.terms.statistics()
    }

    fn count_max(&self) -> usize {
        self.terms.count_max()
    }

    fn visit(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<CodeMaps, WriteFlaw> {
        let filter = &mut self.filter;
        self.terms.visit(&mut |id| {
            filter.insert(id);
            each(id)
        })
    }
}

/// The fields once they are written.
#[derive(Default)]
struct WrittenFields {
    columns: Vec<ColumnEntry>,
    measures: Vec<(Arc<str>, ColumnKind)>,
    dimensions: Vec<Dimension>,
}

impl WrittenFields {
    fn plan(&self, input: &dyn RowInput, options: &SegmentOptions) -> CellPlan {
        let measures = self.measures.iter().take(options.measures_max);
        let measures: Vec<_> = measures.cloned().collect();
        let percent_max = options.cell_rows_percent_max;
        CellPlan {
            dimension_cells_max: CellPlan::cells_max(
                input.row_count(),
                percent_max,
                measures.len(),
            ),
            measures,
            dimensions: self.dimensions.clone(),
        }
    }
}

fn write_fields(
    input: &dyn RowInput,
    roles: &ColumnRoles,
    options: &SegmentOptions,
    out: &mut PageWriter<'_>,
) -> Result<WrittenFields, SegmentError> {
    let mut fields = WrittenFields::default();
    for ((path, kind), number) in input.fields()?.into_iter().zip(FIELDS_FIRST..) {
        if kind != ColumnKind::Text {
            let entry = write_number_field(&path, kind, number, input, out);
            fields.columns.push(entry.map_err(|flaw| flaw.of(&path))?);
            let is_field = path.as_ref() != VERSION_COLUMN;
            if is_field && roles.time_column.as_ref() != Some(&path) {
                fields.measures.push((path, kind));
            }
            continue;
        }
        let name = TextName::Field(&path);
        let mut terms = input.terms(name)?;
        let mut presence = PresenceBuilder::default();
        let watch = |first_row, codes: &_| presence.push(first_row, codes);
        let written = write_texts(input, name, terms.as_mut(), number, out, watch);
        let written = written.map_err(|flaw| flaw.of(&path))?;
        if let Some(presence) = presence.finish(written.size.term_count as usize) {
            let flawed = |flaw: WriteFlaw| flaw.of(&path);
            presence.write(number, out).map_err(flawed)?;
        }
        fields.columns.push(text_entry(&path, number, &written));
        let term_count = written.size.term_count as usize;
        let is_single = written.occurrence != ColumnOccurrence::Many;
        let is_small = term_count <= options.dimension_terms_max;
        if is_single && is_small && roles.dimensions.contains(&path) {
            let maps: CodeMaps = written.maps;
            fields.dimensions.push(Dimension {
                path,
                term_count,
                maps,
            });
        }
    }
    Ok(fields)
}

fn write_number_field(
    path: &Arc<str>,
    kind: ColumnKind,
    number: u32,
    input: &dyn RowInput,
    out: &mut PageWriter<'_>,
) -> Result<ColumnEntry, WriteFlaw> {
    let is_time = kind == ColumnKind::Integer && equals_times(path, kind, input)?;
    let occurrence = if is_time {
        ColumnOccurrence::One
    } else {
        let numbers = canonical_numbers(input, path, kind)?;
        write_numbers(numbers, input.row_count(), number, out, |_| ())?
    };
    Ok(ColumnEntry {
        path: path.clone(),
        stored_as: if is_time { TIMES } else { number },
        info: ColumnInfo { kind, occurrence },
        term_count: 0,
        text_bytes: 0,
    })
}

/// Whether every row has its sort time as the only value of the column at `path`.
fn equals_times(
    path: &Arc<str>,
    kind: ColumnKind,
    input: &dyn RowInput,
) -> Result<bool, SegmentError> {
    let mut times = input.numbers(NumberName::Key(KeyPart::Times))?;
    let mut numbers = input.numbers(NumberName::Field(path, kind))?;
    let (mut of_times, mut of_field) = (NumberVector::default(), NumberVector::default());
    let row_count = input.row_count();
    for vector in 0..row_count.div_ceil(VECTOR_ROWS) {
        let rows = vector_rows(row_count, vector).len();
        times.next(rows, &mut of_times)?;
        numbers.next(rows, &mut of_field)?;
        let is_single = of_field.occurrence == VectorOccurrence::One;
        if !is_single || of_field.mantissas != of_times.mantissas {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text_entry(path: &Arc<str>, number: u32, written: &WrittenTexts) -> ColumnEntry {
    ColumnEntry {
        path: path.clone(),
        stored_as: number,
        info: ColumnInfo {
            kind: ColumnKind::Text,
            occurrence: written.occurrence,
        },
        term_count: written.size.term_count,
        text_bytes: written.size.text_bytes,
    }
}

// Pages are written in ascending order of their column's number.
const _: () = assert!(TIMES < PARTITIONS && PARTITIONS < OFFSETS && OFFSETS < IDS);
const _: () = assert!(IDS < DOCUMENTS && DOCUMENTS < FIELDS_FIRST && FIELDS_FIRST < CELLS);
