//! Unmodified Elasticsearch and OpenSearch clients against the real binary, and what shippers send:
//! the programs of `tests/clients/elastic`. `make test-clients` installs clients; without, they are
//! skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::server::Server;

/// The file at `path` below the repository, when `make test-clients` has made it.
fn made(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.exists() {
        return Some(path);
    }
    let is_asked = std::env::var_os("SILTSTONE_ALL_CLIENTS").is_some();
    assert!(!is_asked, "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// Runs `program`, if the interpreter is not one by itself, with a server's address and the name of
/// the client's package.
fn check(interpreter: &Path, program: &str, package: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let mut command = Command::new(interpreter);
    if !program.is_empty() {
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program));
    }
    let output = command
        .args([&server.http.to_string(), package])
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{program} {package}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn check_python(environment: &str, package: &str) {
    if let Some(python) = made(&format!(".venv/{environment}/bin/python")) {
        check(&python, "tests/clients/elastic/python_client.py", package);
    }
}

#[test]
fn elasticsearch_py_8() {
    check_python("elastic-8", "elasticsearch");
}

#[test]
fn elasticsearch_py_9() {
    check_python("elastic-9", "elasticsearch");
}

#[test]
fn opensearch_py() {
    check_python("elastic-9", "opensearchpy");
}

fn check_go(name: &str) {
    if let Some(program) = made(&format!(".venv/elastic-go/{name}")) {
        check(&program, "", name);
    }
}

#[test]
fn go_elasticsearch() {
    check_go("elasticsearch");
}

#[test]
fn opensearch_go() {
    check_go("opensearch");
}

#[test]
fn requests_of_shippers() {
    let program = "tests/clients/elastic/shippers.py";
    check(Path::new("python3"), program, "");
}

fn check_javascript(package: &str) {
    if made("tests/clients/elastic/node_modules").is_some() {
        let node = Path::new("node");
        check(node, "tests/clients/elastic/js_client.js", package);
    }
}

#[test]
fn elasticsearch_js() {
    check_javascript("elasticsearch");
}

#[test]
fn opensearch_js() {
    check_javascript("opensearch");
}
