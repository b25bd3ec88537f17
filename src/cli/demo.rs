//! `siltstone demo`: real data in through the Kafka port, answers out through HTTP, each checked
//! against a figure that an independent program counted.

mod answers;
mod golden;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::target::Target;
use super::{EXIT_FAILED, log, print_line};
use crate::db::Db;
use crate::error::{Error, ErrorKind, Result};
use crate::options::LogFormat;
use crate::server::{Ports, Server, ServerOptions};

/// The producer that `make demo` sets up: a Python client, so nothing of ours speaks to ourselves.
const PRODUCER: &str = ".venv/bin/python examples/demo/produce.py";

/// A field and its type.
type Field = (&'static str, &'static str);

/// Index, its time field and its further fields.
const INDICES: &[(&str, &str, &[Field])] = &[
    (
        "transactions",
        "time",
        &[
            ("txid", "keyword"),
            ("height", "long"),
            ("size", "long"),
            ("amount_btc", "double"),
        ],
    ),
    (
        "blocks",
        "time",
        &[
            ("hash", "keyword"),
            ("miner", "keyword"),
            ("reward_btc", "double"),
        ],
    ),
    (
        "btc_tx",
        "btc_timestamp",
        &[("tx_id", "keyword"), ("tx_btc_amount", "double")],
    ),
    ("btc_blk", "btc_timestamp", &[]),
    (
        "bpi_eur",
        "btc_timestamp",
        &[("rate_float", "double"), ("currency", "keyword")],
    ),
];

/// Send real data through the Kafka port and check the answers
///
/// Starts a server on a temporary directory and free ports, sends Bitcoin transactions with a
/// stock Kafka client, compares every hour with independently counted figures, and keeps serving.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone demo --once
  siltstone demo --producer '.venv/bin/python examples/demo/produce.py'")]
pub(super) struct Demo {
    /// End after the answers instead of serving on
    #[arg(long)]
    once: bool,
    /// Command that sends the data; --bootstrap ADDR --part N/2 is added
    #[arg(long, value_name = "CMD", default_value = PRODUCER)]
    producer: String,
    /// Where HTTP listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    http: String,
    /// Where the Kafka client is awaited; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    kafka: String,
}

impl Demo {
    pub(super) fn run(&self) -> Result<ExitCode> {
        log::start("warn", LogFormat::Text)?;
        let folder = Folder::new()?;
        let db = Db::open(folder.path())?;
        let options = ServerOptions {
            http: self.http.clone(),
            kafka: self.kafka.clone(),
            ..ServerOptions::default()
        };
        let server = Server::start(&db, Ports::take(&options)?, &options)?;
        let outcome = self.show(&db, &server);
        server.stop();
        db.close()?;
        let all_right = outcome?;
        Ok(if all_right {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EXIT_FAILED)
        })
    }

    fn show(&self, db: &Db, server: &Server) -> Result<bool> {
        let (http, kafka) = (server.http_address(), server.kafka_address());
        print_line(&format!("serving http={http} kafka={kafka}"))?;
        let target = Target::Server(Client::new(&format!("http://{http}"))?);
        create_indices(&target)?;
        print_line("sending the first half through the Kafka port")?;
        self.produce(kafka, "1/2")?;
        for (index, ..) in INDICES {
            target.ask("POST", &format!("/{index}/_flush"), b"")?;
        }
        print_line("sealed into segments with hourly cells; sending the second half")?;
        self.produce(kafka, "2/2")?;
        for (index, ..) in INDICES {
            target.ask("POST", &format!("/{index}/_refresh"), b"")?;
        }
        let all_right = answers::print(&target)?;
        try_by_hand(http, kafka)?;
        if !self.once {
            print_line("\nserving until Ctrl-C")?;
            server.wait(db)?;
        }
        Ok(all_right)
    }

    /// Runs the producer; its progress goes to standard error as it comes.
    fn produce(&self, kafka: SocketAddr, part: &str) -> Result<()> {
        let mut words = self.producer.split_whitespace();
        let program = words
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "--producer names no program"))?;
        let failed = |what: String| {
            let text = format!("the producer '{}' {what}", self.producer);
            Error::new(ErrorKind::Unavailable, text)
        };
        std::io::stdout()
            .flush()
            .map_err(|error| failed(error.to_string()))?;
        let output = Command::new(program)
            .args(words)
            .args(["--bootstrap", &kafka.to_string(), "--part", part])
            .stderr(std::process::Stdio::inherit())
            .output()
            .map_err(|error| {
                failed(format!(
                    "cannot be started ({error}); `make demo` sets it up"
                ))
            })?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(format!("ended with {}", output.status))),
        }
    }
}

fn create_indices(target: &Target) -> Result<()> {
    for (index, time_field, fields) in INDICES {
        let mut properties = serde_json::Map::new();
        let date = json!({ "type": "date", "format": "epoch_second" });
        properties.insert((*time_field).into(), date);
        for (field, field_type) in *fields {
            properties.insert((*field).into(), json!({ "type": field_type }));
        }
        let body = json!({
            "settings": { "index": { "time_field": time_field, "number_of_shards": 2 } },
            "mappings": { "properties": properties },
        });
        target.ask("PUT", &format!("/{index}"), body.to_string().as_bytes())?;
    }
    Ok(())
}

fn try_by_hand(http: SocketAddr, kafka: SocketAddr) -> Result<()> {
    print_line(&format!(
        "\nTry it:
  curl 'http://{http}/transactions/_search?size=1&pretty'
  echo '{{\"time\": 1503536461, \"amount_btc\": 0.1}}' | kcat -P -b {kafka} -t transactions
  Grafana: an Elasticsearch data source with URL http://{http}, index transactions, time field time"
    ))
}

/// A temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let name = format!("siltstone-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|error| {
            let text = format!("cannot make '{}'", path.display());
            Error::caused(ErrorKind::Unavailable, error).while_doing(text)
        })?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "cannot remove the demo's folder");
        }
    }
}
