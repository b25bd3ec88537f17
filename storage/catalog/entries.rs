//! The catalog as entries of a checkpoint: one key for each topic, segment, template.
//!
//! Keys are text whose order is that of the numbers inside: `topic/0000000001`,
//! `segment/0000000001/00000000000000000007`. Values are JSON; see `docs/formats/catalog.md`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Catalog, CatalogError, DefinitionKind, Entries, EntryChange, SegmentId, SegmentMeta, Topic,
    TopicState, hex,
};
use crate::model::TopicId;

/// Version of keys and values of a checkpoint, kept in the entry `catalog`.
pub const CHECKPOINT_FORMAT_VERSION: u32 = 1;

/// The entry that every checkpoint has.
const HEAD_KEY: &str = "catalog";

const TOPIC_PREFIX: &str = "topic/";
const SEGMENT_PREFIX: &str = "segment/";
const WATERMARKS_PREFIX: &str = "watermarks/";
const REJECTED_PREFIX: &str = "rejected/";
const DEAD_LETTERS_PREFIX: &str = "dead_letters/";
const LOG_STARTS_PREFIX: &str = "log_starts/";
const DROPPED_PREFIX: &str = "dropped/";
const ALIASES_PREFIX: &str = "aliases/";
const TEMPLATE_PREFIX: &str = "template/";
const DEFINITION_PREFIX: &str = "definition/";

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
        self.write_head(entries);
        for (id, state) in self.topics.iter() {
            write_topic(*id, state, entries);
            for segment in &state.segments {
                let key = segment_key(*id, segment.id);
                entries.insert(key.into(), encode_entry(segment));
            }
        }
        self.write_templates(entries);
        self.write_definitions(entries);
    }

    fn write_head(&self, entries: &mut Entries) {
        let head = Head {
            format_version: CHECKPOINT_FORMAT_VERSION,
            store_uuid: self.store_uuid,
            edit_count: self.edit_count,
            next_topic_id: self.next_topic_id,
            next_segment_id: self.next_segment_id,
            next_producer_id: self.next_producer_id,
        };
        entries.insert(HEAD_KEY.into(), encode_entry(&head));
    }

    fn write_templates(&self, entries: &mut Entries) {
        for (name, body) in self.templates.iter() {
            let key = format!("{TEMPLATE_PREFIX}{name}");
            entries.insert(key.into(), encode_entry(body));
        }
    }

    fn write_definitions(&self, entries: &mut Entries) {
        for ((kind, name), body) in self.definitions.iter() {
            let key = format!("{DEFINITION_PREFIX}{}/{name}", kind.as_str());
            entries.insert(key.into(), encode_entry(body));
        }
    }

    /// What of its entries differs from those of `before`, an earlier state of it: new values, and
    /// nothing for entries that are gone. What the two share is not looked at.
    #[must_use]
    pub fn changed_entries(&self, before: &Self) -> Vec<EntryChange> {
        let mut changes = Vec::new();
        let ids = self.topics.keys().chain(before.topics.keys());
        for id in ids.copied().collect::<BTreeSet<_>>() {
            match (before.topics.get(&id), self.topics.get(&id)) {
                (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
                (old, new) => change_topic(id, old, new, &mut changes),
            }
        }
        let (mut old, mut new) = (Entries::new(), Entries::new());
        for (catalog, entries) in [(before, &mut old), (self, &mut new)] {
            catalog.write_head(entries);
            // What is shared is the same in both.
            if !Arc::ptr_eq(&self.templates, &before.templates) {
                catalog.write_templates(entries);
            }
            if !Arc::ptr_eq(&self.definitions, &before.definitions) {
                catalog.write_definitions(entries);
            }
        }
        changes.extend(difference(&old, &new));
        changes
    }

    /// The catalog of `entries`; `None` when they hold none. Entries of others are left alone.
    ///
    /// # Errors
    /// When an entry is damaged or of a later release, or one does not fit the others.
    pub fn read_entries(entries: &Entries) -> Result<Option<Self>, CatalogError> {
        Self::read_with(entries, &mut Err)
    }

    /// As much of a catalog as `entries` hold, and what is wrong with the rest.
    #[must_use]
    pub fn read_sound_entries(entries: &Entries) -> (Option<Self>, Vec<CatalogError>) {
        let mut errors = Vec::new();
        let catalog = Self::read_with(entries, &mut |error| {
            errors.push(error);
            Ok(())
        });
        match catalog {
            Ok(catalog) => (catalog, errors),
            // Without its head nothing of a catalog can be told.
            Err(error) => (None, vec![error]),
        }
    }

    /// Reads entry by entry; `wrong` decides whether one that is wrong ends it.
    fn read_with(
        entries: &Entries,
        wrong: &mut dyn FnMut(CatalogError) -> Result<(), CatalogError>,
    ) -> Result<Option<Self>, CatalogError> {
        let Some(bytes) = entries.get(HEAD_KEY.as_bytes()) else {
            return match entries.is_empty() {
                true => Ok(None),
                false => Err(CatalogError::Damaged(format!("no entry '{HEAD_KEY}'"))),
            };
        };
        let mut catalog = read_head(bytes)?;
        // Topics come first: the other entries belong to one.
        for (prefix, read) in READERS {
            for (key, bytes) in under(entries, prefix) {
                read(&mut catalog, key, bytes).or_else(&mut *wrong)?;
            }
        }
        Ok(Some(catalog))
    }

    fn read_topic(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let topic: Topic = decode_entry(key, bytes)?;
        let known = topic.id < self.next_topic_id;
        let fresh = !self.names.contains_key(&topic.name);
        if !(known && fresh && key == topic_key(topic.id).as_bytes()) {
            return Err(misplaced(key));
        }
        Arc::make_mut(&mut self.names).insert(topic.name.clone(), topic.id);
        let state = TopicState::new(Arc::new(topic));
        Arc::make_mut(&mut self.topics).insert(state.topic.id, Arc::new(state));
        Ok(())
    }

    fn read_segment(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let state = self.owner(key, SEGMENT_PREFIX)?;
        let segment: SegmentMeta = decode_entry(key, bytes)?;
        if key != segment_key(state.topic.id, segment.id).as_bytes() {
            return Err(misplaced(key));
        }
        state.segments.push(Arc::new(segment));
        Ok(())
    }

    fn read_watermarks(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let state = self.owner(key, WATERMARKS_PREFIX)?;
        state.watermarks = decode_entry::<Vec<_>>(key, bytes)?.into_iter().collect();
        Ok(())
    }

    fn read_rejected(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        self.owner(key, REJECTED_PREFIX)?.rejected = decode_entry(key, bytes)?;
        Ok(())
    }

    fn read_dead_letters(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        self.owner(key, DEAD_LETTERS_PREFIX)?.dead_letters = decode_entry(key, bytes)?;
        Ok(())
    }

    fn read_dropped(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        self.owner(key, DROPPED_PREFIX)?.dropped = decode_entry(key, bytes)?;
        Ok(())
    }

    fn read_log_starts(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let state = self.owner(key, LOG_STARTS_PREFIX)?;
        state.log_starts = decode_entry::<Vec<_>>(key, bytes)?.into_iter().collect();
        Ok(())
    }

    fn read_template(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let name = std::str::from_utf8(&key[TEMPLATE_PREFIX.len()..]);
        let name = name.map_err(|_| misplaced(key))?;
        let body = decode_entry::<Arc<Value>>(key, bytes)?;
        Arc::make_mut(&mut self.templates).insert(name.into(), body);
        Ok(())
    }

    fn read_aliases(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        self.owner(key, ALIASES_PREFIX)?.aliases = decode_entry(key, bytes)?;
        Ok(())
    }

    fn read_definition(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), CatalogError> {
        let place = std::str::from_utf8(&key[DEFINITION_PREFIX.len()..]).ok();
        let place = place.and_then(|place| place.split_once('/'));
        let place = place.and_then(|(kind, name)| Some((DefinitionKind::parse(kind)?, name)));
        let (kind, name) = place.ok_or_else(|| misplaced(key))?;
        let body = decode_entry::<Arc<Value>>(key, bytes)?;
        Arc::make_mut(&mut self.definitions).insert((kind, name.into()), body);
        Ok(())
    }

    /// The topic whose number follows `prefix` in `key`.
    fn owner(&mut self, key: &[u8], prefix: &str) -> Result<&mut TopicState, CatalogError> {
        let digits = key[prefix.len()..].split(|byte| *byte == b'/').next();
        let number = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        number
            .and_then(|number| Arc::make_mut(&mut self.topics).get_mut(&TopicId(number)))
            .map(Arc::make_mut)
            .ok_or_else(|| misplaced(key))
    }
}

/// Adds an entry to a catalog.
type ReadEntry = fn(&mut Catalog, &[u8], &[u8]) -> Result<(), CatalogError>;

/// How the entries under each prefix are read, in this order.
const READERS: [(&str, ReadEntry); 10] = [
    (TOPIC_PREFIX, Catalog::read_topic),
    (SEGMENT_PREFIX, Catalog::read_segment),
    (WATERMARKS_PREFIX, Catalog::read_watermarks),
    (REJECTED_PREFIX, Catalog::read_rejected),
    (DEAD_LETTERS_PREFIX, Catalog::read_dead_letters),
    (DROPPED_PREFIX, Catalog::read_dropped),
    (LOG_STARTS_PREFIX, Catalog::read_log_starts),
    (ALIASES_PREFIX, Catalog::read_aliases),
    (TEMPLATE_PREFIX, Catalog::read_template),
    (DEFINITION_PREFIX, Catalog::read_definition),
];

/// What turns the entries `old` into `new`.
#[must_use]
pub fn difference(old: &Entries, new: &Entries) -> Vec<EntryChange> {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let mut changes: Vec<_> = gone.map(|key| (key.clone(), None)).collect();
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(*value));
    changes.extend(changed.map(|(key, value)| (key.clone(), Some(value.clone()))));
    changes
}

/// Adds what differs between two states of a topic, either of which may not exist.
fn change_topic(
    id: TopicId,
    old: Option<&Arc<TopicState>>,
    new: Option<&Arc<TopicState>>,
    changes: &mut Vec<EntryChange>,
) {
    let (mut before, mut after) = (Entries::new(), Entries::new());
    for (state, entries) in [(old, &mut before), (new, &mut after)] {
        if let Some(state) = state {
            write_topic(id, state, entries);
        }
    }
    changes.extend(difference(&before, &after));
    // Both lists ascend by number.
    let segments = |state: Option<&Arc<TopicState>>| {
        let segments = state.map_or(&[][..], |state| &state.segments);
        segments
            .iter()
            .map(Arc::clone)
            .collect::<Vec<_>>()
            .into_iter()
            .peekable()
    };
    let (mut old, mut new) = (segments(old), segments(new));
    loop {
        let ids = [&mut old, &mut new].map(|side| side.peek().map(|segment| segment.id));
        let Some(first) = ids.into_iter().flatten().min() else {
            return;
        };
        let key = || segment_key(id, first).into();
        let is_first = |segment: &Arc<SegmentMeta>| segment.id == first;
        match (old.next_if(is_first), new.next_if(is_first)) {
            (Some(old), Some(new)) if Arc::ptr_eq(&old, &new) || old == new => {}
            (_, Some(new)) => changes.push((key(), Some(encode_entry(&new)))),
            (_, None) => changes.push((key(), None)),
        }
    }
}

/// Adds a topic, but for its segments.
fn write_topic(id: TopicId, state: &TopicState, entries: &mut Entries) {
    entries.insert(topic_key(id).into(), encode_entry(&state.topic));
    if !state.watermarks.is_empty() {
        let key = format!("{WATERMARKS_PREFIX}{:010}", id.0);
        let watermarks: Vec<_> = state.watermarks.iter().collect();
        entries.insert(key.into(), encode_entry(&watermarks));
    }
    if !state.log_starts.is_empty() {
        let key = format!("{LOG_STARTS_PREFIX}{:010}", id.0);
        let starts: Vec<_> = state.log_starts.iter().collect();
        entries.insert(key.into(), encode_entry(&starts));
    }
    if state.rejected.total() > 0 {
        let key = format!("{REJECTED_PREFIX}{:010}", id.0);
        entries.insert(key.into(), encode_entry(&state.rejected));
    }
    if !state.dead_letters.next.is_empty() {
        let key = format!("{DEAD_LETTERS_PREFIX}{:010}", id.0);
        entries.insert(key.into(), encode_entry(&state.dead_letters));
    }
    if !state.aliases.is_empty() {
        let key = format!("{ALIASES_PREFIX}{:010}", id.0);
        entries.insert(key.into(), encode_entry(&state.aliases));
    }
    if state.dropped > 0 {
        let key = format!("{DROPPED_PREFIX}{:010}", id.0);
        entries.insert(key.into(), encode_entry(&state.dropped));
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

fn misplaced(key: &[u8]) -> CatalogError {
    let key = String::from_utf8_lossy(key);
    CatalogError::Damaged(format!("entry '{key}' does not belong where it is"))
}
