//! `siltstone repair`: damaged segments are made anew from the log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::progress::Progress;
use super::target::require_store;
use super::{EXIT_FAILED, log, print_line};
use crate::db::Db;
use crate::error::Result;
use crate::options::{LogFormat, Options, Work};

/// Make damaged segments anew from the log
///
/// Reads everything once. A segment whose records are still in the log is made again, with the
/// same rows, and takes the damaged one's place. What stays damaged is named, with what to do about
/// it; searches leave it out and say so. Exit code 1 means that something stays damaged. A server
/// does the same by itself while it scrubs.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone repair --data /var/lib/siltstone")]
pub(super) struct Repair {
    /// The directory; no server may have it open
    #[arg(long, value_name = "DIR", env = "SILTSTONE_DATA")]
    data: PathBuf,
    /// JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Repair {
    pub(super) fn run(&self) -> Result<ExitCode> {
        log::start("warn", LogFormat::Text)?;
        require_store(&self.data)?;
        let options = Options {
            work: Work::Caller,
            ..Options::default()
        };
        let db = Db::builder().path(&self.data).options(options).open()?;
        let mut progress = Progress::new("bytes");
        let report = db.repair(|bytes, total| progress.show(bytes, total));
        progress.finish();
        let report = report?;
        db.close()?;
        if self.json {
            let answer = json!({ "repaired": report.repaired, "remaining": report.remaining });
            print_line(&answer.to_string())?;
        } else {
            for repaired in &report.repaired {
                print_line(repaired)?;
            }
            for remaining in &report.remaining {
                eprintln!("siltstone: {remaining}");
            }
            let (done, left) = (report.repaired.len(), report.remaining.len());
            print_line(&format!("{done} repaired, {left} still damaged"))?;
        }
        Ok(match report.remaining.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(EXIT_FAILED),
        })
    }
}
