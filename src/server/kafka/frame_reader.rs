//! Frames out of a stream of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::Shared;

/// A frame starts with its length.
const LENGTH_BYTES: usize = 4;

/// Room that is made for bytes before anybody knows what they are.
const READ_BYTES: usize = 16 << 10;

/// One request as it came, without its length, and its share of the memory.
#[derive(Debug)]
pub(super) struct ReceivedFrame {
    pub(super) bytes: Bytes,
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// A place in the queue for memory.
type Queued = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Reads frames. What a client claims costs nothing; what it sends is kept in a buffer that grows
/// up to the size of a small frame, and beyond that only with a share of the memory that all
/// connections have together.
pub(super) struct FrameReader {
    stream: OwnedReadHalf,
    buffer: BytesMut,
    share: Option<OwnedSemaphorePermit>,
    queued: Option<Queued>,
    /// Since when the frame is being received, waiting for memory not counted.
    begun: Instant,
    /// When more of it must have come.
    deadline: Instant,
    shared: Arc<Shared>,
}

/// Length of the frame that the buffer begins with, as far as it is known.
enum Wanted {
    Unknown,
    Bytes(usize),
}

impl FrameReader {
    pub(super) fn new(stream: OwnedReadHalf, shared: Arc<Shared>) -> Self {
        let begun = Instant::now();
        // Clients say who they are at once; who does not only takes a place.
        let deadline = begun + shared.limits.stall;
        Self {
            stream,
            buffer: BytesMut::new(),
            share: None,
            queued: None,
            begun,
            deadline,
            shared,
        }
    }

    /// The next frame, or `None` at the end of the stream. May be dropped and called again.
    ///
    /// # Errors
    /// When the connection breaks, is silent or slow for too long, or sends no frame.
    pub(super) async fn next(&mut self) -> io::Result<Option<ReceivedFrame>> {
        loop {
            match self.wanted()? {
                Wanted::Bytes(bytes) if self.buffer.len() >= LENGTH_BYTES + bytes => {
                    return Ok(Some(self.split(bytes)));
                }
                Wanted::Bytes(bytes) => self.make_room(bytes).await?,
                Wanted::Unknown => self.buffer.reserve(READ_BYTES),
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Whether nothing came behind the last frame so far.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Ends when the stream ends or breaks; what comes meanwhile is kept, up to a small amount.
    pub(super) async fn closed(&mut self) {
        loop {
            if self.buffer.len() >= READ_BYTES {
                return std::future::pending().await;
            }
            self.buffer.reserve(READ_BYTES);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Starts the time of the next request, which may have begun already.
    pub(super) fn expect_next(&mut self) {
        let limits = &self.shared.limits;
        let time_max = if self.buffer.is_empty() {
            limits.idle
        } else {
            limits.stall
        };
        self.deadline = Instant::now() + time_max;
    }

    async fn read(&mut self) -> io::Result<usize> {
        let was_empty = self.buffer.is_empty();
        let read = timeout_at(self.deadline, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.map_err(|_| {
            let text = if was_empty {
                "said nothing for too long"
            } else {
                "sends too slowly"
            };
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
        if was_empty {
            self.begun = Instant::now();
        }
        self.deadline = self.begun + self.shared.limits.transfer_time_max(self.buffer.len());
        Ok(read)
    }

    fn wanted(&self) -> io::Result<Wanted> {
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(Wanted::Unknown);
        };
        let length = i32::from_be_bytes(*length);
        let max = self.shared.limits.request_bytes_max;
        match usize::try_from(length) {
            Ok(bytes) if bytes > 0 && bytes <= max => Ok(Wanted::Bytes(bytes)),
            _ => {
                let text = format!("frame length {length} is not in 1..={max}");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }

    /// Makes room for more of a frame of `bytes`: a little until the client has proved that it
    /// sends much, then all, once there is a share for it.
    async fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        let small = self.shared.limits.small_frame_bytes;
        if bytes > small && self.share.is_none() && self.buffer.len() >= small {
            self.share = Some(self.take_share(bytes).await?);
            self.begun = Instant::now();
            self.deadline = self.begun + self.shared.limits.stall;
        }
        let missing = (LENGTH_BYTES + bytes).saturating_sub(self.buffer.len());
        let room = if self.share.is_some() {
            missing
        } else {
            missing.min(READ_BYTES)
        };
        self.buffer.reserve(room);
        Ok(())
    }

    /// Waits for memory. The place in the queue is kept when the caller is dropped.
    async fn take_share(&mut self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let shared = &self.shared;
        let is_medium = bytes <= shared.limits.medium_frame_bytes;
        let memory = if is_medium {
            &shared.medium_bytes
        } else {
            &shared.huge_bytes
        };
        let queued = self.queued.get_or_insert_with(|| {
            let permits = u32::try_from(bytes).expect("frames are smaller than 4 GiB");
            Box::pin(Arc::clone(memory).acquire_many_owned(permits))
        });
        let share = timeout_at(self.deadline, queued).await;
        self.queued = None;
        let none_left = || io::Error::new(io::ErrorKind::TimedOut, "no memory for a large request");
        share.map_err(|_| none_left())?.map_err(|_| none_left())
    }

    fn split(&mut self, bytes: usize) -> ReceivedFrame {
        self.buffer.advance(LENGTH_BYTES);
        let frame = self.buffer.split_to(bytes).freeze();
        ReceivedFrame {
            bytes: frame,
            share: self.share.take(),
        }
    }
}
