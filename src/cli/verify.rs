//! `siltstone verify`: reads everything and says whether it is what was written.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::target::require_store;
use super::{EXIT_FAILED, log, print_line};
use crate::db::Db;
use crate::error::Result;
use crate::options::{Options, Work};

/// Check everything that a directory holds
///
/// Reads every page and footer, derives rollup cells again from rows, and compares rows with the
/// log as far as it reaches. No server may have the directory open. Exit code 0 means that all of
/// it holds.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone verify --data /var/lib/siltstone")]
pub(super) struct Verify {
    /// The directory
    #[arg(long, value_name = "DIR", env = "SILTSTONE_DATA")]
    data: PathBuf,
    /// JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self) -> Result<ExitCode> {
        log::start("warn")?;
        require_store(&self.data)?;
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().path(&self.data).options(options).open()?;
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
