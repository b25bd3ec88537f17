//! An answer before it is framed.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue,
    RETRY_AFTER, VARY,
};
use serde_json::{Value, json};

use super::Method;
use crate::elastic::ElasticError;
use crate::metrics;

/// Answers shorter than this are not worth compressing.
const GZIP_BYTES_MIN: usize = 4 << 10;

/// Status and content of an answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    /// The methods that the path takes, when the request's was none of them.
    pub(super) allow: &'static [Method],
}

/// What an answer holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// JSON; `pretty` and `filter_path` apply.
    Json(Vec<u8>),
    /// Plain text.
    Text(String),
    /// What Prometheus reads.
    Metrics(String),
    /// YAML.
    Yaml(String),
}

impl Reply {
    pub(super) fn json(status: u16, bytes: Vec<u8>) -> Self {
        Self {
            status,
            content: Content::Json(bytes),
            allow: &[],
        }
    }

    pub(super) fn ok(bytes: Vec<u8>) -> Self {
        Self::json(200, bytes)
    }

    /// JSON of a few plain values.
    pub(super) fn value(status: u16, value: &Value) -> Self {
        Self::json(status, value.to_string().into_bytes())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content: Content::Empty,
            allow: &[],
        }
    }

    pub(super) fn text(text: String) -> Self {
        Self {
            status: 200,
            content: Content::Text(text),
            allow: &[],
        }
    }

    pub(super) fn yaml(text: String) -> Self {
        Self {
            content: Content::Yaml(text),
            ..Self::empty(200)
        }
    }

    pub(super) fn metrics(text: String) -> Self {
        Self {
            content: Content::Metrics(text),
            ..Self::empty(200)
        }
    }

    pub(super) fn error(error: &ElasticError) -> Self {
        Self::json(error.status(), error.to_bytes())
    }

    /// The path names nothing.
    pub(super) fn no_handler(uri: &str, method: &str) -> Self {
        let text = format!("no handler found for uri [{uri}] and method [{method}]");
        Self::value(400, &json!({ "error": text }))
    }

    /// The path takes other methods.
    pub(super) fn wrong_method(uri: &str, method: &str, allow: &'static [Method]) -> Self {
        let names: Vec<_> = allow.iter().map(|method| method.name()).collect();
        let text = format!(
            "Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{}]",
            names.join(", ")
        );
        Self {
            allow,
            ..Self::value(405, &json!({ "error": text, "status": 405 }))
        }
    }
}

/// What a client calls its request; the answer says it too.
pub(super) const OPAQUE_ID: &str = "x-opaque-id";

/// Seconds after which a client that was turned away may try again.
const RETRY_SECONDS: &str = "1";

/// What a request says about the form of its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    /// The content type of JSON.
    json_type: Option<HeaderValue>,
    /// Whether gzip is understood.
    gzip: bool,
    /// What the client calls its request.
    opaque_id: Option<HeaderValue>,
}

impl Form {
    /// Reads the request's headers. A versioned media type that is asked for comes back.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        let json_type = text(ACCEPT)
            .split(',')
            .map(str::trim)
            .find(|kind| kind.starts_with("application/vnd.elasticsearch+json"))
            .and_then(|kind| HeaderValue::from_str(&kind.replace("; ", ";")).ok());
        let gzip = text(ACCEPT_ENCODING).split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && parts.next() != Some("q=0")
        });
        Self {
            json_type,
            gzip,
            opaque_id: headers.get(OPAQUE_ID).cloned(),
        }
    }

    /// Frames `bytes` of content type JSON or text. Runs where blocking is allowed: it compresses.
    pub(super) fn frame(&self, reply: Printed) -> Response<Full<Bytes>> {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-elastic-product",
            HeaderValue::from_static("Elasticsearch"),
        );
        if let Some(opaque_id) = &self.opaque_id {
            headers.insert(OPAQUE_ID, opaque_id.clone());
        }
        if reply.status == 429 {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        let mut bytes = reply.bytes;
        match reply.kind {
            Kind::Empty => {}
            Kind::Json => {
                let plain = HeaderValue::from_static("application/json");
                headers.insert(CONTENT_TYPE, self.json_type.clone().unwrap_or(plain));
            }
            Kind::Text => {
                let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
                headers.insert(CONTENT_TYPE, plain);
            }
            Kind::Yaml => {
                let yaml = HeaderValue::from_static("application/yaml");
                headers.insert(CONTENT_TYPE, yaml);
            }
            Kind::Metrics => {
                let text = HeaderValue::from_static(metrics::CONTENT_TYPE);
                headers.insert(CONTENT_TYPE, text);
            }
        }
        if !reply.allow.is_empty() {
            let names: Vec<_> = reply.allow.iter().map(|method| method.name()).collect();
            let names = HeaderValue::from_str(&names.join(", ")).expect("methods are tokens");
            headers.insert(ALLOW, names);
        }
        if self.gzip && bytes.len() >= GZIP_BYTES_MIN {
            bytes = gzip(&bytes);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let mut response = Response::new(Full::new(bytes.into()));
        *response.status_mut() =
            hyper::StatusCode::from_u16(reply.status).expect("handlers use statuses that exist");
        *response.headers_mut() = headers;
        response
    }
}

/// An answer as bytes.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) status: u16,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
    pub(super) allow: &'static [Method],
}

/// What the bytes of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    Json,
    Text,
    Metrics,
    Yaml,
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes what is written to it")
}
