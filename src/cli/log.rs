//! Logs go to standard error; standard output belongs to answers.

use tracing_subscriber::EnvFilter;

use crate::error::{Error, ErrorKind, Result};

/// Logs what `filter` lets through. The first call of a process counts.
pub(super) fn start(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("log filter '{filter}': {error}"),
        )
    })?;
    // Fails only when a log is there already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    Ok(())
}
