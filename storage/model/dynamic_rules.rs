//! What the owner of a mapping says about fields to come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Field;

/// What becomes of fields that nobody named. Kept with the fields, obeyed where documents are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicRules {
    /// Whether a text that reads as a date makes a date field.
    pub detects_dates: bool,
    /// The first that fits decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<DynamicTemplate>,
}

impl Default for DynamicRules {
    fn default() -> Self {
        Self {
            detects_dates: true,
            templates: Vec::new(),
        }
    }
}

impl DynamicRules {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.detects_dates && self.templates.is_empty()
    }
}

/// The field that values of some kind, under some names, become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicTemplate {
    /// Its name.
    pub name: String,
    /// Kinds of values: `string`, `long`, `double`, `boolean`, `date`; all when empty.
    pub kinds: Vec<String>,
    /// The last part of the path fits one of these patterns with `*`, if there are any.
    pub names: Vec<String>,
    /// And none of these.
    pub other_names: Vec<String>,
    /// The whole path fits one of these, if there are any.
    pub paths: Vec<String>,
    /// And none of these.
    pub other_paths: Vec<String>,
    /// What they become; `None` for a template that is about objects alone.
    pub field: Option<Field>,
    /// The fields below an object that is meant, by their paths in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Field>,
    /// The template as it was written, to be shown.
    pub definition: Value,
}

impl DynamicTemplate {
    /// Whether a value of one of `kinds` at `path` is meant.
    #[must_use]
    pub fn fits(&self, path: &str, kind: &str) -> bool {
        let name = path.rsplit('.').next().unwrap_or(path);
        let one_of =
            |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        let meant = |patterns: &[String], text: &str| patterns.is_empty() || one_of(patterns, text);
        (self.kinds.is_empty() || self.kinds.iter().any(|own| own == kind))
            && meant(&self.names, name)
            && meant(&self.paths, path)
            && !one_of(&self.other_names, name)
            && !one_of(&self.other_paths, path)
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(matches(pattern, text), expected, "{pattern} and {text}");
        };
        check("a", "a", true);
        check("a", "ab", false);
        check("*", "", true);
        check("a*", "ab", true);
        check("*_id", "user_id", true);
        check("*_id", "user_ids", false);
        check("a*b*c", "a1b2c", true);
        check("a*b*c", "a1c2b", false);
        check("ab*b", "ab", false);
    }

    #[test]
    fn kinds_names_and_paths_must_all_fit() {
        let list = |text: &str| text.split_terminator(',').map(str::to_owned).collect();
        let template = DynamicTemplate {
            name: "t".into(),
            kinds: list("string"),
            names: list("host*"),
            members: BTreeMap::new(),
            other_names: list("host_raw"),
            paths: list("a.*"),
            other_paths: list("a.b.*"),
            field: None,
            definition: Value::Null,
        };
        let check = |path: &str, kind: &str| template.fits(path, kind);
        assert!(check("a.host", "string"));
        assert!(!check("a.host", "long"));
        assert!(!check("a.host_raw", "string"));
        assert!(!check("c.host", "string"));
        assert!(!check("a.b.host", "string"));
        assert!(!check("a.name", "string"));
    }
}
