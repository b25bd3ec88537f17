//! The syntax of query strings: text to a tree, without any field looked up.
//!
//! ```text
//! query  = clause { ["AND" | "OR" | "&&" | "||"] clause }
//! clause = ["+" | "-" | "!" | "NOT"] [field ":"] ( "(" query ")" | value ) ["^" boost]
//! value  = word | "\"" phrase "\"" ["~" slop] | "/" regex "/" | range
//!        | (">" | ">=" | "<" | "<=") word
//! range  = ("[" | "{") bound "TO" bound ("]" | "}")
//! ```

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 64;

/// Most clauses of one query string.
const CLAUSES_MAX: usize = 4_096;

/// A query string as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Clauses side by side.
    Clauses(Vec<Clause>),
    /// A clause that names its field.
    Field(String, Box<Node>),
    /// A word, wildcards included.
    Word(Word),
    /// A word, or one that so many changes of letters make of it; `None` leaves it to the reader.
    Fuzzy(String, Option<u8>),
    /// Words next to each other, up to so many moves apart.
    Phrase(String, u32),
    /// A regular expression.
    Regex(String),
    /// A range.
    Range(Option<RangeEnd>, Option<RangeEnd>),
}

/// Most changes that make a word a near one, as Lucene has it.
pub(super) const EDITS_MAX: u8 = 2;

/// A word: the text with escapes undone, and as a pattern when it has wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without escapes.
    pub(super) text: String,
    /// With escapes kept, when an unescaped `*` or `?` is in it.
    pub(super) wildcard: Option<String>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RangeEnd {
    pub(super) text: String,
    pub(super) included: bool,
}

/// One clause and how it takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) node: Node,
    pub(super) occurs: Occurs,
}

/// How a clause takes part in the query around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurs {
    /// It may match; one such clause must when none is required.
    Should,
    /// It must match.
    Must,
    /// It must not match.
    MustNot,
}

/// Reads a query string; `None` when it holds no clause at all.
///
/// # Errors
/// Says where it cannot go on.
pub(super) fn parse(text: &str, all_required: bool) -> Result<Option<Node>, String> {
    let mut parser = Parser {
        rest: text,
        all_required,
        clause_count: 0,
    };
    let node = parser.query(0)?;
    parser.skip_space();
    match parser.rest.chars().next() {
        None => Ok(node),
        Some(c) => Err(parser.unexpected(c)),
    }
}

struct Parser<'t> {
    rest: &'t str,
    all_required: bool,
    clause_count: usize,
}

/// How a clause is joined to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joined {
    Plain,
    And,
    Or,
}

impl<'t> Parser<'t> {
    fn query(&mut self, depth: usize) -> Result<Option<Node>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} nested parentheses"));
        }
        let mut clauses: Vec<Clause> = Vec::new();
        loop {
            let joined = self.conjunction();
            let modifier = self.modifier();
            let at_end = matches!(self.peek(), None | Some(')'));
            if at_end {
                if joined != Joined::Plain || modifier.is_some() {
                    return Err("Encountered \"<EOF>\" where a clause was expected".into());
                }
                break;
            }
            let node = self.clause(depth)?;
            self.clause_count += 1;
            if self.clause_count > CLAUSES_MAX {
                return Err(format!("more than {CLAUSES_MAX} clauses"));
            }
            self.join(&mut clauses, joined, modifier, node);
        }
        Ok(match clauses.len() {
            0 => None,
            1 if clauses[0].occurs != Occurs::MustNot => clauses.pop().map(|clause| clause.node),
            _ => Some(Node::Clauses(clauses)),
        })
    }

    /// Lucene's classic rule: `AND` also binds the clause before it; `OR` frees it when clauses are
    /// required by default.
    fn join(
        &self,
        clauses: &mut Vec<Clause>,
        joined: Joined,
        modifier: Option<Occurs>,
        node: Node,
    ) {
        if let Some(before) = clauses.last_mut() {
            let is_prohibited = before.occurs == Occurs::MustNot;
            if joined == Joined::And && !is_prohibited {
                before.occurs = Occurs::Must;
            }
            if joined == Joined::Or && self.all_required && !is_prohibited {
                before.occurs = Occurs::Should;
            }
        }
        let occurs = match modifier {
            Some(occurs) => occurs,
            None if joined == Joined::And => Occurs::Must,
            None if self.all_required && joined != Joined::Or => Occurs::Must,
            None => Occurs::Should,
        };
        clauses.push(Clause { node, occurs });
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest.chars().next()
    }

    fn unexpected(&self, c: char) -> String {
        format!("Encountered \"{c}\" before \"{}\"", self.rest)
    }

    /// Takes `symbol` when it is next.
    fn take(&mut self, symbol: &str) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes an operator written as a word of its own.
    fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let Some(rest) = self.rest.strip_prefix(word) else {
            return false;
        };
        let ends = rest
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '+' | '-' | '!'));
        if ends {
            self.rest = rest;
        }
        ends
    }

    fn conjunction(&mut self) -> Joined {
        if self.take_word("AND") || self.take_word("&&") {
            Joined::And
        } else if self.take_word("OR") || self.take_word("||") {
            Joined::Or
        } else {
            Joined::Plain
        }
    }

    fn modifier(&mut self) -> Option<Occurs> {
        self.skip_space();
        if self.take("+") {
            Some(Occurs::Must)
        } else if self.take("-") || self.take("!") || self.take_word("NOT") {
            Some(Occurs::MustNot)
        } else {
            None
        }
    }

    fn clause(&mut self, depth: usize) -> Result<Node, String> {
        let before = self.rest;
        // A field is a word with a colon behind it.
        if let Some(word) = self.word() {
            self.skip_space();
            if self.take(":") {
                let node = self.field_value(depth)?;
                return Ok(Node::Field(word.text, Box::new(node)));
            }
            self.rest = before;
        }
        self.value(depth)
    }

    fn field_value(&mut self, depth: usize) -> Result<Node, String> {
        self.skip_space();
        for (symbol, lower, included) in [
            (">=", true, true),
            ("<=", false, true),
            (">", true, false),
            ("<", false, false),
        ] {
            if self.take(symbol) {
                self.skip_space();
                let text = self.range_text(|c| c.is_whitespace() || c == ')')?;
                let end = Some(RangeEnd { text, included });
                return Ok(if lower {
                    Node::Range(end, None)
                } else {
                    Node::Range(None, end)
                });
            }
        }
        self.value(depth)
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        let mut node = match self.peek() {
            Some('(') => {
                self.rest = &self.rest[1..];
                let inner = self.query(depth + 1)?;
                self.skip_space();
                if !self.take(")") {
                    return Err("Encountered \"<EOF>\" where \")\" was expected".into());
                }
                inner.ok_or("Encountered \")\" where a clause was expected")?
            }
            Some('"') => {
                let text = self.quoted('"')?;
                let slop = if self.take("~") { self.number() } else { 0 };
                Node::Phrase(text, slop)
            }
            Some('/') => Node::Regex(self.regex()?),
            Some('[' | '{') => self.range()?,
            Some(c @ ('>' | '<')) => self.comparison(c)?,
            Some(c) => Node::Word(self.word().ok_or_else(|| self.unexpected(c))?),
            None => return Err("Encountered \"<EOF>\" where a value was expected".into()),
        };
        if self.rest.starts_with('~') {
            node = match node {
                Node::Word(Word {
                    text,
                    wildcard: None,
                }) => {
                    self.rest = &self.rest[1..];
                    let edits_max = self.edits(&text);
                    Node::Fuzzy(text, edits_max)
                }
                _other => return Err(self.unexpected('~')),
            };
        }
        if self.take("^") {
            let digits = self
                .rest
                .bytes()
                .take_while(|b| b.is_ascii_digit() || *b == b'.')
                .count();
            if digits == 0 {
                return Err("Encountered no number behind \"^\"".into());
            }
            self.rest = &self.rest[digits..];
        }
        Ok(node)
    }

    /// `>10` without a field of its own, as in `field:(>=10 AND <20)`.
    fn comparison(&mut self, first: char) -> Result<Node, String> {
        self.rest = &self.rest[1..];
        let included = self.take("=");
        self.skip_space();
        let text = self.range_text(|c| c.is_whitespace() || c == ')')?;
        let end = Some(RangeEnd { text, included });
        Ok(if first == '>' {
            Node::Range(end, None)
        } else {
            Node::Range(None, end)
        })
    }

    /// A word up to whitespace or a character that means something; `None` when there is none.
    fn word(&mut self) -> Option<Word> {
        let (mut text, mut wildcard, mut has_wildcard) = (String::new(), String::new(), false);
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = characters.next() {
            if c == '\\' {
                let Some((_, escaped)) = characters.next() else {
                    end = at;
                    break;
                };
                text.push(escaped);
                wildcard.extend(['\\', escaped]);
                continue;
            }
            let is_special = c.is_whitespace() || r#"!():^[]"{}~"#.contains(c);
            let cannot_start = at == 0 && matches!(c, '+' | '-' | '/' | '>' | '<' | '=');
            if is_special || cannot_start {
                end = at;
                break;
            }
            has_wildcard |= matches!(c, '*' | '?');
            text.push(c);
            wildcard.push(c);
        }
        let ends_in_backslash = self.rest[end..].starts_with('\\');
        if end == 0 || ends_in_backslash {
            return None;
        }
        self.rest = &self.rest[end..];
        Some(Word {
            text,
            wildcard: has_wildcard.then_some(wildcard),
        })
    }

    /// A text between quotes, escapes undone.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err("Encountered \"<EOF>\" inside of quotes".into())
    }

    /// A regular expression between slashes; `\/` is a slash, other escapes are its own.
    fn regex(&mut self) -> Result<String, String> {
        let mut regex = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '/' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(regex);
                }
                '\\' => match characters.next() {
                    Some((_, '/')) => regex.push('/'),
                    Some((_, escaped)) => regex.extend(['\\', escaped]),
                    None => break,
                },
                c => regex.push(c),
            }
        }
        Err("Encountered \"<EOF>\" inside of a regular expression".into())
    }

    fn range(&mut self) -> Result<Node, String> {
        let lower_included = self.take("[");
        if !lower_included {
            self.take("{");
        }
        let lower = self.range_bound(lower_included)?;
        self.skip_space();
        if !self.take("TO") {
            return Err("Encountered a range without \"TO\"".into());
        }
        let mut upper = self.range_bound(true)?;
        self.skip_space();
        let upper_included = self.take("]");
        if !upper_included && !self.take("}") {
            return Err("Encountered a range that is not closed".into());
        }
        if let Some(end) = &mut upper {
            end.included = upper_included;
        }
        Ok(Node::Range(lower, upper))
    }

    /// One end of a range; `*` is open.
    fn range_bound(&mut self, included: bool) -> Result<Option<RangeEnd>, String> {
        self.skip_space();
        let text = self.range_text(|c| c.is_whitespace() || matches!(c, ']' | '}'))?;
        Ok((text != "*").then_some(RangeEnd { text, included }))
    }

    fn range_text(&mut self, ends: impl Fn(char) -> bool) -> Result<String, String> {
        if self.rest.starts_with('"') {
            return self.quoted('"');
        }
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = characters.next() {
            if ends(c) {
                end = at;
                break;
            }
            match c {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                c => text.push(c),
            }
        }
        self.rest = &self.rest[end..];
        if text.is_empty() {
            return Err("Encountered a range without a value".into());
        }
        Ok(text)
    }

    /// The number behind `~`: of changes, or below 1 the share of letters that stay.
    fn edits(&mut self, word: &str) -> Option<u8> {
        let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let (number, rest) = self
            .rest
            .split_at(self.rest.bytes().take_while(is_part).count());
        self.rest = rest;
        let number: f64 = number.parse().ok()?;
        let changes = match number {
            0.0 => 0.0,
            share if share < 1.0 => (1.0 - share) * word.chars().count() as f64,
            changes => changes,
        };
        Some(match changes {
            changes if changes < 1.0 => 0,
            changes if changes < 2.0 => 1,
            _more => EDITS_MAX,
        })
    }

    fn number(&mut self) -> u32 {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().unwrap_or(0)
    }
}
