//! The partitioned join of sorted dictionaries.
//!
//! 1. Cut the space of terms into ranges of some thousand terms, at blocks of the largest
//!    dictionary.
//! 2. In each range, stream the terms of every dictionary through a small hash table, which fits
//!    the processor's cache: each gets a number by first appearance.
//! 3. Sort the distinct terms of the range, and renumber.
//! 4. Put the ranges one behind another.
//!
//! Ranges are independent, so threads share them. Terms are compared by their bytes; hashes only
//! say where to look.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use storage::model::Dictionary;
use storage::segment::{ColumnHandle, RowSource, SegmentReader};

use super::TermColumn;
use super::sorted::{SortedTerms, order, order_of};
use crate::QueryError;
use crate::pool::ScanPool;

/// Terms of the largest dictionary in one range.
const RANGE_TERMS: usize = 8_192;

/// What [`join`] found.
#[derive(Debug)]
pub(super) struct Joined {
    /// The distinct terms, as runs with the ordinal of the first of each.
    pub(super) runs: Vec<(u32, SortedTerms)>,
    pub(super) count: usize,
    /// For each column, the ordinal of each code.
    pub(super) maps: Vec<Vec<u32>>,
}

/// The ordinals of the terms of `columns`.
pub(super) fn join(columns: &[TermColumn], pool: &ScanPool) -> Result<Joined, QueryError> {
    let inputs = columns
        .iter()
        .map(Input::new)
        .collect::<Result<Vec<_>, _>>()?;
    let bounds = bounds(&inputs)?;
    let range_count = bounds.len() + 1;
    let hashes = RandomState::new();
    let keys = (hashes.hash_one(0), hashes.hash_one(1) | 1);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(range_count));
    let mut workers: Vec<_> = (0..pool.width().min(range_count))
        .map(|_| Table::new(keys))
        .collect();
    pool.run(&mut workers, |table| {
        let range = next.fetch_add(1, Ordering::Relaxed);
        if range >= range_count {
            return false;
        }
        let lower = range.checked_sub(1).map(|bound| bounds[bound].as_slice());
        let upper = bounds.get(range).map(Vec::as_slice);
        let joined = table.join(&inputs, lower, upper);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push((range, joined));
        true
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(range, _)| *range);
    assemble(&inputs, done.into_iter().map(|(_, range)| range))
}

/// Puts the ranges one behind another.
fn assemble(
    inputs: &[Input<'_>],
    ranges: impl Iterator<Item = Result<Range, QueryError>>,
) -> Result<Joined, QueryError> {
    let mut joined = Joined {
        runs: Vec::new(),
        count: 0,
        maps: inputs
            .iter()
            .map(|input| Vec::with_capacity(input.count()))
            .collect(),
    };
    for range in ranges {
        let range = range?;
        let first = u32::try_from(joined.count).map_err(|_| QueryError::TooManyTerms)?;
        joined.count += range.terms.len();
        for (map, ranks) in joined.maps.iter_mut().zip(&range.ranks) {
            map.extend(ranks.iter().map(|rank| first + rank));
        }
        if range.terms.len() > 0 {
            joined.runs.push((first, range.terms));
        }
    }
    if u32::try_from(joined.count).is_err() {
        return Err(QueryError::TooManyTerms);
    }
    for (map, input) in joined.maps.iter_mut().zip(inputs) {
        if let Input::Chunk { order, .. } = input {
            // So far by place in the order.
            let mut by_code = vec![0; map.len()];
            for (code, ordinal) in order.iter().zip(map.iter()) {
                by_code[*code as usize] = *ordinal;
            }
            *map = by_code;
        }
    }
    Ok(joined)
}

/// The terms of one column, ascending.
enum Input<'a> {
    Segment {
        reader: &'a SegmentReader,
        column: ColumnHandle,
        blocks: usize,
        count: usize,
    },
    Chunk {
        dictionary: std::sync::Arc<Dictionary>,
        order: Vec<u32>,
    },
}

impl<'a> Input<'a> {
    fn new(column: &'a TermColumn) -> Result<Self, QueryError> {
        Ok(match &column.source {
            RowSource::Segment(reader) => Self::Segment {
                reader,
                column: column.column,
                blocks: reader.term_block_count(column.column)?,
                count: column.source.term_count(column.column)?,
            },
            RowSource::Active(_) => {
                let dictionary = column.source.dictionary(column.column)?;
                let order = order(&dictionary);
                Self::Chunk { dictionary, order }
            }
        })
    }

    fn count(&self) -> usize {
        match self {
            Self::Segment { count, .. } => *count,
            Self::Chunk { order, .. } => order.len(),
        }
    }

    /// Texts that cut its terms into ranges.
    fn bounds(&self) -> Result<Vec<Vec<u8>>, QueryError> {
        let mut bounds = Vec::new();
        match self {
            Self::Segment {
                reader,
                column,
                blocks,
                count,
            } => {
                let step = (blocks * RANGE_TERMS).div_ceil((*count).max(1)).max(1);
                for block in (step..*blocks).step_by(step) {
                    bounds.push(reader.term_block_start(*column, block)?.to_vec());
                }
            }
            Self::Chunk { dictionary, order } => {
                let places = (RANGE_TERMS..order.len()).step_by(RANGE_TERMS);
                bounds.extend(places.map(|place| dictionary.term(order[place]).to_vec()));
            }
        }
        Ok(bounds)
    }

    /// Shows its terms from `lower` (inside) to `upper` (outside).
    fn each(
        &self,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
        block: &mut Dictionary,
        mut visit: impl FnMut(&[u8]),
    ) -> Result<(), QueryError> {
        let is_before = |term: &[u8]| lower.is_some_and(|lower| term < lower);
        let is_behind = |term: &[u8]| upper.is_some_and(|upper| term >= upper);
        match self {
            Self::Segment {
                reader,
                column,
                blocks,
                ..
            } => {
                let first = match lower {
                    None => 0,
                    Some(lower) => block_of(reader, *column, *blocks, lower)?,
                };
                for number in first..*blocks {
                    if number > first && is_behind(reader.term_block_start(*column, number)?) {
                        break;
                    }
                    reader.term_block(*column, number, block)?;
                    let inside = block.terms().skip_while(|term| is_before(term));
                    inside
                        .take_while(|term| !is_behind(term))
                        .for_each(&mut visit);
                }
            }
            Self::Chunk { dictionary, order } => {
                let term = |code: &u32| dictionary.term(*code);
                let first = order.partition_point(|code| is_before(term(code)));
                let inside = order[first..].iter().map(term);
                inside.take_while(|term| !is_behind(term)).for_each(visit);
            }
        }
        Ok(())
    }
}

/// The last block that may hold terms from `lower` on, and none before does.
pub(super) fn block_of(
    reader: &SegmentReader,
    column: ColumnHandle,
    blocks: usize,
    lower: &[u8],
) -> Result<usize, QueryError> {
    let (mut low, mut high) = (0, blocks);
    while low < high {
        let middle = low + (high - low) / 2;
        match reader.term_block_start(column, middle)? <= lower {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low.saturating_sub(1))
}

/// The bounds that the largest dictionary suggests, ascending.
fn bounds(inputs: &[Input<'_>]) -> Result<Vec<Vec<u8>>, QueryError> {
    match inputs.iter().max_by_key(|input| input.count()) {
        None => Ok(Vec::new()),
        Some(largest) => largest.bounds(),
    }
}

/// One range of terms.
struct Range {
    terms: SortedTerms,
    /// For each input, the places of its terms among `terms`, in its order.
    ranks: Vec<Vec<u32>>,
}

/// The distinct terms of a range by hash, in order of appearance. Its memory is kept from range to
/// range.
struct Table {
    /// Secret: outsiders choose the terms.
    keys: (u64, u64),
    /// Term + 1, 0 for none; a power of two of them, at most half of them taken.
    slots: Vec<u32>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
    hashes: Vec<u64>,
    block: Dictionary,
}

impl Table {
    fn new(keys: (u64, u64)) -> Self {
        Self {
            keys,
            slots: vec![0; 4 * RANGE_TERMS],
            ends: vec![0],
            bytes: Vec::new(),
            hashes: Vec::new(),
            block: Dictionary::default(),
        }
    }

    fn join(
        &mut self,
        inputs: &[Input<'_>],
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
    ) -> Result<Range, QueryError> {
        self.slots.fill(0);
        self.ends.truncate(1);
        self.bytes.clear();
        self.hashes.clear();
        let mut block = std::mem::take(&mut self.block);
        let mut ranks = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut numbers = Vec::new();
            input.each(lower, upper, &mut block, |term| {
                numbers.push(self.number(term));
            })?;
            ranks.push(numbers);
        }
        self.block = block;
        let order = self.order();
        let mut terms = SortedTerms::default();
        let mut places = vec![0; order.len()];
        let mut previous: &[u8] = &[];
        for (place, number) in (0..).zip(&order) {
            let term = self.term(*number);
            terms.push(previous, term);
            previous = term;
            places[*number as usize] = place;
        }
        terms.shrink();
        for rank in ranks.iter_mut().flatten() {
            *rank = places[*rank as usize];
        }
        Ok(Range { terms, ranks })
    }

    fn term(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.bytes[self.ends[number] as usize..self.ends[number + 1] as usize]
    }

    /// The number of `term`, new or known.
    fn number(&mut self, term: &[u8]) -> u32 {
        let hash = self.hash(term);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            let number = self.slots[slot] - 1;
            if self.hashes[number as usize] == hash && self.term(number) == term {
                return number;
            }
            slot = (slot + 1) & mask;
        }
        let number = u32::try_from(self.hashes.len()).expect("ranges are small");
        self.slots[slot] = number + 1;
        self.hashes.push(hash);
        self.bytes.extend_from_slice(term);
        self.ends
            .push(u32::try_from(self.bytes.len()).expect("ranges are small"));
        if 2 * self.hashes.len() > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mut slots = vec![0; 2 * self.slots.len()];
        let mask = slots.len() - 1;
        for (number, hash) in (1..).zip(&self.hashes) {
            let mut slot = *hash as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = number;
        }
        self.slots = slots;
    }

    /// Mixes eight bytes at a time with secret keys; both halves of the product count.
    fn hash(&self, term: &[u8]) -> u64 {
        let mix = |state: u64, word: u64| {
            let product = u128::from(state ^ word) * u128::from(self.keys.1);
            (product as u64) ^ (product >> 64) as u64
        };
        let (words, rest) = term.as_chunks();
        let mut state = self.keys.0 ^ term.len() as u64;
        for word in words {
            state = mix(state, u64::from_le_bytes(*word)).wrapping_add(self.keys.0);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        mix(state, u64::from_le_bytes(last))
    }

    /// The numbers in order of their terms. Each input came sorted, so there are few runs.
    fn order(&self) -> Vec<u32> {
        order_of(self.hashes.len(), |number| self.term(number))
    }
}
