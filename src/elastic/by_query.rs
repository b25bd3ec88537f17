//! `_delete_by_query`, `_update_by_query` and `_reindex`: what they are told and what they say.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::NODE_NAME;
use super::search::parse_object;
use super::{DocumentScript, ElasticError, read};

/// The status of what cannot be read.
const UNREAD_STATUS: u16 = 500;

/// Documents of one round unless the request says another number.
const BATCH_DOCUMENTS: usize = 1000;

/// Most documents of one round.
const BATCH_DOCUMENTS_MAX: usize = 10_000;

/// What is done with documents that a query finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByQueryKind {
    /// They go.
    Delete,
    /// They are written again, changed by a script if there is one.
    Update,
    /// They are written to another index.
    Reindex,
}

/// A request about documents that a query finds.
#[derive(Debug, Clone, PartialEq)]
pub struct ByQueryRequest {
    /// What is done with them.
    pub kind: ByQueryKind,
    /// Where they are looked for; empty when the URL says it.
    pub index: String,
    /// The body of a search that finds them.
    pub search: Vec<u8>,
    /// Where they go, for a reindex.
    pub target: Option<Target>,
    /// What changes them.
    pub script: Option<DocumentScript>,
    /// Whether documents that are changed meanwhile are passed over.
    pub goes_on: Option<bool>,
    /// Most documents.
    pub documents_max: Option<u64>,
    /// Documents of one round.
    pub batch_documents: usize,
}

/// Where a reindex writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The index.
    pub index: String,
    /// Whether documents that are there stay.
    pub creates_only: bool,
    /// Whether documents keep their versions, and give way to higher ones.
    pub keeps_versions: bool,
}

/// What was done so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ByQueryDone {
    /// Documents that matched, at most as many as are wanted.
    pub total: u64,
    /// Documents that are new.
    pub created: u64,
    /// Documents that were written again.
    pub updated: u64,
    /// Documents that are gone.
    pub deleted: u64,
    /// Documents that a script left alone.
    pub noops: u64,
    /// Rounds that it took.
    pub batches: u64,
    /// Documents that were changed meanwhile and are as they were.
    pub version_conflicts: u64,
    /// Where and why it ended early.
    pub failures: Vec<(String, String, ElasticError)>,
    /// Segments that could not be read, and why: nothing in them was found. Their index and the
    /// reason.
    pub unread: Vec<(String, Arc<str>)>,
    /// Why it was ended before its end.
    pub canceled: Option<&'static str>,
}

/// Reads `conflicts`.
///
/// # Errors
/// When it is neither of its two values.
pub fn parse_conflicts(value: &str) -> Result<bool, ElasticError> {
    match value {
        "proceed" => Ok(true),
        "abort" => Ok(false),
        other => Err(ElasticError::illegal_argument(format!(
            "conflicts may only be \"proceed\" or \"abort\" but was [{other}]"
        ))),
    }
}

/// Reads `scroll_size` or the `size` of a source.
///
/// # Errors
/// When it is no number that can be.
pub fn batch_documents(text: &str) -> Result<usize, ElasticError> {
    match text.parse() {
        Ok(count @ 1..=BATCH_DOCUMENTS_MAX) => Ok(count),
        Ok(_) | Err(_) => Err(ElasticError::illegal_argument(format!(
            "[scroll_size] must be from 1 to {BATCH_DOCUMENTS_MAX}, but is [{text}]"
        ))),
    }
}

/// Reads `max_docs`.
///
/// # Errors
/// When it is no number from 1 on.
pub fn documents_max(text: &str) -> Result<u64, ElasticError> {
    match text.parse() {
        Ok(0) | Err(_) => Err(ElasticError::validation(&[format!(
            "maxDocs should be greater than 0 if the request is limited to some number of \
             documents or -1 if it isn't but it was [{text}]"
        )])),
        Ok(count) => Ok(count),
    }
}

impl ByQueryRequest {
    /// Reads the body of a delete or an update by query.
    ///
    /// # Errors
    /// When it is none, or wants what does not work.
    pub fn parse(kind: ByQueryKind, body: &[u8]) -> Result<Self, ElasticError> {
        let mut request = Self::new(kind);
        let mut search = Map::new();
        for (key, value) in object_of(body)? {
            match key.as_str() {
                "script" if kind == ByQueryKind::Update => {
                    request.script = Some(DocumentScript::read(&value)?);
                }
                "slice" => {
                    return Err(ElasticError::unsupported("[slice] of a request by query"));
                }
                _ if request.general(&key, &value)? => {}
                _ => _ = search.insert(key, value),
            }
        }
        if !search.is_empty() {
            request.search = Value::Object(search).to_string().into_bytes();
        }
        Ok(request)
    }

    /// Reads the body of a reindex.
    ///
    /// # Errors
    /// When source or target are missing, or it wants what does not work.
    pub fn parse_reindex(body: &[u8]) -> Result<Self, ElasticError> {
        let mut request = Self::new(ByQueryKind::Reindex);
        for (key, value) in object_of(body)? {
            match key.as_str() {
                "source" => request.source(read::object(&value, "source")?)?,
                "dest" => request.target = Some(target(read::object(&value, "dest")?)?),
                "script" => request.script = Some(DocumentScript::read(&value)?),
                "size" => request.documents_max = Some(documents_max(&read::shown(&value))?),
                _ if request.general(&key, &value)? => {}
                unknown => {
                    let reason = format!("[reindex] unknown field [{unknown}]");
                    return Err(ElasticError::content(reason));
                }
            }
        }
        let mut wrong = Vec::new();
        if request.index.is_empty() {
            wrong.push("use _all if you really want to copy from all existing indexes".to_owned());
        }
        match &request.target {
            None => wrong.push("index must be specified".into()),
            Some(target) if target.index.is_empty() => {
                wrong.push("index must be specified".into());
            }
            Some(target) if request.index.split(',').any(|index| index == target.index) => {
                wrong.push(format!(
                    "reindex cannot write into an index its reading from [{}]",
                    target.index
                ));
            }
            Some(_) => {}
        }
        match wrong.is_empty() {
            true => Ok(request),
            false => Err(ElasticError::validation(&wrong)),
        }
    }

    fn new(kind: ByQueryKind) -> Self {
        Self {
            kind,
            index: String::new(),
            search: Vec::new(),
            target: None,
            script: None,
            goes_on: None,
            documents_max: None,
            batch_documents: BATCH_DOCUMENTS,
        }
    }

    /// What all kinds may say; whether it was that.
    fn general(&mut self, key: &str, value: &Value) -> Result<bool, ElasticError> {
        match key {
            "conflicts" => self.goes_on = Some(parse_conflicts(&read::text(value, key)?)?),
            "max_docs" => self.documents_max = Some(documents_max(&read::shown(value))?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn source(&mut self, source: &Map<String, Value>) -> Result<(), ElasticError> {
        let mut search = Map::new();
        for (key, value) in source {
            match key.as_str() {
                "index" => {
                    let names = read::one_or_many(value).iter();
                    let names = names.map(|name| read::text(name, "index"));
                    self.index = names.collect::<Result<Vec<_>, _>>()?.join(",");
                }
                "query" => _ = search.insert(key.clone(), value.clone()),
                "size" => self.batch_documents = batch_documents(&read::shown(value))?,
                // The order in which documents are copied changes nothing.
                "sort" => {}
                other => {
                    let what = format!("[{other}] in the source of a reindex");
                    return Err(ElasticError::unsupported(what));
                }
            }
        }
        if !search.is_empty() {
            self.search = Value::Object(search).to_string().into_bytes();
        }
        Ok(())
    }
}

fn object_of(body: &[u8]) -> Result<Map<String, Value>, ElasticError> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    parse_object(text)
}

fn target(entries: &Map<String, Value>) -> Result<Target, ElasticError> {
    let mut target = Target {
        index: String::new(),
        creates_only: false,
        keeps_versions: false,
    };
    for (key, value) in entries {
        let text = read::text(value, key)?;
        match (key.as_str(), text.as_str()) {
            ("index", _) => target.index = text,
            ("op_type", "create") => target.creates_only = true,
            ("op_type", "index") | ("version_type", "internal") => {}
            ("version_type", "external") => target.keeps_versions = true,
            // Documents go where their ids say.
            ("routing", _) => {}
            (key, text) => {
                let what = format!("[{key}]: [{text}] in the target of a reindex");
                return Err(ElasticError::unsupported(what));
            }
        }
    }
    Ok(target)
}

impl ByQueryDone {
    /// The status of its answer.
    #[must_use]
    pub fn status(&self, goes_on: bool) -> u16 {
        let failed = self.failures.first().map(|(.., error)| error.status());
        match failed {
            Some(status) => status,
            None if !self.unread.is_empty() => UNREAD_STATUS,
            None if self.version_conflicts > 0 && !goes_on => 409,
            None => 200,
        }
    }

    /// Notes what the newest round could not read.
    pub fn note_unread(&mut self, unread: Vec<(String, Arc<str>)>) {
        // The same damage is told in other words once it is known. What an earlier round has missed
        // stays said when it was mended since.
        if unread.len() >= self.unread.len() {
            self.unread = unread;
        }
    }

    /// How far it is, as tasks show it.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "total": self.total,
            "updated": self.updated,
            "created": self.created,
            "deleted": self.deleted,
            "batches": self.batches,
            "version_conflicts": self.version_conflicts,
            "noops": self.noops,
            "retries": { "bulk": 0, "search": 0 },
            "throttled_millis": 0,
            "requests_per_second": -1.0,
            "throttled_until_millis": 0,
        });
        if let Some(reason) = self.canceled {
            status["canceled"] = reason.into();
        }
        status
    }

    /// The answer of a request of this `kind`.
    #[must_use]
    pub fn to_value(&self, kind: ByQueryKind, took_ms: u64) -> Value {
        let failures = self.failures.iter().map(|(index, id, error)| {
            json!({
                "index": index,
                "id": id,
                "cause": error.to_item_value(),
                "status": error.status(),
            })
        });
        let unread = self.unread.iter().map(|(index, reason)| {
            json!({
                "shard": 0,
                "index": index,
                "node": NODE_NAME,
                "status": UNREAD_STATUS,
                "reason": { "type": "corrupt_index_exception", "reason": &**reason },
            })
        });
        let failures: Vec<Value> = failures.chain(unread).collect();
        let mut reply = json!({ "took": took_ms, "timed_out": false });
        let Value::Object(status) = self.to_status() else {
            unreachable!("a status is an object");
        };
        for (name, value) in status {
            let is_shown = match name.as_str() {
                "created" => kind == ByQueryKind::Reindex,
                "updated" => kind != ByQueryKind::Delete,
                _ => true,
            };
            if is_shown {
                reply[name] = value;
            }
        }
        reply["failures"] = failures.into();
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_reindex(body: &Value, expected: &str) {
        let read = ByQueryRequest::parse_reindex(body.to_string().as_bytes());
        let found = match read {
            Ok(request) => format!(
                "{} -> {:?}, {:?} by {}",
                request.index,
                request.target.map(|target| target.index),
                request.documents_max,
                request.batch_documents
            ),
            Err(error) => error.reason().to_owned(),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn a_reindex_names_source_and_target() {
        check_reindex(
            &json!({ "source": { "index": ["a", "b"], "size": 5 }, "dest": { "index": "c" },
                     "max_docs": 7 }),
            "a,b -> Some(\"c\"), Some(7) by 5",
        );
        check_reindex(
            &json!({ "dest": { "index": "c" } }),
            "copy from all existing",
        );
        check_reindex(
            &json!({ "source": { "index": "a" }, "dest": { "index": "a" } }),
            "cannot write into an index its reading from [a]",
        );
        check_reindex(
            &json!({ "source": { "index": "a", "remote": {} }, "dest": { "index": "b" } }),
            "[remote] in the source of a reindex",
        );
        check_reindex(
            &json!({ "source": { "index": "a" }, "max_docs": 0 }),
            "maxDocs",
        );
        check_reindex(
            &json!({ "source": { "index": "a", "size": 0 } }),
            "[scroll_size]",
        );
        check_reindex(&json!({ "conflicts": "maybe" }), "but was [maybe]");
    }

    #[test]
    fn the_query_is_what_is_left_of_the_body() {
        let body = br#"{"query":{"match_all":{}},"script":"ctx.op='noop'","max_docs":3}"#;
        let request = ByQueryRequest::parse(ByQueryKind::Update, body).expect("sound");
        assert_eq!(request.search, br#"{"query":{"match_all":{}}}"#);
        assert!(request.script.is_some());
        assert_eq!(request.documents_max, Some(3));
        // A delete changes nothing: there the search refuses the key.
        let request = ByQueryRequest::parse(ByQueryKind::Delete, body).expect("sound");
        assert!(String::from_utf8_lossy(&request.search).contains("script"));
    }
}
