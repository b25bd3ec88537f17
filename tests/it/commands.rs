//! Commands and what they say when something is wrong: one line, and an exit code.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::server::{self, Server};

fn run(arguments: &[&str]) -> Output {
    Command::new(server::binary())
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary starts")
}

/// Runs a command that must fail; its only line.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).expect("messages are text");
    assert!(!output.status.success(), "{arguments:?} succeeds");
    assert!(output.stdout.is_empty(), "{arguments:?} prints an answer");
    assert_eq!(text.trim_end().lines().count(), 1, "{arguments:?}: {text}");
    text
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("answers are text")
}

#[test]
fn every_command_shows_an_example() {
    for command in [
        &["serve"][..],
        &["demo"],
        &["topic"],
        &["topic", "create"],
        &["topic", "list"],
        &["topic", "describe"],
        &["topic", "rejected"],
        &["topic", "delete"],
        &["dead-letters"],
        &["dead-letters", "list"],
        &["dead-letters", "replay"],
        &["query"],
        &["verify"],
        &["repair"],
        &["inspect"],
        &["inspect", "log"],
        &["inspect", "segment"],
        &["inspect", "catalog"],
        &["export"],
        &["export", "rows"],
        &["export", "rollup"],
    ] {
        let help = printed(&[command, &["--help"]].concat());
        let example = format!("siltstone {}", command.join(" "));
        assert!(help.contains("Example:"), "{command:?}: {help}");
        let after = help.split("Example:").nth(1).expect("found above");
        assert!(after.contains(&example), "{command:?}: {help}");
    }
}

#[test]
fn mistakes_are_told_in_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = path("data");
    let check = |arguments: &[&str], word: &str| {
        let line = refused(arguments);
        assert!(line.contains(word), "{arguments:?}: {line}");
    };
    check(&["serve", "--dta", "x"], "--dta");
    check(&["serve"], "--data");
    check(&["serve", "--data", &path("a/b/c")], "no directory");
    check(
        &["serve", "--data", &data, "--http", "nonsense"],
        "nonsense",
    );
    check(&["serve", "--data", &data, "--partitions", "many"], "many");
    check(&["serve", "--config", &path("no.toml")], "no.toml");
    check(&["verify", "--data", &path("nothing")], "no directory");
    let empty = TempDir::new().expect("a temporary folder");
    let empty = empty.path().to_string_lossy().into_owned();
    check(&["verify", "--data", &empty], "holds no store");
    check(&["query", "x", "--data", &path("nothing")], "no directory");
    check(&["query", "x", "--url", "https://x"], "https://x");
    check(
        &["topic", "create", "x", "--field", "y", "--data", &data],
        "y=keyword",
    );
    check(&["dance"], "dance");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    let address = taken.local_addr().expect("bound").to_string();
    check(&["serve", "--data", &data, "--http", &address], "taken");
    check(
        &[
            "serve",
            "--data",
            &data,
            "--http",
            "127.0.0.1:0",
            "--kafka",
            &address,
        ],
        "taken",
    );
}

#[test]
fn a_directory_has_one_process() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let data = folder.path().display().to_string();
    let any = "127.0.0.1:0";
    let line = refused(&["serve", "--data", &data, "--http", any, "--kafka", any]);
    assert!(line.contains("in use by another process"), "{line}");
    assert!(refused(&["verify", "--data", &data]).contains("in use"));
    server.ok("GET", "/", "");
}

#[test]
fn a_catalog_of_the_other_kind_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("data");
    let shown = data.display().to_string();
    std::fs::create_dir(&data).expect("the folder can be made");
    printed(&["topic", "list", "--data", &shown]);
    let catalog = data.join("catalog");
    let (kept, other) = match catalog.join("CURRENT").exists() {
        true => ("CURRENT", "checkpoint"),
        false => ("checkpoint", "CURRENT"),
    };
    std::fs::rename(catalog.join(kept), catalog.join(other)).expect("the file can be renamed");
    let line = refused(&["topic", "list", "--data", &shown]);
    assert!(line.contains("open it with a build"), "{line}");
}

#[test]
fn topics_and_queries_work_on_a_server_and_on_a_directory() {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let url = format!("http://{}", server.http);
    converse(&["--url", &url]);
    assert!(server.terminate().success());
    let data = folder.path().display().to_string();
    converse(&["--data", &data]);
    check_config_file(folder.path());
}

/// The same conversation wherever the data is.
fn converse(target: &[&str]) {
    fn join<'a>(arguments: &[&'a str], target: &[&'a str]) -> Vec<&'a str> {
        [arguments, target].concat()
    }
    let with = |arguments| join(arguments, target);
    let create = [
        "topic",
        "create",
        "t",
        "--partitions",
        "3",
        "--field",
        "n=long",
    ];
    assert_eq!(printed(&with(&create)), "created t\n");
    let line = refused(&with(&create));
    assert!(line.contains("already exists"), "{line}");
    let list = printed(&with(&["topic", "list", "--json"]));
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list[0]["index"], "t");
    assert_eq!(list[0]["pri"], "3");
    assert!(printed(&with(&["topic", "list"])).contains('t'));
    let shown = printed(&with(&["topic", "describe", "t", "--json"]));
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["t"]["mappings"]["properties"]["n"]["type"], "long");
    let answer = printed(&with(&["query", "t", r#"{"size": 0}"#, "--json"]));
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["hits"]["total"]["value"], 0);
    assert!(refused(&with(&["query", "absent"])).contains("absent"));
    assert!(refused(&with(&["query", "t", "{"])).contains("status 400"));
    assert_eq!(printed(&with(&["topic", "delete", "t"])), "deleted t\n");
}

/// Flags win over the environment, which wins over the file.
fn check_config_file(data: &Path) {
    let file = data.join("siltstone.toml");
    std::fs::write(&file, "http = 'from-the-file'\nkafka = 'from-the-file'\n")
        .expect("the file can be written");
    let output = Command::new(server::binary())
        .args(["serve", "--kafka", "from-the-flag", "--config"])
        .arg(&file)
        .env("SILTSTONE_DATA", data)
        .env("SILTSTONE_HTTP", "127.0.0.1:0")
        .env("SILTSTONE_KAFKA", "from-the-environment")
        .output()
        .expect("the binary starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("from-the-flag"), "{error}");
    assert!(!error.contains("from-the-file"), "{error}");
}

#[test]
fn a_server_opens_as_many_files_as_the_system_allows() {
    let folder = TempDir::new().expect("a temporary folder");
    let serve = "ulimit -Sn 64; \
                 exec \"$0\" serve --data \"$1\" --http 127.0.0.1:0 --kafka 127.0.0.1:0";
    let mut child = Command::new("sh")
        .args(["-c", serve])
        .arg(server::binary())
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is a shell");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped"))
        .read_line(&mut line)
        .expect("the server says where it listens");
    assert!(line.starts_with("ready "), "{line}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id()));
    child.kill().expect("it runs");
    child.wait().expect("it was started");
    let limits = limits.expect("a running process has limits");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<&str> = files.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words[3], words[4], "soft and hard limit: {words:?}");
}
