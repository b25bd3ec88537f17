//! Segment files on their way to the disk: a temporary name, durable bytes, then the name of their
//! content.

use std::io;

use super::files::remove;
use super::{Store, StoreError};
use crate::catalog::{SegmentId, SegmentMeta};
use crate::disk::{AppendFile, FilePath};
use crate::model::OffsetRange;
use crate::segment::{OriginRange, SegmentError, WrittenSegment};

/// How much of a segment is handed to the disk at once.
const WRITE_BYTES: usize = 1 << 20;

impl Store {
    /// Makes the new file `path` and lets `write` fill it; it is durable then, but its name is not.
    pub(super) fn write_new_file<T>(
        &self,
        path: &FilePath,
        write: impl FnOnce(&mut dyn io::Write) -> Result<T, SegmentError>,
    ) -> Result<T, StoreError> {
        // An earlier try of this process may have failed half way.
        remove(&*self.disk, path)?;
        let created = self.disk.create(path);
        let mut file = created.map_err(StoreError::io("create", path))?;
        let mut out = io::BufWriter::with_capacity(WRITE_BYTES, Appending(&mut *file));
        let written = write(&mut out).and_then(|written| match io::Write::flush(&mut out) {
            Ok(()) => Ok(written),
            Err(source) => Err(SegmentError::Write { source }),
        });
        // What is left in the buffer after an error is nobody's.
        drop(out.into_parts());
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                // The disk may be full; the room is given back.
                remove(&*self.disk, path)?;
                return Err(match error {
                    SegmentError::Write { source } => StoreError::io("write", path)(source),
                    error => StoreError::segment(path)(error),
                });
            }
        };
        let synced = file.sync().map_err(StoreError::io("sync", path));
        match synced {
            Ok(()) => Ok(written),
            // Nobody was told of the file.
            Err(error) if error.is_disk_full() => {
                remove(&*self.disk, path)?;
                Err(error)
            }
            // A disk that cannot keep this may not have kept what it said it had.
            Err(error) => Err(self.stop(error)),
        }
    }

    /// Gives a durable file its name, durably.
    pub(super) fn publish_file(
        &self,
        temporary: &FilePath,
        file: &FilePath,
    ) -> Result<(), StoreError> {
        let folder = file.parent().expect("segments lie in a folder");
        let renamed = self.disk.rename(temporary, file);
        let published = renamed
            .map_err(StoreError::io("rename", temporary))
            .and_then(|()| {
                let synced = self.disk.sync_directory(&folder);
                synced.map_err(StoreError::io("sync", &folder))
            });
        // No edit names it yet: without room it is as good as not there, and the next start
        // removes what may be left.
        published.map_err(|error| match error.is_disk_full() {
            true => error,
            false => self.stop(error),
        })
    }
}

/// A file that grows, as the standard library writes to it.
struct Appending<'a>(&'a mut dyn AppendFile);

impl io::Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the catalog will know about `segment`, but for its number.
pub(super) fn meta(segment: &WrittenSegment) -> SegmentMeta {
    let summary = &segment.summary;
    let range = |origin: &OriginRange| {
        let range = OffsetRange::new(origin.first, origin.last.plus(1));
        (origin.partition, range)
    };
    SegmentMeta {
        id: SegmentId::default(),
        file: format!("{}.segment", segment.content_hash),
        bytes: segment.bytes,
        row_count: summary.row_count,
        time_first_ms: summary.time_first_ms,
        time_last_ms: summary.time_last_ms,
        format_version: summary.format_version,
        has_ids: false,
        times_are_field: false,
        offsets: summary.origins.iter().map(range).collect(),
        overlay: None,
    }
}
