//! The distinct texts of many parts as one ascending list.

use std::cmp::Ordering;

use super::super::column_reader::StoredColumn;
use super::super::dictionary_pages::DictionaryPages;
use super::super::encoding::shared_bytes;
use super::super::pages::WriteFlaw;
use super::super::{SegmentError, SegmentReader};
use super::{Terms, TextName};
use crate::model::Dictionary;

/// For each part: its codes as codes of the common dictionary.
pub(in crate::segment) type CodeMaps = Vec<Vec<u32>>;

/// Code of a term that no row has.
const UNUSED: u32 = u32::MAX;

/// What must be known about terms before they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::segment) struct TermStatistics {
    /// What all terms begin with; `None` without terms.
    pub(in crate::segment) prefix: Option<Vec<u8>>,
    /// Bytes behind the prefix that some term has, as bits.
    pub(in crate::segment) alphabet: [u64; 4],
    /// Length of the shortest and the longest term.
    pub(in crate::segment) length_min: usize,
    pub(in crate::segment) length_max: usize,
}

impl TermStatistics {
    /// Statistics of terms; they are looked at twice.
    pub(super) fn of<'a, I: Iterator<Item = &'a [u8]>>(terms: impl Fn() -> I) -> Self {
        let mut statistics = Self::default();
        for term in terms() {
            statistics.meet(term);
        }
        let prefix_bytes = statistics.prefix.as_ref().map_or(0, Vec::len);
        for term in terms() {
            statistics.add_letters(&term[prefix_bytes..]);
        }
        statistics
    }

    /// Counts the length of `term` in, and shortens the prefix to what it shares.
    fn meet(&mut self, term: &[u8]) {
        match &mut self.prefix {
            None => {
                self.prefix = Some(term.to_vec());
                (self.length_min, self.length_max) = (term.len(), term.len());
            }
            Some(prefix) => {
                if !term.starts_with(prefix) {
                    prefix.truncate(shared_bytes(prefix, term));
                }
                self.length_min = self.length_min.min(term.len());
                self.length_max = self.length_max.max(term.len());
            }
        }
    }

    fn add_letters(&mut self, letters: &[u8]) {
        for letter in letters {
            self.alphabet[usize::from(letter / 64)] |= 1 << (letter % 64);
        }
    }

    /// Statistics of the terms of both.
    pub(super) fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.prefix else {
            return;
        };
        let Some(ours) = &self.prefix else {
            *self = other.clone();
            return;
        };
        let shared = shared_bytes(ours, theirs);
        let letters = [&ours[shared..], &theirs[shared..]].concat();
        self.add_letters(&letters);
        if let Some(prefix) = &mut self.prefix {
            prefix.truncate(shared);
        }
        for (word, other) in self.alphabet.iter_mut().zip(other.alphabet) {
            *word |= other;
        }
        self.length_min = self.length_min.min(other.length_min);
        self.length_max = self.length_max.max(other.length_max);
    }
}

/// A batch's share of a text column.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextPart<'a> {
    pub(super) dictionary: &'a Dictionary,
    /// `None`: each row has the only term.
    pub(super) codes: Option<&'a [u32]>,
}

/// A term of one part.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The eight bytes behind the common prefix: they decide nearly every comparison.
    head: u64,
    part: u32,
    code: u32,
}

/// The terms of batches, sorted.
pub(super) struct BatchTerms<'a> {
    parts: Vec<Option<TextPart<'a>>>,
    entries: Vec<Entry>,
    statistics: TermStatistics,
}

impl<'a> BatchTerms<'a> {
    pub(super) fn new(parts: Vec<Option<TextPart<'a>>>) -> Self {
        let mut entries = Vec::new();
        for (part, number) in parts.iter().zip(0..) {
            let Some(part) = part else { continue };
            let is_used = used_terms(part);
            let codes = (0..).zip(is_used).filter(|(_, is_used)| *is_used);
            entries.extend(codes.map(|(code, _)| Entry {
                head: 0,
                part: number,
                code,
            }));
        }
        let statistics = TermStatistics::of(|| entries.iter().map(|entry| term(&parts, *entry)));
        let prefix_bytes = statistics.prefix.as_ref().map_or(0, Vec::len);
        for entry in &mut entries {
            entry.head = head(&term(&parts, *entry)[prefix_bytes..]);
        }
        entries.sort_unstable_by(|a, b| compare(&parts, *a, *b));
        Self {
            parts,
            entries,
            statistics,
        }
    }
}

fn used_terms(part: &TextPart<'_>) -> Vec<bool> {
    let Some(codes) = part.codes else {
        return vec![true];
    };
    let mut is_used = vec![false; part.dictionary.len()];
    for code in codes {
        is_used[*code as usize] = true;
    }
    is_used
}

fn term<'a>(parts: &[Option<TextPart<'a>>], entry: Entry) -> &'a [u8] {
    let part = parts[entry.part as usize].expect("only parts that exist have entries");
    part.dictionary.term(entry.code)
}

fn compare(parts: &[Option<TextPart<'_>>], a: Entry, b: Entry) -> Ordering {
    let heads = a.head.cmp(&b.head);
    heads.then_with(|| term(parts, a).cmp(term(parts, b)))
}

/// The first eight bytes, those behind the end as zeros: a smaller head is a smaller term, and
/// equal heads decide nothing.
pub(super) fn head(term: &[u8]) -> u64 {
    match term.first_chunk() {
        Some(head) => u64::from_be_bytes(*head),
        None => {
            let mut head = [0; 8];
            head[..term.len()].copy_from_slice(term);
            u64::from_be_bytes(head)
        }
    }
}

impl Terms for BatchTerms<'_> {
    fn statistics(&self) -> &TermStatistics {
        &self.statistics
    }

    fn count_max(&self) -> usize {
        self.entries.len()
    }

    fn visit(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<CodeMaps, WriteFlaw> {
        let sizes = self
            .parts
            .iter()
            .map(|part| part.map_or(0, |part| part.dictionary.len()));
        let mut maps: CodeMaps = sizes.map(|size| vec![UNUSED; size]).collect();
        let mut count = 0_u32;
        let mut newest: Option<Entry> = None;
        for entry in &self.entries {
            let is_new = newest.is_none_or(|newest| compare(&self.parts, newest, *entry).is_ne());
            if is_new {
                newest = Some(*entry);
                each(term(&self.parts, *entry))?;
                count = next_count(count)?;
            }
            maps[entry.part as usize][entry.code as usize] = count - 1;
        }
        Ok(maps)
    }
}

/// One term more.
pub(super) fn next_count(count: u32) -> Result<u32, WriteFlaw> {
    let too_many = WriteFlaw::TooLarge("it has 2^32 distinct texts");
    count.checked_add(1).ok_or(too_many)
}

/// The terms of one input of a merge, block by block.
pub(super) struct TermCursor<'a> {
    reader: &'a SegmentReader,
    /// `None`: the input has no such column. Then it has no terms, but all its shapes are empty.
    pages: Option<&'a DictionaryPages>,
    has_empty_shape: bool,
    /// `None`: all terms have rows.
    is_used: Option<Vec<bool>>,
    block: Dictionary,
    next_block: usize,
    /// Place of the term at hand in the block.
    place: u32,
    /// Code of the term at hand.
    code: u32,
    head: u64,
}

impl<'a> TermCursor<'a> {
    pub(super) fn new(
        reader: &'a SegmentReader,
        column: Option<&'a StoredColumn>,
        name: TextName<'_>,
        is_used: Option<Vec<bool>>,
    ) -> Result<Self, SegmentError> {
        Ok(Self {
            reader,
            pages: column.and_then(|column| column.dictionary.as_ref()),
            has_empty_shape: column.is_none() && matches!(name, TextName::Shapes),
            is_used,
            block: Dictionary::default(),
            next_block: 0,
            place: 0,
            code: 0,
            head: 0,
        })
    }

    fn term_count(&self) -> u32 {
        match self.pages {
            Some(pages) => pages.term_count(),
            None => u32::from(self.has_empty_shape),
        }
    }

    /// Goes to the first term.
    fn rewind(&mut self) -> Result<(), SegmentError> {
        self.block = Dictionary::default();
        (self.next_block, self.place, self.code) = (0, 0, 0);
        self.find_used()
    }

    fn advance(&mut self) -> Result<(), SegmentError> {
        self.place += 1;
        self.code += 1;
        self.find_used()
    }

    fn find_used(&mut self) -> Result<(), SegmentError> {
        while self.code < self.term_count() {
            self.load_block()?;
            let is_used = self.is_used.as_ref();
            if is_used.is_none_or(|is_used| is_used[self.code as usize]) {
                break;
            }
            self.place += 1;
            self.code += 1;
        }
        Ok(())
    }

    fn load_block(&mut self) -> Result<(), SegmentError> {
        while self.place as usize >= self.block.len() {
            self.place = 0;
            self.block = Dictionary::default();
            match self.pages {
                Some(pages) => {
                    pages.read_block(self.next_block, &self.reader.file, &mut self.block)?;
                }
                None => self.block = Dictionary::from_terms([[].as_slice()]),
            }
            self.next_block += 1;
        }
        Ok(())
    }

    fn term(&self) -> Option<&[u8]> {
        (self.code < self.term_count()).then(|| self.block.term(self.place))
    }

    /// What the dictionary says about its terms, or what is said of those that have rows.
    fn statistics(&mut self) -> Result<TermStatistics, SegmentError> {
        if self.term_count() == 0 {
            return Ok(TermStatistics::default());
        }
        if let (Some(pages), None) = (self.pages, &self.is_used) {
            return pages.statistics(&self.reader.file).cloned();
        }
        let mut statistics = TermStatistics::default();
        self.rewind()?;
        while let Some(term) = self.term() {
            statistics.meet(term);
            self.advance()?;
        }
        let prefix_bytes = statistics.prefix.as_ref().map_or(0, Vec::len);
        self.rewind()?;
        while let Some(term) = self.term() {
            statistics.add_letters(&term[prefix_bytes..]);
            self.advance()?;
        }
        Ok(statistics)
    }
}

/// The terms of the inputs of a merge.
pub(super) struct MergedTerms<'a> {
    cursors: Vec<TermCursor<'a>>,
    statistics: TermStatistics,
}

impl<'a> MergedTerms<'a> {
    pub(super) fn new(mut cursors: Vec<TermCursor<'a>>) -> Result<Self, SegmentError> {
        let mut statistics = TermStatistics::default();
        for cursor in &mut cursors {
            statistics.merge(&cursor.statistics()?);
        }
        Ok(Self {
            cursors,
            statistics,
        })
    }
}

impl Terms for MergedTerms<'_> {
    fn statistics(&self) -> &TermStatistics {
        &self.statistics
    }

    fn count_max(&self) -> usize {
        let counts = self.cursors.iter().map(TermCursor::term_count);
        counts.map(|count| count as usize).sum()
    }

    fn visit(
        &mut self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WriteFlaw>,
    ) -> Result<CodeMaps, WriteFlaw> {
        let prefix_bytes = self.statistics.prefix.as_ref().map_or(0, Vec::len);
        let cursors = &mut self.cursors;
        for cursor in &mut *cursors {
            cursor.rewind()?;
            cursor.set_head(prefix_bytes);
        }
        let sizes = cursors.iter().map(|cursor| cursor.term_count() as usize);
        let mut maps: CodeMaps = sizes.map(|size| vec![UNUSED; size]).collect();
        let mut heap: Vec<usize> = (0..cursors.len())
            .filter(|number| cursors[*number].term().is_some())
            .collect();
        heap.sort_by(|a, b| compare_cursors(cursors, *a, *b));
        let mut newest: Option<Vec<u8>> = None;
        let mut count = 0_u32;
        while let Some(first) = heap.first().copied() {
            let term = cursors[first].term().expect("cursors at their end leave");
            if newest.as_deref() != Some(term) {
                each(term)?;
                count = next_count(count)?;
                let newest = newest.get_or_insert_default();
                newest.clear();
                newest.extend_from_slice(term);
            }
            let cursor = &mut cursors[first];
            maps[first][cursor.code as usize] = count - 1;
            cursor.advance()?;
            cursor.set_head(prefix_bytes);
            if cursor.term().is_none() {
                let last = heap.len() - 1;
                heap.swap(0, last);
                heap.pop();
            }
            sift_down(&mut heap, cursors);
        }
        Ok(maps)
    }
}

impl TermCursor<'_> {
    fn set_head(&mut self, prefix_bytes: usize) {
        self.head = self.term().map_or(0, |term| head(&term[prefix_bytes..]));
    }
}

fn compare_cursors(cursors: &[TermCursor<'_>], a: usize, b: usize) -> Ordering {
    let (a, b) = (&cursors[a], &cursors[b]);
    a.head.cmp(&b.head).then_with(|| a.term().cmp(&b.term()))
}

/// Puts the first of a heap where it belongs.
fn sift_down(heap: &mut [usize], cursors: &[TermCursor<'_>]) {
    let mut place = 0;
    loop {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        let mut least = place;
        for child in [left, right] {
            let is_less =
                child < heap.len() && compare_cursors(cursors, heap[child], heap[least]).is_lt();
            least = if is_less { child } else { least };
        }
        if least == place {
            return;
        }
        heap.swap(place, least);
        place = least;
    }
}
