//! `siltstone inspect`: what files hold is shown, damage too, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::server;

fn inspect(arguments: &[&str]) -> Output {
    Command::new(server::binary())
        .arg("inspect")
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary starts")
}

/// The objects that `inspect ... --json` prints, and whether it found all sound.
fn objects(arguments: &[&str]) -> (Vec<Value>, bool) {
    let output = inspect(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).expect("answers are text");
    let objects = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"));
    (objects.collect(), output.status.success())
}

/// Objects of one kind.
fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> Vec<&'a Value> {
    let objects = objects.iter();
    objects.filter(|object| object["kind"] == kind).collect()
}

/// A store with a segment of three rows, two records behind it and one that was rejected; left
/// as a process leaves it that is killed.
fn store() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    // The binary says which kind of catalog it reads: it makes the store, too.
    let data = folder.path().display().to_string();
    let create = [
        "topic",
        "create",
        "trades",
        "--field",
        "symbol=keyword",
        "--data",
        &data,
    ];
    let made = Command::new(server::binary())
        .args(create)
        .env_clear()
        .output();
    assert!(made.expect("the binary starts").status.success());
    let server = server::Server::start(folder.path());
    let bulk = |numbers: std::ops::Range<u32>| {
        let mut lines = String::new();
        for number in numbers {
            lines.push_str("{\"index\":{}}\n");
            let minutes = number * 60_000;
            lines.push_str(&format!(
                "{{\"@timestamp\":{minutes},\"symbol\":\"s{number}\",\"price\":{number}.5}}\n"
            ));
        }
        server.ok("POST", "/trades/_bulk", &lines);
    };
    bulk(0..3);
    server.ok("POST", "/trades/_flush", "");
    bulk(3..5);
    server.kill();
    folder
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(&path).expect("a file");
                    found.insert(path, bytes);
                }
            }
        }
    }
    found
}

#[test]
fn everything_is_shown_and_nothing_is_changed() {
    let folder = store();
    let data = folder.path().display().to_string();
    let before = files(folder.path());

    let (catalog, is_sound) = objects(&["catalog", "--data", &data]);
    assert!(is_sound, "{catalog:?}");
    assert_eq!(of_kind(&catalog, "topic")[0]["name"], "trades");
    assert_eq!(of_kind(&catalog, "segment")[0]["row_count"], 3);
    let partition = of_kind(&catalog, "partition")[0];
    assert_eq!(
        (&partition["watermark"], &partition["next"]),
        (&3.into(), &5.into())
    );

    let (log, is_sound) = objects(&["log", "--data", &data, "--topic", "trades", "--batches"]);
    assert!(is_sound, "{log:?}");
    let offsets: Vec<_> = of_kind(&log, "batch")
        .iter()
        .map(|one| one["offset"].clone())
        .collect();
    assert_eq!(offsets, [0, 3]);
    assert_eq!(of_kind(&log, "partition")[0]["records"], 5);

    let (journal, _) = objects(&["log", "--data", &data, "--journal"]);
    let records = of_kind(&journal, "journal_record");
    let sealed = records
        .iter()
        .any(|record| record["edit"][0]["seal"]["segment"]["row_count"] == 3);
    assert!(sealed, "{records:?}");

    let segment = segment_path(folder.path());
    let (segments, is_sound) = objects(&["segment", &segment.display().to_string()]);
    assert!(is_sound, "{segments:?}");
    let columns = segments[0]["columns"].as_array().expect("columns");
    let symbol = columns.iter().find(|column| column["name"] == "symbol");
    assert_eq!(symbol.expect("a column")["terms"], 3);
    assert_eq!(segments[0]["damages"].as_array().map(Vec::len), Some(0));

    for tables in [&["catalog", "--topic", "trades"][..], &["log", "--batches"]] {
        let output = inspect(&[tables, &["--data", &data]].concat());
        assert!(output.status.success());
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("1-0"),
            "{tables:?}"
        );
    }
    assert!(files(folder.path()) == before, "inspection changed a file");
}

#[test]
fn damage_is_shown_where_it_is() {
    let folder = store();
    let data = folder.path().display().to_string();

    let segment = segment_path(folder.path());
    let mut bytes = fs::read(&segment).expect("a file");
    bytes[20] ^= 1;
    fs::write(&segment, &bytes).expect("it can be written");
    let (segments, is_sound) = objects(&["segment", &segment.display().to_string()]);
    assert!(!is_sound);
    assert_eq!(segments[0]["damages"][0]["offset"], 16);
    assert_eq!(segments[0]["rows"], 3);

    // The first of two batches: the second is shown all the same.
    let log = folder.path().join("log/1-0/00000000000000000000.log");
    let mut bytes = fs::read(&log).expect("a file");
    bytes[120] ^= 1;
    fs::write(&log, &bytes).expect("it can be written");
    let (seen, is_sound) = objects(&["log", "--data", &data, "--batches"]);
    assert!(!is_sound);
    assert_eq!(of_kind(&seen, "damage")[0]["offset"], 32);
    assert_eq!(of_kind(&seen, "batch")[0]["offset"], 3);

    fs::remove_file(&segment).expect("it is there");
    let (catalog, is_sound) = objects(&["catalog", "--data", &data]);
    assert!(!is_sound);
    assert!(of_kind(&catalog, "segment")[0]["damage"].is_string());
}

#[test]
fn a_store_at_work_is_left_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = server::Server::start(folder.path());
    let output = inspect(&["catalog", "--data", &folder.path().display().to_string()]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("in use by another process"), "{error}");
    server.ok("GET", "/", "");
}

fn segment_path(root: &Path) -> PathBuf {
    let mut files = files(root).into_keys();
    let segment = files.find(|path| path.extension().is_some_and(|ending| ending == "segment"));
    segment.expect("rows were sealed")
}
