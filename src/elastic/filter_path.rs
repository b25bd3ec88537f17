//! Replies cut down to some paths, and replies for people to read. Both work on the text, so that
//! numbers stay digit for digit what they were.

use serde_json::value::RawValue;

/// Objects and lists nested deeper than this are kept whole.
const DEPTH_MAX: usize = 64;

/// What `filter_path` asks for: paths to keep and paths (with `-`) to leave out. `*` is any key,
/// `**` any number of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPath {
    includes: Vec<Vec<String>>,
    excludes: Vec<Vec<String>>,
}

impl FilterPath {
    /// Reads a comma-separated list; `None` when it says nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let paths = |wanted: bool| -> Vec<Vec<String>> {
            text.split(',')
                .map(str::trim)
                .filter(|path| path.starts_with('-') != wanted)
                .map(|path| path.trim_start_matches('-'))
                .filter(|path| !path.is_empty())
                .map(|path| path.split('.').map(str::to_owned).collect())
                .collect()
        };
        let filter = Self {
            includes: paths(true),
            excludes: paths(false),
        };
        (!filter.includes.is_empty() || !filter.excludes.is_empty()).then_some(filter)
    }

    /// The reply with only what was asked for; `{}` when that is nothing.
    #[must_use]
    pub fn apply(&self, reply: &[u8]) -> Vec<u8> {
        let Ok(text) = serde_json::from_slice::<&RawValue>(reply) else {
            return reply.to_vec();
        };
        let kept = project(
            text.get(),
            &Selection::new(&self.includes, &self.excludes),
            0,
        );
        kept.unwrap_or_else(|| "{}".into()).into_bytes()
    }
}

/// Paths that are still open at some place of a document.
#[derive(Debug, Clone)]
pub(crate) struct Selection<'a> {
    /// Rests of paths to keep; `None` keeps everything.
    includes: Option<Vec<&'a [String]>>,
    excludes: Vec<&'a [String]>,
}

impl<'a> Selection<'a> {
    /// No paths to keep means everything.
    pub(crate) fn new(includes: &'a [Vec<String>], excludes: &'a [Vec<String>]) -> Self {
        let rests = |paths: &'a [Vec<String>]| paths.iter().map(Vec::as_slice).collect();
        Self {
            includes: (!includes.is_empty()).then(|| rests(includes)),
            excludes: rests(excludes),
        }
    }

    /// What is open below `key`; `None` when nothing of it is kept.
    fn below(&self, key: &str) -> Option<Self> {
        let mut excludes = Vec::new();
        for path in &self.excludes {
            if descend(path, key, &mut excludes) {
                return None;
            }
        }
        let includes = match &self.includes {
            None => None,
            Some(paths) => {
                let mut open = Vec::new();
                let whole = paths.iter().any(|path| descend(path, key, &mut open));
                if !whole && open.is_empty() {
                    return None;
                }
                (!whole).then_some(open)
            }
        };
        Some(Self { includes, excludes })
    }

    /// Whether a scalar here is kept.
    fn keeps_scalar(&self) -> bool {
        self.includes.is_none()
    }
}

/// Follows `path` one key down; true when the path ends there, rests go to `open`. A key with dots
/// may use up several parts of a path.
fn descend<'a>(path: &'a [String], key: &str, open: &mut Vec<&'a [String]>) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    if first == "**" {
        open.push(path);
        return rest.is_empty() || descend(rest, key, open);
    }
    if matches(first, key) {
        if rest.is_empty() {
            return true;
        }
        open.push(rest);
        return false;
    }
    // A dotted key: `a.b` under the path `a.b`.
    if let Some((head, tail)) = key.split_once('.')
        && matches(first, head)
    {
        return rest.is_empty() || descend(rest, tail, open);
    }
    false
}

fn matches(pattern: &str, key: &str) -> bool {
    super::index_expression::matches_wildcard(pattern, key)
}

/// The part of the JSON value `text` that is selected; `None` when nothing is.
pub(crate) fn project(text: &str, selection: &Selection<'_>, depth: usize) -> Option<String> {
    let all = selection.includes.is_none() && selection.excludes.is_empty();
    if all || depth == DEPTH_MAX {
        return Some(text.into());
    }
    match text.as_bytes().first() {
        Some(b'{') => project_object(text, selection, depth),
        Some(b'[') => project_list(text, selection, depth),
        Some(_) | None => selection.keeps_scalar().then(|| text.into()),
    }
}

fn project_object(text: &str, selection: &Selection<'_>, depth: usize) -> Option<String> {
    let entries: Entries<'_> = serde_json::from_str(text).ok()?;
    let mut out = String::from("{");
    for (key, value) in &entries.0 {
        let kept = selection
            .below(key)
            .and_then(|below| project(value.get(), &below, depth + 1));
        if let Some(kept) = kept {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&serde_json::to_string(key).expect("a text is JSON"));
            out.push(':');
            out.push_str(&kept);
        }
    }
    out.push('}');
    (out.len() > 2 || selection.keeps_scalar()).then_some(out)
}

fn project_list(text: &str, selection: &Selection<'_>, depth: usize) -> Option<String> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let kept: Vec<String> = items
        .iter()
        .filter_map(|item| project(item.get(), selection, depth + 1))
        .collect();
    (!kept.is_empty() || selection.keeps_scalar()).then(|| format!("[{}]", kept.join(",")))
}

/// The entries of an object in their order, values as text.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Visitor).map(Entries)
    }
}

/// The reply with line breaks and two spaces a level, as `?pretty` asks for. Text that is no JSON
/// stays as it is.
#[must_use]
pub fn pretty(reply: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(reply) else {
        return reply.to_vec();
    };
    let mut out = String::with_capacity(reply.len() * 2);
    let mut depth = 0_usize;
    let mut inside_text = false;
    let mut escaped = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if inside_text {
            out.push(c);
            inside_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => {
                inside_text = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                let close = if c == '{' { '}' } else { ']' };
                if characters.peek() == Some(&close) {
                    continue;
                }
                depth += 1;
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    new_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(" : "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out.push('\n');
    out.into_bytes()
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = r#"{"took":1,"hits":{"total":{"value":2},"hits":[{"_id":"a","_source":{"n":1.10,"o":{"p":1}}},{"_id":"b"}]}}"#;

    fn check(paths: &str, expected: &str) {
        let filter = FilterPath::parse(paths).expect("says something");
        assert_eq!(
            String::from_utf8_lossy(&filter.apply(REPLY.as_bytes())),
            expected,
            "{paths}"
        );
    }

    #[test]
    fn paths_keep_and_leave_out() {
        check("took", r#"{"took":1}"#);
        check(
            "hits.hits._id",
            r#"{"hits":{"hits":[{"_id":"a"},{"_id":"b"}]}}"#,
        );
        check("hits.**.n", r#"{"hits":{"hits":[{"_source":{"n":1.10}}]}}"#);
        check(
            "h*.total,took",
            r#"{"took":1,"hits":{"total":{"value":2}}}"#,
        );
        check("-hits.hits,-took", r#"{"hits":{"total":{"value":2}}}"#);
        check("hits,-hits.hits", r#"{"hits":{"total":{"value":2}}}"#);
        check("nothing", "{}");
    }

    #[test]
    fn an_empty_list_says_nothing() {
        assert_eq!(FilterPath::parse(" ,"), None);
    }

    #[test]
    fn pretty_breaks_lines_outside_of_texts() {
        let text = String::from_utf8(pretty(br#"{"a":[],"b":[1,{"c":"{,\"}"}]}"#)).expect("text");
        assert_eq!(
            text,
            "{\n  \"a\" : [],\n  \"b\" : [\n    1,\n    {\n      \"c\" : \"{,\\\"}\"\n    }\n  ]\n}\n"
        );
    }
}
