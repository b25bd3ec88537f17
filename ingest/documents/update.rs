//! A part of a document, merged into what is there.

use bytes::Bytes;
use serde_json::{Map, Value};

/// How a document is to be changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    /// What is merged into the document: objects member by member, everything else replaced.
    pub doc: Map<String, Value>,
    /// The document when there is none.
    pub upsert: Option<Bytes>,
    /// Whether `doc` is the document when there is none.
    pub doc_as_upsert: bool,
    /// Whether a document that would not change is left alone.
    pub detect_noop: bool,
}

/// What an update makes of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Updated {
    /// This document.
    Document(Bytes),
    /// What is there.
    Unchanged,
    /// There is none, and none is to be made.
    Missing,
    /// What is there is no object.
    NotAnObject,
}

impl Update {
    /// What becomes of `current`.
    pub(super) fn apply(&self, current: Option<&[u8]>) -> Updated {
        let Some(current) = current else {
            return match (&self.upsert, self.doc_as_upsert) {
                (_, true) => Updated::Document(print(&self.doc)),
                (Some(upsert), false) => Updated::Document(upsert.clone()),
                (None, false) => Updated::Missing,
            };
        };
        let Ok(before) = serde_json::from_slice::<Map<String, Value>>(current) else {
            return Updated::NotAnObject;
        };
        let mut after = before.clone();
        merge(&mut after, &self.doc);
        match self.detect_noop && after == before {
            true => Updated::Unchanged,
            false => Updated::Document(print(&after)),
        }
    }
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (Some(old), new) => *old = new.clone(),
            (None, new) => {
                into.insert(key.clone(), new.clone());
            }
        }
    }
}

fn print(document: &Map<String, Value>) -> Bytes {
    let bytes = serde_json::to_vec(document);
    bytes.expect("JSON values are printed as JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: Option<&str>, doc: &str, expected: &str) {
        let update = Update {
            doc: serde_json::from_str(doc).expect("an object"),
            detect_noop: true,
            ..Update::default()
        };
        let found = match update.apply(current.map(str::as_bytes)) {
            Updated::Document(bytes) => String::from_utf8(bytes.to_vec()).expect("text"),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{current:?} with {doc}");
    }

    #[test]
    fn objects_merge_and_everything_else_is_replaced() {
        check(
            Some(r#"{"a":1,"b":2}"#),
            r#"{"b":3,"c":4}"#,
            r#"{"a":1,"b":3,"c":4}"#,
        );
        check(
            Some(r#"{"a":{"x":1,"y":[1,2]}}"#),
            r#"{"a":{"y":[3]}}"#,
            r#"{"a":{"x":1,"y":[3]}}"#,
        );
        check(Some(r#"{"a":{"x":1}}"#), r#"{"a":7}"#, r#"{"a":7}"#);
        check(Some(r#"{"a":1}"#), r#"{"a":1}"#, "Unchanged");
        check(Some("[1]"), r#"{"a":1}"#, "NotAnObject");
        check(None, r#"{"a":1}"#, "Missing");
    }

    #[test]
    fn what_is_missing_may_be_made() {
        let mut update = Update {
            upsert: Some(Bytes::from_static(b"{\"n\":0}")),
            ..Update::default()
        };
        assert_eq!(update.apply(None), Updated::Document("{\"n\":0}".into()));
        update.doc_as_upsert = true;
        assert_eq!(update.apply(None), Updated::Document("{}".into()));
    }
}
