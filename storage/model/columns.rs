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

/// Path of the column that says which version of its document a row is, where that is not the
/// first. No field has such a name.
pub const VERSION_COLUMN: &str = "_version";

/// Path of the column that says with which routing a row's document was written, where it was with
/// one. No field has such a name.
pub const ROUTING_COLUMN: &str = "_routing";

/// Path of the column that names the fields of a row that were left out because a value did not
/// fit. No field has such a name.
pub const IGNORED_COLUMN: &str = "_ignored";

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

/// The original document of each row, byte for byte, without what the columns know already.
///
/// A *shape* is what documents have in common: their text between values, and where each value
/// comes from. The empty shape says nothing: the row's own bytes are the document. Every other
/// shape is read by those who rebuild documents; here it is a text like any other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceColumn {
    /// The distinct shapes.
    pub shapes: Arc<Dictionary>,
    /// The shape of each row; none at all when no row has a document.
    pub codes: Vec<u32>,
    /// The own bytes of row `r` are `bytes[ends[r - 1]..ends[r]]`, from 0 for the first. None at
    /// all when no row has own bytes.
    pub ends: Vec<u64>,
    /// What shapes do not say, row by row.
    pub bytes: Vec<u8>,
}

impl SourceColumn {
    /// Adds the next row with its whole document as its own bytes.
    pub fn push(&mut self, document: &[u8]) {
        let whole = self.shapes.terms().position(<[u8]>::is_empty);
        let code = match whole {
            Some(code) => u32::try_from(code).expect("a dictionary has fewer than 2^32 terms"),
            None => Arc::make_mut(&mut self.shapes)
                .push_sharing(0, &[])
                .expect("shapes stay far below 4 GiB"),
        };
        self.push_parts(code, document);
    }

    /// Adds the next row: the code of its shape, and its own bytes.
    pub fn push_parts(&mut self, code: u32, own: &[u8]) {
        self.codes.push(code);
        if self.ends.is_empty() && own.is_empty() {
            return;
        }
        // Rows before the first that has own bytes have none.
        self.ends
            .resize(self.codes.len() - 1, self.bytes.len() as u64);
        self.bytes.extend_from_slice(own);
        self.ends.push(self.bytes.len() as u64);
    }

    /// The shape of `row`; the empty one where there are no documents.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn shape(&self, row: usize) -> &[u8] {
        match self.codes.is_empty() {
            true => &[],
            false => self.shapes.term(self.codes[row]),
        }
    }

    /// What the shape of `row` does not say.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn own_bytes(&self, row: usize) -> &[u8] {
        if self.ends.is_empty() {
            return &[];
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }

    /// Memory that it takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len()
            + self.ends.len() * size_of::<u64>()
            + self.codes.len() * size_of::<u32>()
            + self.shapes.text_bytes()
    }
}

impl Column {
    fn shrink_to_fit(&mut self) {
        let occurrence = match self {
            Self::Integer(numbers) | Self::Decimal(numbers) => {
                numbers.mantissas.shrink_to_fit();
                if let Exponents::Each(exponents) = &mut numbers.exponents {
                    exponents.shrink_to_fit();
                }
                &mut numbers.occurrence
            }
            Self::Text(texts) => return texts.shrink_to_fit(),
        };
        shrink_occurrence(occurrence);
    }
}

impl TextColumn {
    fn shrink_to_fit(&mut self) {
        if let Some(dictionary) = Arc::get_mut(&mut self.dictionary) {
            dictionary.shrink_to_fit();
        }
        self.codes.shrink_to_fit();
        shrink_occurrence(&mut self.occurrence);
    }
}

fn shrink_occurrence(occurrence: &mut Occurrence) {
    match occurrence {
        Occurrence::One => {}
        Occurrence::Optional(words) => words.shrink_to_fit(),
        Occurrence::Many(starts) => starts.shrink_to_fit(),
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

    /// Gives back memory that rows to come would have used: no more come.
    pub fn shrink_to_fit(&mut self) {
        self.times_ms.shrink_to_fit();
        self.partitions.shrink_to_fit();
        self.offsets.shrink_to_fit();
        if let Some(ids) = &mut self.ids {
            ids.shrink_to_fit();
        }
        self.sources.codes.shrink_to_fit();
        self.sources.ends.shrink_to_fit();
        self.sources.bytes.shrink_to_fit();
        for (_, column) in &mut self.columns {
            column.shrink_to_fit();
        }
    }

    /// The rows whose writers gave an id, ascending, with their ids.
    #[must_use]
    pub fn ids_of_rows(&self) -> Vec<(usize, &[u8])> {
        let mut found = Vec::new();
        let Some(ids) = &self.ids else {
            return found;
        };
        let mut value = 0;
        for row in 0..self.row_count() {
            let count = match &ids.occurrence {
                Occurrence::One => 1,
                Occurrence::Optional(words) => (words[row / 64] >> (row % 64) & 1) as usize,
                Occurrence::Many(starts) => (starts[row + 1] - starts[row]) as usize,
            };
            if count > 0 {
                found.push((row, ids.dictionary.term(ids.codes[value])));
            }
            value += count;
        }
        found
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
