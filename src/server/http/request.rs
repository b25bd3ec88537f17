//! A request as handlers see it.

use bytes::Bytes;
use query::Stop;

use super::Method;
use crate::elastic::{ElasticError, Expand, IndexOptions, IndexParams};

/// A request whose endpoint is known already.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The path, for messages.
    pub(super) path: String,
    /// Names and values of the query string in the order given.
    pub(super) params: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// `Accept`, when it says something.
    pub(super) accept: Option<String>,
    /// `X-Opaque-Id`, when it says something.
    pub(super) opaque_id: Option<String>,
    /// Says when nobody waits for the answer any more.
    pub(super) stop: Stop,
}

impl Request {
    /// The last value of the parameter `name`.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let last = self.params.iter().rev().find(|(given, _)| given == name);
        last.map(|(_, value)| value.as_str())
    }

    /// Whether the switch `name` is on; present without a value is on.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>, ElasticError> {
        match self.param(name) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ElasticError::illegal_argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// What to do about names that no index has.
    pub(super) fn index_options(&self) -> Result<IndexOptions, ElasticError> {
        self.index_options_on(IndexOptions::default())
    }

    /// What to do about names that no index has, `default` where the request does not say.
    pub(super) fn index_options_on(
        &self,
        default: IndexOptions,
    ) -> Result<IndexOptions, ElasticError> {
        let expand = self.param("expand_wildcards").map(Expand::parse);
        let params = IndexParams {
            ignore_unavailable: self.switch("ignore_unavailable")?,
            allow_no_indices: self.switch("allow_no_indices")?,
            expand: expand.transpose()?,
        };
        Ok(params.on(default))
    }

    /// The body of a search, which may also stand in the query string.
    pub(super) fn search_body(&self) -> &[u8] {
        match self.param("source") {
            Some(source) if self.body.is_empty() => source.as_bytes(),
            Some(_) | None => &self.body,
        }
    }

    /// What `?refresh` asks for on a write.
    pub(super) fn refresh(&self) -> Result<Refresh, ElasticError> {
        match self.param("refresh") {
            None | Some("false") => Ok(Refresh::No),
            Some("" | "true") => Ok(Refresh::Forced),
            Some("wait_for") => Ok(Refresh::Wait),
            Some(other) => Err(ElasticError::illegal_argument(format!(
                "Unknown value for refresh: [{other}]."
            ))),
        }
    }
}

/// Whether a write's answer waits until its rows are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// It does not.
    No,
    /// It makes them visible now.
    Forced,
    /// It waits until they are.
    Wait,
}
