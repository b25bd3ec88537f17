//! What a scan has found so far, for every aggregation and group: plain values that merge.

use super::groups::{DenseGroups, DenseKeys, Groups};
use super::layout::Layout;
use super::leaf::LeafStates;
use super::metric::MetricStates;
use super::plan::{PlanKind, PlanNode};
use super::term_table::TermTable;
use crate::QueryError;
use crate::budget::Budget;
use crate::request::{Aggregation, NamedAggregation};

/// What was found for one aggregation, for all groups of the bucket that it stands in.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Metric(MetricStates),
    Leaf(LeafStates),
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
    /// What the keys of terms mean.
    pub(super) terms: Option<TermTable>,
}

impl State {
    /// Nothing found yet, for the aggregations of a search.
    pub(crate) fn new(
        plan: &[PlanNode<'_>],
        layout: &Layout,
        budget: &Budget,
    ) -> Result<Vec<Self>, QueryError> {
        Self::below(plan, Some(1), layout, budget)
    }

    /// Nothing found yet below `parents` groups, or below an unknown number of them.
    fn below(
        plan: &[PlanNode<'_>],
        parents: Option<usize>,
        layout: &Layout,
        budget: &Budget,
    ) -> Result<Vec<Self>, QueryError> {
        plan.iter()
            .map(|node| Self::of_node(node, parents, layout, budget))
            .collect()
    }

    fn of_node(
        node: &PlanNode<'_>,
        parents: Option<usize>,
        layout: &Layout,
        budget: &Budget,
    ) -> Result<Self, QueryError> {
        let terms = match &node.kind {
            PlanKind::Metric(metric) => {
                let mut states = MetricStates::new(metric.kind);
                states.grow(parents.unwrap_or(0));
                return Ok(Self::Metric(states));
            }
            PlanKind::Leaf(leaf) => {
                let mut states = LeafStates::new(leaf);
                states.grow(parents.unwrap_or(0));
                return Ok(Self::Leaf(states));
            }
            PlanKind::Terms(terms) => Some(TermTable::new(terms.kind, layout.space(node.id))),
            PlanKind::Histogram(_) | PlanKind::Numbers(_) => None,
            PlanKind::Filter(_) | PlanKind::Filters(_) => None,
        };
        let metric_bytes = node.children.iter().map(metric_bytes).sum();
        let (groups, group_count) = match dense(node, parents, metric_bytes, layout) {
            Some(groups) => {
                let groups = Groups::Dense(groups);
                let count = groups.len();
                budget.charge(count * (size_of::<u64>() + metric_bytes))?;
                (groups, Some(count))
            }
            None => {
                let width = layout.keys(node.id).map_or(0, DenseKeys::len);
                let table_width = match layout.keys(node.id) {
                    Some(DenseKeys::Below(_)) => width,
                    Some(DenseKeys::These(_)) | None => 0,
                };
                let groups = Groups::found(metric_bytes, node.is_returned, table_width);
                (groups, None)
            }
        };
        Ok(Self::Buckets(Box::new(BucketState {
            groups,
            counts: vec![0; group_count.unwrap_or(0)],
            children: Self::below(&node.children, group_count, layout, budget)?,
            terms,
        })))
    }

    /// Makes sure that metrics have a state for each of `group_count` groups.
    pub(super) fn grow(&mut self, group_count: usize) {
        match self {
            Self::Metric(states) => states.grow(group_count),
            Self::Leaf(states) => states.grow(group_count),
            Self::Buckets(_) => {}
        }
    }
}

/// A group for every key below every one of `parents`, where that is not too much.
fn dense(
    node: &PlanNode<'_>,
    parents: Option<usize>,
    metric_bytes: usize,
    layout: &Layout,
) -> Option<DenseGroups> {
    let keys = layout.keys(node.id)?;
    let count = parents?.checked_mul(keys.len())?;
    let bytes = count.checked_mul(size_of::<u64>() + metric_bytes)?;
    let is_small = count <= layout.dense_groups_max && bytes <= layout.dense_bytes_max;
    (is_small && count > 0).then(|| DenseGroups::new(parents.unwrap_or(0), keys.clone()))
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
        PlanKind::Leaf(leaf) => leaf.state_bytes(),
        PlanKind::Histogram(_) | PlanKind::Numbers(_) | PlanKind::Terms(_) => 0,
        PlanKind::Filter(_) | PlanKind::Filters(_) => 0,
    }
}

/// Children of an aggregation.
pub(super) fn children(aggregation: &Aggregation) -> &[NamedAggregation] {
    match aggregation {
        Aggregation::Metric(_) | Aggregation::Cardinality(_) => &[],
        Aggregation::WeightedAvg(_) | Aggregation::TopRows(_) | Aggregation::Pipeline(_) => &[],
        Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => &[],
        Aggregation::Bucket { children, .. } => children,
    }
}
