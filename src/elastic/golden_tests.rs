//! Requests recorded from a real server, when the folder that holds them is there: each must be
//! read, or fail with the recorded status and type. What this server does not have yet says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// An instant after all recorded data.
const NOW_MS: i64 = 1_795_000_000_000;

/// The folder of recorded cases, beside the repository.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.ancestors()
        .skip(1)
        .map(|above| above.join("shared/golden/opensearch/cases"))
        .find(|folder| folder.is_dir())
}

struct Case {
    name: String,
    value: Value,
}

fn cases() -> Vec<Case> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a case is a text");
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            Case {
                name,
                value: serde_json::from_str(&text).expect("a case is JSON"),
            }
        })
        .collect()
}

/// The indices that a case sets up; an error when one cannot be made.
fn indices(case: &Value) -> Result<BTreeMap<String, IndexDefinition>, ElasticError> {
    let mut indices = BTreeMap::new();
    for setup in case["setup"].as_array().into_iter().flatten() {
        let name = setup["index"].as_str().expect("a name");
        let body = match &setup["mapping"] {
            Value::Null => "{}".to_owned(),
            mapping => serde_json::json!({"mappings": mapping}).to_string(),
        };
        let definition = parse_create_index(name, body.as_bytes(), &Templates::new())?;
        indices.insert(name.to_owned(), definition);
    }
    Ok(indices)
}

fn body_text(request: &Value) -> String {
    if let Some(lines) = request["ndjson"].as_array() {
        let line = |line: &Value| match line {
            Value::String(text) => format!("{text}\n"),
            other => format!("{other}\n"),
        };
        return lines.iter().map(line).collect();
    }
    match (&request["raw"], &request["body"]) {
        (Value::String(text), _) => text.clone(),
        (_, Value::Null) => String::new(),
        (_, body) => body.to_string(),
    }
}

fn params(request: &Value) -> Result<SearchParams, ElasticError> {
    let pairs: Vec<(String, String)> = request["params"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), read::shown(value)))
        .collect();
    SearchParams::parse(
        "/_search",
        pairs.iter().map(|(key, value)| (&**key, &**value)),
    )
}

fn search(
    indices: &BTreeMap<String, IndexDefinition>,
    expression: &str,
    options: IndexOptions,
    body: &[u8],
    params: &SearchParams,
) -> Result<ParsedSearch, ElasticError> {
    let names: Vec<&str> = indices.keys().map(String::as_str).collect();
    let named = resolve_indices(expression, &Names::of_indices(&names), options)?;
    let targets: Vec<SearchTarget<'_>> = named
        .iter()
        .map(|named| SearchTarget {
            index: &named.name,
            mapping: &indices[&named.name].mapping,
            filters: &[],
            facts: IndexFacts::default(),
        })
        .collect();
    parse_search(body, params, &targets, NOW_MS)
}

/// What becomes of a case's request: nothing to say when it is no search.
fn outcome(case: &Value) -> Option<Result<(), ElasticError>> {
    let request = &case["request"];
    let path = request["path"]
        .as_str()
        .expect("a path")
        .trim_start_matches('/');
    let (expression, action) = path.rsplit_once('/').unwrap_or(("", path));
    let run = || -> Result<(), ElasticError> {
        let indices = indices(case)?;
        let params = params(request)?;
        let body = body_text(request);
        if action == "_search" {
            let options = IndexOptions::default();
            search(&indices, expression, options, body.as_bytes(), &params)?;
            return Ok(());
        }
        for item in parse_msearch(body.as_bytes(), Some(expression))? {
            let options = IndexOptions {
                ignore_unavailable: item.ignore_unavailable.unwrap_or(false),
                ..IndexOptions::default()
            };
            search(&indices, &item.index, options, item.body, &params)?;
        }
        Ok(())
    };
    let is_search = matches!(action, "_search" | "_msearch") && request["content_type"].is_null();
    (is_search && request["method"] != "PUT").then(run)
}

#[test]
fn recorded_searches_are_read_or_fail_alike() {
    let mut wrong = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for Case { name, value } in cases() {
        let Some(outcome) = outcome(&value) else {
            continue;
        };
        let status = value["response"]["status"].as_u64().expect("a status");
        let error = &value["response"]["body"]["error"];
        // What fails behind the shards has no root there, only a cause.
        let wanted = match &error["root_cause"][0]["type"] {
            Value::Null => &error["caused_by"]["type"],
            root => root,
        };
        let verdict = match &outcome {
            Err(error) if error.reason().ends_with("not supported yet") => "not yet",
            Ok(()) if status == 200 => "read",
            Err(error) if u64::from(error.status()) == status && *wanted == error.error_type() => {
                "failed alike"
            }
            Ok(()) | Err(_) => {
                let shown = outcome.as_ref().map_err(ToString::to_string);
                let _ = writeln!(wrong, "{name}: wanted {status} {wanted}, got {shown:?}");
                "wrong"
            }
        };
        *counts.entry(verdict).or_default() += 1;
        if verdict == "not yet" && std::env::var_os("GOLDEN_VERBOSE").is_some() {
            println!("{name}: {}", outcome.expect_err("not yet").reason());
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{counts:?}\n{wrong}");
}
