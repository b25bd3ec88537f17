//! Logs go to standard error; standard output belongs to answers.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::{Error, ErrorKind, Result};
use crate::metrics::EventCounts;
use crate::options::LogFormat;

/// Logs what `filter` lets through. The first call of a process counts.
pub(super) fn start(filter: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            format!("log filter '{filter}': {error}"),
        )
    })?;
    let plain = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(EventCounts);
    // Fails only when a log is there already, which is as good.
    let _ = match format {
        LogFormat::Text => registry.with(plain).try_init(),
        LogFormat::Json => registry.with(plain.json().flatten_event(true)).try_init(),
    };
    Ok(())
}
