//! Merging: whatever the tree, the bytes are those of writing all rows at once.

use proptest::prelude::*;

use super::rows::{Row, batch_of, read_rows};
use super::samples::{Random, SCHEMA, sample_rows};
use super::{Encoded, open, roles, write};
use crate::model::ColumnKind;
use crate::segment::{
    ContentHash, DeletedRows, MergeInput, RowSource, SegmentError, SegmentOptions, SegmentReader,
    merge_segments,
};

/// A segment that is one of several, and what was deleted of it.
struct Part {
    reader: SegmentReader,
    deleted: DeletedRows,
}

fn part(rows: &[Row]) -> Part {
    Part {
        reader: open(write(&[&batch_of(rows, &SCHEMA)]).bytes).expect("a fresh segment"),
        deleted: DeletedRows::new(rows.len()),
    }
}

fn merge(parts: &[&Part]) -> Result<(Encoded, Vec<u16>), SegmentError> {
    let inputs: Vec<_> = parts
        .iter()
        .map(|part| MergeInput {
            reader: &part.reader,
            deleted: (part.deleted.count() > 0).then_some(&part.deleted),
        })
        .collect();
    let mut bytes = Vec::new();
    let merged = merge_segments(&inputs, &roles(), &SegmentOptions::default(), &mut bytes)?;
    let written = merged.written;
    assert_eq!(written.content_hash, ContentHash::of(&bytes));
    Ok((Encoded { bytes, written }, merged.order))
}

/// Deals `rows` out to `count` segments, deletes some, and merges them in a random tree.
fn check(rows: &[Row], count: usize, deletes: bool, random: &mut Random) {
    let mut dealt: Vec<Vec<Row>> = vec![Vec::new(); count];
    for row in rows {
        dealt[random.below(count as u64) as usize].push(row.clone());
    }
    dealt.retain(|rows| !rows.is_empty());
    let mut alive = Vec::new();
    let mut parts = Vec::new();
    for mut rows in dealt {
        rows.sort();
        let mut part = part(&rows);
        for (number, row) in rows.into_iter().enumerate() {
            match deletes && random.below(3) == 0 {
                true => drop(part.deleted.insert(number)),
                false => alive.push(row),
            }
        }
        parts.push(part);
    }
    if alive.is_empty() {
        let all: Vec<&Part> = parts.iter().collect();
        assert!(matches!(merge(&all), Err(SegmentError::NoRows)));
        return;
    }
    let expected = write(&[&batch_of(&alive, &SCHEMA)]);
    while parts.len() > 1 || parts[0].deleted.count() > 0 {
        let taken = (2 + random.below(3) as usize).min(parts.len());
        let (inputs, rest) = parts.split_at(taken);
        let inputs: Vec<&Part> = inputs.iter().collect();
        let merged = match merge(&inputs) {
            Ok((merged, order)) => {
                check_order(&inputs, &merged, &order);
                Some(merged)
            }
            Err(SegmentError::NoRows) => None,
            Err(error) => panic!("{error}"),
        };
        let kept = rest.len();
        parts.drain(..taken);
        assert_eq!(parts.len(), kept);
        parts.extend(merged.map(|merged| Part {
            reader: open(merged.bytes).expect("a fresh segment"),
            deleted: DeletedRows::new(0),
        }));
    }
    parts[0].reader.verify().expect("a merged segment");
    let (again, _) = merge(&[&parts[0]]).expect("a merged segment");
    assert_eq!(again.written.summary, expected.written.summary);
    alive.sort();
    let reader = std::sync::Arc::new(open(again.bytes.clone()).expect("a fresh segment"));
    assert_eq!(read_rows(&RowSource::from(reader)), alive);
    assert!(again.bytes == expected.bytes, "the tree shows in the bytes");
}

/// Rows of each input keep their order, and no other rows are there.
fn check_order(inputs: &[&Part], merged: &Encoded, order: &[u16]) {
    let merged = open(merged.bytes.clone()).expect("a fresh segment");
    let batch = merged.read_batch().expect("a fresh segment");
    assert_eq!(order.len(), batch.row_count());
    for (number, input) in inputs.iter().enumerate() {
        let from = input.reader.read_batch().expect("a fresh segment");
        let alive = (0..from.row_count()).filter(|row| !input.deleted.contains(*row));
        let alive = alive.map(|row| (from.partitions[row], from.offsets[row]));
        let of_input = (0..order.len()).filter(|row| usize::from(order[*row]) == number);
        let of_input = of_input.map(|row| (batch.partitions[row], batch.offsets[row]));
        assert!(alive.eq(of_input));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_tree_shows_in_the_bytes(
        seed in any::<u64>(),
        rows in 1..500_usize,
        count in 1..7_usize,
        deletes in any::<bool>(),
    ) {
        let mut random = Random(seed);
        check(&sample_rows(seed, rows), count, deletes, &mut random);
    }
}

#[test]
fn several_vectors_merge() {
    for (seed, rows) in [(3, 1_024), (4, 1_025), (5, 6_000)] {
        check(&sample_rows(seed, rows), 3, seed == 5, &mut Random(seed));
    }
}

/// Dictionaries of several blocks, packed letters, and rows that continue each other in time.
#[test]
fn large_dictionaries_merge() {
    let schema = [("address", ColumnKind::Text), ("note", ColumnKind::Text)];
    let mut random = Random(8);
    let rows: Vec<Row> = (0..9_000_u64)
        .map(|number| {
            let address = format!(
                "bc1q{:016x}",
                random.below(7_000).wrapping_mul(0x9e37_79b9_7f4a)
            );
            let note = format!("Note {} of {}\u{e9}", random.below(5_000), number % 3);
            Row {
                time_ms: number as i64 * 77 + random.below(50_000) as i64,
                partition: (number % 3) as u32,
                offset: number / 3,
                id: None,
                document: note.clone().into_bytes(),
                values: [
                    (
                        "address".to_string(),
                        vec![super::rows::Value::text(&address)],
                    ),
                    ("note".to_string(), vec![super::rows::Value::text(&note)]),
                ]
                .into(),
            }
        })
        .collect();
    let readers: Vec<_> = rows
        .chunks(2_500)
        .map(|rows| open(write(&[&batch_of(rows, &schema)]).bytes).expect("a fresh segment"))
        .collect();
    let inputs: Vec<_> = readers
        .iter()
        .map(|reader| MergeInput {
            reader,
            deleted: None,
        })
        .collect();
    let mut merged = Vec::new();
    merge_segments(&inputs, &roles(), &SegmentOptions::default(), &mut merged)
        .expect("segments of one topic");
    assert!(merged == write(&[&batch_of(&rows, &schema)]).bytes);
}

/// Columns that only some inputs have, and integers of a field that is decimal by now.
#[test]
fn inputs_of_different_columns_merge() {
    use super::rows::Value;

    let row = |offset: u64, path: &str, value: Value| Row {
        time_ms: 1_000 - (offset as i64 * 37) % 90,
        partition: 0,
        offset,
        id: None,
        document: Vec::new(),
        values: [(path.to_string(), vec![value])].into(),
    };
    let integers = [
        row(1, "amount", Value::Integer(120)),
        row(2, "amount", Value::Integer(9_007_199_254_740_993)),
        row(3, "amount", Value::Integer(0)),
    ];
    let decimals = [
        row(4, "amount", Value::decimal(12.5)),
        row(5, "amount", Value::decimal(1e-8)),
    ];
    let texts = [
        row(6, "coin", Value::text("btc")),
        row(7, "coin", Value::text("")),
    ];
    let batches = [
        batch_of(&integers, &[("amount", ColumnKind::Integer)]),
        batch_of(&decimals, &[("amount", ColumnKind::Decimal)]),
        batch_of(&texts, &[("coin", ColumnKind::Text)]),
    ];
    let parts = batches.each_ref().map(|batch| Part {
        reader: open(write(&[batch]).bytes).expect("a fresh segment"),
        deleted: DeletedRows::new(batch.row_count()),
    });
    let (merged, _) = merge(&parts.each_ref()).expect("numbers go together");
    assert!(merged.bytes == write(&batches.each_ref()).bytes);
    let reader = open(merged.bytes).expect("a fresh segment");
    reader.verify().expect("a merged segment");
}
