//! One atomic change of the catalog, and how it is written into the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{
    DefinitionKind, Dynamic, OverlayMeta, RejectKind, RejectedRecords, SegmentId, SegmentMeta,
    TimeField, Topic,
};
use crate::model::{Mapping, Offset, Partition, PartitionId, TopicId, TopicName};

/// Version of the encoding of edits.
pub const EDIT_VERSION: u32 = 1;

/// Changes that count all together or not at all, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The changes.
    pub changes: Vec<CatalogChange>,
}

/// One change. Ids of new things are the next free ones of the catalog that it was made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogChange {
    /// A topic and its empty partitions.
    CreateTopic(Box<Topic>),
    /// A topic, its log and its segments vanish.
    DeleteTopic(TopicId),
    /// New fields of a topic, all of them given.
    ChangeFields {
        /// The topic.
        topic: TopicId,
        /// All its fields from now on.
        mapping: Arc<Mapping>,
        /// Its time field from now on; one that is fixed stays.
        time_field: Option<TimeField>,
        /// What happens to further fields from now on, where that changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dynamic: Option<Dynamic>,
    },
    /// New configuration of a topic, all of it given.
    ChangeConfig {
        /// The topic.
        topic: TopicId,
        /// See [`Topic::config`].
        config: BTreeMap<String, String>,
        /// See [`Topic::settings`].
        settings: BTreeMap<String, Value>,
    },
    /// A topic gets more partitions, which are empty.
    AddPartitions {
        /// The topic.
        topic: TopicId,
        /// How many it has from now on.
        partitions: u32,
    },
    /// Records before these offsets can be read no more. Their rows stay.
    MoveLogStarts {
        /// The topic.
        topic: TopicId,
        /// The first offset of each partition that can be read; one that lies back moves nothing.
        starts: Vec<(PartitionId, Offset)>,
    },
    /// Active rows of a topic became a segment.
    Seal {
        /// The topic.
        topic: TopicId,
        /// The segment; none when no record up to the watermarks became a row.
        segment: Option<SegmentMeta>,
        /// The first offset of each partition that is not a row in a segment yet.
        watermarks: Vec<(PartitionId, Offset)>,
        /// Records below the watermarks that could not become rows, those of earlier seals not
        /// counted again.
        rejected: RejectedRecords,
        /// Segments that have lost rows to records below the watermarks, with all rows that they
        /// have lost so far.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        deletions: Vec<(SegmentId, OverlayMeta)>,
        /// Records below the watermarks whose rows were deleted before they were in a segment.
        #[serde(default, skip_serializing_if = "is_zero")]
        dropped: u64,
    },
    /// Segments of a topic became one that has their rows.
    Merge {
        /// The topic.
        topic: TopicId,
        /// The segments that are gone, each once; at least one.
        removed: Vec<SegmentId>,
        /// The segment that took their place.
        segment: SegmentMeta,
    },
    /// Segments of a topic whose rows are all older than it keeps.
    DropSegments {
        /// The topic.
        topic: TopicId,
        /// The segments, each once.
        removed: Vec<SegmentId>,
    },
    /// Records of a topic that could not become rows are dead letters, appended in the same group
    /// of the journal.
    DeadLetters {
        /// The topic.
        topic: TopicId,
        /// The partition that they lie in.
        partition: PartitionId,
        /// No record before it will become one again.
        next: Offset,
        /// How many there are of each kind.
        counts: BTreeMap<RejectKind, u64>,
    },
    /// An index template, new or replaced.
    PutTemplate {
        /// Its name.
        name: String,
        /// Its definition, kept as it was given.
        body: Value,
    },
    /// An index template vanishes.
    DeleteTemplate {
        /// Its name.
        name: String,
    },
    /// A definition, new or replaced.
    PutDefinition {
        /// What it is of.
        kind: DefinitionKind,
        /// Its name.
        name: String,
        /// Its text, kept as it was given.
        body: Value,
    },
    /// A definition vanishes.
    DeleteDefinition {
        /// What it is of.
        kind: DefinitionKind,
        /// Its name.
        name: String,
    },
    /// Other names of a topic, all of them given.
    ChangeAliases {
        /// The topic.
        topic: TopicId,
        /// What is said of each name.
        aliases: BTreeMap<String, Value>,
    },
    /// Producer ids below `next` have been given away.
    ReserveProducerIds {
        /// The first that is free.
        next: i64,
    },
}

/// Why an edit does not fit the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// A topic of this name exists.
    #[error("topic '{0}' exists already")]
    TopicExists(TopicName),
    /// No topic has this number.
    #[error("there is no topic with number {}", .0.0)]
    UnknownTopic(TopicId),
    /// A new topic has another number than the next free one.
    #[error("topic number {} is not the next free one, {}", given.0, expected.0)]
    TopicNumber {
        /// The number given.
        given: TopicId,
        /// The next free one.
        expected: TopicId,
    },
    /// A new topic has no partition, or too many.
    #[error("a topic has 1 to {max} partitions, not {given}", max = super::PARTITIONS_MAX)]
    PartitionCount {
        /// The number given.
        given: u32,
    },
    /// A topic would lose partitions.
    #[error("topic number {} has {current} partitions, which cannot become {given}", topic.0)]
    FewerPartitions {
        /// The topic.
        topic: TopicId,
        /// The number that it has.
        current: u32,
        /// The number given.
        given: u32,
    },
    /// A time field that is fixed would change.
    #[error("the time field of topic number {} is fixed", .0.0)]
    TimeFieldFixed(TopicId),
    /// A new segment has another number than the next free one.
    #[error("segment number {} is not the next free one, {}", given.0, expected.0)]
    SegmentNumber {
        /// The number given.
        given: SegmentId,
        /// The next free one.
        expected: SegmentId,
    },
    /// A segment that is to be merged or has lost rows is not one of the topic's, or named twice.
    #[error("topic number {} has no segment {}", topic.0, segment.0)]
    UnknownSegment {
        /// The topic.
        topic: TopicId,
        /// The segment.
        segment: SegmentId,
    },
    /// A merge without anything to merge.
    #[error("a merge of topic number {} names no segment", .0.0)]
    NothingMerged(TopicId),
    /// A merged segment would have more rows than those that it replaces.
    #[error("segment {} has {merged} rows, those that it replaces only {removed}", segment.0)]
    RowsAppeared {
        /// The new segment.
        segment: SegmentId,
        /// Its rows.
        merged: u64,
        /// Rows of the segments that it replaces.
        removed: u64,
    },
    /// A watermark of a partition that does not exist.
    #[error("there is no partition {0}")]
    UnknownPartition(Partition),
    /// A watermark would move back.
    #[error("the watermark of partition {partition} would go back from {from} to {to}")]
    WatermarkBack {
        /// The partition.
        partition: Partition,
        /// Where it is.
        from: Offset,
        /// Where it would go.
        to: Offset,
    },
    /// No template has this name.
    #[error("there is no index template '{0}'")]
    UnknownTemplate(String),
    /// No definition has this name.
    #[error("there is no {} '{name}'", kind.as_str())]
    UnknownDefinition {
        /// What it would be of.
        kind: DefinitionKind,
        /// The name.
        name: String,
    },
    /// Producer ids that were given away would be given again.
    #[error("producer ids below {current} are given away already, not only those below {given}")]
    ProducerIdsBack {
        /// The first free one.
        current: i64,
        /// The one that would be.
        given: i64,
    },
}

/// How an edit is written: the version first, so that an unknown one is refused by name.
#[derive(Serialize, Deserialize)]
struct Written<C> {
    version: u32,
    changes: C,
}

/// Why bytes are no edit.
#[derive(Debug, Error)]
pub enum EditDecodeError {
    /// Not the JSON that an edit is.
    #[error("not a catalog edit: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later release.
    #[error("catalog edit has version {0}, this release reads version {EDIT_VERSION}")]
    Version(u32),
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Edit {
    /// An edit of one change.
    #[must_use]
    pub fn of(change: CatalogChange) -> Self {
        Self {
            changes: vec![change],
        }
    }

    /// Its bytes in the journal.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let written = Written {
            version: EDIT_VERSION,
            changes: &self.changes,
        };
        serde_json::to_vec(&written).expect("an edit has only text keys")
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// When `bytes` are no edit, or one of a later release.
    pub fn decode(bytes: &[u8]) -> Result<Self, EditDecodeError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // The version alone first: changes of a later one may not parse.
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != EDIT_VERSION {
            return Err(EditDecodeError::Version(version));
        }
        let written: Written<Vec<CatalogChange>> = serde_json::from_slice(bytes)?;
        Ok(Self {
            changes: written.changes,
        })
    }
}
