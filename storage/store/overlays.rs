//! Overlays on their way to the disk: what a segment has lost, and the cells of what is left.

use std::io;
use std::sync::Arc;

use super::files::{open_overlay, remove, segment_file, segment_folder};
use super::sealed::SealedSegment;
use super::{Store, StoreError};
use crate::catalog::{OverlayMeta, SegmentMeta};
use crate::disk::FilePath;
use crate::model::TopicId;
use crate::segment::{
    DeletedRows, Overlay, PageCache, SegmentError, SegmentReader, cells_without, encode_overlay,
};

/// What an overlay is called, inside its topic's folder, until its content is known.
const OVERLAY_FILE: &str = "overlay.temporary";

impl Store {
    /// Writes an overlay of the segment `meta` into a durable file, and opens it. Without a reader,
    /// because the segment is damaged, it has no cells.
    pub(super) fn write_overlay(
        &self,
        topic: TopicId,
        meta: &SegmentMeta,
        reader: Option<&SegmentReader>,
        deleted: &DeletedRows,
    ) -> Result<(OverlayMeta, Arc<Overlay>), StoreError> {
        let file = segment_file(topic, meta);
        let cells = match reader.map(|reader| cells_without(reader, deleted)) {
            Some(Ok(cells)) => Some(cells),
            Some(Err(source @ SegmentError::Io { .. })) => {
                return Err(StoreError::segment(&file)(source));
            }
            // Rows must stay deleted, whatever became of the segment.
            Some(Err(_)) | None => None,
        };
        let encoded = encode_overlay(&meta.file, deleted, cells.as_ref());
        let (bytes, hash) = encoded.map_err(StoreError::segment(&file))?;
        let temporary = segment_folder(topic).join(OVERLAY_FILE);
        self.write_new_file(&temporary, |out| {
            out.write_all(&bytes)
                .map_err(|source| SegmentError::Write { source })
        })?;
        let overlay = OverlayMeta {
            file: format!("{hash}.overlay"),
            bytes: bytes.len() as u64,
            deleted_rows: deleted.count() as u64,
        };
        self.publish_file(&temporary, &overlay_file(topic, &overlay))?;
        let with_overlay = SegmentMeta {
            overlay: Some(overlay.clone()),
            ..meta.clone()
        };
        let open = open_overlay(&self.disk, topic, &with_overlay)?;
        Ok((overlay, open.expect("the segment has an overlay now")))
    }

    /// Reads the overlay of a segment once more. When it is damaged, it is written anew from what
    /// is in memory; says what was wrong, and whether that worked. `None` when it holds, or there
    /// is none.
    pub(super) fn check_overlay(
        &self,
        topic: TopicId,
        segment: &SealedSegment,
    ) -> Result<Option<(String, bool)>, StoreError> {
        let work = self.topic_work(topic)?;
        // A seal may write another one.
        let _sealing = work.sealing.lock().expect(NOBODY_PANICS);
        let id = segment.meta.id;
        let (meta, overlay) = {
            let view = self.view();
            let Some((state, topic)) = view.topic(topic) else {
                return Ok(None);
            };
            let meta = state.segments.iter().find(|meta| meta.id == id);
            match (meta, topic.overlays.get(&id)) {
                (Some(meta), Some(overlay)) => (Arc::clone(meta), Arc::clone(overlay)),
                (Some(_) | None, _) => return Ok(None),
            }
        };
        let Err(error) = overlay.check() else {
            return Ok(None);
        };
        let is_gone = |source: &io::Error| source.kind() == io::ErrorKind::NotFound;
        if matches!(&error, SegmentError::Io { source, .. } if !is_gone(source)) {
            // The disk refuses for now: the next pass tries again.
            return Ok(None);
        }
        let reader = segment.open().ok();
        let (made, _) = self.write_overlay(topic, &meta, reader.as_deref(), overlay.deleted())?;
        let is_same = meta.overlay.as_ref() == Some(&made);
        if !is_same {
            // No edit names it.
            self.remove_unnamed(topic, &overlay_file(topic, &made))?;
        }
        Ok(Some((error.to_string(), is_same)))
    }

    /// Reads a segment that is in no edit yet, and so has no number of its own.
    pub(super) fn open_new_segment(
        &self,
        topic: TopicId,
        meta: &SegmentMeta,
    ) -> Result<Arc<SegmentReader>, StoreError> {
        let path = segment_file(topic, meta);
        let file = self
            .disk
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let reader = SegmentReader::open_with_cache(file, Arc::new(PageCache::new(0)));
        Ok(Arc::new(reader.map_err(StoreError::segment(&path))?))
    }

    /// Removes the overlay that `meta` had, which no edit names any more. Who reads it has it open.
    pub(super) fn remove_overlay(
        &self,
        topic: TopicId,
        meta: &SegmentMeta,
    ) -> Result<(), StoreError> {
        match &meta.overlay {
            Some(overlay) => self.remove_unnamed(topic, &overlay_file(topic, overlay)),
            None => Ok(()),
        }
    }

    /// Removes `file`, a segment's or an overlay's, unless the catalog names it: the same content
    /// has the same name, so what is new may be called as what it replaces.
    pub(super) fn remove_unnamed(&self, topic: TopicId, file: &FilePath) -> Result<(), StoreError> {
        let catalog = self.catalog();
        let segments = catalog.topic(topic).map(|state| &state.segments);
        let mut segments = segments.into_iter().flatten();
        match segments.any(|meta| meta.files().any(|name| name == file.name())) {
            true => Ok(()),
            false => remove(&*self.disk, file),
        }
    }
}

/// Where an overlay lies.
pub(super) fn overlay_file(topic: TopicId, overlay: &OverlayMeta) -> FilePath {
    segment_folder(topic).join(&overlay.file)
}

const NOBODY_PANICS: &str = "nothing panics while a topic's rows are being changed";
