//! What is made ready once a search: calendar boundaries, patterns, kinds of terms.

use storage::model::GeoCells;

use super::clock::Clock;
use super::leaf::PlanLeaf;
use super::state::children;
use super::term_choice::{TermFilter, TermKind};
use crate::QueryError;
use crate::request::{
    Aggregation, BucketBy, Cardinality, Counting, DateHistogram, FieldRef, Filter, Filters, Metric,
    NamedAggregation, NumberHistogram, TermValue, Terms, TupleBy, TupleSource,
};
use crate::rounding::Rounding;
use crate::text::Analyzer;

/// One aggregation of a search.
#[derive(Debug)]
pub(crate) struct PlanNode<'q> {
    /// Its number in the tree, the same in all topics of a search.
    pub(super) id: usize,
    pub(crate) kind: PlanKind<'q>,
    pub(crate) children: Vec<PlanNode<'q>>,
    /// Whether each of its groups will be a bucket of the answer: nothing above or in it drops any.
    pub(super) is_returned: bool,
}

impl PlanNode<'_> {
    /// Whether it or one below shows terms that no row has which matches.
    pub(crate) fn shows_empty_terms(&self) -> bool {
        let shows = match &self.kind {
            PlanKind::Terms(terms) => terms.shows_empty,
            PlanKind::Metric(_) | PlanKind::Leaf(_) => false,
            PlanKind::Histogram(_) | PlanKind::Numbers(_) => false,
            PlanKind::Filter(_) | PlanKind::Filters(_) => false,
        };
        shows || self.children.iter().any(Self::shows_empty_terms)
    }
}

/// What an aggregation does.
#[derive(Debug)]
pub(crate) enum PlanKind<'q> {
    Metric(&'q Metric),
    Leaf(PlanLeaf<'q>),
    Histogram(PlanHistogram<'q>),
    Numbers(&'q NumberHistogram),
    Terms(PlanTerms<'q>),
    /// One bucket for the rows that match.
    Filter(&'q Filter),
    Filters(&'q Filters),
}

/// A histogram with its boundaries.
#[derive(Debug)]
pub(crate) struct PlanHistogram<'q> {
    pub(super) by: &'q DateHistogram,
    pub(super) clock: Clock,
    /// Keys lie from the first (inclusive) to the second (exclusive).
    pub(super) hard_bounds_ms: (Option<i64>, Option<i64>),
}

/// Terms with what chooses them.
#[derive(Debug)]
pub(crate) struct PlanTerms<'q> {
    pub(super) field: Option<&'q FieldRef>,
    /// The value of rows without one.
    pub(super) missing: Option<&'q TermValue>,
    /// Whether terms without rows are shown.
    pub(super) shows_empty: bool,
    /// Whether only the number of terms is asked.
    pub(super) is_distinct: bool,
    /// Whether rows without a value are in a bucket of their own.
    pub(super) takes_empty: bool,
    pub(super) kind: TermKind,
    pub(super) filter: TermFilter,
    /// How the words of texts are found, when these are the terms.
    pub(super) words: Option<Analyzer>,
    /// The cells that values lie in, when they are places.
    pub(super) cells: Option<GeoCells>,
}

impl PlanTerms<'_> {
    /// The value of rows without one, if it may make a bucket.
    pub(super) fn allowed_missing(&self) -> Option<&TermValue> {
        self.missing
            .filter(|missing| self.kind.takes(missing) && self.filter.allows_value(missing))
    }
}

/// Plans the aggregations of one part of a search whose rows lie from the first to the second
/// instant.
pub(crate) fn plan<'q>(
    aggregations: &'q [NamedAggregation],
    times_ms: (i64, i64),
) -> Result<Vec<PlanNode<'q>>, QueryError> {
    let mut nodes = plan_below(aggregations, times_ms, true)?;
    number(&mut nodes, &mut 0);
    Ok(nodes)
}

/// Numbers the nodes of a tree, parents first.
fn number(nodes: &mut [PlanNode<'_>], next: &mut usize) {
    for node in nodes {
        node.id = *next;
        *next += 1;
        number(&mut node.children, next);
    }
}

fn plan_below<'q>(
    aggregations: &'q [NamedAggregation],
    times_ms: (i64, i64),
    is_returned: bool,
) -> Result<Vec<PlanNode<'q>>, QueryError> {
    aggregations
        .iter()
        .map(|named| plan_node(&named.aggregation, times_ms, is_returned))
        .collect()
}

fn plan_node<'q>(
    aggregation: &'q Aggregation,
    times_ms: (i64, i64),
    is_returned: bool,
) -> Result<PlanNode<'q>, QueryError> {
    let (by, children) = match aggregation {
        Aggregation::Metric(metric) => {
            return Ok(PlanNode {
                id: 0,
                kind: PlanKind::Metric(metric),
                children: Vec::new(),
                is_returned,
            });
        }
        Aggregation::Pipeline(_) => return Ok(leaf(PlanLeaf::Pipeline, is_returned)),
        Aggregation::WeightedAvg(by) => {
            return Ok(leaf(PlanLeaf::Weighted(by), is_returned));
        }
        Aggregation::Places(field) => {
            return Ok(leaf(PlanLeaf::Places(field.as_ref()), is_returned));
        }
        Aggregation::Moments(by) => return Ok(leaf(PlanLeaf::Moments(by), is_returned)),
        Aggregation::Script(by) => return Ok(leaf(PlanLeaf::Script(by), is_returned)),
        Aggregation::TopRows(by) => {
            return Ok(leaf(PlanLeaf::Rows { by, part: 0 }, is_returned));
        }
        Aggregation::Cardinality(by) if by.counting == Counting::Estimated => {
            return Ok(leaf(PlanLeaf::Distinct(by), is_returned));
        }
        Aggregation::Cardinality(by) => {
            return Ok(PlanNode {
                id: 0,
                kind: PlanKind::Terms(plan_distinct(by)),
                children: Vec::new(),
                is_returned: false,
            });
        }
        Aggregation::Bucket { by, children } => (by, children),
    };
    let (kind, is_returned) = match by {
        BucketBy::DateHistogram(by) => (
            PlanKind::Histogram(plan_histogram(by, times_ms)),
            is_returned && by.doc_count_min <= 1,
        ),
        BucketBy::NumberHistogram(by) => {
            (PlanKind::Numbers(by), is_returned && by.doc_count_min <= 1)
        }
        BucketBy::Tuples(by) => return plan_tuples(&by.sources, children, times_ms),
        BucketBy::Terms(by) => (PlanKind::Terms(plan_terms(by)?), false),
        // At the top it is a search of its own.
        BucketBy::Global => (PlanKind::Filter(&Filter::All), is_returned),
        BucketBy::Filter(filter) => (PlanKind::Filter(filter), is_returned),
        BucketBy::Filters(filters) => (PlanKind::Filters(filters), is_returned),
        // What it becomes is planned in its place; until then it has no rows.
        BucketBy::Adaptive(_) => (PlanKind::Filter(&Filter::None), false),
    };
    Ok(PlanNode {
        id: 0,
        kind,
        children: plan_below(children, times_ms, is_returned)?,
        is_returned,
    })
}

fn leaf(leaf: PlanLeaf<'_>, is_returned: bool) -> PlanNode<'_> {
    PlanNode {
        id: 0,
        kind: PlanKind::Leaf(leaf),
        children: Vec::new(),
        is_returned,
    }
}

/// Tuples are a chain: what each value deals out, the next deals out further.
fn plan_tuples<'q>(
    sources: &'q [TupleSource],
    children: &'q [NamedAggregation],
    times_ms: (i64, i64),
) -> Result<PlanNode<'q>, QueryError> {
    let (kind, rest) = match sources.split_first() {
        None => (PlanKind::Filter(&Filter::None), sources),
        Some((source, rest)) => {
            let kind = match &source.by {
                TupleBy::Terms(by) => PlanKind::Terms(PlanTerms {
                    takes_empty: source.missing.is_some(),
                    ..plan_terms(by)?
                }),
                TupleBy::DateHistogram(by) => PlanKind::Histogram(plan_histogram(by, times_ms)),
                TupleBy::NumberHistogram(by) => PlanKind::Numbers(by),
            };
            (kind, rest)
        }
    };
    Ok(PlanNode {
        id: 0,
        kind,
        children: if rest.is_empty() {
            plan_below(children, times_ms, false)?
        } else {
            vec![plan_tuples(rest, children, times_ms)?]
        },
        is_returned: false,
    })
}

/// Notes in what is planned which part of the search it is planned for.
pub(crate) fn name_part(plan: &mut [PlanNode<'_>], part: usize) {
    for node in plan {
        if let PlanKind::Leaf(PlanLeaf::Rows { part: own, .. }) = &mut node.kind {
            *own = part;
        }
        name_part(&mut node.children, part);
    }
}

fn plan_histogram(by: &DateHistogram, (first_ms, last_ms): (i64, i64)) -> PlanHistogram<'_> {
    let round = |bound_ms: i64| {
        Rounding::new(by.interval, &by.time_zone, 0, bound_ms, bound_ms).round(bound_ms)
    };
    let (lower, upper) = by.hard_bounds_ms.unwrap_or((None, None));
    PlanHistogram {
        by,
        clock: Clock::new(by, first_ms, last_ms),
        hard_bounds_ms: (lower.map(round), upper.map(round)),
    }
}

fn plan_terms(by: &Terms) -> Result<PlanTerms<'_>, QueryError> {
    let kind = term_kind(by.field.as_ref(), by.missing.as_ref());
    Ok(PlanTerms {
        field: by.field.as_ref(),
        missing: by.missing.as_ref(),
        shows_empty: by.doc_count_min == 0,
        is_distinct: false,
        takes_empty: false,
        kind,
        filter: TermFilter::new(by, kind)?,
        cells: by.cells,
        words: by.words,
    })
}

/// Distinct values are terms that nobody sees.
fn plan_distinct(by: &Cardinality) -> PlanTerms<'_> {
    PlanTerms {
        field: by.field.as_ref(),
        missing: by.missing.as_ref(),
        shows_empty: false,
        is_distinct: true,
        takes_empty: false,
        kind: term_kind(by.field.as_ref(), by.missing.as_ref()),
        filter: TermFilter::default(),
        cells: None,
        words: None,
    }
}

fn term_kind(field: Option<&FieldRef>, missing: Option<&TermValue>) -> TermKind {
    match (field, missing) {
        (Some(field), _) => TermKind::of(field.field_type),
        (None, Some(missing)) => TermKind::of_value(missing),
        (None, None) => TermKind::Text,
    }
}

/// Makes several topics' plans of one search fit together: terms that are integers in one topic and
/// decimals in another are decimals in all.
pub(crate) fn unify(
    parts: &mut [Vec<PlanNode<'_>>],
    named: &[NamedAggregation],
) -> Result<(), QueryError> {
    let mut levels: Vec<&mut [PlanNode<'_>]> = parts.iter_mut().map(Vec::as_mut_slice).collect();
    unify_level(&mut levels, named)
}

fn unify_level(
    levels: &mut [&mut [PlanNode<'_>]],
    named: &[NamedAggregation],
) -> Result<(), QueryError> {
    for (index, named) in named.iter().enumerate() {
        let mismatch = || QueryError::DifferentShapes {
            aggregation: named.name.clone(),
        };
        let mut nodes = Vec::new();
        for level in &mut *levels {
            nodes.push(level.get_mut(index).ok_or_else(mismatch)?);
        }
        unify_nodes(&mut nodes).ok_or_else(mismatch)?;
        for _ in 1..chain_length(&named.aggregation) {
            let next = nodes.into_iter().map(|node| node.children.first_mut());
            nodes = next.collect::<Option<_>>().ok_or_else(mismatch)?;
            unify_nodes(&mut nodes).ok_or_else(mismatch)?;
        }
        let mut below: Vec<_> = nodes
            .into_iter()
            .map(|node| node.children.as_mut_slice())
            .collect();
        unify_level(&mut below, children(&named.aggregation))?;
    }
    let has_more = levels.iter().any(|level| level.len() != named.len());
    match named.last() {
        Some(last) if has_more => Err(QueryError::DifferentShapes {
            aggregation: last.name.clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// How many aggregations stand one below the other for a single one of the request.
fn chain_length(aggregation: &Aggregation) -> usize {
    match aggregation {
        Aggregation::Bucket {
            by: BucketBy::Tuples(by),
            ..
        } => by.sources.len(),
        Aggregation::Bucket { .. } | Aggregation::Metric(_) => 1,
        Aggregation::Cardinality(_) | Aggregation::WeightedAvg(_) => 1,
        Aggregation::TopRows(_) | Aggregation::Pipeline(_) => 1,
        Aggregation::Places(_) | Aggregation::Moments(_) | Aggregation::Script(_) => 1,
    }
}

/// One aggregation in each part; `None` when they do not fit.
fn unify_nodes(nodes: &mut [&mut PlanNode<'_>]) -> Option<()> {
    let mut common = None;
    for node in &*nodes {
        if let PlanKind::Terms(terms) = &node.kind
            && (terms.field.is_some() || terms.missing.is_some())
        {
            common = Some(match common {
                None => terms.kind,
                Some(kind) => terms.kind.common(kind)?,
            });
        }
    }
    for node in &mut *nodes {
        if let (PlanKind::Terms(terms), Some(kind)) = (&mut node.kind, common) {
            terms.kind = kind;
        }
    }
    let fits = nodes
        .windows(2)
        .all(|pair| match (&pair[0].kind, &pair[1].kind) {
            (PlanKind::Metric(a), PlanKind::Metric(b)) => a.kind == b.kind,
            (PlanKind::Filters(a), PlanKind::Filters(b)) => {
                a.filters.len() == b.filters.len() && a.other.is_some() == b.other.is_some()
            }
            (PlanKind::Numbers(a), PlanKind::Numbers(b)) => a.steps == b.steps,
            (PlanKind::Leaf(a), PlanKind::Leaf(b)) => {
                std::mem::discriminant(a) == std::mem::discriminant(b)
            }
            (PlanKind::Histogram(_), PlanKind::Histogram(_))
            | (PlanKind::Terms(_), PlanKind::Terms(_))
            | (PlanKind::Filter(_), PlanKind::Filter(_)) => true,
            (PlanKind::Metric(_) | PlanKind::Leaf(_), _)
            | (PlanKind::Histogram(_) | PlanKind::Terms(_), _)
            | (PlanKind::Filter(_) | PlanKind::Filters(_) | PlanKind::Numbers(_), _) => false,
        });
    fits.then_some(())
}
