//! Looking at the journal's files without opening it: nothing is cut or written anew, and groups
//! behind damage are still found.

use std::io;

use bytes::Bytes;

use super::DIRECTORY;
use super::format::{
    FILE_HEADER_BYTES, GroupHeader, JournalPosition, check_file_header, file_first, find_group,
};
use super::recovery::JournalFile;
use crate::disk::{Disk, FilePath, ReadFile};
use crate::log::Damage;

/// What inspection comes by in the journal, in its order.
#[derive(Debug, Clone)]
pub enum JournalSight {
    /// One payload.
    Payload {
        /// The position behind its group.
        position: JournalPosition,
        /// What was given to the journal.
        payload: Bytes,
    },
    /// Something that does not hold.
    Damage(Damage),
}

/// What inspection saw of a journal file.
#[derive(Debug, Clone)]
pub struct JournalFileReport {
    /// The file.
    pub path: FilePath,
    /// Its length.
    pub length_bytes: u64,
    /// Where it starts.
    pub first: JournalPosition,
    /// Where its last sound group ends.
    pub end: JournalPosition,
    /// Sound groups.
    pub groups: u64,
    /// Payloads in them.
    pub payloads: u64,
    /// Bytes behind the last group of the last file: what was being written when the process
    /// ended, and what a file that is used again held before. The next start cuts them off.
    pub torn_bytes: u64,
    /// Places that do not hold.
    pub damages: u64,
}

/// Reads all of the journal and says what is in it, one file in memory at a time.
///
/// # Errors
/// What the disk reports.
pub fn inspect_journal(
    disk: &dyn Disk,
    see: &mut dyn FnMut(JournalSight),
) -> io::Result<Vec<JournalFileReport>> {
    let directory = FilePath::parse(DIRECTORY).expect("a constant path is plain");
    let paths = disk.list(&directory)?.into_iter();
    let files: Vec<JournalFile> = paths
        .filter_map(|path| file_first(path.name()).map(|first| JournalFile { first, path }))
        .collect();
    let mut reports: Vec<JournalFileReport> = Vec::with_capacity(files.len());
    for (number, file) in files.iter().enumerate() {
        if let Some(before) = reports.last_mut().filter(|before| before.end != file.first) {
            before.damages += 1;
            let what = format!(
                "the file ends at position {}, the next one starts at {}",
                before.end, file.first
            );
            let (path, offset) = (before.path.clone(), before.length_bytes);
            see(JournalSight::Damage(damage(path, offset, 0, what)));
        }
        reports.push(inspect_file(disk, file, files.get(number + 1), see)?);
    }
    Ok(reports)
}

fn inspect_file(
    disk: &dyn Disk,
    file: &JournalFile,
    next: Option<&JournalFile>,
    see: &mut dyn FnMut(JournalSight),
) -> io::Result<JournalFileReport> {
    let opened = disk.open(&file.path)?;
    let length_bytes = opened.len_bytes()?;
    let mut bytes = read_whole(&*opened, length_bytes)?;
    bytes.truncate(next.map_or(usize::MAX, |next| file.bytes_before(next)));
    let mut report = JournalFileReport::unread(file, length_bytes);
    if let Err(error) = check_file_header(&bytes, file.first, &file.path) {
        report.damages += 1;
        let header_bytes = bytes.len().min(FILE_HEADER_BYTES) as u64;
        let what = error.to_string();
        see(JournalSight::Damage(damage(
            file.path.clone(),
            0,
            header_bytes,
            what,
        )));
    }
    let mut rest = bytes.slice(bytes.len().min(FILE_HEADER_BYTES)..);
    let mut at = FILE_HEADER_BYTES as u64;
    while !rest.is_empty() {
        let header = GroupHeader::decode(&rest, report.end);
        let whole = header.and_then(|header| Some((header, header.payloads(&rest)?)));
        if let Some((header, payloads)) = whole {
            report.end = report.end.plus(header.group_bytes());
            report.groups += 1;
            report.payloads += payloads.len() as u64;
            for payload in payloads {
                let position = report.end;
                see(JournalSight::Payload { position, payload });
            }
            rest = rest.slice(header.group_bytes()..);
            at += header.group_bytes() as u64;
            continue;
        }
        // Where the header holds, its own body cannot be mistaken for a later group.
        let skip = header.map_or(1, GroupHeader::group_bytes).min(rest.len());
        let later = find_group(&rest[skip..], report.end.plus(skip)).map(|later| later + skip);
        if later.is_none() && next.is_none() {
            report.torn_bytes = rest.len() as u64;
            break;
        }
        let length = later.unwrap_or(rest.len());
        report.damages += 1;
        let what = "a group does not hold, and data that was acknowledged later follows it";
        let path = file.path.clone();
        see(JournalSight::Damage(damage(
            path,
            at,
            length as u64,
            what.into(),
        )));
        report.end = report.end.plus(length);
        rest = rest.slice(length..);
        at += length as u64;
    }
    Ok(report)
}

impl JournalFileReport {
    /// Before any of it was looked at.
    fn unread(file: &JournalFile, length_bytes: u64) -> Self {
        Self {
            path: file.path.clone(),
            length_bytes,
            first: file.first,
            end: file.first,
            groups: 0,
            payloads: 0,
            torn_bytes: 0,
            damages: 0,
        }
    }
}

fn read_whole(file: &dyn ReadFile, length_bytes: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length_bytes).map_err(io::Error::other)?];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Bytes::from(bytes))
}

fn damage(path: FilePath, offset: u64, length_bytes: u64, what: String) -> Damage {
    Damage {
        path,
        offset,
        length_bytes,
        what,
    }
}
