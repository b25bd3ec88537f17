//! Numbers for monitoring, in the text form that Prometheus reads.
//!
//! [`Metrics`] are counted while the server works; what the store knows anyway is asked for at
//! each scrape. Labels are from closed sets, except names of topics and groups, of which each
//! scrape shows at most [`SERIES_MAX`] series of a kind and says how many it left out.

mod events;
mod process;
mod scrape;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

pub(crate) use events::EventCounts;
pub(crate) use process::{load_averages, open_files, open_files_max};

/// Series with names of topics or groups that one family shows at most.
pub(crate) const SERIES_MAX: usize = 10_000;

/// The content type of a scrape.
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Upper bounds of latencies, in seconds: from a cached fetch to a stalled disk.
const SECONDS: [f64; 15] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];

/// Which requests of Kafka clients are timed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KafkaCall {
    /// From the whole request to the last byte of the acknowledgement.
    Produce,
    /// From the records being there, or the deadline, to the last byte.
    Fetch,
    /// All others, waiting for other members of a group included.
    Other,
}

/// A port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Kafka's.
    Kafka,
    /// HTTP's.
    Http,
}

impl Port {
    fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Http => "http",
        }
    }
}

/// What is counted while the server works.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    kafka_produce: Histogram,
    kafka_fetch: Histogram,
    kafka_other: Histogram,
    search: Histogram,
    bytes_in: IntCounterVec,
    bytes_out: IntCounterVec,
    connections: IntGaugeVec,
    refused: IntCounterVec,
    http_answers: IntCounterVec,
    clients_left: IntCounter,
}

impl Metrics {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Arc<Self> {
        let registry =
            Registry::new_custom(Some("siltstone".into()), None).expect("the prefix is a name");
        let kafka: HistogramVec = {
            let help = "Time from a request of a Kafka client to its answer; a fetch counts from \
                        the moment that it can be answered";
            let opts = HistogramOpts::new("kafka_request_seconds", help).buckets(SECONDS.into());
            register(&registry, HistogramVec::new(opts, &["request"]))
        };
        let search = {
            let help = "Time from a search to its answer, without the socket";
            let opts = HistogramOpts::new("search_seconds", help).buckets(SECONDS.into());
            register(&registry, Histogram::with_opts(opts))
        };
        let counter = |name: &str, help: &str, label: &str| {
            register(
                &registry,
                IntCounterVec::new(Opts::new(name, help), &[label]),
            )
        };
        let connections = Opts::new("connections", "Connections that are open");
        Arc::new(Self {
            kafka_produce: kafka.with_label_values(&["produce"]),
            kafka_fetch: kafka.with_label_values(&["fetch"]),
            kafka_other: kafka.with_label_values(&["other"]),
            search,
            bytes_in: counter("received_bytes_total", "Bytes of requests", "port"),
            bytes_out: counter("sent_bytes_total", "Bytes of answers", "port"),
            refused: counter(
                "refused_connections_total",
                "Connections that were closed because too many are open",
                "port",
            ),
            clients_left: {
                let help = "Clients that closed their connection before their answer";
                register(&registry, IntCounter::new("http_clients_left_total", help))
            },
            http_answers: counter("http_answers_total", "Answers by class of status", "status"),
            connections: register(&registry, IntGaugeVec::new(connections, &["port"])),
            registry,
        })
    }

    /// A client has gone before its answer came.
    pub(crate) fn client_left(&self) {
        self.clients_left.inc();
    }

    /// Bytes of requests that came.
    #[cfg(test)]
    pub(crate) fn received_bytes(&self, port: Port) -> u64 {
        self.bytes_in.with_label_values(&[port.as_str()]).get()
    }

    /// How many searches were answered.
    #[cfg(test)]
    pub(crate) fn searches(&self) -> u64 {
        self.search.get_sample_count()
    }

    /// How many clients have gone before their answer came.
    #[cfg(test)]
    pub(crate) fn clients_left(&self) -> u64 {
        self.clients_left.get()
    }

    /// A request of a Kafka client was answered.
    pub(crate) fn kafka_answered(&self, call: KafkaCall, took: Duration) {
        let histogram = match call {
            KafkaCall::Produce => &self.kafka_produce,
            KafkaCall::Fetch => &self.kafka_fetch,
            KafkaCall::Other => &self.kafka_other,
        };
        histogram.observe(took.as_secs_f64());
    }

    /// A search was answered.
    pub(crate) fn searched(&self, took: Duration) {
        self.search.observe(took.as_secs_f64());
    }

    /// An HTTP request was answered.
    pub(crate) fn http_answered(&self, status: u16) {
        let class = match status {
            ..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.http_answers.with_label_values(&[class]).inc();
    }

    /// Bytes came in.
    pub(crate) fn received(&self, port: Port, bytes: usize) {
        self.bytes_in
            .with_label_values(&[port.as_str()])
            .inc_by(bytes as u64);
    }

    /// Bytes went out.
    pub(crate) fn sent(&self, port: Port, bytes: usize) {
        self.bytes_out
            .with_label_values(&[port.as_str()])
            .inc_by(bytes as u64);
    }

    /// A connection is open for as long as the guard lives.
    pub(crate) fn connected(self: &Arc<Self>, port: Port) -> Connected {
        self.connections.with_label_values(&[port.as_str()]).inc();
        Connected {
            metrics: Arc::clone(self),
            port,
        }
    }

    /// A connection was refused.
    pub(crate) fn refused(&self, port: Port) {
        self.refused.with_label_values(&[port.as_str()]).inc();
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected {
    metrics: Arc<Metrics>,
    port: Port,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let connections = &self.metrics.connections;
        connections.with_label_values(&[self.port.as_str()]).dec();
    }
}

fn register<C>(registry: &Registry, family: prometheus::Result<C>) -> C
where
    C: prometheus::core::Collector + Clone + 'static,
{
    let family = family.expect("names and labels are sound");
    let registered = registry.register(Box::new(family.clone()));
    registered.expect("each name is used once");
    family
}
