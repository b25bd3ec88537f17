//! `siltstone verify`: reads everything and says whether it is what was written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::target::{Target, require_store};
use super::{EXIT_FAILED, log, print_line};
use crate::db::Db;
use crate::error::Result;
use crate::options::{HTTP_ADDRESS, LogFormat, Options, Work};

/// Check everything that a directory holds
///
/// Reads every page and footer, derives rollup cells again from rows, and compares rows with the
/// log as far as it reaches. No server may have the directory open. Exit code 0 means that all of
/// it holds. With --status a running server says instead how far its scrubbing is and what that
/// found.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone verify --data /var/lib/siltstone
  siltstone verify --status --url http://127.0.0.1:9200")]
pub(super) struct Verify {
    /// The directory
    #[arg(
        long,
        value_name = "DIR",
        env = "SILTSTONE_DATA",
        required_unless_present = "status"
    )]
    data: Option<PathBuf>,
    /// Ask a running server how far scrubbing is
    #[arg(long)]
    status: bool,
    /// The running server
    #[arg(long, value_name = "URL", env = "SILTSTONE_URL", default_value_t = format!("http://{HTTP_ADDRESS}"))]
    url: String,
    /// JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self) -> Result<ExitCode> {
        match &self.data {
            Some(data) if !self.status => self.verify(data),
            Some(_) | None => self.show_status(),
        }
    }

    /// What scrubbing says; its findings decide the exit code.
    fn show_status(&self) -> Result<ExitCode> {
        let server = Target::Server(Client::new(&self.url)?);
        let status = server.ask_json("GET", "/_scrub", b"")?;
        if self.json {
            print_line(&status.to_string())?;
        } else {
            print_line(&status_in_words(&status))?;
            for message in status["messages"].as_array().into_iter().flatten() {
                eprintln!("siltstone: {}", message.as_str().unwrap_or_default());
            }
        }
        // Repaired damage is no damage any more.
        let findings = status["findings"].as_u64().unwrap_or(0);
        let repaired = status["repaired"].as_u64().unwrap_or(0);
        Ok(match findings > repaired {
            true => ExitCode::from(EXIT_FAILED),
            false => ExitCode::SUCCESS,
        })
    }

    fn verify(&self, data: &Path) -> Result<ExitCode> {
        log::start("warn", LogFormat::Text)?;
        require_store(data)?;
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().path(data).options(options).open()?;
        let report = db.verify(|progress| {
            if !self.json {
                eprintln!("{progress}");
            }
        })?;
        if self.json {
            print_line(&json!({ "ok": report.holds(), "checked": report.checked, "problems": report.problems }).to_string())?;
        } else {
            for problem in &report.problems {
                eprintln!("siltstone: {problem}");
            }
            let verdict = if report.holds() {
                "all of it holds"
            } else {
                "damaged"
            };
            print_line(&format!("{}: {verdict}", report.checked))?;
        }
        Ok(if report.holds() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EXIT_FAILED)
        })
    }
}

fn status_in_words(status: &Value) -> String {
    let mut text = match &status["running"] {
        Value::Null => "no pass is under way".to_owned(),
        running => format!(
            "{} of about {} bytes are read, {} segments and {} partitions are done",
            running["bytes"], running["bytes_total"], running["segments"], running["partitions"]
        ),
    };
    match status["last_finished_ms"].as_i64() {
        Some(finished_ms) => {
            let finished = jiff::Timestamp::from_millisecond(finished_ms)
                .map_or_else(|_| finished_ms.to_string(), |time| time.to_string());
            let bytes = &status["last"]["bytes"];
            text.push_str(&format!(
                "; the last pass ended at {finished} after {bytes} bytes"
            ));
        }
        None => text.push_str("; none has ended since the start"),
    }
    let (findings, repaired) = (&status["findings"], &status["repaired"]);
    text.push_str(&format!("; {findings} findings, {repaired} repaired"));
    text
}
