//! Rows as plain values: what batches are made of and sources are read back to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    CodeVector, Column, ColumnBatch, ColumnKind, Decimal, DictionaryBuilder, Exponents,
    NumberColumn, NumberVector, Occurrence, SourceColumn, TextColumn, VectorOccurrence,
};
use crate::segment::{ColumnHandle, ColumnOccurrence, RowSource};

/// A value of any kind; decimals without trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::segment) enum Value {
    Integer(i64),
    Decimal(i64, i16),
    Text(Vec<u8>),
}

impl Value {
    pub(in crate::segment) fn decimal(value: f64) -> Self {
        let decimal = Decimal::from_f64(value).expect("finite");
        Self::Decimal(decimal.mantissa, decimal.exponent)
    }

    pub(in crate::segment) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(in crate::segment) fn kind(&self) -> ColumnKind {
        match self {
            Self::Integer(_) => ColumnKind::Integer,
            Self::Decimal(..) => ColumnKind::Decimal,
            Self::Text(_) => ColumnKind::Text,
        }
    }

    pub(in crate::segment) fn number(&self) -> Decimal {
        match self {
            Self::Integer(value) => Decimal::from_i64(*value),
            Self::Decimal(mantissa, exponent) => Decimal {
                mantissa: *mantissa,
                exponent: *exponent,
            },
            Self::Text(_) => panic!("a text is no number"),
        }
    }
}

/// One row; ordered as segments order rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::segment) struct Row {
    pub(in crate::segment) time_ms: i64,
    pub(in crate::segment) partition: u32,
    pub(in crate::segment) offset: u64,
    pub(in crate::segment) id: Option<Vec<u8>>,
    pub(in crate::segment) document: Vec<u8>,
    /// Only columns that have values.
    pub(in crate::segment) values: BTreeMap<String, Vec<Value>>,
}

/// `rows` as decoding would batch them, with a column for each of `schema`.
pub(in crate::segment) fn batch_of(rows: &[Row], schema: &[(&str, ColumnKind)]) -> ColumnBatch {
    let mut sources = SourceColumn::default();
    rows.iter().for_each(|row| sources.push(&row.document));
    let mut columns: Vec<(Arc<str>, Column)> = schema
        .iter()
        .map(|(path, kind)| (Arc::from(*path), column_of(rows, path, *kind)))
        .collect();
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    let has_ids = rows.iter().any(|row| row.id.is_some());
    let ids: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| row.id.iter().map(|id| Value::Text(id.clone())).collect())
        .collect();
    let time_values =
        |row: &Row| row.values.get("time") == Some(&vec![Value::Integer(row.time_ms)]);
    ColumnBatch {
        times_ms: rows.iter().map(|row| row.time_ms).collect(),
        partitions: rows.iter().map(|row| row.partition).collect(),
        offsets: rows.iter().map(|row| row.offset).collect(),
        ids: has_ids.then(|| texts(&ids)),
        sources,
        columns,
        times_are_field: rows.iter().all(time_values),
    }
}

fn column_of(rows: &[Row], path: &str, kind: ColumnKind) -> Column {
    let values: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| row.values.get(path).cloned().unwrap_or_default())
        .collect();
    let numbers = |exponents| NumberColumn {
        mantissas: values
            .iter()
            .flatten()
            .map(|value| value.number().mantissa)
            .collect(),
        exponents,
        occurrence: occurrence_of(&values),
    };
    let each = values
        .iter()
        .flatten()
        .filter(|value| value.kind() != ColumnKind::Text);
    match kind {
        ColumnKind::Integer => Column::Integer(numbers(Exponents::Uniform(0))),
        ColumnKind::Decimal => Column::Decimal(numbers(Exponents::Each(
            each.map(|value| value.number().exponent).collect(),
        ))),
        ColumnKind::Text => Column::Text(texts(&values)),
    }
}

fn texts(values: &[Vec<Value>]) -> TextColumn {
    let mut dictionary = DictionaryBuilder::default();
    let mut codes = Vec::new();
    for value in values.iter().flatten() {
        match value {
            Value::Text(text) => codes.push(dictionary.code(text)),
            Value::Integer(_) | Value::Decimal(..) => panic!("a number is no text"),
        }
    }
    TextColumn {
        dictionary: Arc::new(dictionary.finish()),
        codes,
        occurrence: occurrence_of(values),
    }
}

fn occurrence_of(values: &[Vec<Value>]) -> Occurrence {
    if values.iter().all(|values| values.len() == 1) {
        Occurrence::One
    } else if values.iter().all(|values| values.len() <= 1) {
        let mut words = vec![0_u64; values.len().div_ceil(64)];
        for (row, values) in values.iter().enumerate() {
            words[row / 64] |= (values.len() as u64) << (row % 64);
        }
        Occurrence::Optional(words)
    } else {
        let mut starts = vec![0];
        for values in values {
            starts.push(starts[starts.len() - 1] + values.len() as u32);
        }
        Occurrence::Many(starts)
    }
}

/// All rows of `source`, through every accessor that it has.
pub(in crate::segment) fn read_rows(source: &RowSource) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut times, mut partitions, mut offsets) = (vec![1], vec![2], vec![3]);
    for vector in 0..source.vector_count() {
        source.times_ms(vector, &mut times).expect("times");
        source
            .origins(vector, &mut partitions, &mut offsets)
            .expect("origins");
        let range = source.vector_rows(vector);
        assert_eq!(times.len(), range.len());
        let bounds = (times.iter().min().copied(), times.iter().max().copied());
        let (first, last) = source.vector_time_bounds_ms(vector);
        assert_eq!((Some(first), Some(last)), bounds);
        for (index, row) in range.enumerate() {
            let id = source.id(row).expect("id");
            if let Some(id) = &id {
                let found = source.find_id(id).expect("find id");
                assert!(found.is_sorted() && found.contains(&row));
                for same in found {
                    assert_eq!(source.id(same).expect("id").as_ref(), Some(id));
                }
            }
            rows.push(Row {
                time_ms: times[index],
                partition: partitions[index],
                offset: offsets[index],
                id,
                document: source.source(row).expect("document"),
                values: BTreeMap::new(),
            });
        }
    }
    assert!(source.find_id(b"no such id").expect("find id").is_empty());
    let paths: Vec<_> = source.column_paths().cloned().collect();
    assert!(paths.is_sorted());
    for path in paths {
        let column = source.column(&path).expect("the path was listed");
        let values = read_column(source, column);
        assert_eq!(values.len(), rows.len());
        for (row, values) in rows.iter_mut().zip(values) {
            if !values.is_empty() {
                row.values.insert(path.to_string(), values);
            }
        }
    }
    rows
}

fn read_column(source: &RowSource, column: ColumnHandle) -> Vec<Vec<Value>> {
    let info = source.column_info(column);
    let mut numbers = NumberVector::default();
    let mut codes = CodeVector::default();
    let mut rows = Vec::new();
    for vector in 0..source.vector_count() {
        let row_count = source.vector_rows(vector).len();
        if info.kind == ColumnKind::Text {
            let dictionary = source.dictionary(column).expect("dictionary");
            source.codes(column, vector, &mut codes).expect("codes");
            source
                .numbers(column, vector, &mut numbers)
                .expect_err("texts are no numbers");
            assert_eq!(codes.row_count, row_count);
            let values = codes.codes.iter();
            let values = values.map(|code| Value::Text(dictionary.term(*code).to_vec()));
            deal(values.collect(), &codes.occurrence, row_count, &mut rows);
        } else {
            source
                .numbers(column, vector, &mut numbers)
                .expect("numbers");
            source
                .codes(column, vector, &mut codes)
                .expect_err("numbers are no texts");
            assert_eq!(numbers.row_count, row_count);
            check_summary(source, column, vector, &numbers);
            let values =
                (0..numbers.mantissas.len()).map(|index| number(&numbers, index, info.kind));
            deal(values.collect(), &numbers.occurrence, row_count, &mut rows);
        }
    }
    let most = rows.iter().map(Vec::len).max();
    let least = rows.iter().map(Vec::len).min();
    let expected = match (least, most) {
        (Some(1), Some(1)) => ColumnOccurrence::One,
        (_, Some(0 | 1)) => ColumnOccurrence::Optional,
        _ => ColumnOccurrence::Many,
    };
    assert!(expected <= info.occurrence, "{expected:?} {info:?}");
    rows
}

fn number(numbers: &NumberVector, index: usize, kind: ColumnKind) -> Value {
    let value = Decimal {
        mantissa: numbers.mantissas[index],
        exponent: numbers.exponents.get(index),
    };
    match kind {
        ColumnKind::Integer => {
            assert_eq!(value.exponent, 0);
            Value::Integer(value.mantissa)
        }
        ColumnKind::Decimal | ColumnKind::Text => {
            let value = value.normalized();
            Value::Decimal(value.mantissa, value.exponent)
        }
    }
}

/// Statistics, where there are some, say what the values say.
fn check_summary(source: &RowSource, column: ColumnHandle, vector: usize, numbers: &NumberVector) {
    let Some(summary) = source.number_summary(column, vector) else {
        return;
    };
    let values: Vec<Decimal> = (0..numbers.mantissas.len())
        .map(|index| number(numbers, index, ColumnKind::Decimal).number())
        .collect();
    assert_eq!(summary.count as usize, values.len());
    let min = values
        .iter()
        .copied()
        .min_by(|a, b| a.compare(*b))
        .expect("a value");
    let max = values
        .iter()
        .copied()
        .max_by(|a, b| a.compare(*b))
        .expect("a value");
    assert!(summary.min.compare(min).is_eq());
    assert!(summary.max.compare(max).is_eq());
    let mut sum = crate::model::ExactSum::default();
    values.iter().for_each(|value| sum.add(*value));
    let mut summed = crate::model::ExactSum::default();
    summed.add_scaled(summary.sum.0, summary.sum.1);
    assert_eq!(sum.to_f64(), summed.to_f64());
}

fn deal(
    values: Vec<Value>,
    occurrence: &VectorOccurrence,
    row_count: usize,
    rows: &mut Vec<Vec<Value>>,
) {
    let mut values = values.into_iter();
    for row in 0..row_count {
        let count = match occurrence {
            VectorOccurrence::One => 1,
            VectorOccurrence::Optional(words) => (words[row / 64] >> (row % 64) & 1) as usize,
            VectorOccurrence::Many(starts) => (starts[row + 1] - starts[row]) as usize,
        };
        rows.push(values.by_ref().take(count).collect());
        assert_eq!(rows[rows.len() - 1].len(), count);
    }
    assert_eq!(values.next(), None);
}
