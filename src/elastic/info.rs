//! Answers about the server and its indices.

use storage::catalog::Topic;

/// What `GET /` tells about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name of the node and of the cluster.
    pub name: String,
    /// The store's identity.
    pub uuid: [u8; 16],
    /// The version of Elasticsearch that clients are told.
    pub version: String,
}

/// Prints the answer of `GET /`.
#[must_use]
pub fn render_info(info: &ServerInfo) -> Vec<u8> {
    info.name.clone().into_bytes()
}

/// Prints the answer of `GET /_cluster/health`; `topics` are those it was asked for.
#[must_use]
pub fn render_health(info: &ServerInfo, topics: &[&Topic]) -> Vec<u8> {
    let _ = topics;
    info.name.clone().into_bytes()
}

/// Prints the answer of `GET /{index}`.
#[must_use]
pub fn render_indices(topics: &[&Topic]) -> Vec<u8> {
    let _ = topics;
    b"{}".to_vec()
}

/// Prints the answer of `GET /{index}/_mapping`.
#[must_use]
pub fn render_mappings(topics: &[&Topic]) -> Vec<u8> {
    let _ = topics;
    b"{}".to_vec()
}

/// Prints the answer of `GET /{index}/_settings`.
#[must_use]
pub fn render_settings(topics: &[&Topic]) -> Vec<u8> {
    let _ = topics;
    b"{}".to_vec()
}

/// Prints the answer of `GET /{index}/_field_caps?fields=a,b*`.
#[must_use]
pub fn render_field_caps(fields: &str, topics: &[&Topic]) -> Vec<u8> {
    let _ = (fields, topics);
    b"{}".to_vec()
}
