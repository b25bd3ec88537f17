//! `siltstone merge`: few large segments instead of many small ones.

use std::process::ExitCode;

use clap::Args;

use super::print_line;
use super::target::{Where, encode};
use crate::error::Result;

/// Merge the segments of an index now
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone merge trades --segments 1
  siltstone merge 'logs-*' --data /var/lib/siltstone")]
pub(super) struct Merge {
    /// Index, several with commas, or a pattern such as 'logs-*'
    index: String,
    /// Merge until each index has at most so many [default: as the merge policy wants it]
    #[arg(long, value_name = "N")]
    segments: Option<usize>,
    #[command(flatten)]
    target: Where,
}

impl Merge {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let target = self.target.open()?;
        let index = encode(&self.index);
        let parameters = match self.segments {
            Some(segments) => format!("?max_num_segments={segments}"),
            None => String::new(),
        };
        target.ask("POST", &format!("/{index}/_forcemerge{parameters}"), b"")?;
        target.close()?;
        print_line("merged")?;
        Ok(ExitCode::SUCCESS)
    }
}
