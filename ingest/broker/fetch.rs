//! Fetch: stored batches as they are, now or when there are some.

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use storage::catalog::TopicState;
use storage::log::Batches;
use storage::model::{Offset, Partition};
use storage::store::{LogBounds, ReadError};

use super::isolation::Isolation;
use super::partitions::{partition_of, wire_offset};
use super::{Broker, Reply};
use crate::wire::{FetchResponse, FetchedPartition, FetchedTopic, KafkaError, Response};

/// First version that names topics by id.
const BY_ID_FROM: i16 = 13;

/// Longest wait that is granted, whatever the client asks for.
const WAIT_MS_MAX: i32 = 300_000;

/// Session epochs of a fetch that stands for itself: it opens no session, or would open one.
const SESSIONLESS_EPOCHS: [i32; 2] = [-1, 0];

/// A fetch that may wait for records.
#[derive(Debug)]
pub struct PendingFetch {
    topics: Vec<PendingTopic>,
    deadline_ms: i64,
    bytes_min: usize,
    bytes_max: usize,
    isolation: Isolation,
    /// What the last look saw of the partitions, when it found too little.
    seen: Option<u64>,
}

#[derive(Debug)]
struct PendingTopic {
    name: String,
    uuid: [u8; 16],
    partitions: Vec<PendingPartition>,
}

#[derive(Debug)]
struct PendingPartition {
    index: i32,
    from: i64,
    bytes_max: usize,
    /// What to read, or why not.
    place: Result<Partition, KafkaError>,
}

impl PendingFetch {
    /// When it is answered with whatever there is.
    #[must_use]
    pub fn deadline_ms(&self) -> i64 {
        self.deadline_ms
    }

    fn is_last(&self, now_ms: i64) -> bool {
        now_ms >= self.deadline_ms || self.bytes_min == 0
    }

    /// Most bytes of records that the client takes.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}

impl Broker {
    pub(super) fn fetch(&self, request: &FetchRequest, version: i16, now_ms: i64) -> Reply {
        // No session was ever granted, so a fetch that builds on one is mistaken.
        if !SESSIONLESS_EPOCHS.contains(&request.session_epoch) {
            let error = Some(KafkaError::FetchSessionIdNotFound);
            return Reply::Ready(Response::Fetch(FetchResponse {
                error,
                topics: Vec::new(),
            }));
        }
        let catalog = self.store.catalog();
        let is_replica = request.replica_id.0 >= 0 || request.replica_state.replica_id.0 >= 0;
        let topics = request.topics.iter().map(|topic| {
            let state = if version >= BY_ID_FROM {
                let state = self.topic_ids.find(&catalog, topic.topic_id.as_bytes());
                state.ok_or(KafkaError::UnknownTopicId)
            } else {
                let state = catalog.topic_named(&topic.topic);
                state.ok_or(KafkaError::UnknownTopicOrPartition)
            };
            let partitions = topic.partitions.iter().map(|asked| PendingPartition {
                index: asked.partition,
                from: asked.fetch_offset,
                bytes_max: usize::try_from(asked.partition_max_bytes).unwrap_or(0),
                place: match state {
                    Ok(_) if is_replica => Err(KafkaError::NotLeaderOrFollower),
                    Ok(state) => self.place(state, asked),
                    Err(error) => Err(error),
                },
            });
            PendingTopic {
                name: topic.topic.as_str().to_owned(),
                uuid: *topic.topic_id.as_bytes(),
                partitions: partitions.collect(),
            }
        });
        Reply::Fetch(PendingFetch {
            topics: topics.collect(),
            deadline_ms: now_ms + i64::from(request.max_wait_ms.clamp(0, WAIT_MS_MAX)),
            bytes_min: usize::try_from(request.min_bytes).unwrap_or(0),
            bytes_max: usize::try_from(request.max_bytes)
                .unwrap_or(0)
                .min(self.options.fetch_bytes_max),
            isolation: Isolation::of(request.isolation_level),
            seen: None,
        })
    }

    fn place(&self, state: &TopicState, asked: &FetchPartition) -> Result<Partition, KafkaError> {
        let partition = partition_of(state, asked.partition)?;
        self.check_epoch(asked.current_leader_epoch)?;
        Ok(partition)
    }

    /// Whether [`Broker::poll_fetch`] may have an answer. Costs no read.
    #[must_use]
    pub fn is_fetch_due(&self, fetch: &PendingFetch, now_ms: i64) -> bool {
        let look = self.look(fetch);
        let has_more = look.has_records && fetch.seen != Some(look.watermarks);
        fetch.is_last(now_ms) || look.has_error || has_more
    }

    /// The answer, once there is one: enough bytes, an error, or the deadline. `bytes_max` bounds
    /// the records besides what the client said; one batch is always read.
    pub fn poll_fetch(
        &self,
        fetch: &mut PendingFetch,
        bytes_max: usize,
        now_ms: i64,
    ) -> Option<Response> {
        if !self.is_fetch_due(fetch, now_ms) {
            return None;
        }
        let look = self.look(fetch);
        let bytes_max = bytes_max.min(fetch.bytes_max);
        let (response, bytes) = self.read(fetch, bytes_max);
        let has_enough = bytes >= fetch.bytes_min.min(bytes_max);
        if fetch.is_last(now_ms) || look.has_error || has_enough {
            return Some(Response::Fetch(response));
        }
        fetch.seen = Some(look.watermarks);
        None
    }

    /// What there is to be read, without reading it.
    fn look(&self, fetch: &PendingFetch) -> Look {
        let mut look = Look::default();
        for pending in fetch.topics.iter().flat_map(|topic| &topic.partitions) {
            match self.bounds(pending) {
                Ok((_, from, bounds)) => {
                    let end = fetch.isolation.end(&bounds);
                    look.has_records |= from < end;
                    // They only grow, so a sum that is equal says that none has grown.
                    look.watermarks = look.watermarks.wrapping_add(end.0);
                }
                Err(_) => look.has_error = true,
            }
        }
        look
    }

    fn read(&self, fetch: &PendingFetch, bytes_max: usize) -> (FetchResponse, usize) {
        let mut bytes = 0;
        let mut topics = Vec::with_capacity(fetch.topics.len());
        for topic in &fetch.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for pending in &topic.partitions {
                let left = bytes_max.saturating_sub(bytes).min(pending.bytes_max);
                let oversize = if bytes == 0 {
                    Oversize::Whole
                } else {
                    Oversize::Nothing
                };
                let fetched = self
                    .read_partition(pending, fetch.isolation, left, oversize)
                    .unwrap_or_else(|error| FetchedPartition::refused(pending.index, error));
                bytes += fetched.records.len();
                partitions.push(fetched);
            }
            topics.push(FetchedTopic {
                name: topic.name.clone(),
                uuid: topic.uuid,
                partitions,
            });
        }
        (
            FetchResponse {
                error: None,
                topics,
            },
            bytes,
        )
    }

    fn read_partition(
        &self,
        pending: &PendingPartition,
        isolation: Isolation,
        bytes_max: usize,
        oversize: Oversize,
    ) -> Result<FetchedPartition, KafkaError> {
        let (partition, from, bounds) = self.bounds(pending)?;
        let is_pointless = bytes_max == 0 && oversize == Oversize::Nothing;
        let records = if from >= isolation.end(&bounds) || is_pointless {
            Bytes::new()
        } else {
            let read = match isolation {
                Isolation::Uncommitted => self.store.read(partition, from, bytes_max),
                Isolation::Committed => self.store.read_stable(partition, from, bytes_max),
            };
            let read = read.map_err(|error| match error {
                ReadError::OutOfRange { .. } => KafkaError::OffsetOutOfRange,
                ReadError::UnknownPartition(_) => KafkaError::UnknownTopicOrPartition,
                ReadError::Log { .. } => KafkaError::KafkaStorageError,
            })?;
            match oversize {
                Oversize::Nothing if read.len() > bytes_max => Bytes::new(),
                Oversize::Nothing | Oversize::Whole => read,
            }
        };
        let aborted = match isolation {
            Isolation::Uncommitted => None,
            Isolation::Committed => Some(self.aborted(partition, from, &records)),
        };
        Ok(FetchedPartition {
            index: pending.index,
            error: None,
            high_watermark: wire_offset(bounds.high_watermark),
            last_stable: wire_offset(bounds.last_stable),
            log_start: wire_offset(bounds.start),
            aborted,
            records,
        })
    }

    /// What a reader must know to leave out what was aborted of `records`.
    fn aborted(&self, partition: Partition, from: Offset, records: &Bytes) -> Vec<(i64, i64)> {
        let until = Batches::new(records.clone()).end(from);
        let aborted = self.store.aborted(partition, from, until).into_iter();
        aborted
            .map(|it| (it.producer_id, wire_offset(it.first)))
            .collect()
    }

    /// Where to read, when it lies inside the log.
    fn bounds(
        &self,
        pending: &PendingPartition,
    ) -> Result<(Partition, Offset, LogBounds), KafkaError> {
        let partition = pending.place?;
        let bounds = self.store.client_bounds(partition);
        let bounds = bounds.ok_or(KafkaError::UnknownTopicOrPartition)?;
        let from = u64::try_from(pending.from).map(Offset).ok();
        let from = from.filter(|from| bounds.start <= *from && *from <= bounds.high_watermark);
        Ok((partition, from.ok_or(KafkaError::OffsetOutOfRange)?, bounds))
    }
}

/// What becomes of a first batch that is larger than the limit. The first of a response is sent
/// nevertheless, or its reader would never get past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oversize {
    Whole,
    Nothing,
}

#[derive(Debug, Default)]
struct Look {
    has_error: bool,
    has_records: bool,
    watermarks: u64,
}
