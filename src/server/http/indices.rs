//! Indices: made, shown, changed, deleted, refreshed, flushed.

use std::sync::Arc;

use serde_json::{Value, json};
use storage::catalog::Topic;

use super::Method;
use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::db::Existing;
use crate::elastic::{
    self, AnalyzedIndex, ElasticError, Expand, FieldCapsRequest, IndexOptions, Personality,
    SettingsShape, parse_rollover, render_field_caps, render_field_mappings, render_indices,
    render_mappings, render_rejected, render_rollover, render_settings, texts_of,
};
use crate::error::Result;

/// `/{index}`
pub(super) fn index(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    match request.method {
        Method::Get => {
            let found = edge.db.named(index, request.index_options()?)?;
            let shown: Vec<_> = found
                .iter()
                .map(|named| (named.state.topic.as_ref(), named.state.aliases.as_ref()))
                .collect();
            Ok(Reply::ok(render_indices(
                &shown,
                shape(edge, request, None)?,
            )))
        }
        Method::Head => Ok(match found(edge, request, index) {
            Ok(topics) if !topics.is_empty() => Reply::empty(200),
            Ok(_) | Err(_) => Reply::empty(404),
        }),
        Method::Put | Method::Post => {
            edge.db.create_index(index, &request.body)?;
            Ok(Reply::value(
                200,
                &json!({ "acknowledged": true, "shards_acknowledged": true, "index": index }),
            ))
        }
        Method::Delete => {
            let options = request.index_options_on(IndexOptions {
                expand: Expand::SHOWN,
                ..IndexOptions::default()
            })?;
            edge.db
                .delete_topics(index, options, edge.wildcard_deletes())?;
            Ok(acknowledged())
        }
    }
}

/// `/{index}/_mapping`
pub(super) fn mapping(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    match request.method {
        Method::Get | Method::Head => Ok(Reply::ok(render_mappings(&borrowed(&found(
            edge, request, index,
        )?)))),
        Method::Put | Method::Post | Method::Delete => {
            for topic in found(edge, request, index)? {
                edge.db.put_mapping(topic.id, &request.body)?;
            }
            Ok(acknowledged())
        }
    }
}

/// `/{index}/_mapping/field/{names}`
pub(super) fn field_mapping(
    edge: &Edge,
    request: &Request,
    index: &str,
    names: &str,
) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    let defaults = request.switch("include_defaults")? == Some(true);
    let bytes = render_field_mappings(&borrowed(&topics), names, defaults);
    Ok(Reply::ok(bytes))
}

/// `/{index}/_settings[/{names}]`
pub(super) fn settings(
    edge: &Edge,
    request: &Request,
    index: &str,
    names: Option<&str>,
) -> Result<Reply> {
    if request.method == Method::Put {
        let existing = match request.switch("preserve_existing")? {
            Some(true) => Existing::Kept,
            Some(false) | None => Existing::Replaced,
        };
        let options = request.index_options_on(IndexOptions {
            expand: Expand::SHOWN,
            ..IndexOptions::default()
        })?;
        for topic in edge.db.topics(index, options)? {
            edge.db.put_settings(topic.id, &request.body, existing)?;
        }
        return Ok(acknowledged());
    }
    let options = request.index_options_on(IndexOptions {
        expand: Expand::SHOWN,
        ..IndexOptions::default()
    })?;
    let topics = edge.db.topics(index, options)?;
    let shape = shape(edge, request, names)?;
    Ok(Reply::ok(render_settings(&borrowed(&topics), shape)))
}

fn shape<'r>(
    edge: &Edge,
    request: &'r Request,
    names: Option<&'r str>,
) -> Result<SettingsShape<'r>> {
    Ok(SettingsShape {
        is_flat: request.switch("flat_settings")? == Some(true),
        names,
        defaults: request.switch("include_defaults")? == Some(true),
        is_open_search: edge.info.personality == Personality::OpenSearch,
    })
}

/// `/{index}/_close` and `/{index}/_open`
pub(super) fn set_closed(
    edge: &Edge,
    request: &Request,
    index: &str,
    closed: bool,
) -> Result<Reply> {
    let expand = match closed {
        true => Expand::OPEN,
        false => Expand::SHOWN,
    };
    let options = request.index_options_on(IndexOptions {
        expand,
        ..IndexOptions::default()
    })?;
    let topics = edge.db.topics(index, options)?;
    for topic in &topics {
        if closed {
            edge.db.refresh_topic(topic.id)?;
        }
        edge.db.set_closed(topic.id, closed)?;
    }
    let mut reply = json!({ "acknowledged": true, "shards_acknowledged": true });
    if closed {
        let closed = topics
            .iter()
            .map(|topic| (topic.name.to_string(), json!({ "closed": true })));
        reply["indices"] = closed.collect::<serde_json::Map<_, _>>().into();
    }
    Ok(Reply::value(200, &reply))
}

/// `/{target}/_rollover[/{index}]`
pub(super) fn rollover(
    edge: &Edge,
    request: &Request,
    target: &str,
    index: Option<&str>,
) -> Result<Reply> {
    let is_dry_run = request.switch("dry_run")? == Some(true);
    let asked = parse_rollover(&request.body)?;
    let rolled = edge.db.roll_over(target, index, &asked, is_dry_run)?;
    Ok(Reply::value(200, &render_rollover(&rolled, is_dry_run)))
}

/// `/{index}/_cache/clear`: nothing that is kept can be wrong.
pub(super) fn clear_cache(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    Ok(shards(&found(edge, request, index)?))
}

/// `/{index}/_field_caps`
pub(super) fn field_caps(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let fields = match request.param("fields") {
        Some(fields) => fields.to_owned(),
        None => texts_of(&request.body, "fields")?.join(","),
    };
    if fields.is_empty() {
        return Err(ElasticError::validation(&["no fields specified".into()]).into());
    }
    let mut topics = found(edge, request, index)?;
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if let Some(filter) = body.get("index_filter").filter(|filter| !filter.is_null()) {
        let query = json!({ "query": filter }).to_string();
        let mut kept = Vec::with_capacity(topics.len());
        for topic in topics {
            let has_rows = edge.db.has_rows(topic.name.as_str(), query.as_bytes())?;
            kept.extend(has_rows.then_some(topic));
        }
        topics = kept;
    }
    let asked = FieldCapsRequest {
        fields: &fields,
        include_unmapped: request.switch("include_unmapped")? == Some(true),
        personality: edge.info.personality,
    };
    Ok(Reply::ok(render_field_caps(asked, &borrowed(&topics))))
}

/// `/{index}/_refresh`: answers when everything acknowledged before is visible.
pub(super) fn refresh(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    for topic in &topics {
        edge.db.refresh_topic(topic.id)?;
    }
    Ok(shards(&topics))
}

/// `/{index}/_flush`: answers when all active rows are in segments.
pub(super) fn flush(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    for topic in &topics {
        edge.db.flush_topic(topic.id)?;
    }
    Ok(shards(&topics))
}

/// `/{index}/_forcemerge`: answers when each index has at most `max_num_segments`, or as few as the
/// bounds of a segment allow.
pub(super) fn force_merge(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let segments_max = match request.param("max_num_segments") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            ElasticError::illegal_argument(format!(
                "Failed to parse int parameter [max_num_segments] with value [{text}]"
            ))
        })?),
    };
    let topics = found(edge, request, index)?;
    for topic in &topics {
        edge.db.merge_topic(topic.id, segments_max)?;
    }
    Ok(shards(&topics))
}

/// `/{index}/_rejected`: how many records could not become rows, why, and which were the last.
pub(super) fn rejected(edge: &Edge, request: &Request, index: &str) -> Result<Reply> {
    let topics = found(edge, request, index)?;
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| (topic.as_ref(), edge.db.rejected_records(topic.id)))
        .collect();
    Ok(Reply::ok(render_rejected(&topics)))
}

pub(super) fn acknowledged() -> Reply {
    Reply::value(200, &json!({ "acknowledged": true }))
}

fn shards(topics: &[Arc<Topic>]) -> Reply {
    let total: u64 = topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    Reply::value(
        200,
        &json!({ "_shards": { "total": total, "successful": total, "failed": 0 } }),
    )
}

fn found(edge: &Edge, request: &Request, index: &str) -> Result<Vec<Arc<Topic>>> {
    edge.db.topics(index, request.index_options()?)
}

fn borrowed(topics: &[Arc<Topic>]) -> Vec<&Topic> {
    topics.iter().map(AsRef::as_ref).collect()
}

/// `[/{index}]/_analyze`
pub(super) fn analyze(edge: &Edge, request: &Request, index: Option<&str>) -> Result<Reply> {
    let topic = match index {
        None => None,
        Some(index) => Some(edge.db.only_index(index)?),
    };
    let index = topic.as_ref().map(|topic| {
        let tokens_max = topic.settings.get("index.analyze.max_token_count");
        AnalyzedIndex {
            mapping: &topic.mapping,
            tokens_max: tokens_max.and_then(|value| match value {
                Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            }),
        }
    });
    let answer = elastic::analyze(request.search_body(), index)?;
    Ok(Reply::value(200, &answer))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::db::Db;
    use crate::options::{Options, Work};

    fn edge() -> Edge {
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().in_memory().options(options).open();
        Edge::new(
            db.expect("memory opens"),
            Personality::Elasticsearch,
            "8.19.0",
            "x:1",
        )
    }

    fn ask(edge: &Edge, method: &str, uri: &str) -> (u16, Value) {
        let (status, answer) = edge.ask(method, uri, b"");
        (status, serde_json::from_slice(&answer).expect("JSON"))
    }

    #[test]
    fn rejected_records_are_shown_before_and_after_a_flush() {
        let edge = edge();
        let records = [r#"{"n": 1}"#, r#"{"n": "no number"}"#, r#"{"n": 2}"#];
        edge.db.append("t", records).expect("memory takes it");
        edge.db.refresh("t").expect("memory takes it");
        for flushed in [false, true] {
            if flushed {
                edge.db.flush("t").expect("memory takes it");
            }
            let (status, answer) = ask(&edge, "GET", "/t/_rejected");
            assert_eq!(status, 200);
            assert_eq!(answer["t"]["total"], 1, "{answer}");
            let newest = &answer["t"]["newest"][0];
            assert_eq!(newest["partition"], 0, "{answer}");
            assert_eq!(newest["offset"], 1, "{answer}");
            let reason = newest["reason"].as_str().expect("a reason");
            assert!(
                reason.contains("no number") || reason.contains("[n]"),
                "{reason}"
            );
            assert_eq!(answer["t"]["reasons"][reason], 1, "{answer}");
        }
    }

    fn send(edge: &Edge, method: &str, uri: &str, body: &str) -> (u16, Value) {
        let (status, answer) = edge.ask(method, uri, body.as_bytes());
        (status, serde_json::from_slice(&answer).unwrap_or_default())
    }

    #[test]
    fn aliases_filter_searches_and_take_writes() {
        let edge = edge();
        let body = r#"{"aliases": {"odd": {"filter": {"term": {"n": 1}}}, "all": {}}}"#;
        assert_eq!(send(&edge, "PUT", "/a", body).0, 200);
        for (id, n) in [("x", 1), ("y", 2)] {
            let document = format!(r#"{{"n": {n}}}"#);
            let (status, answer) =
                send(&edge, "PUT", &format!("/all/_doc/{id}?refresh"), &document);
            assert_eq!(
                (status, &answer["_index"]),
                (201, &Value::from("a")),
                "{answer}"
            );
        }
        let count =
            |index: &str| send(&edge, "GET", &format!("/{index}/_count"), "").1["count"].clone();
        assert_eq!(count("odd"), 1);
        assert_eq!(count("all"), 2);
        assert_eq!(count("odd,a"), 2);
        let (status, _) = send(&edge, "PUT", "/all", "");
        assert_eq!(status, 400, "an alias has the name");
        let actions = r#"{"actions": [{"remove": {"index": "a", "alias": "odd"}},
            {"add": {"index": "a", "alias": "new"}}]}"#;
        assert_eq!(send(&edge, "POST", "/_aliases", actions).0, 200);
        assert_eq!(send(&edge, "GET", "/odd/_count", "").0, 404);
        assert_eq!(count("new"), 2);
    }

    #[test]
    fn closed_indices_answer_nothing_until_they_are_opened() {
        let edge = edge();
        assert_eq!(send(&edge, "PUT", "/a/_doc/1?refresh", "{}").0, 201);
        assert_eq!(send(&edge, "POST", "/a/_close", "").0, 200);
        let (status, answer) = send(&edge, "GET", "/a/_search", "");
        assert_eq!(status, 400);
        assert_eq!(answer["error"]["type"], "index_closed_exception");
        assert_eq!(send(&edge, "PUT", "/a/_doc/2", "{}").0, 400);
        assert_eq!(
            send(&edge, "GET", "/*/_search", "").1["hits"]["total"]["value"],
            0
        );
        assert_eq!(send(&edge, "POST", "/a/_open", "").0, 200);
        assert_eq!(
            send(&edge, "GET", "/a/_search", "").1["hits"]["total"]["value"],
            1
        );
    }

    #[test]
    fn aliases_go_on_with_a_new_index() {
        let edge = edge();
        let first = r#"{"aliases": {"logs": {"is_write_index": true}, "read": {}}}"#;
        assert_eq!(send(&edge, "PUT", "/logs-000001", first).0, 200);
        assert_eq!(send(&edge, "PUT", "/logs/_doc/1?refresh", "{}").0, 201);
        let roll = |url: &str, body: &str| {
            let (status, answer) = send(&edge, "POST", url, body);
            assert_eq!(status, 200, "{answer}");
            let conditions = answer["conditions"].to_string();
            (answer["rolled_over"] == true, conditions)
        };
        let two = r#"{"conditions": {"max_docs": 2}}"#;
        let unmet = r#"{"[max_docs: 2]":false}"#;
        assert_eq!(roll("/logs/_rollover", two), (false, unmet.into()));
        let one = r#"{"conditions": {"max_docs": 1}, "settings": {"number_of_shards": 2}}"#;
        let met = r#"{"[max_docs: 1]":true}"#;
        assert_eq!(roll("/logs/_rollover?dry_run", one), (false, met.into()));
        assert_eq!(send(&edge, "GET", "/logs-000002", "").0, 404);
        assert_eq!(roll("/logs/_rollover", one), (true, met.into()));
        let (_, answer) = send(&edge, "PUT", "/logs/_doc/2?refresh", "{}");
        assert_eq!(answer["_index"], "logs-000002", "{answer}");
        assert_eq!(send(&edge, "GET", "/logs/_count", "").1["count"], 2);
        // An alias that names no index to write to moves.
        assert_eq!(roll("/read/_rollover/other", ""), (true, "{}".into()));
        assert_eq!(send(&edge, "GET", "/read/_count", "").1["count"], 0);
        let (status, answer) = send(&edge, "POST", "/read/_rollover", "");
        let reason = "index name [other] does not match pattern '^.*-\\d+$'";
        assert_eq!((status, &answer["error"]["reason"]), (400, &reason.into()));
        assert_eq!(send(&edge, "POST", "/nothing/_rollover", "").0, 400);
        let (status, _) = send(&edge, "POST", "/read/_rollover/logs-000001", "");
        assert_eq!(status, 400, "it exists");
    }

    #[test]
    fn data_streams_write_to_their_newest_index() {
        let edge = edge();
        let template = r#"{"index_patterns": ["logs-*"], "data_stream": {}}"#;
        assert_eq!(send(&edge, "PUT", "/_index_template/t", template).0, 200);
        let lines = "{\"create\": {}}\n{\"@timestamp\": 1}\n";
        let (status, answer) = send(&edge, "POST", "/logs-app/_bulk?refresh", lines);
        assert_eq!(
            (status, &answer["errors"]),
            (200, &Value::from(false)),
            "{answer}"
        );
        let first = answer["items"][0]["create"]["_index"].clone();
        assert!(
            first
                .as_str()
                .is_some_and(|name| name.starts_with(".ds-logs-app-"))
        );
        assert_eq!(send(&edge, "POST", "/logs-app/_rollover", "").0, 200);
        let (_, answer) = send(&edge, "POST", "/logs-app/_bulk?refresh", lines);
        assert_ne!(answer["items"][0]["create"]["_index"], first);
        assert_eq!(send(&edge, "GET", "/logs-app/_count", "").1["count"], 2);
        assert_eq!(send(&edge, "DELETE", "/_data_stream/logs-app", "").0, 200);
        assert_eq!(send(&edge, "GET", "/logs-app/_count", "").0, 404);
    }

    #[test]
    fn only_full_names_are_deleted() {
        let edge = edge();
        assert_eq!(ask(&edge, "PUT", "/a").0, 200);
        for uri in ["/*", "/_all", "/a*", "/a,b*"] {
            let (status, answer) = ask(&edge, "DELETE", uri);
            assert_eq!(status, 400, "{uri}");
            let reason = "Wildcard expressions or all indices are not allowed";
            assert_eq!(answer["error"]["reason"], reason);
        }
        assert_eq!(ask(&edge, "DELETE", "/a").0, 200);
        assert_eq!(ask(&edge, "GET", "/a").0, 404);
    }

    #[test]
    fn fields_become_what_their_templates_say() {
        let edge = edge();
        let mappings = json!({ "mappings": {
            "date_detection": false,
            "dynamic_templates": [
                { "labels": { "path_match": "labels.*", "mapping": { "type": "keyword" } } },
                { "texts": { "match_mapping_type": "string", "unmatch": "message",
                             "mapping": { "type": "keyword", "ignore_above": 9 } } },
            ],
        } });
        send(&edge, "PUT", "/shipped", &mappings.to_string());
        let document = json!({
            "day": "2026-01-02", "message": "one two", "labels": { "n": 5 }, "count": 7,
        });
        send(
            &edge,
            "POST",
            "/shipped/_doc?refresh",
            &document.to_string(),
        );
        let (_, shown) = send(&edge, "GET", "/shipped/_mapping", "");
        let shown = &shown["shipped"]["mappings"];
        let fields = &shown["properties"];
        assert_eq!(
            fields["day"],
            json!({ "type": "keyword", "ignore_above": 9 }),
            "{shown}"
        );
        assert_eq!(fields["message"]["type"], "text");
        assert_eq!(fields["labels"]["properties"]["n"]["type"], "keyword");
        assert_eq!(fields["count"]["type"], "long");
        assert_eq!(shown["date_detection"], false);
        assert_eq!(
            shown["dynamic_templates"],
            mappings["mappings"]["dynamic_templates"]
        );
    }
}
