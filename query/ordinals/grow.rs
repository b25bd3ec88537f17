//! An ordinal map and what came after it.
//!
//! A new segment or chunk has few terms beside those that a map knows. So the new ones are joined
//! among themselves, and each of their terms is looked up in the older map:
//! 1. The rank of a term, how many older ones are smaller, is found run by run, on all threads.
//! 2. Terms that the older map has not are the **newer** ones; each gets the ordinal that its rank
//!    and the newer ones before it say.
//! 3. Older ordinals move up by as many newer terms as come before them: one pass over the tables.
//!
//! Texts of older terms are shared with the older map, not copied.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::sorted::SortedTerms;
use super::terms::{MapTerms, RankCursor, TermRun};
use super::{CodeMap, OrdinalMap};
use crate::QueryError;
use crate::pool::ScanPool;

/// Terms of an older map and newer ones.
#[derive(Debug)]
pub(super) struct Grown {
    pub(super) older: Arc<MapTerms>,
    /// Terms that `older` has not.
    pub(super) newer: Box<MapTerms>,
    /// The ordinal of each newer term, ascending.
    places: Vec<u32>,
}

impl Grown {
    pub(super) fn len(&self) -> usize {
        self.older.len() + self.places.len()
    }

    /// The term of `ordinal`.
    pub(super) fn term(&self, ordinal: u32) -> Result<Vec<u8>, QueryError> {
        match self.places.binary_search(&ordinal) {
            Ok(place) => self.newer.term(number(place)),
            Err(before) => self.older.term(ordinal - number(before)),
        }
    }

    /// The ordinal of the older term that was `ordinal`.
    pub(super) fn of_older(&self, ordinal: u32) -> u32 {
        // The newer term at `place` has `places[place] - place` older ones before it.
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.places[middle] - number(middle) <= ordinal {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        ordinal + number(low)
    }

    /// The ordinal of the newer term at `place`.
    pub(super) fn of_newer(&self, place: u32) -> u32 {
        self.places[place as usize]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let places = self.places.capacity() * size_of::<u32>();
        places + self.newer.memory_bytes() + self.older.memory_bytes()
    }
}

/// Where columns of a grown map come from: which column of the older or of the fresh map.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    Older(usize),
    Fresh(usize),
}

/// The map of columns of `older` and of `fresh`, whose terms are in runs.
pub(super) fn grow(
    older: &OrdinalMap,
    fresh: &OrdinalMap,
    origins: &[Origin],
    pool: &ScanPool,
) -> Result<OrdinalMap, QueryError> {
    let ranked = rank_all(&older.terms, fresh.terms.runs(), pool)?;
    let mut fresh_ordinals = Vec::with_capacity(fresh.len());
    let mut ranks = Vec::new();
    let mut runs = Vec::new();
    for run in ranked {
        if run.newer.len() > 0 {
            runs.push((number(ranks.len()), run.newer));
        }
        for (rank, is_known) in run.ranks {
            fresh_ordinals.push(rank + number(ranks.len()));
            if !is_known {
                ranks.push(rank);
            }
        }
    }
    if u32::try_from(older.len() + ranks.len()).is_err() {
        return Err(QueryError::TooManyTerms);
    }
    let older_ordinals = moved(older.len(), &ranks);
    let maps = origins.iter().map(|origin| match origin {
        Origin::Older(index) if ranks.is_empty() => older.maps[*index].clone(),
        Origin::Older(index) => older.maps[*index].through(&older_ordinals),
        Origin::Fresh(index) => fresh.maps[*index].through(&fresh_ordinals),
    });
    let maps = maps.collect();
    if ranks.is_empty() {
        let terms = Arc::clone(&older.terms);
        return Ok(OrdinalMap { terms, maps });
    }
    let places = ranks.iter().zip(0..).map(|(rank, before)| rank + before);
    let terms = MapTerms::Grown(Grown {
        older: Arc::clone(&older.terms),
        places: places.collect(),
        newer: Box::new(MapTerms::Runs {
            runs,
            count: ranks.len(),
        }),
    });
    Ok(OrdinalMap {
        terms: Arc::new(terms),
        maps,
    })
}

/// Where older ordinals move to when newer terms of these ranks come between them.
fn moved(count: usize, ranks: &[u32]) -> Vec<u32> {
    let mut before = 0;
    let ordinals = (0..).take(count).map(|ordinal| {
        while ranks.get(before).is_some_and(|rank| *rank <= ordinal) {
            before += 1;
        }
        ordinal + number(before)
    });
    ordinals.collect()
}

impl CodeMap {
    /// The map to what `ordinals` says of its ordinals.
    fn through(&self, ordinals: &[u32]) -> Self {
        match self {
            Self::Same => Self::Table(ordinals.into()),
            Self::Table(table) => {
                let moved = table.iter().map(|ordinal| ordinals[*ordinal as usize]);
                Self::Table(moved.collect())
            }
        }
    }
}

/// A run of terms, looked up.
struct RankedRun {
    /// For each term: how many older ones are smaller, and whether it is one of them.
    ranks: Vec<(u32, bool)>,
    newer: SortedTerms,
}

fn rank_all(
    older: &MapTerms,
    runs: &[TermRun],
    pool: &ScanPool,
) -> Result<Vec<RankedRun>, QueryError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(runs.len()));
    let width = pool.width().min(runs.len());
    let mut workers: Vec<_> = (0..width).map(|_| RankCursor::new(older)).collect();
    pool.run(&mut workers, |cursor| {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some((_, terms)) = runs.get(place) else {
            return false;
        };
        let ranked = rank_run(cursor, terms);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push((place, ranked));
        true
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, ranked)| ranked).collect()
}

fn rank_run(cursor: &mut RankCursor<'_>, terms: &SortedTerms) -> Result<RankedRun, QueryError> {
    let mut ranks = Vec::with_capacity(terms.len());
    let mut newer = SortedTerms::default();
    let mut previous = Vec::new();
    let mut error = None;
    terms.each(|_, term| match cursor.rank(term) {
        Ok((rank, is_known)) => {
            ranks.push((rank, is_known));
            if !is_known {
                newer.push(&previous, term);
                previous.clear();
                previous.extend_from_slice(term);
            }
        }
        Err(flaw) => error = error.take().or(Some(flaw)),
    });
    newer.shrink();
    match error {
        Some(error) => Err(error),
        None => Ok(RankedRun { ranks, newer }),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("ordinals are 32 bits")
}
