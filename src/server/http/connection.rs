//! Connections: accepting, framing, limits and the way of a request to a thread and back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use query::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::admission::{self, Admitted};
use super::body::{Budget, Received};
use super::edge::{Edge, print};
use super::patient::Patient;
use super::reply::{Form, Reply};
use crate::background::Pool;
use crate::elastic::ElasticError;
use crate::metrics::{Metrics, Port};

/// Most connections at once; further clients wait in the listener's backlog.
pub(in crate::server) const CONNECTIONS_MAX: usize = 1024;
/// Most requests between their first byte and their answer.
const REQUESTS_MAX: usize = 512;
/// Threads for all but searches. They mostly wait, together, for one group commit.
const OTHER_THREADS: usize = 16;
/// Requests that wait for a thread, of each kind.
const WAITING_MAX: usize = 256;
/// How long a client may take over the head of a request; also how long a connection may idle.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(60);
/// The same while more than half of all connections are open: who only holds one gives it back
/// soon, and others get in.
const CROWDED_HEAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// Bytes buffered of one connection's request heads.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How long a client may take no byte of its answer.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long requests under way may take to end once the server stops.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(4);
/// Pause after the system refused a new connection, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
#[derive(Debug)]
pub(in crate::server) struct Http {
    edge: Edge,
    searches: Pool,
    others: Pool,
    requests: Semaphore,
    bodies: Budget,
    connections_max: usize,
}

impl Http {
    /// Answers with `search_threads` threads for searches.
    pub(in crate::server) fn new(
        edge: Edge,
        search_threads: usize,
        connections_max: usize,
    ) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            edge,
            searches: Pool::start("search", search_threads, WAITING_MAX)?,
            others: Pool::start("request", OTHER_THREADS, WAITING_MAX)?,
            requests: Semaphore::new(REQUESTS_MAX),
            bodies: Budget::default(),
            connections_max,
        }))
    }
}

/// Serves connections of `listener` until `stop` says so, then lets requests under way end.
pub(in crate::server) async fn serve(
    http: Arc<Http>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(http.connections_max));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = async {
                let slot = Arc::clone(&connections).acquire_owned().await;
                (slot.expect("never closed"), listener.accept().await)
            } => accepted,
        };
        match accepted {
            (slot, Ok((stream, _))) => {
                let (http, stop) = (Arc::clone(&http), stop.clone());
                let head_wait_max = match connections.available_permits() < http.connections_max / 2
                {
                    true => CROWDED_HEAD_WAIT_MAX,
                    false => HEAD_WAIT_MAX,
                };
                let open = http.edge.metrics.connected(Port::Http);
                tasks.spawn(async move {
                    let _open = open;
                    connection(http, stream, head_wait_max, stop).await;
                    drop(slot);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_WAIT_MAX, async {
        while tasks.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "closing connections with requests under way"
        );
        tasks.shutdown().await;
    }
}

/// Returns when the server stops; a vanished sender means so, too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(
    http: Arc<Http>,
    stream: TcpStream,
    head_wait_max: Duration,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and complete: waiting to fill a packet only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    let service = service_fn(move |request| {
        let http = Arc::clone(&http);
        async move { Ok::<_, Infallible>(http.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_wait_max)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client that sends no more has gone: whatever it asked for ends.
        .half_close(false)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_WAIT_MAX)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

/// A client that waits for an answer.
#[derive(Debug)]
struct Waiting<'m> {
    stop: Stop,
    metrics: &'m Metrics,
    is_answered: bool,
}

impl<'m> Waiting<'m> {
    fn new(metrics: &'m Metrics) -> Self {
        Self {
            stop: Stop::default(),
            metrics,
            is_answered: false,
        }
    }

    /// There is an answer.
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Waiting<'_> {
    /// The connection drops what it waits for when the client leaves.
    fn drop(&mut self) {
        if !self.is_answered {
            self.stop.set();
            self.metrics.client_left();
        }
    }
}

impl Http {
    async fn answer(self: &Arc<Self>, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
        let form = Form::of(request.headers());
        let waiting = Waiting::new(&self.edge.metrics);
        let response = match self.receive(request, &form, &waiting.stop).await {
            Ok(response) => response,
            Err(reply) => form.frame(print(reply, &[])),
        };
        waiting.answered();
        let metrics = &self.edge.metrics;
        metrics.http_answered(response.status().as_u16());
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        metrics.sent(Port::Http, usize::try_from(bytes).unwrap_or(usize::MAX));
        response
    }

    /// Checks and reads the request, then has it answered by a thread of its pool.
    async fn receive(
        self: &Arc<Self>,
        request: hyper::Request<Incoming>,
        form: &Form,
        stop: &Stop,
    ) -> Result<Response<Full<Bytes>>, Reply> {
        let (head, body) = request.into_parts();
        let admitted = Admitted::check(&head)?;
        let slot = self.requests.try_acquire();
        let slot = slot.map_err(|_| admission::rejected("requests"))?;
        let received = self.bodies.receive(body, admitted.body_bytes_max).await;
        let received = received.map_err(admission::refused)?;
        self.edge.metrics.received(Port::Http, received.bytes.len());
        let response = self.run(admitted, received, form.clone(), stop).await;
        drop(slot);
        response
    }

    /// Has the request answered by a thread where blocking is allowed.
    async fn run(
        self: &Arc<Self>,
        admitted: Admitted,
        received: Received,
        form: Form,
        stop: &Stop,
    ) -> Result<Response<Full<Bytes>>, Reply> {
        let pool = match admitted.endpoint.is_search() {
            true => &self.searches,
            false => &self.others,
        };
        let (answered, answer) = oneshot::channel();
        let is_search = admitted.endpoint.is_search();
        let began = Instant::now();
        let http = Arc::clone(self);
        let stop = stop.clone();
        let job = move || {
            if stop.is_set() && is_search {
                // Who asked for it left before its turn came.
                return;
            }
            let limit_bytes = admitted.body_bytes_max;
            let received = match admitted.is_gzip {
                true => http.bodies.gunzip(received, limit_bytes),
                false => Ok(received),
            };
            let received = received.and_then(|mut received| {
                let work_bytes = admitted.work_bytes(&received.bytes);
                http.bodies.charge(&mut received, work_bytes)?;
                Ok(received)
            });
            let (endpoint, mut request) = admitted.into_request(stop);
            let reply = match &received {
                Ok(received) => {
                    request.body = received.bytes.clone();
                    http.edge.handle(&endpoint, &request)
                }
                Err(error) => admission::refused(*error),
            };
            if is_search {
                http.edge.metrics.searched(began.elapsed());
            }
            // Whoever asked may have gone away by now.
            let _ = answered.send(form.frame(print(reply, &request.params)));
        };
        pool.submit(job)
            .map_err(|_| admission::rejected("waiting requests"))?;
        answer.await.map_err(|_| {
            let reason = "the request failed inside the server; its log says where";
            Reply::error(&ElasticError::new(500, "exception", reason))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_searches_for_a_client_that_has_left() {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        let http = Http::new(edge, 1, 8).expect("threads");
        // The only thread for searches is busy until the gate opens.
        let (open, gate) = mpsc::channel::<()>();
        let busy = move || gate.recv().expect("the test lives");
        http.searches.submit(busy).expect("room");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (_keep, stop) = watch::channel(false);
        let server = tokio::spawn(serve(Arc::clone(&http), listener, stop));

        let mut client = TcpStream::connect(address).await.expect("a connection");
        let request = "POST /_search HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
        client.write_all(request.as_bytes()).await.expect("sent");
        // Its body was read: now it waits for its turn.
        while http.edge.metrics.received_bytes(Port::Http) == 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
        while http.edge.metrics.clients_left() == 0 {
            tokio::task::yield_now().await;
        }
        open.send(()).expect("the thread lives");
        // Jobs are done one after another: when this one is, the search had its turn.
        let (done, last) = oneshot::channel();
        let mark = move || done.send(()).expect("the test lives");
        http.searches.submit(mark).expect("room");
        last.await.expect("it runs");
        assert_eq!(http.edge.metrics.searches(), 0, "somebody searched");
        server.abort();
    }
}
