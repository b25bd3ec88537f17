//! Transactions of unmodified clients over SIGKILLs of the server: exactly once, or not at all.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::server::{self, Server};

/// Transactions that are committed before each kill, and kills.
const COMMITS: usize = 4;
const KILLS: usize = 3;

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/kafka/confluent_transactions.py")
}

fn start(python: &Path, arguments: &[&str]) -> Child {
    Command::new(python)
        .arg(program())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts")
}

fn run(python: &Path, arguments: &[&str]) {
    let output = start(python, arguments).wait_with_output();
    let output = output.expect("a child ends");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {told}");
}

#[test]
fn consume_transform_produce_is_exactly_once_over_kills() {
    let Some(python) = server::python_at(".venv/bin/python") else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let (http, kafka) = server::free_addresses();
    let (url, address) = (format!("http://{http}"), kafka.to_string());
    let mut server = Server::start_on(folder.path(), http, kafka);
    run(&python, &[&address, "seed"]);

    let mut working = start(&python, &[&address, "run"]);
    let told = working.stdout.take().expect("piped");
    let (mut commits, mut kills, mut last) = (0, 0, String::new());
    for line in BufReader::new(told).lines() {
        last = line.expect("the program prints text");
        commits += usize::from(last.starts_with("committed"));
        if kills < KILLS && commits >= COMMITS * (kills + 1) {
            kills += 1;
            server.kill();
            server = Server::start_on(folder.path(), http, kafka);
        }
    }
    let status = working.wait().expect("a child ends");
    assert!(status.success() && last == "done", "{status}: {last}");
    assert_eq!(kills, KILLS, "the loop was to be killed more often");
    run(&python, &[&address, "verify", &url]);
    server.kill();
    let server = Server::start_on(folder.path(), http, kafka);
    run(&python, &[&address, "verify", &url]);
    assert!(server.terminate().success());
}
