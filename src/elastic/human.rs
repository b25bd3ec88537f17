//! `human` and `error_trace`: what answers say twice, for people.

use serde_json::{Map, Value};

/// Adds to each size, duration and date of `reply` the same for people to read, in front of it.
#[must_use]
pub fn with_human_values(reply: &[u8]) -> Vec<u8> {
    changed(reply, &|entries| {
        let mut shown = Map::new();
        for (name, value) in std::mem::take(entries) {
            if let Some((name, text)) = readable(&name, &value)
                && !shown.contains_key(&name)
            {
                shown.insert(name, text.into());
            }
            shown.insert(name, value);
        }
        *entries = shown;
    })
}

/// Adds to each error of `reply` where it comes from, as Java would.
#[must_use]
pub fn with_stack_traces(reply: &[u8]) -> Vec<u8> {
    changed(reply, &|entries| {
        let text = |key: &str| entries.get(key).and_then(Value::as_str);
        let (Some(error_type), Some(reason)) = (text("type"), text("reason")) else {
            return;
        };
        let Some(name) = error_type.strip_suffix("_exception") else {
            return;
        };
        let class: String = name.split('_').map(capitalized).collect();
        let place = match (text("index"), text("index_uuid"), text("shard")) {
            (Some(index), uuid, Some(shard)) => {
                format!("[{index}/{}][[{index}][{shard}]] ", uuid.unwrap_or("_na_"))
            }
            (Some(index), ..) => format!("[{index}] "),
            (None, ..) => String::new(),
        };
        let trace = format!("{place}{class}Exception[{reason}]");
        entries.insert("stack_trace".into(), trace.into());
    })
}

/// `reply` with each object changed, the innermost first.
fn changed(reply: &[u8], change: &dyn Fn(&mut Map<String, Value>)) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(reply) else {
        return reply.to_vec();
    };
    walk(&mut value, change);
    value.to_string().into_bytes()
}

fn walk(value: &mut Value, change: &dyn Fn(&mut Map<String, Value>)) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries.iter_mut() {
                // Documents are not ours.
                if name != "_source" {
                    walk(value, change);
                }
            }
            change(entries);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The name and the text of a value for people.
fn readable(name: &str, value: &Value) -> Option<(String, String)> {
    if name == "creation_date" {
        let date_ms: i64 = value.as_str()?.parse().ok()?;
        let date = jiff::Timestamp::from_millisecond(date_ms).ok()?;
        return Some((format!("{name}_string"), format!("{date:.3}")));
    }
    if name == "created" {
        let version: u64 = value.as_str()?.parse().ok()?;
        return Some((format!("{name}_string"), version_text(version)));
    }
    let number = value.as_u64()?;
    if let Some(stem) = name.strip_suffix("_in_bytes") {
        return Some((stem.into(), human_bytes(number)));
    }
    let (stem, unit_ns) = [("_in_millis", 1_000_000), ("_in_nanos", 1)]
        .iter()
        .find_map(|(suffix, unit_ns)| Some((name.strip_suffix(suffix)?, *unit_ns)))?;
    let stem = if stem.is_empty() { "time" } else { stem };
    Some((stem.into(), human_duration(number.saturating_mul(unit_ns))))
}

/// The version that `created` of an index's settings stands for: two digits each, the major one in
/// front. OpenSearch's have a bit of their own.
fn version_text(version: u64) -> String {
    const OPENSEARCH: u64 = 0x0800_0000;
    let own = version & !OPENSEARCH;
    let (major, minor, revision) = (own / 1_000_000, own / 10_000 % 100, own / 100 % 100);
    format!("{major}.{minor}.{revision}")
}

/// A size as Elasticsearch shows it: `1.5kb`.
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    scaled(
        bytes,
        &[
            ("pb", 1 << 50),
            ("tb", 1 << 40),
            ("gb", 1 << 30),
            ("mb", 1 << 20),
            ("kb", 1 << 10),
            ("b", 1),
        ],
    )
}

/// A duration as Elasticsearch shows it: `1.5s`.
#[must_use]
pub fn human_duration(duration_ns: u64) -> String {
    scaled(
        duration_ns,
        &[
            ("d", 86_400_000_000_000),
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("micros", 1_000),
            ("nanos", 1),
        ],
    )
}

/// In the largest unit that it has one of, with one digit behind the point unless that is 0.
fn scaled(number: u64, units: &[(&str, u64)]) -> String {
    let last = units.last().copied().unwrap_or(("", 1));
    let found = units.iter().find(|(_, size)| number >= *size);
    let (unit, size) = found.copied().unwrap_or(last);
    let tenths = u128::from(number) * 10 / u128::from(size);
    match tenths % 10 {
        0 => format!("{}{unit}", tenths / 10),
        tenth => format!("{}.{tenth}{unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(made: fn(&[u8]) -> Vec<u8>, reply: &str, expected: &str) {
        let found = String::from_utf8(made(reply.as_bytes())).expect("text");
        assert_eq!(found, expected);
    }

    #[test]
    fn sizes_and_times_are_said_for_people() {
        check(
            with_human_values,
            r#"{"store":{"size_in_bytes":1536},"took_in_millis":61000,"n":1}"#,
            r#"{"store":{"size":"1.5kb","size_in_bytes":1536},"took":"1m","took_in_millis":61000,"n":1}"#,
        );
        check(
            with_human_values,
            r#"{"index":{"creation_date":"1500000000123"},"_source":{"a_in_bytes":1}}"#,
            r#"{"index":{"creation_date_string":"2017-07-14T02:40:00.123Z","creation_date":"1500000000123"},"_source":{"a_in_bytes":1}}"#,
        );
        check(
            with_human_values,
            r#"{"version":{"created":"8120199"}}"#,
            r#"{"version":{"created_string":"8.12.1","created":"8120199"}}"#,
        );
        assert_eq!(human_bytes(0), "0b");
        assert_eq!(human_bytes(1023), "1023b");
        assert_eq!(human_bytes(u64::MAX), "16383.9pb");
        assert_eq!(human_duration(1_500), "1.5micros");
    }

    #[test]
    fn errors_say_where_they_come_from() {
        check(
            with_stack_traces,
            r#"{"error":{"type":"index_not_found_exception","reason":"no such index [i]","index":"i"}}"#,
            r#"{"error":{"type":"index_not_found_exception","reason":"no such index [i]","index":"i","stack_trace":"[i] IndexNotFoundException[no such index [i]]"}}"#,
        );
        check(
            with_stack_traces,
            r#"{"type":"document_missing_exception","reason":"[1]: document missing","index":"i","index_uuid":"u","shard":"0"}"#,
            r#"{"type":"document_missing_exception","reason":"[1]: document missing","index":"i","index_uuid":"u","shard":"0","stack_trace":"[i/u][[i][0]] DocumentMissingException[[1]: document missing]"}"#,
        );
        check(with_stack_traces, "no JSON", "no JSON");
    }
}
