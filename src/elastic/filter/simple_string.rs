//! `simple_query_string`: a query string that is never wrong. `+` is and, `|` or, `-` not, with
//! phrases, prefixes and groups.

use query::request::Filter;
use serde_json::Value;

use super::query_string::{QueryStringOptions, filter_of};
use super::syntax::{Clause, EDITS_MAX, Node, Occurs, Word};
use super::words::Operator;
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;

/// Deepest nesting of groups; a text that goes deeper is read as if they were not there.
const DEPTH_MAX: usize = 64;

/// Reads the query.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let mut options = QueryStringOptions::new();
    let mut text = None;
    for (key, value) in read::object(body, "simple_query_string")? {
        match key.as_str() {
            "query" => text = Some(read::text(value, key)?),
            "fields" => {
                let fields = read::one_or_many(value).iter();
                options.fields = fields
                    .map(|field| read::text(field, key))
                    .collect::<Result<_, _>>()?;
            }
            "default_operator" => {
                let operator = Operator::parse(&read::text(value, key)?)?;
                options.all_required = operator == Operator::And;
            }
            "lenient" => options.lenient = read::flag(value, key)?,
            "minimum_should_match" => options.set_count_min(value),
            "analyze_wildcard"
            | "analyzer"
            | "auto_generate_synonyms_phrase_query"
            | "boost"
            | "flags"
            | "fuzzy_max_expansions"
            | "fuzzy_prefix_length"
            | "fuzzy_transpositions"
            | "quote_field_suffix"
            | "_name" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[simple_query_string] unsupported field [{unknown}]"
                ))
                .at_key(unknown));
            }
        }
    }
    let text = text.ok_or_else(|| {
        ElasticError::parsing("[simple_query_string] query text missing")
            .at_value("simple_query_string")
    })?;
    let default = match options.all_required {
        true => Occurs::Must,
        false => Occurs::Should,
    };
    let mut parser = Parser {
        rest: &text,
        default,
    };
    match parser.group(0) {
        Some(node) => filter_of(context, &node, &options),
        None => Ok(Filter::None),
    }
}

struct Parser<'a> {
    rest: &'a str,
    /// How terms side by side are joined.
    default: Occurs,
}

impl Parser<'_> {
    /// Terms up to the end of the group.
    fn group(&mut self, depth: usize) -> Option<Node> {
        let mut tree: Option<Node> = None;
        let mut joined_by = self.default;
        loop {
            self.rest = self.rest.trim_start();
            let Some(next) = self.rest.chars().next() else {
                return tree;
            };
            match next {
                ')' => {
                    self.skip(next);
                    if depth > 0 {
                        return tree;
                    }
                }
                '+' => {
                    self.skip(next);
                    joined_by = Occurs::Must;
                }
                '|' => {
                    self.skip(next);
                    joined_by = Occurs::Should;
                }
                _term => {
                    if let Some(term) = self.term(depth) {
                        tree = Some(join(tree, term, joined_by));
                    }
                    joined_by = self.default;
                }
            }
        }
    }

    fn skip(&mut self, letter: char) {
        self.rest = &self.rest[letter.len_utf8()..];
    }

    fn term(&mut self, depth: usize) -> Option<Node> {
        let mut is_not = false;
        while self.rest.starts_with('-') {
            self.skip('-');
            is_not = !is_not;
        }
        let term = match self.rest.chars().next()? {
            '(' => {
                self.skip('(');
                if depth == DEPTH_MAX {
                    return None;
                }
                self.group(depth + 1)
            }
            '"' => self.phrase(),
            _word => self.word(),
        };
        match term {
            Some(term) if is_not => Some(Node::Clauses(vec![Clause {
                node: term,
                occurs: Occurs::MustNot,
            }])),
            term => term,
        }
    }

    /// A phrase, with its slop; without an end it is words.
    fn phrase(&mut self) -> Option<Node> {
        self.skip('"');
        let (text, rest) = self.rest.split_once('"')?;
        self.rest = rest;
        let slop = self.edits();
        let text = text.trim();
        (!text.is_empty()).then(|| Node::Phrase(text.to_owned(), slop))
    }

    /// `~2` behind a phrase.
    fn edits(&mut self) -> u32 {
        let Some(rest) = self.rest.strip_prefix('~') else {
            return 0;
        };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.rest = &rest[digits..];
        rest[..digits].parse().unwrap_or(0)
    }

    fn word(&mut self) -> Option<Node> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '\\' => text.extend(letters.next().map(|(_, letter)| letter)),
                '+' | '|' | '(' | ')' | '"' => {
                    end = place;
                    break;
                }
                letter if letter.is_whitespace() => {
                    end = place;
                    break;
                }
                letter => text.push(letter),
            }
        }
        self.rest = &self.rest[end..];
        let text = match text.rsplit_once('~') {
            Some((word, digits)) if digits.chars().all(|c| c.is_ascii_digit()) => {
                let edits_max = digits.parse().ok();
                let edits_max = edits_max.map(|edits: u8| edits.min(EDITS_MAX));
                return (!word.is_empty()).then(|| Node::Fuzzy(word.to_owned(), edits_max));
            }
            _plain => text,
        };
        let wildcard = text.ends_with('*').then(|| text.clone());
        (!text.is_empty()).then_some(Node::Word(Word { text, wildcard }))
    }
}

/// What is read so far and one more.
fn join(tree: Option<Node>, term: Node, occurs: Occurs) -> Node {
    let Some(tree) = tree else {
        return term;
    };
    let clause = |node| Clause { node, occurs };
    match tree {
        Node::Clauses(mut clauses)
            if clauses.len() > 1 && clauses.iter().all(|clause| clause.occurs == occurs) =>
        {
            clauses.push(clause(term));
            Node::Clauses(clauses)
        }
        other => Node::Clauses(vec![clause(other), clause(term)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match node {
            Node::Clauses(clauses) => {
                let shown = clauses.iter().map(|clause| {
                    let sign = match clause.occurs {
                        Occurs::Must => "+",
                        Occurs::MustNot => "-",
                        Occurs::Should => "",
                    };
                    sign.to_owned() + &shown(&clause.node)
                });
                format!("({})", shown.collect::<Vec<_>>().join(" "))
            }
            Node::Word(word) => word.text.clone(),
            Node::Phrase(text, slop) => format!("{text:?}~{slop}"),
            Node::Fuzzy(word, edits_max) => format!("{word}~{edits_max:?}"),
            Node::Field(..) | Node::Regex(_) | Node::Range(..) => panic!("there are none"),
        }
    }

    #[test]
    fn nothing_is_wrong() {
        let check = |text: &str, expected: &str| {
            let mut parser = Parser {
                rest: text,
                default: Occurs::Should,
            };
            let found = parser.group(0).map_or(String::new(), |node| shown(&node));
            assert_eq!(found, expected, "{text}");
        };
        check("a b", "(a b)");
        check("a + b", "(+a +b)");
        check("a + b | c", "((+a +b) c)");
        check("-a", "(-a)");
        check(r#""x y"~2 z*"#, r#"("x y"~2 z*)"#);
        check("(a | b) + c", "(+(a b) +c)");
        check(r#"a) "b"#, "(a b)");
        check(r"a\+b", "a+b");
        check("a~ b~1 c~9", "(a~None b~Some(1) c~Some(2))");
        check("", "");
        check("+ | (", "");
        check(&"(".repeat(100_000), "");
    }
}
