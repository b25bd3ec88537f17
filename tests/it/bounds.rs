//! Clients that take what they can get: others are served all the same, and bounds are as said.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::server::{self, Server};

/// An ApiVersions request of version 0: length, key, version, number, no name.
const ASK: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn start(folder: &TempDir, arguments: &[&str]) -> Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start_with(folder.path(), any, any, arguments)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the system accepts");
    let timeout = Some(Duration::from_secs(60));
    stream.set_read_timeout(timeout).expect("a valid time");
    stream
}

/// Whether a Kafka client gets its answer on `stream`; false when the connection is closed.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut head = [0; 8];
    let answered = stream
        .write_all(&ASK)
        .and_then(|()| stream.read_exact(&mut head));
    if answered.is_err() {
        return false;
    }
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let mut rest = vec![0; usize::try_from(length).expect("an answer fits") - 4];
    stream.read_exact(&mut rest).expect("an answer is whole");
    assert_eq!(
        head[4..],
        [0, 0, 0, 7],
        "the answer has the request's number"
    );
    true
}

fn metric(server: &Server, name: &str) -> f64 {
    let mut stream = connect(server.http);
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .expect("HTTP is served");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("HTTP is served");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_flood_of_connections_leaves_others_served() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = start(&folder, &["--kafka-connections-per-address-max", "20"]);
    let mut before = connect(server.kafka);
    assert!(is_served(&mut before));
    let flood: Vec<TcpStream> = (0..200).map(|_| connect(server.kafka)).collect();
    // Those beyond the bound are closed; whoever was there before goes on.
    let mut last = connect(server.kafka);
    assert!(!is_served(&mut last));
    assert!(is_served(&mut before));
    assert!(
        metric(
            &server,
            r#"siltstone_refused_connections_total{port="kafka"}"#
        ) >= 180.0
    );
    drop(flood);
    // Places come back as the server sees the connections end.
    let open = r#"siltstone_connections{port="kafka"}"#;
    let served = (0..20_000).any(|_| metric(&server, open) < 20.0);
    assert!(served && is_served(&mut connect(server.kafka)));
}

#[test]
fn clients_that_never_read_or_never_finish_leave_others_served() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = start(&folder, &[]);
    // Asks for ever, and reads nothing: it is stopped by its own full buffers.
    let mut deaf = connect(server.kafka);
    deaf.set_write_timeout(Some(Duration::from_secs(1)))
        .expect("a valid time");
    let asked = (0..200)
        .take_while(|_| deaf.write_all(&ASK.repeat(10_000)).is_ok())
        .count();
    assert!(
        asked < 200,
        "somebody reads 28 megabytes of requests and keeps the answers"
    );
    // Claims to send a hundred megabytes, and sends one byte; others say half of a head.
    let claim = (100_u32 << 20).to_be_bytes();
    let slow: Vec<TcpStream> = (0..50)
        .map(|number| {
            let kafka = number % 2 == 0;
            let mut stream = connect(if kafka { server.kafka } else { server.http });
            let bytes: &[u8] = if kafka { &claim } else { b"GET / HT" };
            stream.write_all(bytes).expect("a few bytes fit");
            stream
        })
        .collect();
    for _ in 0..10 {
        assert!(is_served(&mut connect(server.kafka)));
        assert_eq!(server.ask("GET", "/", "").0, 200);
    }
    drop((deaf, slow));
}

#[test]
fn a_request_longer_than_the_bound_ends_its_connection() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = start(&folder, &["--kafka-request-bytes-max", "1000"]);
    let mut stream = connect(server.kafka);
    stream
        .write_all(&1_001_u32.to_be_bytes())
        .expect("a few bytes fit");
    let mut rest = Vec::new();
    assert_eq!(
        stream
            .read_to_end(&mut rest)
            .expect("it is closed in order"),
        0
    );
    assert!(is_served(&mut connect(server.kafka)));
}

/// Each row of the table of bounds is a flag with that default.
#[test]
fn the_table_of_bounds_is_what_the_server_says() {
    let help = Command::new(server::binary())
        .args(["serve", "--help"])
        .output();
    let help = String::from_utf8(help.expect("the binary starts").stdout).expect("text");
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let table = page
        .split("## Bounds for clients")
        .nth(1)
        .expect("the page has the table");
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let setting = cells.next()?.trim_end_matches('`');
        Some((setting, cells.next()?.trim()))
    });
    let mut count = 0;
    for (setting, default) in rows {
        let flag = format!("--{} <", setting.replace('_', "-"));
        let said = help
            .split(&flag)
            .nth(1)
            .unwrap_or_else(|| panic!("no flag for {setting}"));
        let said = said.split(" --").next().unwrap_or_default();
        assert!(
            said.contains(&format!("[default: {default}]")),
            "{setting}: {said}"
        );
        count += 1;
    }
    assert!(count >= 8, "the table has {count} rows");
}
