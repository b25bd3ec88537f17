//! Just enough of an HTTP client to ask a Siltstone server.
//!
//! It speaks HTTP/1.0: one request a connection, and the end of the answer is the end of the
//! connection, so there is nothing to frame.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// How long an answer may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(120);
/// How long a connection may take.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// A server to ask.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// `host:port`
    authority: String,
}

impl Client {
    /// The server at `url`, such as `http://127.0.0.1:9200`.
    pub(super) fn new(url: &str) -> Result<Self> {
        let invalid =
            |reason: &str| Error::new(ErrorKind::Invalid, format!("url '{url}' {reason}"));
        let rest = match url.split_once("://") {
            None => url,
            Some(("http", rest)) => rest,
            Some(_) => return Err(invalid("does not start with http://")),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return Err(invalid("has a path; say http://HOST:PORT"));
        }
        let has_port = authority
            .rsplit(':')
            .next()
            .is_some_and(|port| authority.contains(':') && port.parse::<u16>().is_ok());
        match (authority.is_empty(), has_port) {
            (true, _) => Err(invalid("names no host")),
            (false, true) => Ok(Self {
                authority: authority.into(),
            }),
            (false, false) => Ok(Self {
                authority: format!("{authority}:9200"),
            }),
        }
    }

    /// Sends a request; status and body.
    pub(super) fn send(&self, method: &str, uri: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
        let answer = self.exchange(method, uri, body).map_err(|error| {
            let text = format!("no answer from http://{}: {error}", self.authority);
            Error::new(ErrorKind::Unavailable, text)
        })?;
        split(&answer).ok_or_else(|| {
            let text = format!("http://{} does not answer in HTTP", self.authority);
            Error::new(ErrorKind::Unavailable, text)
        })
    }

    fn exchange(&self, method: &str, uri: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::other("the host has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_WAIT_MAX) {
                Err(error) => last = error,
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(ANSWER_WAIT_MAX))?;
                    stream.set_write_timeout(Some(ANSWER_WAIT_MAX))?;
                    let head = format!(
                        "{method} {uri} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n",
                        self.authority,
                        body.len()
                    );
                    stream.write_all(&[head.as_bytes(), body].concat())?;
                    let mut answer = Vec::new();
                    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
                    return Ok(answer);
                }
            }
        }
        Err(last)
    }
}

/// Status and body of an answer.
fn split(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server() {
        let check = |url: &str| Client::new(url).map(|client| client.authority).ok();
        assert_eq!(check("http://h:1").as_deref(), Some("h:1"));
        assert_eq!(check("h:1/").as_deref(), Some("h:1"));
        assert_eq!(check("http://h").as_deref(), Some("h:9200"));
        assert_eq!(check("https://h"), None);
        assert_eq!(check("http://h:1/x"), None);
        assert_eq!(check("http://"), None);
    }

    #[test]
    fn answers_are_status_and_body() {
        assert_eq!(
            split(b"HTTP/1.0 201 Created\r\na: b\r\n\r\nxy"),
            Some((201, b"xy".to_vec()))
        );
        assert_eq!(split(b"SSH-2.0\r\n\r\n"), None);
        assert_eq!(split(b""), None);
    }
}
