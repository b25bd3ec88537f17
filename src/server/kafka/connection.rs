//! One client's connection: requests in, responses out in the same order.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Buf;
use ingest::broker::{Later, PendingFetch, Reply, Session};
use ingest::wire::{
    Frame, Request, RequestHeader, Response, WireError, decode_request, encode_response,
};
use storage::store::{Lsn, Outcome};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::frame_reader::{FrameReader, ReceivedFrame};
use crate::metrics::{Connected, KafkaCall, Port};

/// Why a connection ends before its client ends it.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// Bytes that are no request, or a response that has no encoding.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A request that cannot be answered.
    #[error("a request failed that has no answer")]
    Unanswerable,
    /// The store has stopped.
    #[error("the store has stopped")]
    Stopped,
    /// Records were refused whose answer was ready.
    #[error("the disk had no room for records of this connection")]
    Refused,
    /// A request made us panic; others are not touched.
    #[error("the request could not be handled")]
    Panicked,
}

/// A response that waits for a commit.
#[derive(Debug)]
struct Waiting {
    lsn: Lsn,
    frame: Frame,
    call: KafkaCall,
    began: Instant,
    /// The memory of its request, which the store still holds.
    _share: Option<OwnedSemaphorePermit>,
}

/// A client's connection.
pub(super) struct Connection {
    peer: SocketAddr,
    reader: FrameReader,
    writer: OwnedWriteHalf,
    session: Session,
    /// In the order of their requests, so that positions never fall.
    waiting: VecDeque<Waiting>,
    /// Until then nothing is read: the client was told to be silent, and not every client is.
    muted_until: Option<Instant>,
    _open: Connected,
    commits: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    shared: Arc<Shared>,
}

/// What woke a connection.
enum Event {
    Frame(Option<ReceivedFrame>),
    Commit,
    /// The silence has ended.
    Unmuted,
    Stop,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> Self {
        // Responses are whole when they are written, so that waiting to fill a packet only delays.
        let _ = stream.set_nodelay(true);
        let (read, writer) = stream.into_split();
        Self {
            peer,
            reader: FrameReader::new(read, Arc::clone(&shared)),
            writer,
            session: Session {
                host: peer.ip().to_string(),
                ..Session::default()
            },
            waiting: VecDeque::new(),
            muted_until: None,
            _open: shared.metrics.connected(Port::Kafka),
            commits: shared.commits.clone(),
            stopped: shared.stopped.clone(),
            shared,
        }
    }

    /// Serves the client until either side ends the connection.
    pub(super) async fn run(mut self) {
        let result = self.serve().await;
        let peer = self.peer;
        let software = self
            .session
            .software
            .as_ref()
            .map(|(name, release)| format!("{name} {release}"));
        match result {
            Ok(()) => tracing::debug!(%peer, software, "kafka client left"),
            Err(End::Socket(error)) => {
                tracing::debug!(%peer, software, %error, "kafka connection ended");
            }
            // Anybody can cause these, as often as he likes.
            Err(end @ (End::Wire(_) | End::Unanswerable)) => {
                tracing::info!(%peer, software, error = %end, "kafka connection closed");
            }
            Err(end @ (End::Stopped | End::Panicked | End::Refused)) => {
                tracing::warn!(%peer, software, error = %end, "kafka connection closed");
            }
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        loop {
            self.send_durable().await?;
            match self.event().await? {
                Event::Frame(Some(frame)) => self.request(frame).await?,
                Event::Commit => {}
                Event::Unmuted => self.muted_until = None,
                Event::Frame(None) => return Ok(()),
                Event::Stop => return self.send_all().await,
            }
        }
    }

    async fn event(&mut self) -> Result<Event, End> {
        let is_full = self.waiting.len() >= self.shared.limits.pipeline_max;
        let muted_until = self.muted_until;
        let unmute = sleep_until(muted_until.unwrap_or_else(Instant::now));
        tokio::select! {
            biased;
            () = stop(&mut self.stopped) => Ok(Event::Stop),
            _ = self.commits.changed(), if !self.waiting.is_empty() => Ok(Event::Commit),
            () = unmute, if muted_until.is_some() => Ok(Event::Unmuted),
            frame = self.reader.next(), if !is_full && muted_until.is_none() => {
                Ok(Event::Frame(frame?))
            }
        }
    }

    async fn request(&mut self, frame: ReceivedFrame) -> Result<(), End> {
        let ReceivedFrame { bytes, share } = frame;
        let began = Instant::now();
        self.shared.metrics.received(Port::Kafka, bytes.len());
        let (header, request) = decode_request(&bytes)?;
        let call = match request {
            Request::Produce(_) => KafkaCall::Produce,
            _ => KafkaCall::Other,
        };
        drop(bytes);
        let mut reply = self.handle(&header, request).await?;
        if let Reply::Later(later) = reply {
            self.send_all().await?;
            reply = self.wait(later).await?;
        }
        match reply {
            Reply::Ready(response) => {
                self.send_all().await?;
                self.send(encode_response(&header, &response)?).await?;
                self.shared.metrics.kafka_answered(call, began.elapsed());
            }
            Reply::AfterDurable(lsn, response) => {
                self.mute(&response);
                let frame = encode_response(&header, &response)?;
                self.waiting.push_back(Waiting {
                    lsn,
                    frame,
                    call,
                    began,
                    _share: share,
                });
            }
            Reply::Fetch(fetch) => {
                self.send_all().await?;
                self.answer_fetch(&header, fetch).await?;
            }
            Reply::None => {}
            Reply::Later(_) => unreachable!("what was waited for does not wait again"),
            Reply::Close => return Err(End::Unanswerable),
        }
        self.reader.expect_next();
        Ok(())
    }

    /// Reads nothing for as long as `response` asks the client to be silent.
    fn mute(&mut self, response: &Response) {
        if let Response::Produce(produced) = response
            && let Ok(throttle_ms @ 1..) = u64::try_from(produced.throttle_time_ms)
        {
            self.muted_until = Some(Instant::now() + Duration::from_millis(throttle_ms));
        }
    }

    /// Lets the broker handle the request; on a thread of its own when that may wait for the disk
    /// or take long, so that other connections are not held up. Whatever stages a change may have
    /// to commit others first, which is a sync.
    async fn handle(&mut self, header: &RequestHeader, request: Request) -> Result<Reply, End> {
        let broker = Arc::clone(&self.shared.broker);
        let is_quick = match request {
            Request::ApiVersions(_)
            | Request::ApiVersionsUnknown
            | Request::Fetch(_)
            | Request::DescribeConfigs(_)
            | Request::FindCoordinator(_)
            | Request::DescribeCluster(_)
            | Request::DescribeAcls(_)
            | Request::SaslHandshake(_)
            | Request::ListPartitionReassignments(_) => true,
            Request::Produce(_)
            | Request::ListOffsets(_)
            | Request::Metadata(_)
            | Request::CreateTopics(_)
            | Request::DeleteTopics(_)
            | Request::InitProducerId(_)
            | Request::OffsetCommit(_)
            | Request::OffsetFetch(_)
            | Request::JoinGroup(_)
            | Request::Heartbeat(_)
            | Request::LeaveGroup(_)
            | Request::SyncGroup(_)
            | Request::DescribeGroups(_)
            | Request::ListGroups(_)
            | Request::DeleteGroups(_)
            | Request::OffsetDelete(_)
            | Request::DeleteRecords(_)
            | Request::OffsetForLeaderEpoch(_)
            | Request::AlterConfigs(_)
            | Request::IncrementalAlterConfigs(_)
            | Request::CreatePartitions(_)
            | Request::DescribeLogDirs(_)
            | Request::DescribeProducers(_)
            | Request::ConsumerGroupHeartbeat(_)
            | Request::ConsumerGroupDescribe(_)
            | Request::AddPartitionsToTxn(_)
            | Request::AddOffsetsToTxn(_)
            | Request::EndTxn(_)
            | Request::WriteTxnMarkers(_)
            | Request::TxnOffsetCommit(_)
            | Request::DescribeTransactions(_)
            | Request::ListTransactions(_)
            | Request::DescribeTopicPartitions(_) => false,
        };
        if is_quick {
            return Ok(broker.handle(&mut self.session, header, request, now_ms()));
        }
        if matches!(request, Request::Produce(_)) && self.is_client_waiting() {
            return self.handle_and_commit(header, request);
        }
        let mut session = std::mem::take(&mut self.session);
        let header = header.clone();
        let (answer, answered) = oneshot::channel();
        spawn_blocking(move || {
            let reply = broker.handle(&mut session, &header, request, now_ms());
            let _ = answer.send((session, reply));
        });
        let (session, reply) = answered.await.map_err(|_| End::Panicked)?;
        self.session = session;
        Ok(reply)
    }

    /// Whether the client has sent one request and nothing more.
    fn is_client_waiting(&self) -> bool {
        self.waiting.is_empty() && self.reader.is_empty()
    }

    /// Handles records and makes them durable on this thread. Who has one request in flight waits
    /// for the answer, and each change of threads would make it later. Who has several is better
    /// served when they share a sync, which they do when another thread commits.
    fn handle_and_commit(
        &mut self,
        header: &RequestHeader,
        request: Request,
    ) -> Result<Reply, End> {
        let (broker, session) = (&self.shared.broker, &mut self.session);
        let handle = || {
            let soon = broker.store().commit_soon();
            let reply = broker.handle(session, header, request, now_ms());
            if matches!(reply, Reply::AfterDurable(..)) {
                // Whoever waits asks the store what became of it.
                let _ = soon.commit();
            }
            reply
        };
        // After a panic the connection ends, and nobody looks at its session.
        let handled = block_in_place(|| catch_unwind(AssertUnwindSafe(handle)));
        handled.map_err(|_| End::Panicked)
    }

    /// Waits for a reply that others give, or time.
    async fn wait(&mut self, later: Later) -> Result<Reply, End> {
        tokio::select! {
            reply = later => Ok(reply),
            () = self.reader.closed() => Err(closed().into()),
            () = stop(&mut self.stopped) => Err(End::Stopped),
        }
    }

    async fn answer_fetch(
        &mut self,
        header: &RequestHeader,
        mut fetch: PendingFetch,
    ) -> Result<(), End> {
        let mut is_stopping = false;
        loop {
            self.commits.borrow_and_update();
            self.check_store()?;
            let broker = Arc::clone(&self.shared.broker);
            // Whoever waits when the server stops gets what there is.
            let now_ms = if is_stopping {
                fetch.deadline_ms()
            } else {
                now_ms()
            };
            if broker.is_fetch_due(&fetch, now_ms) {
                let began = Instant::now();
                let (share, bytes_max) = self.fetch_share(fetch.bytes_max());
                let polled = spawn_blocking(move || {
                    let response = broker.poll_fetch(&mut fetch, bytes_max, now_ms);
                    (fetch, response)
                });
                let (still_pending, response) = polled.await.map_err(|_| End::Panicked)?;
                if let Some(response) = response {
                    self.send_fetched(header, &response, share).await?;
                    let metrics = &self.shared.metrics;
                    metrics.kafka_answered(KafkaCall::Fetch, began.elapsed());
                    return Ok(());
                }
                fetch = still_pending;
            }
            let left_ms = u64::try_from(fetch.deadline_ms() - now_ms).unwrap_or(0);
            tokio::select! {
                _ = self.commits.changed() => {}
                () = sleep(Duration::from_millis(left_ms)) => {}
                () = self.reader.closed() => return Err(closed().into()),
                () = stop(&mut self.stopped), if !is_stopping => is_stopping = true,
            }
        }
    }

    /// A share of the memory for fetched records and what may be fetched with it. When there is
    /// none left, a little is fetched without.
    fn fetch_share(&self, wanted: usize) -> (Option<OwnedSemaphorePermit>, usize) {
        let permits = u32::try_from(wanted).unwrap_or(u32::MAX);
        match Arc::clone(&self.shared.fetch_bytes).try_acquire_many_owned(permits) {
            Ok(share) => (Some(share), wanted),
            Err(_) => (None, self.shared.limits.pressed_fetch_bytes),
        }
    }

    async fn send_fetched(
        &mut self,
        header: &RequestHeader,
        response: &Response,
        share: Option<OwnedSemaphorePermit>,
    ) -> Result<(), End> {
        let frame = encode_response(header, response)?;
        // Others may have what this one did not need.
        let kept = share.map(|mut share| {
            let unused = share.num_permits().saturating_sub(frame.remaining());
            drop(share.split(unused));
            share
        });
        let sent = self.send(frame).await;
        drop(kept);
        sent
    }

    /// Sends the responses whose time has come.
    async fn send_durable(&mut self) -> Result<(), End> {
        // First the mark, then the look: a commit in between wakes us again.
        self.commits.borrow_and_update();
        if self.waiting.is_empty() {
            return Ok(());
        }
        while let Some(first) = self.waiting.front() {
            match self.shared.broker.store().outcome(first.lsn) {
                Outcome::Waiting => break,
                Outcome::Durable => {}
                // What it says is not true. Clients send again what they got no answer to, and
                // are told then that there is no room.
                Outcome::Refused => return Err(End::Refused),
            }
            if let Some(first) = self.waiting.pop_front() {
                self.send(first.frame).await?;
                self.shared
                    .metrics
                    .kafka_answered(first.call, first.began.elapsed());
            }
        }
        if self.waiting.is_empty() {
            Ok(())
        } else {
            self.check_store()
        }
    }

    /// Sends all responses that wait, as they become durable.
    async fn send_all(&mut self) -> Result<(), End> {
        loop {
            self.send_durable().await?;
            if self.waiting.is_empty() {
                return Ok(());
            }
            if self.commits.changed().await.is_err() {
                return Err(End::Stopped);
            }
        }
    }

    fn check_store(&self) -> Result<(), End> {
        self.shared.broker.store().check().map_err(|_| End::Stopped)
    }

    async fn send(&mut self, mut frame: Frame) -> Result<(), End> {
        let time_max = self.shared.limits.transfer_time_max(frame.remaining());
        self.shared.metrics.sent(Port::Kafka, frame.remaining());
        let sent = timeout(time_max, self.writer.write_all_buf(&mut frame)).await;
        let too_slow = |_| io::Error::new(io::ErrorKind::TimedOut, "receives too slowly");
        sent.map_err(too_slow)??;
        Ok(())
    }
}

/// Ends when the server stops. Its handle is gone only when the server is, which is a stop too.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "closed while a request waited",
    )
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
