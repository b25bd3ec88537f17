//! The catalog as an immutable value, and what each change does to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{
    CatalogChange, DeadLetterState, DefinitionKind, Dynamic, Edit, EditError, RejectKind,
    RejectedRecords, SegmentId, SegmentMeta, TimeField, Topic,
};
use crate::model::{Mapping, Offset, Partition, PartitionId, TopicId, TopicName};

/// Most partitions of one topic.
pub const PARTITIONS_MAX: u32 = 10_000;

/// What exists at one instant. A clone is cheap: it shares everything until it is edited.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    pub(super) store_uuid: [u8; 16],
    pub(super) edit_count: u64,
    pub(super) next_topic_id: TopicId,
    pub(super) next_segment_id: SegmentId,
    pub(super) next_producer_id: i64,
    pub(super) names: Arc<BTreeMap<TopicName, TopicId>>,
    pub(super) topics: Arc<BTreeMap<TopicId, Arc<TopicState>>>,
    pub(super) templates: Arc<BTreeMap<String, Arc<Value>>>,
    pub(super) definitions: Arc<Definitions>,
}

/// Definitions by kind and name.
pub(super) type Definitions = BTreeMap<(DefinitionKind, String), Arc<Value>>;

/// What exists of one topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicState {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Its segments, ascending by id.
    pub segments: Vec<Arc<SegmentMeta>>,
    /// The first offset of each partition that is not a row in a segment (nor rejected) yet;
    /// partitions at 0 are left out.
    pub watermarks: BTreeMap<PartitionId, Offset>,
    /// Records that could not become rows.
    pub rejected: Arc<RejectedRecords>,
    /// Which of these are dead letters.
    pub dead_letters: Arc<DeadLetterState>,
    /// The first offset of each partition that clients may read; partitions at 0 are left out.
    pub log_starts: BTreeMap<PartitionId, Offset>,
    /// Rows that were deleted and are in no segment any more.
    pub dropped: u64,
    /// Its other names, and what is said of each.
    pub aliases: Arc<BTreeMap<String, Value>>,
}

impl TopicState {
    pub(super) fn new(topic: Arc<Topic>) -> Self {
        Self {
            topic,
            segments: Vec::new(),
            watermarks: BTreeMap::new(),
            rejected: Arc::default(),
            dead_letters: Arc::default(),
            log_starts: BTreeMap::new(),
            dropped: 0,
            aliases: Arc::default(),
        }
    }

    fn segment_mut(&mut self, id: SegmentId) -> Result<&mut SegmentMeta, EditError> {
        match self.segments.binary_search_by_key(&id, |meta| meta.id) {
            Ok(index) => Ok(Arc::make_mut(&mut self.segments[index])),
            Err(_) => Err(EditError::UnknownSegment {
                topic: self.topic.id,
                segment: id,
            }),
        }
    }

    /// The first offset of `partition` that clients may read. Its log may start later.
    #[must_use]
    pub fn log_start(&self, partition: PartitionId) -> Offset {
        self.log_starts.get(&partition).copied().unwrap_or_default()
    }

    /// The first record of `partition` that clients may read or that is no row yet: its files of
    /// the log may go before it.
    #[must_use]
    pub fn needed_from(&self, partition: PartitionId) -> Offset {
        self.log_start(partition).min(self.watermark(partition))
    }

    /// The first offset of `partition` that is not a row in a segment (nor rejected) yet.
    #[must_use]
    pub fn watermark(&self, partition: PartitionId) -> Offset {
        self.watermarks.get(&partition).copied().unwrap_or_default()
    }
}

impl Catalog {
    /// The catalog of a new store.
    #[must_use]
    pub fn new(store_uuid: [u8; 16]) -> Self {
        Self {
            store_uuid,
            edit_count: 0,
            next_topic_id: TopicId(1),
            next_segment_id: SegmentId(1),
            next_producer_id: 0,
            names: Arc::default(),
            topics: Arc::default(),
            templates: Arc::default(),
            definitions: Arc::default(),
        }
    }

    /// The identity of the store, given when it was made.
    #[must_use]
    pub fn store_uuid(&self) -> [u8; 16] {
        self.store_uuid
    }

    /// How many edits made it; two catalogs of one store are equal when this is.
    #[must_use]
    pub fn edit_count(&self) -> u64 {
        self.edit_count
    }

    /// The number that the next topic must have.
    #[must_use]
    pub fn next_topic_id(&self) -> TopicId {
        self.next_topic_id
    }

    /// The number that the next segment must have.
    #[must_use]
    pub fn next_segment_id(&self) -> SegmentId {
        self.next_segment_id
    }

    /// The first producer id that was not given away.
    #[must_use]
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The topic with this number.
    #[must_use]
    pub fn topic(&self, id: TopicId) -> Option<&Arc<TopicState>> {
        self.topics.get(&id)
    }

    /// The topic with this name. Any text may be asked for.
    #[must_use]
    pub fn topic_named(&self, name: &str) -> Option<&Arc<TopicState>> {
        self.topics.get(self.names.get(name)?)
    }

    /// All topics, ascending by number.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicState>> {
        self.topics.values()
    }

    /// All topics, ascending by name.
    pub fn topics_by_name(&self) -> impl Iterator<Item = &Arc<TopicState>> {
        self.names.values().map(|id| {
            let topic = self.topics.get(id);
            topic.expect("every name belongs to a topic")
        })
    }

    /// Whether `partition` exists.
    #[must_use]
    pub fn has_partition(&self, partition: Partition) -> bool {
        let topic = self.topics.get(&partition.topic);
        topic.is_some_and(|state| partition.id.0 < state.topic.partitions)
    }

    /// The index template with this name.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&Arc<Value>> {
        self.templates.get(name)
    }

    /// All index templates, ascending by name.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = (&str, &Arc<Value>)> {
        self.templates
            .iter()
            .map(|(name, body)| (name.as_str(), body))
    }

    /// The definition of this kind with this name.
    #[must_use]
    pub fn definition(&self, kind: DefinitionKind, name: &str) -> Option<&Arc<Value>> {
        self.definitions.get(&(kind, name.to_owned()))
    }

    /// All definitions of this kind, ascending by name.
    pub fn definitions(&self, kind: DefinitionKind) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.definitions
            .range((kind, String::new())..)
            .take_while(move |((own, _), _)| *own == kind)
            .map(|((_, name), body)| (name.as_str(), body))
    }

    /// The catalog after `edit`.
    ///
    /// # Errors
    /// Names the first change that does not fit; then nothing of the edit counts.
    pub fn apply(&self, edit: &Edit) -> Result<Self, EditError> {
        let mut next = self.clone();
        for change in &edit.changes {
            next.change(change)?;
        }
        next.edit_count += 1;
        Ok(next)
    }

    fn change(&mut self, change: &CatalogChange) -> Result<(), EditError> {
        match change {
            CatalogChange::CreateTopic(topic) => self.create_topic(topic),
            CatalogChange::DeleteTopic(id) => self.delete_topic(*id),
            CatalogChange::ChangeFields {
                topic,
                mapping,
                time_field,
                dynamic,
            } => self.change_fields(*topic, mapping, time_field.as_ref(), *dynamic),
            CatalogChange::ChangeConfig {
                topic,
                config,
                settings,
            } => {
                let topic = Arc::make_mut(&mut self.state_mut(*topic)?.topic);
                topic.config.clone_from(config);
                topic.settings.clone_from(settings);
                Ok(())
            }
            CatalogChange::AddPartitions { topic, partitions } => {
                self.add_partitions(*topic, *partitions)
            }
            CatalogChange::MoveLogStarts { topic, starts } => self.move_log_starts(*topic, starts),
            CatalogChange::Seal {
                topic,
                segment,
                watermarks,
                rejected,
                deletions,
                dropped,
            } => {
                self.add_segment(*topic, segment.as_ref())?;
                self.advance(*topic, watermarks)?;
                let state = self.state_mut(*topic)?;
                Arc::make_mut(&mut state.rejected).merge(rejected);
                state.dropped += dropped;
                for (id, overlay) in deletions {
                    let segment = state.segment_mut(*id)?;
                    segment.overlay = Some(overlay.clone());
                }
                Ok(())
            }
            CatalogChange::DropSegments { topic, removed } => self.drop_segments(*topic, removed),
            CatalogChange::Merge {
                topic,
                removed,
                segment,
            } => {
                self.remove_merged(*topic, removed, segment)?;
                self.add_segment(*topic, Some(segment))
            }
            CatalogChange::DeadLetters {
                topic,
                partition,
                next,
                counts,
            } => self.note_dead_letters(Partition::new(*topic, *partition), *next, counts),
            CatalogChange::PutTemplate { .. }
            | CatalogChange::DeleteTemplate { .. }
            | CatalogChange::PutDefinition { .. }
            | CatalogChange::DeleteDefinition { .. } => self.change_definitions(change),
            CatalogChange::ChangeAliases { topic, aliases } => {
                self.state_mut(*topic)?.aliases = Arc::new(aliases.clone());
                Ok(())
            }
            CatalogChange::ReserveProducerIds { next } => self.reserve_producer_ids(*next),
        }
    }

    /// Puts and deletes what is kept by name.
    fn change_definitions(&mut self, change: &CatalogChange) -> Result<(), EditError> {
        match change {
            CatalogChange::PutTemplate { name, body } => {
                let templates = Arc::make_mut(&mut self.templates);
                templates.insert(name.clone(), Arc::new(body.clone()));
                Ok(())
            }
            CatalogChange::DeleteTemplate { name } => {
                match Arc::make_mut(&mut self.templates).remove(name) {
                    Some(_) => Ok(()),
                    None => Err(EditError::UnknownTemplate(name.clone())),
                }
            }
            CatalogChange::PutDefinition { kind, name, body } => {
                let definitions = Arc::make_mut(&mut self.definitions);
                definitions.insert((*kind, name.clone()), Arc::new(body.clone()));
                Ok(())
            }
            CatalogChange::DeleteDefinition { kind, name } => {
                let key = (*kind, name.clone());
                match Arc::make_mut(&mut self.definitions).remove(&key) {
                    Some(_) => Ok(()),
                    None => Err(EditError::UnknownDefinition {
                        kind: *kind,
                        name: key.1,
                    }),
                }
            }
            _other => Ok(()),
        }
    }

    fn drop_segments(&mut self, topic: TopicId, removed: &[SegmentId]) -> Result<(), EditError> {
        let rows = self.remove_segments(topic, removed)?;
        self.state_mut(topic)?.dropped += rows;
        Ok(())
    }

    fn note_dead_letters(
        &mut self,
        partition: Partition,
        next: Offset,
        counts: &BTreeMap<RejectKind, u64>,
    ) -> Result<(), EditError> {
        let state = self.state_mut(partition.topic)?;
        if partition.id.0 >= state.topic.partitions {
            return Err(EditError::UnknownPartition(partition));
        }
        Arc::make_mut(&mut state.dead_letters).add(partition.id, next, counts);
        Ok(())
    }

    fn create_topic(&mut self, topic: &Topic) -> Result<(), EditError> {
        if self.names.contains_key(&topic.name) {
            return Err(EditError::TopicExists(topic.name.clone()));
        }
        if topic.id != self.next_topic_id {
            return Err(EditError::TopicNumber {
                given: topic.id,
                expected: self.next_topic_id,
            });
        }
        if topic.partitions == 0 || topic.partitions > PARTITIONS_MAX {
            return Err(EditError::PartitionCount {
                given: topic.partitions,
            });
        }
        let state = TopicState::new(Arc::new(topic.clone()));
        self.next_topic_id = TopicId(topic.id.0 + 1);
        Arc::make_mut(&mut self.names).insert(topic.name.clone(), topic.id);
        Arc::make_mut(&mut self.topics).insert(topic.id, Arc::new(state));
        Ok(())
    }

    fn add_partitions(&mut self, id: TopicId, partitions: u32) -> Result<(), EditError> {
        if partitions > PARTITIONS_MAX {
            return Err(EditError::PartitionCount { given: partitions });
        }
        let topic = Arc::make_mut(&mut self.state_mut(id)?.topic);
        if partitions < topic.partitions {
            return Err(EditError::FewerPartitions {
                topic: id,
                current: topic.partitions,
                given: partitions,
            });
        }
        topic.routing_partitions.get_or_insert(topic.partitions);
        topic.partitions = partitions;
        Ok(())
    }

    fn move_log_starts(
        &mut self,
        id: TopicId,
        starts: &[(PartitionId, Offset)],
    ) -> Result<(), EditError> {
        let state = self.state_mut(id)?;
        for (partition, start) in starts {
            if partition.0 >= state.topic.partitions {
                return Err(EditError::UnknownPartition(Partition::new(id, *partition)));
            }
            let moved = state.log_starts.entry(*partition).or_default();
            *moved = (*moved).max(*start);
        }
        Ok(())
    }

    fn delete_topic(&mut self, id: TopicId) -> Result<(), EditError> {
        let Some(state) = Arc::make_mut(&mut self.topics).remove(&id) else {
            return Err(EditError::UnknownTopic(id));
        };
        Arc::make_mut(&mut self.names).remove(&state.topic.name);
        Ok(())
    }

    fn change_fields(
        &mut self,
        id: TopicId,
        mapping: &Arc<Mapping>,
        time_field: Option<&TimeField>,
        dynamic: Option<Dynamic>,
    ) -> Result<(), EditError> {
        let topic = Arc::make_mut(&mut self.state_mut(id)?.topic);
        if topic.time_field.is_some() && topic.time_field.as_ref() != time_field {
            return Err(EditError::TimeFieldFixed(id));
        }
        topic.mapping = Arc::clone(mapping);
        topic.time_field = time_field.cloned();
        topic.dynamic = dynamic.unwrap_or(topic.dynamic);
        Ok(())
    }

    fn add_segment(
        &mut self,
        topic: TopicId,
        segment: Option<&SegmentMeta>,
    ) -> Result<(), EditError> {
        let Some(segment) = segment else {
            return Ok(());
        };
        if segment.id != self.next_segment_id {
            return Err(EditError::SegmentNumber {
                given: segment.id,
                expected: self.next_segment_id,
            });
        }
        let state = self.state_mut(topic)?;
        state.segments.push(Arc::new(segment.clone()));
        self.next_segment_id = SegmentId(segment.id.0 + 1);
        Ok(())
    }

    /// Takes `removed` out of the topic's segments, to be replaced by `merged`.
    fn remove_merged(
        &mut self,
        topic: TopicId,
        removed: &[SegmentId],
        merged: &SegmentMeta,
    ) -> Result<(), EditError> {
        if removed.is_empty() {
            return Err(EditError::NothingMerged(topic));
        }
        let rows = self.remove_segments(topic, removed)?;
        if merged.row_count > rows {
            return Err(EditError::RowsAppeared {
                segment: merged.id,
                merged: merged.row_count,
                removed: rows,
            });
        }
        self.state_mut(topic)?.dropped += rows - merged.row_count;
        Ok(())
    }

    /// Takes `removed` out of the topic's segments; how many rows they had.
    fn remove_segments(&mut self, topic: TopicId, removed: &[SegmentId]) -> Result<u64, EditError> {
        let segments = &mut self.state_mut(topic)?.segments;
        let mut rows = 0;
        for id in removed {
            let Ok(index) = segments.binary_search_by_key(id, |meta| meta.id) else {
                return Err(EditError::UnknownSegment {
                    topic,
                    segment: *id,
                });
            };
            rows += segments.remove(index).row_count;
        }
        Ok(rows)
    }

    fn advance(
        &mut self,
        topic: TopicId,
        watermarks: &[(PartitionId, Offset)],
    ) -> Result<(), EditError> {
        let state = self.state_mut(topic)?;
        for (id, to) in watermarks {
            let partition = Partition::new(topic, *id);
            if id.0 >= state.topic.partitions {
                return Err(EditError::UnknownPartition(partition));
            }
            let from = state.watermark(*id);
            if *to < from {
                return Err(EditError::WatermarkBack {
                    partition,
                    from,
                    to: *to,
                });
            }
            state.watermarks.insert(*id, *to);
        }
        Ok(())
    }

    fn reserve_producer_ids(&mut self, next: i64) -> Result<(), EditError> {
        if next < self.next_producer_id {
            return Err(EditError::ProducerIdsBack {
                current: self.next_producer_id,
                given: next,
            });
        }
        self.next_producer_id = next;
        Ok(())
    }

    fn state_mut(&mut self, id: TopicId) -> Result<&mut TopicState, EditError> {
        match Arc::make_mut(&mut self.topics).get_mut(&id) {
            Some(state) => Ok(Arc::make_mut(state)),
            None => Err(EditError::UnknownTopic(id)),
        }
    }
}
