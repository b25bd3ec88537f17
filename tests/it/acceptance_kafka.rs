//! What the replaced systems did with Kafka, and that nothing acknowledged is lost in trouble: the
//! programs `acceptance.py` and `ledger.py` of `tests/clients/kafka`.

use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use crate::clients::run;
use crate::server::{self, Server};

/// How long the ledger is kept here; `make ledger` says more.
const LEDGER_SECONDS: &str = "60";

/// Row 4-01: one command, and Kafka's own port unless another is asked for.
#[test]
fn one_command_starts_the_broker() {
    let help = Command::new(server::binary())
        .args(["serve", "--help"])
        .output()
        .expect("the binary starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let kafka = help.find("--kafka <ADDR>").expect("where Kafka listens");
    let default = help[kafka..].find("[default: 127.0.0.1:9092]");
    let next = help[kafka..]
        .find("--kafka-advertised")
        .expect("the next one");
    assert!(default.is_some_and(|at| at < next), "{help}");

    let folder = TempDir::new().expect("a temporary folder");
    // Waits for the line that says that it is ready.
    let server = Server::start(folder.path());
    TcpStream::connect(server.kafka).expect("who is ready listens");
}

#[test]
fn rows_of_the_catalogue_that_are_about_kafka() {
    let Some(python) = server::python_at(".venv/bin/python") else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let arguments = [server.kafka.to_string(), server.http.to_string()];
    run(
        &python,
        "acceptance.py",
        &arguments.each_ref().map(String::as_str),
    );
}

#[test]
fn nothing_acknowledged_is_lost_in_trouble() {
    let Some(python) = server::python_at(".venv/bin/python") else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let (http, kafka) = server::free_addresses();
    let seconds = std::env::var("SILTSTONE_LEDGER_SECONDS");
    let arguments = [
        server::binary().display().to_string(),
        folder.path().display().to_string(),
        kafka.to_string(),
        http.to_string(),
        seconds.unwrap_or_else(|_| LEDGER_SECONDS.into()),
    ];
    run(
        &python,
        "ledger.py",
        &arguments.each_ref().map(String::as_str),
    );
}
