//! Metrics over a list of rows.

use super::*;

pub(super) fn measure(metric: &Metric, rows: &[&Row]) -> MetricResult {
    let mut values = Vec::new();
    for row in rows {
        let mut own = match &metric.field {
            None => Vec::new(),
            // Only the number of texts matters.
            Some(field) if field.field_type.column_kind() == storage::model::ColumnKind::Text => {
                let distinct: BTreeSet<_> = row.texts(&field.column).into_iter().collect();
                distinct.iter().map(|_| Decimal::default()).collect()
            }
            Some(field) => numbers(row, field),
        };
        if own.is_empty() {
            own.extend(metric.missing);
        }
        values.extend(own);
    }
    measure_values(metric.kind, &values)
}

/// A metric of what scripts of the generator give.
pub(super) fn scripted(by: &ScriptMetric, rows: &[&Row]) -> MetricResult {
    let least = |row: &Row, field: &Option<FieldRef>| {
        let values = field
            .as_ref()
            .map_or_else(Vec::new, |field| numbers(row, field));
        values
            .iter()
            .map(|value| value.to_f64())
            .min_by(f64::total_cmp)
    };
    let given = |row: &&Row| {
        let [left, right] = by.script.fields.as_slice() else {
            panic!("scripts of the generator read two fields");
        };
        let product = least(row, left)? * least(row, right)?;
        Decimal::from_f64(product + SCRIPT_ADDEND as f64)
    };
    let values: Vec<Decimal> = rows.iter().filter_map(given).collect();
    measure_values(by.kind, &values)
}

pub(super) fn measure_values(kind: MetricKind, values: &[Decimal]) -> MetricResult {
    let mut sum = ExactSum::default();
    for value in values {
        sum.add(*value);
    }
    let count = values.len() as u64;
    let min = values
        .iter()
        .copied()
        .min_by(|a, b| a.compare(*b))
        .map(plain);
    let max = values
        .iter()
        .copied()
        .max_by(|a, b| a.compare(*b))
        .map(plain);
    let avg = (count > 0).then(|| sum.to_f64() / count as f64);
    match kind {
        MetricKind::Sum => MetricResult::Sum(sum),
        MetricKind::Avg => MetricResult::Avg(avg),
        MetricKind::Min => MetricResult::Min(min),
        MetricKind::Max => MetricResult::Max(max),
        MetricKind::ValueCount => MetricResult::ValueCount(count),
        MetricKind::Stats => MetricResult::Stats {
            count,
            min,
            max,
            sum,
            avg,
        },
        MetricKind::ExtendedStats => {
            let variance = |divisor: u64| (divisor > 0).then(|| variance(values, divisor));
            MetricResult::ExtendedStats(Box::new(ExtendedStats {
                count,
                min,
                max,
                avg,
                sum_of_squares: sum_of_squares(values),
                variance_population: variance(count),
                variance_sampling: variance(count.saturating_sub(1)),
                sum,
            }))
        }
        MetricKind::Distribution => {
            let mut distribution = Distribution::default();
            for value in values {
                distribution.add(value.to_f64());
            }
            MetricResult::Distribution(distribution.sorted())
        }
    }
}

/// The values as whole numbers, all divided by one power of ten.
pub(super) fn whole(values: &[Decimal]) -> (Vec<BigInt>, i32) {
    let exponents = values.iter().map(|value| i32::from(value.exponent));
    let lowest = exponents.min().unwrap_or(0);
    let scaled = |value: &Decimal| {
        let power = (i32::from(value.exponent) - lowest).unsigned_abs();
        BigInt::from(value.mantissa) * BigInt::from(10).pow(power)
    };
    (values.iter().map(scaled).collect(), lowest)
}

/// `numerator × 10^exponent / denominator`, rounded twice.
pub(super) fn ratio(numerator: &BigInt, exponent: i32, denominator: &BigInt) -> f64 {
    let number = |text: String| text.parse::<f64>().expect("digits");
    number(format!("{numerator}e{exponent}")) / number(denominator.to_string())
}

pub(super) fn sum_of_squares(values: &[Decimal]) -> f64 {
    let (whole, exponent) = whole(values);
    let squares: BigInt = whole.iter().map(|value| value * value).sum();
    ratio(&squares, 2 * exponent, &BigInt::from(1))
}

pub(super) fn variance(values: &[Decimal], divisor: u64) -> f64 {
    let (whole, exponent) = whole(values);
    let count = BigInt::from(values.len());
    let total: BigInt = whole.iter().sum();
    let squares: BigInt = whole.iter().map(|value| value * value).sum();
    let difference = squares * &count - &total * &total;
    ratio(&difference, 2 * exponent, &(count * divisor))
}

pub(super) fn weighted(by: &WeightedAvg, rows: &[&Row]) -> MetricResult {
    let read = |input: &Input, row: &Row| {
        let field = input.field.as_ref();
        let mut values = field.map_or_else(Vec::new, |field| numbers(row, field));
        if values.is_empty() {
            values.extend(input.missing);
        }
        values
    };
    let (mut products, mut weights) = (BigInt::ZERO, ExactSum::default());
    // Doubles of the topic have no digits below.
    let lowest = -800;
    for row in rows {
        for weight in read(&by.weight, row) {
            for value in read(&by.value, row) {
                let exponent = i32::from(value.exponent) + i32::from(weight.exponent);
                let power = BigInt::from(10).pow((exponent - lowest).unsigned_abs());
                products += BigInt::from(value.mantissa) * weight.mantissa * power;
                weights.add(weight);
            }
        }
    }
    let weights = weights.to_f64();
    let products: f64 = format!("{products}e{lowest}").parse().expect("digits");
    MetricResult::Avg((weights != 0.0).then(|| products / weights))
}

pub(super) fn cardinality(by: &Cardinality, rows: &[&Row]) -> MetricResult {
    let terms = Terms {
        field: by.field.clone(),
        size: usize::MAX,
        doc_count_min: 1,
        doc_count_max: u64::MAX,
        cells: None,
        words: None,
        missing: by.missing.clone(),
        include: None,
        exclude: None,
        order: Vec::new(),
    };
    let mut found: Vec<BucketKey> = Vec::new();
    for row in rows {
        found.extend(row_terms(&terms, row, by.missing.as_ref()));
    }
    found.sort_by(compare_keys);
    found.dedup();
    MetricResult::Cardinality(found.len() as u64)
}

/// Integers that fit with exponent 0, others without trailing zeros.
pub(super) fn plain(value: Decimal) -> Decimal {
    let mut value = value.normalized();
    while value.exponent > 0 {
        match value.mantissa.checked_mul(10) {
            Some(mantissa) => {
                value.mantissa = mantissa;
                value.exponent -= 1;
            }
            None => return value.normalized(),
        }
    }
    value
}
