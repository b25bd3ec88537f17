//! In which order pipelines run: what is read comes before what reads it.

use super::path::BucketPath;
use super::request::PipelineKind;
use crate::request::{Aggregation, NamedAggregation};

/// Places of the pipelines among `children`, each behind those that it reads.
pub(super) fn of(children: &[NamedAggregation]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; children.len()];
    for index in 0..children.len() {
        visit(children, index, &mut seen, &mut order);
    }
    order
}

fn visit(children: &[NamedAggregation], index: usize, seen: &mut [bool], order: &mut Vec<usize>) {
    // What was seen and is not in the order yet reads itself; it finds nothing there.
    if std::mem::replace(&mut seen[index], true) {
        return;
    }
    let Aggregation::Pipeline(pipeline) = &children[index].aggregation else {
        return;
    };
    for path in paths(&pipeline.kind) {
        if let Some(first) = path.through.first()
            && *first < children.len()
        {
            visit(children, *first, seen, order);
        }
    }
    order.push(index);
}

/// What a pipeline reads.
fn paths(kind: &PipelineKind) -> Vec<&BucketPath> {
    match kind {
        PipelineKind::Derivative { path, .. }
        | PipelineKind::CumulativeSum { path }
        | PipelineKind::SerialDifference { path, .. }
        | PipelineKind::Normalize { path, .. }
        | PipelineKind::MovingFunction { path, .. }
        | PipelineKind::MovingAverage { path, .. } => vec![path],
        PipelineKind::BucketScript { paths, .. } | PipelineKind::BucketSelector { paths, .. } => {
            paths.iter().collect()
        }
        PipelineKind::BucketSort { by, .. } => by.iter().map(|by| &by.path).collect(),
        // It reads buckets beside it, which are done before.
        PipelineKind::Sibling { .. } => Vec::new(),
    }
}
