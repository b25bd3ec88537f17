//! Patterns and predicates over distinct texts.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::{Bound, RangeBounds};

use regex::bytes::{Regex, RegexBuilder};
use storage::model::Dictionary;

use crate::QueryError;
use crate::request::{Pattern, TextPredicate};
use crate::text;

/// Most memory of one compiled pattern.
const PATTERN_BYTES_MAX: usize = 4 << 20;

/// A pattern that is ready to be matched.
#[derive(Debug, Clone)]
pub(crate) struct CompiledPattern(Regex);

impl CompiledPattern {
    pub(crate) fn new(pattern: &Pattern) -> Result<Self, QueryError> {
        let (given, expression) = match pattern {
            Pattern::Wildcard(wildcard) => (wildcard, wildcard_expression(wildcard)),
            Pattern::Regex(expression) => (expression, expression.clone()),
        };
        // Alone first: `a)|(b` must not slip out of the anchors.
        compile(&expression)
            .and_then(|_| compile(&format!(r"\A(?:{expression})\z")))
            .map(Self)
            .map_err(|source| QueryError::Pattern {
                pattern: given.clone(),
                source: Box::new(source),
            })
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
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

/// A set of codes of one dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CodeSet {
    words: Vec<u64>,
    count: usize,
}

impl CodeSet {
    /// The codes of `dictionary` whose terms fit; each term is looked at once.
    pub(crate) fn of(dictionary: &Dictionary, mut fits: impl FnMut(&[u8]) -> bool) -> Self {
        let mut set = Self::none_of(dictionary);
        for (code, term) in dictionary.terms().enumerate() {
            if fits(term) {
                set.insert(code);
            }
        }
        set
    }

    fn none_of(dictionary: &Dictionary) -> Self {
        Self {
            words: vec![0; dictionary.len().div_ceil(64)],
            count: 0,
        }
    }

    fn insert(&mut self, code: usize) {
        self.words[code / 64] |= 1 << (code % 64);
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
}

/// In which order a dictionary keeps its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TermOrder {
    /// Ascending by bytes.
    Sorted,
    /// As they came.
    Arrival,
}

/// The code of `term`, if `dictionary` has it.
pub(crate) fn find_code(dictionary: &Dictionary, order: TermOrder, term: &[u8]) -> Option<u32> {
    let count = u32::try_from(dictionary.len()).expect("codes are 32 bits");
    match order {
        TermOrder::Arrival => (0..count).find(|code| dictionary.term(*code) == term),
        TermOrder::Sorted => {
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low + (high - low) / 2;
                match dictionary.term(middle).cmp(term) {
                    Ordering::Equal => return Some(middle),
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                }
            }
            None
        }
    }
}

/// The codes of `dictionary` whose terms fit `predicate`.
pub(crate) fn matching_codes(
    predicate: &TextPredicate,
    dictionary: &Dictionary,
    order: TermOrder,
) -> Result<CodeSet, QueryError> {
    Ok(match predicate {
        TextPredicate::In(terms) if order == TermOrder::Sorted => {
            let mut set = CodeSet::none_of(dictionary);
            for term in terms {
                if let Some(code) = find_code(dictionary, order, term) {
                    set.insert(code as usize);
                }
            }
            set
        }
        TextPredicate::In(terms) => CodeSet::of(dictionary, |term| terms.contains(term)),
        TextPredicate::Range { lower, upper } => {
            let range: (Bound<&[u8]>, Bound<&[u8]>) = (
                lower.as_ref().map(Vec::as_slice),
                upper.as_ref().map(Vec::as_slice),
            );
            CodeSet::of(dictionary, |term| {
                RangeBounds::<[u8]>::contains(&range, term)
            })
        }
        TextPredicate::Address { first, last } => CodeSet::of(dictionary, |term| {
            address(term).is_some_and(|address| (*first..=*last).contains(&address))
        }),
        TextPredicate::Pattern { pattern, tokens } => {
            let pattern = CompiledPattern::new(pattern)?;
            CodeSet::of(dictionary, |term| match tokens {
                false => pattern.matches(term),
                true => text_tokens(term)
                    .iter()
                    .any(|token| pattern.matches(token.as_bytes())),
            })
        }
        TextPredicate::Tokens { tokens, how } => CodeSet::of(dictionary, |term| {
            text::matches(&text_tokens(term), tokens, *how)
        }),
    })
}

/// The number that an address has as one of IPv6.
fn address(term: &[u8]) -> Option<u128> {
    Some(match std::str::from_utf8(term).ok()?.parse().ok()? {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    })
}

fn text_tokens(term: &[u8]) -> Vec<String> {
    text::tokens(&String::from_utf8_lossy(term))
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
    fn alternatives_are_anchored_as_a_whole() {
        let pattern = CompiledPattern::new(&Pattern::Regex("a|b".into())).expect("a pattern");
        assert!(pattern.matches(b"a") && pattern.matches(b"b"));
        assert!(!pattern.matches(b"ab") && !pattern.matches(b"cb"));
    }
}
