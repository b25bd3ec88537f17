//! Bringing a partition's files back to what the checkpoint knows to be durable.

use std::io;
use std::sync::Arc;

use super::format::{
    FILE_HEADER_BYTES, INDEX_ENDING, LOG_ENDING, check_file_header, directory, file_base, file_path,
};
use super::index::FileIndex;
use super::reader::{LogFile, LogFiles};
use super::walk::Walk;
use super::{LogEnd, LogError, LogOptions, index_file};
use crate::disk::{AppendFile, Disk, FilePath, ReadFile};
use crate::model::{Offset, Partition};

/// The files up to a durable end, and the last of them open for appending.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) files: LogFiles,
    pub(super) active: Option<Box<dyn AppendFile>>,
}

/// Removes everything that was written after `end`, then opens what is left.
///
/// 0. Files that nobody needs any more go: a crash may have left some of those that a trim removed.
/// 1. Files that start after the last durable one go, with every index that is not of a file
///    before it and what interrupted replacements left.
/// 2. The last durable file is cut to its durable length. The cut need not be synced: until the
///    next sync a crash would leave us here again.
/// 3. Older files are opened by their index, which is made anew where it is missing.
/// 4. The last file's index is made by walking over its headers.
pub(super) fn recover(
    disk: &dyn Disk,
    partition: Partition,
    end: &LogEnd,
    start: Offset,
    options: LogOptions,
) -> Result<Recovered, LogError> {
    let mut bases = remove_after(disk, partition, end)?;
    remove_before(disk, partition, start, &mut bases)?;
    if end.file_bytes == 0 {
        let files = LogFiles {
            files: Vec::new(),
            end: end.offset,
        };
        return Ok(Recovered {
            files,
            active: None,
        });
    }
    let active = cut_last(disk, partition, end, &bases)?;
    let mut files = Vec::with_capacity(bases.len());
    for (place, base) in bases.iter().enumerate() {
        let file = open_file(disk, partition, *base)?;
        let index = match bases.get(place + 1) {
            Some(next) => closed_index(disk, partition, *base, &file, *next, options)?,
            None => active_index(partition, &file, end, options)?,
        };
        files.push(LogFile {
            base: *base,
            file,
            index,
        });
    }
    Ok(Recovered {
        files: LogFiles {
            files,
            end: end.offset,
        },
        active: Some(active),
    })
}

/// Removes every file of a partition and its folder.
pub(super) fn remove_all(disk: &dyn Disk, partition: Partition) -> Result<(), LogError> {
    let folder = directory(partition);
    for path in disk
        .list(&folder)
        .map_err(LogError::disk("list", &folder))?
    {
        disk.remove(&path)
            .map_err(LogError::disk("remove", &path))?;
    }
    disk.remove_directory(&folder)
        .map_err(LogError::disk("remove", &folder))
}

/// Step 1. Returns the bases of the log files that are left, ascending.
fn remove_after(
    disk: &dyn Disk,
    partition: Partition,
    end: &LogEnd,
) -> Result<Vec<Offset>, LogError> {
    let folder = directory(partition);
    let has_file = end.file_bytes > 0;
    let mut bases = Vec::new();
    for path in disk
        .list(&folder)
        .map_err(LogError::disk("list", &folder))?
    {
        let log = file_base(path.name(), LOG_ENDING);
        let index = file_base(path.name(), INDEX_ENDING);
        let kept = match (log, index) {
            (Some(base), _) => has_file && base <= end.file,
            (None, Some(base)) => has_file && base < end.file,
            (None, None) => false,
        };
        if !kept {
            disk.remove(&path)
                .map_err(LogError::disk("remove", &path))?;
        } else if let Some(base) = log {
            bases.push(base);
        }
    }
    Ok(bases)
}

/// Step 0. The last file stays in any case.
fn remove_before(
    disk: &dyn Disk,
    partition: Partition,
    start: Offset,
    bases: &mut Vec<Offset>,
) -> Result<(), LogError> {
    let old = bases
        .iter()
        .skip(1)
        .take_while(|next| **next <= start)
        .count();
    for base in bases.drain(..old) {
        index_file::remove(disk, partition, base)?;
        let path = file_path(partition, base, LOG_ENDING);
        disk.remove(&path)
            .map_err(LogError::disk("remove", &path))?;
    }
    Ok(())
}

/// Step 2.
fn cut_last(
    disk: &dyn Disk,
    partition: Partition,
    end: &LogEnd,
    bases: &[Offset],
) -> Result<Box<dyn AppendFile>, LogError> {
    let path = file_path(partition, end.file, LOG_ENDING);
    let short = |found_bytes| LogError::Short {
        path: path.clone(),
        found_bytes,
        durable_bytes: end.file_bytes,
    };
    if bases.last() != Some(&end.file) {
        return Err(short(0));
    }
    let mut active = disk.append(&path).map_err(LogError::disk("open", &path))?;
    if active.len_bytes() < end.file_bytes {
        return Err(short(active.len_bytes()));
    }
    active
        .truncate(end.file_bytes)
        .map_err(LogError::disk("cut", &path))?;
    Ok(active)
}

fn open_file(
    disk: &dyn Disk,
    partition: Partition,
    base: Offset,
) -> Result<Arc<dyn ReadFile>, LogError> {
    let path = file_path(partition, base, LOG_ENDING);
    let open = || -> io::Result<_> {
        let file = disk.open(&path)?;
        let len = file.len_bytes()?.min(FILE_HEADER_BYTES);
        let mut header = vec![0; usize::try_from(len).expect("a header is short")];
        file.read_exact_at(0, &mut header)?;
        Ok((file, header))
    };
    let (file, header) = open().map_err(LogError::disk("read", &path))?;
    check_file_header(&header, partition, base, &path)?;
    Ok(file)
}

/// Step 3. A closed file was synced as a whole before the file after it was, and holds every
/// offset up to the first one of that file.
fn closed_index(
    disk: &dyn Disk,
    partition: Partition,
    base: Offset,
    file: &Arc<dyn ReadFile>,
    next: Offset,
    options: LogOptions,
) -> Result<FileIndex, LogError> {
    let path = file_path(partition, base, LOG_ENDING);
    let found_bytes = file.len_bytes().map_err(LogError::disk("read", &path))?;
    let index = match index_file::read(disk, partition, base)? {
        Some(index) => index,
        None => {
            let walk = Walk::new(
                Arc::clone(file),
                path.clone(),
                FILE_HEADER_BYTES,
                found_bytes,
            );
            let index = walk_index(walk, base, next, options)?;
            if index.latest.is_some() {
                index_file::write(disk, partition, base, &index)?;
            }
            index
        }
    };
    if found_bytes < index.bytes {
        return Err(LogError::Short {
            path,
            found_bytes,
            durable_bytes: index.bytes,
        });
    }
    if index.end != next {
        return Err(LogError::Gap {
            path,
            end: index.end,
            next,
        });
    }
    Ok(index)
}

/// Step 4.
fn active_index(
    partition: Partition,
    file: &Arc<dyn ReadFile>,
    end: &LogEnd,
    options: LogOptions,
) -> Result<FileIndex, LogError> {
    let path = file_path(partition, end.file, LOG_ENDING);
    let walk = Walk::new(
        Arc::clone(file),
        path.clone(),
        FILE_HEADER_BYTES,
        end.file_bytes,
    );
    let index = walk_index(walk, end.file, end.offset, options)?;
    if index.end != end.offset || index.bytes != end.file_bytes {
        return Err(damaged(
            path,
            &index,
            "its batches do not end at the durable offset",
        ));
    }
    Ok(index)
}

/// The index of the batches from `base` up to offset `end`.
fn walk_index(
    mut walk: Walk,
    base: Offset,
    end: Offset,
    options: LogOptions,
) -> Result<FileIndex, LogError> {
    let mut index = FileIndex::new(base);
    while index.end < end {
        let Some(found) = walk.next()? else {
            break;
        };
        index.observe(&found.header, options.index_interval_bytes);
    }
    Ok(index)
}

fn damaged(path: FilePath, index: &FileIndex, what: &'static str) -> LogError {
    LogError::Damaged {
        path,
        offset: index.bytes,
        what,
    }
}
