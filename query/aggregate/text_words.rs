//! The words of the distinct texts of one source.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ordinals::TermSpace;

/// The words of each text, each word once.
#[derive(Debug, Default)]
pub(super) struct TextWords {
    words: Vec<String>,
    /// Where the words of each text end.
    ends: Vec<usize>,
}

/// The keys of the words of each text.
#[derive(Debug)]
pub(super) struct WordKeys {
    keys: Vec<i64>,
    ends: Vec<usize>,
}

impl TextWords {
    /// Adds the words of the next text.
    pub(super) fn push(&mut self, words: impl Iterator<Item = String>) {
        let distinct: BTreeSet<String> = words.collect();
        self.words.extend(distinct);
        self.ends.push(self.words.len());
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(String::as_bytes)
    }

    /// The same by the keys of words, all of which `space` has.
    pub(super) fn keys(self, space: &TermSpace) -> WordKeys {
        let key = |word: &String| space.word(word.as_bytes()).map(i64::from);
        let keys: Vec<i64> = self.words.iter().filter_map(key).collect();
        debug_assert_eq!(keys.len(), self.words.len(), "the space has all words");
        WordKeys {
            keys,
            ends: self.ends,
        }
    }
}

impl WordKeys {
    /// The keys of the words of text `code`, ascending.
    pub(super) fn of(&self, code: u32) -> &[i64] {
        let code = code as usize;
        let start = code.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range: Range<usize> = start..self.ends[code];
        &self.keys[range]
    }
}
