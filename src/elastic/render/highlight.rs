//! Why a hit matches: its texts with the parts that match between tags.

use std::ops::Range;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::fields::collect;
use crate::elastic::highlight::{HighlightField, HighlightShape};

/// Fields with a part that matches, and their fragments.
pub(super) struct Highlights<'a>(Vec<(&'a str, Vec<String>)>);

impl<'a> Highlights<'a> {
    /// Finds the parts of a document that match.
    pub(super) fn find(shape: &'a HighlightShape, source: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(source).unwrap_or_default();
        let mut found = Vec::new();
        for field in &shape.fields {
            let mut fragments = Vec::new();
            let mut first = None;
            collect(&document, &field.source_path, 0, &mut |value| {
                if let Value::String(text) = value {
                    add_fragments(field, text, &mut fragments);
                    first.get_or_insert_with(|| start_of(text, field.no_match_chars).to_owned());
                }
            });
            if fragments.is_empty() {
                fragments.extend(first.filter(|text| !text.is_empty()));
            }
            if field.fragments_max > 0 {
                fragments.truncate(field.fragments_max);
            }
            if !fragments.is_empty() {
                found.push((field.path.as_str(), fragments));
            }
        }
        Self(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Highlights<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, fragments) in &self.0 {
            map.serialize_entry(path, fragments)?;
        }
        map.end()
    }
}

/// The first words of `text`, up to the end of the one that so many characters reach.
fn start_of(text: &str, chars_max: usize) -> &str {
    if chars_max == 0 {
        return "";
    }
    let Some((limit, _)) = text.char_indices().nth(chars_max) else {
        return text;
    };
    let ends_word = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let behind = text[*at..].chars().next();
        before.is_some_and(char::is_alphanumeric) != behind.is_some_and(char::is_alphanumeric)
    };
    let mut places = (limit + 1..text.len()).filter(|at| text.is_char_boundary(*at));
    let end = places.find(ends_word).unwrap_or(text.len());
    text[..end].trim_end()
}

fn add_fragments(field: &HighlightField, text: &str, fragments: &mut Vec<String>) {
    let mut marks: Vec<Range<usize>> = Vec::new();
    for marker in &field.markers {
        marks.extend(marker.marks(text));
    }
    marks.sort_by_key(|mark| (mark.start, mark.end));
    // What overlaps is shown once.
    let mut end = 0;
    marks.retain(|mark| {
        let is_free = mark.start >= end;
        end = if is_free { mark.end } else { end };
        is_free && !mark.is_empty()
    });
    if marks.is_empty() {
        return;
    }
    let is_whole = field.fragments_max == 0 || field.fragment_chars >= text.len();
    let parts = match is_whole {
        true => std::iter::once(0..text.len()).collect(),
        false => parts(text, field.fragment_chars),
    };
    for part in parts {
        let inside = marks.iter().filter(|mark| part.contains(&mark.start));
        let mut fragment = String::new();
        let mut at = part.start;
        for mark in inside {
            fragment.push_str(&text[at..mark.start]);
            let (before, behind) = &field.tags;
            fragment.extend([before.as_str(), &text[mark.clone()], behind.as_str()]);
            at = mark.end;
        }
        if at > part.start {
            let end = part.end.max(at);
            fragment.push_str(&text[at..end]);
            fragments.push(fragment.trim().to_owned());
        }
    }
}

/// Sentences put together until they are long enough.
fn parts(text: &str, chars_min: usize) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for sentence in query::text::sentences(text) {
        match parts.last_mut() {
            Some(last) if last.len() + sentence.len() <= chars_min => last.end = sentence.end,
            _ => parts.push(sentence),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use query::Marker;
    use query::request::{TextPredicate, TokenMatch};
    use serde_json::json;

    use super::*;

    fn check(chars: usize, count: usize, text: &str, expected: &[&str]) {
        let predicate = TextPredicate::Tokens {
            tokens: vec!["fox".into()],
            how: TokenMatch::Any,
        };
        let shape = HighlightShape {
            fields: vec![HighlightField {
                path: "t".into(),
                source_path: vec!["t".into()],
                markers: vec![Marker::new(&predicate).expect("sound")],
                tags: ("<".into(), ">".into()),
                fragment_chars: chars,
                fragments_max: count,
                no_match_chars: 0,
            }],
        };
        let document = json!({ "t": text }).to_string();
        let found = Highlights::find(&shape, document.as_bytes());
        let fragments: Vec<&str> = found
            .0
            .iter()
            .flat_map(|(_, texts)| texts)
            .map(String::as_str)
            .collect();
        assert_eq!(fragments, expected);
    }

    #[test]
    fn a_start_ends_with_a_word() {
        let check = |chars: usize, expected: &str| {
            assert_eq!(start_of("The quick fox.", chars), expected, "{chars}");
        };
        check(0, "");
        check(2, "The");
        check(3, "The");
        check(8, "The quick");
        check(9, "The quick");
        check(10, "The quick fox");
        check(100, "The quick fox.");
    }

    #[test]
    fn parts_that_match_are_shown_in_fragments() {
        let text = "A fox runs. Nothing here. The Fox, again.";
        check(10, 5, text, &["A <fox> runs.", "The <Fox>, again."]);
        check(10, 1, text, &["A <fox> runs."]);
        check(
            10,
            0,
            text,
            &["A <fox> runs. Nothing here. The <Fox>, again."],
        );
        check(100, 5, "no match", &[]);
    }
}
