//! Sockets: the only place with a runtime. It frames, bounds, forwards and stops.

mod http;
mod kafka;
mod listen;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::db::Db;
use crate::elastic::Personality;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{ELASTIC_VERSION, HTTP_ADDRESS, KAFKA_ADDRESS, OPENSEARCH_VERSION, Settings};

/// Threads of the runtime. They frame bytes; whatever computes or waits for a disk runs elsewhere.
const RUNTIME_THREADS: usize = 2;
/// How long connections may take to end once the server stops.
const STOP_WAIT_MAX: Duration = Duration::from_secs(6);

/// Where a server listens and what it tells its clients.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where HTTP listens; port 0 takes a free one.
    pub http: String,
    /// Where Kafka clients are awaited; port 0 takes a free one.
    pub kafka: String,
    /// HOST or HOST:PORT that Kafka clients are told to connect to; `None`: where it listens.
    pub kafka_advertised: Option<String>,
    /// Version of Elasticsearch, or of OpenSearch, shown to clients.
    pub elastic_version: String,
    /// Whose words and manners answers have.
    pub personality: Personality,
    /// Threads that answer searches.
    pub search_threads: usize,
    /// HTTP connections.
    pub http_connections_max: usize,
    /// Connections of Kafka clients.
    pub kafka_connections_max: usize,
    /// Connections of Kafka clients from one address.
    pub kafka_connections_per_address_max: usize,
    /// Bytes of a request of a Kafka client.
    pub kafka_request_bytes_max: usize,
    /// Bytes of requests of middling size that are under way.
    pub kafka_in_flight_bytes_max: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, Into::into);
        let limits = kafka::KafkaLimits::default();
        Self {
            http: HTTP_ADDRESS.into(),
            kafka: KAFKA_ADDRESS.into(),
            kafka_advertised: None,
            elastic_version: ELASTIC_VERSION.into(),
            personality: Personality::Elasticsearch,
            search_threads: cores.max(2),
            http_connections_max: http::CONNECTIONS_MAX,
            kafka_connections_max: limits.connections_max,
            kafka_connections_per_address_max: limits.connections_per_address_max,
            kafka_request_bytes_max: limits.request_bytes_max,
            kafka_in_flight_bytes_max: limits.medium_bytes_max,
        }
    }
}

impl From<&Settings> for ServerOptions {
    fn from(settings: &Settings) -> Self {
        let default = Self::default();
        let personality = settings.personality.unwrap_or_default();
        let version = match personality {
            Personality::Elasticsearch => ELASTIC_VERSION,
            Personality::OpenSearch => OPENSEARCH_VERSION,
        };
        Self {
            personality,
            http: settings.http.clone().unwrap_or(default.http),
            kafka: settings.kafka.clone().unwrap_or(default.kafka),
            kafka_advertised: settings.kafka_advertised.clone(),
            elastic_version: settings
                .elastic_version
                .clone()
                .unwrap_or_else(|| version.into()),
            search_threads: settings
                .search_threads
                .unwrap_or(default.search_threads)
                .max(1),
            http_connections_max: settings
                .http_connections_max
                .unwrap_or(default.http_connections_max)
                .max(1),
            kafka_connections_max: settings
                .kafka_connections_max
                .unwrap_or(default.kafka_connections_max)
                .max(1),
            kafka_connections_per_address_max: settings
                .kafka_connections_per_address_max
                .unwrap_or(default.kafka_connections_per_address_max)
                .max(1),
            kafka_request_bytes_max: settings
                .kafka_request_bytes_max
                .unwrap_or(default.kafka_request_bytes_max),
            kafka_in_flight_bytes_max: settings
                .kafka_in_flight_bytes_max
                .unwrap_or(default.kafka_in_flight_bytes_max),
        }
    }
}

/// Both ports, taken but not answered yet: clients wait until [`Server::start`].
#[derive(Debug)]
pub struct Ports {
    http: TcpListener,
    kafka: TcpListener,
}

impl Ports {
    /// Takes both ports.
    ///
    /// # Errors
    /// When an address is none, or is taken.
    pub fn take(options: &ServerOptions) -> Result<Self> {
        let http = listen::bind("HTTP", &options.http)?;
        let kafka = listen::bind("Kafka", &options.kafka)?;
        Ok(Self { http, kafka })
    }
}

/// Both ports of a store, open until [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    http_address: SocketAddr,
    kafka_address: SocketAddr,
}

/// Why [`Server::wait`] returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM or SIGINT came.
    Signal,
    /// The store stopped after this failure.
    Failure(String),
}

impl Server {
    /// Answers on both ports for `db`.
    ///
    /// # Errors
    /// When the advertised address makes no sense, or the machine gives no threads.
    pub fn start(db: &Db, ports: Ports, options: &ServerOptions) -> Result<Self> {
        let internal = |error: std::io::Error| Error::caused(ErrorKind::Internal, error);
        let runtime = Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("sockets")
            .enable_all()
            .build()
            .map_err(internal)?;
        let http_address = ports.http.local_addr().map_err(internal)?;
        let kafka_address = ports.kafka.local_addr().map_err(internal)?;
        let advertised = listen::advertised(options.kafka_advertised.as_deref(), kafka_address)?;

        let (stop, stopped) = watch::channel(false);
        let (personality, version) = (options.personality, &options.elastic_version);
        let address = http_address.to_string();
        let edge = http::Edge::new(db.clone(), personality, version, &address);
        let metrics = Arc::clone(&edge.metrics);
        let connections_max = options.http_connections_max;
        let desk =
            http::Http::new(edge, options.search_threads, connections_max).map_err(internal)?;
        let limits = kafka::KafkaLimits::of(options);
        let broker = db.broker(&advertised.host, advertised.port);
        let tasks = runtime.block_on(async {
            let http = tokio::net::TcpListener::from_std(ports.http)?;
            let kafka = tokio::net::TcpListener::from_std(ports.kafka)?;
            Ok(vec![
                tokio::spawn(http::serve(desk, http, stopped.clone())),
                tokio::spawn(kafka::serve(broker, kafka, limits, metrics, stopped)),
            ])
        });
        let tasks = tasks.map_err(internal)?;
        Ok(Self {
            runtime,
            stop,
            tasks,
            http_address,
            kafka_address,
        })
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where Kafka clients are awaited.
    #[must_use]
    pub fn kafka_address(&self) -> SocketAddr {
        self.kafka_address
    }

    /// Waits for SIGTERM, SIGINT or the failure of `db`.
    ///
    /// # Errors
    /// When signals cannot be awaited.
    pub fn wait(&self, db: &Db) -> Result<Stop> {
        let (failed, mut failure) = watch::channel(None);
        db.on_failure(move |message| {
            failed.send_replace(Some(message.to_owned()));
        });
        self.runtime.block_on(async {
            let internal = |error| Error::caused(ErrorKind::Internal, error);
            let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
            tokio::select! {
                _ = terminate.recv() => Ok(Stop::Signal),
                _ = interrupt.recv() => Ok(Stop::Signal),
                message = failure.wait_for(Option::is_some) => {
                    let message = message.ok().and_then(|message| message.clone());
                    Ok(Stop::Failure(message.unwrap_or_default()))
                }
            }
        })
    }

    /// Takes no new connection, lets requests under way end, and closes the ports.
    pub fn stop(self) {
        self.stop.send_replace(true);
        self.runtime.block_on(async {
            let ended = tokio::time::timeout(STOP_WAIT_MAX, async {
                for task in self.tasks {
                    if let Err(error) = task.await {
                        tracing::error!(%error, "a listener ended badly");
                    }
                }
            });
            if ended.await.is_err() {
                tracing::warn!("connections are cut off");
            }
        });
        self.runtime.shutdown_background();
    }
}

/// Answers one request of the HTTP interface without a port: status and body.
#[must_use]
pub fn ask(db: &Db, method: &str, uri: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let personality = Personality::Elasticsearch;
    http::Edge::new(db.clone(), personality, ELASTIC_VERSION, HTTP_ADDRESS).ask(method, uri, body)
}
