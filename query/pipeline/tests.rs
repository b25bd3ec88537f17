//! Pipelines over trees that are written out.

use storage::model::{Decimal, ExactSum};

use super::path::value_of;
use super::*;
use crate::request::{Filter, Metric, MetricKind, MetricValue, NumberHistogram};
use crate::response::{BucketKey, BucketsNote, MetricResult};

const COUNT: BucketPath = BucketPath {
    through: Vec::new(),
    keys: Vec::new(),
    value: PathValue::Count,
};

fn single(place: usize) -> BucketPath {
    BucketPath {
        through: vec![place],
        keys: Vec::new(),
        value: PathValue::Metric(MetricValue::Single),
    }
}

fn named(aggregation: Aggregation) -> NamedAggregation {
    NamedAggregation {
        name: String::new(),
        aggregation,
    }
}

fn pipeline(kind: PipelineKind) -> NamedAggregation {
    let gaps = GapPolicy::Skip;
    named(Aggregation::Pipeline(Pipeline { kind, gaps }))
}

/// Buckets with a sum each (`None`: no rows), and pipelines over them: what those made.
fn run(sums: &[Option<i64>], pipelines: Vec<PipelineKind>) -> Vec<Vec<PipelineResult>> {
    let sum = Aggregation::Metric(Metric {
        kind: MetricKind::Sum,
        field: None,
        missing: None,
        linear: None,
    });
    let mut children = vec![named(sum)];
    children.extend(pipelines.into_iter().map(pipeline));
    let bucket = |(key, sum): (i64, &Option<i64>)| {
        let mut total = ExactSum::default();
        total.add(Decimal::from_i64(sum.unwrap_or(0)));
        let absent = AggregationResult::Pipeline(PipelineResult::Absent);
        let mut aggregations = vec![absent; children.len()];
        aggregations[0] = AggregationResult::Metric(MetricResult::Sum(total));
        Bucket {
            key: BucketKey::Decimal(Decimal::from_i64(key * 10)),
            count: u64::from(sum.is_some()),
            aggregations,
        }
    };
    let by = BucketBy::NumberHistogram(NumberHistogram {
        field: None,
        spans: None,
        steps: crate::Steps::new(Decimal::from_i64(10), Decimal::default()).expect("steps"),
        doc_count_min: 0,
        extended_bounds: None,
        hard_bounds: None,
        missing: None,
        order: Vec::new(),
    });
    let mut results = vec![AggregationResult::Buckets {
        buckets: (0..).zip(sums).map(bucket).collect(),
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }];
    apply(&[named(Aggregation::Bucket { by, children })], &mut results).expect("small windows");
    let Some(AggregationResult::Buckets { buckets, .. }) = results.pop() else {
        panic!("there are buckets");
    };
    let made = |bucket: Bucket| {
        let made = bucket.aggregations.into_iter().skip(1);
        made.map(|result| match result {
            AggregationResult::Pipeline(result) => result,
            other => panic!("{other:?}"),
        })
        .collect()
    };
    buckets.into_iter().map(made).collect()
}

/// The values of the first pipeline; what is absent is `None`.
fn values(sums: &[Option<i64>], pipeline: PipelineKind) -> Vec<Option<f64>> {
    run(sums, vec![pipeline])
        .into_iter()
        .map(|made| match made.first() {
            Some(PipelineResult::Value(value)) => *value,
            Some(PipelineResult::Derivative { value, .. }) => Some(*value),
            _ => None,
        })
        .collect()
}

#[test]
fn differences_pass_over_gaps() {
    let sums = [Some(1), Some(4), None, Some(9), Some(16)];
    let path = single(0);
    let unit = Some(5.0);
    // What is no number is printed as null; the first bucket has no difference at all.
    let derivative = PipelineKind::Derivative {
        path: path.clone(),
        unit,
    };
    assert_eq!(
        format!("{:?}", values(&sums, derivative)),
        "[None, Some(3.0), Some(NaN), Some(NaN), Some(7.0)]"
    );
    assert_eq!(
        values(&sums, PipelineKind::CumulativeSum { path: path.clone() }),
        [1.0, 5.0, 5.0, 14.0, 30.0].map(Some)
    );
    assert_eq!(
        values(&sums, PipelineKind::SerialDifference { path, lag: 3 }),
        [None, None, None, Some(8.0), Some(12.0)]
    );
    let derivative = PipelineKind::Derivative { path: COUNT, unit };
    let made = run(&[Some(1), None], vec![derivative]);
    let expected = PipelineResult::Derivative {
        value: -1.0,
        per_unit: Some(-0.5),
    };
    assert_eq!(made[1], [expected]);
}

#[test]
fn windows_end_before_their_bucket() {
    let sums = [Some(2), None, Some(4), Some(8)];
    let moving = |shift, function| PipelineKind::MovingFunction {
        path: single(0),
        window: 2,
        shift,
        script: Expression::Window(function, Vec::new()),
    };
    assert_eq!(
        values(&sums, moving(0, Function::Sum)),
        [Some(0.0), None, Some(2.0), Some(6.0)]
    );
    assert_eq!(
        values(&sums, moving(1, Function::Mean)),
        [Some(2.0), None, Some(3.0), Some(6.0)]
    );
    assert_eq!(
        values(&sums, moving(0, Function::LinearMean)),
        [None, None, Some(1.0), Some(2.5)]
    );
    let average = PipelineKind::MovingAverage {
        path: single(0),
        window: 5,
        model: MovingModel::Exponential { alpha: 0.5 },
        predictions: 2,
    };
    assert_eq!(
        values(&sums, average),
        [None, None, Some(2.0), Some(3.0), Some(5.5), Some(5.5)]
    );
}

#[test]
fn pipelines_read_pipelines_whatever_their_order() {
    let doubled = Expression::Binary(
        Binary::Multiply,
        Box::new(Expression::Variable(0)),
        Box::new(Expression::Number(2.0)),
    );
    let script = PipelineKind::BucketScript {
        paths: vec![single(2)],
        script: doubled,
    };
    let sum = PipelineKind::CumulativeSum { path: single(0) };
    let made = run(&[Some(1), Some(2)], vec![script, sum]);
    let value = |value| PipelineResult::Value(Some(value));
    assert_eq!(made, [[value(2.0), value(1.0)], [value(6.0), value(3.0)]]);
    // One that reads itself finds nothing.
    let path = single(1);
    assert_eq!(
        values(&[Some(1)], PipelineKind::CumulativeSum { path }),
        [Some(0.0)]
    );
}

#[test]
fn buckets_are_chosen_and_sorted() {
    let large = Expression::Binary(
        Binary::Greater,
        Box::new(Expression::Variable(0)),
        Box::new(Expression::Number(1.0)),
    );
    let selector = PipelineKind::BucketSelector {
        paths: vec![single(0)],
        script: large,
    };
    let sorted = PipelineKind::BucketSort {
        by: vec![SortedBy {
            path: single(0),
            descending: true,
        }],
        from: 1,
        size: Some(2),
    };
    let sum = PipelineKind::CumulativeSum { path: single(0) };
    let made = run(
        &[Some(1), Some(5), None, Some(2), Some(9)],
        vec![selector, sorted, sum],
    );
    let sums: Vec<_> = made.iter().map(|made| made[2].clone()).collect();
    assert_eq!(
        sums,
        [5.0, 7.0].map(|value| PipelineResult::Value(Some(value)))
    );
}

#[test]
fn a_path_names_one_of_several_buckets() {
    let bucket = |name: &str, count: u64| Bucket {
        key: BucketKey::Name(name.into()),
        count,
        aggregations: Vec::new(),
    };
    let bucket = Bucket {
        key: BucketKey::Integer(1),
        count: 5,
        aggregations: vec![AggregationResult::Buckets {
            buckets: vec![bucket("hot", 3), bucket("cold", 2)],
            other_count: 0,
            term_count: 0,
            note: BucketsNote::None,
        }],
    };
    let check = |key: Option<&str>, expected: Option<f64>| {
        let path = BucketPath {
            through: vec![0],
            keys: key.map(|key| (0, key.into())).into_iter().collect(),
            value: PathValue::Count,
        };
        assert_eq!(
            value_of(&bucket, &path, GapPolicy::Skip),
            expected,
            "{key:?}"
        );
    };
    check(Some("hot"), Some(3.0));
    check(Some("cold"), Some(2.0));
    check(Some("warm"), None);
    check(None, None);
}

#[test]
fn siblings_see_all_buckets() {
    let check = |kind: SiblingKind, expected: PipelineResult| {
        let bucket = |count: u64| Bucket {
            key: BucketKey::Integer(count as i64),
            count,
            aggregations: Vec::new(),
        };
        let mut results = vec![
            AggregationResult::Pipeline(PipelineResult::Absent),
            AggregationResult::Buckets {
                buckets: [1, 4, 4, 7].map(bucket).to_vec(),
                other_count: 0,
                term_count: 0,
                note: BucketsNote::None,
            },
        ];
        let path = BucketPath {
            through: vec![1],
            keys: Vec::new(),
            value: PathValue::Count,
        };
        let filter = named(Aggregation::Bucket {
            by: BucketBy::Filter(Filter::All),
            children: Vec::new(),
        });
        let sibling = pipeline(PipelineKind::Sibling { kind, path });
        apply(&[sibling, filter], &mut results).expect("no windows");
        assert_eq!(results[0], AggregationResult::Pipeline(expected));
    };
    check(SiblingKind::Avg, PipelineResult::Value(Some(4.0)));
    check(SiblingKind::Sum, PipelineResult::Value(Some(16.0)));
    check(
        SiblingKind::Max,
        PipelineResult::Extreme {
            value: Some(7.0),
            keys: vec![BucketKey::Integer(7)],
        },
    );
    check(
        SiblingKind::Percentiles(vec![25.0, 50.0, 100.0]),
        PipelineResult::Percentiles(vec![
            // At place 0.75 of 0 to 3: nearest to the second.
            (25.0, Some(4.0)),
            (50.0, Some(4.0)),
            (100.0, Some(7.0)),
        ]),
    );
}
