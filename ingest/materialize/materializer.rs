//! One bounded step from the log to rows.

use std::collections::BTreeMap;

use bytes::Bytes;
use storage::catalog::{Materialize, Topic, TopicState};
use storage::log::{AbortedBatches, Batches};
use storage::model::{ColumnBatch, Offset, Partition, PartitionId, TopicId};
use storage::store::{NewRows, ReadError, Store};

use super::MaterializeError;
use super::crew::{Crew, Job};
use super::dead_letters::{self, Sorting};
use super::worker::{Share, Turn, Worker};
use crate::decode::{DecodedRows, FieldsCommit};

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
}

/// What is kept of a topic between steps.
#[derive(Debug, Default)]
struct TopicWork {
    workers: Vec<Worker>,
    /// Whose turn is first in the next step.
    first: u32,
}

/// What became of the records of a step.
enum Decoded {
    /// The workers' shares. One alone may have found new fields.
    Shares(Vec<(DecodedRows, Share)>),
    /// Several workers worked and one found new fields, which the others do not know.
    Apart,
}

impl Materializer {
    /// One that knows no topic yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes rows of the next records of `topic`, within `budget`, and publishes them.
    /// Partitions are decoded side by side where `crew` has the hands.
    ///
    /// # Errors
    /// When the log cannot be read or the store has stopped.
    pub fn run_once(
        &mut self,
        store: &Store,
        topic: TopicId,
        budget: WorkBudget,
        crew: &dyn Crew,
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
                    self.step(store, state, budget, crew, now_ms)?
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
        state: &TopicState,
        budget: WorkBudget,
        crew: &dyn Crew,
        now_ms: i64,
    ) -> Result<Option<Progress>, MaterializeError> {
        let topic = &*state.topic;
        // Taken out, so that a failure leaves no half-read rows behind.
        let mut work = self.topics.remove(&topic.id).unwrap_or_default();
        let turns = read_turns(store, topic, work.first % topic.partitions, budget)?;
        let Some(last) = turns.last().map(|turn| turn.partition.id.0) else {
            self.topics.insert(topic.id, work);
            return Ok(Some(Progress {
                more: has_more(store, topic),
                ..Progress::default()
            }));
        };
        let shares = match decode(&mut work.workers, topic, turns.clone(), crew)? {
            Decoded::Shares(shares) => shares,
            Decoded::Apart => {
                work.workers.clear();
                let together = vec![turns];
                let Decoded::Shares(shares) =
                    decode_shares(&mut work.workers, topic, together, crew)?
                else {
                    unreachable!("one worker knows all that it finds")
                };
                shares
            }
        };
        let before = Sorting::of(state);
        if before == Sorting::Undecided && is_decided(before, &shares) {
            // Before the fields tell the same: a crash in between must not forget these.
            bury_first(store, topic, &shares, now_ms)?;
        }
        let mut progress = Progress::default();
        for (decoded, share) in shares {
            if let Some(fields) = &decoded.new_fields
                && fields.commit(store, topic.id)? == FieldsCommit::Outdated
            {
                return Ok(None);
            }
            progress.rows += decoded.rows.row_count();
            progress.rejected += share.letters.len();
            let letters = share.letters.iter();
            let rejected = letters.map(|letter| letter.rejected.clone()).collect();
            if before == Sorting::All {
                dead_letters::write(store, topic, share.letters, now_ms)?;
            }
            let rows = NewRows {
                rows: decoded.rows,
                removals: decoded.removals,
            };
            store.publish(topic.id, rows, &share.next, rejected, now_ms)?;
        }
        work.first = (last + 1) % topic.partitions;
        self.topics.insert(topic.id, work);
        progress.more = has_more(store, topic);
        Ok(Some(progress))
    }
}

/// Whether what was decoded tells that the topic has documents.
fn is_decided(before: Sorting, shares: &[(DecodedRows, Share)]) -> bool {
    let mut shares = shares.iter();
    shares.any(|(rows, share)| before.after(rows.rows.row_count(), &share.letters) == Sorting::All)
}

/// Makes dead letters of a topic's first documents that cannot be rows, and of all records before
/// them that are remembered.
fn bury_first(
    store: &Store,
    topic: &Topic,
    shares: &[(DecodedRows, Share)],
    now_ms: i64,
) -> Result<(), MaterializeError> {
    let instant = store.instant(topic.id);
    let rejected = instant.iter().flat_map(|instant| instant.rejected.newest());
    let mut letters = dead_letters::read_again(store, topic, rejected)?;
    letters.extend(
        shares
            .iter()
            .flat_map(|(_, share)| share.letters.iter().cloned()),
    );
    dead_letters::write(store, topic, letters, now_ms)
}

/// The next records of each partition in turn, from `first` on.
fn read_turns(
    store: &Store,
    topic: &Topic,
    first: u32,
    budget: WorkBudget,
) -> Result<Vec<Turn>, MaterializeError> {
    let mut turns = Vec::new();
    let mut bytes_left = budget.bytes_max;
    for turn in 0..topic.partitions {
        if turn > 0 && bytes_left == 0 {
            break;
        }
        let id = PartitionId((first + turn) % topic.partitions);
        let partition = Partition::new(topic.id, id);
        let turns_left = usize::try_from(topic.partitions - turn).unwrap_or(usize::MAX);
        let share = (bytes_left / turns_left).max(TURN_BYTES_MIN.min(bytes_left));
        if let Some((from, bytes)) = read(store, partition, share)? {
            bytes_left = bytes_left.saturating_sub(bytes.len());
            let end = Batches::new(bytes.clone()).end(from);
            let aborted = AbortedBatches::new(store.aborted(partition, from, end));
            turns.push(Turn {
                partition,
                from,
                bytes,
                aborted,
            });
        }
    }
    Ok(turns)
}

/// Lets `crew` decode `turns`. A topic without a time field gets it from its first row, which one
/// worker must find.
fn decode(
    workers: &mut Vec<Worker>,
    topic: &Topic,
    turns: Vec<Turn>,
    crew: &dyn Crew,
) -> Result<Decoded, MaterializeError> {
    let bytes: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
    let width = match topic.time_field {
        Some(_) => crew.width(bytes).clamp(1, turns.len()),
        None => 1,
    };
    let mut shares: Vec<Vec<Turn>> = vec![Vec::new(); width];
    for turn in turns {
        let load =
            |share: &&mut Vec<Turn>| -> usize { share.iter().map(|turn| turn.bytes.len()).sum() };
        let lightest = shares.iter_mut().min_by_key(load);
        lightest.expect("there is a worker at least").push(turn);
    }
    decode_shares(workers, topic, shares, crew)
}

/// Lets one worker decode each of `shares`.
fn decode_shares(
    workers: &mut Vec<Worker>,
    topic: &Topic,
    shares: Vec<Vec<Turn>>,
    crew: &dyn Crew,
) -> Result<Decoded, MaterializeError> {
    workers.retain(|worker| worker.is_current(topic));
    let count = shares.len();
    while workers.len() < count {
        workers.push(Worker::new(topic));
    }
    let mut results: Vec<Option<Result<_, MaterializeError>>> = Vec::new();
    results.resize_with(count, || None);
    let places = workers.iter_mut().zip(&mut results);
    let jobs = places
        .zip(shares)
        .map(|((worker, result), turns)| -> Job<'_> {
            Box::new(move || *result = Some(worker.decode(turns, count)))
        });
    crew.work(jobs.collect());
    let decoded = results
        .into_iter()
        .map(|result| result.expect("a crew does every job"))
        .collect::<Result<Vec<_>, _>>()?;
    let found = decoded.iter().any(|(rows, _)| rows.new_fields.is_some());
    Ok(match found && count > 1 {
        true => Decoded::Apart,
        false => Decoded::Shares(decoded),
    })
}

/// The next records of `partition`; `None` at its last stable offset: an aborted record never
/// becomes a row, so that one of an open transaction must wait.
fn read(
    store: &Store,
    partition: Partition,
    bytes_max: usize,
) -> Result<Option<(Offset, Bytes)>, MaterializeError> {
    let Some(bounds) = store.log_bounds(partition) else {
        return Ok(None);
    };
    let from = store.materialized(partition).max(bounds.start);
    if from >= bounds.last_stable {
        return Ok(None);
    }
    match store.read_stable(partition, from, bytes_max) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some((from, bytes))),
        // The log was trimmed or its topic deleted since; the next step sees that.
        Err(ReadError::OutOfRange { .. } | ReadError::UnknownPartition(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Counts the records of a topic that has no rows as done.
fn advance(store: &Store, topic: &Topic, now_ms: i64) -> Result<Progress, MaterializeError> {
    let mut next = Vec::new();
    for partition in topic.partitions() {
        if let Some(bounds) = store.log_bounds(partition)
            && store.materialized(partition) < bounds.last_stable
        {
            next.push((partition.id, bounds.last_stable));
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
            store.materialized(partition).max(bounds.start) < bounds.last_stable
        })
    })
}
