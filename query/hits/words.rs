//! BM25: how much the words of a text say about a row, as Lucene computes it.
//!
//! A word counts the more the fewer rows have it, the oftener it occurs in a row and the shorter
//! the row's text is. How many rows there are is counted over all sources of a part first.

use std::collections::HashMap;
use std::ops::Range;

use crate::QueryError;
use crate::budget::Budget;
use crate::filter::{Binder, BoundField};
use crate::frame::{Frame, TextSlot};
use crate::pattern::each_term;
use crate::request::WordScoring;
use crate::selection::Selection;

/// How much repeating a word counts.
const K1: f32 = 1.2;

/// How much the length of a text counts.
const B: f32 = 0.75;

/// Memory of what is known about a distinct text, about.
const TEXT_BYTES: usize = size_of::<u32>();

/// Memory of a distinct text that has one of the words, about.
const MATCH_BYTES: usize = 64;

/// How words occur in the rows of a part.
#[derive(Debug, Clone, Default)]
pub(super) struct WordCounts {
    /// Rows with a word at all.
    rows: u64,
    /// Words of all rows.
    words: u64,
    /// Rows that have each of the words.
    rows_with: Vec<u64>,
}

/// Words over one source.
#[derive(Debug, Clone)]
pub(super) struct BoundWords {
    slot: TextSlot,
    /// Words of each distinct text; none where each text is one word.
    lengths: Option<Vec<u32>>,
    /// Distinct texts that have one of the words.
    occurrences: HashMap<u32, Occurrences>,
    word_count: usize,
    is_phrase: bool,
}

/// How often words occur in a text.
#[derive(Debug, Clone, Default)]
struct Occurrences {
    each: Vec<u32>,
    phrase: u32,
}

/// What a row has of the words.
#[derive(Debug, Default)]
struct RowWords {
    length: u32,
    found: Occurrences,
}

/// The weights of words, once all rows are counted.
#[derive(Debug, Clone)]
pub(super) struct WordWeights {
    weights: Vec<f32>,
    /// By the length of a text, as it is rounded.
    norms: Vec<f32>,
}

impl BoundWords {
    /// Finds the words in the distinct texts of a source; `None` when it has no such texts.
    pub(super) fn bind(
        by: &WordScoring,
        binder: &mut Binder<'_>,
        budget: &Budget,
    ) -> Result<Option<Self>, QueryError> {
        let BoundField::Texts(slot) = binder.field(&by.field)? else {
            return Ok(None);
        };
        let column = binder.text_column(slot);
        let mut bound = Self {
            slot,
            lengths: by.analyzer.map(|_| Vec::new()),
            occurrences: HashMap::new(),
            word_count: by.words.len(),
            is_phrase: by.is_phrase,
        };
        let text_count = binder.source().term_count(column)?;
        if by.analyzer.is_some() {
            budget.charge(text_count * TEXT_BYTES)?;
        }
        each_term(binder.source(), column, |code, text| {
            bound.text(by, code, text);
        })?;
        budget.charge(bound.occurrences.len() * MATCH_BYTES)?;
        Ok(Some(bound))
    }

    fn text(&mut self, by: &WordScoring, code: u32, text: &[u8]) {
        let mut found = Occurrences::default();
        let mut add = |word: &str| {
            for (place, wanted) in by.words.iter().enumerate() {
                if wanted == word {
                    found.each.resize(by.words.len(), 0);
                    found.each[place] += 1;
                }
            }
        };
        match (by.analyzer, &mut self.lengths) {
            (Some(analyzer), Some(lengths)) => {
                let tokens = analyzer.tokens(&String::from_utf8_lossy(text));
                let length = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
                let index = code as usize;
                if lengths.len() <= index {
                    lengths.resize(index + 1, 0);
                }
                lengths[index] = length;
                tokens.iter().for_each(|token| add(token));
                if by.is_phrase && !found.each.is_empty() {
                    let runs = tokens.windows(by.words.len());
                    let count = runs.filter(|run| **run == by.words).count();
                    found.phrase = u32::try_from(count).unwrap_or(u32::MAX);
                }
            }
            _whole => {
                if let Ok(text) = std::str::from_utf8(text) {
                    add(text);
                }
            }
        }
        if !found.each.is_empty() {
            self.occurrences.insert(code, found);
        }
    }

    fn row(&self, codes: &[u32]) -> RowWords {
        let mut row = RowWords::default();
        for code in codes {
            row.length += match &self.lengths {
                Some(lengths) => lengths.get(*code as usize).copied().unwrap_or(0),
                None => 1,
            };
            if let Some(found) = self.occurrences.get(code) {
                row.found.each.resize(self.word_count, 0);
                for (own, more) in row.found.each.iter_mut().zip(&found.each) {
                    *own += more;
                }
                row.found.phrase += found.phrase;
            }
        }
        row
    }

    /// Counts the rows of a frame.
    pub(super) fn count<F: Frame>(
        &self,
        frame: &mut F,
        rows: &Selection,
        counts: &mut WordCounts,
    ) -> Result<(), QueryError> {
        counts.rows_with.resize(self.word_count, 0);
        let codes = frame.codes(self.slot)?;
        for entry in rows.rows() {
            let row = self.row(&codes.codes[codes.index.values(entry)]);
            counts.rows += u64::from(row.length > 0);
            counts.words += u64::from(row.length);
            for (all, own) in counts.rows_with.iter_mut().zip(&row.found.each) {
                *all += u64::from(*own > 0);
            }
        }
        Ok(())
    }

    /// Adds what the rows of a frame score.
    pub(super) fn score<F: Frame>(
        &self,
        frame: &mut F,
        weights: &WordWeights,
        scores: &mut [f64],
    ) -> Result<(), QueryError> {
        let codes = frame.codes(self.slot)?;
        let mut range: Range<usize>;
        for (entry, score) in scores.iter_mut().enumerate() {
            range = codes.index.values(entry);
            let own = &codes.codes[range];
            if !own.iter().any(|code| self.occurrences.contains_key(code)) {
                continue;
            }
            let row = self.row(own);
            let norm = match &self.lengths {
                Some(_) => weights.norms[usize::from(length_byte(row.length))],
                None => 1.0 / K1,
            };
            if self.is_phrase {
                *score += f64::from(saturated(
                    weights.weights.iter().sum(),
                    row.found.phrase,
                    norm,
                ));
                continue;
            }
            for (weight, often) in weights.weights.iter().zip(&row.found.each) {
                *score += f64::from(saturated(*weight, *often, norm));
            }
        }
        Ok(())
    }
}

/// What a word of this weight scores that occurs so often.
fn saturated(weight: f32, often: u32, norm: f32) -> f32 {
    weight - weight / (1.0 + often as f32 * norm)
}

impl WordWeights {
    pub(super) fn new(by: &WordScoring, counts: &WordCounts) -> Self {
        let rows = counts.rows as f64;
        let weights = (0..by.words.len()).map(|word| {
            let with = counts.rows_with.get(word).copied().unwrap_or(0) as f64;
            let rarity = (1.0 + (rows - with + 0.5) / (with + 0.5)).ln();
            by.boost as f32 * rarity as f32
        });
        let average = (counts.words as f64 / rows.max(1.0)) as f32;
        let norm = |byte| 1.0 / (K1 * ((1.0 - B) + B * length_of_byte(byte) as f32 / average));
        Self {
            weights: weights.collect(),
            norms: (0..=u8::MAX).map(norm).collect(),
        }
    }
}

/// Lengths below this are kept exactly.
const FREE_LENGTHS: u32 = 24;

/// A length in eight bits: exact while it is small, with four bits of precision beyond.
fn length_byte(length: u32) -> u8 {
    if length < FREE_LENGTHS {
        return u8::try_from(length).expect("it is small");
    }
    let rest = length - FREE_LENGTHS;
    let bits = 32 - rest.leading_zeros();
    let byte = if bits < 4 {
        rest
    } else {
        let shift = bits - 4;
        (rest >> shift & 0x07) | (shift + 1) << 3
    };
    u8::try_from(FREE_LENGTHS + byte).unwrap_or(u8::MAX)
}

/// The least length that is kept as `byte`.
fn length_of_byte(byte: u8) -> u64 {
    let byte = u64::from(byte);
    let free = u64::from(FREE_LENGTHS);
    if byte < free {
        return byte;
    }
    let rest = byte - free;
    let (shift, bits) = (rest >> 3, rest & 0x07);
    free + match shift {
        0 => bits,
        shift => (bits | 0x08) << (shift - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_down() {
        let check = |length, kept| assert_eq!(length_of_byte(length_byte(length)), kept);
        check(0, 0);
        check(23, 23);
        check(39, 39);
        check(40, 40);
        check(41, 40);
        check(1_000, 984);
        for length in 0..100_000_u32 {
            let kept = length_of_byte(length_byte(length));
            assert!(kept <= u64::from(length) && u64::from(length) < kept + kept / 8 + 1);
        }
    }

    #[test]
    fn scores_are_those_of_lucene() {
        // Six rows of 29 words; two have the word, once among five and twice among four.
        let counts = WordCounts {
            rows: 6,
            words: 29,
            rows_with: vec![2],
        };
        let by = WordScoring {
            field: crate::request::FieldRef {
                column: "t".into(),
                field_type: storage::model::FieldType::Text,
            },
            analyzer: Some(crate::text::Analyzer::Standard),
            words: vec!["brown".into()],
            is_phrase: false,
            boost: 1.0,
        };
        let weights = WordWeights::new(&by, &counts);
        let score = |often, length| {
            let norm = weights.norms[usize::from(length_byte(length))];
            saturated(weights.weights[0], often, norm)
        };
        assert!((score(1, 5) - 0.461_498_68).abs() < 1e-6);
        assert!((score(2, 4) - 0.676_307_2).abs() < 1e-6);
    }
}
