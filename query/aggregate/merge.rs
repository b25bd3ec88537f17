//! What one source found into what all sources found.

use storage::segment::RowSource;

use super::bind::{BoundKind, BoundNode};
use super::state::{BucketState, State};
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::Columns;

/// Adds what `node` found in one source. Group `g` of the bucket above is group `parents[g]` in
/// `into`.
pub(crate) fn merge(
    into: &mut State,
    from: &State,
    node: &BoundNode<'_>,
    parents: &[u32],
    budget: &mut Budget,
) -> Result<(), QueryError> {
    match (into, from) {
        (State::Metric(into), State::Metric(from)) => {
            let group_count = parents.iter().max().map_or(0, |group| *group as usize + 1);
            into.grow(group_count);
            let before = into.heap_bytes(parents.iter().copied());
            into.merge(from, parents);
            budget.resize(before, into.heap_bytes(parents.iter().copied()))
        }
        (State::Buckets(into), State::Buckets(from)) => {
            let groups = merge_groups(into, from, node, parents, budget)?;
            into.grow();
            for (group, count) in groups.iter().zip(&from.counts) {
                into.counts[*group as usize] += count;
            }
            let below = into.children.iter_mut().zip(&from.children);
            for ((into, from), node) in below.zip(&node.children) {
                merge(into, from, node, &groups, budget)?;
            }
            Ok(())
        }
        (State::Metric(_), State::Buckets(_)) | (State::Buckets(_), State::Metric(_)) => {
            unreachable!("the parts of a search were checked to have one shape")
        }
    }
}

/// The group in `into` of each group of `from`.
fn merge_groups(
    into: &mut BucketState,
    from: &BucketState,
    node: &BoundNode<'_>,
    parents: &[u32],
    budget: &mut Budget,
) -> Result<Vec<u32>, QueryError> {
    let mut groups = Vec::with_capacity(from.groups.len());
    for group in from.groups.keys() {
        let key = match (&node.kind, &mut into.terms) {
            (BoundKind::Terms(terms), Some(table)) => terms.translate(group.key, table, budget)?,
            (BoundKind::Histogram(_) | BoundKind::Numbers(_), _)
            | (BoundKind::Filters(_) | BoundKind::Metric(_), _)
            | (BoundKind::Terms(_), None) => group.key,
        };
        let parent = parents[group.parent as usize];
        groups.push(into.groups.group(parent, key, budget)?);
    }
    Ok(groups)
}

/// Lists the terms of one source for aggregations that show terms without rows.
pub(crate) fn list(
    into: &mut State,
    node: &BoundNode<'_>,
    source: &RowSource,
    columns: &Columns,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    let State::Buckets(into) = into else {
        return Ok(());
    };
    if let (BoundKind::Terms(terms), Some(table)) = (&node.kind, &mut into.terms) {
        terms.list(source, columns, table, budget)?;
    }
    for (into, node) in into.children.iter_mut().zip(&node.children) {
        list(into, node, source, columns, budget)?;
    }
    Ok(())
}
