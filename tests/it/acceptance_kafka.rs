//! What the replaced systems did with Kafka, and that nothing acknowledged is lost in trouble: the
//! programs `acceptance.py` and `ledger.py` of `tests/clients/kafka`.

use tempfile::TempDir;

use crate::clients::run;
use crate::server::{self, Server};

/// How long the ledger is kept here; `make ledger` says more.
const LEDGER_SECONDS: &str = "60";

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
