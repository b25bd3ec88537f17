//! Patterns over texts: `prefix`, `wildcard`, `regexp`, and Lucene's regular expressions.

use query::request::{Filter, Pattern};
use serde_json::Value;

use super::FieldClause;
use super::leaf;
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::read;

/// Longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 1_000;

/// Longest pattern that an index may allow.
const PATTERN_CHARS_HARD_MAX: usize = 10_000;

/// Reads one of the three queries.
pub(super) fn parse(
    context: &Context<'_>,
    name: &str,
    body: &Value,
) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read(name, body)?;
    let mut text = None;
    let mut any_case = false;
    for (key, option) in clause.options("value") {
        match key.as_str() {
            "value" => text = Some(read::text(&option, &key)?),
            "wildcard" if name == "wildcard" => text = Some(read::text(&option, &key)?),
            "prefix" if name == "prefix" => text = Some(read::text(&option, &key)?),
            "case_insensitive" => any_case = read::flag(&option, &key)?,
            "boost" | "_name" | "rewrite" | "max_determinized_states" => {}
            "flags" | "flags_value" if name == "regexp" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[{name}] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    let text = text.ok_or_else(|| ElasticError::illegal_argument("value cannot be null"))?;
    let Some(field) = context.whole_field(clause.path) else {
        return Ok(Filter::None);
    };
    let any_case = any_case || field.ignores_case();
    check_length(context, &text)?;
    let pattern = match name {
        "prefix" => prefix_pattern(&text, any_case),
        "wildcard" => wildcard_pattern(&text, any_case),
        _regexp => regexp_pattern(context, &text, any_case)?,
    };
    checked(context, name, &field, pattern)
}

/// The rows of a pattern, when the field and the length allow it.
fn checked(
    context: &Context<'_>,
    name: &str,
    field: &NamedField<'_>,
    pattern: Pattern,
) -> Result<Filter, ElasticError> {
    if !leaf::has_texts(field) {
        return Err(context.query_error(format!(
            "Can only use {name} queries on keyword, text and wildcard fields - not on [{}] which \
             is of type [{}]",
            field.path,
            field.type_name()
        )));
    }
    Ok(leaf::pattern(field, pattern))
}

pub(super) fn check_length(context: &Context<'_>, text: &str) -> Result<(), ElasticError> {
    let length = text.chars().count();
    let most = context.limit("max_regex_length", PATTERN_CHARS_MAX);
    // The limit of patterns stays when an index asks for more.
    let most = most.min(PATTERN_CHARS_HARD_MAX);
    if length <= most {
        return Ok(());
    }
    Err(context.fail(ElasticError::illegal_argument(format!(
        "The length of regex [{length}] used in the Regexp Query request has exceeded the allowed \
         maximum of [{most}]. This maximum can be set by changing the [index.max_regex_length] \
         index level setting."
    ))))
}

/// Texts that start with `text`.
pub(super) fn prefix_pattern(text: &str, any_case: bool) -> Pattern {
    if any_case {
        return Pattern::Regex(format!("(?is){}.*", escape_regex(text)));
    }
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    Pattern::Wildcard(pattern)
}

pub(super) fn wildcard_pattern(text: &str, any_case: bool) -> Pattern {
    if !any_case {
        return Pattern::Wildcard(text.into());
    }
    let mut regex = String::from("(?is)");
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '\\' => regex.push_str(&escape_regex(
                characters.next().unwrap_or('\\').encode_utf8(&mut [0; 4]),
            )),
            c => regex.push_str(&escape_regex(c.encode_utf8(&mut [0; 4]))),
        }
    }
    Pattern::Regex(regex)
}

/// The pattern of a Lucene regular expression.
pub(in crate::elastic) fn regexp_pattern(
    context: &Context<'_>,
    text: &str,
    any_case: bool,
) -> Result<Pattern, ElasticError> {
    let flags = if any_case { "(?is)" } else { "(?s)" };
    let regex =
        translate(text).map_err(|reason| context.fail(ElasticError::illegal_argument(reason)))?;
    Ok(Pattern::Regex(format!("{flags}{regex}")))
}

/// `text` with every character that means something taken literally.
pub(super) fn escape_regex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Lucene's syntax in that of the `regex` crate. Lucene has no anchors (`^` and `$` are
/// themselves), `"…"` is literal, `@` any text, `#` no text at all.
///
/// # Errors
/// On what the other syntax cannot say: `~`, `&` and `<1-9>`; and on what is not closed.
fn translate(text: &str) -> Result<String, String> {
    let mut regex = String::with_capacity(text.len() + 8);
    let mut characters = text.chars();
    let mut class_depth = 0_usize;
    while let Some(c) = characters.next() {
        if class_depth > 0 {
            match c {
                ']' => {
                    class_depth -= 1;
                    regex.push(']');
                }
                // Set operations of the other syntax are plain characters here.
                '[' | '&' | '~' => push_escaped(&mut regex, c),
                '\\' => push_after_backslash(&mut regex, characters.next(), text)?,
                c => regex.push(c),
            }
            continue;
        }
        match c {
            '\\' => push_after_backslash(&mut regex, characters.next(), text)?,
            '[' => {
                class_depth = 1;
                regex.push('[');
            }
            '"' => loop {
                match characters.next() {
                    Some('"') => break,
                    Some(c) => regex.push_str(&escape_regex(c.encode_utf8(&mut [0; 4]))),
                    None => return Err(format!("expected '\"' at the end of regex [{text}]")),
                }
            },
            '@' => regex.push_str(".*"),
            '#' => regex.push_str(r"[^\s\S]"),
            '^' | '$' => push_escaped(&mut regex, c),
            '~' | '&' | '<' => {
                return Err(format!(
                    "operator [{c}] of regex [{text}] is not supported yet"
                ));
            }
            c => regex.push(c),
        }
    }
    if class_depth > 0 {
        return Err(format!("expected ']' at the end of regex [{text}]"));
    }
    Ok(regex)
}

/// An escaped character; `\d`, `\s`, `\w` and their opposites keep their meaning.
fn push_after_backslash(regex: &mut String, next: Option<char>, text: &str) -> Result<(), String> {
    match next {
        Some(c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
            regex.push('\\');
            regex.push(c);
        }
        Some(c) if c.is_ascii_punctuation() => push_escaped(regex, c),
        Some(c) => regex.push(c),
        None => return Err(format!("end of regex [{text}] after a backslash")),
    }
    Ok(())
}

fn push_escaped(regex: &mut String, c: char) {
    regex.push('\\');
    regex.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lucene_expressions() {
        for (lucene, expected) in [
            ("(Ant|F2)Pool", "(Ant|F2)Pool"),
            ("[A-C].{3,5}", "[A-C].{3,5}"),
            ("a@b", "a.*b"),
            ("^a$", r"\^a\$"),
            (r#""a.b"c"#, r"a\.bc"),
            (r"\/x\d", r"\/x\d"),
            ("[a&&b]", r"[a\&\&b]"),
        ] {
            assert_eq!(translate(lucene).as_deref(), Ok(expected), "{lucene}");
        }
        for broken in ["a~b", "<1-5>", "[abc", "\"abc", "abc\\"] {
            translate(broken).expect_err(broken);
        }
    }
}
