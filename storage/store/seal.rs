//! Active rows become a segment: file first, edit second.
//!
//! 1. Choose all rows published so far; rows published from now on stay open.
//! 2. Write them to a temporary file, sync it, give it the name of its content, sync the folder.
//! 3. Stage the edit {segment, watermarks, rejected} and commit it. The commit swaps rows for
//!    segment in the same instant in which the catalog names it.
//!
//! A crash before the commit leaves an unknown file, which the next start removes, and the rows
//! are decoded again from the old watermarks. A crash behind it leaves a segment and watermarks.

use std::sync::Arc;

use super::active::{Gathered, Sealing};
use super::files::{remove, segment_file, segment_folder};
use super::write::meta;
use super::{Store, StoreError};
use crate::catalog::{CatalogChange, Edit, SegmentMeta, TimeField, Topic};
use crate::disk::FilePath;
use crate::model::TopicId;
use crate::segment::{ActiveChunk, ColumnRoles, SourceRows, write_segment};

/// What a segment is called, inside its topic's folder, until its content is known.
const SEALING_FILE: &str = "sealing.temporary";

impl Store {
    /// Writes all rows published so far into one segment and commits it together with the
    /// watermarks. Rows published meanwhile stay active. `None` when there was nothing to seal, or
    /// nothing that was published became a row; then the watermarks alone are committed.
    ///
    /// # Errors
    /// When the topic is gone, or the segment cannot be written; then the rows are active again.
    pub fn seal(&self, topic: TopicId) -> Result<Option<Arc<SegmentMeta>>, StoreError> {
        let work = self.topic_work(topic)?;
        let _sealing = work.sealing.lock().expect(NOBODY_PANICS);
        let chosen = {
            let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
            self.choose(topic)?
        };
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let result = self.seal_chosen(topic, &chosen);
        if result.is_err() {
            self.give_back(topic);
        }
        result
    }

    /// Takes all open rows out for sealing; queries go on seeing them.
    fn choose(&self, topic: TopicId) -> Result<Option<Gathered>, StoreError> {
        let mut view = self.view_mut();
        let view = view.topics.get_mut(&topic);
        let active = &mut view.ok_or(StoreError::UnknownTopic(topic))?.active;
        if active.open.is_empty() {
            return Ok(None);
        }
        let gathered = std::mem::take(&mut active.open);
        active.sealing = Some(Sealing {
            gathered: gathered.clone(),
        });
        Ok(Some(gathered))
    }

    /// The rows of a seal that failed are open again, before those published since.
    fn give_back(&self, topic: TopicId) {
        let mut view = self.view_mut();
        let Some(topic) = view.topics.get_mut(&topic) else {
            return;
        };
        if let Some(sealing) = topic.active.sealing.take() {
            let mut all = sealing.gathered;
            all.extend(std::mem::take(&mut topic.active.open));
            topic.active.open = all;
        }
    }

    fn seal_chosen(
        &self,
        topic: TopicId,
        chosen: &Gathered,
    ) -> Result<Option<Arc<SegmentMeta>>, StoreError> {
        let written = match chosen.chunks.is_empty() {
            true => None,
            false => Some(self.write_segment(topic, chosen)?),
        };
        let file = written.as_ref().map(|(file, _)| file.clone());
        let staged = self.stage_edit(|catalog| {
            if catalog.topic(topic).is_none() {
                return Err(StoreError::UnknownTopic(topic));
            }
            let segment = written.map(|(_, mut meta)| {
                meta.id = catalog.next_segment_id();
                meta
            });
            Ok(Edit::of(CatalogChange::Seal {
                topic,
                segment,
                watermarks: chosen.next.iter().map(|(id, next)| (*id, *next)).collect(),
                rejected: chosen.rejected.clone(),
            }))
        });
        let lsn = match (staged, &file) {
            (Ok(lsn), _) => lsn,
            (Err(error), None) => return Err(error),
            (Err(error), Some(file)) => {
                // Not in any edit: nobody will ever ask for it.
                remove(&*self.disk, file)?;
                return Err(error);
            }
        };
        self.wait_durable(lsn)?;
        let view = self.view();
        let segments = view.catalog.topic(topic).map(|state| &state.segments);
        let sealed = file.zip(segments).and_then(|(file, segments)| {
            let mut segments = segments.iter().rev();
            segments.find(|meta| meta.file == file.name())
        });
        Ok(sealed.cloned())
    }

    /// Writes the chosen rows into a durable file.
    fn write_segment(
        &self,
        topic: TopicId,
        chosen: &Gathered,
    ) -> Result<(FilePath, SegmentMeta), StoreError> {
        let Some(state) = self.catalog().topic(topic).cloned() else {
            return Err(StoreError::UnknownTopic(topic));
        };
        let roles = roles(&state.topic);
        let chunks = live_chunks(&chosen.chunks)?;
        let batches: Vec<_> = chunks.iter().map(|chunk| chunk.batch()).collect();
        let temporary = segment_folder(topic).join(SEALING_FILE);
        let written = self.write_new_file(&temporary, |out| {
            write_segment(&batches, &roles, &self.options.segment, out)
        })?;
        let meta = meta(&written);
        let file = segment_file(topic, &meta);
        self.publish_file(&temporary, &file)?;
        Ok((file, meta))
    }
}

/// The chunks without their deleted rows.
fn live_chunks(chunks: &[SourceRows<ActiveChunk>]) -> Result<Vec<Arc<ActiveChunk>>, StoreError> {
    let mut live = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        live.push(match chunk.deleted() {
            None => Arc::clone(chunk.rows()),
            Some(_) => {
                let rest = ActiveChunk::concat(std::slice::from_ref(chunk));
                Arc::new(rest.map_err(StoreError::ActiveRows)?)
            }
        });
    }
    live.retain(|chunk| chunk.row_count() > 0);
    Ok(live)
}

/// What the mapping of `topic` says about the columns of a segment.
pub(super) fn roles(topic: &Topic) -> ColumnRoles {
    let time_field = match &topic.time_field {
        Some(TimeField::Field(path)) => Some(path.as_str()),
        Some(TimeField::RecordTime) | None => None,
    };
    ColumnRoles::from_mapping(&topic.mapping, time_field)
}

const NOBODY_PANICS: &str = "nothing panics while a topic's rows are being changed";
