//! Rows as plain columns: what decoding makes, active rows hold and a segment is written from.

use std::sync::Arc;

use super::{Dictionary, Exponents, Occurrence};

/// How a column's values are stored, whatever they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnKind {
    /// 64-bit integers: long, date, boolean.
    Integer,
    /// Decimals.
    Decimal,
    /// Texts through a dictionary.
    Text,
}

/// Numbers: value `i` is `mantissas[i] × 10^exponents[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberColumn {
    /// The digits, dense: only values that are there.
    pub mantissas: Vec<i64>,
    /// `Uniform(0)` for integers.
    pub exponents: Exponents,
    /// How values are dealt out to rows.
    pub occurrence: Occurrence,
}

/// Texts: value `i` is the term of `codes[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumn {
    /// The distinct texts.
    pub dictionary: Arc<Dictionary>,
    /// Dense: only values that are there.
    pub codes: Vec<u32>,
    /// How values are dealt out to rows.
    pub occurrence: Occurrence,
}

/// The original document of each row, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceColumn {
    /// Row `r` is `bytes[ends[r - 1]..ends[r]]`, from 0 for the first.
    pub ends: Vec<u64>,
    /// All documents, one behind the other.
    pub bytes: Vec<u8>,
}

impl SourceColumn {
    /// Adds the document of the next row.
    pub fn push(&mut self, document: &[u8]) {
        self.bytes.extend_from_slice(document);
        self.ends.push(self.bytes.len() as u64);
    }

    /// The document of `row`.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }
}

/// The values of one field for all rows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// Integers; every exponent is 0.
    Integer(NumberColumn),
    /// Decimals.
    Decimal(NumberColumn),
    /// Texts.
    Text(TextColumn),
}

impl Column {
    /// How its values are stored.
    #[must_use]
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Integer(_) => ColumnKind::Integer,
            Self::Decimal(_) => ColumnKind::Decimal,
            Self::Text(_) => ColumnKind::Text,
        }
    }
}

/// Rows as columns of equal length, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnBatch {
    /// When each row happened, in milliseconds: the topic's time field, else the record's time.
    /// This is what rows are sorted by; the field itself is a column like any other.
    pub times_ms: Vec<i64>,
    /// The partition each row came from.
    pub partitions: Vec<u32>,
    /// The offset each row came from; with the partition it names the row for ever.
    pub offsets: Vec<u64>,
    /// Ids that writers gave; rows without one are named by partition and offset. `None` when no
    /// row has one.
    pub ids: Option<TextColumn>,
    /// The original documents.
    pub sources: SourceColumn,
    /// Fields by dotted path, ascending, each path once.
    pub columns: Vec<(Arc<str>, Column)>,
    /// Whether the topic's time field is a column here and holds exactly `times_ms`, one value a
    /// row. Then the sort key answers for the field.
    pub times_are_field: bool,
}

impl ColumnBatch {
    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.times_ms.len()
    }

    /// The column at `path`.
    #[must_use]
    pub fn column(&self, path: &str) -> Option<&Column> {
        let index = self
            .columns
            .binary_search_by(|(name, _)| name.as_ref().cmp(path))
            .ok()?;
        Some(&self.columns[index].1)
    }
}
