//! HTTP: frames requests, bounds them, hands them to a pool of threads and frames the answers.
//!
//! ```text
//! connection ─hyper→ Endpoint (404/405) ─slot (429)→ body (413/429) ─pool (429)→ handler → Reply
//! ```
//! It knows paths, methods, headers and limits. What a search or a bulk request means is known by
//! `elastic` and `db`.

mod admission;
mod aliases;
mod async_search;
mod body;
mod by_query;
mod cat;
mod cluster;
mod connection;
mod contexts;
mod dead_letters;
mod documents;
mod edge;
mod endpoint;
mod indices;
mod monitor;
mod params;
mod patient;
mod reply;
mod request;
mod search;
mod tasks;
mod templates;

pub(super) use connection::{CONNECTIONS_MAX, Http, serve};
pub(super) use edge::Edge;

/// Methods that some endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

impl Method {
    fn parse(method: &hyper::Method) -> Option<Self> {
        match *method {
            hyper::Method::GET => Some(Self::Get),
            hyper::Method::HEAD => Some(Self::Head),
            hyper::Method::PUT => Some(Self::Put),
            hyper::Method::POST => Some(Self::Post),
            hyper::Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}
