//! The server on loopback, with limits small enough to be met.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::io::ErrorKind;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ingest::broker::{Broker, BrokerOptions};
use storage::catalog::{Catalog, Dynamic, Materialize, MemoryCheckpoint, Topic};
use storage::disk::{Disk, MemoryDisk};
use storage::log::{BatchBuilder, Codec, NewRecord};
use storage::model::TopicName;
use storage::store::{Store, StoreOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{KafkaLimits, serve};
use crate::metrics::Metrics;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    port: u16,
    store: Arc<Store>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(limits: KafkaLimits) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
        let (store, _) = Store::open(disk, checkpoint, StoreOptions::default(), 0).unwrap();
        let store = Arc::new(store);
        commit_in_background(Arc::downgrade(&store));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let options =
            BrokerOptions::new("127.0.0.1", port, Box::new(new_topic), Box::new(|| [7; 16]));
        let broker = Arc::new(Broker::new(Arc::clone(&store), options));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(broker, listener, limits, Metrics::new(), stopped));
        Self {
            port,
            store,
            stop,
            serving,
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap())
    }

    /// A server with the topic `t`.
    async fn with_topic() -> Self {
        let running = Self::start(KafkaLimits::default()).await;
        let mut client = running.connect().await;
        // Metadata v4 of `t`, which creates it.
        client
            .send(&request(3, 4, 1, b"\0\0\0\x01\0\x01t\x01"))
            .await;
        client.answer().await;
        running
    }
}

fn commit_in_background(store: Weak<Store>) {
    std::thread::spawn(move || {
        while let Some(store) = store.upgrade() {
            if store.wait_for_work(Duration::from_millis(20)) && store.commit().is_err() {
                return;
            }
        }
    });
}

fn new_topic(name: &TopicName, catalog: &Catalog) -> Topic {
    Topic {
        id: catalog.next_topic_id(),
        name: name.clone(),
        uuid: [1; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: std::collections::BTreeMap::new(),
        settings: std::collections::BTreeMap::new(),
        dynamic: Dynamic::True,
        mapping: Arc::default(),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next response without its length: correlation id first.
    async fn answer(&mut self) -> Vec<u8> {
        let answer = async {
            let length = self.0.read_u32().await.unwrap();
            let mut answer = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut answer).await.unwrap();
            answer
        };
        timeout(PATIENCE, answer).await.unwrap()
    }

    async fn correlation_of_answer(&mut self) -> i32 {
        i32::from_be_bytes(*self.answer().await.first_chunk().unwrap())
    }

    /// Waits until the server closes the connection.
    async fn closed(&mut self) {
        let mut rest = Vec::new();
        match timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .unwrap()
        {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// A request with an old header and no client id.
fn request(key: i16, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend_from_slice(&key.to_be_bytes());
    request.extend_from_slice(&version.to_be_bytes());
    request.extend_from_slice(&correlation.to_be_bytes());
    request.extend_from_slice(&(-1_i16).to_be_bytes());
    request.extend_from_slice(body);
    framed(&request)
}

fn api_versions(correlation: i32) -> Vec<u8> {
    request(18, 0, correlation, b"")
}

/// Produce v3 of one record to `t`, partition 0.
fn produce(correlation: i32, acks: i16) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder
        .push(NewRecord {
            value: Some(b"v"),
            ..NewRecord::default()
        })
        .unwrap();
    let batch = builder.finish(Codec::None);
    let mut body = (-1_i16).to_be_bytes().to_vec();
    body.extend_from_slice(&acks.to_be_bytes());
    body.extend_from_slice(&1_000_i32.to_be_bytes());
    body.extend_from_slice(b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0");
    body.extend_from_slice(&framed(batch.bytes()));
    request(0, 3, correlation, &body)
}

/// Fetch v4 of `t`, partition 0, which waits for a byte.
fn fetch(correlation: i32, offset: i64, wait_ms: i32) -> Vec<u8> {
    let mut body = (-1_i32).to_be_bytes().to_vec();
    body.extend_from_slice(&wait_ms.to_be_bytes());
    body.extend_from_slice(b"\0\0\0\x01\0\x10\0\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0");
    body.extend_from_slice(&offset.to_be_bytes());
    body.extend_from_slice(&(1_i32 << 20).to_be_bytes());
    request(1, 4, correlation, &body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_order() {
    let running = Running::with_topic().await;
    let mut client = running.connect().await;
    let mut all = api_versions(1);
    // What kafka-python 2.0.2 sends right behind it: the metadata of all topics.
    all.extend(request(3, 0, 2, &0_i32.to_be_bytes()));
    all.extend(produce(3, -1));
    all.extend(produce(4, 0));
    all.extend(produce(5, 1));
    all.extend(fetch(6, 0, 0));
    all.extend(api_versions(7));
    client.send(&all).await;
    for expected in [1, 2, 3, 5, 6, 7] {
        assert_eq!(client.correlation_of_answer().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_waits_until_records_are_durable() {
    let running = Running::with_topic().await;
    let mut consumer = running.connect().await;
    consumer.send(&fetch(1, 0, 10_000)).await;
    let mut producer = running.connect().await;
    producer.send(&produce(1, -1)).await;
    producer.answer().await;
    let started = tokio::time::Instant::now();
    assert!(consumer.answer().await.len() > 100, "the records came");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "long before the deadline"
    );
    consumer.send(&fetch(2, 1, 10)).await;
    assert!(
        consumer.answer().await.len() < 100,
        "nothing came before the deadline"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_request_close_their_connection_alone() {
    let running = Running::with_topic().await;
    let mut bystander = running.connect().await;
    for bytes in [
        (-1_i32).to_be_bytes().to_vec(),
        0_i32.to_be_bytes().to_vec(),
        2_000_000_000_i32.to_be_bytes().to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        request(999, 0, 1, b""),
        request(3, 99, 1, b""),
        request(0, 3, 1, b"\xff\xff\0\x01\0\0\x03\xe8\x7f\xff\xff\xff"),
        produce(1, 7).split_last().unwrap().1.to_vec(),
    ] {
        let mut client = running.connect().await;
        client.send(&bytes).await;
        client.0.shutdown().await.unwrap();
        client.closed().await;
        bystander.send(&api_versions(9)).await;
        assert_eq!(bystander.correlation_of_answer().await, 9);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_stalled_connections_are_closed() {
    let limits = KafkaLimits {
        idle: Duration::from_millis(50),
        stall: Duration::from_millis(50),
        ..KafkaLimits::default()
    };
    let running = Running::start(limits).await;
    let mut silent = running.connect().await;
    let mut stalled = running.connect().await;
    stalled.send(&(100_i32 << 20).to_be_bytes()).await;
    let mut cut = running.connect().await;
    cut.send(&api_versions(1)[..9]).await;
    silent.closed().await;
    stalled.closed().await;
    cut.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests_wait_for_their_share_of_memory_and_small_ones_do_not() {
    let limits = KafkaLimits {
        small_frame_bytes: 1_000,
        medium_frame_bytes: 10_000,
        medium_bytes_max: 10_000,
        stall: Duration::from_millis(300),
        ..KafkaLimits::default()
    };
    let running = Running::start(limits).await;
    // It takes all the memory for requests of its size, and says no more.
    let mut first = running.connect().await;
    first.send(&10_000_i32.to_be_bytes()).await;
    first.send(&[0; 2_000]).await;
    let mut small = running.connect().await;
    small.send(&api_versions(1)).await;
    small.answer().await;
    // Padding behind the end of a request is legal.
    let mut large = running.connect().await;
    large.send(&request(18, 0, 2, &[0; 9_000])).await;
    assert_eq!(large.correlation_of_answer().await, 2);
    first.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_over_the_limit_is_closed_and_the_others_stay() {
    let limits = KafkaLimits {
        connections_max: 2,
        ..KafkaLimits::default()
    };
    let running = Running::start(limits).await;
    let mut first = running.connect().await;
    let mut second = running.connect().await;
    for client in [&mut first, &mut second] {
        client.send(&api_versions(1)).await;
        client.answer().await;
    }
    running.connect().await.closed().await;
    first.send(&api_versions(2)).await;
    assert_eq!(first.correlation_of_answer().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_connections_and_the_server() {
    let running = Running::with_topic().await;
    let mut client = running.connect().await;
    client.send(&api_versions(1)).await;
    client.answer().await;
    let mut waiting = running.connect().await;
    waiting.send(&fetch(1, 0, 60_000)).await;
    running.stop.send_replace(true);
    timeout(PATIENCE, running.serving).await.unwrap().unwrap();
    client.closed().await;
    waiting.closed().await;
    assert!(
        TcpStream::connect(("127.0.0.1", running.port))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stopped_closes_connections_that_wait_for_it() {
    let running = Running::with_topic().await;
    let mut waiting = running.connect().await;
    waiting.send(&fetch(1, 0, 60_000)).await;
    let mut bystander = running.connect().await;
    bystander.send(&api_versions(1)).await;
    bystander.answer().await;
    running.store.close().unwrap();
    waiting.closed().await;
    let mut producer = running.connect().await;
    producer.send(&produce(1, -1)).await;
    // KAFKA_STORAGE_ERROR: correlation id, one topic `t`, one partition, its number, the code.
    let answer = producer.answer().await;
    assert_eq!(answer[4 + 4 + 3 + 4 + 4..][..2], 56_i16.to_be_bytes());
}
