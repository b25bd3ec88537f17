//! Finding the journal's end after whatever happened to the process.
//!
//! Each group is synced before the next one is written. So when a group does not hold and another
//! one follows it, bytes changed that were durable: that is damage, and an error. When nothing
//! follows it, it is the group that was being written, and nobody was told that it is durable: it
//! is cut off. (The last group decaying on the medium looks the same; see the format's page.)

use bytes::Bytes;

use super::format::{
    FILE_HEADER_BYTES, GroupHeader, JournalPosition, check_file_header, encode_file_header,
    file_first, file_path, holds_a_group, is_spare, spare_path,
};
use super::{DIRECTORY, JournalError};
use crate::disk::{AppendFile, Disk, FilePath};

/// The ending that [`Disk::replace`] gives to a file before it is complete.
const TEMPORARY_ENDING: &str = ".temporary";

/// A journal file and where it starts.
#[derive(Debug, Clone)]
pub(super) struct JournalFile {
    pub(super) first: JournalPosition,
    pub(super) path: FilePath,
}

impl JournalFile {
    /// How many bytes of this file are in use when `next` follows it. Behind them a file that is
    /// used again holds groups of its earlier life.
    pub(super) fn bytes_before(&self, next: &Self) -> usize {
        let groups = next.first.0.saturating_sub(self.first.0);
        usize::try_from(groups).map_or(usize::MAX, |bytes| bytes.saturating_add(FILE_HEADER_BYTES))
    }
}

/// The last file after its torn tail was cut off.
#[derive(Debug)]
pub(super) struct LastFile {
    /// Its whole content.
    pub(super) bytes: Bytes,
    /// Where the next group goes.
    pub(super) end: JournalPosition,
    /// How many bytes were cut off, those of older groups in a file that is used again included.
    pub(super) torn_bytes: usize,
}

/// What is in the journal's folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// In order.
    pub(super) files: Vec<JournalFile>,
    /// Files that wait to be used again.
    pub(super) spares: Vec<FilePath>,
}

/// The journal's files. What an interrupted replacement left is removed.
pub(super) fn list_files(disk: &dyn Disk) -> Result<Files, JournalError> {
    let paths = disk
        .list(&folder())
        .map_err(|source| JournalError::List { source })?;
    let mut found = Files::default();
    for path in paths {
        if path.name().ends_with(TEMPORARY_ENDING) {
            disk.remove(&path)
                .map_err(JournalError::disk("remove", &path))?;
        } else if let Some(first) = file_first(path.name()) {
            found.files.push(JournalFile { first, path });
        } else if is_spare(path.name()) {
            found.spares.push(path);
        }
    }
    Ok(found)
}

fn folder() -> FilePath {
    FilePath::parse(DIRECTORY).expect("a constant path is plain")
}

/// Makes the file for groups from `first` on. It appears with its header or not at all.
pub(super) fn create_file(
    disk: &dyn Disk,
    first: JournalPosition,
) -> Result<JournalFile, JournalError> {
    let path = file_path(first);
    disk.replace(&path, &encode_file_header(first))
        .map_err(JournalError::disk("create", &path))?;
    Ok(JournalFile { first, path })
}

/// Makes `spare` the file for groups from `first` on, and opens it for them. It appears with its
/// header or stays a spare; what it held before stays behind the header until it is written over.
pub(super) fn use_spare(
    disk: &dyn Disk,
    spare: &FilePath,
    first: JournalPosition,
) -> Result<(JournalFile, Box<dyn AppendFile>), JournalError> {
    let path = file_path(first);
    let start = || {
        let mut file = disk.overwrite(spare)?;
        file.append(&encode_file_header(first))?;
        file.sync()?;
        Ok(file)
    };
    let file = start().map_err(JournalError::disk("write over", spare))?;
    let appear = || {
        disk.rename(spare, &path)?;
        disk.sync_directory(&folder())
    };
    // Whether the name is there is in doubt, so that a full disk is no harmless reason.
    appear()
        .map_err(|error| JournalError::disk("use again", spare)(std::io::Error::other(error)))?;
    Ok((JournalFile { first, path }, file))
}

/// Takes `file` out of the journal and keeps it for later groups; returns its name from now on.
/// The name is durable before anything is written into it: under its old name the file must have
/// its old content or not be there.
pub(super) fn make_spare(disk: &dyn Disk, file: &JournalFile) -> Result<FilePath, JournalError> {
    let spare = spare_path(file.first);
    let rename = || {
        disk.rename(&file.path, &spare)?;
        disk.sync_directory(&folder())
    };
    rename().map_err(JournalError::disk("set aside", &file.path))?;
    Ok(spare)
}

/// Reads the whole of a file and checks its header.
pub(super) fn read_file(disk: &dyn Disk, file: &JournalFile) -> Result<Bytes, JournalError> {
    let read = || {
        let opened = disk.open(&file.path)?;
        let len = usize::try_from(opened.len_bytes()?).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; len];
        opened.read_exact_at(0, &mut bytes)?;
        Ok(Bytes::from(bytes))
    };
    let bytes = read().map_err(JournalError::disk("read", &file.path))?;
    check_file_header(&bytes, file.first, &file.path)?;
    Ok(bytes)
}

/// Reads the last file, cuts off its torn tail and makes the rest durable once more.
///
/// The last group may be readable without being durable: its sync may have failed or never have
/// happened before the process died, and the kernel need not write its bytes any more. So the
/// file is written anew before anything is built on it.
pub(super) fn recover_last(disk: &dyn Disk, file: &JournalFile) -> Result<LastFile, JournalError> {
    let mut bytes = read_file(disk, file)?;
    let mut end = FILE_HEADER_BYTES;
    let position = |at: usize| file.first.plus(at - FILE_HEADER_BYTES);
    while end < bytes.len() {
        let header = GroupHeader::decode(&bytes[end..], position(end));
        let group_end = header.map_or(end + 1, |header| end + header.group_bytes());
        let rest = bytes.slice(end..);
        if header.is_some_and(|header| header.payloads(&rest).is_some()) {
            end = group_end;
            continue;
        }
        // Where the header holds, its own body cannot be mistaken for a later group.
        let later = bytes.get(group_end..).unwrap_or(&[]);
        if holds_a_group(later, position(group_end)) {
            return Err(JournalError::Damaged {
                path: file.path.clone(),
                offset: end as u64,
                what: "a group does not hold, and another one follows it",
            });
        }
        break;
    }
    let torn_bytes = bytes.len() - end;
    bytes.truncate(end);
    disk.replace(&file.path, &bytes)
        .map_err(JournalError::disk("rewrite", &file.path))?;
    Ok(LastFile {
        end: position(end),
        bytes,
        torn_bytes,
    })
}
