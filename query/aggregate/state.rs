//! What a scan has found so far, for every aggregation and group: plain values that merge.

use super::bind::{BoundKind, BoundNode};
use super::groups::Groups;
use super::metric::MetricStates;
use super::plan::{PlanKind, PlanNode};
use super::term_table::TermTable;
use crate::request::{Aggregation, NamedAggregation};

/// What was found for one aggregation, for all groups of the bucket that it stands in.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Metric(MetricStates),
    Buckets(Box<BucketState>),
}

/// The groups of a bucket aggregation.
#[derive(Debug, Clone)]
pub(crate) struct BucketState {
    pub(super) groups: Groups,
    /// Rows of each group.
    pub(super) counts: Vec<u64>,
    /// What was found below, for all groups.
    pub(super) children: Vec<State>,
    /// What the keys of terms mean; in the state of a single source its own codes mean it.
    pub(super) terms: Option<TermTable>,
}

impl State {
    /// Nothing found yet, for the aggregations of a whole search.
    pub(crate) fn merged(plan: &[PlanNode<'_>]) -> Vec<Self> {
        plan.iter().map(Self::of_plan).collect()
    }

    /// Nothing found yet, for one source.
    pub(crate) fn of_source(plan: &[PlanNode<'_>], bound: &[BoundNode<'_>]) -> Vec<Self> {
        let mut states = Self::merged(plan);
        for (state, node) in states.iter_mut().zip(bound) {
            state.prepare(node);
        }
        states
    }

    fn of_plan(node: &PlanNode<'_>) -> Self {
        let terms = match &node.kind {
            PlanKind::Metric(metric) => return Self::Metric(MetricStates::new(metric.kind)),
            PlanKind::Terms(terms) => Some(TermTable::new(terms.kind)),
            PlanKind::Histogram(_) | PlanKind::Numbers(_) => None,
            PlanKind::Filter(_) | PlanKind::Filters(_) => None,
        };
        let metric_bytes = node.children.iter().map(metric_bytes).sum();
        Self::Buckets(Box::new(BucketState {
            groups: Groups::new(metric_bytes, node.is_returned),
            counts: Vec::new(),
            children: Self::merged(&node.children),
            terms,
        }))
    }

    /// Uses the codes of a source as keys.
    fn prepare(&mut self, node: &BoundNode<'_>) {
        let Self::Buckets(buckets) = self else { return };
        buckets.terms = None;
        match &node.kind {
            BoundKind::Terms(terms) => {
                buckets
                    .groups
                    .expect_codes_below(terms.code_count().unwrap_or(0));
            }
            BoundKind::Filters(filters) => {
                buckets.groups.expect_codes_below(filters.filters.len() + 1);
            }
            BoundKind::Metric(_) | BoundKind::Histogram(_) | BoundKind::Numbers(_) => {}
        }
        for (child, node) in buckets.children.iter_mut().zip(&node.children) {
            child.prepare(node);
        }
    }

    /// Makes sure that metrics have a state for each of `group_count` groups.
    pub(super) fn grow(&mut self, group_count: usize) {
        match self {
            Self::Metric(states) => states.grow(group_count),
            Self::Buckets(_) => {}
        }
    }
}

impl BucketState {
    /// Makes sure that there are counts and states for all groups.
    pub(super) fn grow(&mut self) {
        let group_count = self.groups.len();
        self.counts.resize(group_count, 0);
        for child in &mut self.children {
            child.grow(group_count);
        }
    }
}

fn metric_bytes(node: &PlanNode<'_>) -> usize {
    match &node.kind {
        PlanKind::Metric(metric) => MetricStates::state_bytes(metric.kind),
        PlanKind::Histogram(_) | PlanKind::Numbers(_) | PlanKind::Terms(_) => 0,
        PlanKind::Filter(_) | PlanKind::Filters(_) => 0,
    }
}

/// Children of an aggregation.
pub(super) fn children(aggregation: &Aggregation) -> &[NamedAggregation] {
    match aggregation {
        Aggregation::Metric(_) | Aggregation::Cardinality(_) => &[],
        Aggregation::Bucket { children, .. } => children,
    }
}
