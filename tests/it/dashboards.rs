//! The example dashboards: their data sources are provisioned, and their panels have answers.

use std::process::Command;

use serde_json::Value;

use crate::server::{Server, python};
use crate::sources;

const DASHBOARD: &str = "examples/grafana/dashboards/bitcoin.json";
const DATA_SOURCES: &str = "examples/grafana/provisioning/datasources/siltstone.yaml";

const INDICES: &[(&str, &str)] = &[
    (
        "transactions",
        r#"{"mappings": {"properties": {"time": {"type": "date"}, "height": {"type": "long"},
            "size": {"type": "long"}, "amount_btc": {"type": "double"}}}}"#,
    ),
    (
        "blocks",
        r#"{"mappings": {"properties": {"time": {"type": "date"}, "miner": {"type": "keyword"},
            "reward_btc": {"type": "double"}}}}"#,
    ),
];

const DOCUMENTS: &[(&str, &str)] = &[
    (
        "transactions",
        r#"{"time": "2017-08-24T00:00:00Z", "height": 1, "size": 300, "amount_btc": 0.1}"#,
    ),
    (
        "transactions",
        r#"{"time": "2017-08-24T01:00:00Z", "height": 1, "size": 300, "amount_btc": 0.2}"#,
    ),
    (
        "transactions",
        r#"{"time": "2018-09-05T00:00:00Z", "height": 2, "size": 300, "amount_btc": 7}"#,
    ),
    (
        "blocks",
        r#"{"time": "2017-08-24T00:00:00Z", "miner": "BTCC", "reward_btc": 12.5}"#,
    ),
];

fn dashboard() -> Value {
    serde_json::from_str(&sources::read(DASHBOARD)).expect("a dashboard is JSON")
}

#[test]
fn every_panel_has_a_provisioned_data_source() {
    let provisioned = sources::read(DATA_SOURCES);
    let panels = dashboard();
    let panels = panels["panels"].as_array().expect("panels");
    assert!(!panels.is_empty());
    for panel in panels {
        let uid = panel["datasource"]["uid"].as_str().expect("a uid");
        let is_there = provisioned.contains(&format!("uid: {uid}\n"));
        assert!(is_there, "{}: {uid} is not provisioned", panel["title"]);
    }
}

#[test]
fn panels_show_what_was_written() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&folder.path().join("data"));
    for (index, body) in INDICES {
        server.ok("PUT", &format!("/{index}"), body);
    }
    for (index, document) in DOCUMENTS {
        server.ok("POST", &format!("/{index}/_doc?refresh=true"), document);
    }
    let out = folder.path().join("panels.json");
    let ran = Command::new(python)
        .arg("examples/grafana/picture/frames.py")
        .args(["--url", &format!("http://{}", server.http), "--out"])
        .arg(&out)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("Python starts");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let panels = std::fs::read(&out).expect("the frames were written");
    let panels: Vec<Value> = serde_json::from_slice(&panels).expect("they are JSON");
    let shown: Vec<String> = panels.iter().map(shown).collect();
    assert_eq!(
        shown.join("\n"),
        "Transactions by year: [[1483228800000,1514764800000],[2,1]]\n\
         Bitcoin moved by year: [[1483228800000,1514764800000],[0.3,7.0]]\n\
         Size of a transaction: [[1483228800000,1514764800000],[300.0,300.0]] \
         [[1483228800000,1514764800000],[300.0,300.0]] \
         [[1483228800000,1514764800000],[300.0,300.0]]\n\
         Largest and mean amount: [[1501545600000,1535760000000],[0.2,7.0]] \
         [[1501545600000,1535760000000],[0.15,7.0]]\n\
         Miners: [[\"BTCC\"],[1],[12.5],[12.5]]\n\
         Busiest blocks: [[1,2],[2,1],[0.3,7.0],[300.0,300.0],[300.0,300.0]]"
    );
}

/// A panel's title and the values of its frames.
fn shown(panel: &Value) -> String {
    let frames = panel["frames"].as_array().expect("frames");
    let values: Vec<String> = frames
        .iter()
        .map(|frame| frame["data"]["values"].to_string())
        .collect();
    let title = panel["title"].as_str().expect("a title");
    format!("{title}: {}", values.join(" "))
}
