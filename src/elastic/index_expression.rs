//! Which indices an expression names: `a,b`, wildcards, exclusions, `_all`; and which names an
//! index may have.

use super::ElasticError;

/// Longest index name, in bytes.
const INDEX_NAME_BYTES_MAX: usize = 249;

/// How an expression that names nothing is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexOptions {
    /// A concrete name without an index is left out instead of an error.
    pub ignore_unavailable: bool,
    /// A wildcard that fits nothing is an empty answer instead of an error.
    pub allow_no_indices: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            ignore_unavailable: false,
            allow_no_indices: true,
        }
    }
}

/// The indices that `expression` names, each once: concrete names in the order given, those of a
/// wildcard in the order of `indices`. Hidden names (`.x`, `__x`) fit only wildcards that start so.
///
/// # Errors
/// When a concrete name has no index, unless the options allow it.
pub fn resolve_indices(
    expression: &str,
    indices: &[&str],
    options: IndexOptions,
) -> Result<Vec<String>, ElasticError> {
    let parts: Vec<&str> = expression.split(',').map(str::trim).collect();
    let everything = parts.iter().all(|part| part.is_empty());
    let parts = if everything { vec!["_all"] } else { parts };
    let mut named: Vec<String> = Vec::new();
    let mut wildcard_seen = false;
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let excluded = part.strip_prefix('-').filter(|_| wildcard_seen);
        if let Some(pattern) = excluded {
            named.retain(|name| !matches_wildcard(pattern, name));
            continue;
        }
        let pattern = if part == "_all" { "*" } else { part };
        if !pattern.contains('*') {
            if indices.contains(&pattern) {
                push_once(&mut named, pattern);
            } else if !options.ignore_unavailable {
                return Err(missing(pattern));
            }
            continue;
        }
        wildcard_seen = true;
        let mut fits = indices
            .iter()
            .filter(|name| matches_wildcard(pattern, name) && is_shown(pattern, name))
            .peekable();
        if fits.peek().is_none() && !options.allow_no_indices {
            return Err(ElasticError::index_not_found(part));
        }
        for name in fits {
            push_once(&mut named, name);
        }
    }
    Ok(named)
}

/// A concrete name without an index.
fn missing(name: &str) -> ElasticError {
    match check_index_name(name) {
        // Names that start with an underscore are never indices; Elasticsearch says so.
        Err(error) if name.starts_with('_') => error,
        Ok(()) | Err(_) => ElasticError::index_not_found(name),
    }
}

fn push_once(named: &mut Vec<String>, name: &str) {
    if !named.iter().any(|known| known == name) {
        named.push(name.into());
    }
}

/// Whether a wildcard may show this name: hidden names must be asked for.
pub(super) fn is_shown(pattern: &str, name: &str) -> bool {
    let hidden = name.starts_with('.') || name.starts_with("__");
    !hidden || pattern.starts_with('.') || pattern.starts_with("__")
}

/// Whether `name` fits `pattern`, where `*` is any text. Linear in both.
#[must_use]
pub(crate) fn matches_wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the text after the last star does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == name[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => match retry {
                Some((after_star, from)) => {
                    at = after_star;
                    seen = from + 1;
                    retry = Some((after_star, seen));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Checks a name that an index is to be created with.
///
/// # Errors
/// Names what is wrong with it.
pub fn check_index_name(name: &str) -> Result<(), ElasticError> {
    let wrong = |reason: &str| {
        Err(ElasticError::new(
            400,
            "invalid_index_name_exception",
            format!("Invalid index name [{name}], {reason}"),
        )
        .with("index_uuid", "_na_")
        .with("index", name))
    };
    if name.is_empty() {
        return wrong("must not be empty");
    }
    if name.contains('#') {
        return wrong("must not contain '#'");
    }
    if name.contains(':') {
        return wrong("must not contain ':'");
    }
    if name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',']) {
        return wrong(
            "must not contain the following characters [' ','\"','*',',','/','<','>','?','\\','|']",
        );
    }
    if name.starts_with(['_', '-', '+']) {
        return wrong("must not start with '_', '-', or '+'");
    }
    if name.len() > INDEX_NAME_BYTES_MAX {
        return wrong(&format!(
            "index name is too long, ({} > {INDEX_NAME_BYTES_MAX})",
            name.len()
        ));
    }
    if name == "." || name == ".." {
        return wrong("must not be '.' or '..'");
    }
    if name.chars().any(char::is_uppercase) {
        return wrong("must be lowercase");
    }
    if let Some(other) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !".-_".contains(*c))
    {
        return wrong(&format!(
            "must not contain '{other}': a topic of that name is not possible"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDICES: &[&str] = &["__offsets", "g-a", "g-b", "logs-2024", "logs-2025"];

    fn check(expression: &str, expected: &str) {
        let named = resolve_indices(expression, INDICES, IndexOptions::default()).map_or_else(
            |error| error.error_type().to_owned(),
            |names| names.join(" "),
        );
        assert_eq!(named, expected, "{expression}");
    }

    #[test]
    fn expressions() {
        check("", "g-a g-b logs-2024 logs-2025");
        check("_all", "g-a g-b logs-2024 logs-2025");
        check("*", "g-a g-b logs-2024 logs-2025");
        check("g-b,g-a", "g-b g-a");
        check("logs-*,-*2024", "logs-2025");
        check("l*5,g-*", "logs-2025 g-a g-b");
        check("nope*", "");
        check("nope", "index_not_found_exception");
        check("__*", "__offsets");
        check("__offsets", "__offsets");
        check("_nope", "invalid_index_name_exception");
    }

    #[test]
    fn unavailable_names_can_be_left_out() {
        let options = IndexOptions {
            ignore_unavailable: true,
            allow_no_indices: true,
        };
        let named = resolve_indices("nope,g-a", INDICES, options).expect("allowed");
        assert_eq!(named, ["g-a"]);
        let strict = IndexOptions {
            ignore_unavailable: false,
            allow_no_indices: false,
        };
        resolve_indices("nope*", INDICES, strict).expect_err("nothing fits");
    }

    #[test]
    fn wildcards() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c*", "acbcd", true),
            ("a*c", "ab", false),
            ("", "a", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches_wildcard(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn names() {
        check_index_name("logs-2024.01").expect("fine");
        for name in [
            "", "Logs", "_x", "-x", "a b", "a*", "..", "a:b", "a#b", "höhe",
        ] {
            let error = check_index_name(name).expect_err(name);
            assert_eq!(error.error_type(), "invalid_index_name_exception");
        }
    }
}
