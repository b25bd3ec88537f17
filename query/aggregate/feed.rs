//! One frame's members through the tree.

use super::bind::{BoundFilters, BoundKind, BoundNode};
use super::groups::Groups;
use super::members::Members;
use super::state::{BucketState, State};
use crate::QueryError;
use crate::budget::Budget;
use crate::frame::Frame;
use crate::selection::Selection;

/// Feeds `members` of `frame`, which are in groups below `group_count`, to an aggregation and all
/// below it.
pub(crate) fn feed<F: Frame>(
    node: &mut BoundNode<'_>,
    state: &mut State,
    members: &Members,
    group_count: usize,
    frame: &mut F,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    match (&mut node.kind, state) {
        (BoundKind::Metric(metric), State::Metric(states)) => {
            states.grow(group_count);
            let before = states.heap_bytes(members.groups());
            frame.feed_metric(metric, states, members)?;
            budget.resize(before, states.heap_bytes(members.groups()))
        }
        (kind, State::Buckets(buckets)) => {
            let mut inner = std::mem::take(&mut node.members);
            inner.clear();
            assign(
                kind,
                members,
                frame,
                &mut buckets.groups,
                &mut inner,
                budget,
            )?;
            if !inner.is_empty() {
                count_rows(buckets, &inner, frame);
                let group_count = buckets.groups.len();
                for (child, state) in node.children.iter_mut().zip(&mut buckets.children) {
                    feed(child, state, &inner, group_count, frame, budget)?;
                }
            }
            node.members = inner;
            Ok(())
        }
        (_, State::Metric(_)) => unreachable!("states are made from the plan of the same tree"),
    }
}

fn assign<F: Frame>(
    kind: &mut BoundKind<'_>,
    members: &Members,
    frame: &mut F,
    groups: &mut Groups,
    out: &mut Members,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    match kind {
        BoundKind::Histogram(histogram) => histogram.assign(members, frame, groups, out, budget),
        BoundKind::Numbers(histogram) => histogram.assign(members, frame, groups, out, budget),
        BoundKind::Terms(terms) => terms.assign(members, frame, groups, out, budget),
        BoundKind::Filters(filters) => assign_filters(filters, members, frame, groups, out, budget),
        BoundKind::Metric(_) => unreachable!("a metric has no groups"),
    }
}

/// Deals `members` out to every filter that they match.
fn assign_filters<F: Frame>(
    filters: &BoundFilters,
    members: &Members,
    frame: &mut F,
    groups: &mut Groups,
    out: &mut Members,
    budget: &mut Budget,
) -> Result<(), QueryError> {
    let mut selections = Vec::with_capacity(filters.filters.len() + 1);
    let mut any = Selection::NONE;
    for filter in &filters.filters {
        let selection = filter.select(frame)?;
        any = any.or(&selection);
        selections.push(selection);
    }
    if filters.has_other {
        selections.push(any.complement(frame.entry_count()));
    }
    if let (Some(parent), [only]) = (members.whole(), selections.as_slice()) {
        // One filter over everything: its members stay in one group.
        if !only.is_empty() {
            let group = groups.group(parent, 0, budget)?;
            *out = Members::selected(only, frame.entry_count(), group);
        }
        return Ok(());
    }
    for (entry, parent) in members.pairs() {
        for (key, selection) in (0..).zip(&selections) {
            if selection.contains(entry) {
                out.push(entry, groups.group(parent, key, budget)?);
            }
        }
    }
    Ok(())
}

fn count_rows<F: Frame>(buckets: &mut BucketState, members: &Members, frame: &F) {
    buckets.counts.resize(buckets.groups.len(), 0);
    match members.only_group() {
        Some(group) if F::ENTRIES_ARE_ROWS => {
            buckets.counts[group as usize] += members.len() as u64;
        }
        Some(_) | None => {
            for (entry, group) in members.pairs() {
                buckets.counts[group as usize] += frame.row_count(entry);
            }
        }
    }
}
