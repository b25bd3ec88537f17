//! The siltstone command.

use std::process::ExitCode;

fn main() -> ExitCode {
    siltstone::cli::run()
}
