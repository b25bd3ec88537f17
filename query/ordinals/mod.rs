//! One numbering of the terms of a column over many sources.
//!
//! Each source has codes of its own. A scan that groups by term first maps them to **ordinals**:
//! places among the distinct terms of all sources, in their order. Groups of all sources then
//! share one key, and nothing is compared or hashed per source again. Maps depend on nothing but
//! the terms of their sources, so later searches use them again, and a source that came since is
//! added to the map that is there.

mod cache;
mod grow;
mod join;
mod sorted;
mod terms;

use std::cmp::Ordering;
use std::sync::Arc;

use storage::memory::MemoryUse;
use storage::segment::{ColumnHandle, RowSource};

use crate::QueryError;
use crate::pattern::CodeSet;
use crate::pool::ScanPool;
pub(crate) use cache::OrdinalCache;
use join::join;
use terms::MapTerms;

/// A text column of a source.
#[derive(Debug, Clone)]
pub(crate) struct TermColumn {
    pub(crate) source: RowSource,
    pub(crate) column: ColumnHandle,
}

impl TermColumn {
    fn is_in_segment(&self) -> bool {
        match self.source {
            RowSource::Segment(_) => true,
            RowSource::Active(_) => false,
        }
    }

    fn term_count(&self) -> Result<usize, QueryError> {
        Ok(self.source.term_count(self.column)?)
    }
}

/// From the codes of one source to ordinals.
#[derive(Debug, Clone)]
pub(crate) enum CodeMap {
    /// They are the same.
    Same,
    /// Code `c` is ordinal `table[c]`.
    Table(Arc<[u32]>),
}

impl CodeMap {
    /// The ordinal of `code`.
    pub(crate) fn ordinal(&self, code: u32) -> u32 {
        match self {
            Self::Same => code,
            Self::Table(table) => table[code as usize],
        }
    }
}

/// The distinct terms of some columns, ascending, and where each column's codes are among them.
#[derive(Debug)]
pub(crate) struct OrdinalMap {
    terms: Arc<MapTerms>,
    maps: Vec<CodeMap>,
}

impl OrdinalMap {
    /// The map of a single segment, whose codes are ordinals already; `None` for anything else.
    fn of_one(columns: &[TermColumn]) -> Result<Option<Self>, QueryError> {
        match columns {
            [column] if column.is_in_segment() => Ok(Some(Self {
                terms: Arc::new(MapTerms::One {
                    column: column.clone(),
                    count: column.term_count()?,
                }),
                maps: vec![CodeMap::Same],
            })),
            _ => Ok(None),
        }
    }

    fn build(columns: &[TermColumn], pool: &ScanPool) -> Result<Self, QueryError> {
        // Counted while it is made: the numbers for sure, of the texts as many bytes. Who keeps it
        // counts what it came to.
        let mut term_count = 0;
        for column in columns {
            term_count += column.term_count()?;
        }
        let bytes = 2 * term_count * size_of::<u32>();
        let _held = pool.memory().try_hold(MemoryUse::Ordinals, bytes)?;
        let joined = join(columns, pool)?;
        Ok(Self {
            terms: Arc::new(MapTerms::Runs {
                runs: joined.runs,
                count: joined.count,
            }),
            maps: joined
                .maps
                .into_iter()
                .map(|table| CodeMap::Table(table.into()))
                .collect(),
        })
    }

    /// Number of distinct terms.
    pub(crate) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The map of column `index`.
    pub(crate) fn codes(&self, index: usize) -> CodeMap {
        self.maps[index].clone()
    }

    /// The term of `ordinal`.
    pub(crate) fn term(&self, ordinal: u32) -> Result<Vec<u8>, QueryError> {
        self.terms.term(ordinal)
    }

    /// The ordinal of `term`, if some column has it.
    pub(crate) fn find(&self, term: &[u8]) -> Result<Option<u32>, QueryError> {
        self.terms.find(term)
    }

    /// The ordinals whose terms fit; each term is looked at once.
    pub(crate) fn ordinals_where(
        &self,
        mut fits: impl FnMut(&[u8]) -> bool,
    ) -> Result<CodeSet, QueryError> {
        let mut set = CodeSet::empty_below(self.len());
        self.terms.each(&mut |ordinal, term| {
            if fits(term) {
                set.insert(ordinal);
            }
        })?;
        Ok(set)
    }

    /// Memory that it takes, about.
    fn memory_bytes(&self) -> usize {
        let tables = self.maps.iter().map(|map| match map {
            CodeMap::Same => 0,
            CodeMap::Table(table) => size_of_val::<[u32]>(table),
        });
        tables.sum::<usize>() + self.terms.memory_bytes()
    }
}

/// What the keys of terms mean: an ordinal, or behind the last of them terms that no source has.
#[derive(Debug, Clone)]
pub(crate) struct TermSpace {
    map: Arc<OrdinalMap>,
    /// Terms of rows without a value, when no row has them as a value: each topic of a search may
    /// have its own.
    extras: Vec<Arc<[u8]>>,
}

impl TermSpace {
    pub(crate) fn new(map: Arc<OrdinalMap>) -> Self {
        Self {
            map,
            extras: Vec::new(),
        }
    }

    /// Words that no column has as a value, ascending, behind the terms of an empty `map`.
    pub(crate) fn of_words(map: Arc<OrdinalMap>, words: Vec<Arc<[u8]>>) -> Self {
        Self { map, extras: words }
    }

    /// The key of one of the words that it was made of.
    pub(crate) fn word(&self, word: &[u8]) -> Option<u32> {
        // A word that was added since stands behind them and is looked up by itself.
        let place = self
            .extras
            .binary_search_by(|known| (**known).cmp(word))
            .ok();
        let known = || self.extras.iter().position(|known| **known == *word);
        let place = place.or_else(known)?;
        u32::try_from(self.map.len() + place).ok()
    }

    pub(crate) fn map(&self) -> &OrdinalMap {
        &self.map
    }

    /// The key of `term`, which becomes an extra one when no source has it.
    pub(crate) fn with(&mut self, term: &[u8]) -> Result<u32, QueryError> {
        if let Some(ordinal) = self.map.find(term)? {
            return Ok(ordinal);
        }
        let known = self.extras.iter().position(|extra| **extra == *term);
        let place = known.unwrap_or_else(|| {
            self.extras.push(Arc::from(term));
            self.extras.len() - 1
        });
        Ok(u32::try_from(self.map.len() + place).expect("codes are 32 bits"))
    }

    /// Keys are below this.
    pub(crate) fn len(&self) -> usize {
        self.map.len() + self.extras.len()
    }

    /// The term of `key`.
    pub(crate) fn term(&self, key: u32) -> Result<Arc<[u8]>, QueryError> {
        let place = (key as usize).checked_sub(self.map.len());
        match place.and_then(|place| self.extras.get(place)) {
            Some(extra) => Ok(Arc::clone(extra)),
            None => Ok(self.map.term(key)?.into()),
        }
    }

    /// How many terms of sources come before each extra one.
    pub(crate) fn ranks(&self) -> Result<Ranks, QueryError> {
        let mut sorted: Vec<usize> = (0..self.extras.len()).collect();
        sorted.sort_unstable_by_key(|place| &self.extras[*place]);
        let mut ranks = vec![(0, 0); self.extras.len()];
        for (smaller, place) in (0..).zip(sorted) {
            ranks[place] = (self.terms_before(&self.extras[place])?, smaller);
        }
        Ok(Ranks {
            extra_first: self.map.len() as i64,
            extras: ranks.into(),
        })
    }

    fn terms_before(&self, extra: &[u8]) -> Result<i64, QueryError> {
        let (mut low, mut high) = (0, self.map.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let code = u32::try_from(middle).expect("codes are 32 bits");
            match self.map.term(code)?.as_slice().cmp(extra) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal | Ordering::Greater => high = middle,
            }
        }
        Ok(low as i64)
    }
}

/// Compares keys of a [`TermSpace`] by their terms.
#[derive(Debug, Clone)]
pub(crate) struct Ranks {
    /// The key of the first extra term.
    extra_first: i64,
    /// For each extra term how many terms of sources and how many extra ones are smaller.
    extras: Arc<[(i64, i64)]>,
}

impl Ranks {
    pub(crate) fn compare(&self, a: i64, b: i64) -> Ordering {
        let rank = |key: i64| {
            let place = usize::try_from(key - self.extra_first).ok();
            match place.and_then(|place| self.extras.get(place)) {
                Some((before, smaller)) => (*before, 0, *smaller),
                None => (key, 1, 0),
            }
        };
        rank(a).cmp(&rank(b))
    }
}

#[cfg(test)]
mod tests;
