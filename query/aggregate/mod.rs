//! The aggregation tree: planned once a search, bound once a source, fed frame by frame, merged
//! and finished.
//!
//! ```text
//! request ─plan→ PlanNode ─bind→ BoundNode ─layout→ agreed keys
//!                          (a source)                └─feed→ State ─merge→ State ─finish→ result
//!                                                       (a thread)   (all)
//! ```
//!
//! Buckets of one aggregation are **groups** with dense numbers; a group knows its parent's group
//! and its key. What flows down the tree is **members**: (entry, group) pairs, so an entry with
//! several values, or one that matches several filters, simply occurs several times. Nothing that
//! is computed depends on the order of entries or sources.

mod accumulate;
mod bind;
mod clock;
mod deviation;
mod distinct;
mod feed;
mod finish;
mod group_states;
mod groups;
mod histogram;
mod layout;
mod leaf;
mod members;
mod merge;
mod metric;
mod moments;
mod number_histogram;
mod order;
mod places;
mod plan;
mod question;
mod scripted;
mod sketch;
mod spans;
mod state;
mod sums;
mod tally;
mod term_choice;
mod term_parts;
mod term_table;
mod terms;
mod text_words;
mod top_rows;
mod tuples;
mod weighted;
mod wide_sum;

pub(crate) use bind::{BoundKind, BoundNode};
pub(crate) use feed::feed;
pub(crate) use finish::finish;
pub(crate) use layout::{BoundTree, Layout};
pub(crate) use members::Members;
pub(crate) use merge::{list, merge};
pub(crate) use metric::{BoundMetric, CellMeasure, MetricSource, MetricStates};
pub(crate) use plan::{PlanNode, name_part, plan, unify};
pub(crate) use question::question;
pub(crate) use state::State;
pub(crate) use tally::settle;
pub(crate) use terms::answer_by_dictionaries;
