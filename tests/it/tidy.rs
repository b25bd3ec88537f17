//! House style that a machine can hold. The rest is in `docs/style.md`.

use std::collections::BTreeSet;

use crate::sources::{self, Source};

const FILE_CODE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

const CODE_FOLDERS: &[&str] = &[
    "storage", "query", "ingest", "export", "src", "tests", "examples", "fuzz",
];

/// Words that must not be in code, each with what to write instead. Written in two halves so that
/// this table does not find itself.
const BANNED: &[(&str, &str, &str)] = &[
    ("FIX", "ME", "mend it, or open an issue and name it"),
    ("XX", "X", "say what is meant"),
    ("todo", "!(", "finish it"),
    ("dbg", "!(", "remove it"),
    ("thread::", "sleep", "wait for the event itself"),
];

const BANNED_FILE_WORDS: &[&str] = &["util", "common", "helper", "manager", "misc", "_v2"];

fn code() -> Vec<Source> {
    CODE_FOLDERS
        .iter()
        .flat_map(|folder| sources::rust(folder))
        .collect()
}

#[test]
fn files_hold_one_idea() {
    for source in code().iter().filter(|source| !source.is_test()) {
        let count = source.code_lines().count();
        assert!(
            count <= FILE_CODE_LINES_MAX,
            "{}: {count} lines of code, the limit is {FILE_CODE_LINES_MAX}",
            source.path
        );
    }
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for source in code() {
        for (number, length) in function_lengths(&source.text) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{number}: {length} lines", source.path));
            }
        }
    }
    assert!(
        long.is_empty(),
        "longer than {FUNCTION_LINES_MAX} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn lines_are_not_wider_than_a_page() {
    for source in code() {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            // A text that a reader must be able to search for is not broken.
            let is_text = line.contains('"');
            assert!(
                columns <= LINE_COLUMNS_MAX || is_text,
                "{}:{}: {columns} columns",
                source.path,
                index + 1
            );
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for source in code() {
        for (index, line) in source.text.lines().enumerate() {
            for (left, right, instead) in BANNED {
                let word = format!("{left}{right}");
                assert!(
                    !line.contains(&word),
                    "{}:{}: {word}: {instead}",
                    source.path,
                    index + 1
                );
            }
        }
    }
}

#[test]
fn files_are_named_after_what_they_are() {
    for source in code() {
        let name = source
            .path
            .rsplit('/')
            .next()
            .expect("a path has a last part");
        for word in BANNED_FILE_WORDS {
            assert!(
                !name.contains(word),
                "{}: '{word}' says nothing",
                source.path
            );
        }
    }
}

#[test]
fn modules_say_what_they_are() {
    for source in code() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//!"),
            "{}: starts without a //! sentence",
            source.path
        );
    }
}

#[test]
fn documents_can_be_found() {
    let documents: Vec<Source> = [".md"]
        .iter()
        .flat_map(|ending| sources::with_ending(".", ending))
        .map(|mut source| {
            source.path = source.path.trim_start_matches("./").into();
            source
        })
        .collect();
    for document in &documents {
        let name = document
            .path
            .rsplit('/')
            .next()
            .expect("a path has a last part");
        let folder = document.path.rsplit('/').nth(1).unwrap_or_default();
        let linked = documents.iter().any(|other| {
            other.path != document.path
                && (other.text.contains(&format!("{folder}/{name}"))
                    || other.text.contains(&format!("({name})"))
                    || other.text.contains(&format!("({name}#")))
        });
        assert!(
            linked || document.path == "README.md",
            "{}: no page links to it",
            document.path
        );
    }
}

#[test]
fn every_dependency_says_what_it_saves() {
    let page = sources::read("docs/dependencies.md");
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" |").next())
        .map(|crates| crates.split(" (").next().unwrap_or(crates))
        .flat_map(|crates| crates.split(", "))
        .filter(|name| !name.starts_with("crate"))
        .collect();
    let mut used = BTreeSet::new();
    let manifests = [".", "storage", "query", "ingest", "export", "fuzz"].map(|folder| {
        let manifest = sources::read(&format!("{folder}/Cargo.toml"));
        toml::from_str::<toml::Table>(&manifest).expect("cargo reads it too")
    });
    for manifest in &manifests {
        for section in ["dependencies", "dev-dependencies"] {
            let section = manifest.get(section).and_then(toml::Value::as_table);
            used.extend(section.into_iter().flat_map(toml::Table::keys));
        }
    }
    let ours = ["storage", "query", "ingest", "export", "siltstone"];
    let used: BTreeSet<&str> = used
        .into_iter()
        .map(String::as_str)
        .filter(|name| !ours.contains(name))
        .collect();
    assert_eq!(used, listed, "Cargo.toml left, docs/dependencies.md right");
}

#[test]
fn the_architecture_names_places_that_exist() {
    let page = sources::read("docs/architecture.md");
    for place in page.split('`').skip(1).step_by(2) {
        let folder = place.split('/').next().unwrap_or_default();
        if place.contains('/') && CODE_FOLDERS.contains(&folder) {
            assert!(sources::exists(place), "docs/architecture.md names {place}");
        }
    }
}

/// Start line and length of each function, told by indentation: `rustfmt` closes a function with a
/// brace in the column it was opened in.
fn function_lengths(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let words = trimmed.split('(').next().unwrap_or_default();
        // A type of functions has no name behind its `fn`.
        let is_function = words.starts_with("fn ") || words.contains(" fn ");
        if !is_function || trimmed.starts_with("//") {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let body_on_line = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
        if body_on_line {
            continue;
        }
        let end = lines[index..]
            .iter()
            .position(|later| later.trim_end() == close);
        if let Some(end) = end {
            found.push((index + 1, end + 1));
        }
    }
    found
}
