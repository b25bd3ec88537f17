//! Words, numbers, texts and signs of a script.

use super::ScriptError;

/// A piece of a script.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Integer(i64),
    Float(f64),
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
        } else if first.is_ascii_digit() {
            number(rest).ok_or_else(|| unexpected(offset, first))?
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (Token::Name(rest[..length].into()), length)
        } else if first == '\'' || first == '"' {
            text(rest, first).ok_or_else(|| unexpected(offset, first))?
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| unexpected(offset, first))?;
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

/// A number with the letter of its type, if it has one.
fn number(rest: &str) -> Option<(Token, usize)> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = digits(0);
    let mut is_float = false;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + digits(end + 1);
        is_float = true;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
            is_float = true;
        }
    }
    let letter = bytes.get(end).copied().unwrap_or(b' ');
    let length = end + usize::from(matches!(letter, b'L' | b'l' | b'f' | b'F' | b'd' | b'D'));
    let token = match is_float || matches!(letter, b'f' | b'F' | b'd' | b'D') {
        true => Token::Float(rest[..end].parse().ok()?),
        false => Token::Integer(rest[..end].parse().ok()?),
    };
    Some((token, length))
}

fn unexpected(offset: usize, letter: char) -> ScriptError {
    ScriptError {
        offset,
        reason: format!("unexpected character [{letter}]."),
    }
}
