//! Unmodified Kafka clients against the real binary: the programs of `tests/clients/kafka`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{self, Server};

/// Runs a program with the Python of an environment; it prints what it checked and fails if
/// anything did not hold.
fn check(python: &str, program: &str) {
    let Some(python) = server::python_at(python) else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let output = Command::new(python)
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/clients/kafka")
                .join(program),
        )
        .arg(server.kafka.to_string())
        .output()
        .expect("python starts");
    assert!(
        output.status.success(),
        "{program}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn kafka_python_that_guesses_the_release() {
    check(".venv/old/bin/python", "kafka_python_client.py");
}

#[test]
fn kafka_python() {
    check(".venv/bin/python", "kafka_python_client.py");
}

#[test]
fn aiokafka() {
    check(".venv/bin/python", "aiokafka_client.py");
}

#[test]
fn librdkafka() {
    check(".venv/bin/python", "confluent_client.py");
}

#[test]
fn bytes_that_no_client_sends() {
    check(".venv/bin/python", "bad_bytes.py");
}
