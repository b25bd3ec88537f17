//! What the replaced systems asked Elasticsearch, on real data when the folder that holds it is
//! there: the program `tests/clients/elastic/acceptance.py`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{self, Server};

#[test]
fn rows_of_the_catalogue_that_are_about_elasticsearch() {
    let Some(shared) = server::shared() else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let server = Server::start(folder.path());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/elastic/acceptance.py");
    let output = Command::new("python3")
        .arg(program)
        .arg(server.http.to_string())
        .arg(shared.join("data"))
        .output()
        .expect("python3 is there");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
