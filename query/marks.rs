//! Which parts of a text fit a predicate: for those who show why a row matches.

use std::ops::Range;

use crate::QueryError;
use crate::pattern::CompiledPattern;
use crate::request::{Intervals, TextPredicate, WordMatch};
use crate::text::{Analyzer, matches};

/// A predicate that is ready to find its places in texts.
#[derive(Debug, Clone)]
pub struct Marker {
    analyzer: Analyzer,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// The whole text.
    Whole(TextPredicate),
    WholePattern(CompiledPattern),
    /// Each of these words, where all that is asked of them holds.
    Words(Vec<Word>, Option<TextPredicate>),
}

#[derive(Debug, Clone)]
enum Word {
    Is(String),
    Fits(CompiledPattern),
}

impl Marker {
    /// Makes `predicate` ready.
    ///
    /// # Errors
    /// When a pattern is none.
    pub fn new(predicate: &TextPredicate) -> Result<Self, QueryError> {
        Self::analyzed(predicate, Analyzer::Standard)
    }

    fn analyzed(predicate: &TextPredicate, analyzer: Analyzer) -> Result<Self, QueryError> {
        let test = match predicate {
            TextPredicate::Analyzed {
                analyzer,
                predicate,
            } => return Self::analyzed(predicate, *analyzer),
            TextPredicate::Pattern {
                pattern,
                tokens: false,
            } => Test::WholePattern(CompiledPattern::new(pattern)?),
            TextPredicate::Pattern {
                pattern,
                tokens: true,
            } => Test::Words(vec![Word::Fits(CompiledPattern::new(pattern)?)], None),
            TextPredicate::Tokens { tokens, .. } => {
                let words = tokens.iter().cloned().map(Word::Is).collect();
                Test::Words(words, Some(predicate.clone()))
            }
            TextPredicate::Intervals(intervals) => {
                let mut words = Vec::new();
                words_of(intervals, &mut words)?;
                Test::Words(words, None)
            }
            TextPredicate::In(_)
            | TextPredicate::Range { .. }
            | TextPredicate::Address { .. }
            | TextPredicate::Span { .. } => Test::Whole(predicate.clone()),
        };
        Ok(Self { analyzer, test })
    }

    /// Parts of `text` that fit, in order.
    #[must_use]
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        let whole = |fits: bool| Vec::from_iter(fits.then_some(0..text.len()));
        match &self.test {
            Test::Whole(TextPredicate::In(texts)) => whole(texts.contains(text.as_bytes())),
            Test::Whole(_) => Vec::new(),
            Test::WholePattern(pattern) => whole(pattern.matches(text.as_bytes())),
            Test::Words(words, condition) => {
                let places = self.analyzer.places(text);
                if let Some(TextPredicate::Tokens { tokens, how }) = condition {
                    let own: Vec<String> = places.iter().map(|(_, word)| word.clone()).collect();
                    if !matches(&own, tokens, *how) {
                        return Vec::new();
                    }
                }
                let fits = |token: &str| {
                    words.iter().any(|word| match word {
                        Word::Is(word) => word == token,
                        Word::Fits(pattern) => pattern.matches(token.as_bytes()),
                    })
                };
                let places = places.into_iter().filter(|(_, token)| fits(token));
                places.map(|(place, _)| place).collect()
            }
        }
    }
}

fn words_of(intervals: &Intervals, words: &mut Vec<Word>) -> Result<(), QueryError> {
    match intervals {
        Intervals::Word(WordMatch::Is(word)) => words.push(Word::Is(word.clone())),
        Intervals::Word(WordMatch::Fits(pattern)) => {
            words.push(Word::Fits(CompiledPattern::new(pattern)?));
        }
        Intervals::All { of, .. } | Intervals::Any(of) => {
            for of in of {
                words_of(of, words)?;
            }
        }
        Intervals::Filtered { of, .. } => words_of(of, words)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Pattern, TokenMatch};

    fn check(predicate: &TextPredicate, text: &str, expected: &str) {
        let marker = Marker::new(predicate).expect("sound");
        let mut shown = String::new();
        let mut at = 0;
        for mark in marker.marks(text) {
            shown += &format!("{}<{}>", &text[at..mark.start], &text[mark.clone()]);
            at = mark.end;
        }
        assert_eq!(shown + &text[at..], expected);
    }

    #[test]
    fn words_and_whole_texts_are_marked() {
        let tokens = |words: &[&str], how| TextPredicate::Tokens {
            tokens: words.iter().map(|word| (*word).into()).collect(),
            how,
        };
        let text = "The Quick, brown fox; quick!";
        check(
            &tokens(&["quick"], TokenMatch::Any),
            text,
            "The <Quick>, brown fox; <quick>!",
        );
        check(&tokens(&["quick", "red"], TokenMatch::All), text, text);
        let phrase = TokenMatch::Phrase { slop: 0 };
        check(
            &tokens(&["quick", "brown"], phrase),
            text,
            "The <Quick>, <brown> fox; <quick>!",
        );
        check(&tokens(&["brown", "quick"], phrase), text, text);
        let pattern = |tokens| TextPredicate::Pattern {
            pattern: Pattern::Wildcard("*.png".into()),
            tokens,
        };
        check(&pattern(false), "a/b.png", "<a/b.png>");
        check(&pattern(false), "a/b.gif", "a/b.gif");
        let set = TextPredicate::In([b"GET".to_vec()].into());
        check(&set, "GET", "<GET>");
    }
}
