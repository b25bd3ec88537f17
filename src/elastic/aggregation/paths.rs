//! `buckets_path`: `h>s.avg`, `p[99.9]`, `_count`.

use std::collections::VecDeque;
use std::sync::Arc;

use query::adaptive::Adaptive;
use query::pipeline::{BucketPath, PathValue};
use query::request::{
    Aggregation, BucketBy, Metric, MetricKind, MetricValue, NamedAggregation, ScriptMetric,
};
use storage::model::ColumnKind;

use super::ParsedAggregations;
use super::order::{metric_value, statistic};
use crate::elastic::ElasticError;
use crate::elastic::shape::{AggregationKind, AggregationShape, MetricForm, PipelineForm};

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// In the bucket that the pipeline belongs to.
    Bucket,
    /// At the aggregation beside the pipeline whose buckets it takes.
    Sibling,
}

/// The value that `text` names, beginning among `siblings`.
pub(super) fn resolve(
    text: &str,
    siblings: &ParsedAggregations,
    start: Start,
) -> Result<BucketPath, ElasticError> {
    let nothing = || ElasticError::validation(&[format!("No aggregation found for path [{text}]")]);
    let mut requests = siblings.requests.as_slice();
    let mut shapes = siblings.shapes.as_slice();
    let mut through = Vec::new();
    let mut keys: Vec<(usize, Arc<str>)> = Vec::new();
    let mut elements: VecDeque<&str> = text.split('>').map(str::trim).collect();
    while let Some(element) = elements.pop_front() {
        if let Some(value) = own_value(element) {
            return Ok(BucketPath {
                through,
                keys,
                value,
            });
        }
        let (index, rest) = find(element, requests).ok_or_else(nothing)?;
        let is_first = through.is_empty();
        through.push(index);
        let (request, shape) = (&requests[index], &shapes[index]);
        if let (Aggregation::Bucket { .. }, true, Some(rest)) =
            (&request.aggregation, elements.is_empty(), rest)
            && own_value(rest).is_none()
        {
            // `h.s` is `h>s`.
            elements.push_back(rest);
        }
        match (&request.aggregation, elements.is_empty()) {
            (Aggregation::Bucket { by, children }, false) => {
                // `f['name']>..`: one of its buckets.
                let key = rest.filter(|_| element.ends_with(']'));
                let has_key = key.is_some();
                keys.extend(key.map(|key| (through.len() - 1, Arc::from(key))));
                let may_be_many = has_key || is_first && start == Start::Sibling;
                if !may_be_many && has_many(by) && elements.iter().all(|e| own_value(e).is_none()) {
                    return Err(no_number("Object[]", &request.name));
                }
                requests = children;
                shapes = &shape.children;
            }
            (_, false) => return Err(nothing()),
            (Aggregation::Bucket { by, .. }, true) => {
                let value = own_value(rest.unwrap_or_default())
                    .ok_or_else(|| no_number(class_name(by), &request.name))?;
                return Ok(BucketPath {
                    through,
                    keys,
                    value,
                });
            }
            (
                Aggregation::Metric(Metric { kind, .. })
                | Aggregation::Script(ScriptMetric { kind, .. }),
                true,
            ) if rest.is_none() && has_several(*kind, shape) => {
                return Err(ElasticError::new(
                    500,
                    "aggregation_execution_exception",
                    format!(
                        "buckets_path must reference either a number value or a single value \
                         numeric metric aggregation, but [{}] contains multiple values. Please \
                         specify which to use.",
                        request.name
                    ),
                )
                .in_reduce());
            }
            (aggregation, true) => {
                let value = value_of(aggregation, shape, rest).map_err(|reason| {
                    ElasticError::validation(&[format!("path [{text}]: {reason}")])
                })?;
                let value = PathValue::Metric(value);
                return Ok(BucketPath {
                    through,
                    keys,
                    value,
                });
            }
        }
    }
    Err(nothing())
}

/// What `name` leads to is no number.
fn no_number(class: &str, name: &str) -> ElasticError {
    ElasticError::new(
        500,
        "aggregation_execution_exception",
        format!(
            "buckets_path must reference either a number value or a single value numeric metric \
             aggregation, got: [{class}] at aggregation [{name}]"
        ),
    )
    .in_reduce()
}

/// Whether a metric has values to choose from.
fn has_several(kind: MetricKind, shape: &AggregationShape) -> bool {
    match kind {
        MetricKind::Stats | MetricKind::ExtendedStats => true,
        MetricKind::Distribution => !matches!(
            &shape.kind,
            AggregationKind::Metric(shape) if shape.form == MetricForm::MedianAbsoluteDeviation
        ),
        MetricKind::Sum | MetricKind::Avg | MetricKind::Min | MetricKind::Max => false,
        MetricKind::ValueCount => false,
    }
}

/// Whether there may be several buckets.
fn has_many(by: &BucketBy) -> bool {
    match by {
        BucketBy::Global | BucketBy::Filter(_) => false,
        BucketBy::DateHistogram(_) | BucketBy::NumberHistogram(_) | BucketBy::Terms(_) => true,
        BucketBy::Tuples(_) | BucketBy::Filters(_) | BucketBy::Adaptive(_) => true,
    }
}

/// What Elasticsearch calls such buckets in errors.
fn class_name(by: &BucketBy) -> &'static str {
    match by {
        BucketBy::Terms(terms) => {
            match terms
                .field
                .as_ref()
                .map(|field| field.field_type.column_kind())
            {
                None => "UnmappedTerms",
                Some(ColumnKind::Text) => "StringTerms",
                Some(ColumnKind::Integer) => "LongTerms",
                Some(ColumnKind::Decimal) => "DoubleTerms",
            }
        }
        BucketBy::DateHistogram(_) => "InternalDateHistogram",
        BucketBy::NumberHistogram(_) => "InternalHistogram",
        BucketBy::Tuples(_) => "InternalComposite",
        BucketBy::Filters(_) => "InternalFilters",
        BucketBy::Adaptive(Adaptive::Dates(_)) => "InternalAutoDateHistogram",
        BucketBy::Adaptive(Adaptive::Clusters(_)) => "InternalVariableWidthHistogram",
        BucketBy::Adaptive(Adaptive::Significant(_)) => "SignificantStringTerms",
        BucketBy::Filter(_) => "InternalFilter",
        BucketBy::Global => "InternalGlobal",
    }
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
        (Aggregation::Script(metric), kind, name) => metric_value(metric.kind, kind, name),
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
