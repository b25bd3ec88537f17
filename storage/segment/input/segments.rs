//! Rows of segments that are merged: each input is read once from its beginning to its end for
//! each column, so that little of it is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::column_reader::{GroupPage, StoredColumn};
use super::super::encoding::Flaw;
use super::super::gather::{EXACT_INTEGER_MAX, common_kind};
use super::super::layout::{PARTITIONS, TIMES, page};
use super::super::merge::MergeInput;
use super::super::pages::WriteFlaw;
use super::super::source::vector_rows;
use super::super::{ColumnRoles, DeletedRows, Section, SegmentError, SegmentReader};
use super::batches::push_widened;
use super::order::check_count;
use super::sink::{Dealer, Sink};
use super::terms::{MergedTerms, TermCursor};
use super::{CodeMaps, KeyPart, NumberName, RowInput, RowKey, Stream, Terms, TextName, Vectors};
use crate::model::{
    CodeVector, ColumnKind, Exponents, NumberVector, VECTOR_ROWS, VectorOccurrence,
};

/// Segments whose rows were put in order.
pub(in crate::segment) struct MergedSegments<'a> {
    inputs: &'a [MergeInput<'a>],
    roles: &'a ColumnRoles,
    /// For each row the number of its input.
    order: Vec<u16>,
    ends: [RowKey; 2],
}

impl<'a> MergedSegments<'a> {
    pub(in crate::segment) fn new(
        inputs: &'a [MergeInput<'a>],
        roles: &'a ColumnRoles,
    ) -> Result<Self, SegmentError> {
        let mut cursors = Vec::with_capacity(inputs.len());
        for input in inputs {
            cursors.push(KeyCursor::new(*input)?);
        }
        let rows = cursors.iter().map(|cursor| cursor.live_rows).sum();
        check_count(rows)?;
        let mut order = Vec::with_capacity(rows);
        // The next row of each input that has one, in the order in which they come.
        let mut heads = BTreeSet::new();
        for (cursor, number) in cursors.iter().zip(0_u16..) {
            heads.extend(cursor.key().map(|key| (key, number)));
        }
        let mut ends: Option<[RowKey; 2]> = None;
        while let Some((key, number)) = heads.pop_first() {
            let cursor = &mut cursors[usize::from(number)];
            let limit = heads.first().copied();
            let mut last = key;
            loop {
                order.push(number);
                cursor.advance()?;
                let Some(next) = cursor.key() else { break };
                if limit.is_some_and(|limit| limit < (next, number)) {
                    heads.insert((next, number));
                    break;
                }
                last = next;
            }
            ends = Some([ends.map_or(key, |ends| ends[0]), last]);
        }
        Ok(Self {
            inputs,
            roles,
            order,
            ends: ends.ok_or(SegmentError::NoRows)?,
        })
    }

    pub(in crate::segment) fn into_order(self) -> Vec<u16> {
        self.order
    }

    fn merged<V: Sink + Default>(&self, loads: Vec<Option<Load<'a, V>>>) -> MergedVectors<'_, V> {
        let cursors = loads.into_iter().zip(self.inputs);
        MergedVectors {
            cursors: cursors
                .map(|(load, input)| Cursor::new(load, *input))
                .collect(),
            order: &self.order,
            dealer: Dealer::default(),
        }
    }
}

impl RowInput for MergedSegments<'_> {
    fn row_count(&self) -> usize {
        self.order.len()
    }

    fn ends(&self) -> Result<[RowKey; 2], SegmentError> {
        Ok(self.ends)
    }

    fn times_are_field(&self) -> bool {
        let inputs = self.inputs.iter();
        let mut live = inputs.filter(|input| live_rows(**input) > 0);
        live.all(|input| input.reader.times_are_field())
    }

    fn fields(&self) -> Result<Vec<(Arc<str>, ColumnKind)>, SegmentError> {
        let mut kinds: BTreeMap<Arc<str>, Vec<ColumnKind>> = BTreeMap::new();
        for input in self.inputs {
            for column in &input.reader.file.footer.columns {
                let known = kinds.entry(column.path.clone()).or_default();
                known.push(column.info.kind);
            }
        }
        let fields = kinds.into_iter().map(|(path, kinds)| {
            let is_decimal = self.roles.decimals.contains(&path);
            let kind = common_kind(kinds.into_iter(), &path, is_decimal)?;
            Ok((path, kind))
        });
        fields.collect()
    }

    fn numbers<'a>(
        &'a self,
        name: NumberName<'_>,
    ) -> Result<Stream<'a, NumberVector>, SegmentError> {
        let loads = self.inputs.iter().map(|input| {
            let reader = input.reader;
            match name {
                NumberName::Key(part) => Some(load_key(reader, part)),
                NumberName::Field(path, kind) => {
                    let handle = reader.column(path)?;
                    let is_widened = reader.column_info(handle).kind != kind;
                    Some(load_numbers(reader, reader.column_at(handle), is_widened))
                }
            }
        });
        Ok(Box::new(self.merged(loads.collect())))
    }

    fn terms<'a>(&'a self, name: TextName<'_>) -> Result<Box<dyn Terms + 'a>, SegmentError> {
        let cursors = self.inputs.iter().map(|input| {
            let used = used_terms(*input, name)?;
            TermCursor::new(input.reader, text_column(input.reader, name), name, used)
        });
        Ok(Box::new(MergedTerms::new(
            cursors.collect::<Result<_, _>>()?,
        )?))
    }

    fn codes<'a>(
        &'a self,
        name: TextName<'_>,
        maps: &'a CodeMaps,
    ) -> Result<Stream<'a, CodeVector>, SegmentError> {
        let loads = self
            .inputs
            .iter()
            .zip(maps)
            .map(|(input, map)| load_codes(input.reader, name, Some(map)));
        Ok(Box::new(self.merged(loads.collect())))
    }

    fn visit_own_bytes(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<(), WriteFlaw> {
        let mut cursors: Vec<_> = self
            .inputs
            .iter()
            .map(|input| (0, input.deleted, input.reader.own_bytes_cursor()))
            .collect();
        for number in &self.order {
            let (row, deleted, cursor) = &mut cursors[usize::from(*number)];
            while deleted.is_some_and(|deleted| deleted.contains(*row)) {
                *row += 1;
            }
            each(cursor.own_bytes(*row)?)?;
            *row += 1;
        }
        Ok(())
    }

    fn has_own_bytes(&self) -> bool {
        self.inputs.iter().any(|input| input.reader.has_own_bytes())
    }
}

/// Replaces a vector by one of an input.
type Load<'a, V> = Box<dyn FnMut(usize, &mut V) -> Result<(), SegmentError> + 'a>;

fn live_rows(input: MergeInput<'_>) -> usize {
    let deleted = input.deleted.map_or(0, DeletedRows::count);
    input.reader.row_count().saturating_sub(deleted)
}

fn load_key(reader: &SegmentReader, part: KeyPart) -> Load<'_, NumberVector> {
    match part {
        KeyPart::Times => load_singles(reader, &reader.times, TIMES),
        KeyPart::Partitions => load_singles(reader, &reader.partitions, PARTITIONS),
        KeyPart::Offsets => {
            let mut partitions = load_singles(reader, &reader.partitions, PARTITIONS);
            let mut page = GroupPage::default();
            let mut of_rows = NumberVector::default();
            Box::new(move |vector, out| {
                partitions(vector, &mut of_rows)?;
                let file = &reader.file;
                out.clear();
                out.row_count = of_rows.row_count;
                let (partitions, out) = (&of_rows.mantissas, &mut out.mantissas);
                reader
                    .offsets
                    .offsets_past_cache(vector, partitions, file, &mut page, out)
            })
        }
    }
}

/// Numbers of which every row has one.
fn load_singles<'a>(
    reader: &'a SegmentReader,
    column: &'a StoredColumn,
    number: u32,
) -> Load<'a, NumberVector> {
    let mut load = load_numbers(reader, column, false);
    Box::new(move |vector, out| {
        load(vector, out)?;
        if out.occurrence == VectorOccurrence::One {
            return Ok(());
        }
        let name = page(number, Section::Headers, 0);
        Err(name.malformed(Flaw("a row has no key")))
    })
}

fn load_numbers<'a>(
    reader: &'a SegmentReader,
    column: &'a StoredColumn,
    is_widened: bool,
) -> Load<'a, NumberVector> {
    let mut page = GroupPage::default();
    Box::new(move |vector, out| {
        column.numbers_past_cache(vector, &reader.file, &mut page, out)?;
        if is_widened {
            widen_vector(out);
        }
        Ok(())
    })
}

/// Makes integers decimals.
fn widen_vector(vector: &mut NumberVector) {
    let is_exact = |integer: &i64| integer.unsigned_abs() <= EXACT_INTEGER_MAX;
    if vector.mantissas.iter().all(is_exact) {
        return;
    }
    let integers = std::mem::take(&mut vector.mantissas);
    vector.exponents = Exponents::Uniform(0);
    push_widened(&integers, vector);
}

/// The column of texts in an input, if it has one.
fn text_column<'a>(reader: &'a SegmentReader, name: TextName<'_>) -> Option<&'a StoredColumn> {
    match name {
        TextName::Ids => reader.ids.as_ref(),
        TextName::Shapes => reader.documents.shape_column(),
        TextName::Field(path) => reader.column(path).map(|handle| reader.column_at(handle)),
    }
}

/// Reads codes, as those of `map` when there is one. Without a column of shapes all of them are
/// the first.
fn load_codes<'a>(
    reader: &'a SegmentReader,
    name: TextName<'_>,
    map: Option<&'a Vec<u32>>,
) -> Option<Load<'a, CodeVector>> {
    let column = text_column(reader, name);
    if column.is_none() && !matches!(name, TextName::Shapes) {
        return None;
    }
    let mut page = GroupPage::default();
    Some(Box::new(move |vector, out: &mut CodeVector| {
        match column {
            Some(column) => column.codes_past_cache(vector, &reader.file, &mut page, out)?,
            None => {
                out.clear();
                out.row_count = vector_rows(reader.row_count(), vector).len();
                out.codes.resize(out.row_count, 0);
            }
        }
        if let Some(map) = map {
            for code in &mut out.codes {
                *code = map[*code as usize];
            }
        }
        Ok(())
    }))
}

/// Which terms of an input have rows that are not deleted; `None`: all.
fn used_terms(
    input: MergeInput<'_>,
    name: TextName<'_>,
) -> Result<Option<Vec<bool>>, SegmentError> {
    let Some(load) = input
        .deleted
        .and_then(|_| load_codes(input.reader, name, None))
    else {
        return Ok(None);
    };
    let term_count = match text_column(input.reader, name) {
        Some(column) => column.term_count(),
        None => 1,
    };
    let mut is_used = vec![false; term_count as usize];
    let mut cursor = Cursor::new(Some(load), input);
    let mut vector = CodeVector::default();
    let mut dealer = Dealer::default();
    let mut left = live_rows(input);
    while left > 0 {
        let rows = left.min(VECTOR_ROWS);
        vector.clear();
        dealer.clear();
        cursor.take(rows, &mut vector, &mut dealer)?;
        for code in &vector.codes {
            is_used[*code as usize] = true;
        }
        left -= rows;
    }
    Ok(Some(is_used))
}

/// Where one input is while rows are taken from it.
struct Cursor<'a, V> {
    /// `None`: the input has no such column, and its rows no values.
    load: Option<Load<'a, V>>,
    deleted: Option<&'a DeletedRows>,
    row_count: usize,
    row: usize,
    loaded: Option<usize>,
    vector: V,
}

impl<'a, V: Sink + Default> Cursor<'a, V> {
    fn new(load: Option<Load<'a, V>>, input: MergeInput<'a>) -> Self {
        Self {
            load,
            deleted: input.deleted,
            row_count: input.reader.row_count(),
            row: 0,
            loaded: None,
            vector: V::default(),
        }
    }

    /// Appends the next `count` rows that are not deleted.
    fn take(&mut self, count: usize, out: &mut V, dealer: &mut Dealer) -> Result<(), SegmentError> {
        let mut left = count;
        while left > 0 {
            let rows = self.next_run(left);
            match &mut self.load {
                None => rows.clone().for_each(|_| dealer.push(0)),
                Some(load) => {
                    let vector = rows.start / VECTOR_ROWS;
                    if self.loaded != Some(vector) {
                        load(vector, &mut self.vector)?;
                        self.loaded = Some(vector);
                    }
                    let first = vector * VECTOR_ROWS;
                    out.push(&self.vector, rows.start - first..rows.end - first, dealer);
                }
            }
            left -= rows.len();
            self.row = rows.end;
        }
        Ok(())
    }

    /// The next rows, at most `rows_max` and of one vector, of which none is deleted.
    fn next_run(&self, rows_max: usize) -> std::ops::Range<usize> {
        let is_deleted = |row: usize| self.deleted.is_some_and(|deleted| deleted.contains(row));
        let mut start = self.row;
        while is_deleted(start) {
            start += 1;
        }
        assert!(
            start < self.row_count,
            "the order has the rows of this input"
        );
        let vector_end = vector_rows(self.row_count, start / VECTOR_ROWS).end;
        let end = vector_end.min(start + rows_max);
        match self.deleted {
            None => start..end,
            Some(_) => start..(start..end).find(|row| is_deleted(*row)).unwrap_or(end),
        }
    }
}

/// A column of all inputs.
struct MergedVectors<'a, V> {
    cursors: Vec<Cursor<'a, V>>,
    /// Inputs of the rows that were not taken yet.
    order: &'a [u16],
    dealer: Dealer,
}

impl<V: Sink + Default> Vectors<V> for MergedVectors<'_, V> {
    fn next(&mut self, row_count: usize, out: &mut V) -> Result<(), SegmentError> {
        let (order, rest) = self.order.split_at(row_count);
        self.order = rest;
        out.empty();
        self.dealer.clear();
        for run in order.chunk_by(|a, b| a == b) {
            let cursor = &mut self.cursors[usize::from(run[0])];
            cursor.take(run.len(), out, &mut self.dealer)?;
        }
        out.finish(row_count, &self.dealer);
        Ok(())
    }
}

/// The key of the next row of one input.
struct KeyCursor<'a> {
    input: MergeInput<'a>,
    loads: [Load<'a, NumberVector>; 3],
    vectors: [NumberVector; 3],
    row: usize,
    live_rows: usize,
}

impl<'a> KeyCursor<'a> {
    fn new(input: MergeInput<'a>) -> Result<Self, SegmentError> {
        let parts = [KeyPart::Times, KeyPart::Partitions, KeyPart::Offsets];
        let mut cursor = Self {
            input,
            loads: parts.map(|part| load_key(input.reader, part)),
            vectors: Default::default(),
            row: 0,
            live_rows: live_rows(input),
        };
        cursor.load()?;
        cursor.skip_deleted()?;
        Ok(cursor)
    }

    fn load(&mut self) -> Result<(), SegmentError> {
        let vector = self.row / VECTOR_ROWS;
        for (load, out) in self.loads.iter_mut().zip(&mut self.vectors) {
            load(vector, out)?;
        }
        Ok(())
    }

    fn key(&self) -> Option<RowKey> {
        if self.row >= self.input.reader.row_count() {
            return None;
        }
        let [times, partitions, offsets] = &self.vectors;
        let place = self.row % VECTOR_ROWS;
        Some(RowKey {
            time_ms: times.mantissas[place],
            // Partitions were written from 32 bits.
            partition: u32::try_from(partitions.mantissas[place]).unwrap_or(u32::MAX),
            offset: offsets.mantissas[place].cast_unsigned(),
        })
    }

    fn advance(&mut self) -> Result<(), SegmentError> {
        self.step()?;
        self.skip_deleted()
    }

    fn skip_deleted(&mut self) -> Result<(), SegmentError> {
        while let Some(deleted) = self.input.deleted
            && deleted.contains(self.row)
        {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), SegmentError> {
        self.row += 1;
        let is_behind = self.row >= self.input.reader.row_count();
        if self.row.is_multiple_of(VECTOR_ROWS) && !is_behind {
            self.load()?;
        }
        Ok(())
    }
}
