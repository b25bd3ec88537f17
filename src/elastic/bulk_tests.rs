//! Bulk requests, good and bad.

use super::*;

fn reason(body: &str) -> String {
    parse_bulk(body.as_bytes(), Some("logs"), &SearchParams::default())
        .expect_err("malformed")
        .to_string()
}

#[test]
fn actions_keep_their_documents() {
    let body = b"{\"index\":{\"_id\":7}}\n{\"n\":1}\n\n{\"delete\":{\"_index\":\"b\",\"_id\":\"x\"}}\n{\"create\":{}}\n{}\n";
    let actions = parse_bulk(body, Some("logs"), &SearchParams::default()).expect("well formed");
    let seen: Vec<_> = actions
        .iter()
        .map(|action| {
            let id = action.id.as_deref().unwrap_or("-");
            let text = String::from_utf8_lossy(action.document);
            format!("{} {} {id} {text}", action.operation.as_str(), action.index)
        })
        .collect();
    assert_eq!(
        seen,
        ["index logs 7 {\"n\":1}", "delete b x ", "create logs - {}"]
    );
    assert!(actions.iter().all(|action| action.error.is_none()));
}

#[test]
fn a_bad_action_line_fails_the_whole_request() {
    assert_eq!(
        reason("{\"frobnicate\":{}}\n{}\n"),
        "illegal_argument_exception: Malformed action/metadata line [1], expected one of \
         [create, delete, index, update] but found [frobnicate]"
    );
    assert_eq!(
        reason("{\"index\": \"_id\" \"5\"}}\n{}\n"),
        "illegal_argument_exception: Malformed action/metadata line [1], expected START_OBJECT or \
         END_OBJECT but found [VALUE_STRING]"
    );
    assert_eq!(
        reason("{\"index\":{}}\n{}\n{}\n{}\n"),
        "illegal_argument_exception: Malformed action/metadata line [3], expected FIELD_NAME but \
         found [END_OBJECT]"
    );
    assert!(reason("{\"index\":{\"nonsense\":1}}\n{}\n").contains("unknown parameter [nonsense]"));
    assert!(reason("{\"index\":{}}\n{}").contains("terminated by a newline"));
    assert!(reason("\n").contains("no requests added"));
}

#[test]
fn a_missing_last_brace_is_not_noticed() {
    let actions = parse_bulk(
        b"{\"index\":{\"_id\":\"5\"}\n{}\n",
        Some("logs"),
        &SearchParams::default(),
    )
    .expect("lenient");
    assert_eq!(actions[0].id.as_deref(), Some("5"));
}

#[test]
fn an_empty_id_fails_its_action_alone() {
    let actions = parse_bulk(
        b"{\"index\":{\"_id\":\"\"}}\n{}\n",
        Some("logs"),
        &SearchParams::default(),
    )
    .expect("lines fit");
    let error = actions[0].error.clone().expect("refused");
    assert_eq!(error.reason(), "if _id is specified it must not be empty");
}
