//! `buckets_path`: `h>s.avg`, `p[99.9]`, `_count`.

use query::pipeline::{BucketPath, PathValue};
use query::request::{Aggregation, MetricValue, NamedAggregation};

use super::ParsedAggregations;
use super::order::{metric_value, statistic};
use crate::elastic::ElasticError;
use crate::elastic::shape::{AggregationKind, AggregationShape, PipelineForm};

/// The value that `text` names, beginning among `siblings`.
pub(super) fn resolve(
    text: &str,
    siblings: &ParsedAggregations,
) -> Result<BucketPath, ElasticError> {
    let nothing = || ElasticError::validation(&[format!("No aggregation found for path [{text}]")]);
    let mut requests = siblings.requests.as_slice();
    let mut shapes = siblings.shapes.as_slice();
    let mut through = Vec::new();
    let mut elements = text.split('>').map(str::trim).peekable();
    while let Some(element) = elements.next() {
        if let Some(value) = own_value(element) {
            return Ok(BucketPath { through, value });
        }
        let (index, rest) = find(element, requests).ok_or_else(nothing)?;
        through.push(index);
        let is_last = elements.peek().is_none();
        let (request, shape) = (&requests[index], &shapes[index]);
        match (&request.aggregation, is_last) {
            (Aggregation::Bucket { children, .. }, false) => {
                requests = children;
                shapes = &shape.children;
            }
            (_, false) => return Err(nothing()),
            (Aggregation::Bucket { .. }, true) => {
                let value = own_value(rest.unwrap_or_default()).ok_or_else(|| {
                    ElasticError::validation(&[format!(
                        "buckets_path must reference either a number value or a single value \
                         numeric metric aggregation, but [{}] contains multiple values. Please \
                         specify which to use.",
                        request.name
                    )])
                })?;
                return Ok(BucketPath { through, value });
            }
            (aggregation, true) => {
                let value = value_of(aggregation, shape, rest).map_err(|reason| {
                    ElasticError::validation(&[format!("path [{text}]: {reason}")])
                })?;
                let value = PathValue::Metric(value);
                return Ok(BucketPath { through, value });
            }
        }
    }
    Err(nothing())
}

/// Values that every bucket has.
fn own_value(name: &str) -> Option<PathValue> {
    match name {
        "_count" => Some(PathValue::Count),
        "_key" => Some(PathValue::Key),
        "_bucket_count" => Some(PathValue::BucketCount),
        _named => None,
    }
}

/// The aggregation that an element names, and what of it: `name`, `name.value`, `name[value]`. A
/// name with a dot of its own wins.
fn find<'t>(element: &'t str, requests: &[NamedAggregation]) -> Option<(usize, Option<&'t str>)> {
    let place = |name: &str| requests.iter().position(|request| request.name == name);
    if let Some(index) = place(element) {
        return Some((index, None));
    }
    if let Some((name, rest)) = element.split_once('[')
        && let Some(index) = place(name)
    {
        return Some((
            index,
            Some(rest.trim_end_matches(']').trim_matches(['\'', '"'])),
        ));
    }
    // `p.99.9` is of `p`, `a.b.value` of `a.b`.
    let dots = element.match_indices('.').map(|(at, _)| at);
    let mut ends: Vec<usize> = dots.collect();
    ends.reverse();
    ends.into_iter()
        .find_map(|end| Some((place(&element[..end])?, Some(&element[end + 1..]))))
}

/// Which value of a metric or a pipeline is meant.
fn value_of(
    aggregation: &Aggregation,
    shape: &AggregationShape,
    name: Option<&str>,
) -> Result<MetricValue, String> {
    let number = |name: &str| {
        let number = name.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("unknown value [{name}]"))
    };
    match (aggregation, &shape.kind, name) {
        (Aggregation::Metric(metric), kind, name) => metric_value(metric.kind, kind, name),
        (_, _, None | Some("value")) => Ok(MetricValue::Single),
        (Aggregation::Pipeline(_), AggregationKind::Pipeline(shape), Some(name)) => {
            match shape.form {
                PipelineForm::Percentiles { .. } => number(name).map(MetricValue::Percentile),
                PipelineForm::Stats | PipelineForm::ExtendedStats { .. } => {
                    statistic(name, true).ok_or_else(|| format!("unknown value [{name}]"))
                }
                PipelineForm::Plain | PipelineForm::Extreme(_) => {
                    Err(format!("unknown value [{name}]"))
                }
            }
        }
        (_, _, Some(name)) => Err(format!("unknown value [{name}]")),
    }
}
