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
fn a_routing_is_kept_and_wanted_again() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut server = Server::start(folder.path());
    let body =
        r#"{"settings": {"number_of_shards": 3}, "mappings": {"_routing": {"required": true}}}"#;
    server.ok("PUT", "/logs", body);
    let (status, answer) = server.ask("PUT", "/logs/_doc/1", "{}");
    assert_eq!(
        (status, &answer["error"]["type"], &answer["error"]["reason"]),
        (
            400,
            &json!("routing_missing_exception"),
            &json!("routing is required for [logs]/[1]")
        ),
        "{answer}"
    );
    let bulk = "{\"index\":{\"_id\":\"1\",\"routing\":\"r\"}}\n{\"n\":1}\n\
                {\"index\":{\"_id\":\"2\"}}\n{\"n\":2}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh=true", bulk);
    assert_eq!(answer["items"][0]["index"]["status"], 201, "{answer}");
    let failed = &answer["items"][1]["index"]["error"]["type"];
    assert_eq!(failed, "routing_missing_exception", "{answer}");
    server.ok(
        "POST",
        "/_aliases",
        r#"{"actions": [{"add":
        {"index": "logs", "alias": "routed", "routing": "r"}}]}"#,
    );
    for round in ["active", "sealed", "again"] {
        let found = server.ok("GET", "/logs/_doc/1?routing=r", "");
        assert_eq!(found["_routing"], "r", "{round}: {found}");
        let (status, _) = server.ask("GET", "/logs/_doc/1?routing=q", "");
        assert_eq!(status, 404, "{round}");
        let (status, answer) = server.ask("GET", "/logs/_doc/1", "");
        let kind = &answer["error"]["type"];
        assert_eq!((status, kind), (400, &json!("routing_missing_exception")));
        assert_eq!(server.ask("GET", "/routed/_doc/1", "").0, 200, "{round}");
        let hits = server.ok("GET", "/logs/_search", "");
        assert_eq!(hits["hits"]["hits"][0]["_routing"], "r", "{round}: {hits}");
        if round == "active" {
            server.ok("POST", "/logs/_flush", "");
        } else {
            server.kill();
            server = Server::start(folder.path());
        }
    }
    let mapping = server.ok("GET", "/logs/_mapping", "");
    let required = &mapping["logs"]["mappings"]["_routing"]["required"];
    assert_eq!(required, true, "{mapping}");
}

#[test]
fn an_alias_is_its_field_everywhere() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let (status, answer) = server.ask(
        "PUT",
        "/bad",
        r#"{"mappings": {"properties": {"a": {"type": "alias", "path": "b"}}}}"#,
    );
    let reason = "Invalid [path] value [b] for field alias [a]: an alias must refer to an existing \
                  field in the mappings.";
    assert_eq!((status, &answer["error"]["reason"]), (400, &json!(reason)));
    let body = json!({"mappings": {"properties": {
        "host": {"properties": {"name": {"type": "keyword"}}},
        "n": {"type": "long"},
        "hostname": {"type": "alias", "path": "host.name"},
        "size": {"type": "alias", "path": "n"},
    }}});
    server.ok("PUT", "/logs", &body.to_string());
    let bulk = "{\"index\":{}}\n{\"host\":{\"name\":\"a\"},\"n\":2}\n\
                {\"index\":{}}\n{\"host\":{\"name\":\"b\"},\"n\":1}\n";
    server.ok("POST", "/logs/_bulk?refresh=true", bulk);
    let (status, answer) = server.ask("POST", "/logs/_doc", r#"{"hostname": "c"}"#);
    let reason = "Cannot write to a field alias [hostname].";
    let cause = &answer["error"]["caused_by"]["reason"];
    assert_eq!((status, cause), (400, &json!(reason)), "{answer}");
    let search = json!({
        "query": {"bool": {"filter": [
            {"terms": {"hostname": ["a", "b"]}},
            {"exists": {"field": "size"}},
            {"query_string": {"query": "size:[1 TO 2]"}},
        ]}},
        "sort": [{"size": "asc"}],
        "fields": ["host*"],
        "aggs": {"hosts": {"terms": {"field": "hostname"}, "aggs": {"n": {"sum": {"field": "size"}}}}},
    });
    let answer = server.ok("POST", "/logs/_search", &search.to_string());
    let hits = &answer["hits"]["hits"];
    assert_eq!(hits[0]["fields"]["hostname"], json!(["b"]), "{answer}");
    assert_eq!(hits[1]["sort"], json!([2]), "{answer}");
    let buckets = &answer["aggregations"]["hosts"]["buckets"];
    assert_eq!(buckets[0]["key"], "a", "{answer}");
    assert_eq!(buckets[0]["n"]["value"], 2.0, "{answer}");
    let answer = server.ok("GET", "/logs/_field_caps?fields=*", "");
    let caps = &answer["fields"]["hostname"]["keyword"];
    assert_eq!(caps["aggregatable"], true, "{answer}");
    let answer = server.ok("GET", "/logs/_mapping", "");
    let alias = &answer["logs"]["mappings"]["properties"]["hostname"];
    assert_eq!(alias, &json!({"type": "alias", "path": "host.name"}));
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let body = json!({
        "settings": {"index.mapping.ignore_malformed": true},
        "mappings": {"properties": {
            "n": {"type": "long"},
            "k": {"type": "keyword", "ignore_above": 3},
            "strict": {"type": "long", "ignore_malformed": false},
        }},
    });
    server.ok("PUT", "/logs", &body.to_string());
    let bulk = "{\"index\":{\"_id\":\"1\"}}\n{\"n\":\"x\",\"k\":\"long\"}\n\
                {\"index\":{\"_id\":\"2\"}}\n{\"n\":7,\"k\":\"abc\"}\n\
                {\"index\":{\"_id\":\"3\"}}\n{\"strict\":\"x\"}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh=true", bulk);
    let status = |item: usize| answer["items"][item]["index"]["status"].as_i64();
    assert_eq!([0, 1, 2].map(status), [Some(201), Some(201), Some(400)]);
    for round in ["active", "sealed"] {
        let search = r#"{"query": {"term": {"_ignored": "n"}}}"#;
        let answer = server.ok("POST", "/logs/_search", search);
        assert_eq!(answer["hits"]["total"]["value"], 1, "{round}: {answer}");
        let ignored = &answer["hits"]["hits"][0]["_ignored"];
        assert_eq!(ignored, &json!(["k", "n"]), "{round}: {answer}");
        server.ok("POST", "/logs/_flush", "");
    }
    let search = r#"{"query": {"bool": {"must_not": {"exists": {"field": "_ignored"}}}}}"#;
    let answer = server.ok("POST", "/logs/_search", search);
    assert_eq!(answer["hits"]["hits"][0]["_id"], "2", "{answer}");
}

#[test]
fn an_id_names_one_document() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let (status, answer) = server.ask("PUT", "/logs/_doc/1", r#"{"n": 1}"#);
    assert_eq!(
        (status, &answer["result"], &answer["_id"]),
        (201, &json!("created"), &json!("1"))
    );
    // Not a row yet, a row, a row of a segment: it exists all the same.
    for (step, version) in ["", "/logs/_refresh", "/logs/_flush"].iter().zip(2..) {
        if !step.is_empty() {
            server.ok("POST", step, "");
        }
        let (status, answer) = server.ask("PUT", "/logs/_create/1", r#"{"n": 2}"#);
        assert_eq!(status, 409, "after {step}: {answer}");
        assert_eq!(answer["error"]["type"], "version_conflict_engine_exception");
        let (status, answer) = server.ask("PUT", "/logs/_doc/1", r#"{"n": 2}"#);
        assert_eq!(
            (status, &answer["_version"]),
            (200, &json!(version)),
            "after {step}: {answer}"
        );
        let found = server.ok("GET", "/logs/_doc/1", "");
        assert_eq!(found["_version"], version, "after {step}: {found}");
    }
    let bulk = "{\"create\":{\"_id\":\"1\"}}\n{\"n\":3}\n{\"index\":{\"_id\":\"2\"}}\n{\"n\":4}\n\
                {\"update\":{\"_id\":\"2\"}}\n{\"doc\":{\"m\":5}}\n";
    let answer = server.ok("POST", "/logs/_bulk?refresh=wait_for", bulk);
    let items = answer["items"].as_array().expect("items");
    let statuses = [
        items[0]["create"]["status"].as_u64(),
        items[1]["index"]["status"].as_u64(),
        items[2]["update"]["status"].as_u64(),
    ];
    assert_eq!(statuses, [Some(409), Some(201), Some(200)], "{answer}");
    assert_eq!(answer["errors"], true);
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 2);
    let deleted = server.ok(
        "POST",
        "/logs/_delete_by_query?refresh",
        r#"{"query": {"term": {"m": 5}}}"#,
    );
    assert_eq!(
        (&deleted["total"], &deleted["deleted"]),
        (&json!(1), &json!(1)),
        "{deleted}"
    );
    assert_eq!(server.ok("GET", "/logs/_count", "")["count"], 1);
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
    assert_eq!(items[3]["delete"]["status"], 404, "{answer}");
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
