//! Buckets over a list of rows, and their order.

use super::*;

/// What a row has of one value of tuples.
pub(super) fn tuple_keys(source: &TupleSource, row: &Row) -> Vec<BucketKey> {
    match &source.by {
        TupleBy::Terms(by) if source.missing.is_some() => {
            let field = by.field.as_ref();
            let has_value = field.is_some_and(|field| !row.values(&field.column).is_empty());
            match has_value {
                true => row_terms(by, row, None),
                false => vec![BucketKey::None],
            }
        }
        TupleBy::Terms(by) => row_terms(by, row, by.missing.as_ref()),
        TupleBy::DateHistogram(by) => {
            let round = |time_ms: i64| {
                let moved_ms = time_ms - by.offset_ms;
                oracle::round(by.interval, &by.time_zone, moved_ms) + by.offset_ms
            };
            let keys: BTreeSet<i64> = instants(by, row).into_iter().map(round).collect();
            keys.into_iter().map(BucketKey::Time).collect()
        }
        TupleBy::NumberHistogram(by) => {
            let field = by.field.as_ref();
            let values = field.map_or_else(Vec::new, |field| numbers(row, field));
            let keys: BTreeSet<i64> = values.iter().map(|value| by.steps.index(*value)).collect();
            let start = |key| BucketKey::Decimal(plain(by.steps.start(key)));
            keys.into_iter().map(start).collect()
        }
    }
}

pub(super) fn tuples(
    by: &Tuples,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: Vec<(BucketKey, Vec<&Row>)> = Vec::new();
    for row in rows {
        let mut keys = vec![Vec::new()];
        for source in &by.sources {
            let own = tuple_keys(source, row);
            let longer = |key: &Vec<BucketKey>| {
                let key = key.clone();
                own.iter()
                    .map(move |last| [key.clone(), vec![last.clone()]].concat())
                    .collect::<Vec<_>>()
            };
            keys = keys.iter().flat_map(longer).collect();
        }
        for key in keys {
            rows_of(&mut found, BucketKey::Tuple(key)).push(row);
        }
    }
    let compare = |a: &BucketKey, b: &BucketKey| match (a, b) {
        (BucketKey::Tuple(a), BucketKey::Tuple(b)) => {
            for ((a, b), source) in a.iter().zip(b).zip(&by.sources) {
                let is_last = source.missing == Some(MissingPlace::Last);
                match (a, b) {
                    (BucketKey::None, BucketKey::None) => continue,
                    (BucketKey::None, _) if is_last => return Ordering::Greater,
                    (BucketKey::None, _) => return Ordering::Less,
                    (_, BucketKey::None) if is_last => return Ordering::Less,
                    (_, BucketKey::None) => return Ordering::Greater,
                    _both => {}
                }
                match compare_keys(a, b) {
                    Ordering::Equal => {}
                    ordering if source.descending => return ordering.reverse(),
                    ordering => return ordering,
                }
            }
            Ordering::Equal
        }
        _ => panic!("tuples have tuples as keys"),
    };
    found.retain(|(_, rows)| rows.len() as u64 >= by.doc_count_min);
    if let Some(after) = &by.after {
        let after = BucketKey::Tuple(after.clone());
        found.retain(|(key, _)| compare(key, &after).is_gt());
    }
    found.sort_by(|(a, _), (b, _)| compare(a, b));
    let term_count = found.len();
    let buckets: Vec<Bucket> = found
        .into_iter()
        .map(|(key, rows)| bucket(key, &rows, children, all))
        .collect();
    let mut buckets = ordered_with(buckets, &by.order, &compare);
    let cut = buckets.split_off(by.size.min(buckets.len()));
    AggregationResult::Buckets {
        buckets,
        other_count: cut.iter().map(|bucket| bucket.count).sum(),
        term_count,
        note: BucketsNote::None,
    }
}

/// Instants of a row, in milliseconds.
pub(super) fn instants(by: &DateHistogram, row: &Row) -> Vec<i64> {
    let mut instants = Vec::new();
    if let Some(field) = &by.field {
        for value in numbers(row, field) {
            instants.push(match field.field_type {
                FieldType::DateNanos => value.mantissa.div_euclid(1_000_000),
                _ => value.mantissa,
            });
        }
    }
    if instants.is_empty() {
        instants.extend(by.missing_ms);
    }
    instants
}

pub(super) fn histogram(
    by: &DateHistogram,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let round = |time_ms: i64| {
        oracle::round(by.interval, &by.time_zone, time_ms - by.offset_ms) + by.offset_ms
    };
    let (lower, upper) = by.hard_bounds_ms.unwrap_or((None, None));
    let unmoved = |time_ms: i64| oracle::round(by.interval, &by.time_zone, time_ms);
    let (lower, upper) = (lower.map(unmoved), upper.map(unmoved));
    let mut found: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let keys: BTreeSet<i64> = instants(by, row).into_iter().map(round).collect();
        for key in keys {
            let is_inside =
                lower.is_none_or(|lower| key >= lower) && upper.is_none_or(|upper| key < upper);
            if is_inside {
                found.entry(key).or_default().push(row);
            }
        }
    }
    if by.doc_count_min == 0 {
        let (lower, upper) = by.extended_bounds_ms.unwrap_or((None, None));
        let (lower, upper) = (lower.map(round), upper.map(round));
        let first = found.keys().copied().next();
        let last = found.keys().copied().next_back();
        let ends = match (first, last) {
            (Some(first), Some(last)) => Some((
                lower.unwrap_or(first).min(first),
                upper.unwrap_or(last).max(last),
            )),
            _ => lower.zip(upper),
        };
        if let Some((first, last)) = ends {
            let rounding = Rounding::new(by.interval, &by.time_zone, by.offset_ms, first, last);
            let mut key = first;
            while key <= last {
                found.entry(key).or_default();
                key = rounding.next(key).expect("time goes on");
            }
        }
    }
    let buckets = found
        .into_iter()
        .filter(|(_, rows)| rows.len() as u64 >= by.doc_count_min)
        .map(|(key, rows)| bucket(BucketKey::Time(key), &rows, children, all))
        .collect();
    AggregationResult::Buckets {
        buckets: ordered(buckets, &by.order),
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

pub(super) fn number_histogram(
    by: &NumberHistogram,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    let (lower, upper) = by.hard_bounds.unwrap_or((None, None));
    let (first, last) = by.steps.indexes_between(lower, upper);
    for row in rows {
        let mut values = match &by.field {
            None => Vec::new(),
            Some(field) => numbers(row, field),
        };
        if values.is_empty() {
            values.extend(by.missing);
        }
        let keys: BTreeSet<i64> = values.iter().map(|value| by.steps.index(*value)).collect();
        for key in keys {
            if first <= key && key <= last {
                found.entry(key).or_default().push(row);
            }
        }
    }
    if by.doc_count_min == 0 {
        let (lower, upper) = by.extended_bounds.unwrap_or((None, None));
        let lower = lower.map(|bound| by.steps.index(bound));
        let upper = upper.map(|bound| by.steps.index(bound));
        let all_ends = |ends: [Option<i64>; 2]| ends.into_iter().flatten();
        let first = found.keys().next().copied();
        let last = found.keys().next_back().copied();
        let ends = match first {
            Some(_) => all_ends([first, lower])
                .min()
                .zip(all_ends([last, upper]).max()),
            None => lower.zip(upper),
        };
        if let Some((first, last)) = ends {
            // More than any answer may have; the search refuses before.
            let many = last.saturating_sub(first) > 100_000;
            for key in first..=if many { first } else { last } {
                found.entry(key).or_default();
            }
        }
    }
    let buckets = found
        .into_iter()
        .filter(|(_, rows)| rows.len() as u64 >= by.doc_count_min)
        .map(|(key, rows)| {
            let key = BucketKey::Decimal(plain(by.steps.start(key)));
            bucket(key, &rows, children, all)
        })
        .collect();
    AggregationResult::Buckets {
        buckets: ordered(buckets, &by.order),
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

pub(super) fn filters(
    by: &Filters,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let name = |name: &str| BucketKey::Name(name.into());
    let mut buckets = Vec::new();
    for (key, filter) in &by.filters {
        let inside: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| matches(filter, row))
            .collect();
        let key = key.as_deref().map_or(BucketKey::None, name);
        buckets.push(bucket(key, &inside, children, all));
    }
    if let Some(other) = &by.other {
        let is_other = |row: &&Row| !by.filters.iter().any(|(_, filter)| matches(filter, row));
        let inside: Vec<_> = rows.iter().copied().filter(is_other).collect();
        buckets.push(bucket(name(other), &inside, children, all));
    }
    AggregationResult::Buckets {
        buckets,
        other_count: 0,
        term_count: 0,
        note: BucketsNote::None,
    }
}

/// The distinct terms of a row, those that may make a bucket.
pub(super) fn row_terms(by: &Terms, row: &Row, missing: Option<&TermValue>) -> Vec<BucketKey> {
    let mut keys = Vec::new();
    let mut has_value = false;
    if let Some(field) = &by.field {
        for value in row.values(&field.column) {
            has_value = true;
            keys.push(match value {
                Value::Text(text) => BucketKey::Text(Arc::from(text.as_bytes())),
                Value::Number(number) => number_key(field, *number),
            });
        }
    }
    if let (false, Some(missing)) = (has_value, missing) {
        keys.push(match missing {
            TermValue::Text(text) => BucketKey::Text(text.clone()),
            TermValue::Integer(integer) => BucketKey::Integer(*integer),
            TermValue::Decimal(decimal) => BucketKey::Decimal(plain(*decimal)),
        });
    }
    keys.sort_by(compare_keys);
    keys.dedup();
    keys.retain(|key| is_allowed(by, key));
    keys
}

pub(super) fn number_key(field: &FieldRef, number: Decimal) -> BucketKey {
    match field.field_type {
        FieldType::Double => {
            let number = Decimal::from_f64(number.to_f64()).expect("a finite number");
            BucketKey::Decimal(plain(number))
        }
        _ => BucketKey::Integer(number.mantissa),
    }
}

pub(super) fn is_allowed(by: &Terms, key: &BucketKey) -> bool {
    let fits = |selection: &TermSelection| match selection {
        TermSelection::Pattern(pattern) => {
            matches!(key, BucketKey::Text(text) if fits(pattern, text))
        }
        TermSelection::Values(values) => values.iter().any(|value| match (value, key) {
            (TermValue::Text(a), BucketKey::Text(b)) => a == b,
            (TermValue::Integer(a), BucketKey::Integer(b)) => a == b,
            (TermValue::Decimal(a), BucketKey::Decimal(b)) => a.compare(*b).is_eq(),
            _ => false,
        }),
        TermSelection::Partition(_) => panic!("parts are those of Elasticsearch"),
    };
    by.include.as_ref().is_none_or(fits) && !by.exclude.as_ref().is_some_and(fits)
}

pub(super) fn terms(
    by: &Terms,
    children: &[NamedAggregation],
    rows: &[&Row],
    all: &[&Row],
) -> AggregationResult {
    let mut found: Vec<(BucketKey, Vec<&Row>)> = Vec::new();
    if by.doc_count_min == 0 {
        if let (Some(TermValue::Text(text)), false) = (&by.missing, all.is_empty()) {
            let key = BucketKey::Text(text.clone());
            if is_allowed(by, &key) {
                rows_of(&mut found, key);
            }
        }
        for row in all {
            for key in row_terms(by, row, by.missing.as_ref()) {
                rows_of(&mut found, key);
            }
        }
    }
    for row in rows {
        for key in row_terms(by, row, by.missing.as_ref()) {
            rows_of(&mut found, key).push(row);
        }
    }
    let term_count = found.len();
    found.retain(|(_, rows)| rows.len() as u64 >= by.doc_count_min);
    let buckets = found
        .into_iter()
        .map(|(key, rows)| bucket(key, &rows, children, all))
        .collect();
    let mut buckets = ordered(buckets, &by.order);
    let cut = buckets.split_off(by.size.min(buckets.len()));
    AggregationResult::Buckets {
        buckets,
        other_count: cut.iter().map(|bucket| bucket.count).sum(),
        term_count,
        note: BucketsNote::None,
    }
}

pub(super) fn rows_of<'f, 'a>(
    found: &'f mut Vec<(BucketKey, Vec<&'a Row>)>,
    key: BucketKey,
) -> &'f mut Vec<&'a Row> {
    let place = found.iter().position(|(other, _)| *other == key);
    let place = place.unwrap_or_else(|| {
        found.push((key, Vec::new()));
        found.len() - 1
    });
    &mut found[place].1
}

pub(super) fn compare_keys(a: &BucketKey, b: &BucketKey) -> Ordering {
    match (a, b) {
        (BucketKey::Time(a), BucketKey::Time(b)) => a.cmp(b),
        (BucketKey::Integer(a), BucketKey::Integer(b)) => a.cmp(b),
        (BucketKey::Decimal(a), BucketKey::Decimal(b)) => a.compare(*b),
        (BucketKey::Text(a), BucketKey::Text(b)) => a.cmp(b),
        _ => panic!("keys of one aggregation are of one kind"),
    }
}

pub(super) fn ordered(buckets: Vec<Bucket>, orders: &[Order]) -> Vec<Bucket> {
    ordered_with(buckets, orders, &compare_keys)
}

pub(super) fn ordered_with(
    mut buckets: Vec<Bucket>,
    orders: &[Order],
    compare_keys: &dyn Fn(&BucketKey, &BucketKey) -> Ordering,
) -> Vec<Bucket> {
    buckets.sort_by(|a, b| {
        for order in orders {
            let turn = |ordering: Ordering| match order.descending {
                true => ordering.reverse(),
                false => ordering,
            };
            let ordering = match &order.by {
                OrderBy::Count => turn(a.count.cmp(&b.count)),
                OrderBy::Key => turn(compare_keys(&a.key, &b.key)),
                OrderBy::Metric { path, value } => {
                    let (a, b) = (metric_at(a, path, *value), metric_at(b, path, *value));
                    match (a, b) {
                        (Some(a), Some(b)) => turn(a.partial_cmp(&b).expect("numbers")),
                        (Some(_), None) => Ordering::Less,
                        (None, Some(_)) => Ordering::Greater,
                        (None, None) => Ordering::Equal,
                    }
                }
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        compare_keys(&a.key, &b.key)
    });
    buckets
}

pub(super) fn metric_at(bucket: &Bucket, path: &[usize], value: MetricValue) -> Option<f64> {
    match &bucket.aggregations[path[0]] {
        AggregationResult::Single(inner) => metric_at(inner, &path[1..], value),
        AggregationResult::Buckets { .. } => panic!("orders go through single buckets"),
        AggregationResult::Rows(_) | AggregationResult::Pipeline(_) => None,
        AggregationResult::Metric(metric) => metric.value(value),
    }
}
