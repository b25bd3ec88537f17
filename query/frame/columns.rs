//! The columns of a source that a search reads, and their values in one vector.

use std::ops::Range;
use std::sync::Arc;

use storage::model::{CodeVector, ColumnKind, Decimal, Exponents, NumberVector, VectorOccurrence};
use storage::segment::{ColumnCursor, ColumnHandle, NumberSummary, RowSource};

use crate::QueryError;

/// Which number column of [`Columns`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberSlot(pub(crate) usize);

/// Which text column of [`Columns`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextSlot(pub(crate) usize);

/// The columns that a search reads of one source, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    pub(crate) numbers: Vec<NumberColumn>,
    pub(crate) texts: Vec<TextColumn>,
}

/// A text column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextColumn {
    pub(crate) path: Arc<str>,
    pub(crate) handle: ColumnHandle,
}

/// A number column as its field reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberColumn {
    pub(crate) path: Arc<str>,
    pub(crate) handle: ColumnHandle,
    /// The column has integers of a field that is decimal by now: they count as the doubles that
    /// the field would have made of them.
    pub(crate) is_widened: bool,
}

impl Columns {
    pub(crate) fn number(&mut self, column: NumberColumn) -> NumberSlot {
        NumberSlot(place(&mut self.numbers, column))
    }

    pub(crate) fn text(&mut self, column: TextColumn) -> TextSlot {
        TextSlot(place(&mut self.texts, column))
    }
}

fn place<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter()
        .position(|other| *other == one)
        .unwrap_or_else(|| {
            all.push(one);
            all.len() - 1
        })
}

/// Where the values of a row are among the dense values of a vector.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueIndex<'a> {
    /// Row `r` has value `r`.
    One,
    /// Row `r` has the values `starts[r]..starts[r + 1]`.
    Starts(&'a [u32]),
}

impl ValueIndex<'_> {
    pub(crate) fn values(self, row: usize) -> Range<usize> {
        match self {
            Self::One => row..row + 1,
            Self::Starts(starts) => starts[row] as usize..starts[row + 1] as usize,
        }
    }

    /// Whether some row has no value.
    pub(crate) fn has_empty_row(self) -> bool {
        match self {
            Self::One => false,
            Self::Starts(starts) => starts.windows(2).any(|ends| ends[0] == ends[1]),
        }
    }
}

/// Numbers of a vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers<'a> {
    pub(crate) mantissas: &'a [i64],
    pub(crate) exponents: &'a Exponents,
    pub(crate) index: ValueIndex<'a>,
}

impl Numbers<'_> {
    pub(crate) fn value(&self, value: usize) -> Decimal {
        Decimal {
            mantissa: self.mantissas[value],
            exponent: self.exponents.get(value),
        }
    }
}

/// Dictionary codes of a vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub(crate) codes: &'a [u32],
    pub(crate) index: ValueIndex<'a>,
}

/// Most number columns that are read together with a text column.
pub(crate) const LANES_MAX: usize = 3;

/// Columns of one vector of rows, side by side.
#[derive(Debug)]
pub(crate) struct RowValues<'a> {
    pub(crate) codes: Codes<'a>,
    /// As many as were asked for.
    pub(crate) numbers: [Option<Numbers<'a>>; LANES_MAX],
}

/// How far the codes of a source go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeBounds {
    /// Codes are below this.
    pub(crate) term_count: usize,
    /// Rows of the source.
    pub(crate) row_count: usize,
}

/// Numbers of a column in the vector they were last decoded for.
#[derive(Debug, Default)]
pub(super) struct NumberBuffer {
    vector: Option<usize>,
    cursor: ColumnCursor,
    numbers: NumberVector,
    starts: Vec<u32>,
}

impl NumberBuffer {
    /// The numbers of `vector`, decoded unless they are here; says whether they had to be.
    pub(super) fn load(
        &mut self,
        source: &RowSource,
        column: &NumberColumn,
        vector: usize,
    ) -> Result<Numbers<'_>, QueryError> {
        if self.vector != Some(vector) {
            self.vector = None;
            source.numbers_at(column.handle, vector, &mut self.cursor, &mut self.numbers)?;
            if column.is_widened {
                widen(&mut self.numbers);
            }
            fill_starts(
                &self.numbers.occurrence,
                self.numbers.row_count,
                &mut self.starts,
            );
            self.vector = Some(vector);
        }
        Ok(self.loaded())
    }

    /// The numbers that were loaded last.
    pub(super) fn loaded(&self) -> Numbers<'_> {
        Numbers {
            mantissas: &self.numbers.mantissas,
            exponents: &self.numbers.exponents,
            index: value_index(&self.numbers.occurrence, &self.starts),
        }
    }
}

/// Codes of a column in the vector they were last decoded for.
#[derive(Debug, Default)]
pub(super) struct CodeBuffer {
    vector: Option<usize>,
    cursor: ColumnCursor,
    codes: CodeVector,
    starts: Vec<u32>,
}

impl CodeBuffer {
    pub(super) fn load(
        &mut self,
        source: &RowSource,
        column: ColumnHandle,
        vector: usize,
    ) -> Result<Codes<'_>, QueryError> {
        if self.vector != Some(vector) {
            self.vector = None;
            source.codes_at(column, vector, &mut self.cursor, &mut self.codes)?;
            fill_starts(
                &self.codes.occurrence,
                self.codes.row_count,
                &mut self.starts,
            );
            self.vector = Some(vector);
        }
        Ok(Codes {
            codes: &self.codes.codes,
            index: value_index(&self.codes.occurrence, &self.starts),
        })
    }
}

fn value_index<'a>(occurrence: &'a VectorOccurrence, starts: &'a [u32]) -> ValueIndex<'a> {
    match occurrence {
        VectorOccurrence::One => ValueIndex::One,
        VectorOccurrence::Optional(_) => ValueIndex::Starts(starts),
        VectorOccurrence::Many(starts) => ValueIndex::Starts(starts),
    }
}

/// Counts the values before each row where a bitmap says which rows have one.
fn fill_starts(occurrence: &VectorOccurrence, row_count: usize, starts: &mut Vec<u32>) {
    starts.clear();
    if let VectorOccurrence::Optional(words) = occurrence {
        let mut before = 0;
        starts.push(before);
        for row in 0..row_count {
            before += u32::from(words[row / 64] >> (row % 64) & 1 == 1);
            starts.push(before);
        }
    }
}

/// Integers up to here are exact as IEEE doubles.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// What an integer counts as under a field that is decimal by now.
pub(crate) fn widened(value: i64) -> Decimal {
    if value.unsigned_abs() <= EXACT_INTEGER_MAX {
        return Decimal::from_i64(value);
    }
    Decimal::from_f64(value as f64).expect("an integer is finite")
}

fn widen(numbers: &mut NumberVector) {
    let is_exact = |value: &i64| value.unsigned_abs() <= EXACT_INTEGER_MAX;
    if numbers.mantissas.iter().all(is_exact) {
        return;
    }
    let mut exponents = Vec::with_capacity(numbers.mantissas.len());
    for mantissa in &mut numbers.mantissas {
        let decimal = widened(*mantissa);
        *mantissa = decimal.mantissa;
        exponents.push(decimal.exponent);
    }
    numbers.exponents = Exponents::Each(exponents);
}

/// Whether what is known about integers still holds when the field has become decimal.
pub(crate) fn is_exact_widened(min: Decimal, max: Decimal) -> bool {
    let is_exact = |decimal: Decimal| {
        decimal.exponent == 0 && decimal.mantissa.unsigned_abs() <= EXACT_INTEGER_MAX
    };
    is_exact(min) && is_exact(max)
}

/// The statistics of `column` in `vector`, if they hold for its field.
pub(super) fn summary(
    source: &RowSource,
    column: &NumberColumn,
    vector: usize,
) -> Option<NumberSummary> {
    let summary = source.number_summary(column.handle, vector)?;
    let holds = !column.is_widened || is_exact_widened(summary.min, summary.max);
    holds.then_some(summary)
}

/// Whether `kind` stores numbers.
pub(crate) fn is_number(kind: ColumnKind) -> bool {
    match kind {
        ColumnKind::Integer | ColumnKind::Decimal => true,
        ColumnKind::Text => false,
    }
}
