//! What one thread found into what another found.

use storage::segment::RowSource;

use super::bind::{BoundKind, BoundNode};
use super::groups::Groups;
use super::state::{BucketState, State};
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::Columns;

/// Adds what was found for an aggregation elsewhere in the same search. Group `g` of the bucket
/// above is group `parents[g]` in `into`.
pub(crate) fn merge(
    into: &mut State,
    from: &State,
    parents: &[u32],
    budget: &Budget,
) -> Result<(), QueryError> {
    match (into, from) {
        (State::Metric(into), State::Metric(from)) => {
            let group_count = parents.iter().max().map_or(0, |group| *group as usize + 1);
            into.grow(group_count);
            let before = into.heap_bytes(parents.iter().copied());
            into.merge(from, parents);
            budget.resize(before, into.heap_bytes(parents.iter().copied()))
        }
        (State::Leaf(into), State::Leaf(from)) => {
            let group_count = parents.iter().max().map_or(0, |group| *group as usize + 1);
            into.grow(group_count);
            into.merge(from, parents, budget)
        }
        (State::Buckets(into), State::Buckets(from)) => {
            let groups = merge_groups(into, from, parents, budget)?;
            into.grow();
            for (group, count) in groups.iter().zip(&from.counts) {
                into.counts[*group as usize] += count;
            }
            for (into, from) in into.children.iter_mut().zip(&from.children) {
                merge(into, from, &groups, budget)?;
            }
            Ok(())
        }
        (State::Metric(_) | State::Leaf(_) | State::Buckets(_), _) => {
            unreachable!("the parts of a search were checked to have one shape")
        }
    }
}

/// The group in `into` of each group of `from`.
fn merge_groups(
    into: &mut BucketState,
    from: &BucketState,
    parents: &[u32],
    budget: &Budget,
) -> Result<Vec<u32>, QueryError> {
    if let (Groups::Dense(_), Groups::Dense(_)) = (&into.groups, &from.groups) {
        // Dense below dense all the way up: they are the same.
        return Ok((0..).take(from.groups.len()).collect());
    }
    let mut groups = Vec::with_capacity(from.groups.len());
    for group in from.groups.keys() {
        let key = match (&mut into.terms, &from.terms) {
            (Some(into), Some(from)) => into.translate(group.key, from, budget)?,
            (Some(_) | None, _) => group.key,
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
    budget: &Budget,
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
