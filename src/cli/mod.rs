//! The command line: arguments in, one clear line out when something is wrong.
//!
//! One file per command. Nothing here knows what a search means: commands ask a server by HTTP, or
//! a directory through the same interface without a port.

mod client;
mod dead_letters;
mod demo;
mod export;
mod inspect;
mod log;
mod merge;
mod process;
mod progress;
mod query;
mod repair;
mod serve;
mod target;
mod topic;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{Parser, Subcommand};

use crate::error::{Error, ErrorKind, Result};

/// Something failed; standard error says what.
const EXIT_FAILED: u8 = 1;
/// The arguments make no sense.
const EXIT_USAGE: u8 = 2;

/// Streams settle into answers: Kafka clients write, Elasticsearch dashboards read.
#[derive(Debug, Parser)]
#[command(name = "siltstone", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a directory to Kafka clients and Elasticsearch clients
    Serve(Box<serve::Serve>),
    /// Send real data through the Kafka port and check the answers
    Demo(demo::Demo),
    /// Create, list, describe and delete topics
    Topic(topic::Topic),
    /// Ask an index a question in Elasticsearch's JSON
    Query(query::Query),
    /// Show records that could not become rows, or append them to their topic once more
    DeadLetters(dead_letters::DeadLetters),
    /// Merge the segments of an index now
    Merge(merge::Merge),
    /// Check everything that a directory holds
    Verify(verify::Verify),
    /// Make damaged segments anew from the log
    Repair(repair::Repair),
    /// Show what the files of a store hold
    Inspect(inspect::Inspect),
    /// Write rows or rollups to a Parquet or Arrow file
    Export(Box<export::Export>),
}

/// Runs the command of this process.
#[must_use]
pub fn run() -> ExitCode {
    process::prepare();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Topic(command) => command.run(),
        Command::Query(command) => command.run(),
        Command::DeadLetters(command) => command.run(),
        Command::Merge(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Repair(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Export(command) => command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("siltstone: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Help and version as clap prints them; a wrong argument in one line.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    match error.kind() {
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        ClapErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{text}");
            ExitCode::from(EXIT_USAGE)
        }
        _ => {
            // The part before the first empty line is the error; a list in it is indented.
            let paragraph = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = paragraph.split_whitespace().collect();
            let line = words.join(" ");
            let line = line.strip_prefix("error: ").unwrap_or(&line);
            eprintln!("siltstone: {line} (see --help)");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Prints `text` and a line end. A reader that has gone away is no error: it has seen enough.
fn print_line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::caused(ErrorKind::Internal, error).while_doing("cannot print"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
