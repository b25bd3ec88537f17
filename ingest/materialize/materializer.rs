//! One bounded step from the log to rows.

use std::collections::BTreeMap;

use bytes::Bytes;
use storage::catalog::{Materialize, Rejected, Topic};
use storage::log::{Batches, DecompressionBuffer, RecordBatch};
use storage::model::{ColumnBatch, Offset, Partition, PartitionId, TopicId};
use storage::store::{ReadError, Store};

use super::MaterializeError;
use crate::decode::{Document, DocumentDecoder, FieldsCommit, Meaning};

/// Bytes of documents after which rows are published even if the budget has more: what a small
/// compressed batch can become is bounded by this and one batch.
pub const ROW_BYTES_MAX: usize = 64 << 20;

/// Least bytes that a partition's turn reads, so that many partitions do not mean tiny reads.
const TURN_BYTES_MIN: usize = 64 << 10;

/// How often a step begins again because others changed the topic's fields meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// What one step may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkBudget {
    /// Bytes of log; at least one batch is always read.
    pub bytes_max: usize,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Records that became rows.
    pub rows: usize,
    /// Records that could not.
    pub rejected: usize,
    /// Whether records wait for a further step.
    pub more: bool,
}

/// Makes rows of records, topic by topic. Only one may work on a topic at a time.
#[derive(Debug, Default)]
pub struct Materializer {
    topics: BTreeMap<TopicId, TopicWork>,
    scratch: DecompressionBuffer,
}

/// What is kept of a topic between steps.
#[derive(Debug)]
struct TopicWork {
    decoder: DocumentDecoder,
    /// Whose turn is first in the next step.
    first: u32,
}

/// A step's results beside the rows.
#[derive(Debug, Default)]
struct Step {
    /// Where each partition goes on.
    next: Vec<(PartitionId, Offset)>,
    rejected: Vec<Rejected>,
}

impl Materializer {
    /// One that knows no topic yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes rows of the next records of `topic`, within `budget`, and publishes them.
    ///
    /// # Errors
    /// When the log cannot be read or the store has stopped. Nothing was published then.
    pub fn run_once(
        &mut self,
        store: &Store,
        topic: TopicId,
        budget: WorkBudget,
        now_ms: i64,
    ) -> Result<Progress, MaterializeError> {
        for _ in 0..ATTEMPTS_MAX {
            let catalog = store.catalog();
            let Some(state) = catalog.topic(topic) else {
                self.topics.remove(&topic);
                return Ok(Progress::default());
            };
            let progress = match state.topic.materialize {
                Materialize::None => Some(advance(store, &state.topic, now_ms)?),
                Materialize::Auto | Materialize::Json => {
                    self.step(store, &state.topic, budget, now_ms)?
                }
            };
            if let Some(progress) = progress {
                return Ok(progress);
            }
        }
        Ok(Progress {
            more: true,
            ..Progress::default()
        })
    }

    /// `None` when the topic's fields were changed by others before ours were durable.
    fn step(
        &mut self,
        store: &Store,
        topic: &Topic,
        budget: WorkBudget,
        now_ms: i64,
    ) -> Result<Option<Progress>, MaterializeError> {
        // Taken out, so that a failure leaves no half-read rows behind.
        let known = self.topics.remove(&topic.id);
        let first = known
            .as_ref()
            .map_or(0, |work| work.first % topic.partitions);
        let mut decoder = match known {
            Some(work) if work.decoder.is_current(topic) => work.decoder,
            Some(_) | None => DocumentDecoder::new(topic),
        };
        let (step, last) = self.collect(store, topic, first, budget, &mut decoder)?;
        if step.next.is_empty() {
            self.topics.insert(topic.id, TopicWork { decoder, first });
            return Ok(Some(Progress {
                more: has_more(store, topic),
                ..Progress::default()
            }));
        }
        let decoded = decoder.finish();
        if let Some(fields) = &decoded.new_fields
            && fields.commit(store, topic.id)? == FieldsCommit::Outdated
        {
            return Ok(None);
        }
        let (rows, rejected) = (decoded.rows.row_count(), step.rejected.len());
        store.publish(topic.id, decoded.rows, &step.next, step.rejected, now_ms)?;
        let first = (last + 1) % topic.partitions;
        self.topics.insert(topic.id, TopicWork { decoder, first });
        Ok(Some(Progress {
            rows,
            rejected,
            more: has_more(store, topic),
        }))
    }

    /// Decodes the next records of each partition in turn; says whose turn was last.
    fn collect(
        &mut self,
        store: &Store,
        topic: &Topic,
        first: u32,
        budget: WorkBudget,
        decoder: &mut DocumentDecoder,
    ) -> Result<(Step, u32), MaterializeError> {
        let mut step = Step::default();
        let mut last = first;
        let mut bytes_left = budget.bytes_max;
        for turn in 0..topic.partitions {
            if turn > 0 && (bytes_left == 0 || decoder.source_bytes() >= ROW_BYTES_MAX) {
                break;
            }
            let id = PartitionId((first + turn) % topic.partitions);
            let partition = Partition::new(topic.id, id);
            let turns_left = usize::try_from(topic.partitions - turn).unwrap_or(usize::MAX);
            let share = (bytes_left / turns_left).max(TURN_BYTES_MIN.min(bytes_left));
            let Some((from, bytes)) = read(store, partition, share)? else {
                continue;
            };
            bytes_left = bytes_left.saturating_sub(bytes.len());
            last = id.0;
            let mut next = from;
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|source| MaterializeError::Batch {
                    partition,
                    from: next,
                    source,
                })?;
                decode_batch(
                    &batch,
                    partition,
                    next,
                    decoder,
                    &mut self.scratch,
                    &mut step,
                );
                next = batch.header().next_offset();
                if decoder.source_bytes() >= ROW_BYTES_MAX {
                    break;
                }
            }
            step.next.push((id, next));
        }
        Ok((step, last))
    }
}

/// The next records of `partition`; `None` at its high watermark.
fn read(
    store: &Store,
    partition: Partition,
    bytes_max: usize,
) -> Result<Option<(Offset, Bytes)>, MaterializeError> {
    let Some(bounds) = store.log_bounds(partition) else {
        return Ok(None);
    };
    let from = store.materialized(partition).max(bounds.start);
    if from >= bounds.high_watermark {
        return Ok(None);
    }
    match store.read(partition, from, bytes_max) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some((from, bytes))),
        // The log was trimmed or its topic deleted since; the next step sees that.
        Err(ReadError::OutOfRange { .. } | ReadError::UnknownPartition(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Decodes the records of `batch` from offset `from` on.
fn decode_batch(
    batch: &RecordBatch,
    partition: Partition,
    from: Offset,
    decoder: &mut DocumentDecoder,
    scratch: &mut DecompressionBuffer,
    step: &mut Step,
) {
    if batch.header().is_control() {
        return;
    }
    let mut reject = |offset: Offset, reason: &str| {
        step.rejected
            .push(Rejected::new(partition.id, offset, reason));
    };
    let records = match batch.records(scratch) {
        Ok(records) => records,
        // Nobody can read any of its records: together they are one.
        Err(error) => return reject(batch.header().base_offset.max(from), &error.to_string()),
    };
    let mut next = batch.header().base_offset;
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => return reject(next.max(from), &error.to_string()),
        };
        next = record.offset.plus(1);
        if record.offset < from {
            continue;
        }
        match Meaning::of(&record) {
            Meaning::Nothing => {}
            Meaning::Unsupported => {
                reject(record.offset, "deletes of documents are not supported yet");
            }
            Meaning::Document { id, source } => {
                let decoded = decoder.decode(&Document {
                    partition: partition.id,
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    id,
                    source,
                });
                if let Err(error) = decoded {
                    reject(record.offset, &error.to_string());
                }
            }
        }
    }
}

/// Counts the records of a topic that has no rows as done.
fn advance(store: &Store, topic: &Topic, now_ms: i64) -> Result<Progress, MaterializeError> {
    let mut next = Vec::new();
    for partition in topic.partitions() {
        if let Some(bounds) = store.log_bounds(partition)
            && store.materialized(partition) < bounds.high_watermark
        {
            next.push((partition.id, bounds.high_watermark));
        }
    }
    if !next.is_empty() {
        let no_rows = ColumnBatch::default();
        store.publish(topic.id, no_rows, &next, Vec::new(), now_ms)?;
    }
    Ok(Progress::default())
}

/// Whether a partition has records that are not rows.
fn has_more(store: &Store, topic: &Topic) -> bool {
    topic.partitions().any(|partition| {
        let bounds = store.log_bounds(partition);
        bounds.is_some_and(|bounds| {
            store.materialized(partition).max(bounds.start) < bounds.high_watermark
        })
    })
}
