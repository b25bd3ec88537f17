//! Painless before it means anything: words, numbers, texts and signs, and a reader of them.

use std::borrow::Cow;

use query::pipeline::Binary;
use serde_json::{Map, Value};

use super::{ElasticError, read};

/// Most bytes of a script.
const SCRIPT_BYTES_MAX: usize = 65_535;

/// Deepest nesting of what is read.
const DEPTH_MAX: usize = 64;

/// What is wrong with a script, and where.
#[derive(Debug)]
pub(super) struct ScriptError {
    pub(super) offset: usize,
    pub(super) reason: String,
}

/// A piece of a script.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Whole(i64),
    Name(String),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// A piece and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) token: Token,
    pub(super) offset: usize,
}

/// Longer signs first.
const SIGNS: &[&str] = &[
    "===", "!==", "++", "--", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "&&", "||",
    "?.", "?", ":", "+", "-", "*", "/", "%", "<", ">", "!", "(", ")", "[", "]", "{", "}", ".", ",",
    ";", "=",
];

/// Operators with two sides, those that bind least first; longer signs before their beginnings.
const OPERATORS: &[&[(&str, Binary)]] = &[
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("===", Binary::Equal),
        ("!==", Binary::Unequal),
        ("==", Binary::Equal),
        ("!=", Binary::Unequal),
    ],
    &[
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[
        ("*", Binary::Multiply),
        ("/", Binary::Divide),
        ("%", Binary::Remainder),
    ],
];

/// A script as a request has it: a text, or an object with `source`, `lang` and `params`.
#[derive(Debug)]
pub(super) struct ScriptText<'v> {
    pub(super) source: String,
    pub(super) lang: &'v str,
    pub(super) params: Cow<'v, Map<String, Value>>,
}

impl<'v> ScriptText<'v> {
    /// Reads it; `langs` are those that are understood, the first of which is meant without a word.
    ///
    /// # Errors
    /// When it is neither, too long, or in another language.
    pub(super) fn read(value: &'v Value, langs: &[&'v str]) -> Result<Self, ElasticError> {
        let mut text = Self {
            source: String::new(),
            lang: langs.first().copied().unwrap_or_default(),
            params: Cow::Owned(Map::new()),
        };
        match value {
            Value::String(source) => text.source.clone_from(source),
            Value::Object(entries) => text.entries(entries)?,
            other => return Err(read::wrong(other, "script")),
        }
        if text.source.len() > SCRIPT_BYTES_MAX {
            return Err(ElasticError::illegal_argument(format!(
                "exceeded max allowed inline script size in bytes [{SCRIPT_BYTES_MAX}]"
            )));
        }
        if !langs.contains(&text.lang) {
            let reason = format!("script_lang not supported [{}]", text.lang);
            return Err(ElasticError::illegal_argument(reason));
        }
        Ok(text)
    }

    fn entries(&mut self, entries: &'v Map<String, Value>) -> Result<(), ElasticError> {
        let mut source = None;
        for (key, value) in entries {
            match key.as_str() {
                "source" | "inline" => source = Some(read::text(value, "source")?),
                "lang" => self.lang = value.as_str().unwrap_or(self.lang),
                "params" => {
                    if let Some(params) = value.as_object() {
                        self.params = Cow::Borrowed(params);
                    }
                }
                "options" => {}
                "id" => return Err(ElasticError::unsupported("a stored script")),
                unknown => {
                    let reason = format!("[script] unknown field [{unknown}]");
                    return Err(ElasticError::content(reason).at_key(unknown));
                }
            }
        }
        self.source = source.ok_or_else(|| {
            ElasticError::illegal_argument(
                "must specify either [source] for an inline script or [id] for a stored script",
            )
        })?;
        Ok(())
    }
}

/// The pieces of a script, read one after the other.
#[derive(Debug)]
pub(super) struct Pieces {
    places: Vec<Place>,
    next: usize,
    depth: usize,
    source_len: usize,
}

impl Pieces {
    pub(super) fn read(source: &str) -> Result<Self, ScriptError> {
        Ok(Self {
            places: tokens(source)?,
            next: 0,
            depth: 0,
            source_len: source.len(),
        })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.peek_beyond(0)
    }

    /// The piece that comes after `count` others.
    pub(super) fn peek_beyond(&self, count: usize) -> Option<&Token> {
        let place = self.places.get(self.next + count);
        place.map(|place| &place.token)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.next += count;
    }

    /// Where the next piece starts.
    pub(super) fn offset(&self) -> usize {
        let place = self.places.get(self.next);
        place.map_or(self.source_len, |place| place.offset)
    }

    /// The next piece cannot stand where it does.
    pub(super) fn wrong(&self) -> ScriptError {
        let shown = match self.peek() {
            None => "<EOF>".to_owned(),
            Some(Token::Number(number)) => number.to_string(),
            Some(Token::Whole(number)) => number.to_string(),
            Some(Token::Name(text) | Token::Text(text)) => text.clone(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        ScriptError {
            offset: self.offset(),
            reason: format!("unexpected token ['{shown}']."),
        }
    }

    /// Takes `sign` if it is next; says whether it was.
    pub(super) fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    /// As [`Pieces::takes`], for a word.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Name(next)) if next == word);
        self.next += usize::from(is_next);
        is_next
    }

    /// Takes an operator of `level` if one is next.
    pub(super) fn operator(&mut self, level: usize) -> Option<Binary> {
        let mut operators = OPERATORS.get(level)?.iter();
        let found = operators.find(|(sign, _)| self.takes(sign));
        found.map(|(_, operator)| *operator)
    }

    /// Whether operators of `level` exist; all that is above binds more tightly than any.
    pub(super) fn has_operators(level: usize) -> bool {
        level < OPERATORS.len()
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), ScriptError> {
        match self.takes(sign) {
            true => Ok(()),
            false => Err(self.wrong()),
        }
    }

    pub(super) fn name(&mut self) -> Result<String, ScriptError> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.wrong()),
        }
    }

    /// Goes one level deeper, until [`Pieces::rise`].
    pub(super) fn sink(&mut self) -> Result<(), ScriptError> {
        if self.depth == DEPTH_MAX {
            return Err(ScriptError {
                offset: self.offset(),
                reason: format!("a script is nested at most [{DEPTH_MAX}] levels deep"),
            });
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn rise(&mut self) {
        self.depth -= 1;
    }
}

/// Cuts `source` into pieces.
pub(super) fn tokens(source: &str) -> Result<Vec<Place>, ScriptError> {
    let mut places = Vec::new();
    let mut offset = 0;
    while let Some(first) = source[offset..].chars().next() {
        let rest = &source[offset..];
        let (token, length) = if first.is_whitespace() {
            offset += first.len_utf8();
            continue;
        } else if rest.starts_with("//") {
            offset += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            offset += rest.find("*/").map_or(rest.len(), |end| end + 2);
            continue;
        } else if first.is_ascii_digit() || starts_fraction(rest) {
            number(rest).ok_or_else(|| unexpected(offset, rest))?
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (Token::Name(rest[..length].into()), length)
        } else if first == '\'' || first == '"' {
            text(rest, first).ok_or_else(|| unexpected(offset, rest))?
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| unexpected(offset, rest))?;
            (Token::Sign(sign), sign.len())
        };
        places.push(Place { token, offset });
        offset += length;
    }
    Ok(places)
}

/// A text in quotes; a backslash takes what follows as it is, but for `n`, `r` and `t`.
fn text(rest: &str, quote: char) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((Token::Text(text), at + quote.len_utf8())),
            '\\' => text.push(match letters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            }),
            _ => text.push(letter),
        }
    }
    None
}

fn starts_fraction(rest: &str) -> bool {
    let mut bytes = rest.bytes();
    bytes.next() == Some(b'.') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
}

/// A number with the letter of its type, if it has one.
fn number(rest: &str) -> Option<(Token, usize)> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let number = rest[..end].parse().ok()?;
    let whole = rest[..end].parse::<i64>().ok();
    let has_letter = matches!(
        bytes.get(end),
        Some(b'd' | b'D' | b'f' | b'F' | b'l' | b'L')
    );
    let is_fraction = matches!(bytes.get(end), Some(b'd' | b'D' | b'f' | b'F'));
    let token = match whole.filter(|_| !is_fraction) {
        Some(whole) => Token::Whole(whole),
        None => Token::Number(number),
    };
    Some((token, end + usize::from(has_letter)))
}

fn unexpected(offset: usize, rest: &str) -> ScriptError {
    let shown: String = rest.chars().take(1).collect();
    ScriptError {
        offset,
        reason: format!("unexpected character [{shown}]."),
    }
}
