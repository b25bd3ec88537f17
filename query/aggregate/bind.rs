//! The aggregation tree over one source.

use super::histogram::BoundHistogram;
use super::leaf::BoundLeaf;
use super::members::Members;
use super::metric::BoundMetric;
use super::number_histogram::BoundNumberHistogram;
use super::plan::{PlanKind, PlanNode};
use super::tally::TallyUse;
use super::terms::BoundTerms;
use crate::QueryError;
use crate::filter::{Binder, BoundFilter};

/// One aggregation over one source.
#[derive(Debug, Clone)]
pub(crate) struct BoundNode<'p> {
    /// Its number in the tree.
    pub(super) id: usize,
    pub(crate) kind: BoundKind<'p>,
    pub(crate) children: Vec<BoundNode<'p>>,
    /// Room for the members of its groups, kept between frames.
    pub(super) members: Members,
    /// What waits to be dealt out to its groups.
    pub(super) tally: TallyUse,
}

/// What an aggregation does with the entries of a source.
#[derive(Debug, Clone)]
pub(crate) enum BoundKind<'p> {
    Metric(BoundMetric),
    Leaf(BoundLeaf),
    Histogram(BoundHistogram<'p>),
    Numbers(BoundNumberHistogram<'p>),
    Terms(BoundTerms<'p>),
    Filters(BoundFilters),
}

/// Filters; key `i` is filter `i`, and behind the last the rows that match none.
#[derive(Debug, Clone)]
pub(crate) struct BoundFilters {
    pub(crate) filters: Vec<BoundFilter>,
    pub(super) has_other: bool,
}

impl<'p> BoundNode<'p> {
    pub(crate) fn bind_all(
        plan: &'p [PlanNode<'_>],
        binder: &mut Binder<'_>,
    ) -> Result<Vec<Self>, QueryError> {
        plan.iter().map(|node| Self::bind(node, binder)).collect()
    }

    fn bind(node: &'p PlanNode<'_>, binder: &mut Binder<'_>) -> Result<Self, QueryError> {
        let kind = match &node.kind {
            PlanKind::Metric(metric) => BoundKind::Metric(BoundMetric::bind(metric, binder)?),
            PlanKind::Leaf(leaf) => BoundKind::Leaf(BoundLeaf::bind(leaf, binder)?),
            PlanKind::Histogram(plan) => BoundKind::Histogram(BoundHistogram::bind(plan, binder)?),
            PlanKind::Numbers(by) => BoundKind::Numbers(BoundNumberHistogram::bind(by, binder)?),
            PlanKind::Terms(plan) => BoundKind::Terms(BoundTerms::bind(plan, binder)?),
            PlanKind::Filter(filter) => BoundKind::Filters(BoundFilters {
                filters: vec![binder.filter(filter)?],
                has_other: false,
            }),
            PlanKind::Filters(filters) => BoundKind::Filters(BoundFilters {
                filters: filters
                    .filters
                    .iter()
                    .map(|(_, filter)| binder.filter(filter))
                    .collect::<Result<_, _>>()?,
                has_other: filters.other.is_some(),
            }),
        };
        Ok(Self {
            kind,
            children: Self::bind_all(&node.children, binder)?,
            id: node.id,
            members: Members::default(),
            tally: TallyUse::default(),
        })
    }
}
