//! The distinct terms of a map, by ordinal.

use std::sync::Arc;

use storage::model::Dictionary;
use storage::segment::{ColumnHandle, RowSource, SegmentReader};

use super::TermColumn;
use super::grow::Grown;
use super::join::block_of;
use super::sorted::SortedTerms;
use crate::QueryError;

/// Ascending terms, and the ordinal of the first of them.
pub(super) type TermRun = (u32, SortedTerms);

/// The distinct terms of some columns, ascending.
#[derive(Debug)]
pub(super) enum MapTerms {
    /// Those of one segment, which keeps them sorted.
    One { column: TermColumn, count: usize },
    /// Runs that follow one another.
    Runs { runs: Vec<TermRun>, count: usize },
    /// Those of an older map, and others.
    Grown(Grown),
}

impl MapTerms {
    /// Number of distinct terms.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One { count, .. } | Self::Runs { count, .. } => *count,
            Self::Grown(grown) => grown.len(),
        }
    }

    /// The runs of terms that were joined.
    ///
    /// # Panics
    /// For terms that were not.
    pub(super) fn runs(&self) -> &[TermRun] {
        match self {
            Self::Runs { runs, .. } => runs,
            Self::One { .. } | Self::Grown(_) => unreachable!("joined terms are in runs"),
        }
    }

    /// How often it has grown.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::One { .. } | Self::Runs { .. } => 0,
            Self::Grown(grown) => 1 + grown.older.depth(),
        }
    }

    /// Whether `other` is what it has grown from.
    pub(super) fn is_grown_from(&self, other: &Arc<Self>) -> bool {
        match self {
            Self::One { .. } | Self::Runs { .. } => false,
            Self::Grown(grown) => Arc::ptr_eq(&grown.older, other),
        }
    }

    /// The term of `ordinal`.
    pub(super) fn term(&self, ordinal: u32) -> Result<Vec<u8>, QueryError> {
        match self {
            Self::One { column, .. } => Ok(column.source.term(column.column, ordinal)?),
            Self::Runs { runs, .. } => {
                let after = runs.partition_point(|(first, _)| *first <= ordinal);
                let (first, terms) = &runs[after - 1];
                Ok(terms.term(ordinal - first))
            }
            Self::Grown(grown) => grown.term(ordinal),
        }
    }

    /// The ordinal of `term`, if it is there.
    pub(super) fn find(&self, term: &[u8]) -> Result<Option<u32>, QueryError> {
        match self {
            Self::One { column, .. } => Ok(column.source.find_term(column.column, term)?),
            Self::Runs { runs, .. } => {
                let (rank, is_known) = rank_in(runs, term);
                Ok(is_known.then_some(rank))
            }
            Self::Grown(grown) => match grown.older.find(term)? {
                Some(ordinal) => Ok(Some(grown.of_older(ordinal))),
                None => {
                    let place = grown.newer.find(term)?;
                    Ok(place.map(|place| grown.of_newer(place)))
                }
            },
        }
    }

    /// Shows every term once, with its ordinal, in no order.
    pub(super) fn each(&self, visit: &mut dyn FnMut(u32, &[u8])) -> Result<(), QueryError> {
        match self {
            Self::One { column, .. } => {
                crate::pattern::each_term(&column.source, column.column, visit)
            }
            Self::Runs { runs, .. } => {
                for (first, terms) in runs {
                    terms.each(|place, term| visit(first + place, term));
                }
                Ok(())
            }
            Self::Grown(grown) => {
                let older = &grown.older;
                older.each(&mut |ordinal, term| visit(grown.of_older(ordinal), term))?;
                let newer = &grown.newer;
                newer.each(&mut |place, term| visit(grown.of_newer(place), term))
            }
        }
    }

    /// Memory that it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::One { .. } => 0,
            Self::Runs { runs, .. } => runs.iter().map(|(_, terms)| terms.memory_bytes()).sum(),
            Self::Grown(grown) => grown.memory_bytes(),
        }
    }
}

/// How many terms are smaller than `term`, and whether it is one of them.
fn rank_in(runs: &[TermRun], term: &[u8]) -> (u32, bool) {
    let after = runs.partition_point(|(_, terms)| terms.first().is_some_and(|first| first <= term));
    match after.checked_sub(1).map(|run| &runs[run]) {
        None => (0, false),
        Some((first, terms)) => {
            let (rank, is_known) = terms.rank(term);
            (first + rank, is_known)
        }
    }
}

/// Looks up terms; neighbours cost little.
pub(super) enum RankCursor<'m> {
    One(Box<BlockCursor<'m>>),
    Runs(&'m [TermRun]),
    Grown(Box<[RankCursor<'m>; 2]>),
}

impl<'m> RankCursor<'m> {
    pub(super) fn new(terms: &'m MapTerms) -> Self {
        match terms {
            MapTerms::One { column, .. } => match &column.source {
                RowSource::Segment(reader) => Self::One(Box::new(BlockCursor {
                    reader,
                    column: column.column,
                    current: None,
                    block: Dictionary::default(),
                })),
                RowSource::Active(_) => unreachable!("chunks are joined, even a single one"),
            },
            MapTerms::Runs { runs, .. } => Self::Runs(runs),
            MapTerms::Grown(grown) => {
                Self::Grown(Box::new([Self::new(&grown.older), Self::new(&grown.newer)]))
            }
        }
    }

    /// How many terms are smaller than `term`, and whether it is one of them.
    pub(super) fn rank(&mut self, term: &[u8]) -> Result<(u32, bool), QueryError> {
        match self {
            Self::One(cursor) => cursor.rank(term),
            Self::Runs(runs) => Ok(rank_in(runs, term)),
            Self::Grown(both) => {
                let [older, newer] = &mut **both;
                let (older, newer) = (older.rank(term)?, newer.rank(term)?);
                Ok((older.0 + newer.0, older.1 || newer.1))
            }
        }
    }
}

/// The block of a segment's dictionary that was looked at last.
pub(super) struct BlockCursor<'m> {
    reader: &'m SegmentReader,
    column: ColumnHandle,
    /// Its number, and the code of its first term.
    current: Option<(usize, u32)>,
    block: Dictionary,
}

impl BlockCursor<'_> {
    fn rank(&mut self, term: &[u8]) -> Result<(u32, bool), QueryError> {
        let blocks = self.reader.term_block_count(self.column)?;
        if blocks == 0 {
            return Ok((0, false));
        }
        let number = block_of(self.reader, self.column, blocks, term)?;
        let first = match self.current {
            Some((current, first)) if current == number => first,
            Some(_) | None => {
                self.current = None;
                let first = self
                    .reader
                    .term_block(self.column, number, &mut self.block)?;
                self.current = Some((number, first));
                first
            }
        };
        let (mut low, mut high) = (
            0,
            u32::try_from(self.block.len()).expect("codes are 32 bits"),
        );
        while low < high {
            let middle = low + (high - low) / 2;
            match self.block.term(middle) < term {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let is_known = (low as usize) < self.block.len() && self.block.term(low) == term;
        Ok((first + low, is_known))
    }
}
