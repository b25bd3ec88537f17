//! `siltstone dead-letters`: records that could not become rows, shown and sent once more.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::print_line;
use super::target::{Target, Where, encode};
use crate::error::Result;

/// Show records that could not become rows, or append them to their topic once more
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone dead-letters list trades
  siltstone dead-letters replay trades")]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show a topic's dead letters: reason, place, value
    #[command(after_help = "Example:
  siltstone dead-letters list trades --from 100 --size 10 --json")]
    List {
        /// The topic that the records were sent to
        name: String,
        /// How many to pass over
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: u64,
        /// How many to show at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        size: u64,
        #[command(flatten)]
        target: Where,
        /// JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Append those that were not replayed yet to their topic, each once
    #[command(after_help = "Example:
  siltstone dead-letters replay trades

How far it came is noted in the consumer group 'siltstone-dead-letters', which Kafka's tools can
show and reset.")]
    Replay {
        /// The topic that the records were sent to
        name: String,
        #[command(flatten)]
        target: Where,
    },
}

impl DeadLetters {
    pub(super) fn run(&self) -> Result<ExitCode> {
        match &self.action {
            Action::List {
                name,
                from,
                size,
                target,
                json,
            } => {
                let target = target.open()?;
                let index = refreshed(&target, name)?;
                let uri = format!("/{index}/_dead_letters?from={from}&size={size}");
                let page = target.ask_json("GET", &uri, b"")?;
                match json {
                    true => print_line(&page.to_string())?,
                    false => print(name, &page)?,
                }
                target.close()?;
            }
            Action::Replay { name, target } => {
                let target = target.open()?;
                let index = refreshed(&target, name)?;
                let uri = format!("/{index}/_dead_letters/_replay");
                let answer = target.ask_json("POST", &uri, b"")?;
                let (records, skipped) = (&answer["replayed"], &answer["skipped"]);
                print_line(&format!("replayed {records}, skipped {skipped}"))?;
                target.close()?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `name` as part of a path, after all its records have been tried.
fn refreshed(target: &Target, name: &str) -> Result<String> {
    let index = encode(name);
    target.ask("POST", &format!("/{index}/_refresh"), b"")?;
    Ok(index)
}

fn print(name: &str, page: &Value) -> Result<()> {
    print_line(&format!(
        "{name}: {} dead letters, {} stored",
        page["total"], page["stored"]
    ))?;
    for (kind, count) in page["reasons"].as_object().into_iter().flatten() {
        print_line(&format!("{count:>12}  {kind}"))?;
    }
    for letter in page["letters"].as_array().into_iter().flatten() {
        let source = &letter["source"];
        let reason = letter["reason"].as_str().unwrap_or_default();
        let value = letter["value"]
            .as_str()
            .or_else(|| letter["value_hex"].as_str());
        print_line(&format!(
            "  partition {} offset {}: {reason}\n    {}",
            source["partition"],
            source["offset"],
            value.unwrap_or_default()
        ))?;
    }
    Ok(())
}
