//! Bytes that no client would send: a protocol error or a closed connection, and others go on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::server::Server;

/// Resident memory that no garbage may push the server beyond.
const MEMORY_MAX_KIB: u64 = 500 << 10;

/// Sends bytes and reads what comes until the connection ends. Where no head of a request is whole,
/// it also says that there are no more: a client that says so has gone.
fn send(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.http).expect("the server accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a valid time");
    // The server may close before all is sent: that is one of the right answers.
    let _ = stream.write_all(bytes);
    if !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A gigabyte of zeros in a megabyte.
fn gzip_bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..1024 {
        encoder.write_all(&[0; 1 << 20]).expect("memory takes it");
    }
    encoder.finish().expect("memory takes it")
}

fn memory_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("a running process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words
        .and_then(|number| number.parse().ok())
        .expect("VmHWM is a number of KiB")
}

#[test]
fn hostile_bytes_are_refused_and_others_go_on() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    server.ok("POST", "/logs/_doc?refresh=true", r#"{"n": 1}"#);

    send(&server, b"");
    send(&server, &[0; 4096]);
    send(&server, b"GET / HTTP/9.9\r\n\r\n");
    send(
        &server,
        &[b"GET /".as_slice(), &[b'a'; 1 << 20], b" HTTP/1.1\r\n\r\n"].concat(),
    );
    let lie = b"POST /_bulk HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\nx";
    assert!(send(&server, lie).starts_with("HTTP/1.1 413"));
    let negative = b"POST /_bulk HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\nx";
    assert!(send(&server, negative).starts_with("HTTP/1.1 400"));

    let deep = [b"{\"query\":".as_slice(), &b"[".repeat(4 << 20)].concat();
    let check = |bytes: Vec<u8>, status: &str| {
        let answer = send(&server, &bytes);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer:.300}"
        );
        assert!(
            answer.contains("x-elastic-product: Elasticsearch"),
            "{answer:.300}"
        );
    };
    check(request("POST", "/logs/_search", "", &deep), "400");
    check(
        request("POST", "/logs/_search", "", b"{\"size\": 1e999}"),
        "400",
    );
    check(request("POST", "/logs/_doc", "", &deep), "4");
    check(request("POST", "/logs/_search", "", b"\xff\xfe"), "400");
    let buckets = br#"{"size":0,"aggs":{"a":{"date_histogram":{"field":"@timestamp","fixed_interval":"1ms","extended_bounds":{"min":0,"max":9000000000000}}}}}"#;
    check(request("POST", "/logs/_search", "", buckets), "");
    check(request("GET", "/%00%ff/_nothing", "", b""), "400");
    check(request("PATCH", "/logs", "", b""), "405");
    check(
        request(
            "POST",
            "/logs/_search",
            "content-type: image/png\r\n",
            b"{}",
        ),
        "406",
    );
    check(
        request("POST", "/logs/_search", "content-encoding: gzip\r\n", b"{}"),
        "400",
    );
    check(
        request("POST", "/_bulk", "", b"{\"index\":{\"_index\":\"a\"}}"),
        "400",
    );

    // Small bodies that become large: many actions, a tree of many small values, a bomb.
    let actions = b"{\"index\":{}}\n{}\n".repeat(1 << 20);
    check(request("POST", "/logs/_bulk", "", &actions), "413");
    let values = [b"{\"query\":[".as_slice(), &b"[],".repeat(2 << 20), b"1]}"].concat();
    check(request("POST", "/logs/_search", "", &values), "400");
    let gzip = "content-encoding: gzip\r\n";
    check(request("POST", "/logs/_bulk", gzip, &gzip_bomb()), "413");

    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 1);
    let memory = memory_kib(&server);
    assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
}

#[test]
fn stalled_clients_keep_nobody_waiting() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let stalled: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(server.http).expect("the server accepts");
            let begun: &[u8] = match number % 3 {
                0 => b"",
                1 => b"POST /_bulk HT",
                _ => b"POST /_bulk HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
            };
            stream.write_all(begun).expect("the server reads");
            stream
        })
        .collect();
    server.ok("POST", "/logs/_doc?refresh=true", r#"{"n": 1}"#);
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 1);
    drop(stalled);
    assert_eq!(server.terminate().code(), Some(0));
}

/// `levels` of `open`, then `inner`, then as many of `close`.
fn nested(levels: usize, open: &str, inner: &str, close: &str) -> String {
    [&open.repeat(levels), inner, &close.repeat(levels)].concat()
}

/// `count` of what `part` makes of a number, with commas.
fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(",")
}

#[test]
fn searches_that_ask_for_too_much_get_typed_errors() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    for n in 0..4 {
        let document = format!(r#"{{"@timestamp":"202{n}-01-01","n":{n},"k":"aaaa"}}"#);
        server.ok("POST", "/logs/_doc?refresh=true", &document);
    }
    let regexp = |text: &str| format!(r#"{{"query":{{"regexp":{{"k.keyword":"{text}"}}}}}}"#);
    let lucene = |text: &str| format!(r#"{{"query":{{"query_string":{{"query":"{text}"}}}}}}"#);
    let aggs = |text: &str| format!(r#"{{"size":0,"aggs":{{{text}}}}}"#);
    let over_time = |more: &str| {
        let by = format!(r#""field":"@timestamp","fixed_interval":"1ms"{more}"#);
        aggs(&format!(r#""a":{{"date_histogram":{{{by}}}}}"#))
    };
    let clauses = many(50_000, |n| format!(r#"{{"term":{{"n":{n}}}}}"#));
    let wide = many(20_000, |n| format!(r#""a{n}":{{"terms":{{"field":"n"}}}}"#));
    let filters = many(2_000, |n| format!(r#""f{n}":{{"term":{{"n":{n}}}}}"#));
    let check = |body: String, error: &str| {
        let answer = send(
            &server,
            &request("POST", "/logs/_search", "", body.as_bytes()),
        );
        let context = format!("{error}: {body:.100}\n{answer:.600}");
        assert!(answer.starts_with("HTTP/1.1 400"), "{context}");
        assert!(
            answer.contains(&format!("\"type\":\"{error}\"")),
            "{context}"
        );
        // Others are served.
        assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 4);
    };
    let illegal = "illegal_argument_exception";
    check(regexp("((a{1000}){1000}){1000}"), illegal);
    check(regexp(&"a|".repeat(5_000)), illegal);
    check(lucene("k.keyword:/((a{1000}){1000}){1000}/"), illegal);
    check(
        lucene(&nested(20_000, "(", "a", ")")),
        "query_shard_exception",
    );
    check(lucene(&"n:1 OR ".repeat(20_000)), "query_shard_exception");
    let should = format!(r#"{{"query":{{"bool":{{"should":[{clauses}]}}}}}}"#);
    check(should, "too_many_clauses");
    let deep = nested(1_000, r#"{"bool":{"must":["#, r#"{"match_all":{}}"#, "]}}");
    check(format!(r#"{{"query":{deep}}}"#), "json_parse_exception");
    check(aggs(&wide), "too_many_buckets_exception");
    check(over_time(""), "too_many_buckets_exception");
    let bounds = r#","extended_bounds":{"min":0,"max":9000000000000}"#;
    check(over_time(bounds), "too_many_buckets_exception");
    let tiny = r#""a":{"histogram":{"field":"n","interval":1e-9}}"#;
    check(aggs(tiny), "too_many_buckets_exception");
    let matrix = format!(r#""a":{{"adjacency_matrix":{{"filters":{{{filters}}}}}}}"#);
    check(aggs(&matrix), illegal);
    check(r#"{"size":1000000000}"#.into(), illegal);
    let forever = r#"{"query":{"script":{"script":"for (int i=0;i<9;i++){} return true"}}}"#;
    check(forever.into(), "script_exception");
    let script = nested(10_000, "(", "1", ")");
    let script = format!(r#"{{"query":{{"script":{{"script":"return {script} > 0"}}}}}}"#);
    check(script, "script_exception");

    let memory = memory_kib(&server);
    assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
}
