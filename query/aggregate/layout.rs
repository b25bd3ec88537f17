//! What all sources of a search agree on before the first row is read: what keys of terms mean, and
//! which groups can be at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::segment::RowSource;

use super::bind::{BoundKind, BoundNode};
use super::groups::DenseKeys;
use super::plan::{PlanKind, PlanNode};
use super::term_choice::{TermKind, text_of};
use super::terms::TermKeys;
use super::text_words::TextWords;
use crate::QueryError;
use crate::ordinals::{TermColumn, TermSpace};
use crate::pool::ScanPool;
use crate::text::Analyzer;

/// Groups that are made before rows ask for them without a thought about the number of rows.
const DENSE_GROUPS_FREE: usize = 1 << 14;

/// Most instants that a histogram's buckets are listed for.
const LISTED_BUCKETS_MAX: usize = 1 << 16;

/// A source's aggregations, and where its text columns are.
#[derive(Debug)]
pub(crate) struct BoundTree<'b, 'p> {
    pub(crate) source: &'b RowSource,
    pub(crate) columns: &'b crate::frame::Columns,
    pub(crate) nodes: &'b mut [BoundNode<'p>],
}

/// What is known of each aggregation, by its number.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    nodes: Vec<NodeLayout>,
    /// Most bytes that dense groups of one aggregation may take in one thread.
    pub(super) dense_bytes_max: usize,
    /// Most groups of one aggregation that are made before rows ask for them.
    pub(super) dense_groups_max: usize,
}

#[derive(Debug, Default)]
struct NodeLayout {
    /// What keys of text terms mean.
    space: Option<TermSpace>,
    /// All keys that there can be.
    keys: Option<DenseKeys>,
}

impl Layout {
    /// Agrees with all of `trees`, whose rows lie from the first to the second instant.
    pub(crate) fn new(
        plan: &[PlanNode<'_>],
        trees: &mut [BoundTree<'_, '_>],
        times_ms: Option<(i64, i64)>,
        state_bytes_max: usize,
        pool: &ScanPool,
    ) -> Result<Self, QueryError> {
        let rows: usize = trees.iter().map(|tree| tree.source.row_count()).sum();
        let mut layout = Self {
            nodes: Vec::new(),
            dense_bytes_max: state_bytes_max / 4 / pool.width(),
            dense_groups_max: pool.dense_groups_max.min(rows.max(DENSE_GROUPS_FREE)),
        };
        layout.visit(plan, trees, times_ms, pool)?;
        Ok(layout)
    }

    /// Nothing is agreed: groups appear as rows ask for them.
    pub(crate) fn open(plan: &[PlanNode<'_>]) -> Self {
        fn count(plan: &[PlanNode<'_>]) -> usize {
            plan.iter().map(|node| 1 + count(&node.children)).sum()
        }
        Self {
            nodes: (0..count(plan)).map(|_| NodeLayout::default()).collect(),
            ..Self::default()
        }
    }

    fn visit(
        &mut self,
        plan: &[PlanNode<'_>],
        trees: &mut [BoundTree<'_, '_>],
        times_ms: Option<(i64, i64)>,
        pool: &ScanPool,
    ) -> Result<(), QueryError> {
        for node in plan {
            let layout = node_layout(node, trees, times_ms, pool)?;
            debug_assert_eq!(self.nodes.len(), node.id, "parents come first");
            self.nodes.push(layout);
            self.visit(&node.children, trees, times_ms, pool)?;
        }
        Ok(())
    }

    /// What keys of the terms of an aggregation mean.
    pub(super) fn space(&self, id: usize) -> Option<&TermSpace> {
        self.nodes[id].space.as_ref()
    }

    /// All keys that an aggregation can have, when that is known.
    pub(super) fn keys(&self, id: usize) -> Option<&DenseKeys> {
        self.nodes[id].keys.as_ref()
    }
}

fn node_layout(
    node: &PlanNode<'_>,
    trees: &mut [BoundTree<'_, '_>],
    times_ms: Option<(i64, i64)>,
    pool: &ScanPool,
) -> Result<NodeLayout, QueryError> {
    let mut layout = NodeLayout::default();
    match &node.kind {
        PlanKind::Metric(_) | PlanKind::Leaf(_) | PlanKind::Numbers(_) => {}
        PlanKind::Filter(_) => layout.keys = Some(DenseKeys::Below(2)),
        PlanKind::Filters(filters) => {
            layout.keys = Some(DenseKeys::Below(filters.filters.len() + 1));
        }
        PlanKind::Terms(plan) if plan.kind == TermKind::Text => {
            let space = match plan.words {
                Some(analyzer) => agree_on_words(node.id, analyzer, plan, trees, pool)?,
                None => agree_on_terms(node.id, plan, trees, pool)?,
            };
            layout.keys = (!plan.takes_empty).then(|| DenseKeys::Below(space.len()));
            layout.space = Some(space);
        }
        PlanKind::Terms(_) => {}
        PlanKind::Histogram(plan) => {
            let are_sort_keys = trees
                .iter()
                .all(|tree| has_sort_keys_only(tree.nodes, node.id));
            if let Some(times_ms) = times_ms.filter(|_| are_sort_keys) {
                let listed = plan.clock.keys(times_ms, LISTED_BUCKETS_MAX);
                layout.keys = listed.map(|keys| DenseKeys::These(keys.into()));
            }
        }
    }
    Ok(layout)
}

/// Numbers the terms of all sources, and tells each of them.
fn agree_on_terms(
    id: usize,
    plan: &super::plan::PlanTerms<'_>,
    trees: &mut [BoundTree<'_, '_>],
    pool: &ScanPool,
) -> Result<TermSpace, QueryError> {
    let mut columns = Vec::new();
    let mut indexes = Vec::new();
    for tree in &mut *trees {
        let source = tree.source;
        let handles = &tree.columns.texts;
        let slot = terms_below(tree.nodes, id).and_then(|terms| terms.text_slot());
        indexes.push(slot.map(|slot| {
            columns.push(TermColumn {
                source: source.clone(),
                column: handles[slot.0].handle,
            });
            columns.len() - 1
        }));
    }
    let mut space = TermSpace::new(pool.ordinals(&columns)?);
    let allowed = match plan.filter.is_open() {
        true => None,
        false => Some(Arc::new(plan.filter.allowed(space.map())?)),
    };
    for (tree, index) in trees.iter_mut().zip(indexes) {
        if let Some(terms) = terms_below(tree.nodes, id) {
            // Each topic may name rows without a value in its own way.
            let missing = match terms.missing_term().and_then(text_of) {
                None => None,
                Some(missing) => Some(space.with(missing)?.into()),
            };
            terms.agree(TermKeys {
                codes: index.map(|index| space.map().codes(index)),
                allowed: allowed.clone(),
                words: None,
                missing,
            });
        }
    }
    Ok(space)
}

/// Numbers the words of the texts of all sources, and tells each of them.
fn agree_on_words(
    id: usize,
    analyzer: Analyzer,
    plan: &super::plan::PlanTerms<'_>,
    trees: &mut [BoundTree<'_, '_>],
    pool: &ScanPool,
) -> Result<TermSpace, QueryError> {
    let mut found = Vec::with_capacity(trees.len());
    for tree in &mut *trees {
        let handles = &tree.columns.texts;
        let slot = terms_below(tree.nodes, id).and_then(|terms| terms.text_slot());
        let mut texts = TextWords::default();
        if let Some(slot) = slot {
            let dictionary = tree.source.dictionary(handles[slot.0].handle)?;
            for code in (0..).take(dictionary.len()) {
                let text = String::from_utf8_lossy(dictionary.term(code));
                let allowed = |word: &String| plan.filter.allows_text(word.as_bytes());
                texts.push(analyzer.tokens(&text).into_iter().filter(allowed));
            }
        }
        found.push(texts);
    }
    let words: BTreeSet<&[u8]> = found.iter().flat_map(TextWords::words).collect();
    let words: Vec<Arc<[u8]>> = words.into_iter().map(Arc::from).collect();
    let mut space = TermSpace::of_words(pool.ordinals(&[])?, words);
    for (tree, texts) in trees.iter_mut().zip(found) {
        if let Some(terms) = terms_below(tree.nodes, id) {
            let missing = match terms.missing_term().and_then(text_of) {
                None => None,
                Some(missing) => Some(space.with(missing)?.into()),
            };
            terms.agree(TermKeys {
                words: Some(Arc::new(texts.keys(&space))),
                missing,
                ..TermKeys::default()
            });
        }
    }
    Ok(space)
}

fn terms_below<'n, 'p>(
    nodes: &'n mut [BoundNode<'p>],
    id: usize,
) -> Option<&'n mut super::terms::BoundTerms<'p>> {
    let place = nodes.partition_point(|node| node.id <= id).checked_sub(1)?;
    let node = &mut nodes[place];
    if node.id != id {
        return terms_below(&mut node.children, id);
    }
    match &mut node.kind {
        BoundKind::Terms(terms) => Some(terms),
        BoundKind::Metric(_) | BoundKind::Leaf(_) | BoundKind::Histogram(_) => None,
        BoundKind::Numbers(_) | BoundKind::Filters(_) => None,
    }
}

/// Whether the histogram numbered `id` reads no instants but sort keys.
fn has_sort_keys_only(nodes: &[BoundNode<'_>], id: usize) -> bool {
    match find(nodes, id).map(|node| &node.kind) {
        Some(BoundKind::Histogram(histogram)) => histogram.has_sort_keys_only(),
        Some(BoundKind::Metric(_) | BoundKind::Leaf(_) | BoundKind::Numbers(_)) => false,
        Some(BoundKind::Terms(_) | BoundKind::Filters(_)) | None => false,
    }
}

fn find<'n, 'p>(nodes: &'n [BoundNode<'p>], id: usize) -> Option<&'n BoundNode<'p>> {
    let place = nodes.partition_point(|node| node.id <= id).checked_sub(1)?;
    let node = &nodes[place];
    match node.id == id {
        true => Some(node),
        false => find(&node.children, id),
    }
}
