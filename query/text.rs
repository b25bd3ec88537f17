//! How full text is cut into tokens, and how tokens match.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::request::TokenMatch;

/// Longest token, in characters; longer words are cut into tokens of this length.
const TOKEN_CHARS_MAX: usize = 255;

/// How full text is cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analyzer {
    /// Words by Unicode's boundaries, in lower case.
    #[default]
    Standard,
    /// Runs of letters, in lower case.
    Simple,
    /// What stands between spaces, as it is.
    Whitespace,
    /// The whole text, as it is.
    Keyword,
    /// As `Simple`, without the words that English texts are full of.
    Stop,
}

/// Words that [`Analyzer::Stop`] leaves out.
pub const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

impl Analyzer {
    /// The analyzer of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "standard" | "default" => Self::Standard,
            "simple" => Self::Simple,
            "whitespace" => Self::Whitespace,
            "keyword" => Self::Keyword,
            "stop" => Self::Stop,
            _ => return None,
        })
    }

    /// The tokens of `text`.
    #[must_use]
    pub fn tokens(self, text: &str) -> Vec<String> {
        let runs = || {
            let runs = text.split(|c: char| !c.is_alphabetic());
            runs.filter(|run| !run.is_empty()).map(str::to_lowercase)
        };
        match self {
            Self::Standard => tokens(text),
            Self::Simple => runs().collect(),
            Self::Whitespace => text.split_whitespace().map(str::to_owned).collect(),
            Self::Keyword => vec![text.to_owned()],
            Self::Stop => runs().filter(|run| !STOP_WORDS.contains(&&**run)).collect(),
        }
    }
}

impl Analyzer {
    /// The tokens of `text` and where they are in it.
    #[must_use]
    pub fn places(self, text: &str) -> Vec<(Range<usize>, String)> {
        let place = |word: &str| {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            start..start + word.len()
        };
        let lower = |word: &str| (place(word), word.to_lowercase());
        let runs = || {
            let runs = text.split(|c: char| !c.is_alphabetic());
            runs.filter(|run| !run.is_empty()).map(lower)
        };
        match self {
            Self::Standard => words(text).into_iter().map(lower).collect(),
            Self::Simple => runs().collect(),
            Self::Whitespace => {
                let words = text.split_whitespace();
                words.map(|word| (place(word), word.to_owned())).collect()
            }
            Self::Keyword => vec![(0..text.len(), text.to_owned())],
            Self::Stop => runs()
                .filter(|(_, run)| !STOP_WORDS.contains(&&**run))
                .collect(),
        }
    }
}

/// The words of `text` by Unicode's boundaries. A colon between letters is part of a word, as it
/// was up to Unicode 15 and is in Lucene.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (start, word) in text.unicode_word_indices() {
        let end = start + word.len();
        let starts_with_letter = word.starts_with(char::is_alphabetic);
        match words.last_mut() {
            Some(last)
                if last.end + 1 == start
                    && text.as_bytes()[last.end] == b':'
                    && starts_with_letter
                    && text[last.clone()].ends_with(char::is_alphabetic) =>
            {
                last.end = end;
            }
            _other => words.push(start..end),
        }
    }
    words.into_iter().map(|word| &text[word]).collect()
}

/// The tokens of `text`: its words by Unicode's boundaries, in lower case.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in words(text) {
        let mut characters = word.chars().flat_map(char::to_lowercase).peekable();
        while characters.peek().is_some() {
            tokens.push(characters.by_ref().take(TOKEN_CHARS_MAX).collect());
        }
    }
    tokens
}

/// The sentences of `text`, with what stands between them.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let bounds = text.split_sentence_bound_indices();
    bounds
        .map(|(start, sentence)| start..start + sentence.len())
        .collect()
}

/// Whether `tokens` occur in `text` as `how` says. Nothing to look for is found nowhere.
pub(crate) fn matches(text: &[String], tokens: &[String], how: TokenMatch) -> bool {
    if tokens.is_empty() {
        return false;
    }
    match how {
        TokenMatch::Any => tokens.iter().any(|token| text.contains(token)),
        TokenMatch::All => tokens.iter().all(|token| text.contains(token)),
        TokenMatch::Phrase { slop: 0 } => text.windows(tokens.len()).any(|run| run == tokens),
        TokenMatch::Phrase { slop } => matches_loosely(text, tokens, slop),
    }
}

/// Whether one place for each token can be chosen so that they are off their order by no more than
/// `slop` positions together: the spread of (place in text − place in phrase), as Lucene counts it.
fn matches_loosely(text: &[String], tokens: &[String], slop: u32) -> bool {
    let places: Vec<Vec<usize>> = tokens
        .iter()
        .map(|token| {
            (0..text.len())
                .filter(|place| text[*place] == *token)
                .collect()
        })
        .collect();
    if places.iter().any(Vec::is_empty) {
        return false;
    }
    // Shifted by the phrase's length so that differences stay unsigned.
    let shifted = |phrase_place: usize, place: usize| place + tokens.len() - phrase_place;
    let mut next = vec![0; tokens.len()];
    // Sweep: the token that lies furthest back moves to its next place.
    loop {
        let at = |token: usize| shifted(token, places[token][next[token]]);
        let lowest = (0..tokens.len())
            .min_by_key(|token| at(*token))
            .expect("there is a token");
        let highest = (0..tokens.len()).map(at).max().expect("there is a token");
        let is_near = highest - at(lowest) <= slop as usize;
        if is_near && places_differ(&places, &next) {
            return true;
        }
        next[lowest] += 1;
        if next[lowest] == places[lowest].len() {
            return false;
        }
    }
}

/// Whether no two tokens of the phrase stand on the same word.
fn places_differ(places: &[Vec<usize>], next: &[usize]) -> bool {
    let mut chosen: Vec<usize> = places.iter().zip(next).map(|(all, at)| all[*at]).collect();
    chosen.sort_unstable();
    chosen.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_lower_case() {
        let check = |text: &str, expected: &[&str]| assert_eq!(tokens(text), expected);
        check(
            "The 2 QUICK Brown-Foxes.",
            &["the", "2", "quick", "brown", "foxes"],
        );
        check("don't 3.14 a_b", &["don't", "3.14", "a_b"]);
        check("level:error a: b 1:x", &["level:error", "a", "b", "1", "x"]);
        check("日本", &["日", "本"]);
        check(" -- ", &[]);
        assert_eq!(tokens(&"x".repeat(300)).len(), 2);
    }

    #[test]
    fn analyzers_cut_as_they_are_called() {
        let check = |name: &str, expected: &[&str]| {
            let analyzer = Analyzer::parse(name).expect("known");
            assert_eq!(analyzer.tokens("The Fox's 2-DEN"), expected, "{name}");
        };
        check("standard", &["the", "fox's", "2", "den"]);
        check("simple", &["the", "fox", "s", "den"]);
        check("whitespace", &["The", "Fox's", "2-DEN"]);
        check("keyword", &["The Fox's 2-DEN"]);
        check("stop", &["fox", "s", "den"]);
        assert_eq!(Analyzer::parse("klingon"), None);
    }

    #[test]
    fn phrases_and_slop() {
        let check = |text: &str, phrase: &str, slop: u32| {
            matches(&tokens(text), &tokens(phrase), TokenMatch::Phrase { slop })
        };
        assert!(check("a quick brown fox", "quick brown", 0));
        assert!(!check("a quick red fox", "quick fox", 0));
        assert!(check("a quick red fox", "quick fox", 1));
        assert!(check("a b", "b a", 2));
        assert!(!check("a b", "b a", 1));
        assert!(!check("a", "a a", 1));
        assert!(check("a a", "a a", 1));
    }
}
