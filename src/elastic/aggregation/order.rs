//! Order of buckets: `{"_count": "desc"}`, `"a>b.avg"`, lists of them.

use query::request::{
    Aggregation, BucketBy, Metric, MetricKind, MetricValue, NamedAggregation, Order, OrderBy,
    ScriptMetric,
};
use serde_json::{Map, Value};

use super::{Definition, ParsedAggregations};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;
use crate::elastic::shape::{AggregationKind, MetricForm};

/// Reads `order`. An empty object says nothing.
pub(super) fn parse(
    context: &Context<'_>,
    value: &Value,
    definition: &Definition<'_>,
) -> Result<Vec<Order>, ElasticError> {
    let mut orders = Vec::new();
    for criterion in read::one_or_many(value) {
        let entries = criterion
            .as_object()
            .ok_or_else(|| definition.wrong_kind("order", criterion))?;
        let (key, descending) = criterion_of(entries)
            .map_err(|reason| definition.misread("order", ElasticError::parsing(reason)))?;
        let by = parse_key(context, key, &definition.children)?;
        orders.push(Order { by, descending });
    }
    Ok(orders)
}

/// The key and whether it descends. Of several keys the last is meant, as in Elasticsearch.
fn criterion_of(entries: &Map<String, Value>) -> Result<(&str, bool), String> {
    let mut last = None;
    for (key, direction) in entries {
        let direction = read::shown(direction);
        last = match direction.to_lowercase().as_str() {
            "asc" => Some((key.as_str(), false)),
            "desc" => Some((key.as_str(), true)),
            _ => return Err(format!("Unknown order direction [{direction}]")),
        };
    }
    last.ok_or_else(|| "Must specify at least one field for [order]".into())
}

fn parse_key(
    context: &Context<'_>,
    key: &str,
    children: &ParsedAggregations,
) -> Result<OrderBy, ElasticError> {
    match key {
        "_count" => return Ok(OrderBy::Count),
        "_key" | "_term" | "_time" => return Ok(OrderBy::Key),
        _path => {}
    }
    let invalid = |why: String| {
        context.fail(ElasticError::new(
            400,
            "aggregation_execution_exception",
            format!("Invalid aggregation order path [{key}]. {why}"),
        ))
    };
    let mut path = Vec::new();
    let mut siblings = children.requests.as_slice();
    let mut shapes = children.shapes.as_slice();
    let mut parts = key.split('>').peekable();
    while let Some(part) = parts.next() {
        // `a>_count` is `a._count`.
        let counts = parts.next_if(|next| *next == "_count");
        let is_last = parts.peek().is_none();
        let (name, value) = if is_last {
            last_part(part, siblings)
        } else {
            (part, None)
        };
        let value = value.or(counts);
        let index = siblings
            .iter()
            .position(|child| child.name == name)
            .ok_or_else(|| {
                invalid(format!(
                    "The provided aggregation [{name}] either does not exist, or is a pipeline \
                 aggregation and cannot be used to sort the buckets."
                ))
            })?;
        path.push(index);
        match &siblings[index].aggregation {
            Aggregation::Metric(Metric { kind, .. })
            | Aggregation::Script(ScriptMetric { kind, .. })
                if is_last =>
            {
                let value = metric_value(*kind, &shapes[index].kind, value);
                let value = value.map_err(invalid)?;
                return Ok(OrderBy::Metric { path, value });
            }
            Aggregation::Cardinality(_) | Aggregation::WeightedAvg(_) if is_last => {
                let value = single_value(value).map_err(invalid)?;
                return Ok(OrderBy::Metric { path, value });
            }
            Aggregation::Bucket {
                by: BucketBy::Filter(_),
                children,
            } => {
                if is_last {
                    let value = rows_value(value).map_err(invalid)?;
                    return Ok(OrderBy::Metric { path, value });
                }
                siblings = children;
                shapes = &shapes[index].children;
            }
            _not_a_value => return Err(invalid(several_buckets(name))),
        }
    }
    Err(invalid("It is empty.".into()))
}

/// Why buckets cannot be ordered by `name`.
fn several_buckets(name: &str) -> String {
    format!(
        "Buckets can only be sorted on a sub-aggregator path that is built out of zero \
                     or more single-bucket aggregations within the path and a final single-bucket \
                     or a metrics aggregation at the path end. Sub-path [{name}] points to non \
                     single-bucket aggregation"
    )
}

/// `name`, `name.value` or `name[value]`. A name with a dot of its own wins.
fn last_part<'t>(part: &'t str, siblings: &[NamedAggregation]) -> (&'t str, Option<&'t str>) {
    if siblings.iter().any(|child| child.name == part) {
        return (part, None);
    }
    if let Some((name, rest)) = part.split_once('[') {
        return (name, Some(rest.trim_end_matches(']')));
    }
    match part.rsplit_once('.') {
        Some((name, value)) => (name, Some(value)),
        None => (part, None),
    }
}

/// Which value of a metric is meant by its name.
pub(super) fn metric_value(
    kind: MetricKind,
    shape: &AggregationKind,
    value: Option<&str>,
) -> Result<MetricValue, String> {
    let form = match shape {
        AggregationKind::Metric(shape) => Some(&shape.form),
        _other => None,
    };
    let name = match (kind, form) {
        (MetricKind::Distribution, Some(MetricForm::MedianAbsoluteDeviation)) => {
            single_value(value)?;
            return Ok(MetricValue::MedianAbsoluteDeviation);
        }
        (MetricKind::Stats | MetricKind::ExtendedStats | MetricKind::Distribution, _) => value
            .ok_or(
                "When ordering on a multi-value metrics aggregation a metric name must be \
                 specified.",
            )?,
        (
            MetricKind::Sum
            | MetricKind::Avg
            | MetricKind::Min
            | MetricKind::Max
            | MetricKind::ValueCount,
            _,
        ) => return single_value(value),
    };
    let point = || {
        let number = name.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("Unknown value key [{name}]."))
    };
    match (kind, form) {
        (MetricKind::Distribution, Some(MetricForm::Ranks { .. })) => {
            point().map(MetricValue::Rank)
        }
        (MetricKind::Distribution, _) => point().map(MetricValue::Percentile),
        _statistics => statistic(name, kind == MetricKind::ExtendedStats)
            .ok_or_else(|| format!("Unknown value key [{name}].")),
    }
}

/// What a single bucket can be ordered by.
fn rows_value(value: Option<&str>) -> Result<MetricValue, String> {
    match value {
        None | Some("doc_count" | "_count") => Ok(MetricValue::Count),
        Some(other) => Err(format!("Unknown value key [{other}].")),
    }
}

/// The value of a metric that has only one.
fn single_value(value: Option<&str>) -> Result<MetricValue, String> {
    match value {
        None | Some("value") => Ok(MetricValue::Single),
        Some(other) => Err(format!(
            "Ordering on a single-value metrics aggregation can only be done on its value, not on \
             [{other}]."
        )),
    }
}

/// A value of statistics by its name.
pub(super) fn statistic(name: &str, is_extended: bool) -> Option<MetricValue> {
    Some(match name {
        "count" => MetricValue::Count,
        "min" => MetricValue::Min,
        "max" => MetricValue::Max,
        "avg" => MetricValue::Avg,
        "sum" => MetricValue::Sum,
        _plain if !is_extended => return None,
        "sum_of_squares" => MetricValue::SumOfSquares,
        "variance" | "variance_population" => MetricValue::VariancePopulation,
        "variance_sampling" => MetricValue::VarianceSampling,
        "std_deviation" | "std_deviation_population" => MetricValue::DeviationPopulation,
        "std_deviation_sampling" => MetricValue::DeviationSampling,
        _unknown => return None,
    })
}
