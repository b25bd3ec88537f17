//! Several segments become one: file first, edit second, old files last.
//!
//! 1. Take the segments that were chosen as they are now.
//! 2. Write their rows into one temporary file, sync it, give it the name of its content, sync
//!    the folder.
//! 3. Stage the edit {removed, segment} and commit it. The commit swaps the segments in the same
//!    instant in which the catalog names the new one.
//! 4. Remove the old files, each when the last snapshot that may read it is gone.
//!
//! Deleted rows stay deleted. Those of which the catalog knows when the merge begins are left out;
//! what was deleted since, by the time of the commit, is deleted of the new segment, and the edit
//! says so where seals have said it of the merged ones.
//!
//! A crash before the commit leaves an unknown file, one behind it leaves files that no edit names
//! any more: the next start removes both. Which segments are merged is decided elsewhere
//! ([`crate::maintenance`]).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::files::{remove, segment_file, segment_folder};
use super::overlays::overlay_file;
use super::seal::roles;
use super::sealed::{SealedSegment, SegmentFile};
use super::write::meta;
use super::{Store, StoreError};
use crate::catalog::{CatalogChange, Edit, EditError, SegmentId, SegmentMeta};
use crate::disk::FilePath;
use crate::memory::MemoryUse;
use crate::model::TopicId;
use crate::segment::{DeletedRows, MergeInput, Overlay, PageCache, merge_bytes, merge_segments};

/// What a merged segment is called, inside its topic's folder, until its content is known.
const MERGING_FILE: &str = "merging.temporary";

/// Pages that one merge keeps in memory.
pub const MERGE_PAGES_BYTES: usize = 32 << 20;

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// This segment took the place of all that were named.
    Done(Arc<SegmentMeta>),
    /// One of them is gone, or it would be the same file again: nothing has changed.
    Outdated,
    /// `watch` has stopped it: nothing has changed.
    Stopped,
}

impl Store {
    /// Makes one segment of `segments`; their files go with [`Store::remove_retired_files`].
    /// `watch` is told how many bytes were written so far, may take its time, and may stop the
    /// work.
    ///
    /// # Errors
    /// When the topic is gone, a segment cannot be read, or the new one cannot be written. Nothing
    /// has changed then.
    pub fn merge(
        &self,
        topic: TopicId,
        segments: &[SegmentId],
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Merged, StoreError> {
        let work = self.topic_work(topic)?;
        let _merging = work.merging.lock().expect(NOBODY_PANICS);
        let Some(inputs) = self.inputs(topic, segments) else {
            return Ok(Merged::Outdated);
        };
        self.has_room_for(inputs.iter().map(|segment| segment.meta.bytes).sum())?;
        let written = self.write_merged(topic, &inputs, watch)?;
        // From here on they are held by the view and by snapshots alone.
        drop(inputs);
        let Some((file, mut meta, mut merging)) = written else {
            return Ok(Merged::Stopped);
        };
        // A seal that writes down what the merged segments have lost comes before or behind.
        let _sealing = work.sealing.lock().expect(NOBODY_PANICS);
        // Whoever deletes rows has looked for them in the segments that are there.
        let _moving = work.moving.lock().expect(NOBODY_PANICS);
        let before = self.metas(topic, &merging.inputs);
        self.overlay_merged(topic, &mut meta, &mut merging)?;
        let removed = merging.inputs.clone();
        let overlay = meta.overlay.clone();
        if let Some(view) = self.view_mut().topics.get_mut(&topic) {
            view.merging = Some(merging);
        }
        let merged = self.commit_merged(topic, removed, &file, meta);
        if let Some(view) = self.view_mut().topics.get_mut(&topic) {
            // Taken by the commit, unless there was none.
            view.merging = None;
        }
        // What is in no edit any more, or never was.
        match &merged {
            Ok(Merged::Done(_)) => before
                .iter()
                .try_for_each(|meta| self.remove_overlay(topic, meta))?,
            Ok(Merged::Outdated | Merged::Stopped) | Err(_) => {
                if let Some(overlay) = overlay.filter(|_| self.check().is_ok()) {
                    self.remove_unnamed(topic, &overlay_file(topic, &overlay))?;
                }
            }
        }
        merged
    }

    /// What the catalog says about `segments`.
    fn metas(&self, topic: TopicId, segments: &[SegmentId]) -> Vec<Arc<SegmentMeta>> {
        let catalog = self.catalog();
        let state = catalog.topic(topic);
        let metas = state.into_iter().flat_map(|state| &state.segments);
        let merged = metas.filter(|meta| segments.contains(&meta.id));
        merged.cloned().collect()
    }

    /// Gives the new segment an overlay when seals have written down, since the merge began, that
    /// the merged ones lost rows: their records are not read again after a crash. The caller is
    /// sealing and publishing.
    fn overlay_merged(
        &self,
        topic: TopicId,
        meta: &mut SegmentMeta,
        merging: &mut Merging,
    ) -> Result<(), StoreError> {
        let known = {
            let view = self.view();
            let view = view
                .topics
                .get(&topic)
                .ok_or(StoreError::UnknownTopic(topic))?;
            let known = view.overlays.iter();
            known
                .map(|(id, overlay)| (*id, Arc::clone(overlay.deleted())))
                .collect()
        };
        let Some(deleted) = merging.carry(&known) else {
            return Ok(());
        };
        let reader = self.open_new_segment(topic, meta)?;
        let (overlay, open) = self.write_overlay(topic, meta, Some(&reader), &deleted)?;
        meta.overlay = Some(overlay);
        merging.overlay = Some(open);
        Ok(())
    }

    /// Removes the files of segments that were merged away and that nobody reads any more.
    /// Returns how many still wait for their readers.
    ///
    /// # Errors
    /// When a file cannot be removed; the next call tries again.
    pub fn remove_retired_files(&self) -> Result<usize, StoreError> {
        let (unread, waiting) = {
            let mut view = self.view_mut();
            let retired = std::mem::take(&mut view.retired);
            let is_read = |file: &Arc<SegmentFile>| file.is_read();
            let (waiting, unread): (Vec<_>, Vec<_>) = retired.into_iter().partition(is_read);
            let count = waiting.len();
            view.retired = waiting;
            (unread, count)
        };
        // No sync: a name that a power cut brings back is removed at the next start.
        for (index, file) in unread.iter().enumerate() {
            if let Err(error) = remove(&*self.disk, &file.path) {
                self.view_mut().retired.extend_from_slice(&unread[index..]);
                return Err(error);
            }
        }
        Ok(waiting)
    }

    /// `None` when one of `segments` is not there, or named twice.
    fn inputs(&self, topic: TopicId, segments: &[SegmentId]) -> Option<Vec<Arc<SealedSegment>>> {
        let view = self.view();
        let sealed = &view.topics.get(&topic)?.segments;
        let mut inputs = Vec::with_capacity(segments.len());
        for id in segments {
            let index = sealed.binary_search_by_key(id, |segment| segment.meta.id);
            inputs.push(Arc::clone(&sealed[index.ok()?]));
        }
        inputs.sort_by_key(|segment| segment.meta.id);
        let count = inputs.len();
        inputs.dedup_by_key(|segment| segment.meta.id);
        (count > 0 && inputs.len() == count).then_some(inputs)
    }

    /// Writes a durable file of all rows. `None` when `watch` has stopped it.
    fn write_merged(
        &self,
        topic: TopicId,
        inputs: &[Arc<SealedSegment>],
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Option<(FilePath, SegmentMeta, Merging)>, StoreError> {
        let Some(state) = self.catalog().topic(topic).cloned() else {
            return Err(StoreError::UnknownTopic(topic));
        };
        // Pages of their own: a merge reads everything once and must not push out what searches
        // use.
        let memory = self.memory();
        let pages = PageCache::for_merge(MERGE_PAGES_BYTES, Arc::clone(memory));
        let pages = Arc::new(pages);
        let readers = inputs
            .iter()
            .map(|segment| segment.open_with(Arc::clone(&pages)));
        let readers: Vec<_> = readers.collect::<Result<_, _>>()?;
        let dropped = self.droppable(topic, inputs);
        let sources = readers.iter().zip(&dropped);
        let sources = sources.map(|(reader, dropped)| MergeInput {
            reader,
            deleted: dropped.as_deref(),
        });
        let sources: Vec<_> = sources.collect();
        let _held = memory.hold(MemoryUse::Merges, merge_bytes(&sources));
        let (roles, options) = (roles(&state.topic), &self.options.segment);
        let temporary = segment_folder(topic).join(MERGING_FILE);
        let mut is_stopped = false;
        let merged = self.write_new_file(&temporary, |out| {
            let mut out = Watched {
                out,
                watch,
                bytes: 0,
                is_stopped: &mut is_stopped,
            };
            merge_segments(&sources, &roles, options, &mut out)
        });
        if is_stopped {
            // It may have come to its end all the same.
            remove(&*self.disk, &temporary)?;
            return Ok(None);
        }
        let merged = merged?;
        let mut meta = meta(&merged.written);
        meta.times_are_field = inputs.iter().all(|segment| segment.meta.times_are_field);
        meta.has_ids = inputs.iter().any(|segment| segment.meta.has_ids);
        let file = segment_file(topic, &meta);
        self.publish_file(&temporary, &file)?;
        let merging = Merging {
            inputs: inputs.iter().map(|segment| segment.meta.id).collect(),
            order: merged.order,
            dropped,
            overlay: None,
        };
        Ok(Some((file, meta, merging)))
    }

    /// The rows of each input that need not be in the merged segment: those of which the catalog
    /// knows that they are deleted. Others are deleted by records that are read again after a
    /// crash, and what replaces them is not there before.
    fn droppable(
        &self,
        topic: TopicId,
        inputs: &[Arc<SealedSegment>],
    ) -> Vec<Option<Arc<DeletedRows>>> {
        let view = self.view();
        let overlays = view.topics.get(&topic).map(|view| &view.overlays);
        let dropped = inputs.iter().map(|input| {
            let overlay = overlays.and_then(|overlays| overlays.get(&input.meta.id));
            overlay.map(|overlay| Arc::clone(overlay.deleted()))
        });
        let mut dropped: Vec<_> = dropped.collect();
        let is_empty = |(input, dropped): (&Arc<SealedSegment>, &Option<Arc<DeletedRows>>)| {
            let deleted = dropped.as_ref().map_or(0, |deleted| deleted.count());
            deleted as u64 == input.meta.row_count
        };
        if inputs.iter().zip(&dropped).all(is_empty) {
            // A segment has at least one row, be it a deleted one.
            dropped[0] = None;
        }
        dropped
    }

    pub(super) fn commit_merged(
        &self,
        topic: TopicId,
        removed: Vec<SegmentId>,
        file: &FilePath,
        mut meta: SegmentMeta,
    ) -> Result<Merged, StoreError> {
        let mut id = SegmentId::default();
        let mut is_known = false;
        let staged = self.stage_edit(|catalog| {
            let Some(state) = catalog.topic(topic) else {
                return Err(StoreError::UnknownTopic(topic));
            };
            is_known = state.segments.iter().any(|known| known.file == meta.file);
            if is_known {
                return Ok(Edit { changes: vec![] });
            }
            id = catalog.next_segment_id();
            meta.id = id;
            Ok(Edit::of(CatalogChange::Merge {
                topic,
                removed,
                segment: meta,
            }))
        });
        if is_known {
            // One segment merged with nothing is itself: the file is in use.
            return Ok(Merged::Outdated);
        }
        let lsn = match staged {
            Ok(lsn) => lsn,
            Err(error) => {
                // Not in any edit: nobody will ever ask for it.
                remove(&*self.disk, file)?;
                return match error {
                    StoreError::Edit(EditError::UnknownSegment { .. }) => Ok(Merged::Outdated),
                    other => Err(other),
                };
            }
        };
        if let Err(error) = self.wait_durable(lsn) {
            if error.is_disk_full() {
                // The edit was refused: nobody will ever ask for it.
                remove(&*self.disk, file)?;
            }
            return Err(error);
        }
        let catalog = self.catalog();
        let state = catalog.topic(topic);
        let merged = state.and_then(|state| {
            let mut segments = state.segments.iter().rev();
            segments.find(|meta| meta.id == id).cloned()
        });
        // Gone again only when the topic is, or when it was merged on.
        Ok(merged.map_or(Merged::Outdated, Merged::Done))
    }
}

/// A merge whose segment is written and not committed yet.
#[derive(Debug)]
pub(super) struct Merging {
    /// What was merged.
    inputs: Vec<SegmentId>,
    /// For each row of the new segment which of `inputs` it is from.
    order: Vec<u16>,
    /// Rows of each input that are not in the new segment.
    dropped: Vec<Option<Arc<DeletedRows>>>,
    /// What of the new segment's rows is deleted for good.
    pub(super) overlay: Option<Arc<Overlay>>,
}

impl Merging {
    /// A segment of as many rows as `replaced`, in the same order.
    pub(super) fn one(replaced: SegmentId, rows: usize) -> Self {
        Self {
            inputs: vec![replaced],
            order: vec![0; rows],
            dropped: vec![None],
            overlay: None,
        }
    }

    /// Rows of the new segment that are deleted in those that were merged, by now.
    pub(super) fn carry(
        &self,
        deleted: &BTreeMap<SegmentId, Arc<DeletedRows>>,
    ) -> Option<Arc<DeletedRows>> {
        let inputs: Vec<_> = self.inputs.iter().map(|id| deleted.get(id)).collect();
        if inputs.iter().all(Option::is_none) {
            return None;
        }
        let is_dropped = |input: usize, row: usize| {
            let dropped = self.dropped[input].as_ref();
            dropped.is_some_and(|dropped| dropped.contains(row))
        };
        let mut carried = DeletedRows::new(self.order.len());
        // Rows of one input keep their order.
        let mut next = vec![0; inputs.len()];
        for (row, input) in self.order.iter().enumerate() {
            let input = usize::from(*input);
            while is_dropped(input, next[input]) {
                next[input] += 1;
            }
            if inputs[input].is_some_and(|deleted| deleted.contains(next[input])) {
                carried.insert(row);
            }
            next[input] += 1;
        }
        (!carried.is_empty()).then(|| Arc::new(carried))
    }
}

/// A writer that asks whether to go on.
struct Watched<'a> {
    out: &'a mut dyn Write,
    watch: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    bytes: u64,
    is_stopped: &'a mut bool,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        if (self.watch)(self.bytes).is_break() {
            *self.is_stopped = true;
            return Err(io::Error::other("the merge was stopped"));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const NOBODY_PANICS: &str = "nothing panics while a topic's segments are merged";
