//! Cells equal a naive fold over rows.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::NULL_CODE;
use crate::model::{Decimal, ExactSum, HOUR_MS};
use crate::segment::tests::rows::{Row, Value, batch_of};
use crate::segment::tests::samples::{SCHEMA, sample_rows};
use crate::segment::tests::{encode, open, roles};
use crate::segment::{CellSet, ColumnRoles, RowSource, SegmentOptions, SegmentReader};

/// What a cell says, in terms that do not depend on how it was made.
type Fold = (u64, BTreeMap<String, (u64, f64, Decimal, Decimal)>);

fn naive(rows: &[Row], dimension: Option<&str>) -> BTreeMap<(i64, Option<Vec<u8>>), Fold> {
    let mut groups: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let hour_ms = row.time_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let term = dimension.and_then(|path| match row.values.get(path)?.first()? {
            Value::Text(term) => Some(term.clone()),
            Value::Integer(_) | Value::Decimal(..) => None,
        });
        groups.entry((hour_ms, term)).or_default().push(row);
    }
    groups
        .into_iter()
        .map(|(key, rows)| (key, fold(&rows)))
        .collect()
}

fn fold(rows: &[&Row]) -> Fold {
    let mut measures: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for row in rows {
        for (path, values) in &row.values {
            let numbers = values
                .iter()
                .filter(|value| !matches!(value, Value::Text(_)));
            let numbers = numbers.map(Value::number);
            measures.entry(path.clone()).or_default().extend(numbers);
        }
    }
    measures.retain(|path, values| !values.is_empty() && path != "time");
    let folded = measures.into_iter().map(|(path, values)| {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
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
        let bounds = (min.normalized(), max.normalized());
        (
            path,
            (values.len() as u64, sum.to_f64(), bounds.0, bounds.1),
        )
    });
    (rows.len() as u64, folded.collect())
}

fn stored(set: &CellSet, source: &RowSource) -> BTreeMap<(i64, Option<Vec<u8>>), Fold> {
    let column = set
        .dimension
        .as_ref()
        .map(|path| source.column(path).expect("the dimension"));
    let dictionary = column.map(|column| source.dictionary(column).expect("texts"));
    let mut cells = BTreeMap::new();
    for (cell, code) in set.codes.iter().enumerate() {
        let term = (*code != NULL_CODE).then(|| {
            dictionary
                .as_ref()
                .expect("codes have terms")
                .term(*code)
                .to_vec()
        });
        let measures = set
            .measures
            .iter()
            .filter(|measure| measure.value_counts[cell] > 0);
        let measures = measures.map(|measure| {
            let (min, max) = (
                measure.mins[cell].normalized(),
                measure.maxs[cell].normalized(),
            );
            let sum = measure.sums[cell].to_f64();
            (
                measure.column.to_string(),
                (measure.value_counts[cell], sum, min, max),
            )
        });
        cells.insert(
            (set.hours_ms[cell], term),
            (set.row_counts[cell], measures.collect()),
        );
    }
    cells
}

fn segment(rows: &[Row], roles: &ColumnRoles, options: &SegmentOptions) -> SegmentReader {
    let batch = batch_of(rows, &SCHEMA);
    let encoded = encode(&[&batch], roles, options).expect("a consistent batch");
    open(encoded.bytes).expect("a fresh segment")
}

fn dimensions(reader: &SegmentReader) -> Vec<Option<String>> {
    let cells = reader.cells().expect("a fresh segment");
    let dimensions = cells.sets.iter().map(|set| set.dimension.as_ref());
    dimensions
        .map(|path| path.map(ToString::to_string))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cells_are_what_rows_say(seed in any::<u64>(), count in 1..400_usize) {
        let rows = sample_rows(seed, count);
        let options = SegmentOptions { cell_rows_percent_max: 100, ..SegmentOptions::default() };
        let reader = segment(&rows, &roles(), &options);
        let cells = reader.cells().expect("a fresh segment");
        let source = RowSource::from(std::sync::Arc::new(reader));
        for set in &cells.sets {
            prop_assert_eq!(stored(set, &source), naive(&rows, set.dimension.as_deref()));
        }
        let mut sorted: Vec<i64> = rows.iter().map(|row| row.time_ms).collect();
        sorted.sort_unstable();
        for hour in &cells.hours {
            let first = sorted.partition_point(|time_ms| *time_ms < hour.hour_ms);
            prop_assert_eq!(hour.first_row as usize, first);
        }
    }
}

#[test]
fn dimensions_that_do_not_pay_have_no_cells() {
    let mut rows = sample_rows(3, 3_000);
    rows.iter_mut()
        .for_each(|row| row.time_ms = row.time_ms.rem_euclid(20 * HOUR_MS));
    let all = SegmentOptions::default();
    // Every row has a name of its own, and rows have several tags.
    let expected = [None, Some("coin".to_string())];
    assert_eq!(dimensions(&segment(&rows, &roles(), &all)), expected);
    let few_terms = SegmentOptions {
        dimension_terms_max: 4,
        ..all
    };
    assert_eq!(dimensions(&segment(&rows, &roles(), &few_terms)), [None]);
    let few_cells = SegmentOptions {
        cell_rows_percent_max: 3,
        ..all
    };
    assert_eq!(dimensions(&segment(&rows, &roles(), &few_cells)), [None]);
    assert_eq!(
        dimensions(&segment(&rows, &ColumnRoles::default(), &all)),
        [None]
    );
}

#[test]
fn the_time_field_is_not_measured() {
    let rows = sample_rows(3, 300);
    let reader = segment(&rows, &roles(), &SegmentOptions::default());
    let cells = reader.cells().expect("a fresh segment");
    let measures: Vec<_> = cells.sets[0]
        .measures
        .iter()
        .map(|measure| &*measure.column)
        .collect();
    let expected = [
        "amount", "count", "extreme", "never", "parts", "rare", "wild",
    ];
    assert_eq!(measures, expected);
}
