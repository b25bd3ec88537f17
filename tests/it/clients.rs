//! Unmodified Kafka clients against the real binary: the programs of `tests/clients/kafka`.

use std::path::{Path, PathBuf};
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
pub(crate) fn run(python: &Path, program: &str, arguments: &[&str]) {
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
fn groups_of_librdkafka_in_which_the_broker_shares_out() {
    check_over_a_kill(".venv/bin/python", "confluent_consumer_groups.py");
}

/// Runs a program that is no Python against a server of its own; `further` arguments follow its
/// address.
fn check_command(command: &mut Command, further: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    command.arg(server.kafka.to_string()).args(further);
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The file at `path` below the repository, when `target` of make has made it; that all must be
/// there says the variable.
fn made(path: &str, target: &str, all: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.exists() {
        return Some(path);
    }
    let is_asked = std::env::var_os(all).is_some();
    assert!(!is_asked, "{} is missing: make {target}", path.display());
    eprintln!(
        "skipped: {} is missing; make {target} makes it",
        path.display()
    );
    None
}

#[test]
fn kafkajs() {
    let folder = "tests/clients/kafka/kafkajs/node_modules";
    if let Some(modules) = made(folder, "test", "SILTSTONE_BINARY") {
        check_command(
            Command::new("node").arg(modules.with_file_name("client.js")),
            &[],
        );
    }
}

fn check_go(name: &str) {
    let program = format!(".venv/go/{name}");
    if let Some(program) = made(&program, "test-clients", "SILTSTONE_ALL_CLIENTS") {
        check_command(&mut Command::new(program), &[]);
    }
}

#[test]
fn franz_go() {
    check_go("franz");
}

#[test]
fn sarama() {
    check_go("sarama");
}

#[test]
fn kafka_go() {
    check_go("segmentio");
}

#[test]
fn kcat() {
    let is_there = Command::new("kcat").arg("-V").output().is_ok();
    let is_asked = std::env::var_os("SILTSTONE_ALL_CLIENTS").is_some();
    assert!(is_there || !is_asked, "kcat is missing: make test-clients");
    if is_there {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/kafka");
        check_command(&mut Command::new(folder.join("kcat.sh")), &[]);
    } else {
        eprintln!("skipped: kcat is missing; make test-clients installs it");
    }
}

fn check_java(release: &str, consumers: &[&str]) {
    let folder = format!("tests/clients/kafka/java/target/{release}");
    if let Some(folder) = made(&folder, "test-clients", "SILTSTONE_ALL_CLIENTS") {
        let folder = folder.display();
        let path = format!("{folder}/classes:{folder}/dependency/*");
        let program = ["-cp", &path, "Client"];
        check_command(Command::new("java").args(program), consumers);
    }
}

#[test]
fn java_2_8() {
    check_java("2.8.2", &[]);
}

#[test]
fn java_3_9() {
    check_java("3.9.1", &[]);
}

#[test]
fn java_4() {
    check_java("4.3.1", &[]);
}

#[test]
fn java_4_with_groups_that_the_broker_shares_out() {
    check_java("4.3.1", &["group.protocol=consumer"]);
}

#[test]
fn bytes_that_no_client_sends() {
    check(".venv/bin/python", "bad_bytes.py");
}
