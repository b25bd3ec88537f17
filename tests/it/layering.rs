//! The direction of dependencies, as data.
//!
//! Between crates the compiler keeps the layers; inside a crate this test does. A line of the
//! table is a module and the modules of its own crate that it may name.

use crate::sources::{self, Source};

/// `(folder of the crate, module, modules of the crate it may use)`.
const ALLOWED: &[(&str, &str, &[&str])] = &[
    ("storage", "model", &[]),
    ("storage", "disk", &[]),
    ("storage", "memory", &[]),
    ("storage", "log", &["disk", "model"]),
    ("storage", "segment", &["disk", "memory", "model"]),
    ("storage", "catalog", &["disk", "log", "model"]),
    ("storage", "groups", &["catalog", "model"]),
    (
        "storage",
        "transactions",
        &["catalog", "groups", "log", "model"],
    ),
    ("storage", "maintenance", &["catalog"]),
    (
        "storage",
        "store",
        &[
            "catalog",
            "disk",
            "groups",
            "log",
            "memory",
            "model",
            "segment",
            "transactions",
        ],
    ),
    ("ingest", "wire", &[]),
    ("ingest", "group", &[]),
    ("ingest", "transaction", &[]),
    ("ingest", "broker", &["group", "transaction", "wire"]),
    ("ingest", "decode", &[]),
    ("ingest", "materialize", &["decode"]),
    ("ingest", "documents", &["decode"]),
    ("export", "column", &["decimal_text"]),
    ("export", "decimal_text", &[]),
    ("export", "error", &[]),
    (
        "export",
        "rollup",
        &["column", "decimal_text", "error", "rows", "unread"],
    ),
    ("export", "rows", &["column", "error", "unread"]),
    ("export", "unread", &[]),
    ("export", "write", &["error"]),
    ("export", "tests", &[]),
    ("src", "elastic", &[]),
    ("src", "error", &["elastic"]),
    ("src", "options", &["elastic", "error"]),
    ("src", "db", &["background", "elastic", "error", "options"]),
    ("src", "background", &["db", "error", "options"]),
    (
        "src",
        "server",
        &["background", "db", "elastic", "error", "metrics", "options"],
    ),
    ("src", "metrics", &["db"]),
    (
        "src",
        "cli",
        &["db", "elastic", "error", "metrics", "options", "server"],
    ),
];

/// `(folder, words that its code must not contain, why)`.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "storage",
        &[
            "tokio",
            "axum",
            "kafka_protocol",
            "SystemTime::now",
            "Instant::now",
            "thread::spawn",
        ],
        "storage knows no protocol, no runtime, no clock and starts no thread",
    ),
    (
        "query",
        &[
            "tokio",
            "axum",
            "serde_json",
            "kafka",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant::now",
            "thread::spawn",
        ],
        "a query reads a snapshot and returns values",
    ),
    (
        "ingest",
        &[
            "tokio",
            "axum",
            "query::",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant::now",
            "thread::spawn",
        ],
        "ingest knows no socket, no clock and no query",
    ),
    (
        "export",
        &[
            "tokio",
            "serde_json",
            "ingest::",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant::now",
            "thread::spawn",
        ],
        "an export reads a snapshot and writes to what it is given",
    ),
    (
        "src/elastic",
        &[
            "tokio",
            "axum",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant::now",
            "RowSource",
        ],
        "the Elasticsearch edge is pure: JSON to values and back",
    ),
];

/// `std::fs` belongs to one file of the storage crate.
const FILE_SYSTEM_FILES: &[&str] = &["storage/disk/file.rs", "storage/catalog/rocks.rs"];

#[test]
fn modules_only_use_the_layers_below_them() {
    let mut offences = Vec::new();
    for (folder, module, allowed) in ALLOWED {
        for source in sources::rust(folder) {
            if top_module(&source, folder) != *module {
                continue;
            }
            for (number, line) in source.code_lines() {
                for used in crate_modules(line) {
                    if used != *module && !allowed.contains(&used) && is_module(folder, used) {
                        offences.push(format!("{}:{number}: {module} uses {used}", source.path));
                    }
                }
            }
        }
    }
    assert!(
        offences.is_empty(),
        "an arrow points up:\n{}",
        offences.join("\n")
    );
}

#[test]
fn every_module_has_its_line_in_the_table() {
    for folder in ["storage", "ingest", "export", "src"] {
        for source in sources::rust(folder) {
            let module = top_module(&source, folder);
            assert!(
                matches!(module, "lib" | "main")
                    || ALLOWED
                        .iter()
                        .any(|line| line.0 == folder && line.1 == module),
                "{}: module {module} is not in the layering table",
                source.path
            );
        }
    }
}

#[test]
fn layers_do_not_know_what_they_must_not() {
    let mut offences = Vec::new();
    for (folder, words, why) in FORBIDDEN {
        for source in sources::rust(folder)
            .into_iter()
            .filter(|source| !source.is_test())
        {
            for (number, line) in source.code_lines() {
                for word in *words {
                    if line.contains(word) {
                        offences.push(format!("{}:{number}: {word} ({why})", source.path));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn nothing_below_the_shell_knows_arrow() {
    for folder in ["storage", "query", "ingest"] {
        let manifest = sources::read(&format!("{folder}/Cargo.toml"));
        for word in ["export", "arrow", "parquet"] {
            assert!(!manifest.contains(word), "{folder}/Cargo.toml names {word}");
        }
    }
}

#[test]
fn only_the_disk_touches_the_file_system() {
    for source in sources::rust("storage")
        .into_iter()
        .filter(|source| !source.is_test())
    {
        if FILE_SYSTEM_FILES.contains(&source.path.as_str()) {
            continue;
        }
        for (number, line) in source.code_lines() {
            assert!(
                !line.contains("std::fs"),
                "{}:{number}: std::fs",
                source.path
            );
        }
    }
}

/// The first part of a file's path below its crate, without `.rs`.
fn top_module<'a>(source: &'a Source, folder: &str) -> &'a str {
    let below = source
        .path
        .strip_prefix(folder)
        .expect("listed below it")
        .trim_start_matches('/');
    below
        .split('/')
        .next()
        .expect("a path has a first part")
        .trim_end_matches(".rs")
}

/// Modules that a line names as `crate::module`.
fn crate_modules(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

fn is_module(folder: &str, name: &str) -> bool {
    ALLOWED
        .iter()
        .any(|line| line.0 == folder && line.1 == name)
}
