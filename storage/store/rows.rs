//! Rows become visible: publishing what was decoded, and snapshots of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::active::fold;
use super::removal::{Deletions, NewRows, Place, Removal, Search};
use super::view::{TopicWork, View};
use super::{Store, StoreError};
use crate::catalog::Rejected;
use crate::model::{ColumnBatch, Offset, OffsetRange, Partition, PartitionId, TopicId};
use crate::segment::{ActiveChunk, SourceRows};

/// How much waits to be sealed; rows that are being sealed count no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActiveSize {
    /// Rows.
    pub rows: usize,
    /// Memory they take, about.
    pub bytes: usize,
    /// Records that could not become rows.
    pub rejected: u64,
    /// When the first of it was published; `None` when there is nothing to seal.
    pub oldest_ms: Option<i64>,
}

impl Store {
    /// The first offset of `partition` that is not a row (nor rejected) yet: where decoding goes
    /// on. After a start this is where the segments end.
    #[must_use]
    pub fn materialized(&self, partition: Partition) -> Offset {
        self.view().materialized(partition)
    }

    /// Makes `rows` visible, which together with `rejected` are all that became of the records of
    /// some partitions up to the offsets in `next`. In the same instant the rows vanish that these
    /// records replace or remove.
    ///
    /// # Errors
    /// When the topic is gone, when a row or `next` does not continue what was published before,
    /// or when segments in which ids are looked up cannot be read. Then nothing is published.
    pub fn publish(
        &self,
        topic: TopicId,
        rows: impl Into<NewRows>,
        next: &[(PartitionId, Offset)],
        rejected: Vec<Rejected>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let work = self.topic_work(topic)?;
        let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
        let NewRows { rows, removals } = rows.into();
        // Rows that delete nothing need not wait for a commit that moves others.
        let may_delete = rows.ids.is_some() || !removals.is_empty();
        let _moving = may_delete.then(|| work.moving.lock().expect(NOBODY_PANICS));
        self.check_continues(topic, &rows, next)?;
        let chunk = Arc::new(ActiveChunk::new(rows).counted_in(&self.memory));
        let mut deletions = self.deletions(topic, &chunk, &removals)?;
        let deleted = deletions.remove(&Place::New);
        {
            let mut view = self.view_mut();
            let view = view.topics.get_mut(&topic);
            let view = view.ok_or(StoreError::UnknownTopic(topic))?;
            view.delete(deletions);
            let open = &mut view.active.open;
            if chunk.row_count() > 0 {
                open.chunks.push(SourceRows::new(chunk, deleted));
            }
            open.next.extend(next.iter().copied());
            for record in rejected {
                open.rejected.add(record);
            }
            open.oldest_ms = open.oldest_ms.or(Some(now_ms));
        }
        self.fold(topic);
        Ok(())
    }

    /// How much of a topic waits to be sealed.
    #[must_use]
    pub fn active_size(&self, topic: TopicId) -> ActiveSize {
        let view = self.view();
        let Some(topic) = view.topics.get(&topic) else {
            return ActiveSize::default();
        };
        let open = &topic.active.open;
        ActiveSize {
            rows: open.row_count(),
            bytes: open.memory_bytes(),
            rejected: open.rejected.total(),
            oldest_ms: open.oldest_ms,
        }
    }

    pub(super) fn topic_work(&self, topic: TopicId) -> Result<Arc<TopicWork>, StoreError> {
        self.check()?;
        match self.view().topics.get(&topic) {
            Some(topic) => Ok(Arc::clone(&topic.work)),
            None => Err(StoreError::UnknownTopic(topic)),
        }
    }

    /// What the records of `rows` and `removals` delete. The caller is publishing.
    fn deletions(
        &self,
        topic: TopicId,
        rows: &Arc<ActiveChunk>,
        removals: &[Removal],
    ) -> Result<Deletions, StoreError> {
        // Without ids there is nothing to look for, and rows cost what they always did.
        if rows.batch().ids.is_none() && removals.is_empty() {
            return Ok(Deletions::default());
        }
        let search = {
            let view = self.view();
            let (state, view) = view.topic(topic).ok_or(StoreError::UnknownTopic(topic))?;
            Search::new(state, view)
        };
        search.run(rows, removals)
    }

    /// Whether every row and every end in `next` lies between what is materialized and what is
    /// durable.
    fn check_continues(
        &self,
        topic: TopicId,
        rows: &ColumnBatch,
        next: &[(PartitionId, Offset)],
    ) -> Result<(), StoreError> {
        let view = self.view();
        let mut ranges = BTreeMap::new();
        for (id, next) in next {
            let partition = Partition::new(topic, *id);
            let (materialized, high_watermark) = bounds(&view, partition);
            if *next < materialized || *next > high_watermark {
                return Err(not_next(&view, partition, *next));
            }
            ranges.insert(id.0, OffsetRange::new(materialized, *next));
        }
        for (id, offset) in rows.partitions.iter().zip(&rows.offsets) {
            let offset = Offset(*offset);
            if !ranges.get(id).is_some_and(|range| range.contains(offset)) {
                let partition = Partition::new(topic, PartitionId(*id));
                return Err(not_next(&view, partition, offset));
            }
        }
        Ok(())
    }

    /// Folds a topic's last chunks together until they are few. The caller is publishing.
    fn fold(&self, topic: TopicId) {
        let chunks = match self.view().topics.get(&topic) {
            Some(topic) => topic.active.open.chunks.clone(),
            None => return,
        };
        // Chunks that cannot be one stay apart: their rows answer all the same, and sealing them
        // reports why.
        let Ok(Some((count, folded))) = fold(&chunks, &self.memory) else {
            return;
        };
        if let Some(topic) = self.view_mut().topics.get_mut(&topic) {
            let open = &mut topic.active.open;
            let apart = open.chunks.split_off(open.chunks.len() - count);
            let before: usize = apart.iter().map(|chunk| chunk.row_count()).sum();
            open.dropped += (before - folded.row_count()) as u64;
            if folded.row_count() > 0 {
                open.chunks.push(folded.into());
            }
        }
    }
}

fn bounds(view: &View, partition: Partition) -> (Offset, Offset) {
    let high_watermark = view.partition(partition).map(|view| view.high_watermark);
    (
        view.materialized(partition),
        high_watermark.unwrap_or_default(),
    )
}

fn not_next(view: &View, partition: Partition, next: Offset) -> StoreError {
    let (materialized, high_watermark) = bounds(view, partition);
    StoreError::NotNext {
        partition,
        next,
        materialized,
        high_watermark,
    }
}

const NOBODY_PANICS: &str = "nothing panics while a topic's rows are being changed";
