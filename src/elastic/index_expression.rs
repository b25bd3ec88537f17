//! Which indices an expression names: `a,b`, wildcards, exclusions, `_all`; and which names an
//! index may have.

use super::ElasticError;

/// Longest index name, in bytes.
const INDEX_NAME_BYTES_MAX: usize = 249;

/// What an expression may name, and how one that names nothing is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexOptions {
    /// A concrete name without an index is left out instead of an error.
    pub ignore_unavailable: bool,
    /// A wildcard that fits nothing is an empty answer instead of an error.
    pub allow_no_indices: bool,
    /// Which indices wildcards find.
    pub expand: Expand,
    /// Whether aliases are found.
    pub aliases: bool,
    /// Whether a closed index may be named.
    pub closed: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            ignore_unavailable: false,
            allow_no_indices: true,
            expand: Expand::OPEN,
            aliases: true,
            closed: true,
        }
    }
}

/// Which indices wildcards find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expand {
    /// Open ones.
    pub open: bool,
    /// Closed ones.
    pub closed: bool,
    /// Also those that are hidden.
    pub hidden: bool,
}

impl Expand {
    /// Those that are open and not hidden.
    pub const OPEN: Self = Self {
        open: true,
        closed: false,
        hidden: false,
    };

    /// All of them.
    pub const ALL: Self = Self {
        open: true,
        closed: true,
        hidden: true,
    };

    /// All that are not hidden.
    pub const SHOWN: Self = Self {
        hidden: false,
        ..Self::ALL
    };

    /// Reads `expand_wildcards`: `open,closed`, `all`, `none`.
    ///
    /// # Errors
    /// On a state that does not exist.
    pub fn parse(text: &str) -> Result<Self, ElasticError> {
        let mut expand = Self {
            open: false,
            closed: false,
            hidden: false,
        };
        for state in text.split(',') {
            match state {
                "open" => expand.open = true,
                "closed" => expand.closed = true,
                "hidden" => expand.hidden = true,
                "none" => {}
                "all" => expand = Self::ALL,
                other => {
                    return Err(ElasticError::illegal_argument(format!(
                        "No valid expand wildcard value [{other}]"
                    )));
                }
            }
        }
        Ok(expand)
    }

    fn shows(self, index: &KnownIndex) -> bool {
        match index.is_closed {
            true => self.closed,
            false => self.open,
        }
    }
}

/// An index that expressions can name.
#[derive(Debug, Clone, Default)]
pub struct KnownIndex {
    /// Its name.
    pub name: String,
    /// Whether wildcards pass it by.
    pub is_hidden: bool,
    /// Whether it is closed.
    pub is_closed: bool,
}

/// Another name of indices: an alias, or a data stream.
#[derive(Debug, Clone, Default)]
pub struct KnownAlias {
    /// The name.
    pub name: String,
    /// Its indices in order.
    pub indices: Vec<String>,
    /// Whether wildcards pass it by.
    pub is_hidden: bool,
    /// Whether it is a data stream.
    pub is_stream: bool,
}

/// All names that expressions can name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Indices by name.
    pub indices: Vec<KnownIndex>,
    /// Other names, by name.
    pub aliases: Vec<KnownAlias>,
}

/// An index that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedIndex {
    /// Its name.
    pub name: String,
    /// The aliases that named it; empty when its own name did.
    pub aliases: Vec<String>,
}

/// The indices that `expression` names, each once: concrete names in the order given, those of a
/// wildcard in their own order. Hidden names fit only wildcards that ask for them.
///
/// # Errors
/// When a concrete name has no index, unless the options allow it.
pub fn resolve_indices(
    expression: &str,
    names: &Names,
    options: IndexOptions,
) -> Result<Vec<NamedIndex>, ElasticError> {
    let parts: Vec<&str> = expression.split(',').map(str::trim).collect();
    let everything = parts.iter().all(|part| part.is_empty());
    let parts = if everything { vec!["_all"] } else { parts };
    let mut found = Found {
        names,
        options,
        named: Vec::new(),
    };
    let mut wildcard_seen = false;
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let excluded = part.strip_prefix('-').filter(|_| wildcard_seen);
        if let Some(pattern) = excluded {
            found.exclude(pattern);
            continue;
        }
        let pattern = if part == "_all" { "*" } else { part };
        if pattern.contains('*') {
            wildcard_seen = true;
            if !found.wildcard(pattern)? && !options.allow_no_indices {
                return Err(ElasticError::index_not_found(part));
            }
        } else {
            found.concrete(pattern)?;
        }
    }
    if found.named.is_empty() && !options.allow_no_indices {
        return Err(ElasticError::index_not_found(expression));
    }
    Ok(found.named)
}

/// What an expression has named so far.
struct Found<'a> {
    names: &'a Names,
    options: IndexOptions,
    named: Vec<NamedIndex>,
}

impl Found<'_> {
    fn concrete(&mut self, name: &str) -> Result<(), ElasticError> {
        if let Some(index) = self.names.index(name) {
            if index.is_closed && !self.options.closed {
                return match self.options.ignore_unavailable {
                    true => Ok(()),
                    false => Err(ElasticError::index_closed(name)),
                };
            }
            self.push(name, None);
            return Ok(());
        }
        match self.names.alias(name) {
            Some(alias) if self.options.aliases || alias.is_stream => {
                self.push_alias(alias, |_| true);
                Ok(())
            }
            _ if self.options.ignore_unavailable => Ok(()),
            Some(_) => Err(ElasticError::illegal_argument(format!(
                "The provided expression [{name}] matches an alias, specify the corresponding \
                 concrete indices instead."
            ))),
            None => Err(missing(name)),
        }
    }

    /// Whether something fits.
    fn wildcard(&mut self, pattern: &str) -> Result<bool, ElasticError> {
        let options = self.options;
        let fits = |name: &str, is_hidden: bool| {
            matches_wildcard(pattern, name)
                && (options.expand.hidden
                    || (!is_hidden && is_shown(pattern, name))
                    || (is_hidden && name.starts_with('.') && pattern.starts_with('.')))
        };
        let before = self.named.len();
        let mut fitted = false;
        for index in &self.names.indices {
            if fits(&index.name, index.is_hidden) && options.expand.shows(index) {
                // Who asks for closed ones where they cannot be used is told so.
                if index.is_closed && !options.closed && !options.ignore_unavailable {
                    return Err(ElasticError::index_closed(&index.name));
                }
                fitted = true;
                self.push(&index.name, None);
            }
        }
        for alias in &self.names.aliases {
            if (options.aliases || alias.is_stream) && fits(&alias.name, alias.is_hidden) {
                fitted = true;
                self.push_alias(alias, |index| options.expand.shows(index));
            }
        }
        self.named[before..].sort_by(|a, b| a.name.cmp(&b.name));
        Ok(fitted)
    }

    fn push_alias(&mut self, alias: &KnownAlias, takes: impl Fn(&KnownIndex) -> bool) {
        for name in &alias.indices {
            if self.names.index(name).is_some_and(&takes) {
                let through = (!alias.is_stream).then_some(alias.name.as_str());
                self.push(name, through);
            }
        }
    }

    fn push(&mut self, name: &str, alias: Option<&str>) {
        match self.named.iter_mut().find(|known| known.name == name) {
            None => self.named.push(NamedIndex {
                name: name.into(),
                aliases: alias.map(str::to_owned).into_iter().collect(),
            }),
            Some(known) => match alias {
                // Its own name counts more than any alias.
                None => known.aliases.clear(),
                Some(_) if known.aliases.is_empty() => {}
                Some(alias) => known.aliases.push(alias.into()),
            },
        }
    }

    fn exclude(&mut self, pattern: &str) {
        let aliases = self.names.aliases.iter();
        let excluded: Vec<&String> = aliases
            .filter(|alias| matches_wildcard(pattern, &alias.name))
            .flat_map(|alias| &alias.indices)
            .collect();
        self.named.retain(|named| {
            !matches_wildcard(pattern, &named.name) && !excluded.contains(&&named.name)
        });
    }
}

impl Names {
    /// Open indices of these names, and nothing else.
    #[must_use]
    pub fn of_indices(names: &[&str]) -> Self {
        let index = |name: &&str| KnownIndex {
            name: (*name).into(),
            ..KnownIndex::default()
        };
        Self {
            indices: names.iter().map(index).collect(),
            aliases: Vec::new(),
        }
    }

    /// The index of this name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<&KnownIndex> {
        let place = self
            .indices
            .binary_search_by(|known| known.name.as_str().cmp(name));
        place.ok().map(|place| &self.indices[place])
    }

    /// The alias or data stream of this name.
    #[must_use]
    pub fn alias(&self, name: &str) -> Option<&KnownAlias> {
        let place = self
            .aliases
            .binary_search_by(|known| known.name.as_str().cmp(name));
        place.ok().map(|place| &self.aliases[place])
    }
}

/// A concrete name without an index.
fn missing(name: &str) -> ElasticError {
    match check_index_name(name) {
        // Names that start with an underscore are never indices; Elasticsearch says so.
        Err(error) if name.starts_with('_') => error,
        Ok(()) | Err(_) => ElasticError::index_not_found(name),
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

    fn names() -> Names {
        let mut names = Names::of_indices(INDICES);
        let alias = |name: &str, indices: &[&str], is_hidden| KnownAlias {
            name: name.into(),
            indices: indices.iter().map(|name| (*name).into()).collect(),
            is_hidden,
            is_stream: false,
        };
        names.aliases = vec![
            alias("g", &["g-a", "g-b"], false),
            alias("new", &["logs-2025"], true),
        ];
        names
    }

    fn resolved(expression: &str, options: IndexOptions) -> String {
        let shown = |named: Vec<NamedIndex>| {
            let names = named.iter().map(|named| match named.aliases.is_empty() {
                true => named.name.clone(),
                false => format!("{}<{}", named.name, named.aliases.join("+")),
            });
            names.collect::<Vec<_>>().join(" ")
        };
        resolve_indices(expression, &names(), options)
            .map_or_else(|error| error.error_type().to_owned(), shown)
    }

    fn check(expression: &str, expected: &str) {
        let named = resolved(expression, IndexOptions::default());
        assert_eq!(named, expected, "{expression}");
    }

    #[test]
    fn aliases_name_their_indices() {
        check("g", "g-a<g g-b<g");
        check("g,g-b", "g-a<g g-b");
        check("g-b,g", "g-b g-a<g");
        check("ne*", "");
        check("new", "logs-2025<new");
        check("*,-g", "logs-2024 logs-2025");
        let only_indices = IndexOptions {
            aliases: false,
            ..IndexOptions::default()
        };
        assert_eq!(resolved("g", only_indices), "illegal_argument_exception");
        assert_eq!(resolved("g*", only_indices), "g-a g-b");
    }

    #[test]
    fn closed_and_hidden_indices_are_found_when_asked_for() {
        let mut names = Names::of_indices(&["closed", "hidden", "open"]);
        names.indices[0].is_closed = true;
        names.indices[1].is_hidden = true;
        let find = |expression: &str, expand: &str, closed: bool| {
            let options = IndexOptions {
                expand: Expand::parse(expand).expect("states"),
                closed,
                ..IndexOptions::default()
            };
            let found = resolve_indices(expression, &names, options);
            found.map_or_else(
                |error| error.error_type().to_owned(),
                |found| {
                    let names: Vec<_> = found.iter().map(|named| &*named.name).collect();
                    names.join(" ")
                },
            )
        };
        assert_eq!(find("*", "open", true), "open");
        assert_eq!(find("*", "open,closed", true), "closed open");
        assert_eq!(find("*", "open,hidden", true), "hidden open");
        assert_eq!(find("*", "all", true), "closed hidden open");
        assert_eq!(find("*", "none", true), "");
        assert_eq!(find("hidden", "open", true), "hidden");
        assert_eq!(find("closed", "open", true), "closed");
        assert_eq!(find("closed", "open", false), "index_closed_exception");
        Expand::parse("ajar").expect_err("no state");
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
            ..IndexOptions::default()
        };
        assert_eq!(resolved("nope,g-a", options), "g-a");
        let strict = IndexOptions {
            allow_no_indices: false,
            ..IndexOptions::default()
        };
        assert_eq!(resolved("nope*", strict), "index_not_found_exception");
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
    fn names_of_new_indices() {
        check_index_name("logs-2024.01").expect("fine");
        for name in [
            "", "Logs", "_x", "-x", "a b", "a*", "..", "a:b", "a#b", "höhe",
        ] {
            let error = check_index_name(name).expect_err(name);
            assert_eq!(error.error_type(), "invalid_index_name_exception");
        }
    }
}
