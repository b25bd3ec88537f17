//! Records that cannot become rows, on their way to the topic `<topic>.dead-letter`.
//!
//! Each goes there once, with its key, value, time and headers as they were; further headers say
//! where it lies and what is wrong with it. A topic of dead letters has none of its own.
//!
//! Whether a topic holds documents at all is not always said. With `index.materialize: auto` a
//! record that does not begin as an object is no dead letter until something tells that the topic
//! has documents: a field, a first row, a record that begins as one. Then the earlier records
//! follow, as far as they are remembered. So a topic of other bytes floods nothing.

use std::collections::BTreeMap;

use storage::catalog::{
    Catalog, DEAD_LETTER_SUFFIX, Dynamic, Materialize, RejectKind, Rejected, Topic, TopicState,
};
use storage::log::{BatchBuilder, Batches, Codec, DecompressionBuffer, NewRecord, Record};
use storage::model::{Offset, Partition, TopicName};
use storage::store::{DeadLetters, Lsn, ReadError, Store, StoreError};

use super::MaterializeError;

/// Names of the headers that dead letters have, before those that they had.
pub mod header {
    /// What is wrong, in words.
    pub const REASON: &str = "dead-letter.reason";
    /// What is wrong, in one word.
    pub const KIND: &str = "dead-letter.kind";
    /// The topic.
    pub const TOPIC: &str = "dead-letter.topic";
    /// The partition.
    pub const PARTITION: &str = "dead-letter.partition";
    /// The offset.
    pub const OFFSET: &str = "dead-letter.offset";
    /// What they all begin with.
    pub const PREFIX: &str = "dead-letter.";
}

/// Uncompressed bytes of a batch after which the next one begins.
const BATCH_BYTES: usize = 1 << 20;

/// How many bytes are read to find one record again; at least its batch is.
const FIND_BYTES: usize = 1;

/// A record that cannot become a row.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) rejected: Rejected,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Letter {
    /// `record`, as it stands in the log.
    pub(super) fn new(rejected: Rejected, record: &Record<'_>) -> Self {
        let headers = record.headers.iter().map(|header| {
            let name = String::from_utf8_lossy(header.key).into_owned();
            (name, header.value.map(<[u8]>::to_vec))
        });
        Self {
            rejected,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.collect(),
        }
    }

    /// A batch that nobody can read, from `rejected` on: its bytes are the value.
    pub(super) fn of_batch(rejected: Rejected, timestamp_ms: i64, bytes: &[u8]) -> Self {
        Self {
            rejected,
            timestamp_ms,
            key: None,
            value: Some(bytes.to_vec()),
            headers: Vec::new(),
        }
    }

    /// What it takes in memory, more or less.
    pub(super) fn bytes(&self) -> usize {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + len(value));
        len(&self.key) + len(&self.value) + headers.sum::<usize>() + size_of::<Self>()
    }

    /// Whether whoever wrote it may have meant a document.
    fn begins_as_document(&self) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        let first = value.iter().find(|byte| !byte.is_ascii_whitespace());
        // A write by id of ours is meant as one, whatever is in it.
        first == Some(&b'{') || self.rejected.kind == RejectKind::Id
    }
}

/// What a topic does with records that cannot become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    /// They are dead letters.
    All,
    /// They are, once something tells that the topic has documents.
    Undecided,
    /// They are only counted.
    None,
}

impl Sorting {
    pub(super) fn of(state: &TopicState) -> Self {
        let topic = &state.topic;
        if dead_letter_topic(topic).is_none() {
            return Self::None;
        }
        match topic.materialize {
            Materialize::None => Self::None,
            Materialize::Json => Self::All,
            Materialize::Auto => {
                let has_documents = !topic.mapping.fields.is_empty()
                    || topic.time_field.is_some()
                    || !state.dead_letters.next.is_empty();
                if has_documents {
                    Self::All
                } else {
                    Self::Undecided
                }
            }
        }
    }

    /// The same after a step that made `rows` rows and found `letters`.
    pub(super) fn after(self, rows: usize, letters: &[Letter]) -> Self {
        let tells = rows > 0 || letters.iter().any(Letter::begins_as_document);
        match self {
            Self::Undecided if tells => Self::All,
            Self::All | Self::Undecided | Self::None => self,
        }
    }
}

/// The topic that dead letters of `topic` go to; `None` when it has them itself, or when the name
/// would be too long.
pub(super) fn dead_letter_topic(topic: &Topic) -> Option<TopicName> {
    let name = topic.name.as_str();
    match name.ends_with(DEAD_LETTER_SUFFIX) {
        true => None,
        false => TopicName::parse(&format!("{name}{DEAD_LETTER_SUFFIX}")).ok(),
    }
}

/// Makes `letters` of `topic` durable dead letters, those left out that are so already.
pub(super) fn write(
    store: &Store,
    topic: &Topic,
    mut letters: Vec<Letter>,
    now_ms: i64,
) -> Result<(), MaterializeError> {
    let Some(name) = dead_letter_topic(topic) else {
        return Ok(());
    };
    let catalog = store.catalog();
    let Some(state) = catalog.topic(topic.id) else {
        return Err(StoreError::UnknownTopic(topic.id).into());
    };
    letters.retain(|letter| {
        let Rejected {
            partition, offset, ..
        } = letter.rejected;
        offset >= state.dead_letters.next(partition)
    });
    letters.sort_by_key(|letter| (letter.rejected.partition, letter.rejected.offset));
    let mut staged = None;
    for letters in letters.chunk_by(|a, b| a.rejected.partition == b.rejected.partition) {
        let mut batch = DeadBatch::new(topic, &name);
        for letter in letters {
            batch.push(letter)?;
            if batch.builder.len_bytes() >= BATCH_BYTES {
                let full = std::mem::replace(&mut batch, DeadBatch::new(topic, &name));
                staged = Some(full.stage(store, now_ms)?);
            }
        }
        if batch.builder.record_count() > 0 {
            staged = Some(batch.stage(store, now_ms)?);
        }
    }
    if let Some(lsn) = staged {
        store.wait_durable(lsn)?;
    }
    Ok(())
}

/// Those of `rejected` that are in the log still, read once more.
pub(super) fn read_again<'a>(
    store: &Store,
    topic: &Topic,
    rejected: impl Iterator<Item = &'a Rejected>,
) -> Result<Vec<Letter>, MaterializeError> {
    let mut scratch = DecompressionBuffer::new();
    let mut letters = Vec::new();
    for rejected in rejected {
        let partition = Partition::new(topic.id, rejected.partition);
        let bytes = match store.read(partition, rejected.offset, FIND_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::OutOfRange { .. } | ReadError::UnknownPartition(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let Some(Ok(batch)) = Batches::new(bytes).next() else {
            continue;
        };
        let time_ms = batch.header().max_timestamp_ms;
        let unreadable = Letter::of_batch(rejected.clone(), time_ms, batch.bytes());
        let Ok(mut records) = batch.records(&mut scratch) else {
            letters.push(unreadable);
            continue;
        };
        let found = records.find_map(|record| match record {
            Ok(record) if record.offset < rejected.offset => None,
            Ok(record) => Some(Letter::new(rejected.clone(), &record)),
            Err(_) => Some(unreadable.clone()),
        });
        letters.extend(found);
    }
    Ok(letters)
}

/// A batch of dead letters of one partition.
struct DeadBatch<'a> {
    topic: &'a Topic,
    name: &'a TopicName,
    builder: BatchBuilder,
    source: Option<Partition>,
    next: Offset,
    counts: BTreeMap<RejectKind, u64>,
}

impl<'a> DeadBatch<'a> {
    fn new(topic: &'a Topic, name: &'a TopicName) -> Self {
        Self {
            topic,
            name,
            builder: BatchBuilder::new(),
            source: None,
            next: Offset(0),
            counts: BTreeMap::new(),
        }
    }

    fn push(&mut self, letter: &Letter) -> Result<(), MaterializeError> {
        let Rejected {
            partition,
            offset,
            ref reason,
            kind,
        } = letter.rejected;
        let (partition_text, offset_text) = (partition.0.to_string(), offset.0.to_string());
        let mut headers: Vec<(&str, Option<&[u8]>)> = vec![
            (header::REASON, Some(reason.as_bytes())),
            (header::KIND, Some(kind.as_str().as_bytes())),
            (header::TOPIC, Some(self.topic.name.as_str().as_bytes())),
            (header::PARTITION, Some(partition_text.as_bytes())),
            (header::OFFSET, Some(offset_text.as_bytes())),
        ];
        let own = letter.headers.iter();
        headers.extend(own.map(|(name, value)| (name.as_str(), value.as_deref())));
        let record = NewRecord {
            timestamp_ms: letter.timestamp_ms,
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &headers,
        };
        let source = Partition::new(self.topic.id, partition);
        let pushed = self.builder.push(record);
        pushed.map_err(|error| MaterializeError::Batch {
            partition: source,
            from: offset,
            source: error,
        })?;
        self.source = Some(source);
        self.next = offset.plus(1);
        *self.counts.entry(kind).or_default() += 1;
        Ok(())
    }

    fn stage(self, store: &Store, now_ms: i64) -> Result<Lsn, MaterializeError> {
        let letters = DeadLetters {
            source: self.source.expect("a batch is staged when it has letters"),
            next: self.next,
            topic: self.name.clone(),
            // What every client can read, and what makes a flood small.
            batch: self.builder.finish(Codec::Gzip),
            counts: self.counts,
        };
        let (name, source) = (self.name, self.topic);
        let new_topic = |catalog: &Catalog| new_topic(name, source, catalog, now_ms);
        Ok(store.stage_dead_letters(letters, new_topic, now_ms)?)
    }
}

/// The topic for dead letters of `source`. Its records stay records.
fn new_topic(name: &TopicName, source: &Topic, catalog: &Catalog, now_ms: i64) -> Topic {
    // Numbers are never used twice, so that this is no other topic's identity.
    let number = u128::from(catalog.next_topic_id().0);
    let uuid = u128::from_le_bytes(source.uuid) ^ (number << 64 | number);
    Topic {
        id: catalog.next_topic_id(),
        name: name.clone(),
        uuid: uuid.to_le_bytes(),
        partitions: 1,
        routing_partitions: None,
        created_ms: now_ms,
        config: BTreeMap::new(),
        settings: BTreeMap::new(),
        dynamic: Dynamic::default(),
        mapping: Default::default(),
        time_field: None,
        materialize: Materialize::None,
    }
}
