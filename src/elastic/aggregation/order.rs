//! Order of buckets: `{"_count": "desc"}`, `"a>b.avg"`, lists of them.

use query::request::{
    Aggregation, BucketBy, MetricKind, MetricValue, NamedAggregation, Order, OrderBy,
};
use serde_json::{Map, Value};

use super::Definition;
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;

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
        let by = parse_key(context, key, &definition.children.requests)?;
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
    children: &[NamedAggregation],
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
    let mut siblings = children;
    let mut parts = key.split('>').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let (name, value) = if is_last {
            last_part(part, siblings)
        } else {
            (part, None)
        };
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
            Aggregation::Metric(metric) if is_last => {
                let value = metric_value(metric.kind, value).map_err(invalid)?;
                return Ok(OrderBy::Metric { path, value });
            }
            Aggregation::Bucket {
                by: BucketBy::Filter(_),
                children,
            } => {
                if is_last {
                    return Err(ElasticError::unsupported(format!(
                        "order by the count of [{name}]"
                    )));
                }
                siblings = children;
            }
            Aggregation::Metric(_) | Aggregation::Bucket { .. } => {
                return Err(invalid(format!(
                    "Buckets can only be sorted on a sub-aggregator path that is built out of zero \
                     or more single-bucket aggregations within the path and a final single-bucket \
                     or a metrics aggregation at the path end. Sub-path [{name}] points to non \
                     single-bucket aggregation"
                )));
            }
        }
    }
    Err(invalid("It is empty.".into()))
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

fn metric_value(kind: MetricKind, value: Option<&str>) -> Result<MetricValue, String> {
    match (kind, value) {
        (MetricKind::Stats, Some("count")) => Ok(MetricValue::Count),
        (MetricKind::Stats, Some("min")) => Ok(MetricValue::Min),
        (MetricKind::Stats, Some("max")) => Ok(MetricValue::Max),
        (MetricKind::Stats, Some("avg")) => Ok(MetricValue::Avg),
        (MetricKind::Stats, Some("sum")) => Ok(MetricValue::Sum),
        (MetricKind::Stats, None) => Err(
            "When ordering on a multi-value metrics aggregation a metric name must be specified."
                .into(),
        ),
        (MetricKind::Stats, Some(other)) => Err(format!("Unknown value key [{other}].")),
        (
            MetricKind::Sum
            | MetricKind::Avg
            | MetricKind::Min
            | MetricKind::Max
            | MetricKind::ValueCount,
            None | Some("value"),
        ) => Ok(MetricValue::Single),
        (
            MetricKind::Sum
            | MetricKind::Avg
            | MetricKind::Min
            | MetricKind::Max
            | MetricKind::ValueCount,
            Some(other),
        ) => Err(format!(
            "Ordering on a single-value metrics aggregation can only be done on its value, not on [{other}]."
        )),
    }
}
