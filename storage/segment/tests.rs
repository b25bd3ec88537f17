//! Whole segments: what is written is what every accessor reads, and damage never goes unseen.

mod damage;
mod golden;
mod merge;
pub(super) mod rows;
pub(super) mod samples;

use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use self::rows::{Row, Value, batch_of, read_rows};
use self::samples::{SCHEMA, sample_rows};
use super::dictionary_pages::DictionaryPages;
use super::footer::{ColumnEntry, Footer};
use super::layout::FILE_HEADER_BYTES;
use super::{
    ActiveChunk, ColumnRoles, ContentHash, RowSource, SegmentError, SegmentOptions, SegmentReader,
    SourceRows, WrittenSegment, write_segment,
};
use crate::disk::ReadFile;
use crate::model::{ColumnBatch, ColumnKind, Decimal, Dictionary};

/// A file in memory.
#[derive(Debug)]
pub(super) struct BytesFile(pub(super) Vec<u8>);

impl ReadFile for BytesFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start
            .checked_add(out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn open(bytes: Vec<u8>) -> Result<SegmentReader, SegmentError> {
    SegmentReader::open(Arc::new(BytesFile(bytes)))
}

pub(super) fn roles() -> ColumnRoles {
    ColumnRoles {
        dimensions: ["coin".into(), "name".into(), "tags".into()].into(),
        decimals: ["amount".into()].into(),
        time_column: Some("time".into()),
    }
}

/// A file and what its writer said about it.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) written: WrittenSegment,
}

pub(super) fn encode(
    batches: &[&ColumnBatch],
    roles: &ColumnRoles,
    options: &SegmentOptions,
) -> Result<Encoded, SegmentError> {
    let mut bytes = Vec::new();
    let written = write_segment(batches, roles, options, &mut bytes)?;
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.content_hash, ContentHash::of(&bytes));
    Ok(Encoded { bytes, written })
}

pub(super) fn write(batches: &[&ColumnBatch]) -> Encoded {
    encode(batches, &roles(), &SegmentOptions::default()).expect("consistent batches")
}

/// Writes, opens and verifies; reads rows through every accessor.
fn check_round_trip(rows: &[Row], batches: &[&ColumnBatch]) -> Arc<SegmentReader> {
    let encoded = write(batches);
    let reader = Arc::new(open(encoded.bytes.clone()).expect("a fresh segment"));
    reader.verify().expect("a fresh segment");
    assert_eq!(*reader.summary(), encoded.written.summary);
    let mut sorted = rows.to_vec();
    sorted.sort();
    let source = RowSource::from(reader.clone());
    assert_eq!(read_rows(&source), sorted);
    assert_eq!(
        source.time_bounds_ms(),
        Some((sorted[0].time_ms, sorted[sorted.len() - 1].time_ms))
    );
    // What was read back is the same segment again, whatever it was written from.
    let again = write(&[&reader.read_batch().expect("a fresh segment")]);
    assert_eq!(again.bytes, encoded.bytes);
    reader
}

fn check_active(rows: &[Row], parts: &[&[Row]]) {
    let chunks: Vec<_> = parts
        .iter()
        .map(|rows| SourceRows::from(Arc::new(ActiveChunk::new(batch_of(rows, &SCHEMA)))))
        .collect();
    let chunk = ActiveChunk::concat(&chunks).expect("chunks of one schema");
    let source = RowSource::from(Arc::new(chunk));
    assert_eq!(read_rows(&source), rows);
    assert!(source.cells().expect("nothing is read").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_come_back(
        seed in any::<u64>(),
        count in 1..700_usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let rows = sample_rows(seed, count);
        let (first, second) = rows.split_at(cut.index(count));
        check_active(&rows, &[first, second]);
        let batches = [batch_of(first, &SCHEMA), batch_of(second, &SCHEMA)];
        let batches: Vec<_> = batches.iter().filter(|batch| batch.row_count() > 0).collect();
        check_round_trip(&rows, &batches);
        // The same rows in one batch make the same file.
        let whole = batch_of(&rows, &SCHEMA);
        prop_assert_eq!(write(&[&whole]).bytes, write(&batches).bytes);
    }
}

#[test]
fn several_vectors_come_back() {
    for (seed, count) in [(1, 1_024), (2, 1_025), (3, 5_000)] {
        let rows = sample_rows(seed, count);
        check_active(&rows, &[&rows[..count / 3], &rows[count / 3..]]);
        check_round_trip(&rows, &[&batch_of(&rows, &SCHEMA)]);
    }
}

/// More rows than one page of values holds, and dictionaries of several blocks.
#[test]
fn several_row_groups_come_back() {
    let schema = [("name", ColumnKind::Text), ("count", ColumnKind::Integer)];
    let rows: Vec<Row> = (0..70_000_u32)
        .map(|number| Row {
            time_ms: i64::from(number) * 1000,
            partition: 0,
            offset: number.into(),
            id: Some(format!("{:08x}", number.wrapping_mul(0x9e37_79b9)).into_bytes()),
            document: Vec::new(),
            values: [
                (
                    "name".to_string(),
                    vec![Value::text(&format!("name {}", number / 2))],
                ),
                (
                    "count".to_string(),
                    vec![Value::Integer((number % 5).into())],
                ),
            ]
            .into(),
        })
        .collect();
    let encoded = write(&[&batch_of(&rows, &schema)]);
    let reader = Arc::new(open(encoded.bytes).expect("a fresh segment"));
    reader.verify().expect("a fresh segment");
    assert_eq!(read_rows(&RowSource::from(reader)), rows);
}

#[test]
fn integers_are_widened_where_the_field_is_decimal_by_now() {
    let row = |offset: u64, value: Value| Row {
        time_ms: 5,
        partition: 0,
        offset,
        id: None,
        document: Vec::new(),
        values: [("amount".to_string(), vec![value])].into(),
    };
    let old = [
        row(1, Value::Integer(12)),
        row(2, Value::Integer(9_007_199_254_740_993)),
    ];
    let new = [row(3, Value::decimal(12.5))];
    let old_batch = batch_of(&old, &[("amount", ColumnKind::Integer)]);
    let new_batch = batch_of(&new, &[("amount", ColumnKind::Decimal)]);
    let expected = |numbers: [f64; 3]| {
        let values = numbers.into_iter().zip(1..);
        values
            .map(|(number, offset)| row(offset, Value::decimal(number)))
            .collect::<Vec<_>>()
    };
    let widened = expected([12.0, 9_007_199_254_740_992.0, 12.5]);
    check_round_trip(&widened, &[&old_batch, &new_batch]);
    check_round_trip(&widened[..2], &[&old_batch]);
    let chunks =
        [old_batch, new_batch].map(|batch| SourceRows::from(Arc::new(ActiveChunk::new(batch))));
    let chunk = ActiveChunk::concat(&chunks).expect("numbers go together");
    assert_eq!(read_rows(&RowSource::from(Arc::new(chunk))), widened);
}

#[test]
fn texts_and_numbers_of_one_path_do_not_go_together() {
    let row = |value: Value| Row {
        time_ms: 5,
        partition: 0,
        offset: 0,
        id: None,
        document: Vec::new(),
        values: [("a".to_string(), vec![value])].into(),
    };
    let text = batch_of(&[row(Value::text("x"))], &[("a", ColumnKind::Text)]);
    let number = batch_of(&[row(Value::Integer(1))], &[("a", ColumnKind::Integer)]);
    let options = SegmentOptions::default();
    let error = encode(&[&text, &number], &ColumnRoles::default(), &options);
    assert!(matches!(error, Err(SegmentError::MixedKinds { column }) if column.as_ref() == "a"));
    let chunks = [text, number].map(|batch| SourceRows::from(Arc::new(ActiveChunk::new(batch))));
    assert!(matches!(
        ActiveChunk::concat(&chunks),
        Err(SegmentError::MixedKinds { .. })
    ));
}

#[test]
fn a_segment_without_rows_is_refused() {
    let options = SegmentOptions::default();
    let empty = ColumnBatch::default();
    let error = encode(&[&empty], &ColumnRoles::default(), &options);
    assert!(matches!(error, Err(SegmentError::NoRows)));
}

#[test]
fn an_inconsistent_batch_is_refused() {
    let mut batch = batch_of(&sample_rows(1, 9), &SCHEMA);
    batch.offsets.pop();
    let error = encode(&[&batch], &roles(), &SegmentOptions::default());
    assert!(matches!(
        error,
        Err(SegmentError::Inconsistent { rows: 9, .. })
    ));
}

#[test]
fn the_time_field_costs_nothing_twice() {
    let rows = sample_rows(4, 2_000);
    let with = write(&[&batch_of(&rows, &[("time", ColumnKind::Integer)])]);
    let without = write(&[&batch_of(&rows, &[])]);
    assert!(with.bytes.len() < without.bytes.len() + 100);
    let reader = open(with.bytes).expect("a fresh segment");
    assert!(RowSource::from(Arc::new(reader)).times_are_field());
}

#[test]
fn money_takes_two_or_three_bytes() {
    let rows: Vec<Row> = (0..10_240_u32)
        .map(|number| {
            let cents = i64::from(number.wrapping_mul(0x9e37_79b9) % 1_000_000);
            let amount = Decimal {
                mantissa: cents,
                exponent: -2,
            };
            let amount = amount.normalized();
            Row {
                time_ms: i64::from(number) * 1000,
                partition: 0,
                offset: number.into(),
                id: None,
                document: Vec::new(),
                values: [(
                    "amount".into(),
                    vec![Value::Decimal(amount.mantissa, amount.exponent)],
                )]
                .into(),
            }
        })
        .collect();
    let encoded = write(&[&batch_of(&rows, &[("amount", ColumnKind::Decimal)])]);
    let bytes_a_row = encoded.bytes.len() as f64 / rows.len() as f64;
    assert!(bytes_a_row < 2.7, "{bytes_a_row} bytes a row");
}

#[test]
fn a_column_may_have_more_text_than_32_bits_count() {
    let reader = open(write(&[&batch_of(&sample_rows(1, 64), &SCHEMA)]).bytes).expect("a segment");
    let mut footer = reader.file.footer.clone();
    let end = footer
        .pages
        .iter()
        .map(|page| u64::from(page.stored_bytes))
        .sum::<u64>()
        + FILE_HEADER_BYTES as u64;
    let is_text = |column: &&mut ColumnEntry| column.info.kind == ColumnKind::Text;
    let column = footer.columns.iter_mut().find(is_text).expect("texts");
    column.text_bytes = 5 << 32;
    let pages = DictionaryPages::new(column.stored_as, column.term_count, column.text_bytes);
    assert_eq!(Footer::decode(&footer.encode(), end).as_ref(), Ok(&footer));
    // It is read block by block; nobody gets all of it at once.
    let mut block = Dictionary::default();
    pages
        .read_block(0, &reader.file, &mut block)
        .expect("a block");
    assert!(!block.is_empty());
    let whole = pages.load(&reader.file);
    assert!(
        matches!(whole, Err(SegmentError::TooLarge { .. })),
        "{whole:?}"
    );
}
