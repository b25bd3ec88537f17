//! The real Bitcoin sample through a stock Kafka client: golden hours, whatever happens meanwhile.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{self, Server};

/// Transactions and their blocks, and the three topics of the replay.
const MESSAGES: u64 = 24_520 + 36 + 5_988;
const TOPICS: [&str; 5] = ["transactions", "blocks", "btc_tx", "btc_blk", "bpi_eur"];
const KILLS: u64 = 10;

#[test]
fn golden_hours_from_cells_and_from_rows() {
    let Some(python) = server::python() else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    create_indices(&server);
    finish(produce(&python, &server, &["--part", "1/2"]));
    for topic in TOPICS {
        server.ok("POST", &format!("/{topic}/_flush"), "");
    }
    finish(produce(&python, &server, &["--part", "2/2"]));
    check_golden(&server);
    let profile =
        search_hours(&server, "transactions", "time", "amount_btc", "")["profile"].clone();
    assert!(
        profile["siltstone"]["rollup_cells"].as_u64() > Some(0),
        "cells answered: {profile}"
    );
    assert!(
        profile["siltstone"]["rows_scanned"].as_u64() > Some(0),
        "rows answered: {profile}"
    );
}

#[test]
fn shuffled_input_makes_few_segments_and_the_same_hours() {
    let Some(python) = server::python() else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    create_indices(&server);
    finish(produce(&python, &server, &["--shuffle", "7"]));
    for topic in TOPICS {
        server.ok("POST", &format!("/{topic}/_flush"), "");
    }
    check_golden(&server);
    let segments = files_below(&folder.path().join("segments"));
    assert!(
        segments.len() <= 2 * TOPICS.len(),
        "{} files: {segments:?}",
        segments.len()
    );
}

#[test]
fn ten_kills_during_the_replay_lose_and_double_nothing() {
    let Some(python) = server::python() else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let (http, kafka) = server::free_addresses();
    let mut server = Server::start_on(folder.path(), http, kafka);
    create_indices(&server);
    let producer = produce(&python, &server, &["--rate", "8000"]);
    for kill in 1..=KILLS {
        // Odd places, so that kills do not line up with seals and checkpoints.
        let threshold = MESSAGES * kill / (KILLS + 1) + kill * 37 % 101;
        while count_all(&server) < threshold {}
        server.kill();
        server = Server::start_on(folder.path(), http, kafka);
        if kill % 3 == 0 {
            server.ok("POST", "/transactions/_flush", "");
        }
    }
    finish(producer);
    check_golden(&server);
    assert!(server.terminate().success());
    verify(folder.path());
}

/// The same transactions as a websocket sent them: nested, with several outputs each, 25 MB.
#[test]
fn golden_hours_of_nested_messages() {
    let (Some(python), Some(shared)) = (server::python(), server::shared()) else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let lines = folder.path().join("utx.ndjson");
    let status = Command::new("zstd")
        .args(["-dqo".as_ref(), lines.as_os_str()])
        .arg(shared.join("data/btc-blocks-decoded/utx.ndjson.zst"))
        .status()
        .expect("zstd(1) is there");
    assert!(status.success());
    let server = Server::start(&folder.path().join("store"));
    let body = json!({
        "settings": {"index": {"time_field": "x.time", "number_of_shards": 3}},
        "mappings": {"properties": {"x": {"properties": {
            "time": {"type": "date", "format": "epoch_second"},
        }}}},
    });
    server.ok("PUT", "/utx", &body.to_string());
    // The largest message has 2.2 MB; as sent, it must fit a megabyte.
    let lines = format!("utx={}", lines.display());
    let arguments = ["--compression", "zstd", "--lines", &lines];
    finish(produce(&python, &server, &arguments));
    server.ok("POST", "/utx/_refresh", "");
    for flush in [false, true] {
        if flush {
            server.ok("POST", "/utx/_flush", "");
        }
        for parameters in ["", "&rollup=false"] {
            let hours = search_hours(&server, "utx", "x.time", "x.out.value", parameters);
            let buckets = hours["aggregations"]["hours"]["buckets"]
                .as_array()
                .expect("buckets");
            let found: Vec<_> = buckets
                .iter()
                .map(|bucket| {
                    let volume = bucket["volume"]["value"].as_f64().expect("a sum") as i64;
                    (bucket["key"].as_i64().expect("a key") / 1000, volume)
                })
                .collect();
            let expected: Vec<_> = golden(|_| true)
                .iter()
                .map(|(hour, _, volume, _)| (*hour, *volume))
                .collect();
            assert_eq!(found, expected, "flushed: {flush}{parameters}");
        }
    }
}

/// Runs `siltstone verify`, which must find nothing.
fn verify(data: &Path) {
    let output = Command::new(server::binary())
        .args(["verify", "--data"])
        .arg(data)
        .output()
        .expect("the binary starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Indices as the demo makes them: epoch seconds are the time.
fn create_indices(server: &Server) {
    let date = json!({"type": "date", "format": "epoch_second"});
    for (index, time) in [
        ("transactions", "time"),
        ("blocks", "time"),
        ("btc_tx", "btc_timestamp"),
        ("btc_blk", "btc_timestamp"),
        ("bpi_eur", "btc_timestamp"),
    ] {
        let body = json!({
            "settings": {"index": {"time_field": time, "number_of_shards": 2}},
            "mappings": {"properties": {
                time: date,
                "txid": {"type": "keyword"},
                "tx_id": {"type": "keyword"},
                "miner": {"type": "keyword"},
            }},
        });
        server.ok("PUT", &format!("/{index}"), &body.to_string());
    }
}

fn produce(python: &Path, server: &Server, arguments: &[&str]) -> Child {
    Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/produce.py"))
        .args(["--bootstrap", &server.kafka.to_string()])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts")
}

fn finish(producer: Child) {
    let output = producer.wait_with_output().expect("the producer ends");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the producer: {} {text}",
        output.status
    );
}

fn count_all(server: &Server) -> u64 {
    let answer = server.ok("GET", &format!("/{}/_count", TOPICS.join(",")), "");
    answer["count"].as_u64().expect("_count counts")
}

/// Counts, sums and maxima of every golden hour, from cells and from rows.
fn check_golden(server: &Server) {
    for topic in TOPICS {
        server.ok("POST", &format!("/{topic}/_refresh"), "");
    }
    assert_eq!(count_all(server), MESSAGES, "each message is one row");
    for parameters in ["", "&rollup=false"] {
        let hours = search_hours(server, "transactions", "time", "amount_btc", parameters);
        assert_eq!(
            rows_of(&hours),
            golden(|_| true),
            "transactions{parameters}"
        );
        let hours = search_hours(
            server,
            "btc_tx",
            "btc_timestamp",
            "tx_btc_amount",
            parameters,
        );
        assert_eq!(
            rows_of(&hours),
            golden(|hour| hour.starts_with("2017-08-24")),
            "{parameters}"
        );
    }
}

fn search_hours(server: &Server, index: &str, time: &str, amount: &str, parameters: &str) -> Value {
    let body = json!({
        "size": 0,
        "profile": true,
        "aggs": {"hours": {
            "date_histogram": {"field": time, "fixed_interval": "1h", "min_doc_count": 1},
            "aggs": {
                "volume": {"sum": {"field": amount}},
                "largest": {"max": {"field": amount}},
            },
        }},
    });
    let path = format!("/{index}/_search?pretty=false{parameters}");
    server.ok("POST", &path, &body.to_string())
}

/// `(hour in seconds, count, volume in satoshi, largest in satoshi)`.
type Hour = (i64, i64, i64, i64);

fn rows_of(answer: &Value) -> Vec<Hour> {
    let satoshi = |value: &Value| (value.as_f64().expect("a number") * 1e8).round() as i64;
    answer["aggregations"]["hours"]["buckets"]
        .as_array()
        .expect("buckets")
        .iter()
        .map(|bucket| {
            (
                bucket["key"].as_i64().expect("a key") / 1000,
                bucket["doc_count"].as_i64().expect("a count"),
                satoshi(&bucket["volume"]["value"]),
                satoshi(&bucket["largest"]["value"]),
            )
        })
        .collect()
}

/// The hours that an independent program counted from the decoded blocks.
fn golden(wanted: impl Fn(&str) -> bool) -> Vec<Hour> {
    include_str!("../../examples/demo/data/expected_hourly.csv")
        .lines()
        .skip(1)
        .filter(|line| wanted(line))
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |index: usize| cells[index].parse().expect("a whole number");
            (number(1), number(2), number(3), number(4))
        })
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
