//! HTTP as a browser's back end speaks it: one kept connection, answers by length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Outcome, connect};

pub(super) struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.into(),
            stream: None,
        }
    }

    /// One `_msearch`: its status and its text.
    pub(super) fn search(&mut self, body: &str, rollup: bool) -> Outcome<(u16, String)> {
        let path = match rollup {
            true => "/_msearch?max_concurrent_shard_requests=5",
            false => "/_msearch?max_concurrent_shard_requests=5&rollup=false",
        };
        self.ask("POST", path, "application/x-ndjson", body)
    }

    /// The latest time of an index.
    pub(super) fn last_time_ms(&mut self, index: &str) -> Outcome<i64> {
        let body = r#"{"size":0,"aggs":{"last":{"max":{"field":"ts"}}}}"#;
        let path = format!("/{index}/_search");
        let (_, answer) = self.ask("POST", &path, "application/json", body)?;
        let (_, value) = answer
            .split_once("\"value\":")
            .ok_or_else(|| format!("no last time: {answer}"))?;
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    }

    /// Waits until all that was acknowledged can be found.
    pub(super) fn refresh(&mut self, index: &str) -> Outcome<()> {
        let path = format!("/{index}/_refresh");
        let (status, answer) = self.ask("POST", &path, "application/json", "")?;
        if status != 200 {
            return Err(format!("not refreshed: {answer}").into());
        }
        Ok(())
    }

    fn ask(&mut self, method: &str, path: &str, kind: &str, body: &str) -> Outcome<(u16, String)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::with_capacity(64 << 10, connect(&self.address)?)),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1).ok_or("no status")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok((status, String::from_utf8(answer)?))
    }
}
