//! Scripts over documents, good and bad.

use serde_json::{Value, json};

use super::*;

fn read(source: &str, params: &Value) -> Result<DocumentScript, ElasticError> {
    DocumentScript::read(&json!({ "source": source, "params": params }))
}

/// What `source` makes of `document`, as text; for an error, why.
fn check(source: &str, document: &str, expected: &str) {
    let place = ScriptPlace {
        index: "shop",
        id: "7",
        version: 3,
        now_ms: 1000,
        operation: "index",
    };
    let params = json!({ "n": 5, "tag": "blue", "list": [1, 2], "big": "x".repeat(1 << 20) });
    let ran = read(source, &params).and_then(|script| script.apply(document.as_bytes(), &place));
    let found = match ran {
        Ok(ScriptResult::Document(bytes)) => String::from_utf8(bytes).expect("text"),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_value()["caused_by"]["reason"]
            .as_str()
            .unwrap_or(error.reason())
            .to_owned(),
    };
    assert_eq!(found, expected, "{source}");
}

#[test]
fn fields_are_counted_set_and_removed() {
    check("ctx._source.n++", r#"{"n":1}"#, r#"{"n":2}"#);
    check("ctx._source.n += params.n", r#"{"n":1}"#, r#"{"n":6}"#);
    check("ctx._source.n *= 1.5;", r#"{"n":3}"#, r#"{"n":4.5}"#);
    check("ctx._source.a.b = 'x'", r#"{"a":{}}"#, r#"{"a":{"b":"x"}}"#);
    check(
        "ctx._source['a-b'] = [1, null]",
        "{}",
        r#"{"a-b":[1,null]}"#,
    );
    check(
        "ctx._source.remove(\"a\")",
        r#"{"a":1,"b":2,"c":3}"#,
        r#"{"b":2,"c":3}"#,
    );
    check(
        "ctx._source.id = ctx._index + '/' + ctx._id + ctx._version",
        "{}",
        r#"{"id":"shop/73"}"#,
    );
    check("def x = 7; x /= 2; ctx._source.x = x", "{}", r#"{"x":3}"#);
    check(
        "ctx._source.t = ctx._source.t.toUpperCase().substring(1)",
        r#"{"t":"abc"}"#,
        r#"{"t":"BC"}"#,
    );
    check(
        "ctx._source.m = Math.max(ctx._source.a, 2)",
        r#"{"a":3}"#,
        r#"{"a":3,"m":3}"#,
    );
}

#[test]
fn what_is_done_may_depend_on_the_document() {
    let source = "if (ctx._source.tags.contains(params.tag)) { ctx.op = 'delete' } \
                  else if (ctx._source.n > 2) { ctx.op = 'none' } \
                  else { ctx._source.tags.add(params.tag); return; } ctx._source.done = true";
    check(source, r#"{"tags":["blue"]}"#, "Delete");
    check(source, r#"{"tags":[],"n":3}"#, "Nothing");
    check(source, r#"{"tags":[],"n":1}"#, r#"{"tags":["blue"],"n":1}"#);
    check(
        "ctx._source.k = ctx._source.containsKey('a') && ctx._source.a != null ? 1 : 2",
        r#"{"a":null}"#,
        r#"{"a":null,"k":2}"#,
    );
    check(
        "ctx.op = 'create2'",
        "{}",
        "Operation type [create2] not allowed, only [noop, index, delete] are allowed",
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    check(
        "ctx._source.a.b = 1",
        "{}",
        "cannot access method/field [a] from a null def reference",
    );
    check("ctx._source.n = 1 / 0", "{}", "/ by zero");
    check("ctx._source.n = x", "{}", "cannot resolve symbol [x]");
    check(
        "for (def x : params.list) {}",
        "{}",
        "unexpected token ['for'].",
    );
    check("ctx._source.n = ;", "{}", "unexpected token [';'].");
    check(
        "def m = ctx._source; m.a = 1",
        "{}",
        "[m] is a copy here; change the value through [ctx._source]",
    );
    check("params.n = 1", "{}", "params cannot be changed");
    check(
        "ctx._source.n = 'a' - 1",
        "{}",
        "cannot apply [-] to a value of type [java.lang.String]",
    );
}

#[test]
fn texts_cannot_grow_without_end() {
    let double = "ctx._source.t = ctx._source.t + ctx._source.t;".repeat(40);
    let source = format!("ctx._source.t = params.big; {double}");
    check(
        &source,
        "{}",
        "the script makes more than 67108864 bytes of values",
    );
    let deep = format!("ctx._source.n = {}1{}", "(".repeat(500), ")".repeat(500));
    check(&deep, "{}", "a script is nested at most [64] levels deep");
    let list = "ctx._source.l.add(ctx._source.l);".repeat(60);
    check(
        &list,
        r#"{"l":[1]}"#,
        "the script makes more than 67108864 bytes of values",
    );
}

#[test]
fn an_error_shows_its_place() {
    let error = read("ctx._source.n = @", &json!({}))
        .expect_err("no such sign")
        .to_value();
    assert_eq!(error["type"], "script_exception");
    assert_eq!(error["reason"], "compile error");
    assert_eq!(error["position"]["offset"], 16);
}
