//! Rows as people think of them, and the sources that hold them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use storage::disk::ReadFile;
use storage::model::{
    Column, ColumnBatch, Decimal, DictionaryBuilder, Exponents, FieldType, NumberColumn,
    Occurrence, TextColumn,
};
use storage::segment::{
    ActiveChunk, ColumnRoles, RowSource, SegmentOptions, SegmentReader, write_segment,
};

use super::random::Random;
use crate::ordinals::TermColumn;

pub(super) const TIME_FIELD: &str = "@t";

/// The fields of the topic: every way to have values.
pub(super) const FIELDS: &[(&str, FieldType)] = &[
    (TIME_FIELD, FieldType::Date),
    ("when", FieldType::Date),
    ("nanos", FieldType::DateNanos),
    ("coin", FieldType::Keyword),
    ("tags", FieldType::Keyword),
    ("note", FieldType::Text),
    ("amount", FieldType::Double),
    ("size", FieldType::Long),
    // Integers in some sources, decimals in others.
    ("grown", FieldType::Double),
    ("flag", FieldType::Boolean),
    // One value at most.
    ("weight", FieldType::Double),
];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(Decimal),
    Text(String),
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) time_ms: i64,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) id: Option<String>,
    pub(super) values: BTreeMap<&'static str, Vec<Value>>,
}

impl Row {
    /// Its id, its own or made of where it came from.
    pub(super) fn name(&self) -> String {
        let place = || format!("{}-{}", self.partition, self.offset);
        self.id.clone().unwrap_or_else(place)
    }

    pub(super) fn values(&self, path: &str) -> &[Value] {
        self.values.get(path).map_or(&[], Vec::as_slice)
    }

    pub(super) fn numbers(&self, path: &str) -> Vec<Decimal> {
        let number = |value: &Value| match value {
            Value::Number(number) => Some(*number),
            Value::Text(_) => None,
        };
        self.values(path).iter().filter_map(number).collect()
    }

    pub(super) fn texts(&self, path: &str) -> Vec<&str> {
        self.values(path)
            .iter()
            .filter_map(|value| match value {
                Value::Number(_) => None,
                Value::Text(text) => Some(text.as_str()),
            })
            .collect()
    }
}

#[derive(Debug)]
pub(super) struct BytesFile(pub(super) Vec<u8>);

impl ReadFile for BytesFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        let bytes = self.0.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A text column of `terms`, in a segment or in memory.
pub(crate) fn text_column(terms: &[String], is_segment: bool) -> TermColumn {
    let mut all: Vec<Row> = Vec::new();
    for (offset, term) in (0..).zip(terms) {
        all.push(Row {
            time_ms: 0,
            partition: 0,
            offset,
            id: None,
            values: [("coin", vec![Value::Text(term.clone())])].into(),
        });
    }
    let source = if is_segment {
        segment(&all)
    } else {
        active(&all)
    };
    let column = source.column("coin").expect("there is a term");
    TermColumn { source, column }
}

/// `rows` in memory.
pub(super) fn active(rows: &[Row]) -> RowSource {
    let batch = batch(rows, &mut Random::new(0));
    RowSource::from(Arc::new(ActiveChunk::new(batch)))
}

/// `rows` in a segment with cells.
pub(super) fn segment(rows: &[Row]) -> RowSource {
    let batch = batch(rows, &mut Random::new(0));
    RowSource::from(Arc::new(write(&batch, &roles(), 1_000)))
}

pub(super) fn roles() -> ColumnRoles {
    ColumnRoles {
        dimensions: ["coin".into(), "tags".into(), "note".into()].into(),
        decimals: ["amount".into()].into(),
        time_column: Some(TIME_FIELD.into()),
    }
}

/// The segment of `batch`, with cells unless they are too many for its rows.
pub(super) fn write(
    batch: &ColumnBatch,
    roles: &ColumnRoles,
    cell_rows_percent_max: usize,
) -> SegmentReader {
    let options = SegmentOptions {
        cell_rows_percent_max,
        ..SegmentOptions::default()
    };
    let mut bytes = Vec::new();
    write_segment(&[batch], roles, &options, &mut bytes).expect("consistent rows");
    SegmentReader::open(Arc::new(BytesFile(bytes))).expect("a fresh segment")
}

pub(super) fn batch(rows: &[Row], random: &mut Random) -> ColumnBatch {
    let mut batch = ColumnBatch {
        times_ms: rows.iter().map(|row| row.time_ms).collect(),
        partitions: rows.iter().map(|row| row.partition).collect(),
        offsets: rows.iter().map(|row| row.offset).collect(),
        // A row may lack the time field; then the sort key does not answer for it.
        times_are_field: rows
            .iter()
            .all(|row| row.numbers(TIME_FIELD) == [Decimal::from_i64(row.time_ms)]),
        ..ColumnBatch::default()
    };
    for row in rows {
        batch.sources.push(row.name().as_bytes());
    }
    if rows.iter().any(|row| row.id.is_some()) {
        let ids: Vec<Vec<&str>> = rows
            .iter()
            .map(|row| row.id.as_deref().into_iter().collect())
            .collect();
        batch.ids = Some(texts(&ids));
    }
    for (path, field_type) in FIELDS {
        if rows.iter().all(|row| row.values(path).is_empty()) {
            continue;
        }
        let column = match field_type {
            FieldType::Keyword | FieldType::Text => {
                let values: Vec<_> = rows.iter().map(|row| row.texts(path)).collect();
                Column::Text(texts(&values))
            }
            FieldType::Double => {
                let values: Vec<_> = rows.iter().map(|row| row.numbers(path)).collect();
                let is_integer = values.iter().flatten().all(|value| value.exponent == 0);
                if *path == "grown" && is_integer && !random.once_in(4) {
                    Column::Integer(numbers(&values))
                } else {
                    let decimal = |value: &Decimal| {
                        Decimal::from_f64(value.to_f64()).expect("a finite number")
                    };
                    let values: Vec<Vec<_>> = values
                        .iter()
                        .map(|values| values.iter().map(decimal).collect())
                        .collect();
                    Column::Decimal(numbers(&values))
                }
            }
            _ => {
                let values: Vec<_> = rows.iter().map(|row| row.numbers(path)).collect();
                Column::Integer(numbers(&values))
            }
        };
        batch.columns.push(((*path).into(), column));
    }
    batch.columns.sort_by(|a, b| a.0.cmp(&b.0));
    batch
}

fn texts(rows: &[Vec<&str>]) -> TextColumn {
    let mut dictionary = DictionaryBuilder::default();
    let codes = rows
        .iter()
        .flatten()
        .map(|text| dictionary.code(text.as_bytes()))
        .collect();
    TextColumn {
        codes,
        dictionary: Arc::new(dictionary.finish()),
        occurrence: occurrence(&rows.iter().map(Vec::len).collect::<Vec<_>>()),
    }
}

fn numbers(rows: &[Vec<Decimal>]) -> NumberColumn {
    let exponents: Vec<i16> = rows.iter().flatten().map(|value| value.exponent).collect();
    let first = exponents.first().copied().unwrap_or(0);
    NumberColumn {
        mantissas: rows.iter().flatten().map(|value| value.mantissa).collect(),
        exponents: if exponents.iter().all(|exponent| *exponent == first) {
            Exponents::Uniform(first)
        } else {
            Exponents::Each(exponents)
        },
        occurrence: occurrence(&rows.iter().map(Vec::len).collect::<Vec<_>>()),
    }
}

fn occurrence(counts: &[usize]) -> Occurrence {
    if counts.iter().all(|count| *count == 1) {
        return Occurrence::One;
    }
    if counts.iter().all(|count| *count <= 1) {
        let mut words = vec![0; counts.len().div_ceil(64)];
        for (row, count) in counts.iter().enumerate() {
            words[row / 64] |= (*count as u64) << (row % 64);
        }
        return Occurrence::Optional(words);
    }
    let mut starts = vec![0];
    for count in counts {
        starts.push(starts[starts.len() - 1] + *count as u32);
    }
    Occurrence::Many(starts)
}
