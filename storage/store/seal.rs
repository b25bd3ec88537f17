//! Active rows become a segment: file first, edit second.
//!
//! 1. Choose all rows published so far, and the segments that have lost rows to them; rows
//!    published from now on stay open.
//! 2. Write them to a temporary file, sync it, give it the name of its content, sync the folder.
//!    Write an overlay for each of the segments: the rows that it has lost, and its cells again.
//! 3. Stage the edit {segment, watermarks, rejected, overlays} and commit it. The commit swaps rows
//!    for segment in the same instant in which the catalog names it. Rows that were deleted since
//!    the choice are deleted in the segment from then on; the next seal writes that down.
//!
//! A crash before the commit leaves an unknown file, which the next start removes, and the rows
//! are decoded again from the old watermarks. A crash behind it leaves a segment and watermarks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::active::{Gathered, Sealed, Sealing};
use super::files::{segment_file, segment_folder};
use super::overlays::overlay_file;
use super::sealed::SealedSegment;
use super::view::TopicWork;
use super::write::meta;
use super::{Store, StoreError};
use crate::catalog::{CatalogChange, Edit, OverlayMeta, SegmentId, SegmentMeta, TimeField, Topic};
use crate::disk::FilePath;
use crate::model::TopicId;
use crate::segment::{
    ActiveChunk, ColumnRoles, DeletedRows, Overlay, RowSource, SourceRows, write_segment,
};

/// What a segment is called, inside its topic's folder, until its content is known.
const SEALING_FILE: &str = "sealing.temporary";

/// What a seal is about.
struct Chosen {
    gathered: Gathered,
    /// Segments that have lost rows that no overlay knows of.
    shrunk: Vec<Shrunk>,
}

/// A segment at the instant of the choice.
struct Shrunk {
    meta: Arc<SegmentMeta>,
    segment: Arc<SealedSegment>,
    deleted: Arc<DeletedRows>,
}

/// What a seal has written into durable files.
struct Written {
    segment: Option<SegmentMeta>,
    overlays: Vec<(SegmentId, OverlayMeta, Arc<Overlay>)>,
    /// Rows that were deleted before.
    dropped: u64,
}

impl Store {
    /// Writes all rows published so far into one segment and commits it together with the
    /// watermarks. Rows published meanwhile stay active. `None` when there was nothing to seal, or
    /// nothing that was published became a row; then the watermarks alone are committed.
    ///
    /// # Errors
    /// When the topic is gone, or the segment cannot be written; then the rows are active again.
    pub fn seal(&self, topic: TopicId) -> Result<Option<Arc<SegmentMeta>>, StoreError> {
        self.has_room()?;
        let work = self.topic_work(topic)?;
        let _sealing = work.sealing.lock().expect(NOBODY_PANICS);
        let chosen = {
            let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
            self.choose(topic)?
        };
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let result = self.seal_chosen(topic, &work, &chosen);
        if result.is_err() {
            let _publishing = work.publishing.lock().expect(NOBODY_PANICS);
            self.give_back(topic);
        }
        result
    }

    /// Takes all open rows out for sealing; queries go on seeing them. The caller is publishing.
    fn choose(&self, topic: TopicId) -> Result<Option<Chosen>, StoreError> {
        let mut view = self.view_mut();
        let state = view.catalog.topic(topic).cloned();
        let unknown = || StoreError::UnknownTopic(topic);
        let state = state.ok_or_else(unknown)?;
        let view = view.topics.get_mut(&topic).ok_or_else(unknown)?;
        if view.active.open.is_empty() {
            return Ok(None);
        }
        let gathered = std::mem::take(&mut view.active.open);
        view.active.sealing = Some(Sealing {
            gathered: gathered.clone(),
            sealed: Sealed::default(),
        });
        let segments = state.segments.iter().zip(view.segments.iter());
        let shrunk = segments.filter(|(meta, _)| view.has_new_deletions(meta.id));
        let shrunk = shrunk.map(|(meta, segment)| Shrunk {
            meta: Arc::clone(meta),
            segment: Arc::clone(segment),
            deleted: Arc::clone(&view.deleted[&meta.id]),
        });
        Ok(Some(Chosen {
            shrunk: shrunk.collect(),
            gathered,
        }))
    }

    /// The rows of a seal that failed are open again, before those published since. The caller is
    /// publishing, since chunks change their places.
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
        work: &TopicWork,
        chosen: &Chosen,
    ) -> Result<Option<Arc<SegmentMeta>>, StoreError> {
        let mut files = Vec::new();
        let written = self.write_chosen(topic, chosen, &mut files);
        let sealed = written.and_then(|written| {
            // From here on nobody deletes rows until the commit has shown where they lie now. Rows
            // that delete none are published meanwhile.
            let _moving = work.moving.lock().expect(NOBODY_PANICS);
            self.commit_seal(topic, chosen, written)
        });
        let file = match sealed {
            Ok(file) => file,
            Err(error) => {
                // In no edit: nobody will ever ask for them. A store that has stopped does not
                // know that, and the next start does.
                if self.check().is_ok() {
                    files
                        .iter()
                        .try_for_each(|file| self.remove_unnamed(topic, file))?;
                }
                return Err(error);
            }
        };
        for shrunk in &chosen.shrunk {
            self.remove_overlay(topic, &shrunk.meta)?;
        }
        let view = self.view();
        let segments = view.catalog.topic(topic).map(|state| &state.segments);
        let sealed = file.zip(segments).and_then(|(file, segments)| {
            let mut segments = segments.iter().rev();
            segments.find(|meta| meta.file == file)
        });
        Ok(sealed.cloned())
    }

    /// Writes what was chosen into durable files, whose names are added to `files`.
    fn write_chosen(
        &self,
        topic: TopicId,
        chosen: &Chosen,
        files: &mut Vec<FilePath>,
    ) -> Result<Written, StoreError> {
        let gathered = &chosen.gathered;
        let chunks = live_chunks(&gathered.chunks)?;
        let count: usize = chunks.iter().map(|chunk| chunk.row_count()).sum();
        let mut written = Written {
            segment: None,
            overlays: Vec::new(),
            dropped: gathered.dropped + (gathered.row_count() - count) as u64,
        };
        if !chunks.is_empty() {
            let meta = self.write_segment(topic, &chunks)?;
            files.push(segment_file(topic, &meta));
            written.segment = Some(meta);
        }
        for shrunk in &chosen.shrunk {
            let reader = match shrunk.segment.open() {
                Ok(reader) => Some(reader),
                Err(error) if error.is_damage() => None,
                Err(error) => return Err(error),
            };
            let (meta, deleted) = (&shrunk.meta, &shrunk.deleted);
            let (overlay, open) = self.write_overlay(topic, meta, reader.as_deref(), deleted)?;
            files.push(overlay_file(topic, &overlay));
            written.overlays.push((meta.id, overlay, open));
        }
        Ok(written)
    }

    /// Commits what was written, and shows it. The name of the segment's file. The caller is
    /// moving rows.
    fn commit_seal(
        &self,
        topic: TopicId,
        chosen: &Chosen,
        written: Written,
    ) -> Result<Option<String>, StoreError> {
        let segment = written.segment;
        let overlays = written.overlays.iter();
        let sealed = Sealed {
            deleted: match &segment {
                Some(meta) => self.deleted_meanwhile(topic, chosen, meta)?,
                None => None,
            },
            overlays: overlays
                .map(|(id, _, overlay)| (*id, Arc::clone(overlay)))
                .collect(),
        };
        if let Some(view) = self.view_mut().topics.get_mut(&topic)
            && let Some(sealing) = &mut view.active.sealing
        {
            sealing.sealed = sealed;
        }
        let file = segment.as_ref().map(|meta| meta.file.clone());
        let deletions = written.overlays.into_iter();
        let deletions = deletions.map(|(id, overlay, _)| (id, overlay)).collect();
        let gathered = &chosen.gathered;
        let lsn = self.stage_edit(|catalog| {
            if catalog.topic(topic).is_none() {
                return Err(StoreError::UnknownTopic(topic));
            }
            let segment = segment.map(|mut meta| {
                meta.id = catalog.next_segment_id();
                meta
            });
            let watermarks = gathered.next.iter().map(|(id, next)| (*id, *next));
            Ok(Edit::of(CatalogChange::Seal {
                topic,
                segment,
                watermarks: watermarks.collect(),
                rejected: gathered.rejected.clone(),
                deletions,
                dropped: written.dropped,
            }))
        })?;
        self.wait_durable(lsn)?;
        Ok(file)
    }

    /// The rows of the new segment that were deleted since they were chosen.
    fn deleted_meanwhile(
        &self,
        topic: TopicId,
        chosen: &Chosen,
        segment: &SegmentMeta,
    ) -> Result<Option<Arc<DeletedRows>>, StoreError> {
        let mut origins = BTreeSet::new();
        {
            let view = self.view();
            let view = view.topics.get(&topic);
            let sealing = view.and_then(|view| view.active.sealing.as_ref());
            let now = sealing.iter().flat_map(|sealing| &sealing.gathered.chunks);
            for (now, before) in now.zip(&chosen.gathered.chunks) {
                let batch = now.batch();
                let deleted = now.deleted().into_iter().flat_map(|deleted| deleted.rows());
                for row in deleted.filter(|row| before.is_live(*row)) {
                    origins.insert((batch.partitions[row], batch.offsets[row]));
                }
            }
        }
        if origins.is_empty() {
            return Ok(None);
        }
        let file = segment_file(topic, segment);
        let rows = RowSource::from(self.open_new_segment(topic, segment)?);
        let mut deleted = DeletedRows::new(rows.row_count());
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        for vector in 0..rows.vector_count() {
            let read = rows.origins(vector, &mut partitions, &mut offsets);
            read.map_err(StoreError::segment(&file))?;
            let places = partitions.iter().copied().zip(offsets.iter().copied());
            for (row, place) in rows.vector_rows(vector).zip(places) {
                if origins.contains(&place) {
                    deleted.insert(row);
                }
            }
        }
        Ok(Some(Arc::new(deleted)))
    }

    /// Writes rows into a durable file.
    fn write_segment(
        &self,
        topic: TopicId,
        chunks: &[Arc<ActiveChunk>],
    ) -> Result<SegmentMeta, StoreError> {
        let Some(state) = self.catalog().topic(topic).cloned() else {
            return Err(StoreError::UnknownTopic(topic));
        };
        let roles = roles(&state.topic);
        let batches: Vec<_> = chunks.iter().map(|chunk| chunk.batch()).collect();
        let temporary = segment_folder(topic).join(SEALING_FILE);
        let written = self.write_new_file(&temporary, |out| {
            write_segment(&batches, &roles, &self.options.segment, out)
        })?;
        let mut meta = meta(&written);
        meta.has_ids = batches.iter().any(|batch| batch.ids.is_some());
        meta.times_are_field = batches.iter().all(|batch| batch.times_are_field);
        self.publish_file(&temporary, &segment_file(topic, &meta))?;
        Ok(meta)
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
