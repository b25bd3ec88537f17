//! Dead letters: shown, and sent once more.

use ingest::materialize::dead_letter_header as header;
use storage::catalog::DEAD_LETTER_SUFFIX;
use storage::groups::{CommittedOffset, GroupChange};
use storage::log::{BatchBuilder, Batches, Codec, DecompressionBuffer, NewRecord, Record};
use storage::model::{Offset, Partition, PartitionId};

use super::Db;
use crate::elastic::ElasticError;
use crate::error::{Error, ErrorKind, Result};

/// The consumer group that remembers which dead letters were sent once more. Kafka's tools show
/// and reset it.
pub(crate) const REPLAY_GROUP: &str = "siltstone-dead-letters";

/// Bytes of a batch of replayed records, uncompressed, after which the next begins.
const BATCH_BYTES: usize = 1 << 20;

/// Bytes of log that are read at once.
const READ_BYTES: usize = 1 << 20;

/// A record that could not become a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeadLetter {
    /// Where it lies in its dead-letter topic.
    pub(crate) place: (u32, u64),
    /// Where it came from; `None` when a stranger wrote it there.
    pub(crate) source: Option<(u32, u64)>,
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// Headers that it had before.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Some dead letters of a topic.
#[derive(Debug, Default)]
pub(crate) struct DeadLetterPage {
    pub(crate) letters: Vec<DeadLetter>,
    /// How many there have been, by kind.
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// How many lie in the topic now.
    pub(crate) stored: u64,
}

/// What sending dead letters once more came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Appended to the topic that they came from.
    pub(crate) records: u64,
    /// Left where they are: nobody can read them, or a stranger wrote them.
    pub(crate) skipped: u64,
}

impl Db {
    /// Dead letters of `topic`, from the `from`th that is stored, at most `max`.
    pub(crate) fn dead_letters(
        &self,
        topic: &str,
        from: u64,
        max: usize,
    ) -> Result<DeadLetterPage> {
        let catalog = self.catalog();
        let Some(state) = catalog.topic_named(topic) else {
            return Err(ElasticError::index_not_found(topic).into());
        };
        let counts = state.dead_letters.counts.iter();
        let mut page = DeadLetterPage {
            counts: counts
                .map(|(kind, count)| (kind.as_str(), *count))
                .collect(),
            ..DeadLetterPage::default()
        };
        let Some(letters) = catalog.topic_named(&format!("{topic}{DEAD_LETTER_SUFFIX}")) else {
            return Ok(page);
        };
        let mut skip = from;
        for partition in letters.topic.partitions() {
            let Some(bounds) = self.core().store.log_bounds(partition) else {
                continue;
            };
            let stored = bounds.high_watermark.0 - bounds.start.0;
            page.stored += stored;
            if skip >= stored {
                skip -= stored;
                continue;
            }
            let first = bounds.start.plus(std::mem::take(&mut skip));
            let room = max - page.letters.len();
            let end = bounds.high_watermark.min(first.plus(room as u64));
            self.walk(partition, first, end, &mut |letter| {
                page.letters.push(letter);
                Ok(())
            })?;
        }
        Ok(page)
    }

    /// Appends the dead letters of `topic` that were not replayed yet to the partitions that they
    /// came from, each once: what was done is noted in the group [`REPLAY_GROUP`] with them.
    /// Those that become dead letters again meanwhile are left for the next call.
    pub(crate) fn replay_dead_letters(&self, topic: &str) -> Result<Replayed> {
        let replaying = self.core().replaying.lock();
        let _one_at_a_time = replaying.unwrap_or_else(std::sync::PoisonError::into_inner);
        let catalog = self.catalog();
        let Some(target) = catalog.topic_named(topic) else {
            return Err(ElasticError::index_not_found(topic).into());
        };
        let mut replayed = Replayed::default();
        let Some(letters) = catalog.topic_named(&format!("{topic}{DEAD_LETTER_SUFFIX}")) else {
            return Ok(replayed);
        };
        for from in letters.topic.partitions() {
            let Some(bounds) = self.core().store.log_bounds(from) else {
                continue;
            };
            let start = self.replayed(from).max(bounds.start);
            let mut copies = Copies::default();
            self.walk(from, start, bounds.high_watermark, &mut |letter| {
                let id = letter.source.map(|(id, _)| id);
                let id = id.filter(|id| *id < target.topic.partitions);
                let (Some(id), true) = (id, letter.kind != "unreadable") else {
                    replayed.skipped += 1;
                    return Ok(());
                };
                let to = Partition::new(target.topic.id, PartitionId(id));
                if copies.must_go(to) {
                    self.append_copies(from, std::mem::take(&mut copies))?;
                }
                replayed.records += 1;
                copies.push(to, &letter)
            })?;
            self.append_copies(from, copies)?;
        }
        Ok(replayed)
    }

    /// The first dead letter of `partition` that was not replayed.
    fn replayed(&self, partition: Partition) -> Offset {
        let groups = self.core().store.groups();
        let known = groups.get(REPLAY_GROUP);
        let known = known.and_then(|group| group.offsets.get(&partition));
        let offset = known.map_or(0, |known| known.offset);
        Offset(u64::try_from(offset).unwrap_or(0))
    }

    fn append_copies(&self, from: Partition, copies: Copies) -> Result<()> {
        let Some(to) = copies.to else {
            return Ok(());
        };
        let now_ms = self.core().now_ms();
        let offset = i64::try_from(copies.next.0).unwrap_or(i64::MAX);
        let read = CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
            committed_ms: now_ms,
            expires_ms: None,
        };
        let read = GroupChange::Commit {
            group: REPLAY_GROUP.into(),
            offsets: vec![(from, read)],
        };
        let batch = copies.batch.finish(Codec::None);
        let store = &self.core().store;
        let lsn = store.stage_copies(to, batch, read, now_ms)?;
        store.wait_durable(lsn)?;
        Ok(())
    }

    /// Gives `each` the records of `partition` between two offsets.
    fn walk(
        &self,
        partition: Partition,
        from: Offset,
        end: Offset,
        each: &mut dyn FnMut(DeadLetter) -> Result<()>,
    ) -> Result<()> {
        let mut scratch = DecompressionBuffer::new();
        let mut next = from;
        let unreadable = |error: &dyn std::fmt::Display| {
            let text = format!("dead letters of partition {partition}: {error}");
            Error::new(ErrorKind::Internal, text)
        };
        while next < end {
            let bytes = self.core().store.read(partition, next, READ_BYTES);
            let bytes = bytes.map_err(|error| unreadable(&error))?;
            if bytes.is_empty() {
                break;
            }
            for batch in Batches::new(bytes) {
                let batch = batch.map_err(|error| unreadable(&error))?;
                let after = batch.header().next_offset();
                if batch.header().is_control() {
                    next = after;
                    continue;
                }
                let records = batch.records(&mut scratch);
                for record in records.map_err(|error| unreadable(&error))? {
                    let record = record.map_err(|error| unreadable(&error))?;
                    if record.offset >= next && record.offset < end {
                        each(letter(partition, &record))?;
                    }
                }
                next = after;
            }
        }
        Ok(())
    }
}

/// Records on their way back.
#[derive(Debug, Default)]
struct Copies {
    to: Option<Partition>,
    batch: BatchBuilder,
    /// Behind the last dead letter among them.
    next: Offset,
}

impl Copies {
    /// Whether what is here must be appended before a record for `to` can join.
    fn must_go(&self, to: Partition) -> bool {
        self.to.is_some_and(|own| own != to) || self.batch.len_bytes() >= BATCH_BYTES
    }

    fn push(&mut self, to: Partition, letter: &DeadLetter) -> Result<()> {
        let headers = letter.headers.iter();
        let headers: Vec<(&str, Option<&[u8]>)> = headers
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let record = NewRecord {
            timestamp_ms: letter.timestamp_ms,
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &headers,
        };
        let pushed = self.batch.push(record);
        pushed.map_err(|error| Error::caused(ErrorKind::LimitExceeded, error))?;
        self.to = Some(to);
        self.next = Offset(letter.place.1).plus(1);
        Ok(())
    }
}

fn letter(partition: Partition, record: &Record<'_>) -> DeadLetter {
    let said = |name: &str| {
        let value = record.headers.last(name.as_bytes()).flatten();
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let number = |name: &str| said(name).and_then(|text| text.parse().ok());
    let partition_said = number(header::PARTITION).and_then(|id: u64| u32::try_from(id).ok());
    let own = record.headers.iter().filter_map(|header| {
        let name = String::from_utf8_lossy(header.key).into_owned();
        let is_ours = name.starts_with(header::PREFIX);
        (!is_ours).then(|| (name, header.value.map(<[u8]>::to_vec)))
    });
    DeadLetter {
        place: (partition.id.0, record.offset.0),
        source: partition_said.zip(number(header::OFFSET)),
        kind: said(header::KIND).unwrap_or_default(),
        reason: said(header::REASON).unwrap_or_default(),
        timestamp_ms: record.timestamp_ms,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: own.collect(),
    }
}
