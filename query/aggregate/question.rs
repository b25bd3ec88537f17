//! What aggregations ask of rows, as a text: two with the same text find the same in the same rows.

use std::fmt::Write;

use super::plan::{PlanKind, PlanNode};
use super::state::{BucketState, State};

/// What `plan` asks of rows, unless what it finds means something within one search alone, as the
/// numbers of terms do. What only says how an answer is shown, such as the ends that a histogram
/// is drawn to, is not in it: a dashboard moves them along.
pub(crate) fn question(plan: &[PlanNode<'_>]) -> Option<String> {
    let mut text = String::new();
    write_nodes(plan, &mut text).then_some(text)
}

fn write_nodes(plan: &[PlanNode<'_>], text: &mut String) -> bool {
    text.push('[');
    let is_known = plan.iter().all(|node| write_node(node, text));
    text.push(']');
    is_known
}

fn write_node(node: &PlanNode<'_>, text: &mut String) -> bool {
    let written = match &node.kind {
        PlanKind::Metric(metric) => write!(text, "{metric:?}"),
        PlanKind::Histogram(plan) => {
            let by = plan.by;
            let (interval, zone) = (&by.interval, &by.time_zone);
            write!(
                text,
                "{:?} {interval:?} {zone:?} {} {:?} {:?}",
                by.field, by.offset_ms, by.missing_ms, plan.hard_bounds_ms
            )
        }
        PlanKind::Leaf(_) | PlanKind::Numbers(_) | PlanKind::Terms(_) => return false,
        PlanKind::Filter(_) | PlanKind::Filters(_) => return false,
    };
    written.is_ok() && write_nodes(&node.children, text)
}

impl State {
    /// Memory that it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Metric(states) => states.memory_bytes(),
            Self::Leaf(_) => 0,
            Self::Buckets(buckets) => buckets.memory_bytes(),
        }
    }
}

impl BucketState {
    fn memory_bytes(&self) -> usize {
        /// A group's key, twice, with its number and its place in a table; also the largest
        /// state of a metric.
        const PLACE_BYTES: usize = 96;
        let places = self.counts.len() * (1 + self.children.len());
        let beside = self.children.iter().map(State::memory_bytes);
        size_of::<Self>() + places * PLACE_BYTES + beside.sum::<usize>()
    }
}
