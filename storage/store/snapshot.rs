//! Snapshots: all rows of a topic at one instant.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::active::ActiveRows;
use super::sealed::{SealedSegment, SegmentFailure, SegmentHealth};
use super::{Store, StoreError};
use crate::catalog::{RejectedRecords, SegmentId, SegmentMeta, Topic};
use crate::model::{Offset, PartitionId, TopicId, origin_of_name};
use crate::segment::{ActiveChunk, DeletedRows, Overlay, RowSource, SourceRows};

/// All rows of a topic at one instant, each exactly once; segments are not opened yet.
#[derive(Debug, Clone)]
pub struct TopicInstant {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Records that could not become rows.
    pub rejected: Arc<RejectedRecords>,
    segments: Arc<Vec<Arc<SealedSegment>>>,
    deleted: BTreeMap<SegmentId, Arc<DeletedRows>>,
    overlays: BTreeMap<SegmentId, Arc<Overlay>>,
    active: Vec<SourceRows<ActiveChunk>>,
}

/// The rows of a topic at one instant that may lie in some range of time, each exactly once.
#[derive(Debug, Clone)]
pub struct TopicSnapshot {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Its segments in order of their making, then its active chunks in order of publishing.
    pub sources: Vec<RowSource>,
    /// Segments that ought to be among `sources` and cannot be read: an answer lacks their rows.
    pub failures: Vec<SegmentFailure>,
    /// Segments that lie outside the range.
    pub skipped: usize,
    /// Records that could not become rows.
    pub rejected: Arc<RejectedRecords>,
}

impl TopicInstant {
    /// Number of rows that are not deleted, those of segments that cannot be read included.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        let sealed = self.segments.iter().map(|segment| segment.meta.row_count);
        let active = self.active.iter().cloned().map(RowSource::Active);
        let active = active.map(|source| source.live_row_count() as u64);
        let deleted = self.deleted.values().map(|deleted| deleted.count() as u64);
        sealed.chain(active).sum::<u64>() - deleted.sum::<u64>()
    }

    /// The sources that may have the row that `id` names, newest first; segments are opened as they
    /// are asked for, and say which they are.
    pub(super) fn newest_first(
        &self,
        id: &[u8],
    ) -> impl Iterator<Item = (Option<&SealedSegment>, Result<RowSource, StoreError>)> {
        let origin = origin_of_name(id);
        let may_have = move |segment: &&Arc<SealedSegment>| {
            let offsets = &segment.meta.offsets;
            let is_inside = |(partition, offset): (PartitionId, Offset)| {
                let mut offsets = offsets.iter();
                offsets.any(|(id, range)| *id == partition && range.contains(offset))
            };
            segment.meta.has_ids || origin.is_some_and(is_inside)
        };
        let active = self.active.iter().rev().cloned();
        let active = active.map(|rows| (None, Ok(RowSource::Active(rows))));
        let segments = self.segments.iter().rev().filter(may_have);
        let segments = segments.map(|segment| (Some(&**segment), self.open_segment(segment)));
        active.chain(segments)
    }

    fn open_segment(&self, segment: &SealedSegment) -> Result<RowSource, StoreError> {
        let id = segment.meta.id;
        let rows = SourceRows::new(segment.open()?, self.deleted.get(&id).cloned());
        let overlay = self.overlays.get(&id).cloned();
        Ok(RowSource::Segment(rows.with_overlay(overlay)))
    }

    /// Looks which of its segments were found damaged while a scan read them: they are left out
    /// when this instant is opened again, and of all later ones. Says whether there are some that
    /// nobody knew of.
    #[must_use]
    pub fn note_met_damage(&self) -> bool {
        let mut found = false;
        for segment in self.segments.iter() {
            found |= segment.note_met_damage();
        }
        found
    }

    /// Opens the segments that may have rows whose time field lies in `range`, in milliseconds.
    /// Those that are in memory cost nothing.
    #[must_use]
    pub fn open(&self, range: RangeInclusive<i64>) -> TopicSnapshot {
        let mut snapshot = TopicSnapshot {
            topic: Arc::clone(&self.topic),
            sources: Vec::with_capacity(self.segments.len() + self.active.len()),
            failures: Vec::new(),
            skipped: 0,
            rejected: Arc::clone(&self.rejected),
        };
        for segment in self.segments.iter() {
            let meta = &segment.meta;
            let is_outside =
                meta.time_first_ms > *range.end() || meta.time_last_ms < *range.start();
            if meta.times_are_field && is_outside {
                snapshot.skipped += 1;
                continue;
            }
            match self.open_segment(segment) {
                Ok(rows) => snapshot.sources.push(rows),
                Err(error) => snapshot.failures.push(SegmentFailure {
                    segment: Arc::clone(&segment.meta),
                    reason: error.to_string().into(),
                }),
            }
        }
        let active = self.active.iter().cloned().map(RowSource::Active);
        snapshot.sources.extend(active);
        snapshot
    }
}

impl TopicSnapshot {
    /// Number of rows that are not deleted.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.sources.iter().map(RowSource::live_row_count).sum()
    }
}

impl Store {
    /// All rows of a topic at this instant; `None` when there is no such topic. Its segments are
    /// opened.
    #[must_use]
    pub fn snapshot(&self, topic: TopicId) -> Option<TopicSnapshot> {
        let all = i64::MIN..=i64::MAX;
        self.instant(topic).map(|instant| instant.open(all))
    }

    /// What there is of a topic at this instant, without reading any of it; `None` when there is
    /// no such topic.
    #[must_use]
    pub fn instant(&self, topic: TopicId) -> Option<TopicInstant> {
        let view = self.view();
        let (state, topic) = view.topic(topic)?;
        Some(TopicInstant {
            topic: Arc::clone(&state.topic),
            rejected: all_rejected(&state.rejected, &topic.active),
            segments: Arc::clone(&topic.segments),
            deleted: topic.deleted.clone(),
            overlays: topic.overlays.clone(),
            active: topic.active.chunks().cloned().collect(),
        })
    }

    /// What is known of the segments of a topic, in the order of the catalog.
    #[must_use]
    pub fn segment_health(&self, topic: TopicId) -> Vec<(Arc<SegmentMeta>, SegmentHealth)> {
        let view = self.view();
        let segments = view.topics.get(&topic).map(|topic| topic.segments.iter());
        let segments = segments.into_iter().flatten();
        segments
            .map(|segment| (Arc::clone(&segment.meta), segment.health()))
            .collect()
    }

    /// Says that a segment is damaged, so that no answer uses it any more, or that it is sound
    /// again. Nothing happens when it is gone.
    pub fn set_segment_health(&self, topic: TopicId, segment: SegmentId, health: &SegmentHealth) {
        let view = self.view();
        let Some(topic) = view.topics.get(&topic) else {
            return;
        };
        let found = topic.segments.iter().find(|known| known.meta.id == segment);
        if let Some(segment) = found {
            segment.set_health(health);
        }
    }
}

/// What the catalog knows and what waits to be told to it.
fn all_rejected(sealed: &Arc<RejectedRecords>, active: &ActiveRows) -> Arc<RejectedRecords> {
    let mut all = Arc::clone(sealed);
    let waiting = active.sealing.iter().map(|sealing| &sealing.gathered);
    for gathered in waiting.chain([&active.open]) {
        if gathered.rejected.total() > 0 {
            Arc::make_mut(&mut all).merge(&gathered.rejected);
        }
    }
    all
}
