//! The index of a file that gets no more batches, kept so that opening the log need not read it.

use std::io;

use super::LogError;
use super::format::{INDEX_ENDING, INDEX_MAGIC, LOG_FORMAT_VERSION, check_version, file_path};
use super::index::{FileIndex, IndexEntry, Latest};
use crate::disk::{Disk, FilePath};
use crate::model::{Offset, Partition};

const FIXED_BYTES: usize = 64;
const ENTRY_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;

/// Writes the index of the file of `partition` that starts at `base`. A disk that has no room for
/// it goes without: the next start makes it.
pub(super) fn write(
    disk: &dyn Disk,
    partition: Partition,
    base: Offset,
    index: &FileIndex,
) -> Result<(), LogError> {
    let path = file_path(partition, base, INDEX_ENDING);
    match disk.replace(&path, &encode(partition, base, index)) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        result => result.map_err(LogError::disk("write", &path)),
    }
}

/// Removes the index of a file, if there is one.
pub(super) fn remove(disk: &dyn Disk, partition: Partition, base: Offset) -> Result<(), LogError> {
    let path = file_path(partition, base, INDEX_ENDING);
    match disk.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LogError::disk("remove", &path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads the index of a file; `None` when there is none or it does not hold, since it can be made
/// from the file itself.
pub(super) fn read(
    disk: &dyn Disk,
    partition: Partition,
    base: Offset,
) -> Result<Option<FileIndex>, LogError> {
    let path = file_path(partition, base, INDEX_ENDING);
    let bytes = match read_bytes(disk, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(LogError::disk("read", &path))?,
    };
    match check_version(&bytes, INDEX_MAGIC, &path) {
        Err(error @ LogError::UnknownVersion { .. }) => Err(error),
        Err(_) => Ok(None),
        Ok(()) => Ok(decode(&bytes, partition, base)),
    }
}

/// Whether an index file is there and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// There is none: the file still grows, or the index is made at the next start.
    Absent,
    /// It holds.
    Sound,
    /// It does not hold, or cannot be read; the next start makes it anew.
    Damaged,
}

/// Looks at the index of the file of `partition` that starts at `base`.
pub(super) fn state(disk: &dyn Disk, partition: Partition, base: Offset) -> IndexState {
    let path = file_path(partition, base, INDEX_ENDING);
    match read_bytes(disk, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => IndexState::Absent,
        Err(_) => IndexState::Damaged,
        Ok(bytes) => {
            let is_current = check_version(&bytes, INDEX_MAGIC, &path).is_ok();
            match is_current && decode(&bytes, partition, base).is_some() {
                true => IndexState::Sound,
                false => IndexState::Damaged,
            }
        }
    }
}

fn read_bytes(disk: &dyn Disk, path: &FilePath) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = usize::try_from(file.len_bytes()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

fn encode(partition: Partition, base: Offset, index: &FileIndex) -> Vec<u8> {
    let mut out = Vec::with_capacity(FIXED_BYTES + index.entries.len() * ENTRY_BYTES + 4);
    out.extend_from_slice(&INDEX_MAGIC);
    out.extend_from_slice(&LOG_FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&partition.topic.0.to_le_bytes());
    out.extend_from_slice(&partition.id.0.to_le_bytes());
    let count = u32::try_from(index.entries.len()).expect("entries are kilobytes apart");
    out.extend_from_slice(&count.to_le_bytes());
    let latest = index
        .latest
        .expect("a file is closed only after its first batch");
    out.extend_from_slice(&base.0.to_le_bytes());
    out.extend_from_slice(&index.end.0.to_le_bytes());
    out.extend_from_slice(&index.bytes.to_le_bytes());
    out.extend_from_slice(&latest.timestamp_ms.to_le_bytes());
    out.extend_from_slice(&latest.batch.0.to_le_bytes());
    debug_assert_eq!(out.len(), FIXED_BYTES);
    for entry in &index.entries {
        out.extend_from_slice(&entry.offset.0.to_le_bytes());
        out.extend_from_slice(&entry.position.to_le_bytes());
        out.extend_from_slice(&entry.latest_before_ms.to_le_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    out
}

fn decode(bytes: &[u8], partition: Partition, base: Offset) -> Option<FileIndex> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (fixed, entries) = content.split_first_chunk::<FIXED_BYTES>()?;
    let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
    let count = usize::try_from(u32_at(fixed, 20)?).ok()?;
    let names_match = u32_at(fixed, 12)? == partition.topic.0
        && u32_at(fixed, 16)? == partition.id.0
        && u64_at(fixed, 24)? == base.0;
    if !names_match || !rest.is_empty() || entries.len() != count {
        return None;
    }
    let entry = |bytes: &[u8; ENTRY_BYTES]| {
        Some(IndexEntry {
            offset: Offset(u64_at(bytes, 0)?),
            position: u64_at(bytes, 8)?,
            latest_before_ms: u64_at(bytes, 16)?.cast_signed(),
        })
    };
    Some(FileIndex {
        entries: entries.iter().map(entry).collect::<Option<Vec<_>>>()?,
        end: Offset(u64_at(fixed, 32)?),
        bytes: u64_at(fixed, 40)?,
        latest: Some(Latest {
            timestamp_ms: u64_at(fixed, 48)?.cast_signed(),
            batch: Offset(u64_at(fixed, 56)?),
        }),
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
