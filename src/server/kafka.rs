//! Kafka over TCP: accepts, frames, bounds, waits; what a request means is the broker's matter.
//!
//! One task a connection. Requests are handled as they come, so that produce requests of a
//! pipelining client share a commit; responses leave in the order of their requests. Waiting for
//! a commit or for records costs no thread: the store's callback wakes the tasks. Everything that
//! a client can make us hold has a limit in [`KafkaLimits`].

mod addresses;
mod connection;
mod frame_reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ingest::broker::Broker;
use ingest::wire::FRAME_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use addresses::Addresses;
use connection::{Connection, now_ms};

use super::ServerOptions;
use crate::metrics::{Metrics, Port};

/// What clients may hold and how long they may wait.
#[derive(Debug, Clone)]
pub(crate) struct KafkaLimits {
    /// Open connections; the next one is closed at once.
    pub(crate) connections_max: usize,
    /// Those of one address.
    pub(crate) connections_per_address_max: usize,
    /// Bytes of a request; a longer one ends the connection.
    pub(crate) request_bytes_max: usize,
    /// Requests up to this size take no share of the memory for requests.
    pub(crate) small_frame_bytes: usize,
    /// Requests up to this size share `medium_bytes_max`, larger ones `huge_bytes_max`: who
    /// claims to send a hundred megabytes delays nobody who sends one.
    pub(crate) medium_frame_bytes: usize,
    /// Bytes of medium requests that are being received or are not durable yet. A request waits
    /// for its share.
    pub(crate) medium_bytes_max: usize,
    /// The same for larger ones. At least the largest frame, or that would wait for ever.
    pub(crate) huge_bytes_max: usize,
    /// Bytes of records in all fetch responses that are being sent. Beyond it, fetches get
    /// [`KafkaLimits::pressed_fetch_bytes`] each.
    pub(crate) fetch_bytes_max: usize,
    /// Bytes of records in a fetch response when memory is short.
    pub(crate) pressed_fetch_bytes: usize,
    /// Responses of one connection that wait for a commit; then its next request waits.
    pub(crate) pipeline_max: usize,
    /// How long a connection may say nothing between two requests.
    pub(crate) idle: Duration,
    /// How long a transfer may take, besides one second for each
    /// [`KafkaLimits::bytes_per_second_min`] that it has moved.
    pub(crate) stall: Duration,
    /// See `stall`.
    pub(crate) bytes_per_second_min: usize,
}

impl Default for KafkaLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_000,
            connections_per_address_max: 500,
            request_bytes_max: FRAME_BYTES_MAX,
            small_frame_bytes: 64 << 10,
            medium_frame_bytes: 2 << 20,
            medium_bytes_max: 64 << 20,
            huge_bytes_max: FRAME_BYTES_MAX,
            fetch_bytes_max: 64 << 20,
            pressed_fetch_bytes: 64 << 10,
            pipeline_max: 64,
            idle: Duration::from_secs(600),
            stall: Duration::from_secs(15),
            bytes_per_second_min: 256 << 10,
        }
    }
}

impl KafkaLimits {
    /// Those that an operator has chosen. What is shared can hold the largest that takes a share.
    pub(crate) fn of(options: &ServerOptions) -> Self {
        let default = Self::default();
        let shared_max = options.kafka_in_flight_bytes_max;
        Self {
            connections_max: options.kafka_connections_max,
            connections_per_address_max: options.kafka_connections_per_address_max,
            request_bytes_max: options.kafka_request_bytes_max.min(FRAME_BYTES_MAX),
            medium_bytes_max: shared_max.max(default.medium_frame_bytes),
            ..default
        }
    }

    /// How long it may take to move `bytes`.
    fn transfer_time_max(&self, bytes: usize) -> Duration {
        let seconds = bytes / self.bytes_per_second_min;
        self.stall + Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
    }
}

/// How long connections may take to send what is durable once the server stops.
const STOP_WAIT_MAX: Duration = Duration::from_secs(4);

/// How long to wait before accepting again when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often it is looked whether a group of consumers has something to do.
const TICK_MIN: Duration = Duration::from_millis(5);
const TICK_MAX: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
struct Shared {
    broker: Arc<Broker>,
    limits: KafkaLimits,
    metrics: Arc<Metrics>,
    medium_bytes: Arc<Semaphore>,
    huge_bytes: Arc<Semaphore>,
    fetch_bytes: Arc<Semaphore>,
    /// Counts commits.
    commits: watch::Receiver<u64>,
    /// Whether the server stops.
    stopped: watch::Receiver<bool>,
}

/// Lets time pass for transactions and groups.
async fn tick_groups(shared: Arc<Shared>) {
    loop {
        let broker = Arc::clone(&shared.broker);
        let ticked = spawn_blocking(move || {
            broker.tick_transactions(now_ms());
            broker.tick_groups(now_ms())
        });
        let ticked = ticked.await;
        let Ok(next_ms) = ticked else {
            tracing::error!("groups and transactions cannot go on: a defect, see the panic above");
            return;
        };
        // Deadlines may come nearer meanwhile, so it is looked often.
        let left_ms = u64::try_from(next_ms.saturating_sub(now_ms())).unwrap_or(0);
        let left = Duration::from_millis(left_ms);
        sleep(left.clamp(TICK_MIN, TICK_MAX)).await;
    }
}

/// Serves Kafka clients on `listener` until `stopped` says true; then sends what is due, for a
/// bounded time, and returns.
pub(crate) async fn serve(
    broker: Arc<Broker>,
    listener: TcpListener,
    limits: KafkaLimits,
    metrics: Arc<Metrics>,
    mut stopped: watch::Receiver<bool>,
) {
    let (committed, commits) = watch::channel(0);
    broker
        .store()
        .on_commit(Box::new(move || committed.send_modify(|count| *count += 1)));
    let shared = Arc::new(Shared {
        broker,
        medium_bytes: Arc::new(Semaphore::new(limits.medium_bytes_max)),
        huge_bytes: Arc::new(Semaphore::new(limits.huge_bytes_max)),
        fetch_bytes: Arc::new(Semaphore::new(limits.fetch_bytes_max)),
        limits,
        metrics,
        commits,
        stopped: stopped.clone(),
    });
    let ticking = tokio::spawn(tick_groups(Arc::clone(&shared)));
    let mut connections = JoinSet::new();
    let addresses = Addresses::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender is gone only when the server is, which is a stop too.
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let is_full = connections.len() >= shared.limits.connections_max;
                let per_address_max = shared.limits.connections_per_address_max;
                let entered = match is_full {
                    true => None,
                    false => addresses.enter(peer.ip(), per_address_max),
                };
                let Some(entered) = entered else {
                    shared.metrics.refused(Port::Kafka);
                    tracing::warn!(%peer, "connection refused: too many are open");
                    continue;
                };
                let connection = Connection::new(stream, peer, Arc::clone(&shared));
                connections.spawn(async move {
                    connection.run().await;
                    drop(entered);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    ticking.abort();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(STOP_WAIT_MAX, all_ended).await.is_err() {
        tracing::warn!("connections of Kafka clients are cut off");
    }
}
