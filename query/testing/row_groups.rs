//! Filters for terms that few row groups have: the others are not read, and nothing is missed.

use std::sync::Arc;

use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, FieldType, Occurrence, SourceColumn, TextColumn,
};
use storage::segment::RowSource;

use super::answer;
use super::rows::{roles, write};
use crate::request::{
    FieldRef, Filter, HitsRequest, Limits, RollupUse, SearchRequest, TextPredicate,
};

/// Rows of a row group, as the format of segments says.
const GROUP_ROWS: usize = 1 << 16;

/// A bit more than two row groups.
const ROWS: usize = 2 * GROUP_ROWS + 100;

/// The rows that have the rare term: some of the second row group.
const RARE: std::ops::Range<usize> = GROUP_ROWS + 5..GROUP_ROWS + 15;

fn source() -> RowSource {
    let mut coins = DictionaryBuilder::default();
    let codes = (0..ROWS).map(|row| match RARE.contains(&row) {
        true => coins.code(b"rare"),
        false => coins.code(format!("coin-{}", row % 5).as_bytes()),
    });
    let codes = codes.collect();
    let mut sources = SourceColumn::default();
    (0..ROWS).for_each(|_| sources.push(b""));
    let coins = TextColumn {
        dictionary: Arc::new(coins.finish()),
        codes,
        occurrence: Occurrence::One,
    };
    let batch = ColumnBatch {
        times_ms: (0..ROWS as i64).collect(),
        partitions: vec![0; ROWS],
        offsets: (0..ROWS as u64).collect(),
        sources,
        columns: vec![("coin".into(), Column::Text(coins))],
        ..ColumnBatch::default()
    };
    RowSource::from(Arc::new(write(&batch, &roles(), 25)))
}

fn coins(texts: &[&str]) -> Filter {
    let texts = texts.iter().map(|text| text.as_bytes().to_vec());
    Filter::Text {
        field: FieldRef {
            column: "coin".into(),
            field_type: FieldType::Keyword,
        },
        predicate: TextPredicate::In(texts.collect()),
    }
}

/// Rows that match, and rows that were read for it.
fn check(filter: Filter, source: &RowSource, expected: (usize, usize)) {
    let request = SearchRequest {
        filter,
        aggregations: Vec::new(),
        hits: HitsRequest::default(),
        rollup: RollupUse::Never,
        limits: Limits {
            counted_rows_max: u64::MAX,
            ..Limits::default()
        },
    };
    let found = answer(&request, std::slice::from_ref(source)).expect("an answer");
    let found = (found.matched as usize, found.profile.rows_scanned as usize);
    assert_eq!(found, expected, "{:?}", request.filter);
}

#[test]
fn row_groups_without_a_term_are_not_read() {
    let source = source();
    if let RowSource::Segment(rows) = &source {
        rows.verify().expect("a fresh segment");
    }
    let not = |filter| Filter::Not(Box::new(filter));
    check(coins(&["rare"]), &source, (RARE.len(), GROUP_ROWS));
    check(coins(&["rare", "none"]), &source, (RARE.len(), GROUP_ROWS));
    check(
        not(coins(&["rare"])),
        &source,
        (ROWS - RARE.len(), GROUP_ROWS),
    );
    let both = Filter::And(vec![coins(&["rare"]), coins(&["coin-1"])]);
    check(both, &source, (0, GROUP_ROWS));
    let all_of_one = (0..ROWS).filter(|row| row % 5 == 1 && !RARE.contains(row));
    check(coins(&["coin-1"]), &source, (all_of_one.count(), ROWS));
}

#[test]
fn all_rows_are_counted_without_rows_and_cells() {
    let source = source();
    let RowSource::Segment(rows) = &source else {
        unreachable!("it was written to a file");
    };
    let kept_bytes = rows.memory_bytes();
    let request = SearchRequest {
        filter: Filter::All,
        aggregations: Vec::new(),
        hits: HitsRequest::default(),
        rollup: RollupUse::WhereExact,
        limits: Limits {
            counted_rows_max: u64::MAX,
            ..Limits::default()
        },
    };
    let found = answer(&request, std::slice::from_ref(&source)).expect("an answer");
    let read = (found.profile.rows_scanned, found.profile.cells_used);
    assert_eq!((found.matched, read), (ROWS as u64, (0, 0)));
    assert_eq!(
        rows.memory_bytes(),
        kept_bytes,
        "cells are large, and would stay"
    );
}
