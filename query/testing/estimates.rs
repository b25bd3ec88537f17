//! Distinct values that do not fit the memory: an estimate that says so, near the exact number.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::model::{
    Column, ColumnBatch, DictionaryBuilder, Exponents, FieldType, NumberColumn, Occurrence,
    SourceColumn, TextColumn,
};
use storage::segment::{ActiveChunk, RowSource};

use super::rows::{roles, write};
use super::{POOLS, answer_on};
use crate::QueryError;
use crate::request::{
    Aggregation, BucketBy, Cardinality, Counting, FieldRef, Filter, HitsRequest, Limits,
    NamedAggregation, RollupUse, SearchRequest, TextPredicate,
};
use crate::response::{AggregationResult, MetricResult};

/// Rows of each of three sources, the last of them active.
const ROWS: usize = 20_000;

/// Distinct names; those of a source overlap with the next one's.
fn name(source: usize, row: usize) -> String {
    format!("name-{}", source * ROWS / 2 + row)
}

fn is_even(row: usize) -> bool {
    row.is_multiple_of(2)
}

fn text(texts: impl Iterator<Item = String>) -> Column {
    let mut dictionary = DictionaryBuilder::default();
    let codes = texts.map(|text| dictionary.code(text.as_bytes())).collect();
    Column::Text(TextColumn {
        dictionary: Arc::new(dictionary.finish()),
        codes,
        occurrence: Occurrence::One,
    })
}

fn sources() -> Vec<RowSource> {
    let batch = |source: usize| {
        let mut sources = SourceColumn::default();
        (0..ROWS).for_each(|_| sources.push(b""));
        let kind = |row| if is_even(row) { "even" } else { "odd" };
        let numbers = (0..ROWS)
            .map(|row| (source * ROWS / 2 + row) as i64)
            .collect();
        let numbers = NumberColumn {
            mantissas: numbers,
            exponents: Exponents::Uniform(0),
            occurrence: Occurrence::One,
        };
        ColumnBatch {
            times_ms: (0..ROWS as i64).collect(),
            partitions: vec![source as u32; ROWS],
            offsets: (0..ROWS as u64).collect(),
            sources,
            columns: vec![
                ("coin".into(), text((0..ROWS).map(|row| kind(row).into()))),
                ("name".into(), text((0..ROWS).map(|row| name(source, row)))),
                ("size".into(), Column::Integer(numbers)),
            ],
            ..ColumnBatch::default()
        }
    };
    let segment = |source| RowSource::from(Arc::new(write(&batch(source), &roles(), 25)));
    let active = RowSource::from(Arc::new(ActiveChunk::new(batch(2))));
    vec![segment(0), segment(1), active]
}

fn field(path: &str, field_type: FieldType) -> FieldRef {
    FieldRef {
        column: path.into(),
        field_type,
    }
}

fn request(filter: Filter, path: &str, field_type: FieldType) -> SearchRequest {
    let named = |aggregation| NamedAggregation {
        name: "a".into(),
        aggregation,
    };
    let distinct = || {
        named(Aggregation::Cardinality(Cardinality {
            field: Some(field(path, field_type)),
            missing: None,
            counting: Counting::Exact,
        }))
    };
    let all = Aggregation::Bucket {
        by: BucketBy::Filter(Filter::All),
        children: vec![distinct()],
    };
    SearchRequest {
        filter,
        aggregations: vec![distinct(), named(all)],
        hits: HitsRequest::default(),
        rollup: RollupUse::Never,
        limits: Limits::default(),
    }
}

/// Searches with room for everything and with little, on all pools.
fn check(filter: &Filter, path: &str, field_type: FieldType, expected: usize) {
    let sources = sources();
    for pool in POOLS.iter() {
        let mut request = request(filter.clone(), path, field_type);
        let exact = answer_on(pool, &request, &sources).expect("an answer");
        let count = MetricResult::Cardinality(expected as u64);
        assert_eq!(exact.aggregations[0], AggregationResult::Metric(count));
        request.limits.state_bytes_max = 800_000;
        let found = answer_on(pool, &request, &sources).expect("an estimate");
        let [
            AggregationResult::Metric(MetricResult::Estimate(top)),
            below,
        ] = found.aggregations.as_slice()
        else {
            panic!("estimates say so: {:?}", found.aggregations);
        };
        let AggregationResult::Single(below) = below else {
            panic!("one bucket: {below:?}");
        };
        let inner = MetricResult::Estimate(*top);
        assert_eq!(below.aggregations, [AggregationResult::Metric(inner)]);
        let error = (*top as f64 / expected as f64 - 1.0).abs();
        assert!(error < 0.033, "{path}: {top} instead of {expected}");
        // Not even an estimate fits.
        request.limits.state_bytes_max = 1_000;
        let error = answer_on(pool, &request, &sources).expect_err("no room at all");
        assert!(matches!(error, QueryError::StateTooLarge { .. }), "{error}");
    }
}

#[test]
fn what_does_not_fit_is_estimated() {
    let evens = Filter::Text {
        field: field("coin", FieldType::Keyword),
        predicate: TextPredicate::In([b"even".to_vec()].into()),
    };
    let all: BTreeSet<_> = (0..3)
        .flat_map(|source| (0..ROWS).map(move |row| name(source, row)))
        .collect();
    check(&Filter::All, "name", FieldType::Keyword, all.len());
    check(&evens, "name", FieldType::Keyword, all.len() / 2);
    check(&Filter::All, "size", FieldType::Long, all.len());
    check(&evens, "size", FieldType::Long, all.len() / 2);
}
