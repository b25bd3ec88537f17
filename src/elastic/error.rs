//! Errors as Elasticsearch says them: a status, a type and a reason that clients branch on.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// Name of the only node; it appears in failed shards.
pub(super) const NODE_NAME: &str = "siltstone";

/// The type of an error because of a full disk.
const DISK_FULL_TYPE: &str = "cluster_block_exception";

/// One error. It prints the envelope `{"error": {..}, "status": n}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ElasticError {
    status: u16,
    cause: Box<Cause>,
    /// The index whose shard failed; such an error is wrapped as a failed search phase.
    shard_of: Option<String>,
    /// The search failed when its results were joined.
    in_reduce: bool,
    /// The key in the request that is at fault, until its line and column are known.
    place: Option<Place>,
}

/// Where in the request an error is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// At the first key of this name.
    Key(String),
    /// At the value of the first key of this name.
    Value(String),
}

/// A type, a reason and what else is known, without status.
#[derive(Debug, Clone, PartialEq)]
struct Cause {
    error_type: String,
    reason: String,
    metadata: Map<String, Value>,
    caused_by: Option<Box<Cause>>,
    /// What `root_cause` names instead of the error itself.
    root: Option<Box<Cause>>,
}

impl ElasticError {
    /// An error of HTTP status `status`.
    #[must_use]
    pub fn new(status: u16, error_type: &str, reason: impl Into<String>) -> Self {
        Self {
            status,
            cause: Box::new(Cause {
                error_type: error_type.into(),
                reason: reason.into(),
                metadata: Map::new(),
                caused_by: None,
                root: None,
            }),
            shard_of: None,
            in_reduce: false,
            place: None,
        }
    }

    /// A wrong value of a parameter.
    #[must_use]
    pub fn illegal_argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// A wrong shape of the query language.
    #[must_use]
    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    /// A wrong shape below an object of known fields.
    #[must_use]
    pub fn content(reason: impl Into<String>) -> Self {
        Self::new(400, "x_content_parse_exception", reason)
    }

    /// A mapping that cannot be read.
    #[must_use]
    pub fn mapping(reason: impl Into<String>) -> Self {
        Self::new(400, "mapper_parsing_exception", reason)
    }

    /// A request whose parts do not fit together.
    #[must_use]
    pub fn validation(reasons: &[String]) -> Self {
        let mut text = String::from("Validation Failed:");
        for (number, reason) in reasons.iter().enumerate() {
            text.push_str(&format!(" {}: {reason};", number + 1));
        }
        Self::new(400, "action_request_validation_exception", text)
    }

    /// Somebody asked for an end, or nobody waits any more.
    #[must_use]
    pub fn canceled(reason: &str) -> Self {
        Self::new(400, "task_cancelled_exception", reason)
    }

    /// Writes are refused until the disk has room again.
    #[must_use]
    pub fn disk_full(what: &str) -> Self {
        let reason = format!(
            "index blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, \
             index has read-only-allow-delete block]; {what}"
        );
        Self::new(429, DISK_FULL_TYPE, reason)
    }

    /// Whether it is [`ElasticError::disk_full`].
    pub(crate) fn is_disk_full(&self) -> bool {
        self.cause.error_type == DISK_FULL_TYPE
    }

    /// No index of that name.
    #[must_use]
    pub fn index_not_found(index: &str) -> Self {
        Self::new(
            404,
            "index_not_found_exception",
            format!("no such index [{index}]"),
        )
        .with("resource.type", "index_or_alias")
        .with("resource.id", index)
        .with("index_uuid", "_na_")
        .with("index", index)
    }

    /// The index is closed, and nothing can be done with it.
    #[must_use]
    pub fn index_closed(index: &str) -> Self {
        Self::new(400, "index_closed_exception", "closed")
            .with("index_uuid", "_na_")
            .with("index", index)
    }

    /// An index of that name exists.
    #[must_use]
    pub fn index_exists(index: &str, uuid: &str) -> Self {
        Self::new(
            400,
            "resource_already_exists_exception",
            format!("index [{index}/{uuid}] already exists"),
        )
        .with("index_uuid", uuid)
        .with("index", index)
    }

    /// A write must name an alias, and there are none.
    #[must_use]
    pub fn alias_required(index: &str) -> Self {
        let reason = format!(
            "no such index [{index}] and [require_alias] request flag is [true] and [{index}] is \
             not an alias"
        );
        Self::new(404, "index_not_found_exception", reason)
            .with("index_uuid", "_na_")
            .with("index", index)
    }

    /// A document is to be changed whose index does not show documents.
    #[must_use]
    pub fn source_missing(index: &str, id: &str) -> Self {
        let reason = format!("[{id}]: document source missing");
        Self::new(400, "document_source_missing_exception", reason)
            .with("index_uuid", "_na_")
            .with("index", index)
    }

    /// A total that is counted up to `limit` cannot be a plain number.
    #[must_use]
    pub fn inexact_total(limit: impl std::fmt::Display) -> Self {
        Self::illegal_argument(format!(
            "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not \
             accurate, got {limit}"
        ))
    }

    /// A document was named without the routing that its index wants.
    #[must_use]
    pub fn routing_missing(index: &str, id: Option<&str>) -> Self {
        let id = id.unwrap_or("null");
        let reason = format!("routing is required for [{index}]/[{id}]");
        Self::new(400, "routing_missing_exception", reason)
            .with("index_uuid", "_na_")
            .with("index", index)
    }

    /// There is no document of that id to be updated.
    #[must_use]
    pub fn document_missing(index: &str, uuid: &str, id: &str) -> Self {
        let reason = format!("[{id}]: document missing");
        Self::new(404, "document_missing_exception", reason)
            .with("index_uuid", uuid)
            .with("shard", "0")
            .with("index", index)
    }

    /// The document of that id does not allow a write, for a reason of its versions.
    #[must_use]
    pub fn version_conflict(index: &str, uuid: &str, id: &str, why: &str) -> Self {
        Self::new(
            409,
            "version_conflict_engine_exception",
            format!("[{id}]: version conflict, {why}"),
        )
        .with("index_uuid", uuid)
        .with("shard", "0")
        .with("index", index)
    }

    /// An answer of more buckets than allowed.
    #[must_use]
    pub fn too_many_buckets(buckets_max: usize) -> Self {
        Self::new(
            400,
            "too_many_buckets_exception",
            format!(
                "Trying to create too many buckets. Must be less than or equal to: \
                 [{buckets_max}] but this number of buckets was exceeded. This limit can be set \
                 by changing the [search.max_buckets] cluster level setting."
            ),
        )
        .with("max_buckets", buckets_max)
    }

    /// A search that would hold `wanted_bytes`, where `breaker` allows `limit_bytes`.
    #[must_use]
    pub fn circuit_broken(breaker: &str, wanted_bytes: usize, limit_bytes: usize) -> Self {
        Self::new(
            429,
            "circuit_breaking_exception",
            format!(
                "[{breaker}] Data too large, data for [search] would be [{wanted_bytes}/{}], \
                 which is larger than the limit of [{limit_bytes}/{}]; ask for less, or raise \
                 memory_bytes",
                readable(wanted_bytes),
                readable(limit_bytes)
            ),
        )
        .with("bytes_wanted", wanted_bytes)
        .with("bytes_limit", limit_bytes)
        .with("durability", "TRANSIENT")
    }

    /// Something that this server cannot do yet; it says so instead of answering wrongly.
    #[must_use]
    pub fn unsupported(what: impl AsRef<str>) -> Self {
        Self::illegal_argument(format!("{} is not supported yet", what.as_ref()))
    }

    /// Adds a fact beside type and reason.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.cause.metadata.insert(key.into(), value.into());
        self
    }

    /// Names what led to it.
    #[must_use]
    pub fn caused_by(mut self, inner: Self) -> Self {
        self.cause.caused_by = Some(inner.cause);
        self
    }

    /// Lets `root_cause` name `inner`, which is also what led to it.
    #[must_use]
    pub fn rooted_in(mut self, inner: Self) -> Self {
        self.cause.root = Some(inner.cause.clone());
        self.cause.caused_by = Some(inner.cause);
        self
    }

    /// Says that the search failed while it ran on `index`: the error is wrapped as a failed phase.
    /// An error that is wrapped already stays as it is.
    #[must_use]
    pub fn on_shard(mut self, index: &str) -> Self {
        self.shard_of.get_or_insert_with(|| index.into());
        self
    }

    /// Says that the search failed when its results were joined.
    #[must_use]
    pub(super) fn in_reduce(mut self) -> Self {
        self.in_reduce = true;
        self
    }

    /// Says that the key `name` of the request is at fault.
    #[must_use]
    pub(super) fn at_key(mut self, name: &str) -> Self {
        self.place.get_or_insert_with(|| Place::Key(name.into()));
        self
    }

    /// Says that the value of the key `name` of the request is at fault.
    #[must_use]
    pub(super) fn at_value(mut self, name: &str) -> Self {
        self.place.get_or_insert_with(|| Place::Value(name.into()));
        self
    }

    /// Adds line and column of the key at fault, both from 1, where its type of error has them.
    #[must_use]
    pub(super) fn locate(mut self, request: &str) -> Self {
        let (name, after_colon) = match self.place.take() {
            Some(Place::Key(name)) => (name, false),
            Some(Place::Value(name)) => (name, true),
            None => return self,
        };
        let Some((line, column)) = position(request, &name, after_colon) else {
            return self;
        };
        match self.cause.error_type.as_str() {
            "parsing_exception" => self.with("line", line).with("col", column),
            "x_content_parse_exception" => {
                self.cause.reason = format!("[{line}:{column}] {}", self.cause.reason);
                self
            }
            _other => self,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The type, inside of any wrapping.
    #[must_use]
    pub fn error_type(&self) -> &str {
        &self.cause.error_type
    }

    /// The reason, inside of any wrapping.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.cause.reason
    }

    /// What `error` holds in an envelope.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut error = Map::new();
        if self.in_reduce {
            error.insert("root_cause".into(), json!([]));
            error.insert("type".into(), "search_phase_execution_exception".into());
            error.insert("reason".into(), "".into());
            error.insert("phase".into(), "fetch".into());
            error.insert("grouped".into(), true.into());
            error.insert("failed_shards".into(), json!([]));
            error.insert("caused_by".into(), self.cause.to_value());
            return Value::Object(error);
        }
        let root = self.cause.root.as_deref().unwrap_or(&self.cause);
        error.insert("root_cause".into(), json!([root.without_cause()]));
        if let Some(index) = &self.shard_of {
            error.insert("type".into(), "search_phase_execution_exception".into());
            error.insert("reason".into(), "all shards failed".into());
            error.insert("phase".into(), "query".into());
            error.insert("grouped".into(), true.into());
            let shard = json!({
                "shard": 0, "index": index, "node": NODE_NAME, "reason": self.cause.to_value(),
            });
            error.insert("failed_shards".into(), json!([shard]));
            error.insert("caused_by".into(), self.cause.to_value());
        } else if let Value::Object(own) = self.cause.to_value() {
            error.extend(own);
        }
        Value::Object(error)
    }

    /// What `error` holds in an item of a bulk answer: no root cause there.
    #[must_use]
    pub fn to_item_value(&self) -> Value {
        self.cause.to_value()
    }

    /// The whole envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an envelope of texts and numbers is JSON")
    }
}

impl Serialize for ElasticError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("error", &self.to_value())?;
        map.serialize_entry("status", &self.status)?;
        map.end()
    }
}

impl std::fmt::Display for ElasticError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}: {}",
            self.cause.error_type, self.cause.reason
        )
    }
}

impl std::error::Error for ElasticError {}

impl Cause {
    fn without_cause(&self) -> Value {
        let mut map = Map::new();
        map.insert("type".into(), self.error_type.clone().into());
        map.insert("reason".into(), self.reason.clone().into());
        map.extend(self.metadata.clone());
        Value::Object(map)
    }

    fn to_value(&self) -> Value {
        let mut value = self.without_cause();
        if let (Value::Object(map), Some(inner)) = (&mut value, &self.caused_by) {
            map.insert("caused_by".into(), inner.to_value());
        }
        value
    }
}

/// Line and column of the first key `name` of a JSON text, or of its value.
fn position(request: &str, name: &str, value: bool) -> Option<(usize, usize)> {
    let quoted = serde_json::to_string(name).expect("a text is JSON");
    let mut from = 0;
    loop {
        let start = from + request[from..].find(&quoted)?;
        let end = start + quoted.len();
        let after_space = request[end..].trim_start();
        if let Some(after_colon) = after_space.strip_prefix(':') {
            let value_start = request.len() - after_colon.trim_start().len();
            let before = &request[..if value { value_start } else { start }];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = before.matches('\n').count() + 1;
            return Some((line, before[line_start..].chars().count() + 1));
        }
        from = end;
    }
}

/// `bytes` as Elasticsearch prints sizes: one digit behind the point where there is one.
fn readable(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _)| bytes >= *size) else {
        return format!("{bytes}b");
    };
    match (bytes / size, bytes % size * 10 / size) {
        (whole, 0) => format!("{whole}{unit}"),
        (whole, tenths) => format!("{whole}.{tenths}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_starts_with_the_root_cause() {
        let error = ElasticError::index_not_found("logs");
        assert_eq!(
            String::from_utf8(error.to_bytes()).expect("text"),
            r#"{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [logs]","resource.type":"index_or_alias","resource.id":"logs","index_uuid":"_na_","index":"logs"}],"type":"index_not_found_exception","reason":"no such index [logs]","resource.type":"index_or_alias","resource.id":"logs","index_uuid":"_na_","index":"logs"},"status":404}"#
        );
    }

    #[test]
    fn a_key_at_fault_is_found_in_the_request() {
        let request = r#"{"query": {"bool": {"shall": []}}}"#;
        let error = ElasticError::content("[bool] unknown field [shall]").at_key("shall");
        assert_eq!(
            error.locate(request).reason(),
            "[1:21] [bool] unknown field [shall]"
        );
        let request = r#"{"aggs": {"x": {"nonsense": {"field": "ts"}}}}"#;
        let error = ElasticError::parsing("unknown")
            .at_value("nonsense")
            .locate(request);
        assert_eq!(error.to_value()["col"], 29);
    }

    #[test]
    fn an_error_of_a_shard_is_a_failed_phase() {
        let value = ElasticError::illegal_argument("no")
            .on_shard("logs")
            .to_value();
        assert_eq!(value["type"], "search_phase_execution_exception");
        assert_eq!(value["root_cause"][0]["type"], "illegal_argument_exception");
        assert_eq!(value["failed_shards"][0]["reason"]["reason"], "no");
        assert_eq!(value["caused_by"]["type"], "illegal_argument_exception");
    }
}
