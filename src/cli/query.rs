//! `siltstone query`: one search, printed as it is answered.

use std::io::Read;
use std::process::ExitCode;

use clap::Args;

use super::print_line;
use super::target::{Where, encode};
use crate::error::{Error, ErrorKind, Result};

/// Ask an index a question in Elasticsearch's JSON
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone query trades '{\"size\": 0, \"aggs\": {\"high\": {\"max\": {\"field\": \"price\"}}}}'
  siltstone query 'logs-*' - --data /var/lib/siltstone < question.json")]
pub(super) struct Query {
    /// Index, several with commas, or a pattern such as 'logs-*'
    index: String,
    /// The search; '-' reads it from standard input
    #[arg(value_name = "JSON|-", default_value = "{}")]
    search: String,
    #[command(flatten)]
    target: Where,
    /// Answer from rows alone, without rollup cells
    #[arg(long)]
    from_rows: bool,
    /// On one line, for programs
    #[arg(long)]
    json: bool,
}

impl Query {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut search = self.search.clone();
        if search == "-" {
            search.clear();
            std::io::stdin()
                .read_to_string(&mut search)
                .map_err(|error| {
                    Error::caused(ErrorKind::Invalid, error).while_doing("cannot read the search")
                })?;
        }
        let target = self.target.open()?;
        let index = encode(&self.index);
        if let super::target::Target::Directory(_) = target {
            // Nobody has turned the last records into rows yet.
            target.ask("POST", &format!("/{index}/_refresh"), b"")?;
        }
        let uri = format!(
            "/{index}/_search?pretty={}&rollup={}",
            !self.json, !self.from_rows
        );
        let answer = target.ask("POST", &uri, search.as_bytes())?;
        print_line(String::from_utf8_lossy(&answer).trim_end())?;
        target.close()?;
        Ok(ExitCode::SUCCESS)
    }
}
