//! Rows of batches in memory.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::super::SegmentError;
use super::super::check::check_batch;
use super::super::gather::{RowRef, common_kind, part_values, widen};
use super::super::occurrence::ValueIndex;
use super::super::pages::WriteFlaw;
use super::order::{key_of, sorted_rows};
use super::sink::{Dealer, Sink, push_exponents};
use super::terms::{BatchTerms, TextPart};
use super::{CodeMaps, KeyPart, NumberName, RowInput, RowKey, Stream, Terms, TextName, Vectors};
use crate::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, Dictionary, Exponents, NumberColumn, NumberVector,
    Occurrence, TextColumn, VectorOccurrence,
};
use crate::segment::ColumnRoles;

/// The shapes of a batch without documents: all are empty.
static NO_SHAPES: LazyLock<Dictionary> = LazyLock::new(|| Dictionary::from_terms([[].as_slice()]));

/// Batches whose rows were sorted.
pub(in crate::segment) struct SortedBatches<'a> {
    batches: &'a [&'a ColumnBatch],
    roles: &'a ColumnRoles,
    rows: Vec<RowRef>,
}

impl<'a> SortedBatches<'a> {
    pub(in crate::segment) fn new(
        batches: &'a [&'a ColumnBatch],
        roles: &'a ColumnRoles,
    ) -> Result<Self, SegmentError> {
        for batch in batches {
            check_batch(batch)?;
        }
        Ok(Self {
            batches,
            roles,
            rows: sorted_rows(batches)?,
        })
    }

    fn text_parts(&self, name: TextName<'_>) -> Vec<Option<TextPart<'a>>> {
        let texts = |texts: &'a TextColumn| TextPart {
            dictionary: &texts.dictionary,
            codes: Some(&texts.codes),
        };
        let batches = self.batches.iter();
        match name {
            TextName::Ids => batches.map(|batch| batch.ids.as_ref().map(texts)).collect(),
            TextName::Field(path) => batches
                .map(|batch| text_column(batch, path).map(texts))
                .collect(),
            TextName::Shapes => batches
                .map(|batch| {
                    let documents = &batch.sources;
                    if documents.codes.is_empty() {
                        return (batch.row_count() > 0).then(|| TextPart {
                            dictionary: &NO_SHAPES,
                            codes: None,
                        });
                    }
                    Some(TextPart {
                        dictionary: &documents.shapes,
                        codes: Some(&documents.codes),
                    })
                })
                .collect(),
        }
    }
}

fn text_column<'a>(batch: &'a ColumnBatch, path: &str) -> Option<&'a TextColumn> {
    match batch.column(path)? {
        Column::Text(texts) => Some(texts),
        Column::Integer(_) | Column::Decimal(_) => None,
    }
}

fn number_column<'a>(batch: &'a ColumnBatch, path: &str) -> Option<(&'a NumberColumn, ColumnKind)> {
    match batch.column(path)? {
        Column::Integer(numbers) => Some((numbers, ColumnKind::Integer)),
        Column::Decimal(numbers) => Some((numbers, ColumnKind::Decimal)),
        Column::Text(_) => None,
    }
}

impl RowInput for SortedBatches<'_> {
    fn row_count(&self) -> usize {
        self.rows.len()
    }

    fn ends(&self) -> Result<[RowKey; 2], SegmentError> {
        let ends = [self.rows[0], self.rows[self.rows.len() - 1]];
        Ok(ends.map(|row| key_of(row, self.batches)))
    }

    fn times_are_field(&self) -> bool {
        let mut batches = self.batches.iter().filter(|batch| batch.row_count() > 0);
        batches.all(|batch| batch.times_are_field)
    }

    fn fields(&self) -> Result<Vec<(Arc<str>, ColumnKind)>, SegmentError> {
        let columns = self.batches.iter().flat_map(|batch| &batch.columns);
        let mut paths: Vec<&Arc<str>> = columns.map(|(path, _)| path).collect();
        paths.sort_unstable();
        paths.dedup();
        let kinds = paths.into_iter().map(|path| {
            let columns = self.batches.iter().filter_map(|batch| batch.column(path));
            let kinds = columns.map(Column::kind);
            let kind = common_kind(kinds, path, self.roles.decimals.contains(path))?;
            Ok((path.clone(), kind))
        });
        kinds.collect()
    }

    fn numbers<'a>(
        &'a self,
        name: NumberName<'_>,
    ) -> Result<Stream<'a, NumberVector>, SegmentError> {
        Ok(match name {
            NumberName::Key(part) => Box::new(KeyVectors {
                batches: self.batches,
                rows: self.rows.iter(),
                part,
            }),
            NumberName::Field(path, kind) => {
                let columns = self.batches.iter().map(|batch| number_column(batch, path));
                Box::new(NumberVectors::new(columns, kind, &self.rows))
            }
        })
    }

    fn terms<'a>(&'a self, name: TextName<'_>) -> Result<Box<dyn Terms + 'a>, SegmentError> {
        Ok(Box::new(BatchTerms::new(self.text_parts(name))))
    }

    fn codes<'a>(
        &'a self,
        name: TextName<'_>,
        maps: &'a CodeMaps,
    ) -> Result<Stream<'a, CodeVector>, SegmentError> {
        let occurrence = |batch: &'a ColumnBatch| match name {
            TextName::Ids => batch.ids.as_ref().map(|ids| &ids.occurrence),
            TextName::Shapes => Some(&Occurrence::One),
            TextName::Field(path) => text_column(batch, path).map(|texts| &texts.occurrence),
        };
        let occurrences = self.batches.iter().map(|batch| occurrence(batch));
        let parts = self.text_parts(name).into_iter().zip(occurrences).zip(maps);
        let parts = parts
            .map(|((part, occurrence), map)| {
                let (part, occurrence) = part.zip(occurrence)?;
                Some(CodePart {
                    codes: part.codes,
                    map,
                    occurrence,
                    index: ValueIndex::new(occurrence),
                })
            })
            .collect();
        Ok(Box::new(CodeVectors::new(parts, &self.rows)))
    }

    fn visit_own_bytes(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<(), WriteFlaw> {
        for row in &self.rows {
            each(
                self.batches[row.batch as usize]
                    .sources
                    .own_bytes(row.row as usize),
            )?;
        }
        Ok(())
    }

    fn has_own_bytes(&self) -> bool {
        self.batches
            .iter()
            .any(|batch| !batch.sources.bytes.is_empty())
    }
}

/// Sort times, partitions or offsets.
struct KeyVectors<'a> {
    batches: &'a [&'a ColumnBatch],
    rows: std::slice::Iter<'a, RowRef>,
    part: KeyPart,
}

impl Vectors<NumberVector> for KeyVectors<'_> {
    fn next(&mut self, row_count: usize, out: &mut NumberVector) -> Result<(), SegmentError> {
        let batches = self.batches;
        out.clear();
        out.row_count = row_count;
        out.occurrence = VectorOccurrence::One;
        let rows = self.rows.by_ref().take(row_count);
        let rows = rows.map(|row| (batches[row.batch as usize], row.row as usize));
        match self.part {
            KeyPart::Times => out
                .mantissas
                .extend(rows.map(|(batch, row)| batch.times_ms[row])),
            KeyPart::Partitions => {
                let partitions = rows.map(|(batch, row)| i64::from(batch.partitions[row]));
                out.mantissas.extend(partitions);
            }
            KeyPart::Offsets => {
                let offsets = rows.map(|(batch, row)| batch.offsets[row].cast_signed());
                out.mantissas.extend(offsets);
            }
        }
        Ok(())
    }
}

/// One batch's share of a number column.
struct NumberPart<'a> {
    numbers: &'a NumberColumn,
    index: ValueIndex,
    /// Whether integers become decimals.
    is_widened: bool,
}

/// A number column.
struct NumberVectors<'a> {
    parts: Vec<Option<NumberPart<'a>>>,
    /// The digits of each part, when every row has one value and none is widened.
    singles: Option<Vec<&'a [i64]>>,
    /// Whether the power of ten of all values is 0.
    are_integers: bool,
    rows: std::slice::Iter<'a, RowRef>,
    dealer: Dealer,
}

impl<'a> NumberVectors<'a> {
    fn new(
        columns: impl Iterator<Item = Option<(&'a NumberColumn, ColumnKind)>>,
        kind: ColumnKind,
        rows: &'a [RowRef],
    ) -> Self {
        let parts: Vec<_> = columns
            .map(|column| {
                let (numbers, own_kind) = column?;
                Some(NumberPart {
                    numbers,
                    index: ValueIndex::new(&numbers.occurrence),
                    is_widened: own_kind != kind,
                })
            })
            .collect();
        let singles = parts.iter().map(|part| {
            let single = part
                .as_ref()
                .filter(|part| part.numbers.occurrence == Occurrence::One && !part.is_widened);
            single.map(|part| part.numbers.mantissas.as_slice())
        });
        let is_integer = |part: &NumberPart<'_>| part.numbers.exponents == Exponents::Uniform(0);
        Self {
            singles: singles.collect(),
            are_integers: parts.iter().flatten().all(is_integer),
            parts,
            rows: rows.iter(),
            dealer: Dealer::default(),
        }
    }

    /// Every row has one value.
    fn next_singles(&mut self, singles: &[&[i64]], row_count: usize, out: &mut NumberVector) {
        let rows = self.rows.as_slice();
        let rows = &rows[..row_count.min(rows.len())];
        out.clear();
        let digits = rows
            .iter()
            .map(|row| singles[row.batch as usize][row.row as usize]);
        out.mantissas.extend(digits);
        let exponent = |row: &RowRef| match &self.parts[row.batch as usize] {
            Some(part) => part.numbers.exponents.get(row.row as usize),
            None => 0,
        };
        if !self.are_integers {
            out.exponents.make_each().extend(rows.iter().map(exponent));
        }
        out.row_count = row_count;
        out.occurrence = VectorOccurrence::One;
        self.rows.by_ref().take(row_count).for_each(drop);
    }
}

impl Vectors<NumberVector> for NumberVectors<'_> {
    fn next(&mut self, row_count: usize, out: &mut NumberVector) -> Result<(), SegmentError> {
        if let Some(singles) = self.singles.take() {
            self.next_singles(&singles, row_count, out);
            self.singles = Some(singles);
            return Ok(());
        }
        out.clear();
        self.dealer.clear();
        for row in self.rows.by_ref().take(row_count) {
            let Some(part) = &self.parts[row.batch as usize] else {
                self.dealer.push(0);
                continue;
            };
            let numbers = part.numbers;
            let values = part_values(&numbers.occurrence, &part.index, row.row as usize);
            self.dealer.push(values.len());
            if part.is_widened {
                push_widened(&numbers.mantissas[values], out);
            } else {
                push_exponents(out, &numbers.exponents, values.clone());
                out.mantissas.extend_from_slice(&numbers.mantissas[values]);
            }
        }
        out.finish(row_count, &self.dealer);
        Ok(())
    }
}

/// Appends integers as decimals.
pub(super) fn push_widened(integers: &[i64], out: &mut NumberVector) {
    for integer in integers {
        let decimal = widen(*integer);
        push_exponents(out, &Exponents::Uniform(decimal.exponent), 0..1);
        out.mantissas.push(decimal.mantissa);
    }
}

/// One batch's share of a text column.
struct CodePart<'a> {
    /// `None`: all are 0.
    codes: Option<&'a [u32]>,
    map: &'a [u32],
    occurrence: &'a Occurrence,
    index: ValueIndex,
}

impl CodePart<'_> {
    fn push(&self, values: Range<usize>, out: &mut Vec<u32>) {
        match self.codes {
            Some(codes) => out.extend(codes[values].iter().map(|code| self.map[*code as usize])),
            None => out.extend(values.map(|_| self.map[0])),
        }
    }
}

/// A text column.
struct CodeVectors<'a> {
    parts: Vec<Option<CodePart<'a>>>,
    /// Codes and maps, when every row has one value.
    singles: Option<Vec<(&'a [u32], &'a [u32])>>,
    rows: std::slice::Iter<'a, RowRef>,
    dealer: Dealer,
}

impl<'a> CodeVectors<'a> {
    fn new(parts: Vec<Option<CodePart<'a>>>, rows: &'a [RowRef]) -> Self {
        let singles = parts.iter().map(|part| {
            let part = part.as_ref()?;
            let is_single = *part.occurrence == Occurrence::One;
            is_single.then_some((part.codes?, part.map))
        });
        Self {
            singles: singles.collect(),
            parts,
            rows: rows.iter(),
            dealer: Dealer::default(),
        }
    }
}

impl Vectors<CodeVector> for CodeVectors<'_> {
    fn next(&mut self, row_count: usize, out: &mut CodeVector) -> Result<(), SegmentError> {
        out.clear();
        let rows = self.rows.by_ref().take(row_count);
        if let Some(singles) = &self.singles {
            out.codes.extend(rows.map(|row| {
                let (codes, map) = singles[row.batch as usize];
                map[codes[row.row as usize] as usize]
            }));
            out.row_count = row_count;
            out.occurrence = VectorOccurrence::One;
            return Ok(());
        }
        self.dealer.clear();
        for row in rows {
            let Some(part) = &self.parts[row.batch as usize] else {
                self.dealer.push(0);
                continue;
            };
            let values = part_values(part.occurrence, &part.index, row.row as usize);
            self.dealer.push(values.len());
            part.push(values, &mut out.codes);
        }
        out.finish(row_count, &self.dealer);
        Ok(())
    }
}
