//! Patterns and predicates over distinct texts.

use core::net::IpAddr;
use std::ops::{Bound, RangeBounds};

use regex::bytes::{Regex, RegexBuilder};
use storage::model::{Dictionary, Span};
use storage::segment::{ColumnHandle, RowSource};

use crate::QueryError;
use crate::intervals::CompiledIntervals;
use crate::request::{Pattern, TextPredicate};
use crate::text::{self, Analyzer};

/// Most memory of one compiled pattern.
const PATTERN_BYTES_MAX: usize = 4 << 20;

/// A pattern that is ready to be matched.
#[derive(Debug, Clone)]
pub(crate) enum CompiledPattern {
    Regex(Regex),
    Near {
        word: Vec<char>,
        edits_max: usize,
        prefix_chars: usize,
    },
}

impl CompiledPattern {
    pub(crate) fn new(pattern: &Pattern) -> Result<Self, QueryError> {
        let (given, expression) = match pattern {
            Pattern::Wildcard(wildcard) => (wildcard, wildcard_expression(wildcard)),
            Pattern::Regex(expression) => (expression, expression.clone()),
            Pattern::Near {
                word,
                edits_max,
                prefix_chars,
            } => {
                return Ok(Self::Near {
                    word: word.chars().collect(),
                    edits_max: *edits_max,
                    prefix_chars: *prefix_chars,
                });
            }
        };
        // Alone first: `a)|(b` must not slip out of the anchors.
        compile(&expression)
            .and_then(|_| compile(&format!(r"\A(?:{expression})\z")))
            .map(Self::Regex)
            .map_err(|source| QueryError::Pattern {
                pattern: given.clone(),
                source: Box::new(source),
            })
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Near {
                word,
                edits_max,
                prefix_chars,
            } => is_near(word, text, *edits_max, *prefix_chars),
        }
    }
}

/// Whether so few letters are wrong, missing, added or exchanged with their neighbour.
fn is_near(word: &[char], text: &[u8], edits_max: usize, prefix_chars: usize) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    // Bytes bound characters from above, so most texts need no count.
    if text.len() + edits_max < word.len() || text.len() > 4 * (word.len() + edits_max) {
        return false;
    }
    let text: Vec<char> = text.chars().collect();
    let prefix = prefix_chars.min(word.len());
    if text.len().abs_diff(word.len()) > edits_max || !text.starts_with(&word[..prefix]) {
        return false;
    }
    // Three rows of the table of distances between the texts' beginnings.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=text.len()).collect();
    for (row, letter) in word.iter().enumerate() {
        let mut own = vec![row + 1];
        for (column, other) in text.iter().enumerate() {
            let changed = above[column] + usize::from(letter != other);
            let mut least = changed.min(above[column + 1] + 1).min(own[column] + 1);
            let is_exchanged =
                row > 0 && column > 0 && *letter == text[column - 1] && word[row - 1] == *other;
            if is_exchanged {
                least = least.min(before[column - 1] + 1);
            }
            own.push(least);
        }
        before = std::mem::replace(&mut above, own);
    }
    above.last().is_some_and(|distance| *distance <= edits_max)
}

fn compile(expression: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(expression)
        .dot_matches_new_line(true)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
}

/// `*` is any text, `?` any character, `\` takes the next literally.
fn wildcard_expression(wildcard: &str) -> String {
    let mut expression = String::new();
    let mut literal = [0; 4];
    let mut characters = wildcard.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            _ => {
                let character = match character {
                    '\\' => characters.next().unwrap_or('\\'),
                    _ => character,
                };
                expression.push_str(&regex::escape(character.encode_utf8(&mut literal)));
            }
        }
    }
    expression
}

/// A set of codes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CodeSet {
    words: Vec<u64>,
    count: usize,
    /// The smallest, while there is one.
    first: u32,
}

impl CodeSet {
    /// Room for codes below `limit`.
    pub(crate) fn empty_below(limit: usize) -> Self {
        Self {
            words: vec![0; limit.div_ceil(64)],
            count: 0,
            first: 0,
        }
    }

    /// Adds a code that it has room for and that is not in it.
    pub(crate) fn insert(&mut self, code: u32) {
        self.words[code as usize / 64] |= 1 << (code % 64);
        if self.count == 0 || code < self.first {
            self.first = code;
        }
        self.count += 1;
    }

    pub(crate) fn contains(&self, code: u32) -> bool {
        let code = code as usize;
        self.words
            .get(code / 64)
            .is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The only code.
    pub(crate) fn only(&self) -> Option<u32> {
        (self.count == 1).then_some(self.first)
    }
}

/// Dictionaries up to so many terms are kept in memory when they are read; of larger ones a scan
/// reads what it needs.
const KEPT_TERMS_MAX: usize = 1 << 14;

/// Shows every term of a text column with its code.
pub(crate) fn each_term(
    source: &RowSource,
    column: ColumnHandle,
    mut visit: impl FnMut(u32, &[u8]),
) -> Result<(), QueryError> {
    match source {
        RowSource::Segment(reader) if source.term_count(column)? > KEPT_TERMS_MAX => {
            let mut terms = Dictionary::default();
            for block in 0..reader.term_block_count(column)? {
                let first = reader.term_block(column, block, &mut terms)?;
                for (code, term) in (first..).zip(terms.terms()) {
                    visit(code, term);
                }
            }
        }
        RowSource::Segment(_) | RowSource::Active(_) => {
            let dictionary = source.dictionary(column)?;
            for (code, term) in (0..).zip(dictionary.terms()) {
                visit(code, term);
            }
        }
    }
    Ok(())
}

/// The codes of a text column whose terms fit `predicate`; each term is looked at once.
pub(crate) fn matching_codes(
    predicate: &TextPredicate,
    source: &RowSource,
    column: ColumnHandle,
) -> Result<CodeSet, QueryError> {
    codes_analyzed(predicate, Analyzer::Standard, source, column)
}

fn codes_analyzed(
    predicate: &TextPredicate,
    analyzer: Analyzer,
    source: &RowSource,
    column: ColumnHandle,
) -> Result<CodeSet, QueryError> {
    let text_tokens = |term: &[u8]| analyzer.tokens(&String::from_utf8_lossy(term));
    match predicate {
        TextPredicate::In(terms) => match source {
            RowSource::Segment(_) => {
                let mut set = CodeSet::empty_below(source.term_count(column)?);
                for term in terms {
                    if let Some(code) = source.find_term(column, term)? {
                        set.insert(code);
                    }
                }
                Ok(set)
            }
            RowSource::Active(_) => codes_where(source, column, |term| terms.contains(term)),
        },
        TextPredicate::Range { lower, upper } => {
            let range: (Bound<&[u8]>, Bound<&[u8]>) = (
                lower.as_ref().map(Vec::as_slice),
                upper.as_ref().map(Vec::as_slice),
            );
            codes_where(source, column, |term| {
                RangeBounds::<[u8]>::contains(&range, term)
            })
        }
        TextPredicate::Address { first, last } => codes_where(source, column, |term| {
            address(term).is_some_and(|address| (*first..=*last).contains(&address))
        }),
        TextPredicate::Pattern { pattern, tokens } => {
            let pattern = CompiledPattern::new(pattern)?;
            codes_where(source, column, |term| match tokens {
                false => pattern.matches(term),
                true => text_tokens(term)
                    .iter()
                    .any(|token| pattern.matches(token.as_bytes())),
            })
        }
        TextPredicate::Tokens { tokens, how } => codes_where(source, column, |term| {
            text::matches(&text_tokens(term), tokens, *how)
        }),
        TextPredicate::Intervals(intervals) => {
            let intervals = CompiledIntervals::new(intervals)?;
            codes_where(source, column, |term| intervals.matches(&text_tokens(term)))
        }
        TextPredicate::Analyzed {
            analyzer,
            predicate,
        } => codes_analyzed(predicate, *analyzer, source, column),
        TextPredicate::Span { span, relation } => codes_where(source, column, |term| {
            Span::parse(term).is_some_and(|own| own.stands(*relation, *span))
        }),
    }
}

fn codes_where(
    source: &RowSource,
    column: ColumnHandle,
    mut fits: impl FnMut(&[u8]) -> bool,
) -> Result<CodeSet, QueryError> {
    let mut set = CodeSet::empty_below(source.term_count(column)?);
    each_term(source, column, |code, term| {
        if fits(term) {
            set.insert(code);
        }
    })?;
    Ok(set)
}

/// The number that an address has as one of IPv6.
pub(crate) fn address(term: &[u8]) -> Option<u128> {
    Some(match std::str::from_utf8(term).ok()?.parse().ok()? {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let check = |wildcard: &str, text: &str| {
            let pattern = CompiledPattern::new(&Pattern::Wildcard(wildcard.into()));
            pattern.expect("a pattern").matches(text.as_bytes())
        };
        assert!(check("a*c", "abbc"));
        assert!(check("a*", "a\nb"));
        assert!(check("?", "ü"));
        assert!(!check("?", "ab"));
        assert!(check(r"\*.[", "*.["));
        assert!(!check(r"\*", "a"));
        assert!(!check("b", "abc"));
    }

    #[test]
    fn near_words() {
        let check = |word: &str, text: &str, edits_max: usize, prefix_chars: usize| {
            let pattern = Pattern::Near {
                word: word.into(),
                edits_max,
                prefix_chars,
            };
            let pattern = CompiledPattern::new(&pattern).expect("a pattern");
            pattern.matches(text.as_bytes())
        };
        assert!(check("quick", "quick", 0, 0));
        assert!(check("quick", "quikc", 1, 0));
        assert!(check("quick", "quic", 1, 0));
        assert!(check("quick", "quiick", 1, 0));
        assert!(check("quick", "kwick", 2, 0));
        assert!(!check("quick", "kwick", 2, 1));
        assert!(!check("quick", "brown", 2, 0));
        assert!(check("größe", "grösse", 2, 0));
    }

    #[test]
    fn alternatives_are_anchored_as_a_whole() {
        let pattern = CompiledPattern::new(&Pattern::Regex("a|b".into())).expect("a pattern");
        assert!(pattern.matches(b"a") && pattern.matches(b"b"));
        assert!(!pattern.matches(b"ab") && !pattern.matches(b"cb"));
    }
}
