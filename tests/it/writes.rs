//! Documents through HTTP: visible after a refresh, there after a kill, never twice.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Server;

#[test]
fn written_documents_are_found_and_survive_a_kill() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut server = Server::start(folder.path());
    server.ok(
        "POST",
        "/logs/_doc",
        r#"{"@timestamp": "2026-01-02T03:04:05Z", "n": 0.1}"#,
    );
    let bulk = "{\"index\":{}}\n{\"@timestamp\":\"2026-01-02T03:04:06Z\",\"n\":0.2}\n\
                {\"create\":{\"_id\":\"mine\"}}\n{\"@timestamp\":\"2026-01-02T04:00:00Z\",\"n\":3}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh=true", bulk);
    assert_eq!(answer["errors"], false, "{answer}");
    for round in ["fresh", "killed", "sealed", "killed again"] {
        check(&server, round);
        match round {
            "fresh" | "sealed" => {
                server.kill();
                server = Server::start(folder.path());
                server.ok("POST", "/logs/_refresh", "");
            }
            _ => _ = server.ok("POST", "/logs/_flush", ""),
        }
    }
}

fn check(server: &Server, round: &str) {
    let search = json!({
        "aggs": {"hours": {
            "date_histogram": {"field": "@timestamp", "fixed_interval": "1h"},
            "aggs": {"sum": {"sum": {"field": "n"}}},
        }},
    });
    let answer = server.ok("POST", "/logs/_search", &search.to_string());
    assert_eq!(answer["hits"]["total"]["value"], 3, "{round}: {answer}");
    let buckets = answer["aggregations"]["hours"]["buckets"]
        .as_array()
        .expect("buckets");
    let sums: Vec<&Value> = buckets
        .iter()
        .map(|bucket| &bucket["sum"]["value"])
        .collect();
    assert_eq!(sums, [&json!(0.3), &json!(3.0)], "{round}: {answer}");
}

#[test]
fn an_id_is_stored_once() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let (status, answer) = server.ask("PUT", "/logs/_doc/1", r#"{"n": 1}"#);
    assert_eq!(
        (status, &answer["result"], &answer["_id"]),
        (201, &json!("created"), &json!("1"))
    );
    // Not a row yet, a row, a row of a segment: it exists all the same.
    for step in ["", "/logs/_refresh", "/logs/_flush"] {
        if !step.is_empty() {
            server.ok("POST", step, "");
        }
        for path in ["/logs/_doc/1", "/logs/_create/1"] {
            let (status, answer) = server.ask("PUT", path, r#"{"n": 2}"#);
            assert_eq!(status, 409, "{path} after {step}: {answer}");
            assert_eq!(answer["error"]["type"], "version_conflict_engine_exception");
        }
    }
    let bulk = "{\"index\":{\"_id\":\"1\"}}\n{\"n\":3}\n{\"index\":{\"_id\":\"2\"}}\n{\"n\":4}\n\
                {\"index\":{\"_id\":\"2\"}}\n{\"n\":5}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh=wait_for", bulk);
    let items = answer["items"].as_array().expect("items");
    let statuses: Vec<_> = items
        .iter()
        .map(|item| item["index"]["status"].as_u64())
        .collect();
    assert_eq!(statuses, [Some(409), Some(201), Some(409)], "{answer}");
    assert_eq!(answer["errors"], true);
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 2);
}

#[test]
fn a_bad_document_fails_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    server.ok(
        "PUT",
        "/logs",
        r#"{"mappings": {"properties": {"n": {"type": "long"}}}}"#,
    );
    let bulk = "{\"index\":{}}\n{\"n\":\"no number\"}\n{\"index\":{}}\n{\"n\":1}\n\
                {\"index\":{}}\nno JSON\n{\"delete\":{\"_id\":\"x\"}}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh", bulk);
    let items = answer["items"].as_array().expect("items");
    assert_eq!(items.len(), 4, "{answer}");
    assert_eq!(items[0]["index"]["status"], 400, "{answer}");
    assert_eq!(items[1]["index"]["status"], 201, "{answer}");
    assert_eq!(items[2]["index"]["status"], 400, "{answer}");
    assert!(items[3]["delete"]["error"].is_object(), "{answer}");
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 1);
}

#[test]
fn rows_become_visible_without_a_refresh() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    server.ok("POST", "/logs/_doc", r#"{"n": 1}"#);
    // Far beyond what it takes, so that a busy machine does not fail the test.
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.ok("GET", "/logs/_count", "")["count"] != 1 {
        assert!(Instant::now() < deadline, "the row never becomes visible");
    }
}

#[test]
fn sigterm_ends_it_in_good_order() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    server.ok("POST", "/logs/_doc", r#"{"n": 1}"#);
    let started = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10));
    let server = Server::start(folder.path());
    server.ok("POST", "/logs/_refresh", "");
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 1);
}
