//! `siltstone serve`: both ports over one directory, until a signal comes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{EXIT_FAILED, log, print_line, process};
use crate::db::Db;
use crate::error::{Error, ErrorKind, Result};
use crate::options::Settings;
use crate::server::{Ports, Server, ServerOptions, Stop};

/// Logged when nobody says otherwise.
const LOG_FILTER: &str = "info";

/// Serve a directory to Kafka clients and Elasticsearch clients
///
/// Prints one line on standard output when both ports listen; logs go to standard error. SIGTERM
/// or SIGINT ends it in good order. Flags win over the environment, which wins over the file.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone serve --data /var/lib/siltstone --http 127.0.0.1:9200 --kafka 127.0.0.1:9092

The same in a file (--config siltstone.toml):
  data = \"/var/lib/siltstone\"
  http = \"127.0.0.1:9200\"
  kafka = \"127.0.0.1:9092\"")]
pub(super) struct Serve {
    /// TOML file with settings named as the flags, with _ for -
    #[arg(long, value_name = "FILE", env = "SILTSTONE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode> {
        let settings = match &self.config {
            None => self.settings,
            Some(path) => self.settings.or(Settings::read(path)?),
        };
        let filter = settings.log.as_deref().unwrap_or(LOG_FILTER);
        log::start(filter, settings.log_format.unwrap_or_default())?;
        let data = settings.data.as_deref().ok_or_else(|| {
            let text = "say where the data is: --data DIR, SILTSTONE_DATA or data in the file";
            Error::new(ErrorKind::Invalid, text)
        })?;
        require_parent(data)?;
        process::keep_trimming();
        // Ports first: a second server on the same ports leaves the directory alone, and clients
        // that come while the store recovers wait instead of failing.
        let options = ServerOptions::from(&settings);
        let ports = Ports::take(&options)?;
        let db = Db::builder()
            .path(data)
            .options(settings.store_options())
            .open()?;
        let server = Server::start(&db, ports, &options)?;
        print_line(&format!(
            "ready http={} kafka={}",
            server.http_address(),
            server.kafka_address()
        ))?;
        let stop = server.wait(&db)?;
        tracing::info!(?stop, "stopping");
        server.stop();
        match stop {
            Stop::Signal => {
                db.close()?;
                Ok(ExitCode::SUCCESS)
            }
            Stop::Failure(message) => {
                eprintln!("siltstone: stopped: {message}");
                // Nothing is written any more: the journal has all that was acknowledged.
                Ok(ExitCode::from(EXIT_FAILED))
            }
        }
    }
}

/// A missing directory is made, but not its parents: that would rather be a misspelt path.
fn require_parent(data: &Path) -> Result<()> {
    let parent = match data.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    if data.is_dir() || (!data.exists() && parent.is_dir()) {
        return Ok(());
    }
    let text = match data.exists() {
        true => format!("'{}' is no directory", data.display()),
        false => format!(
            "cannot make '{}': there is no directory '{}'",
            data.display(),
            parent.display()
        ),
    };
    Err(Error::new(ErrorKind::NotFound, text))
}
