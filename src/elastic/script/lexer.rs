//! Words, numbers and signs of a script.

use super::ScriptError;

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
    "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "?", ":", "+", "-", "*", "/", "%", "<", ">",
    "!", "(", ")", "[", "]", "{", "}", ".", ",", ";", "=",
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
        } else if first.is_ascii_digit() || starts_fraction(rest) {
            number(rest).ok_or_else(|| unexpected(offset, rest))?
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (Token::Name(rest[..length].into()), length)
        } else if first == '\'' || first == '"' {
            let inner = &rest[1..];
            let end = inner.find(first).ok_or_else(|| unexpected(offset, rest))?;
            (Token::Text(inner[..end].into()), end + 2)
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
