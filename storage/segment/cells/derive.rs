//! Cells from sorted rows, hour by hour: only the cells of one hour are being added to.

use std::ops::Range;
use std::sync::Arc;

use super::accumulate::MeasureBuilder;
use super::{CellSet, Cells, HourRows, NULL_CODE};
use crate::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, HOUR_MS, NumberVector, VECTOR_ROWS,
    VectorOccurrence,
};
use crate::segment::encoding::Flaw;
use crate::segment::input::{
    CodeMaps, RowInput, SortedBatches, Stream, TextName, canonical_numbers,
};
use crate::segment::layout::{CELLS, page};
use crate::segment::source::vector_rows;
use crate::segment::{ColumnRoles, Section, SegmentError};

/// Most values of measures in the cells of one dimension, for each row of the segment: a wide
/// segment gets cells only for dimensions that make few of them.
const MEASURE_CELLS_PER_ROW_MAX: usize = 8;

/// What measures of cells become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) enum CellForm {
    /// Values to compare and to answer with.
    Values,
    /// Pages of a file.
    Pages,
}

/// Cells, and the pages of their measures when these were wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::segment) struct DerivedCells {
    /// Without measures when these are pages.
    pub(in crate::segment) cells: Cells,
    /// For each set the pages of its measures.
    pub(in crate::segment) measure_pages: Vec<Vec<Vec<u8>>>,
}

/// Which cells to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::segment) struct CellPlan {
    /// Number columns that are measured, ascending by path.
    pub(in crate::segment) measures: Vec<(Arc<str>, ColumnKind)>,
    /// Text columns that get a set of cells each, ascending by path.
    pub(in crate::segment) dimensions: Vec<Dimension>,
    /// Most cells of a dimension; one that has more gets none.
    pub(in crate::segment) dimension_cells_max: usize,
}

/// A text column of at most one value a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::segment) struct Dimension {
    pub(in crate::segment) path: Arc<str>,
    pub(in crate::segment) term_count: usize,
    /// Codes of the input as codes of the segment.
    pub(in crate::segment) maps: CodeMaps,
}

impl CellPlan {
    /// The most cells that a dimension of a segment of `row_count` rows may have, when they may be
    /// `percent_max` percent of the rows.
    pub(in crate::segment) fn cells_max(
        row_count: usize,
        percent_max: usize,
        measure_count: usize,
    ) -> usize {
        let by_rows = row_count.saturating_mul(percent_max) / 100;
        let by_width = row_count * MEASURE_CELLS_PER_ROW_MAX / measure_count.max(1);
        by_rows.min(by_width)
    }
}

/// The hour that `time_ms` lies in.
fn hour_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS)
}

/// The cells of the rows of `input`, whose hours are known already.
pub(in crate::segment) fn derive_cells(
    input: &dyn RowInput,
    hours: Vec<HourRows>,
    plan: &CellPlan,
    form: CellForm,
) -> Result<DerivedCells, SegmentError> {
    let mut measures = Vec::with_capacity(plan.measures.len());
    for (path, kind) in &plan.measures {
        measures.push(Measure {
            stream: canonical_numbers(input, path, *kind)?,
            vector: NumberVector::default(),
            value_rows: Vec::new(),
        });
    }
    let mut sets = vec![SetBuilder::new(None, plan, None, form)];
    for dimension in &plan.dimensions {
        let stream = input.codes(TextName::Field(&dimension.path), &dimension.maps)?;
        sets.push(SetBuilder::new(Some(dimension), plan, Some(stream), form));
    }
    let row_count = input.row_count();
    let mut hour_rows = row_ranges(&hours, row_count).peekable();
    for vector in 0..row_count.div_ceil(VECTOR_ROWS) {
        let rows = vector_rows(row_count, vector);
        for measure in &mut measures {
            measure.next(rows.len())?;
        }
        for set in &mut sets {
            set.next_vector(rows.len())?;
        }
        while let Some((hour_ms, of_hour)) = hour_rows.peek().cloned()
            && of_hour.start < rows.end
        {
            // Both begin somewhere inside the other.
            let start = of_hour.start.max(rows.start);
            let part = start - rows.start..of_hour.end.min(rows.end) - rows.start;
            for set in &mut sets {
                set.add(hour_ms, part.clone(), &measures);
            }
            if of_hour.end > rows.end {
                break;
            }
            hour_rows.next();
        }
    }
    drop(hour_rows);
    let finished = sets.into_iter().filter_map(SetBuilder::finish);
    let (sets, measure_pages) = finished.unzip();
    Ok(DerivedCells {
        cells: Cells { sets, hours },
        measure_pages,
    })
}

/// The cells of the rows of `batch`, which ascend by time: the same measures and dimensions as in
/// `cells`, and codes as the batch has them.
pub(in crate::segment) fn derive_like(
    cells: &Cells,
    batch: &ColumnBatch,
) -> Result<Cells, SegmentError> {
    let measures = cells.sets.first().map(|set| set.measures.iter());
    let measures = measures.into_iter().flatten();
    let mut plan = CellPlan {
        measures: measures
            .map(|measure| (measure.column.clone(), measure.kind))
            .collect(),
        dimensions: Vec::new(),
        dimension_cells_max: usize::MAX,
    };
    for path in cells.sets.iter().filter_map(|set| set.dimension.as_ref()) {
        let term_count = match batch.column(path) {
            Some(Column::Text(texts)) => texts.dictionary.len(),
            Some(Column::Integer(_) | Column::Decimal(_)) | None => 0,
        };
        let codes = (0..u32::MAX).take(term_count);
        plan.dimensions.push(Dimension {
            path: path.clone(),
            term_count,
            maps: vec![codes.collect()],
        });
    }
    if batch.row_count() == 0 {
        let sets = plan.dimensions.iter().map(Some);
        let sets = [None].into_iter().chain(sets);
        return Ok(Cells {
            sets: sets
                .map(|dimension| SetBuilder::new(dimension, &plan, None, CellForm::Values))
                .filter_map(|set| Some(set.finish()?.0))
                .collect(),
            hours: Vec::new(),
        });
    }
    let roles = ColumnRoles::default();
    let mut hours = HourCollector::default();
    hours.push(&batch.times_ms);
    let batches = [batch];
    let input = SortedBatches::new(&batches, &roles)?;
    Ok(derive_cells(&input, hours.hours, &plan, CellForm::Values)?.cells)
}

/// The rows of each hour.
fn row_ranges(hours: &[HourRows], row_count: usize) -> impl Iterator<Item = (i64, Range<usize>)> {
    hours.iter().enumerate().map(move |(index, hour)| {
        let end = hours
            .get(index + 1)
            .map_or(row_count, |next| next.first_row as usize);
        (hour.hour_ms, hour.first_row as usize..end)
    })
}

/// Finds where the rows of each hour begin.
#[derive(Debug, Default)]
pub(in crate::segment) struct HourCollector {
    row_count: u32,
    pub(in crate::segment) hours: Vec<HourRows>,
}

impl HourCollector {
    /// Adds the rows of these times, which ascend.
    pub(in crate::segment) fn push(&mut self, times_ms: &[i64]) {
        let mut rest = times_ms;
        while let Some(first) = rest.first() {
            let hour_ms = hour_of(*first);
            let count = rest.partition_point(|time| hour_of(*time) == hour_ms);
            if self.hours.last().is_none_or(|last| last.hour_ms != hour_ms) {
                self.hours.push(HourRows {
                    hour_ms,
                    first_row: self.row_count,
                });
            }
            self.row_count += u32::try_from(count).expect("a vector has few rows");
            rest = &rest[count..];
        }
    }
}

/// A number column at the vector at hand.
struct Measure<'a> {
    stream: Stream<'a, NumberVector>,
    vector: NumberVector,
    /// The row of each value, unless each row has one.
    value_rows: Vec<u16>,
}

impl Measure<'_> {
    fn next(&mut self, row_count: usize) -> Result<(), SegmentError> {
        self.stream.next(row_count, &mut self.vector)?;
        self.value_rows.clear();
        let rows = (0_u16..).take(row_count);
        match &self.vector.occurrence {
            VectorOccurrence::One => {}
            VectorOccurrence::Optional(words) => self.value_rows.extend(rows.filter(|row| {
                let row = usize::from(*row);
                words[row / 64] >> (row % 64) & 1 == 1
            })),
            VectorOccurrence::Many(starts) => {
                let counts = starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
                let of_rows = rows.zip(counts);
                let repeated = of_rows.flat_map(|(row, count)| std::iter::repeat_n(row, count));
                self.value_rows.extend(repeated);
            }
        }
        Ok(())
    }
}

/// The cells of one dimension, or of none.
struct SetBuilder<'a> {
    codes: Option<Stream<'a, CodeVector>>,
    vector: CodeVector,
    /// The code of each row of the vector at hand.
    code_of_row: [u32; VECTOR_ROWS],
    /// The slot of each row of the part at hand.
    slot_of_row: [u32; VECTOR_ROWS],
    /// The slot of each code in the hour at hand; the last place is for rows without a value.
    slot_of_code: Vec<u32>,
    /// The code of each slot.
    slots: Vec<u32>,
    row_counts: Vec<u64>,
    hour_ms: i64,
    measures: Vec<MeasureBuilder>,
    cells_max: usize,
    out: CellSet,
}

/// A code that has no slot yet.
const NO_SLOT: u32 = u32::MAX;

impl<'a> SetBuilder<'a> {
    fn new(
        dimension: Option<&Dimension>,
        plan: &CellPlan,
        codes: Option<Stream<'a, CodeVector>>,
        form: CellForm,
    ) -> Self {
        let measures = plan.measures.iter();
        Self {
            codes,
            vector: CodeVector::default(),
            code_of_row: [NULL_CODE; VECTOR_ROWS],
            slot_of_row: [0; VECTOR_ROWS],
            slot_of_code: vec![NO_SLOT; dimension.map_or(0, |dimension| dimension.term_count) + 1],
            slots: Vec::new(),
            row_counts: Vec::new(),
            hour_ms: 0,
            measures: measures
                .map(|(path, kind)| MeasureBuilder::new(path.clone(), *kind, form))
                .collect(),
            cells_max: match dimension {
                Some(_) => plan.dimension_cells_max,
                None => usize::MAX,
            },
            out: CellSet {
                dimension: dimension.map(|dimension| dimension.path.clone()),
                ..CellSet::default()
            },
        }
    }

    /// Whether it has more cells than pay.
    fn is_over(&self) -> bool {
        self.out.codes.len() + self.slots.len() > self.cells_max
    }

    fn next_vector(&mut self, row_count: usize) -> Result<(), SegmentError> {
        let Some(stream) = &mut self.codes else {
            return Ok(());
        };
        stream.next(row_count, &mut self.vector)?;
        let codes = &self.vector.codes;
        match &self.vector.occurrence {
            VectorOccurrence::One => self.code_of_row[..row_count].copy_from_slice(codes),
            VectorOccurrence::Optional(words) => {
                let mut codes = codes.iter();
                for (row, slot) in self.code_of_row[..row_count].iter_mut().enumerate() {
                    let is_there = words[row / 64] >> (row % 64) & 1 == 1;
                    let code = is_there.then(|| codes.next()).flatten();
                    *slot = code.copied().unwrap_or(NULL_CODE);
                }
            }
            VectorOccurrence::Many(_) => {
                let flaw = Flaw("a row has several values of a dimension");
                return Err(page(CELLS, Section::Cells, 0).malformed(flaw));
            }
        }
        Ok(())
    }

    /// Adds rows of the vector at hand that lie in one hour.
    fn add(&mut self, hour_ms: i64, rows: Range<usize>, measures: &[Measure<'_>]) {
        if self.hour_ms != hour_ms {
            self.finish_hour();
            self.hour_ms = hour_ms;
        }
        self.find_slots(rows.clone());
        if self.is_over() {
            return;
        }
        for (builder, measure) in self.measures.iter_mut().zip(measures) {
            builder.reach(self.slots.len());
            let is_single = self.codes.is_none();
            let slots = (!is_single).then_some(&self.slot_of_row);
            builder.add(&measure.vector, &measure.value_rows, rows.clone(), slots);
        }
    }

    fn find_slots(&mut self, rows: Range<usize>) {
        let null_place = self.slot_of_code.len() - 1;
        let count = rows.len() as u64;
        if self.codes.is_none() {
            if self.slots.is_empty() {
                self.slots.push(NULL_CODE);
                self.row_counts.push(0);
            }
            self.row_counts[0] += count;
            return;
        }
        for row in rows {
            let code = self.code_of_row[row];
            let place = match code {
                NULL_CODE => null_place,
                code => code as usize,
            };
            let mut slot = self.slot_of_code[place];
            if slot == NO_SLOT {
                slot = u32::try_from(self.slots.len()).expect("a dimension has few terms");
                self.slot_of_code[place] = slot;
                self.slots.push(code);
                self.row_counts.push(0);
            }
            self.row_counts[slot as usize] += 1;
            self.slot_of_row[row] = slot;
        }
    }

    /// Moves the cells of the hour at hand out, ascending by code.
    fn finish_hour(&mut self) {
        if self.is_over() {
            return;
        }
        let mut by_code: Vec<(u32, usize)> = self.slots.iter().copied().zip(0..).collect();
        by_code.sort_unstable();
        let null_place = self.slot_of_code.len() - 1;
        for (code, slot) in &by_code {
            self.out.hours_ms.push(self.hour_ms);
            self.out.codes.push(*code);
            self.out.row_counts.push(self.row_counts[*slot]);
            let place = match *code {
                NULL_CODE => null_place,
                code => code as usize,
            };
            self.slot_of_code[place] = NO_SLOT;
        }
        let order = || by_code.iter().map(|(_, slot)| *slot);
        for measure in &mut self.measures {
            measure.finish_hour(order());
        }
        self.slots.clear();
        self.row_counts.clear();
    }

    /// The cells, unless they are too many, and the pages of their measures.
    fn finish(mut self) -> Option<(CellSet, Vec<Vec<u8>>)> {
        self.finish_hour();
        if self.is_over() {
            return None;
        }
        let mut pages = Vec::new();
        for measure in self.measures {
            measure.finish(&mut self.out, &mut pages);
        }
        Some((self.out, pages))
    }
}
