//! `_bulk`: lines of actions and documents in, an item for each out.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::shape::SourceShape;
use super::stored::shown;
use super::write::{UpdateBody, WriteCondition, parse_update};
use super::{ElasticError, SearchParams, hits};

/// Longest id, in bytes.
const ID_BYTES_MAX: usize = 512;

/// What the metadata of an action may say; what an action here cannot honour fails the action.
const METADATA_KEYS: &[&str] = &[
    "_id",
    "_index",
    "_routing",
    "_source",
    "_type",
    "dynamic_templates",
    "if_primary_term",
    "if_seq_no",
    "list_executed_pipelines",
    "op_type",
    "pipeline",
    "require_alias",
    "require_data_stream",
    "retry_on_conflict",
    "routing",
    "version",
    "version_type",
];

/// What would change whether or how an action is done, and does not work yet.
const CONDITIONS: &[&str] = &["dynamic_templates", "require_data_stream"];

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkOperation {
    /// Stores a document, whatever is there.
    Index,
    /// Stores a document when its id is free.
    Create,
    /// Changes a document.
    Update,
    /// Removes a document.
    Delete,
}

impl BulkOperation {
    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "index" => Some(Self::Index),
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One action of a bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkAction<'a> {
    /// What it does.
    pub operation: BulkOperation,
    /// The index it names, else that of the URL; empty when neither is given.
    pub index: Cow<'a, str>,
    /// The document's id; `None` when the server makes one.
    pub id: Option<String>,
    /// What the document is to be found with.
    pub routing: Option<String>,
    /// The document as it came; empty for a delete.
    pub document: &'a [u8],
    /// When it may be done.
    pub condition: WriteCondition,
    /// How the document is to be changed, for an update.
    pub update: Option<UpdateBody>,
    /// Whether the index must be named by an alias; `None` when nothing was said.
    pub require_alias: Option<bool>,
    /// The pipeline that the document should go through.
    pub pipeline: Option<String>,
    /// Why this action alone cannot be done.
    pub error: Option<ElasticError>,
}

/// Reads the lines of a bulk request.
///
/// # Errors
/// When a line is no action, or the last line is not ended: then nothing of the request is done.
pub fn parse_bulk<'a>(
    body: &'a [u8],
    index: Option<&'a str>,
    params: &SearchParams,
) -> Result<Vec<BulkAction<'a>>, ElasticError> {
    if body.is_empty() {
        return Err(ElasticError::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    if body.last() != Some(&b'\n') {
        return Err(ElasticError::illegal_argument(
            "The bulk request must be terminated by a newline [\\n]",
        ));
    }
    let mut lines = body.split(|byte| *byte == b'\n').enumerate();
    let mut actions = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (operation, metadata) = action_line(line, number + 1)?;
        let document = match operation {
            BulkOperation::Delete => &[][..],
            _has_document => lines.next().map_or(&[][..], |(_, line)| line),
        };
        actions.push(action(operation, &metadata, index, document, params));
    }
    if actions.is_empty() {
        return Err(ElasticError::validation(&["no requests added".into()]));
    }
    Ok(actions)
}

/// An action line: `{"index": {..}}`. What follows the metadata is not looked at, as in
/// Elasticsearch.
fn action_line(
    line: &[u8],
    number: usize,
) -> Result<(BulkOperation, Map<String, Value>), ElasticError> {
    let malformed = |expected: &str, found: &str| {
        ElasticError::illegal_argument(format!(
            "Malformed action/metadata line [{number}], expected {expected} but found [{found}]"
        ))
    };
    let text = std::str::from_utf8(line)
        .map_err(|_| malformed("START_OBJECT", "VALUE_STRING"))?
        .trim();
    let Some(rest) = text.strip_prefix('{') else {
        return Err(malformed("START_OBJECT", token_name(text)));
    };
    let rest = rest.trim_start();
    let mut names = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let Some(Ok(Value::String(name))) = names.next() else {
        return Err(malformed("FIELD_NAME", token_name(rest)));
    };
    let after = rest[names.byte_offset()..].trim_start();
    let operation = BulkOperation::parse(&name)
        .ok_or_else(|| malformed("one of [create, delete, index, update]", &name))?;
    let after = after.strip_prefix(':').unwrap_or(after).trim_start();
    if !after.starts_with('{') {
        return Err(malformed("START_OBJECT or END_OBJECT", token_name(after)));
    }
    let mut values = serde_json::Deserializer::from_str(after).into_iter::<Map<String, Value>>();
    match values.next() {
        Some(Ok(metadata)) => {
            match metadata
                .keys()
                .find(|key| !METADATA_KEYS.contains(&key.as_str()))
            {
                None => Ok((operation, metadata)),
                Some(unknown) => Err(ElasticError::illegal_argument(format!(
                    "Action/metadata line [{number}] contains an unknown parameter [{unknown}]"
                ))),
            }
        }
        Some(Err(error)) => Err(ElasticError::new(
            400,
            "json_parse_exception",
            error.to_string(),
        )),
        None => Err(malformed("START_OBJECT or END_OBJECT", "null")),
    }
}

/// The name that Elasticsearch's parser has for the token that `text` starts with.
fn token_name(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "START_OBJECT",
        Some(b'}') => "END_OBJECT",
        Some(b'[') => "START_ARRAY",
        Some(b']') => "END_ARRAY",
        Some(b'"') => "VALUE_STRING",
        Some(b't' | b'f') => "VALUE_BOOLEAN",
        Some(b'n') | None => "null",
        Some(_) => "VALUE_NUMBER",
    }
}

fn action<'a>(
    operation: BulkOperation,
    metadata: &Map<String, Value>,
    index: Option<&'a str>,
    document: &'a [u8],
    params: &SearchParams,
) -> BulkAction<'a> {
    let mut error = None;
    let mut fail = |reason: String| {
        error.get_or_insert_with(|| ElasticError::illegal_argument(reason));
    };
    let own_index = metadata.get("_index").and_then(text_of);
    let id = metadata.get("_id").and_then(text_of);
    match &id {
        Some(id) if id.is_empty() => fail("if _id is specified it must not be empty".into()),
        Some(id) if id.len() > ID_BYTES_MAX => fail(format!(
            "id is too long, must be no longer than {ID_BYTES_MAX} bytes but was: {}",
            id.len()
        )),
        None if matches!(operation, BulkOperation::Update | BulkOperation::Delete) => {
            fail("an id must be provided if version type or value are set".into());
        }
        Some(_) | None => {}
    }
    for condition in CONDITIONS {
        match metadata.get(*condition) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(_) => fail(format!("[{condition}] is not supported yet")),
        }
    }
    let condition = match WriteCondition::parse(|name| metadata.get(name).cloned()) {
        Ok(condition) => condition,
        Err(wrong) => {
            error.get_or_insert(wrong);
            WriteCondition::Always
        }
    };
    let mut fail = |reason: String| {
        error.get_or_insert_with(|| ElasticError::illegal_argument(reason));
    };
    let operation = match metadata.get("op_type").and_then(Value::as_str) {
        Some("create") if operation == BulkOperation::Index => BulkOperation::Create,
        Some(_) | None => operation,
    };
    let needs_document = operation != BulkOperation::Delete;
    if needs_document && document.trim_ascii().is_empty() {
        fail("a document is required".into());
    }
    let update = update_of(operation, document, metadata, params, &mut error);
    BulkAction {
        operation,
        condition,
        update,
        require_alias: metadata.get("require_alias").and_then(Value::as_bool),
        pipeline: metadata.get("pipeline").and_then(text_of),
        index: own_index.map_or_else(|| Cow::Borrowed(index.unwrap_or("")), Cow::Owned),
        id,
        routing: ["routing", "_routing"]
            .into_iter()
            .find_map(|key| metadata.get(key).and_then(text_of)),
        document,
        error,
    }
}

/// How an update is to be done, unless the action cannot be.
fn update_of(
    operation: BulkOperation,
    document: &[u8],
    metadata: &Map<String, Value>,
    params: &SearchParams,
    error: &mut Option<ElasticError>,
) -> Option<UpdateBody> {
    match operation {
        BulkOperation::Update if error.is_none() => match parse_update(document, params) {
            Ok(mut update) => {
                if update.shown == SourceShape::None && metadata.contains_key("_source") {
                    update.shown = hits::source(metadata, params).unwrap_or_default();
                }
                Some(update)
            }
            Err(wrong) => {
                *error = Some(wrong);
                None
            }
        },
        BulkOperation::Index
        | BulkOperation::Create
        | BulkOperation::Update
        | BulkOperation::Delete => None,
    }
}

/// Ids and index names may be written as numbers.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAnswer {
    /// There is a new document.
    Created,
    /// A document has another content.
    Updated,
    /// A document is gone.
    Deleted,
    /// There was no document to be deleted.
    NotFound,
    /// The document is as it should be already.
    Noop,
}

impl WriteAnswer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::NotFound => "not_found",
            Self::Noop => "noop",
        }
    }

    /// The status of an answer that says so.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Created => 201,
            Self::Updated | Self::Deleted | Self::Noop => 200,
            Self::NotFound => 404,
        }
    }
}

/// A write that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenDocument {
    /// Where.
    pub index: String,
    /// Under which id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// What was done.
    pub answer: WriteAnswer,
    /// Its record's offset.
    pub sequence_number: u64,
    /// The leader epoch of its record, plus one: terms start at 1.
    pub primary_term: u64,
    /// Whether the write made it visible before it answered.
    pub forced_refresh: bool,
    /// The document after an update.
    pub source: Option<Bytes>,
}

impl WrittenDocument {
    fn entries<M: SerializeMap>(&self, map: &mut M, shape: &SourceShape) -> Result<(), M::Error> {
        map.serialize_entry("_index", &self.index)?;
        map.serialize_entry("_id", &self.id)?;
        map.serialize_entry("_version", &self.version)?;
        map.serialize_entry("result", self.answer.as_str())?;
        if self.forced_refresh {
            map.serialize_entry("forced_refresh", &true)?;
        }
        map.serialize_entry(
            "_shards",
            &Shards {
                total: 1,
                successful: 1,
                failed: 0,
            },
        )?;
        map.serialize_entry("_seq_no", &self.sequence_number)?;
        map.serialize_entry("_primary_term", &self.primary_term)?;
        let source = self.source.as_ref().and_then(|source| shown(source, shape));
        match source {
            None => Ok(()),
            Some(source) => map.serialize_entry(
                "get",
                &Get {
                    _seq_no: self.sequence_number,
                    _primary_term: self.primary_term,
                    found: true,
                    _source: &source,
                },
            ),
        }
    }
}

/// The document after an update.
#[derive(Serialize)]
struct Get<'a> {
    _seq_no: u64,
    _primary_term: u64,
    found: bool,
    _source: &'a RawValue,
}

#[derive(Serialize)]
struct Shards {
    total: u32,
    successful: u32,
    failed: u32,
}

/// What became of one action.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOutcome {
    /// What it was to do.
    pub operation: BulkOperation,
    /// The index it named.
    pub index: String,
    /// The id it named or was given.
    pub id: Option<String>,
    /// What is shown of the document after an update.
    pub(crate) shown: SourceShape,
    /// What was stored, or why not.
    pub result: Result<WrittenDocument, ElasticError>,
}

/// Prints the answer of a bulk request; items in the order of its actions.
#[must_use]
pub fn render_bulk(took_ms: u64, outcomes: &[BulkOutcome]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reply<'a> {
        took: u64,
        errors: bool,
        items: Vec<Item<'a>>,
    }
    let reply = Reply {
        took: took_ms,
        errors: outcomes.iter().any(|outcome| outcome.result.is_err()),
        items: outcomes.iter().map(Item).collect(),
    };
    serde_json::to_vec(&reply).expect("texts and numbers are JSON")
}

struct Item<'a>(&'a BulkOutcome);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0.operation.as_str(), &ItemBody(self.0))?;
        map.end()
    }
}

struct ItemBody<'a>(&'a BulkOutcome);

impl Serialize for ItemBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.0.result {
            Ok(written) => {
                written.entries(&mut map, &self.0.shown)?;
                map.serialize_entry("status", &written.answer.status())?;
            }
            Err(error) => {
                map.serialize_entry("_index", &self.0.index)?;
                map.serialize_entry("_id", &self.0.id)?;
                map.serialize_entry("status", &error.status())?;
                map.serialize_entry("error", &error.to_item_value())?;
            }
        }
        map.end()
    }
}

/// Prints the answer of a write of one document; its status is that of what was done.
#[must_use]
pub(crate) fn render_document(written: &WrittenDocument, shown: &SourceShape) -> Vec<u8> {
    struct Reply<'a>(&'a WrittenDocument, &'a SourceShape);
    impl Serialize for Reply<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            self.0.entries(&mut map, self.1)?;
            map.end()
        }
    }
    serde_json::to_vec(&Reply(written, shown)).expect("texts and numbers are JSON")
}

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
