//! What a scrape says.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::time::Duration;

use super::{KafkaCall, Metrics, Port};
use crate::db::Db;

/// The lines of `text` that begin with one of `names`.
fn lines(text: &str, names: &[&str]) -> Vec<String> {
    let is_named = |line: &&str| names.iter().any(|name| line.starts_with(name));
    text.lines().filter(is_named).map(str::to_owned).collect()
}

#[test]
fn a_scrape_has_what_was_counted_and_what_the_store_knows() {
    let db = Db::builder().in_memory().open().unwrap();
    db.append("t", [r#"{"n": 1}"#, r#"{"n": "x"}"#, "{"])
        .unwrap();
    db.refresh("t").unwrap();
    let metrics = Metrics::new();
    metrics.kafka_answered(KafkaCall::Produce, Duration::from_millis(3));
    metrics.received(Port::Kafka, 70);
    let open = metrics.connected(Port::Http);
    let text = metrics.scrape(&db);
    let found = lines(
        &text,
        &[
            "siltstone_topic_rows",
            "siltstone_dead_letters_total",
            "siltstone_rejected_records_total",
            "siltstone_under_replicated",
            "siltstone_received_bytes_total",
            "siltstone_connections",
            "siltstone_kafka_request_seconds_bucket{request=\"produce\",le=\"0.005\"}",
            "siltstone_kafka_request_seconds_bucket{request=\"produce\",le=\"0.002\"}",
            "siltstone_partition_high_watermark{",
        ],
    );
    let expected = [
        r#"siltstone_connections{port="http"} 1"#,
        r#"siltstone_kafka_request_seconds_bucket{request="produce",le="0.002"} 0"#,
        r#"siltstone_kafka_request_seconds_bucket{request="produce",le="0.005"} 1"#,
        r#"siltstone_received_bytes_total{port="kafka"} 70"#,
        r#"siltstone_dead_letters_total{reason="json",topic="t"} 1"#,
        r#"siltstone_dead_letters_total{reason="type",topic="t"} 1"#,
        r#"siltstone_partition_high_watermark{partition="0",topic="t"} 3"#,
        r#"siltstone_partition_high_watermark{partition="0",topic="t.dead-letter"} 2"#,
        r#"siltstone_rejected_records_total{reason="json",topic="t"} 1"#,
        r#"siltstone_rejected_records_total{reason="type",topic="t"} 1"#,
        r#"siltstone_topic_rows{topic="t"} 1"#,
        r#"siltstone_topic_rows{topic="t.dead-letter"} 0"#,
        "siltstone_under_replicated_partitions 0",
    ];
    assert_eq!(found, expected, "{text}");
    let memory = lines(&text, &["siltstone_memory_"]);
    for (memory_use, _) in db.memory_uses() {
        let name = format!("siltstone_memory_bytes{{use=\"{memory_use}\"}} ");
        assert!(memory.iter().any(|line| line.starts_with(&name)), "{text}");
    }
    let limit = format!("siltstone_memory_limit_bytes {}", db.memory_limit_bytes());
    assert!(memory.contains(&limit), "{text}");
    drop(open);
    let text = metrics.scrape(&db);
    assert!(
        text.contains(r#"siltstone_connections{port="http"} 0"#),
        "{text}"
    );
    db.close().unwrap();
}
