//! Files of earlier versions stay readable.

use std::sync::Arc;

use expect_test::expect;

use super::rows::{Row, Value, batch_of, read_rows};
use super::samples::{SCHEMA, sample_rows};
use super::{open, write};
use crate::model::HOUR_MS;
use crate::segment::RowSource;

/// A segment of format version 1, written by the first release.
const VERSION_1: &[u8] = include_bytes!("../testdata/version-1.segment");

/// What it was written from.
fn version_1_rows() -> Vec<Row> {
    let mut rows: Vec<Row> = sample_rows(14, 1_100);
    for row in &mut rows {
        row.time_ms = 1_525_132_800_000 + row.time_ms.rem_euclid(6 * HOUR_MS);
        let time = vec![Value::Integer(row.time_ms)];
        row.values.insert("time".into(), time);
    }
    rows.sort();
    rows
}

#[test]
fn version_1_is_read() {
    let reader = Arc::new(open(VERSION_1.to_vec()).expect("the golden file"));
    reader.verify().expect("the golden file");
    expect!["siltstone 0.1.0"].assert_eq(reader.creator());
    let cells = reader.cells().expect("the golden file");
    let shape: Vec<_> = cells
        .sets
        .iter()
        .map(|set| {
            (
                set.dimension.as_deref(),
                set.row_counts.len(),
                set.measures.len(),
            )
        })
        .collect();
    expect![[r#"[(None, 5, 7), (Some("coin"), 30, 7)]"#]].assert_eq(&format!("{shape:?}"));
    assert_eq!(read_rows(&RowSource::from(reader)), version_1_rows());
}

/// Says where the golden file comes from. Its bytes are not compared: later writers may choose
/// other encodings.
#[test]
fn version_1_holds_the_rows_it_was_written_from() {
    let written = write(&[&batch_of(&version_1_rows(), &SCHEMA)]);
    let golden = open(VERSION_1.to_vec()).expect("the golden file");
    assert_eq!(*golden.summary(), written.written.summary);
}
