//! `siltstone inspect`: what the files of a store hold, file by file and byte by byte.
//!
//! Nothing is written, recovered or repaired. Damage is shown where it is, and what lies beside
//! it is shown all the same; the exit code says whether there was any.

mod catalog;
mod log;
mod segment;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::table::Answer;
use super::EXIT_FAILED;
use super::target::require_store;
use crate::db::inspect;
use crate::error::{Error, ErrorKind, Result};
use storage::store::Inspection;

/// Show what the files of a store hold
///
/// Works on a directory that no server has open, and changes nothing in it. With --json every line
/// is an object. Exit code 1 means that something is damaged.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone inspect catalog --data /var/lib/siltstone
  siltstone inspect log --data /var/lib/siltstone --topic trades --batches
  siltstone inspect segment /var/lib/siltstone/segments/1/*.segment")]
pub(super) struct Inspect {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Partitions, their files and batches, and the journal
    Log(log::Log),
    /// Footer, columns, encodings and sizes of segment files
    Segment(segment::Segment),
    /// Topics, fields, segments, watermarks and rejected records
    Catalog(catalog::Catalog),
}

/// Which store, and for whom.
#[derive(Debug, Args)]
struct Place {
    /// The directory
    #[arg(long, value_name = "DIR", env = "SILTSTONE_DATA")]
    data: PathBuf,
    /// An object a line, for programs
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let damages = match &self.what {
            What::Log(command) => command.run(),
            What::Segment(command) => command.run(),
            What::Catalog(command) => command.run(),
        }?;
        Ok(match damages {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(EXIT_FAILED),
        })
    }
}

impl Place {
    /// The store, what is wrong with its checkpoint, and where the answer goes.
    fn open(&self) -> Result<(Inspection, Option<String>, Answer)> {
        require_store(&self.data)?;
        let (inspection, problem) = inspect(&self.data)?;
        Ok((inspection, problem, Answer::new(self.json)))
    }
}

/// What the file system said, as an error of the command.
fn unreadable(error: std::io::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, error).while_doing("cannot read the store")
}

/// A result that a visitor could not return, kept until the visit is over.
struct Kept(Result<()>);

impl Kept {
    /// Runs `step` unless an earlier one failed.
    fn then(&mut self, step: impl FnOnce() -> Result<()>) {
        if self.0.is_ok() {
            self.0 = step();
        }
    }
}
