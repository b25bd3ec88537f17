//! Whom a command asks: a running server, or a directory that no server has open.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::client::Client;
use crate::db::Db;
use crate::error::{Error, ErrorKind, Result};
use crate::options::HTTP_ADDRESS;
use crate::server;

/// Where the data is.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// A running server
    #[arg(long, value_name = "URL", env = "SILTSTONE_URL", default_value_t = format!("http://{HTTP_ADDRESS}"))]
    url: String,
    /// A directory instead of a server; no server may have it open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Someone to ask.
#[derive(Debug)]
pub(super) enum Target {
    /// By HTTP.
    Server(Client),
    /// Opened by this process.
    Directory(Db),
}

impl Where {
    pub(super) fn open(&self) -> Result<Target> {
        match &self.data {
            None => Client::new(&self.url).map(Target::Server),
            Some(data) => {
                require_directory(data)?;
                Db::open(data).map(Target::Directory)
            }
        }
    }
}

impl Target {
    /// Sends a request; the body of a 2xx answer.
    pub(super) fn ask(&self, method: &str, uri: &str, body: &[u8]) -> Result<Vec<u8>> {
        let (status, answer) = match self {
            Self::Server(client) => client.send(method, uri, body)?,
            Self::Directory(db) => server::ask(db, method, uri, body),
        };
        match status {
            200..300 => Ok(answer),
            _ => Err(refusal(status, &answer)),
        }
    }

    /// As [`Target::ask`], read as JSON.
    pub(super) fn ask_json(&self, method: &str, uri: &str, body: &[u8]) -> Result<Value> {
        let answer = self.ask(method, uri, body)?;
        serde_json::from_slice(&answer).map_err(|error| {
            let text = format!("the answer to {method} {uri} is no JSON: {error}");
            Error::new(ErrorKind::Unavailable, text)
        })
    }

    /// Makes what was written durable and lets go of it.
    pub(super) fn close(self) -> Result<()> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Directory(db) => db.close(),
        }
    }
}

/// An error answer in one line.
fn refusal(status: u16, answer: &[u8]) -> Error {
    let kind = match status {
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        413 | 429 => ErrorKind::LimitExceeded,
        400..500 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    let value: Value = serde_json::from_slice(answer).unwrap_or_default();
    let error = &value["error"];
    let reason = error["reason"].as_str().or_else(|| error.as_str());
    // A failed search says why one level down.
    let cause = error["root_cause"][0]["reason"].as_str().or(reason);
    let text = match cause {
        Some(cause) => format!("{cause} (status {status})"),
        None => format!("the answer has status {status}"),
    };
    Error::new(kind, text)
}

/// Refuses a directory that is not there, instead of making an empty one.
pub(super) fn require_directory(data: &Path) -> Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    let text = format!("there is no directory '{}'", data.display());
    Err(Error::new(ErrorKind::NotFound, text))
}

/// Refuses a directory without a store: nothing can hold where nothing is.
pub(super) fn require_store(data: &Path) -> Result<()> {
    require_directory(data)?;
    if data.join("log").is_dir() {
        return Ok(());
    }
    let text = format!(
        "'{}' holds no store: it has no folder 'log'",
        data.display()
    );
    Err(Error::new(ErrorKind::NotFound, text))
}

/// `text` as one segment of a path.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'*' | b',' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
