//! One frame's members through the tree.

use super::bind::{BoundFilters, BoundKind, BoundNode};
use super::groups::Groups;
use super::histogram::BoundHistogram;
use super::members::{MemberGroups, Members};
use super::state::{BucketState, State};
use super::tally;
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
    budget: &Budget,
) -> Result<(), QueryError> {
    if let BoundKind::Terms(terms) = &node.kind
        && terms.is_answered()
    {
        return Ok(());
    }
    let buckets = match (&node.kind, state) {
        (BoundKind::Metric(metric), State::Metric(states)) => {
            states.grow(group_count);
            let before = states.heap_bytes(members.groups());
            frame.feed_metric(metric, states, members)?;
            return budget.resize(before, states.heap_bytes(members.groups()));
        }
        (BoundKind::Leaf(leaf), State::Leaf(states)) => {
            states.grow(group_count);
            return leaf.feed(states, members, frame, budget);
        }
        (_, State::Buckets(buckets)) => buckets,
        (_, State::Metric(_) | State::Leaf(_)) => {
            unreachable!("states are made from the plan of the same tree")
        }
    };
    if let (BoundKind::Histogram(histogram), Some(parent)) = (&mut node.kind, members.only_group())
        && let Some(runs) = histogram.runs(members, frame)?
    {
        // Neighbours in time share their bucket: no entry is looked at by itself.
        let mut start = 0;
        for (end, key_ms) in runs.iter().copied() {
            if let Some(key_ms) = key_ms
                && start < end
            {
                let group = buckets.groups.group(parent, key_ms, budget)?;
                let part = members.part(start..end, group);
                feed_below(&mut node.children, buckets, &part, frame, budget)?;
            }
            start = end;
        }
        return Ok(());
    }
    if tally::take(node, buckets, members, frame, budget)? {
        return Ok(());
    }
    let mut inner = std::mem::take(&mut node.members);
    inner.clear();
    assign(&mut node.kind, members, frame, buckets, &mut inner, budget)?;
    if !inner.is_empty() {
        feed_below(&mut node.children, buckets, &inner, frame, budget)?;
    }
    node.members = inner;
    Ok(())
}

/// Counts `members`, and feeds them to the children of their buckets.
fn feed_below<F: Frame>(
    children: &mut [BoundNode<'_>],
    buckets: &mut BucketState,
    members: &Members,
    frame: &mut F,
    budget: &Budget,
) -> Result<(), QueryError> {
    let group_count = buckets.groups.len();
    count_rows(&mut buckets.counts, group_count, members, frame);
    for (child, state) in children.iter_mut().zip(&mut buckets.children) {
        feed(child, state, members, group_count, frame, budget)?;
    }
    Ok(())
}

fn assign<F: Frame>(
    kind: &mut BoundKind<'_>,
    members: &Members,
    frame: &mut F,
    buckets: &mut BucketState,
    out: &mut Members,
    budget: &Budget,
) -> Result<(), QueryError> {
    let groups = &mut buckets.groups;
    match kind {
        BoundKind::Histogram(histogram) => {
            BoundHistogram::assign(histogram, members, frame, groups, out, budget)
        }
        BoundKind::Numbers(histogram) => histogram.assign(members, frame, groups, out, budget),
        BoundKind::Terms(terms) => {
            let table = buckets.terms.as_mut().expect("terms have a table");
            terms.assign(members, frame, (groups, table), out, budget)
        }
        BoundKind::Filters(filters) => assign_filters(filters, members, frame, groups, out, budget),
        BoundKind::Metric(_) | BoundKind::Leaf(_) => unreachable!("a metric has no groups"),
    }
}

/// Deals `members` out to every filter that they match.
fn assign_filters<F: Frame>(
    filters: &BoundFilters,
    members: &Members,
    frame: &mut F,
    groups: &mut Groups,
    out: &mut Members,
    budget: &Budget,
) -> Result<(), QueryError> {
    let mut selections = Vec::with_capacity(filters.filters.len() + 1);
    let mut any = Selection::NONE;
    for filter in &filters.filters {
        let selection = filter.select(frame)?;
        any = any.or(&selection);
        selections.push(selection);
    }
    let count = frame.entry_count();
    if filters.has_other {
        selections.push(any.complement(count));
    }
    if let (Some(parent), [only]) = (members.whole(count), selections.as_slice()) {
        // One filter over everything: its members stay in one group.
        if !only.is_empty() {
            let group = groups.group(parent, 0, budget)?;
            *out = Members::selected(only, count, group);
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

fn count_rows<F: Frame>(counts: &mut Vec<u64>, group_count: usize, members: &Members, frame: &F) {
    if counts.len() < group_count {
        counts.resize(group_count, 0);
    }
    match (F::ENTRIES_ARE_ROWS, members.member_groups()) {
        (true, MemberGroups::One(group)) => counts[*group as usize] += members.len() as u64,
        (true, MemberGroups::Each(groups)) => {
            for group in groups {
                counts[*group as usize] += 1;
            }
        }
        (false, _) => {
            for (entry, group) in members.pairs() {
                counts[group as usize] += frame.row_count(entry);
            }
        }
    }
}
