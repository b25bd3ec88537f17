//! Aggregations without buckets that read more than one column: bound, fed, merged, finished.

use super::members::Members;
use super::top_rows::{BoundRows, RowStates};
use super::weighted::{BoundWeighted, Weighted};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::Frame;
use crate::request::{TopRows, WeightedAvg};
use crate::response::{AggregationResult, MetricResult, PipelineResult};

/// What such an aggregation does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlanLeaf<'q> {
    /// Made of other results, when those are there.
    Pipeline,
    Weighted(&'q WeightedAvg),
    Rows {
        by: &'q TopRows,
        /// Number of the part of the search that it is planned for.
        part: usize,
    },
}

/// It over one source.
#[derive(Debug, Clone)]
pub(crate) enum BoundLeaf {
    Pipeline,
    Weighted(BoundWeighted),
    Rows(BoundRows),
}

/// What was found, for all groups.
#[derive(Debug, Clone)]
pub(crate) enum LeafStates {
    Pipeline,
    Weighted(Vec<Weighted>),
    Rows(RowStates),
}

impl PlanLeaf<'_> {
    /// Bytes of the state of one group.
    pub(super) fn state_bytes(&self) -> usize {
        match self {
            Self::Pipeline => 0,
            Self::Weighted(_) => size_of::<Weighted>(),
            Self::Rows { .. } => RowStates::STATE_BYTES,
        }
    }
}

impl BoundLeaf {
    pub(super) fn bind(plan: &PlanLeaf<'_>, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        Ok(match plan {
            PlanLeaf::Pipeline => Self::Pipeline,
            PlanLeaf::Weighted(by) => Self::Weighted(BoundWeighted::bind(by, binder)?),
            PlanLeaf::Rows { by, part } => Self::Rows(BoundRows::bind(by, *part, binder)?),
        })
    }

    /// Adds what `members` have.
    pub(super) fn feed<F: Frame>(
        &self,
        states: &mut LeafStates,
        members: &Members,
        frame: &mut F,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        match (self, states) {
            (Self::Pipeline, LeafStates::Pipeline) => Ok(()),
            (Self::Weighted(bound), LeafStates::Weighted(states)) => {
                bound.feed(states, members, frame)
            }
            (Self::Rows(bound), LeafStates::Rows(states)) => {
                bound.feed(states, members, frame, budget)
            }
            (Self::Pipeline | Self::Weighted(_) | Self::Rows(_), _) => {
                unreachable!("states are made from the plan of the same tree")
            }
        }
    }

    /// Why cells cannot answer.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        match self {
            Self::Pipeline => None,
            Self::Weighted(_) => Some("values are weighted one by one"),
            Self::Rows(_) => Some("single rows are returned from buckets"),
        }
    }
}

impl LeafStates {
    pub(super) fn new(plan: &PlanLeaf<'_>) -> Self {
        match plan {
            PlanLeaf::Pipeline => Self::Pipeline,
            PlanLeaf::Weighted(_) => Self::Weighted(Vec::new()),
            PlanLeaf::Rows { by, .. } => Self::Rows(RowStates::new(by)),
        }
    }

    /// Makes sure that there are states for `group_count` groups.
    pub(super) fn grow(&mut self, group_count: usize) {
        match self {
            Self::Pipeline => {}
            Self::Weighted(states) => {
                if states.len() < group_count {
                    states.resize_with(group_count, Weighted::default);
                }
            }
            Self::Rows(states) => states.grow(group_count),
        }
    }

    /// Adds the states of `other`: group `g` of it is group `groups[g]` here.
    pub(super) fn merge(
        &mut self,
        other: &Self,
        groups: &[u32],
        budget: &Budget,
    ) -> Result<(), QueryError> {
        match (self, other) {
            (Self::Pipeline, Self::Pipeline) => Ok(()),
            (Self::Weighted(own), Self::Weighted(other)) => {
                for (state, group) in other.iter().zip(groups) {
                    own[*group as usize].merge(state);
                }
                Ok(())
            }
            (Self::Rows(own), Self::Rows(other)) => own.merge(other, groups, budget),
            (Self::Pipeline | Self::Weighted(_) | Self::Rows(_), _) => {
                unreachable!("the parts of a search were checked to have one shape")
            }
        }
    }

    /// The answer for `group`; of no rows when there is no such group.
    pub(super) fn result(&self, group: Option<u32>) -> Result<AggregationResult, QueryError> {
        match self {
            Self::Pipeline => Ok(AggregationResult::Pipeline(PipelineResult::Absent)),
            Self::Weighted(_) => {
                let average = MetricResult::Avg(self.order_value(group));
                Ok(AggregationResult::Metric(average))
            }
            Self::Rows(states) => states.result(group).map(AggregationResult::Rows),
        }
    }

    /// A value to order by.
    pub(super) fn order_value(&self, group: Option<u32>) -> Option<f64> {
        match self {
            Self::Weighted(states) => states.get(group? as usize)?.value(),
            Self::Pipeline | Self::Rows(_) => None,
        }
    }
}
