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
    run(&python, program, &[&server.kafka.to_string()]);
}

/// Runs a program to its end; what it printed is shown when it fails.
fn run(python: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(python)
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/clients/kafka")
                .join(program),
        )
        .args(arguments)
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

/// As [`check`], in two runs with a SIGKILL of the server between them.
fn check_over_a_kill(python: &str, program: &str) {
    let Some(python) = server::python_at(python) else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    for part in ["before", "after"] {
        let server = Server::start(folder.path());
        run(&python, program, &[&server.kafka.to_string(), part]);
        server.kill();
    }
}

#[test]
fn groups_of_kafka_python_that_guesses_the_release() {
    check_over_a_kill(".venv/old/bin/python", "kafka_python_groups.py");
}

#[test]
fn groups_of_kafka_python() {
    check_over_a_kill(".venv/bin/python", "kafka_python_groups.py");
}

#[test]
fn groups_of_aiokafka() {
    check_over_a_kill(".venv/bin/python", "aiokafka_groups.py");
}

#[test]
fn groups_of_librdkafka() {
    check_over_a_kill(".venv/bin/python", "confluent_groups.py");
}

#[test]
fn bytes_that_no_client_sends() {
    check(".venv/bin/python", "bad_bytes.py");
}
