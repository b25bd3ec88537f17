//! What is exported is what the rows hold, read back by the readers of Arrow and Parquet.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_ipc::reader::StreamReader;
use bytes::Bytes;
use expect_test::expect;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use query::ScanPool;
use query::request::{FieldRef, Filter, TextPredicate};
use storage::catalog::{Dynamic, Materialize, TimeField, Topic};
use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, Exponents, Field, FieldType, HOUR_MS, Mapping,
    NumberColumn, Occurrence, SourceColumn, TextColumn, TopicId, TopicName,
};
use storage::segment::{ActiveChunk, RowSource};
use storage::store::TopicSnapshot;

use crate::*;

/// Rows per source, so that there is more than one batch of a vector.
const ROWS: u64 = 3000;

fn topic() -> Topic {
    let mut mapping = Mapping::default();
    for (path, field_type) in [
        ("flag", FieldType::Boolean),
        ("n", FieldType::Long),
        ("price", FieldType::Double),
        ("symbol", FieldType::Keyword),
        ("tags", FieldType::Keyword),
        ("time", FieldType::Date),
    ] {
        mapping.fields.insert(path.into(), Field::new(field_type));
    }
    Topic {
        id: TopicId(1),
        name: TopicName::parse("trades").expect("a plain name"),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: Default::default(),
        settings: Default::default(),
        dynamic: Dynamic::True,
        mapping: Arc::new(mapping),
        time_field: Some(TimeField::Field("time".into())),
        materialize: Materialize::Auto,
    }
}

fn numbers(mantissas: Vec<i64>, exponent: i16, occurrence: Occurrence) -> NumberColumn {
    NumberColumn {
        mantissas,
        exponents: Exponents::Uniform(exponent),
        occurrence,
    }
}

fn sources(rows: &[i64]) -> SourceColumn {
    let mut sources = SourceColumn::default();
    for n in rows {
        sources.push(format!("{{\"n\":{n}}}").as_bytes());
    }
    sources
}

/// Rows `range`: a minute apart; `n` where it is even, a price of `n / 10`, a symbol of three
/// where `n` is no multiple of 7, and as many tags as `n % 3`.
fn batch(range: std::ops::Range<u64>) -> ColumnBatch {
    let rows: Vec<i64> = range.clone().map(u64::cast_signed).collect();
    let times_ms: Vec<i64> = rows.iter().map(|n| n * 60_000).collect();
    let bits = |is_in: &dyn Fn(i64) -> bool| {
        let mut words = vec![0; rows.len().div_ceil(64)];
        for (row, n) in rows.iter().enumerate() {
            words[row / 64] |= u64::from(is_in(*n)) << (row % 64);
        }
        Occurrence::Optional(words)
    };
    let (mut symbols, mut tags) = (DictionaryBuilder::default(), DictionaryBuilder::default());
    let with_symbol = rows.iter().filter(|n| *n % 7 != 0);
    let symbol_codes = with_symbol.map(|n| symbols.code(format!("s{}", n % 3).as_bytes()));
    let symbol_codes = symbol_codes.collect();
    let (mut tag_codes, mut starts) = (Vec::new(), vec![0]);
    for n in &rows {
        tag_codes.extend((0..n % 3).map(|tag| tags.code(format!("t{tag}").as_bytes())));
        starts.push(u32::try_from(tag_codes.len()).expect("few"));
    }
    let even: Vec<i64> = rows.iter().copied().filter(|n| n % 2 == 0).collect();
    let columns = [
        (
            "flag",
            Column::Integer(numbers(
                rows.iter().map(|n| n % 2).collect(),
                0,
                Occurrence::One,
            )),
        ),
        (
            "n",
            Column::Integer(numbers(even, 0, bits(&|n| n % 2 == 0))),
        ),
        (
            "price",
            Column::Decimal(numbers(rows.clone(), -1, Occurrence::One)),
        ),
        (
            "symbol",
            Column::Text(TextColumn {
                dictionary: Arc::new(symbols.finish()),
                codes: symbol_codes,
                occurrence: bits(&|n| n % 7 != 0),
            }),
        ),
        (
            "tags",
            Column::Text(TextColumn {
                dictionary: Arc::new(tags.finish()),
                codes: tag_codes,
                occurrence: Occurrence::Many(starts),
            }),
        ),
        (
            "time",
            Column::Integer(numbers(times_ms.clone(), 0, Occurrence::One)),
        ),
    ];
    ColumnBatch {
        partitions: vec![0; rows.len()],
        offsets: range.collect(),
        times_ms,
        ids: None,
        sources: sources(&rows),
        columns: columns.map(|(path, column)| (path.into(), column)).into(),
        times_are_field: true,
    }
}

/// Two sources, the second of which starts with other terms.
fn snapshot() -> TopicSnapshot {
    let chunk = |range| RowSource::from(Arc::new(ActiveChunk::new(batch(range))));
    TopicSnapshot {
        topic: Arc::new(topic()),
        sources: vec![chunk(0..ROWS), chunk(ROWS..2 * ROWS)],
        failures: Vec::new(),
        skipped: 0,
        rejected: Arc::default(),
    }
}

fn rows(choice: RowChoice) -> Vec<RecordBatch> {
    let batches = RowBatches::new(snapshot(), choice).expect("the fields exist");
    batches
        .collect::<Result<_, _>>()
        .expect("rows in memory can be read")
}

/// Writes `batches` and reads them back.
fn through(batches: &[RecordBatch], format: Format) -> Vec<RecordBatch> {
    let mut writer =
        BatchWriter::new(Vec::new(), &batches[0].schema(), format).expect("memory takes it");
    for batch in batches {
        writer.write(batch).expect("memory takes it");
    }
    let bytes = writer.finish().expect("memory takes it");
    match format {
        Format::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes));
            let reader = reader.expect("a Parquet file").build().expect("batches");
            reader.collect::<Result<_, _>>().expect("whole batches")
        }
        Format::Arrow => {
            let reader = StreamReader::try_new(Cursor::new(bytes), None).expect("a stream");
            reader.collect::<Result<_, _>>().expect("whole batches")
        }
    }
}

/// Row `row` of a batch that has all columns, as `batch` made it from `n`.
fn check_row(batch: &RecordBatch, row: usize, n: i64) {
    let column = |name: &str| batch.column_by_name(name).expect(name);
    let time = column("_time").as_primitive::<TimestampMillisecondType>();
    assert_eq!(time.value(row), n * 60_000);
    assert_eq!(column("_offset").as_primitive::<Int64Type>().value(row), n);
    assert_eq!(column("flag").as_boolean().value(row), n % 2 == 1);
    let number = column("n").as_primitive::<Int64Type>();
    assert_eq!(
        number.is_valid(row).then(|| number.value(row)),
        (n % 2 == 0).then_some(n)
    );
    let price = column("price").as_primitive::<Float64Type>();
    assert_eq!(
        price.value(row),
        format!("{}.{}", n / 10, n % 10)
            .parse::<f64>()
            .expect("a number")
    );
    let symbol = column("symbol").as_dictionary::<Int32Type>();
    let term = |key: usize| symbol.values().as_string::<i32>().value(key).to_owned();
    let found = symbol.key(row).map(term);
    assert_eq!(found, (n % 7 != 0).then(|| format!("s{}", n % 3)));
    let tags = column("tags").as_list::<i32>();
    assert_eq!(tags.is_valid(row), n % 3 > 0);
    assert_eq!(i64::from(tags.value_length(row)), n % 3);
}

#[test]
fn rows_come_back_from_both_formats() {
    let choice = RowChoice {
        has_source: true,
        has_ids: true,
        decimals: Decimals::WithText,
        ..RowChoice::default()
    };
    let made = rows(choice);
    assert_eq!(made.len(), 2, "a batch a source");
    for format in [Format::Parquet, Format::Arrow] {
        let read = through(&made, format);
        let mut n = 0;
        for batch in &read {
            for row in 0..batch.num_rows() {
                check_row(batch, row, n);
                n += 1;
            }
        }
        assert_eq!(n, 2 * ROWS.cast_signed());
        let text = |name: &str| {
            let column = read[0].column_by_name(name).expect(name);
            column.as_string::<i32>().value(13).to_owned()
        };
        assert_eq!(text("_id"), "0-13");
        assert_eq!(text("_source"), "{\"n\":13}");
        assert_eq!(text("price.decimal"), "1.3");
    }
}

#[test]
fn the_schema_says_what_the_fields_are() {
    let batches = RowBatches::new(snapshot(), RowChoice::default()).expect("the fields exist");
    let fields = batches.schema().fields().iter();
    let lines: Vec<String> = fields
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    expect![[r#"
        _time Timestamp(ms, "UTC")
        _partition Int64
        _offset Int64
        flag Boolean
        n Int64
        price Float64
        symbol Dictionary(Int32, Utf8)
        tags List(non-null Dictionary(Int32, Utf8))
        time Timestamp(ms, "UTC")"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn filters_and_fields_are_obeyed() {
    let symbol = FieldRef {
        column: "symbol".into(),
        field_type: FieldType::Keyword,
    };
    let filter = Filter::Text {
        field: symbol,
        predicate: TextPredicate::In([b"s2".to_vec()].into()),
    };
    let made = rows(RowChoice {
        filter,
        fields: Some(vec!["price".into()]),
        ..RowChoice::default()
    });
    let expected = (0..2 * ROWS).filter(|n| n % 7 != 0 && n % 3 == 2).count();
    assert_eq!(
        made.iter().map(RecordBatch::num_rows).sum::<usize>(),
        expected
    );
    assert_eq!(made[0].num_columns(), 4);
    let unknown = RowChoice {
        fields: Some(vec!["absent".into()]),
        ..RowChoice::default()
    };
    let error = RowBatches::new(snapshot(), unknown).expect_err("there is no such field");
    assert_eq!(error.to_string(), "field 'absent' does not exist");
}

#[test]
fn rollups_are_the_sums_of_their_rows() {
    let choice = RollupChoice {
        filter: Filter::All,
        dimension: Some("symbol".into()),
        measures: None,
        decimals: Decimals::WithText,
    };
    let batches = RollupBatches::new(snapshot(), choice, Arc::new(ScanPool::single()));
    let batches: Vec<RecordBatch> = batches
        .expect("the fields exist")
        .collect::<Result<_, _>>()
        .expect("rows in memory can be read");
    let read = through(&batches, Format::Parquet);
    let mut cells = 0;
    for batch in &read {
        let column = |name: &str| batch.column_by_name(name).expect(name);
        let hours = column("hour").as_primitive::<TimestampMillisecondType>();
        let symbol = column("symbol").as_dictionary::<Int32Type>();
        for row in 0..batch.num_rows() {
            let key = symbol.key(row);
            let term = key.map(|key| symbol.values().as_string::<i32>().value(key));
            let first = hours.value(row) / 60_000;
            let inside: Vec<i64> = (first..first + HOUR_MS / 60_000)
                .filter(|n| *n < 2 * ROWS.cast_signed())
                .filter(|n| (n % 7 != 0).then(|| format!("s{}", n % 3)).as_deref() == term)
                .collect();
            let integer = |name| column(name).as_primitive::<Int64Type>();
            assert_eq!(
                integer("count").value(row),
                i64::try_from(inside.len()).expect("few")
            );
            let total: i64 = inside.iter().sum();
            let text = column("price.sum.decimal").as_string::<i32>().value(row);
            let expected = match total % 10 {
                0 => format!("{}", total / 10),
                tenths => format!("{}.{tenths}", total / 10),
            };
            assert_eq!(text, expected);
            let evens = || inside.iter().copied().filter(|n| n % 2 == 0);
            assert_eq!(
                integer("n.count").value(row),
                evens().count().cast_signed() as i64
            );
            let largest = integer("n.max");
            let found = largest.is_valid(row).then(|| largest.value(row));
            assert_eq!(found, evens().max());
            cells += 1;
        }
    }
    // 100 hours, three symbols and rows without one.
    assert_eq!(cells, 400);
}
