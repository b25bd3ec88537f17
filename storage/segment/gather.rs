//! Columns of many batches as one column, row by row in a given order.

use std::ops::Range;
use std::sync::Arc;

use super::SegmentError;
use super::occurrence::{OccurrenceBuilder, ValueIndex};
use crate::model::{
    Column, ColumnBatch, ColumnKind, Decimal, Dictionary, DictionaryBuilder, Exponents,
    NumberColumn, Occurrence, SourceColumn, TextColumn,
};

/// Integers up to here mean the same as integers and as decimals.
pub(super) const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// One row of one of several batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRef {
    /// Number of the batch.
    pub(super) batch: u32,
    /// Row inside it.
    pub(super) row: u32,
}

/// All rows of `batches`, one batch behind the other.
pub(super) fn rows_in_order(batches: &[&ColumnBatch]) -> Vec<RowRef> {
    let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.row_count()).sum());
    for (number, batch) in (0..).zip(batches) {
        rows.extend(
            (0..)
                .take(batch.row_count())
                .map(|row| RowRef { batch: number, row }),
        );
    }
    rows
}

/// One column's share of one batch; a batch without the column has rows without values.
struct Part<'a, C> {
    column: Option<(&'a C, &'a Occurrence, ValueIndex)>,
}

impl<'a, C> Part<'a, C> {
    fn new(column: Option<(&'a C, &'a Occurrence)>) -> Self {
        Self {
            column: column
                .map(|(column, occurrence)| (column, occurrence, ValueIndex::new(occurrence))),
        }
    }

    /// The column and its values of `row`; `None` where there is no column.
    fn values(&self, row: u32) -> Option<(&'a C, Range<usize>)> {
        let (column, occurrence, index) = self.column.as_ref()?;
        let row = row as usize;
        Some((column, part_values(occurrence, index, row)))
    }
}

/// The values of `row`.
pub(super) fn part_values(occurrence: &Occurrence, index: &ValueIndex, row: usize) -> Range<usize> {
    match occurrence {
        Occurrence::Optional(words) => {
            let start = index.values_before(occurrence, row);
            start..start + usize::from(words[row / 64] >> (row % 64) & 1 == 1)
        }
        Occurrence::One => row..row + 1,
        Occurrence::Many(starts) => starts[row] as usize..starts[row + 1] as usize,
    }
}

/// The kind that the column at `path` has where its parts have `kinds`: integers give way to
/// decimals.
pub(super) fn common_kind(
    kinds: impl Iterator<Item = ColumnKind>,
    path: &Arc<str>,
    is_decimal: bool,
) -> Result<ColumnKind, SegmentError> {
    let mut common = None;
    for kind in kinds {
        common = Some(match (common, kind) {
            (None, kind) => kind,
            (Some(known), kind) if known == kind => kind,
            (Some(ColumnKind::Text), _) | (Some(_), ColumnKind::Text) => {
                return Err(SegmentError::MixedKinds {
                    column: path.clone(),
                });
            }
            (Some(_), _) => ColumnKind::Decimal,
        });
    }
    Ok(match common {
        Some(ColumnKind::Integer) if is_decimal => ColumnKind::Decimal,
        Some(kind) => kind,
        None => ColumnKind::Integer,
    })
}

/// The column at `path` for `rows`, as `kind`, which [`common_kind`] gave.
pub(super) fn gather_column(
    batches: &[&ColumnBatch],
    path: &Arc<str>,
    kind: ColumnKind,
    rows: &[RowRef],
) -> Result<Column, SegmentError> {
    let columns = || batches.iter().map(|batch| batch.column(path));
    match kind {
        ColumnKind::Integer => gather_numbers(columns(), path, rows, kind).map(Column::Integer),
        ColumnKind::Decimal => gather_numbers(columns(), path, rows, kind).map(Column::Decimal),
        ColumnKind::Text => {
            let texts: Vec<_> = columns()
                .map(|column| match column {
                    Some(Column::Text(texts)) => Some(texts),
                    Some(Column::Integer(_) | Column::Decimal(_)) | None => None,
                })
                .collect();
            gather_texts(&texts, path, rows).map(Column::Text)
        }
    }
}

/// The numbers of `rows`.
fn gather_numbers<'a>(
    columns: impl Iterator<Item = Option<&'a Column>>,
    path: &Arc<str>,
    rows: &[RowRef],
    kind: ColumnKind,
) -> Result<NumberColumn, SegmentError> {
    let parts: Vec<_> = columns
        .map(|column| match column {
            Some(Column::Integer(numbers)) => {
                let widened = kind == ColumnKind::Decimal;
                (widened, Part::new(Some((numbers, &numbers.occurrence))))
            }
            Some(Column::Decimal(numbers)) => {
                (false, Part::new(Some((numbers, &numbers.occurrence))))
            }
            Some(Column::Text(_)) | None => (false, Part::new(None)),
        })
        .collect();
    let mut occurrence = OccurrenceBuilder::default();
    let mut digits = DigitsBuilder::default();
    for row in rows {
        let (widened, part) = &parts[row.batch as usize];
        let Some((numbers, values)) = part.values(row.row) else {
            occurrence.push(0).ok_or_else(|| too_many_values(path))?;
            continue;
        };
        occurrence
            .push(values.len())
            .ok_or_else(|| too_many_values(path))?;
        for value in values {
            let decimal = Decimal {
                mantissa: numbers.mantissas[value],
                exponent: numbers.exponents.get(value),
            };
            digits.push(match (kind, widened) {
                (ColumnKind::Decimal, true) => widen(decimal.mantissa).normalized(),
                (ColumnKind::Decimal, false) => decimal.normalized(),
                (ColumnKind::Integer | ColumnKind::Text, _) => decimal,
            });
        }
    }
    Ok(digits.finish(occurrence.finish()))
}

/// An integer as the decimal that a field of doubles makes of it.
pub(super) fn widen(integer: i64) -> Decimal {
    if integer.unsigned_abs() <= EXACT_INTEGER_MAX {
        return Decimal::from_i64(integer);
    }
    Decimal::from_f64(integer as f64).expect("an integer is finite as a double")
}

/// Collects digits and keeps one exponent for all as long as there is only one.
#[derive(Debug, Default)]
pub(super) struct DigitsBuilder {
    mantissas: Vec<i64>,
    exponents: Exponents,
}

impl DigitsBuilder {
    /// A column of the values so far.
    pub(super) fn finish(self, occurrence: Occurrence) -> NumberColumn {
        NumberColumn {
            mantissas: self.mantissas,
            exponents: self.exponents,
            occurrence,
        }
    }

    /// Adds a value.
    pub(super) fn push(&mut self, value: Decimal) {
        match &mut self.exponents {
            Exponents::Uniform(exponent) if self.mantissas.is_empty() => *exponent = value.exponent,
            Exponents::Uniform(exponent) if *exponent == value.exponent => {}
            Exponents::Uniform(exponent) => {
                let mut each = vec![*exponent; self.mantissas.len()];
                each.push(value.exponent);
                self.exponents = Exponents::Each(each);
            }
            Exponents::Each(exponents) => exponents.push(value.exponent),
        }
        self.mantissas.push(value.mantissa);
    }
}

/// The texts of `rows`.
pub(super) fn gather_texts(
    columns: &[Option<&TextColumn>],
    path: &Arc<str>,
    rows: &[RowRef],
) -> Result<TextColumn, SegmentError> {
    let (dictionary, codes_of_parts) = merge_arrivals(columns, path)?;
    let parts: Vec<_> = columns
        .iter()
        .map(|column| Part::new(column.map(|texts| (texts, &texts.occurrence))))
        .collect();
    let mut occurrence = OccurrenceBuilder::default();
    let mut codes = Vec::new();
    for row in rows {
        let batch = row.batch as usize;
        let Some((texts, values)) = parts[batch].values(row.row) else {
            occurrence.push(0).ok_or_else(|| too_many_values(path))?;
            continue;
        };
        occurrence
            .push(values.len())
            .ok_or_else(|| too_many_values(path))?;
        let map = &codes_of_parts[batch];
        codes.extend(texts.codes[values].iter().map(|code| map[*code as usize]));
    }
    Ok(TextColumn {
        dictionary: Arc::new(dictionary),
        codes,
        occurrence: occurrence.finish(),
    })
}

/// For each batch: its codes as codes of the common dictionary.
type CodeMaps = Vec<Vec<u32>>;

/// All terms in order of arrival.
fn merge_arrivals(
    columns: &[Option<&TextColumn>],
    path: &Arc<str>,
) -> Result<(Dictionary, CodeMaps), SegmentError> {
    let dictionaries = || columns.iter().flatten().map(|texts| &texts.dictionary);
    check_text_bytes(
        dictionaries().flat_map(|dictionary| dictionary.terms()),
        path,
    )?;
    let mut merged = DictionaryBuilder::default();
    let maps = columns
        .iter()
        .map(|column| {
            let terms = column.iter().flat_map(|texts| texts.dictionary.terms());
            terms.map(|term| merged.code(term)).collect()
        })
        .collect();
    Ok((merged.finish(), maps))
}

/// A dictionary addresses its text with 32 bits.
fn check_text_bytes<'a>(
    terms: impl Iterator<Item = &'a [u8]>,
    path: &Arc<str>,
) -> Result<(), SegmentError> {
    let bytes: usize = terms.map(<[u8]>::len).sum();
    match u32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(too_much_text(path)),
    }
}

fn too_much_text(path: &Arc<str>) -> SegmentError {
    SegmentError::TooLarge {
        column: path.clone(),
        reason: "its distinct texts reach 4 GiB",
    }
}

fn too_many_values(path: &Arc<str>) -> SegmentError {
    SegmentError::TooLarge {
        column: path.clone(),
        reason: "it has 2^32 values or more",
    }
}

/// The documents of `rows`; rows of batches without documents have empty ones.
pub(super) fn gather_sources(batches: &[&ColumnBatch], rows: &[RowRef]) -> SourceColumn {
    let (shapes, maps) = merge_shapes(batches, rows);
    let mut sources = SourceColumn {
        shapes: Arc::new(shapes),
        codes: Vec::with_capacity(rows.len()),
        ..SourceColumn::default()
    };
    for row in rows {
        let (batch, index) = (row.batch as usize, row.row as usize);
        let documents = &batches[batch].sources;
        let code = documents.codes.get(index).map_or(0, |code| *code as usize);
        sources.push_parts(maps[batch][code], documents.own_bytes(index));
    }
    sources
}

/// The shapes that `rows` have. Batches without documents have the empty one as code 0.
fn merge_shapes(batches: &[&ColumnBatch], rows: &[RowRef]) -> (Dictionary, CodeMaps) {
    let without = Dictionary::from_terms([[].as_slice()]);
    let mut used: Vec<_> = batches
        .iter()
        .map(|batch| match batch.sources.codes.is_empty() {
            true => (&without, vec![false]),
            false => {
                let shapes = batch.sources.shapes.as_ref();
                (shapes, vec![false; shapes.len()])
            }
        })
        .collect();
    for row in rows {
        let codes = &batches[row.batch as usize].sources.codes;
        let code = codes.get(row.row as usize).map_or(0, |code| *code as usize);
        used[row.batch as usize].1[code] = true;
    }
    let terms: Vec<&[u8]> = used
        .iter()
        .flat_map(|(shapes, is_used)| shapes.terms().zip(is_used))
        .filter_map(|(term, is_used)| is_used.then_some(term))
        .collect();
    let mut merged = DictionaryBuilder::default();
    for term in terms {
        merged.code(term);
    }
    let maps = used
        .iter()
        .map(|(shapes, is_used)| {
            let terms = shapes.terms().zip(is_used);
            terms
                .map(|(term, is_used)| if *is_used { merged.code(term) } else { 0 })
                .collect()
        })
        .collect();
    (merged.finish(), maps)
}
