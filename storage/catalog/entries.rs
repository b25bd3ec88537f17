//! The catalog as entries of a checkpoint: one key for each topic, segment, template.
//!
//! Keys are text whose order is that of the numbers inside: `topic/0000000001`,
//! `segment/0000000001/00000000000000000007`. Values are JSON; see `docs/formats/catalog.md`.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Catalog, CatalogError, Entries, SegmentId, SegmentMeta, Topic, TopicState, hex};
use crate::model::TopicId;

/// Version of keys and values of a checkpoint, kept in the entry `catalog`.
pub const CHECKPOINT_FORMAT_VERSION: u32 = 1;

/// The entry that every checkpoint has.
const HEAD_KEY: &str = "catalog";

const TOPIC_PREFIX: &str = "topic/";
const SEGMENT_PREFIX: &str = "segment/";
const WATERMARKS_PREFIX: &str = "watermarks/";
const REJECTED_PREFIX: &str = "rejected/";
const TEMPLATE_PREFIX: &str = "template/";

#[derive(Serialize, Deserialize)]
struct Head {
    format_version: u32,
    #[serde(with = "hex")]
    store_uuid: [u8; 16],
    edit_count: u64,
    next_topic_id: TopicId,
    next_segment_id: SegmentId,
    next_producer_id: i64,
}

/// The value `value` as an entry.
#[must_use]
pub fn encode_entry<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("checkpoint values have only text keys")
}

/// Reads the value of entry `key`.
///
/// # Errors
/// When `bytes` are no `T`.
pub fn decode_entry<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, CatalogError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let key = String::from_utf8_lossy(key);
        CatalogError::Damaged(format!("entry '{key}': {error}"))
    })
}

impl Catalog {
    /// Adds the catalog to `entries`.
    pub fn write_entries(&self, entries: &mut Entries) {
        let head = Head {
            format_version: CHECKPOINT_FORMAT_VERSION,
            store_uuid: self.store_uuid,
            edit_count: self.edit_count,
            next_topic_id: self.next_topic_id,
            next_segment_id: self.next_segment_id,
            next_producer_id: self.next_producer_id,
        };
        entries.insert(HEAD_KEY.into(), encode_entry(&head));
        for (id, state) in self.topics.iter() {
            write_topic(*id, state, entries);
        }
        for (name, body) in self.templates.iter() {
            let key = format!("{TEMPLATE_PREFIX}{name}");
            entries.insert(key.into(), encode_entry(body));
        }
    }

    /// The catalog of `entries`; `None` when they hold none. Entries of others are left alone.
    ///
    /// # Errors
    /// When an entry is damaged or of a later release, or one does not fit the others.
    pub fn read_entries(entries: &Entries) -> Result<Option<Self>, CatalogError> {
        let Some(bytes) = entries.get(HEAD_KEY.as_bytes()) else {
            return match entries.is_empty() {
                true => Ok(None),
                false => Err(CatalogError::Damaged(format!("no entry '{HEAD_KEY}'"))),
            };
        };
        let mut catalog = read_head(bytes)?;
        let topics = Arc::make_mut(&mut catalog.topics);
        let names = Arc::make_mut(&mut catalog.names);
        for (key, bytes) in under(entries, TOPIC_PREFIX) {
            let topic: Topic = decode_entry(key, bytes)?;
            let known = topic.id < catalog.next_topic_id;
            let fresh = names.insert(topic.name.clone(), topic.id).is_none();
            if !(known && fresh && key == topic_key(topic.id).as_bytes()) {
                return Err(misplaced(key));
            }
            topics.insert(topic.id, Arc::new(TopicState::new(Arc::new(topic))));
        }
        for (key, bytes) in under(entries, SEGMENT_PREFIX) {
            let state = owner(topics, key, SEGMENT_PREFIX)?;
            let segment: SegmentMeta = decode_entry(key, bytes)?;
            if key != segment_key(state.topic.id, segment.id).as_bytes() {
                return Err(misplaced(key));
            }
            state.segments.push(Arc::new(segment));
        }
        for (key, bytes) in under(entries, WATERMARKS_PREFIX) {
            let state = owner(topics, key, WATERMARKS_PREFIX)?;
            state.watermarks = decode_entry::<Vec<_>>(key, bytes)?.into_iter().collect();
        }
        for (key, bytes) in under(entries, REJECTED_PREFIX) {
            owner(topics, key, REJECTED_PREFIX)?.rejected = decode_entry(key, bytes)?;
        }
        let templates = Arc::make_mut(&mut catalog.templates);
        for (key, bytes) in under(entries, TEMPLATE_PREFIX) {
            let name = std::str::from_utf8(&key[TEMPLATE_PREFIX.len()..]);
            let name = name.map_err(|_| misplaced(key))?;
            templates.insert(name.into(), decode_entry::<Arc<Value>>(key, bytes)?);
        }
        Ok(Some(catalog))
    }
}

fn write_topic(id: TopicId, state: &TopicState, entries: &mut Entries) {
    entries.insert(topic_key(id).into(), encode_entry(&state.topic));
    for segment in &state.segments {
        let key = segment_key(id, segment.id);
        entries.insert(key.into(), encode_entry(segment));
    }
    if !state.watermarks.is_empty() {
        let key = format!("{WATERMARKS_PREFIX}{:010}", id.0);
        let watermarks: Vec<_> = state.watermarks.iter().collect();
        entries.insert(key.into(), encode_entry(&watermarks));
    }
    if state.rejected.total() > 0 {
        let key = format!("{REJECTED_PREFIX}{:010}", id.0);
        entries.insert(key.into(), encode_entry(&state.rejected));
    }
}

fn read_head(bytes: &[u8]) -> Result<Catalog, CatalogError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    // The version alone first: a later release may have other members.
    let version: Version = decode_entry(HEAD_KEY.as_bytes(), bytes)?;
    if version.format_version != CHECKPOINT_FORMAT_VERSION {
        return Err(CatalogError::Version {
            found: version.format_version,
            known: CHECKPOINT_FORMAT_VERSION,
        });
    }
    let head: Head = decode_entry(HEAD_KEY.as_bytes(), bytes)?;
    Ok(Catalog {
        edit_count: head.edit_count,
        next_topic_id: head.next_topic_id,
        next_segment_id: head.next_segment_id,
        next_producer_id: head.next_producer_id,
        ..Catalog::new(head.store_uuid)
    })
}

fn topic_key(id: TopicId) -> String {
    format!("{TOPIC_PREFIX}{:010}", id.0)
}

fn segment_key(topic: TopicId, segment: SegmentId) -> String {
    format!("{SEGMENT_PREFIX}{:010}/{:020}", topic.0, segment.0)
}

/// All entries whose key starts with `prefix`, in order.
fn under<'a>(entries: &'a Entries, prefix: &'a str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    entries
        .range(prefix.as_bytes().to_vec()..)
        .map(|(key, bytes)| (key.as_slice(), bytes.as_slice()))
        .take_while(move |(key, _)| key.starts_with(prefix.as_bytes()))
}

/// The topic whose number follows `prefix` in `key`.
fn owner<'a>(
    topics: &'a mut std::collections::BTreeMap<TopicId, Arc<TopicState>>,
    key: &[u8],
    prefix: &str,
) -> Result<&'a mut TopicState, CatalogError> {
    let digits = key[prefix.len()..].split(|byte| *byte == b'/').next();
    let number = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    number
        .and_then(|number| topics.get_mut(&TopicId(number)))
        .map(Arc::make_mut)
        .ok_or_else(|| misplaced(key))
}

fn misplaced(key: &[u8]) -> CatalogError {
    let key = String::from_utf8_lossy(key);
    CatalogError::Damaged(format!("entry '{key}' does not belong where it is"))
}
