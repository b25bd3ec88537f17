//! Reading a request's body: bounded in size, in time and in sum over all requests.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes of one body, before and after decompression: Elasticsearch's default.
pub(super) const BODY_BYTES_MAX: usize = 100 << 20;
/// Most bytes of all bodies together.
const BODIES_BYTES_MAX: usize = 256 << 20;
/// Bodies are accounted for in units of this many bytes.
const UNIT_BYTES: usize = 4 << 10;
/// How long a client may send nothing inside a body.
const STALL_MAX: Duration = Duration::from_secs(30);
/// How long a body may take to come, and one second more for each so many bytes of it: who sends
/// a byte now and then holds room for others.
const COMING_MAX: Duration = Duration::from_secs(60);
const BYTES_A_SECOND_MIN: usize = 4 << 10;

const _: () = assert!(BODY_BYTES_MAX < BODIES_BYTES_MAX);

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Larger than allowed there.
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },
    /// It is small enough, but what it becomes is not.
    TooComplex,
    /// All requests together hold too much.
    Busy,
    /// Nothing came for too long.
    Stalled,
    /// The connection broke or the framing is wrong.
    Broken,
    /// It says that it is gzip, and is not.
    NotGzip,
}

/// How long the next bytes may take when `bytes` came within `elapsed`; `None` when they came too
/// slowly.
fn wait_max(elapsed: Duration, bytes: usize) -> Option<Duration> {
    let seconds = u64::try_from(bytes / BYTES_A_SECOND_MIN).unwrap_or(u64::MAX);
    let coming_max = COMING_MAX.saturating_add(Duration::from_secs(seconds));
    let left = coming_max.checked_sub(elapsed)?;
    (!left.is_zero()).then(|| left.min(STALL_MAX))
}

/// What bodies may take up in memory together.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_MAX / UNIT_BYTES)))
    }
}

/// A body and its share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Takes room for `bytes` more bytes.
    fn grow(
        &self,
        share: &mut Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Result<(), BodyError> {
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes.div_ceil(UNIT_BYTES).saturating_sub(held);
        let wanted = u32::try_from(wanted).map_err(|_| BodyError::Busy)?;
        let more = Arc::clone(&self.0)
            .try_acquire_many_owned(wanted)
            .map_err(|_| BodyError::Busy)?;
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        Ok(())
    }

    /// Reads `body` up to `limit_bytes`.
    pub(super) async fn receive(
        &self,
        mut body: Incoming,
        limit_bytes: usize,
    ) -> Result<Received, BodyError> {
        let too_large = BodyError::TooLarge { limit_bytes };
        let announced = body.size_hint().lower();
        if usize::try_from(announced).map_or(true, |bytes| bytes > limit_bytes) {
            return Err(too_large);
        }
        let mut share = None;
        let mut bytes = BytesMut::new();
        let began = Instant::now();
        loop {
            let wait = wait_max(began.elapsed(), bytes.len()).ok_or(BodyError::Stalled)?;
            let frame = tokio::time::timeout(wait, body.frame());
            let Some(frame) = frame.await.map_err(|_| BodyError::Stalled)? else {
                break;
            };
            let frame = frame.map_err(|_| BodyError::Broken)?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limit_bytes {
                return Err(too_large);
            }
            // Growing doubles at worst; the budget counts the capacity, not the length.
            self.grow(
                &mut share,
                (bytes.len() + data.len())
                    .next_power_of_two()
                    .min(limit_bytes),
            )?;
            bytes.extend_from_slice(&data);
        }
        Ok(Received {
            bytes: bytes.freeze(),
            share,
        })
    }

    /// Takes room for what the body becomes while it is worked on.
    pub(super) fn charge(&self, received: &mut Received, bytes: usize) -> Result<(), BodyError> {
        let total = received.bytes.len().saturating_add(bytes);
        if total > BODIES_BYTES_MAX {
            // It would never fit, however long the client waited.
            return Err(BodyError::TooComplex);
        }
        self.grow(&mut received.share, total)
    }

    /// Undoes gzip. The result is bounded like a body that came uncompressed.
    pub(super) fn gunzip(
        &self,
        received: Received,
        limit_bytes: usize,
    ) -> Result<Received, BodyError> {
        let mut share = received.share;
        let compressed_bytes = received.bytes.len();
        let mut reader = flate2::read::MultiGzDecoder::new(received.bytes.as_ref());
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = reader.read(&mut chunk).map_err(|_| BodyError::NotGzip)?;
            if count == 0 {
                return Ok(Received {
                    bytes: bytes.into(),
                    share,
                });
            }
            if bytes.len() + count > limit_bytes {
                return Err(BodyError::TooLarge { limit_bytes });
            }
            self.grow(&mut share, compressed_bytes + bytes.len() + count)?;
            bytes.extend_from_slice(&chunk[..count]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_with_some_speed() {
        let check = |seconds: u64, bytes: usize, expected: Option<u64>| {
            let wait = wait_max(Duration::from_secs(seconds), bytes);
            assert_eq!(
                wait,
                expected.map(Duration::from_secs),
                "{seconds} s, {bytes} bytes"
            );
        };
        check(0, 0, Some(30));
        check(45, 0, Some(15));
        check(60, 0, None);
        // A byte every half minute.
        check(600, 20, None);
        check(600, 600 << 12, Some(30));
        check(659, 600 << 12, Some(1));
    }
}
