//! Dead letters: records that could not become rows, in a topic of their own.

use serde_json::{Map, Value, json};

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::{DeadLetter, DeadLetterPage};
use crate::elastic::ElasticError;
use crate::error::Result;

/// How many are shown unless the request says otherwise, and how many at most.
const SIZE: usize = 100;
const SIZE_MAX: usize = 10_000;

/// `GET /{index}/_dead_letters?from=0&size=100`
pub(super) fn list(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let from = number(request, "from", 0)?;
    let size = number(request, "size", SIZE as u64)?;
    let size = usize::try_from(size).unwrap_or(SIZE_MAX).min(SIZE_MAX);
    let page = edge.db.dead_letters(index, from, size)?;
    Ok(Reply::value(200, &shown(&page)))
}

/// `POST /{index}/_dead_letters/_replay`
pub(super) fn replay(edge: &Edge, index: &str) -> Result<Reply> {
    let replayed = edge.db.replay_dead_letters(index)?;
    let answer = json!({ "replayed": replayed.records, "skipped": replayed.skipped });
    Ok(Reply::value(200, &answer))
}

fn number(request: &Request, name: &str, default: u64) -> Result<u64> {
    let Some(text) = request.param(name) else {
        return Ok(default);
    };
    text.parse().map_err(|_| {
        let reason = format!("Failed to parse int parameter [{name}] with value [{text}]");
        ElasticError::illegal_argument(reason).into()
    })
}

fn shown(page: &DeadLetterPage) -> Value {
    let reasons = page.counts.iter();
    let reasons: Map<String, Value> = reasons
        .map(|(kind, count)| ((*kind).into(), (*count).into()))
        .collect();
    let total: u64 = page.counts.iter().map(|(_, count)| count).sum();
    let letters: Vec<Value> = page.letters.iter().map(letter).collect();
    json!({ "total": total, "stored": page.stored, "reasons": reasons, "letters": letters })
}

fn letter(letter: &DeadLetter) -> Value {
    let mut value = json!({
        "offset": letter.place.1,
        "kind": letter.kind,
        "reason": letter.reason,
        "timestamp": letter.timestamp_ms,
    });
    if let Some((partition, offset)) = letter.source {
        value["source"] = json!({ "partition": partition, "offset": offset });
    }
    put(&mut value, "key", letter.key.as_deref());
    put(&mut value, "value", letter.value.as_deref());
    if !letter.headers.is_empty() {
        let headers = letter.headers.iter().map(|(name, bytes)| {
            let mut header = json!({ "name": name });
            put(&mut header, "value", bytes.as_deref());
            header
        });
        value["headers"] = headers.collect();
    }
    value
}

/// Bytes as text, or as hex digits under another name when they are none.
fn put(object: &mut Value, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => {}
        Some((_, Ok(text))) => object[name] = text.into(),
        Some((bytes, Err(_))) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object[format!("{name}_hex")] = digits.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;

    fn ask(edge: &Edge, method: &str, uri: &str) -> Value {
        let (status, answer) = edge.ask(method, uri, b"");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).expect("JSON")
    }

    #[test]
    fn dead_letters_are_listed_and_replayed_once() {
        let db = Db::builder().in_memory().open().expect("memory opens");
        let edge = Edge::new(db, Personality::default(), "8.19.0", "");
        let records: [&[u8]; 4] = [
            br#"{"n": 1}"#,
            br#"{"n": "x"}"#,
            b"{\"n\": \"\xff\"}",
            b"{}",
        ];
        edge.db.append("t", records).expect("memory takes it");
        edge.db.refresh("t").expect("memory takes it");
        let page = ask(&edge, "GET", "/t/_dead_letters?size=1");
        assert_eq!((&page["total"], &page["stored"]), (&2.into(), &2.into()));
        assert_eq!(page["reasons"], json!({ "type": 1, "utf8": 1 }));
        let letters = page["letters"].as_array().expect("a list");
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0]["value"], r#"{"n": "x"}"#);
        assert_eq!(letters[0]["source"], json!({ "partition": 0, "offset": 1 }));
        let page = ask(&edge, "GET", "/t/_dead_letters?from=1");
        assert_eq!(page["letters"][0]["value_hex"], "7b226e223a2022ff227d");

        // They fail again, and wait for the next call.
        let answer = ask(&edge, "POST", "/t/_dead_letters/_replay");
        assert_eq!(answer, json!({ "replayed": 2, "skipped": 0 }));
        edge.db.refresh("t").expect("memory takes it");
        let page = ask(&edge, "GET", "/t/_dead_letters?from=2");
        assert_eq!(
            page["letters"][0]["source"],
            json!({ "partition": 0, "offset": 4 })
        );
        assert_eq!(page["stored"], 4);
        let answer = ask(&edge, "POST", "/t/_dead_letters/_replay");
        assert_eq!(answer, json!({ "replayed": 2, "skipped": 0 }));
        let answer = ask(&edge, "POST", "/t/_dead_letters/_replay");
        assert_eq!(answer["skipped"], 0);
    }

    #[test]
    fn numbers_are_served_where_prometheus_looks() {
        let db = Db::builder().in_memory().open().expect("memory opens");
        let edge = Edge::new(db, Personality::default(), "8.19.0", "");
        let (status, answer) = edge.ask("GET", "/metrics", b"");
        let answer = String::from_utf8(answer).expect("text");
        assert_eq!(status, 200);
        assert!(
            answer.contains("# TYPE siltstone_kafka_request_seconds histogram"),
            "{answer}"
        );
        assert!(answer.contains("siltstone_up 1"), "{answer}");
    }
}
