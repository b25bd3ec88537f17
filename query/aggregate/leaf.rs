//! Aggregations without buckets that read more than one column: bound, fed, merged, finished.

use storage::segment::RowSource;

use super::distinct::BoundDistinct;
use super::members::Members;
use super::metric::MetricStates;
use super::moments::{BoundMoments, MomentSums};
use super::places::{BoundPlaces, Places};
use super::scripted::BoundScripted;
use super::sketch::Sketch;
use super::top_rows::{BoundRows, RowStates};
use super::weighted::{BoundWeighted, Weighted};
use crate::QueryError;
use crate::budget::Budget;
use crate::filter::Binder;
use crate::frame::{Columns, Frame};
use crate::request::{
    Cardinality, FieldRef, MetricValue, Moments, ScriptMetric, TopRows, WeightedAvg,
};
use crate::response::{AggregationResult, MetricResult, PipelineResult};

/// What such an aggregation does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlanLeaf<'q> {
    /// Made of other results, when those are there.
    Pipeline,
    Weighted(&'q WeightedAvg),
    Places(Option<&'q FieldRef>),
    Moments(&'q Moments),
    Script(&'q ScriptMetric),
    Distinct(&'q Cardinality),
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
    Places(BoundPlaces),
    Moments(BoundMoments),
    Script(BoundScripted),
    Distinct(BoundDistinct),
    Rows(BoundRows),
}

/// What was found, for all groups.
#[derive(Debug, Clone)]
pub(crate) enum LeafStates {
    Pipeline,
    Weighted(Vec<Weighted>),
    Places(Vec<Places>),
    Moments(Vec<MomentSums>),
    Script(MetricStates),
    Distinct(Vec<Sketch>),
    Rows(RowStates),
}

impl PlanLeaf<'_> {
    /// Bytes of the state of one group.
    pub(super) fn state_bytes(&self) -> usize {
        match self {
            Self::Pipeline => 0,
            Self::Weighted(_) => size_of::<Weighted>(),
            Self::Places(_) => size_of::<Places>(),
            Self::Moments(_) => size_of::<MomentSums>(),
            Self::Script(by) => MetricStates::state_bytes(by.kind),
            Self::Distinct(_) => size_of::<Sketch>(),
            Self::Rows { .. } => RowStates::STATE_BYTES,
        }
    }
}

impl BoundLeaf {
    pub(super) fn bind(plan: &PlanLeaf<'_>, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        Ok(match plan {
            PlanLeaf::Pipeline => Self::Pipeline,
            PlanLeaf::Weighted(by) => Self::Weighted(BoundWeighted::bind(by, binder)?),
            PlanLeaf::Places(field) => Self::Places(BoundPlaces::bind(*field, binder)?),
            PlanLeaf::Moments(by) => Self::Moments(BoundMoments::bind(by, binder)?),
            PlanLeaf::Script(by) => Self::Script(BoundScripted::bind(by, binder)?),
            PlanLeaf::Distinct(by) => Self::Distinct(BoundDistinct::bind(by, binder)?),
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
            (Self::Places(bound), LeafStates::Places(states)) => bound.feed(states, members, frame),
            (Self::Moments(bound), LeafStates::Moments(states)) => {
                bound.feed(states, members, frame, budget)
            }
            (Self::Script(bound), LeafStates::Script(states)) => {
                bound.feed(states, members, frame, budget)
            }
            (Self::Distinct(bound), LeafStates::Distinct(states)) => {
                bound.feed(states, members, frame, budget)
            }
            (Self::Rows(bound), LeafStates::Rows(states)) => {
                bound.feed(states, members, frame, budget)
            }
            (Self::Pipeline | Self::Weighted(_) | Self::Rows(_), _)
            | (Self::Places(_) | Self::Moments(_) | Self::Script(_) | Self::Distinct(_), _) => {
                unreachable!("states are made from the plan of the same tree")
            }
        }
    }

    /// Answers what the dictionaries of `source`, a segment whose rows all take part, say alone.
    pub(super) fn answer_by_dictionary(
        &mut self,
        states: &mut LeafStates,
        source: &RowSource,
        columns: &Columns,
        budget: &Budget,
    ) -> Result<(), QueryError> {
        match (self, states) {
            (Self::Distinct(bound), LeafStates::Distinct(states)) => {
                if states.is_empty() {
                    states.push(Sketch::default());
                }
                bound.answer_by_dictionary(&mut states[0], source, columns, budget)
            }
            (Self::Pipeline | Self::Weighted(_) | Self::Distinct(_) | Self::Rows(_), _)
            | (Self::Places(_) | Self::Moments(_) | Self::Script(_), _) => Ok(()),
        }
    }

    /// Why cells cannot answer.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        match self {
            Self::Pipeline => None,
            Self::Weighted(_) => Some("values are weighted one by one"),
            Self::Places(_) => Some("places are read one by one"),
            Self::Moments(_) => Some("values of several fields are read together"),
            Self::Script(_) => Some("a script runs for each row"),
            Self::Distinct(_) => Some("distinct values are estimated from rows"),
            Self::Rows(_) => Some("single rows are returned from buckets"),
        }
    }
}

impl LeafStates {
    pub(super) fn new(plan: &PlanLeaf<'_>) -> Self {
        match plan {
            PlanLeaf::Pipeline => Self::Pipeline,
            PlanLeaf::Weighted(_) => Self::Weighted(Vec::new()),
            PlanLeaf::Places(_) => Self::Places(Vec::new()),
            PlanLeaf::Moments(_) => Self::Moments(Vec::new()),
            PlanLeaf::Script(by) => Self::Script(MetricStates::new(by.kind)),
            PlanLeaf::Distinct(_) => Self::Distinct(Vec::new()),
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
            Self::Places(states) => {
                if states.len() < group_count {
                    states.resize_with(group_count, Places::default);
                }
            }
            Self::Moments(states) => {
                if states.len() < group_count {
                    states.resize_with(group_count, MomentSums::default);
                }
            }
            Self::Script(states) => states.grow(group_count),
            Self::Distinct(states) => {
                if states.len() < group_count {
                    states.resize_with(group_count, Sketch::default);
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
            (Self::Distinct(own), Self::Distinct(other)) => {
                let pairs = other.iter().zip(groups);
                let bytes = pairs.map(|(sketch, group)| own[*group as usize].merge(sketch));
                budget.charge(bytes.sum())
            }
            (Self::Places(own), Self::Places(other)) => {
                for (state, group) in other.iter().zip(groups) {
                    own[*group as usize].merge(state);
                }
                Ok(())
            }
            (Self::Moments(own), Self::Moments(other)) => {
                for (state, group) in other.iter().zip(groups) {
                    own[*group as usize].merge(state);
                }
                Ok(())
            }
            (Self::Script(own), Self::Script(other)) => {
                let before = own.heap_bytes(groups.iter().copied());
                own.merge(other, groups);
                budget.resize(before, own.heap_bytes(groups.iter().copied()))
            }
            (Self::Rows(own), Self::Rows(other)) => own.merge(other, groups, budget),
            (Self::Pipeline | Self::Weighted(_) | Self::Rows(_), _)
            | (Self::Places(_) | Self::Moments(_) | Self::Script(_) | Self::Distinct(_), _) => {
                unreachable!("the parts of a search were checked to have one shape")
            }
        }
    }

    /// The answer for `group`; of no rows when there is no such group.
    pub(super) fn result(&self, group: Option<u32>) -> Result<AggregationResult, QueryError> {
        match self {
            Self::Pipeline => Ok(AggregationResult::Pipeline(PipelineResult::Absent)),
            Self::Weighted(_) => {
                let average = MetricResult::Avg(self.order_value(group, MetricValue::Single));
                Ok(AggregationResult::Metric(average))
            }
            Self::Places(states) => {
                let found = group.and_then(|group| states.get(group as usize));
                let found = found.cloned().unwrap_or_default();
                let places = MetricResult::Places(found.result());
                Ok(AggregationResult::Metric(places))
            }
            Self::Moments(states) => {
                let found = group.and_then(|group| states.get(group as usize));
                let moments = found.map(MomentSums::result).unwrap_or_default();
                Ok(AggregationResult::Metric(MetricResult::Moments(moments)))
            }
            Self::Script(states) => Ok(AggregationResult::Metric(states.result(group))),
            Self::Distinct(states) => {
                let estimate = MetricResult::Estimate(estimate(states, group));
                Ok(AggregationResult::Metric(estimate))
            }
            Self::Rows(states) => states.result(group).map(AggregationResult::Rows),
        }
    }

    /// A value to order by.
    pub(super) fn order_value(&self, group: Option<u32>, value: MetricValue) -> Option<f64> {
        match self {
            Self::Script(states) => states.order_value(group, value),
            Self::Places(_) | Self::Moments(_) => None,
            Self::Weighted(states) => states.get(group? as usize)?.value(),
            Self::Distinct(states) => Some(estimate(states, group) as f64),
            Self::Pipeline | Self::Rows(_) => None,
        }
    }
}

/// The estimate of `group`; of no values when there is no such group.
fn estimate(states: &[Sketch], group: Option<u32>) -> u64 {
    let state = group.and_then(|group| states.get(group as usize));
    state.map_or(0, Sketch::estimate)
}
