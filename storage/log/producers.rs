//! Recognising batches that a producer sends again, and batches that are missing in between.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::BatchHeader;
use crate::model::Offset;

/// How many batches a producer may have on the way: Kafka's clients keep at most this many.
pub const RETAINED_BATCHES: usize = 5;

/// The most producers that a partition remembers. Beyond it, the quarter that has been silent for
/// longest is forgotten; their next batch is taken as it is.
pub const PRODUCERS_MAX: usize = 65_536;

/// What a partition knows about the producers that number their batches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Producer>", into = "Vec<Producer>")]
pub struct ProducerStates {
    producers: FxHashMap<i64, Producer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Producer {
    id: i64,
    epoch: i16,
    /// By our clock, not the records': a replay of old events must not expire at once.
    last_append_ms: i64,
    /// Oldest first, at most [`RETAINED_BATCHES`]. None of an epoch that only a marker has named.
    batches: VecDeque<Retained>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Retained {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: Offset,
}

/// What is told about a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSummary {
    /// Its id.
    pub id: i64,
    /// Its newest epoch.
    pub epoch: i16,
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// When it appended last, by our clock.
    pub last_append_ms: i64,
}

/// What to do with a batch whose sequence is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceCheck {
    /// Append it.
    Accept,
    /// It was appended already: answer with the offset that it got.
    Duplicate {
        /// The offset of its first record.
        base_offset: Offset,
    },
}

/// Why a producer's batch must not be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SequenceError {
    /// Batches before it are missing, or it is older than all that are remembered.
    #[error("producer {producer_id} sent sequence {found} where {expected} was expected")]
    OutOfOrder {
        /// The producer.
        producer_id: i64,
        /// The sequence that would have been in order.
        expected: i32,
        /// The sequence of the batch.
        found: i32,
    },
    /// Another instance took over the producer's id.
    #[error("producer {producer_id} sent epoch {found}, but epoch {current} has begun")]
    StaleEpoch {
        /// The producer.
        producer_id: i64,
        /// The newest epoch.
        current: i16,
        /// The epoch of the batch.
        found: i16,
    },
}

impl ProducerStates {
    /// Nobody is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether a batch is next in order. Any sequence is in order for a producer that is not
    /// known: the one before may have expired.
    ///
    /// # Errors
    /// When the batch must be refused.
    pub fn check(&self, header: &BatchHeader) -> Result<SequenceCheck, SequenceError> {
        let producer_id = header.producer_id;
        let Some(producer) = self
            .producers
            .get(&producer_id)
            .filter(|_| producer_id >= 0)
        else {
            return Ok(SequenceCheck::Accept);
        };
        let (current, found) = (producer.epoch, header.producer_epoch);
        if found < current {
            return Err(SequenceError::StaleEpoch {
                producer_id,
                current,
                found,
            });
        }
        let expected = if found > current {
            0
        } else {
            producer.next_sequence()
        };
        if header.base_sequence == expected {
            return Ok(SequenceCheck::Accept);
        }
        let same = |batch: &&Retained| {
            found == current
                && batch.first_sequence == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        };
        match producer.batches.iter().find(same) {
            Some(batch) => Ok(SequenceCheck::Duplicate {
                base_offset: batch.base_offset,
            }),
            None => {
                let found = header.base_sequence;
                Err(SequenceError::OutOfOrder {
                    producer_id,
                    expected,
                    found,
                })
            }
        }
    }

    /// Notes a batch that was accepted and has its offsets. `now_ms` is the time of appending.
    pub fn apply(&mut self, header: &BatchHeader, now_ms: i64) {
        let id = header.producer_id;
        if id < 0 {
            return;
        }
        if header.is_control() {
            return self.apply_marker(header, now_ms);
        }
        if self.producers.len() >= PRODUCERS_MAX && !self.producers.contains_key(&id) {
            self.forget_silent();
        }
        let epoch = header.producer_epoch;
        let producer = self.producers.entry(id).or_insert_with(|| Producer {
            id,
            epoch,
            last_append_ms: now_ms,
            batches: VecDeque::with_capacity(RETAINED_BATCHES),
        });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == RETAINED_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Retained {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
        });
        producer.last_append_ms = producer.last_append_ms.max(now_ms);
    }

    /// Markers at the end of a transaction carry the producer's id and epoch but no sequence. One
    /// of a new epoch fences what the producer sent before.
    fn apply_marker(&mut self, header: &BatchHeader, now_ms: i64) {
        let Some(producer) = self.producers.get_mut(&header.producer_id) else {
            return;
        };
        if producer.epoch < header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_append_ms = producer.last_append_ms.max(now_ms);
    }

    /// Forgets producers that appended nothing since `before_ms`.
    pub fn expire(&mut self, before_ms: i64) {
        self.producers
            .retain(|_, producer| producer.last_append_ms >= before_ms);
    }

    /// How many producers are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.producers.len()
    }

    /// What is told about each of them.
    pub fn summaries(&self) -> impl Iterator<Item = ProducerSummary> {
        self.producers.values().map(|producer| ProducerSummary {
            id: producer.id,
            epoch: producer.epoch,
            last_sequence: producer
                .batches
                .back()
                .map_or(-1, |last| last.last_sequence),
            last_append_ms: producer.last_append_ms,
        })
    }

    fn forget_silent(&mut self) {
        let mut times: Vec<i64> = self
            .producers
            .values()
            .map(|producer| producer.last_append_ms)
            .collect();
        let (_, quarter_ms, _) = times.select_nth_unstable(PRODUCERS_MAX / 4);
        let quarter_ms = *quarter_ms;
        let mut room = PRODUCERS_MAX / 4;
        self.producers.retain(|_, producer| {
            let forgotten = room > 0 && producer.last_append_ms <= quarter_ms;
            room -= usize::from(forgotten);
            !forgotten
        });
    }
}

impl Producer {
    /// Sequences go on at 0 after 2^31 - 1.
    fn next_sequence(&self) -> i32 {
        let last = self.batches.back();
        last.and_then(|last| last.last_sequence.checked_add(1))
            .unwrap_or(0)
    }
}

impl From<Vec<Producer>> for ProducerStates {
    fn from(producers: Vec<Producer>) -> Self {
        let known = producers.into_iter();
        Self {
            producers: known.map(|producer| (producer.id, producer)).collect(),
        }
    }
}

impl From<ProducerStates> for Vec<Producer> {
    /// Sorted, so that the same state has the same bytes.
    fn from(states: ProducerStates) -> Self {
        let mut producers: Self = states.producers.into_values().collect();
        producers.sort_by_key(|producer| producer.id);
        producers
    }
}
