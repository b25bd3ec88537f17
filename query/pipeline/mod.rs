//! Aggregations over the results of others: run over the finished tree, in one pass.
//!
//! A **parent** pipeline gives each bucket of the aggregation that it stands in a value, made of
//! values of that bucket and of its neighbours. A **sibling** pipeline makes one value of all
//! buckets of an aggregation beside it. Pipelines read other pipelines; they run in the order that
//! needs.

mod change;
mod expression;
mod moving;
mod order;
mod path;
mod request;
mod select;
mod siblings;

pub use expression::{Binary, Expression, Function, MathFunction, Unary};
pub(crate) use expression::{Given, Scope};
pub use moving::{MovingModel, Season};
pub use path::{BucketPath, PathValue};
pub use request::{GapPolicy, Normalization, Pipeline, PipelineKind, SiblingKind, SortedBy};

use crate::QueryError;
use crate::request::{Aggregation, BucketBy, NamedAggregation};
use crate::response::{AggregationResult, Bucket, PipelineResult};

/// Runs the pipelines of a search over its results.
pub(crate) fn apply(
    named: &[NamedAggregation],
    results: &mut [AggregationResult],
) -> Result<(), QueryError> {
    if !has_any(named) {
        return Ok(());
    }
    apply_level(named, results)
}

fn has_any(named: &[NamedAggregation]) -> bool {
    named.iter().any(|named| match &named.aggregation {
        Aggregation::Pipeline(_) => true,
        Aggregation::Bucket { children, .. } => has_any(children),
        _leaf => false,
    })
}

/// Aggregations side by side: those below first, then the siblings among them.
fn apply_level(
    named: &[NamedAggregation],
    results: &mut [AggregationResult],
) -> Result<(), QueryError> {
    for (named, result) in named.iter().zip(&mut *results) {
        let Aggregation::Bucket { by, children } = &named.aggregation else {
            continue;
        };
        match result {
            AggregationResult::Single(bucket) => apply_level(children, &mut bucket.aggregations)?,
            AggregationResult::Buckets { buckets, .. } => {
                for bucket in &mut *buckets {
                    apply_level(children, &mut bucket.aggregations)?;
                }
                apply_parents(by, children, buckets)?;
            }
            AggregationResult::Metric(_)
            | AggregationResult::Rows(_)
            | AggregationResult::Pipeline(_) => {}
        }
    }
    for (index, named) in named.iter().enumerate() {
        if let Aggregation::Pipeline(pipeline) = &named.aggregation
            && let PipelineKind::Sibling { kind, path } = &pipeline.kind
        {
            let made = siblings::run(kind, path, pipeline.gaps, results);
            results[index] = AggregationResult::Pipeline(made);
        }
    }
    Ok(())
}

/// The parent pipelines of one list of buckets.
fn apply_parents(
    by: &BucketBy,
    children: &[NamedAggregation],
    buckets: &mut Vec<Bucket>,
) -> Result<(), QueryError> {
    for index in order::of(children) {
        let Aggregation::Pipeline(pipeline) = &children[index].aggregation else {
            continue;
        };
        let gaps = pipeline.gaps;
        match &pipeline.kind {
            PipelineKind::Sibling { .. } => {}
            PipelineKind::Derivative { path, unit } => {
                change::derivative(buckets, index, path, gaps, *unit);
            }
            PipelineKind::CumulativeSum { path } => {
                change::cumulative_sum(buckets, index, path, gaps);
            }
            PipelineKind::SerialDifference { path, lag } => {
                change::serial_difference(buckets, index, path, gaps, *lag);
            }
            PipelineKind::Normalize { path, method } => {
                change::normalize(buckets, index, path, gaps, *method);
            }
            PipelineKind::MovingFunction {
                path,
                window,
                shift,
                script,
            } => moving::function(buckets, index, path, gaps, (*window, *shift), script)?,
            PipelineKind::MovingAverage {
                path,
                window,
                model,
                predictions,
            } => {
                let made = moving::average(buckets, index, path, gaps, *window, model)?;
                moving::predict(by, children.len(), buckets, index, &made, *predictions);
            }
            PipelineKind::BucketScript { paths, script } => {
                select::script(buckets, index, paths, gaps, script);
            }
            PipelineKind::BucketSelector { paths, script } => {
                select::selector(buckets, paths, gaps, script);
            }
            PipelineKind::BucketSort { by, from, size } => {
                select::sort(buckets, by, gaps, *from, *size);
            }
        }
    }
    Ok(())
}

/// Puts a value into bucket's place for pipeline `index`.
fn put(bucket: &mut Bucket, index: usize, result: PipelineResult) {
    if let Some(place) = bucket.aggregations.get_mut(index) {
        *place = AggregationResult::Pipeline(result);
    }
}

#[cfg(test)]
mod tests;
