//! Where things lie below the store's folder, and how what nobody knows is removed.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::StoreError;
use crate::catalog::{Catalog, SegmentMeta};
use crate::disk::{Disk, FilePath, ReadFile};
use crate::model::TopicId;
use crate::segment::Overlay;

/// The folder of a topic's segments.
pub(super) fn segment_folder(topic: TopicId) -> FilePath {
    path("segments").join(&topic.0.to_string())
}

/// The file of one of a topic's segments.
pub(super) fn segment_file(topic: TopicId, meta: &SegmentMeta) -> FilePath {
    segment_folder(topic).join(&meta.file)
}

/// Opens the overlay of the segment `meta`, if it has one.
pub(super) fn open_overlay(
    disk: &Arc<dyn Disk>,
    topic: TopicId,
    meta: &SegmentMeta,
) -> Result<Option<Arc<Overlay>>, StoreError> {
    let Some(overlay) = &meta.overlay else {
        return Ok(None);
    };
    let path = segment_folder(topic).join(&overlay.file);
    // A missing file is told apart from a damaged one.
    disk.open(&path).map_err(StoreError::io("open", &path))?;
    let file = Arc::new(NamedFile {
        disk: Arc::clone(disk),
        path: path.clone(),
    });
    let rows = usize::try_from(meta.row_count).unwrap_or(usize::MAX);
    let overlay = Overlay::open(file, &meta.file, rows);
    Ok(Some(Arc::new(overlay.map_err(StoreError::segment(&path))?)))
}

/// A file that is opened for each read, because it is seldom read and there are many of its kind.
#[derive(Debug)]
struct NamedFile {
    disk: Arc<dyn Disk>,
    path: FilePath,
}

impl ReadFile for NamedFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.disk.open(&self.path)?.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.open(&self.path)?.read_exact_at(offset, out)
    }
}

/// Removes the logs and segments of topics that `catalog` once knew and knows no more.
///
/// `catalog` must be what the checkpoint holds: a recovery from an older one would miss the files.
/// Returns how many files are gone.
pub(super) fn remove_deleted_topics(
    disk: &dyn Disk,
    catalog: &Catalog,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    for root in ["log", "segments"] {
        let folders = disk.list_directories(&path(root));
        for folder in folders.map_err(StoreError::io("list", &path(root)))? {
            let Some(topic) = topic_of(&folder) else {
                continue;
            };
            // A topic made since has no place in `catalog` yet.
            if topic < catalog.next_topic_id() && catalog.topic(topic).is_none() {
                removed += remove_folder(disk, &folder)?;
            }
        }
    }
    Ok(removed)
}

/// What became of segment files that the catalog and the disk do not agree on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tidied {
    /// Files that no topic names: written and never committed, or merged away. They are gone.
    pub(super) removed: usize,
    /// Segments whose file is not there.
    pub(super) missing: usize,
}

/// Removes the segment files that no topic of `catalog` names. Nobody may be sealing or merging.
pub(super) fn remove_unknown_segments(
    disk: &dyn Disk,
    catalog: &Catalog,
) -> Result<Tidied, StoreError> {
    let mut tidied = Tidied::default();
    for state in catalog.topics() {
        let folder = segment_folder(state.topic.id);
        let known = state.segments.iter().flat_map(|meta| meta.files());
        let known: HashSet<&str> = known.collect();
        let files = disk
            .list(&folder)
            .map_err(StoreError::io("list", &folder))?;
        let mut present = 0;
        for file in &files {
            if known.contains(file.name()) {
                present += 1;
            } else {
                remove(disk, file)?;
                tidied.removed += 1;
            }
        }
        tidied.missing += known.len() - present;
    }
    Ok(tidied)
}

/// Removes `file`; one that is gone already is as good.
pub(super) fn remove(disk: &dyn Disk, file: &FilePath) -> Result<(), StoreError> {
    match disk.remove(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", file)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove_folder(disk: &dyn Disk, folder: &FilePath) -> Result<usize, StoreError> {
    let files = disk.list(folder).map_err(StoreError::io("list", folder))?;
    for file in &files {
        remove(disk, file)?;
    }
    // No sync: a name that a power cut brings back is removed at the next start.
    disk.remove_directory(folder)
        .map_err(StoreError::io("remove", folder))?;
    Ok(files.len())
}

/// The topic that a folder `log/<topic>-<partition>` or `segments/<topic>` belongs to.
fn topic_of(folder: &FilePath) -> Option<TopicId> {
    let name = folder.name();
    let digits = name.split_once('-').map_or(name, |(topic, _)| topic);
    digits.parse().ok().map(TopicId)
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("names of files are made by the store")
}
