//! Aggregations that are drawn.

use super::*;

pub(super) fn aggregations(
    random: &mut Random,
    topic: &TopicRows,
    depth: usize,
    for_cells: bool,
) -> Vec<NamedAggregation> {
    if depth == 0 {
        return random
            .many(2, |random| metric(random, topic, for_cells))
            .into_iter()
            .enumerate()
            .map(named)
            .collect();
    }
    random
        .many(3, |random| match random.below(3) {
            0 => metric(random, topic, for_cells),
            _ => bucket(random, topic, depth, for_cells),
        })
        .into_iter()
        .enumerate()
        .map(named)
        .collect()
}

/// Aggregations, one of them over all rows now and then.
pub(super) fn with_global(
    random: &mut Random,
    topic: &TopicRows,
    for_cells: bool,
) -> Vec<NamedAggregation> {
    let mut all = aggregations(random, topic, 3, for_cells);
    if random.once_in(6) {
        let index = random.below(all.len() + 1);
        let by = BucketBy::Global;
        let children = aggregations(random, topic, 2, for_cells);
        let name = "global".into();
        let aggregation = Aggregation::Bucket { by, children };
        all.insert(index, NamedAggregation { name, aggregation });
    }
    all
}

pub(super) fn named((index, aggregation): (usize, Aggregation)) -> NamedAggregation {
    NamedAggregation {
        name: index.to_string(),
        aggregation,
    }
}

/// A metric of the product of two fields, where a row has both, and something more.
pub(super) fn script_metric(random: &mut Random) -> Aggregation {
    let lacks = |index: usize| {
        let (count, zero) = (Expression::FieldCount(index), Expression::Whole(0));
        Expression::Binary(Binary::Equal, Box::new(count), Box::new(zero))
    };
    let both =
        |operator, left, right| Expression::Binary(operator, Box::new(left), Box::new(right));
    let product = both(Binary::Multiply, Expression::Field(0), Expression::Field(1));
    let sum = both(Binary::Add, product, Expression::Whole(SCRIPT_ADDEND));
    let lacks_any = both(Binary::Or, lacks(0), lacks(1));
    let expression = Expression::If(
        Box::new(lacks_any),
        Box::new(Expression::Null),
        Box::new(sum),
    );
    let fields = vec![Some(number_field(random)), Some(number_field(random))];
    Aggregation::Script(ScriptMetric {
        kind: random.choose(&[MetricKind::Sum, MetricKind::Avg, MetricKind::ExtendedStats]),
        script: RowScript {
            expression,
            fields,
            each: None,
        },
    })
}

pub(super) fn metric(random: &mut Random, topic: &TopicRows, for_cells: bool) -> Aggregation {
    if random.once_in(6) {
        let Terms { field, missing, .. } = terms(random, topic, &[], for_cells);
        return Aggregation::Cardinality(Cardinality {
            field,
            missing,
            counting: Counting::Exact,
        });
    }
    if !for_cells && random.once_in(6) {
        return leaf(random);
    }
    if !for_cells && random.once_in(6) {
        return script_metric(random);
    }
    let kinds = [
        MetricKind::Sum,
        MetricKind::Avg,
        MetricKind::Min,
        MetricKind::Max,
        MetricKind::ValueCount,
        MetricKind::Stats,
        MetricKind::ExtendedStats,
        MetricKind::Distribution,
    ];
    if for_cells {
        // Single values, which the last two read, are in no cell.
        let kind = random.choose(&kinds[..6]);
        let path = random.choose(&["amount", "size", "grown", "nowhere"]);
        let field = FieldRef {
            column: path.into(),
            field_type: field(path).field_type,
        };
        return Aggregation::Metric(Metric {
            kind,
            field: (path != "nowhere").then_some(field),
            missing: None,
            linear: None,
        });
    }
    let kind = random.choose(&kinds);
    let field = match kind {
        MetricKind::ValueCount if random.once_in(2) => text_field(random),
        _ => number_field(random),
    };
    Aggregation::Metric(Metric {
        kind,
        field: (!random.once_in(12)).then_some(field),
        missing: random.some(4, decimal),
        linear: None,
    })
}

/// What reads several columns.
pub(super) fn leaf(random: &mut Random) -> Aggregation {
    if random.once_in(2) {
        let input = |field: Option<FieldRef>, random: &mut Random| Input {
            field,
            missing: random.some(3, decimal),
        };
        let value = (!random.once_in(8)).then(|| number_field(random));
        // A row has one weight.
        let weight = random.some(8, |_| field("weight"));
        return Aggregation::WeightedAvg(WeightedAvg {
            value: input(value, random),
            weight: input(weight, random),
        });
    }
    Aggregation::TopRows(TopRows {
        size: random.below(5),
        from: random.below(3),
        sort: random.many(2, sort_key),
        fields: random.many(2, |random| {
            (!random.once_in(8)).then(|| number_field(random))
        }),
        documents: random.once_in(2),
    })
}

pub(super) fn tuples(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> Tuples {
    let source = |random: &mut Random| {
        let by = match random.below(3) {
            0 if !for_cells => {
                let mut by = number_histogram(random, &[]);
                by.hard_bounds = None;
                by.missing = None;
                TupleBy::NumberHistogram(by)
            }
            0 | 1 => {
                let mut by = histogram(random, topic, &[], for_cells);
                by.hard_bounds_ms = None;
                TupleBy::DateHistogram(by)
            }
            _ => {
                let mut by = terms(random, topic, &[], for_cells);
                by.doc_count_min = 1;
                TupleBy::Terms(by)
            }
        };
        let takes_empty = matches!(&by, TupleBy::Terms(_)) && random.once_in(4);
        TupleSource {
            by,
            descending: random.once_in(3),
            missing: takes_empty.then(|| random.choose(&[MissingPlace::First, MissingPlace::Last])),
        }
    };
    let sources: Vec<_> = (0..1 + random.below(3)).map(|_| source(random)).collect();
    let key = |source: &TupleSource, random: &mut Random| match &source.by {
        TupleBy::DateHistogram(_) => BucketKey::Time(instant(random, topic)),
        TupleBy::NumberHistogram(_) => BucketKey::Decimal(Decimal::from_i64(random.between(-9, 9))),
        TupleBy::Terms(by) => match by.field.as_ref().map(|field| field.field_type) {
            Some(FieldType::Keyword | FieldType::Text) | None => {
                BucketKey::Text(Arc::from(coin(random).as_bytes()))
            }
            Some(FieldType::Double) => BucketKey::Decimal(Decimal::from_i64(random.between(-9, 9))),
            Some(_) => BucketKey::Integer(random.between(-9, 9)),
        },
    };
    let has_missing_kind = |source: &TupleSource| match &source.by {
        TupleBy::Terms(by) => by.field.is_none(),
        TupleBy::DateHistogram(_) | TupleBy::NumberHistogram(_) => false,
    };
    let after = if sources.iter().any(has_missing_kind) {
        None
    } else {
        random.some(3, |random| {
            sources.iter().map(|source| key(source, random)).collect()
        })
    };
    Tuples {
        size: 1 + random.below(30),
        doc_count_min: random.choose(&[1, 1, 2]),
        after,
        order: random
            .some(2, |random| order(random, children))
            .unwrap_or_default(),
        sources,
    }
}

pub(super) fn bucket(
    random: &mut Random,
    topic: &TopicRows,
    depth: usize,
    for_cells: bool,
) -> Aggregation {
    let children = aggregations(random, topic, depth - 1, for_cells);
    let some_filter = |random: &mut Random| {
        if for_cells {
            cell_filter(random, topic)
        } else {
            filter(random, topic, 1)
        }
    };
    let by = match random.below(8) {
        7 => BucketBy::Tuples(tuples(random, topic, &children, for_cells)),
        6 if !for_cells => BucketBy::NumberHistogram(number_histogram(random, &children)),
        0 | 1 => BucketBy::DateHistogram(histogram(random, topic, &children, for_cells)),
        2 | 3 => BucketBy::Terms(terms(random, topic, &children, for_cells)),
        4 => BucketBy::Filter(some_filter(random)),
        _ => BucketBy::Filters(Filters {
            filters: random
                .many(3, some_filter)
                .into_iter()
                .enumerate()
                .map(|(index, filter)| (Some(format!("f{index}")), filter))
                .collect(),
            other: random.some(2, |_| "_other_".into()),
        }),
    };
    Aggregation::Bucket { by, children }
}

pub(super) fn interval(random: &mut Random, topic: &TopicRows) -> Interval {
    let width_ms = topic.last_ms - topic.first_ms;
    if random.once_in(2) {
        let mut units = vec![CalendarUnit::Week, CalendarUnit::Month];
        units.extend([CalendarUnit::Quarter, CalendarUnit::Year]);
        if width_ms <= 100 * DAY_MS {
            units.push(CalendarUnit::Day);
        }
        if width_ms <= 4 * DAY_MS {
            units.extend([CalendarUnit::Hour, CalendarUnit::Hour]);
        }
        if width_ms <= HOUR_MS {
            units.push(CalendarUnit::Minute);
        }
        return Interval::Calendar(random.choose(&units));
    }
    let widths = [
        977,
        60_000,
        900_000,
        1_800_000,
        HOUR_MS,
        5_400_000,
        3 * HOUR_MS,
        DAY_MS,
        7 * DAY_MS,
    ];
    let fitting: Vec<i64> = widths
        .into_iter()
        .filter(|bucket_ms| width_ms / bucket_ms <= 100)
        .collect();
    Interval::Fixed(random.choose(if fitting.is_empty() {
        &[30 * DAY_MS]
    } else {
        &fitting
    }))
}

pub(super) fn histogram(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> DateHistogram {
    let path = match random.below(8) {
        0 if !for_cells => "when",
        1 if !for_cells => "nanos",
        _ => TIME_FIELD,
    };
    let bounds = |random: &mut Random| {
        let lower = random.some(2, |random| instant(random, topic));
        let upper = random.some(2, |random| instant(random, topic));
        (lower, upper)
    };
    let zone = random.choose(ZONES);
    DateHistogram {
        field: (!random.once_in(20)).then(|| field(path)),
        interval: interval(random, topic),
        time_zone: TimeZone::get(zone).expect("a zone of the database"),
        offset_ms: random.choose(&[0, 0, 0, HOUR_MS, -DAY_MS, 1_234_567]),
        doc_count_min: random.choose(&[0, 0, 1, 2]),
        extended_bounds_ms: random.some(4, bounds),
        hard_bounds_ms: random.some(4, bounds),
        missing_ms: random.some(8, |random| instant(random, topic)),
        order: order(random, children),
    }
}

pub(super) fn number_histogram(
    random: &mut Random,
    children: &[NamedAggregation],
) -> NumberHistogram {
    let of = |mantissa: i64, exponent: i16| Decimal { mantissa, exponent };
    let interval = random.choose(&[of(1, 0), of(5, 0), of(25, -2), of(7, 17), of(3, 2)]);
    let offset = random.choose(&[of(0, 0), of(0, 0), of(5, -1), of(-2, 0)]);
    let number = |random: &mut Random| of(random.between(-300, 300), -1);
    let bounds = |random: &mut Random| (random.some(2, number), random.some(2, number));
    NumberHistogram {
        field: (!random.once_in(20)).then(|| field(random.choose(&["size", "amount", "grown"]))),
        spans: None,
        steps: Steps::new(interval, offset)
            .or(Steps::new(interval, Decimal::default()))
            .expect("positive intervals"),
        doc_count_min: random.choose(&[0, 1, 1, 2]),
        extended_bounds: random.some(4, bounds),
        hard_bounds: random.some(3, bounds),
        missing: random.some(4, number),
        order: order(random, children),
    }
}

pub(super) fn order(random: &mut Random, children: &[NamedAggregation]) -> Vec<Order> {
    random.many(2, |random| {
        let metrics = metric_paths(children);
        let by = match random.below(3) {
            0 => OrderBy::Count,
            1 if !metrics.is_empty() => OrderBy::Metric {
                path: random.pick(&metrics).clone(),
                value: random.choose(&[
                    MetricValue::Single,
                    MetricValue::Count,
                    MetricValue::Min,
                    MetricValue::Max,
                    MetricValue::Avg,
                    MetricValue::Sum,
                    MetricValue::DeviationSampling,
                    MetricValue::Percentile(50.0),
                ]),
            },
            _ => OrderBy::Key,
        };
        Order {
            by,
            descending: random.once_in(2),
        }
    })
}

/// Paths to metrics through single-bucket aggregations.
pub(super) fn metric_paths(children: &[NamedAggregation]) -> Vec<Vec<usize>> {
    let mut paths = Vec::new();
    for (index, child) in children.iter().enumerate() {
        match &child.aggregation {
            Aggregation::Metric(_) | Aggregation::Cardinality(_) | Aggregation::WeightedAvg(_) => {
                paths.push(vec![index]);
            }
            Aggregation::TopRows(_) | Aggregation::Pipeline(_) => {}
            Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => {}
            Aggregation::Bucket {
                by: BucketBy::Filter(_),
                children,
            } => {
                for below in metric_paths(children) {
                    paths.push([vec![index], below].concat());
                }
            }
            Aggregation::Bucket { .. } => {}
        }
    }
    paths
}

pub(super) fn terms(
    random: &mut Random,
    topic: &TopicRows,
    children: &[NamedAggregation],
    for_cells: bool,
) -> Terms {
    let field = match random.below(3) {
        _ if for_cells => field("coin"),
        0 => text_field(random),
        1 => field(random.choose(&["size", "flag", "amount", "grown"])),
        _ => field("coin"),
    };
    let is_text = matches!(field.field_type, FieldType::Keyword | FieldType::Text);
    let term = |random: &mut Random| match field.field_type {
        FieldType::Keyword | FieldType::Text => TermValue::Text(Arc::from(coin(random).as_bytes())),
        FieldType::Double => {
            // Values of such a field are doubles.
            let number = number(&field, topic, random).to_f64();
            TermValue::Decimal(Decimal::from_f64(number).expect("a finite number"))
        }
        _ => TermValue::Integer(number(&field, topic, random).mantissa),
    };
    let selection = |random: &mut Random| {
        if is_text && random.once_in(2) {
            TermSelection::Pattern(pattern(random))
        } else {
            TermSelection::Values(random.many(6, term))
        }
    };
    Terms {
        size: 1 + random.below(12),
        doc_count_min: random.choose(&[1, 1, 0, 2]),
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing: random.some(4, |random| match random.below(2) {
            0 if is_text => TermValue::Text(Arc::from("N/A".as_bytes())),
            _ => term(random),
        }),
        include: random.some(5, selection),
        exclude: random.some(5, selection),
        order: order(random, children),
        field: (!random.once_in(20)).then(|| field.clone()),
    }
}
