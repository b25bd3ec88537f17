//! Old files of a log go, oldest first, once nobody may read them any more.

use super::format::{LOG_ENDING, file_path};
use super::{LogEnd, LogError, LogReader, PartitionLog, index_file};
use crate::model::Offset;

/// What decides whether a file has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFigures {
    /// The first offset behind it.
    pub end: Offset,
    /// How long it is.
    pub bytes: u64,
    /// The latest time of its records; `None` without records, or when they have no times.
    pub latest_ms: Option<i64>,
}

impl LogReader {
    /// All files, oldest first; the last one grows still.
    #[must_use]
    pub fn file_figures(&self) -> Vec<FileFigures> {
        let files = self.files();
        let figures = files.files.iter().map(|file| FileFigures {
            end: file.index.end,
            bytes: file.index.bytes,
            latest_ms: file.index.latest.map(|latest| latest.timestamp_ms),
        });
        figures.collect()
    }
}

impl PartitionLog {
    /// Notes that a checkpoint names `end` and says that nobody needs records before `start`, and
    /// removes the files that only have such. The last file stays; when all of it is old, the
    /// next append begins another.
    ///
    /// # Errors
    /// What the disk reports; a later call, or the next opening, goes on.
    pub fn settle(&mut self, end: LogEnd, start: Offset) -> Result<(), LogError> {
        self.settled = end;
        let has_old_records = self.reader.end() <= start && self.active.is_some();
        self.must_roll = has_old_records && !self.reader.files().files.is_empty();
        loop {
            let base = {
                let files = self.reader.files();
                match files.files.as_slice() {
                    // A file that the checkpoint cuts must be there at the next start.
                    [first, second, ..] if second.base <= start && first.base < end.file => {
                        first.base
                    }
                    _ => break,
                }
            };
            index_file::remove(self.disk.as_ref(), self.partition, base)?;
            let path = file_path(self.partition, base, LOG_ENDING);
            self.disk
                .remove(&path)
                .map_err(LogError::disk("remove", &path))?;
            self.closed.retain(|(closed, _)| *closed != base);
            self.reader.files_mut().files.remove(0);
        }
        Ok(())
    }
}
