//! What a request must be before its body is read.

use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use query::Stop;
use serde_json::json;

use super::body::{BODY_BYTES_MAX, BodyError};
use super::endpoint::Endpoint;
use super::reply::{OPAQUE_ID, Reply};
use super::request::Request;
use super::{Method, params};
use crate::elastic::ElasticError;

/// Most bytes of a body that is read into a tree of values as a whole, which takes many times as
/// much memory.
const TREE_BYTES_MAX: usize = 8 << 20;

/// Bytes that a byte of JSON may become as a tree of values.
const TREE_BYTES_PER_BYTE: usize = 16;

/// Bytes that one action of a bulk request takes until it is answered, besides its document.
const ACTION_BYTES: usize = 512;

/// A request that may go on.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    pub(super) body_bytes_max: usize,
    pub(super) is_gzip: bool,
    path: String,
    params: Vec<(String, String)>,
    accept: Option<String>,
    opaque_id: Option<String>,
}

impl Admitted {
    /// Checks what the head of a request says.
    pub(super) fn check(head: &Parts) -> Result<Self, Reply> {
        let uri = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let Some(endpoint) = Endpoint::parse(head.uri.path()) else {
            return Err(Reply::no_handler(uri, head.method.as_str()));
        };
        let allow = endpoint.methods();
        let method = match Method::parse(&head.method) {
            Some(method) if allow.contains(&method) => method,
            Some(_) | None => return Err(Reply::wrong_method(uri, head.method.as_str(), allow)),
        };
        let query = head.uri.query().unwrap_or("");
        if query.len() > params::QUERY_BYTES_MAX {
            let reason = format!(
                "the query string is longer than {} bytes",
                params::QUERY_BYTES_MAX
            );
            let error = ElasticError::new(414, "illegal_argument_exception", reason);
            return Err(Reply::error(&error));
        }
        check_content_type(&head.headers)?;
        let text = |name: &str| {
            let value = head.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        Ok(Self {
            body_bytes_max: match endpoint {
                Endpoint::Bulk { .. } | Endpoint::MultiSearch { .. } => BODY_BYTES_MAX,
                Endpoint::Document { .. }
                | Endpoint::DocumentId { .. }
                | Endpoint::Create { .. } => BODY_BYTES_MAX,
                _ => TREE_BYTES_MAX,
            },
            endpoint,
            method,
            is_gzip: is_gzip(&head.headers)?,
            path: head.uri.path().into(),
            params: params::parse(query),
            accept: text(ACCEPT.as_str()),
            opaque_id: text(OPAQUE_ID),
        })
    }

    /// Bytes that working on `body` may take besides the body itself.
    pub(super) fn work_bytes(&self, body: &[u8]) -> usize {
        let lines = || body.split(|byte| *byte == b'\n');
        match self.endpoint {
            Endpoint::Bulk { .. } => lines().count() / 2 * ACTION_BYTES,
            // Searches are read one after another.
            Endpoint::MultiSearch { .. } => {
                lines().map(<[u8]>::len).max().unwrap_or(0) * TREE_BYTES_PER_BYTE
            }
            Endpoint::Document { .. } | Endpoint::DocumentId { .. } | Endpoint::Create { .. } => 0,
            _ => body.len() * TREE_BYTES_PER_BYTE,
        }
    }

    /// The request, its body still empty.
    pub(super) fn into_request(self, stop: Stop) -> (Endpoint, Request) {
        let Self {
            endpoint,
            method,
            path,
            params,
            accept,
            opaque_id,
            ..
        } = self;
        (
            endpoint,
            Request {
                method,
                path,
                params,
                body: bytes::Bytes::new(),
                accept,
                opaque_id,
                stop,
            },
        )
    }
}

/// Too much is under way.
pub(super) fn rejected(what: &str) -> Reply {
    Reply::error(&ElasticError::new(
        429,
        "es_rejected_execution_exception",
        format!("rejected execution: too many {what} in flight, try again later"),
    ))
}

/// Why there is no body, as an answer.
pub(super) fn refused(error: BodyError) -> Reply {
    let illegal = "illegal_argument_exception";
    let error = match error {
        BodyError::TooLarge { limit_bytes } => ElasticError::new(
            413,
            "content_too_long_exception",
            format!("entity content is too long for the limit [{limit_bytes}] bytes"),
        ),
        BodyError::TooComplex => ElasticError::new(
            413,
            "content_too_long_exception",
            "the request has too many parts; split it",
        ),
        BodyError::Busy => return rejected("bytes of request bodies"),
        BodyError::Stalled => ElasticError::new(408, illegal, "the request body stopped coming"),
        BodyError::Broken => ElasticError::new(400, illegal, "the request body is cut off"),
        BodyError::NotGzip => ElasticError::new(400, illegal, "the request body is no gzip"),
    };
    Reply::error(&error)
}

/// Refuses bodies that are no JSON, as far as the header says.
fn check_content_type(headers: &HeaderMap) -> Result<(), Reply> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = String::from_utf8_lossy(given.as_bytes());
    let kind = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let known = [
        "application/json",
        "application/x-ndjson",
        "application/vnd.elasticsearch+json",
        "application/vnd.elasticsearch+x-ndjson",
        // What curl says when nobody tells it otherwise.
        "application/x-www-form-urlencoded",
        "",
    ];
    if known.contains(&kind.as_str()) && is_compatible(&given) {
        return Ok(());
    }
    let text = format!("Content-Type header [{given}] is not supported");
    Err(Reply::value(406, &json!({ "error": text, "status": 406 })))
}

/// Whether a media type asks for a version of the API that is spoken here.
fn is_compatible(media_type: &str) -> bool {
    let mut options = media_type.split(';').skip(1).map(str::trim);
    let version = options.find_map(|option| option.strip_prefix("compatible-with="));
    version.is_none_or(|version| matches!(version.trim_matches('"'), "7" | "8" | "9"))
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Reply> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(false),
        Some(b"gzip" | b"x-gzip") => Ok(true),
        Some(other) => {
            let reason = format!(
                "content encoding [{}] is not supported, gzip is",
                String::from_utf8_lossy(other)
            );
            Err(Reply::error(&ElasticError::illegal_argument(reason)))
        }
    }
}
