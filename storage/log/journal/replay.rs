//! Everything in the journal from a position on, once more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;

use super::JournalError;
use super::format::{FILE_HEADER_BYTES, GroupHeader, JournalPosition};
use super::recovery::{JournalFile, read_file};
use crate::disk::Disk;

/// The payloads from a position on, in order, each with the position after its group: a
/// checkpoint at that position covers it. One file at a time is in memory. After an error there
/// is nothing more.
#[derive(Debug)]
pub struct Replay {
    disk: Arc<dyn Disk>,
    from: JournalPosition,
    /// What is still to be read, without the last file.
    files: VecDeque<JournalFile>,
    last: Option<(JournalFile, Bytes)>,
    open: Option<OpenFile>,
    payloads: vec::IntoIter<Bytes>,
    group_end: JournalPosition,
}

#[derive(Debug)]
struct OpenFile {
    file: JournalFile,
    rest: Bytes,
    position: JournalPosition,
}

impl Replay {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        from: JournalPosition,
        files: VecDeque<JournalFile>,
        last: (JournalFile, Bytes),
    ) -> Self {
        Self {
            disk,
            from,
            files,
            last: Some(last),
            open: None,
            payloads: Vec::new().into_iter(),
            group_end: from,
        }
    }

    fn stop(&mut self) {
        self.files.clear();
        self.last = None;
        self.open = None;
        self.payloads = Vec::new().into_iter();
    }

    fn step(&mut self) -> Result<Option<(JournalPosition, Bytes)>, JournalError> {
        loop {
            if let Some(payload) = self.payloads.next() {
                return Ok(Some((self.group_end, payload)));
            }
            let next_group = match &mut self.open {
                Some(open) => open.next_group()?,
                None => None,
            };
            match next_group {
                Some((start, end, payloads)) => self.enter_group(start, end, payloads)?,
                None if self.open_next_file()? => {}
                None => return Ok(None),
            }
        }
    }

    fn enter_group(
        &mut self,
        start: JournalPosition,
        end: JournalPosition,
        payloads: Vec<Bytes>,
    ) -> Result<(), JournalError> {
        if end <= self.from {
            return Ok(());
        }
        if start < self.from {
            let path = self
                .open
                .as_ref()
                .expect("the group was read from it")
                .file
                .path
                .clone();
            return Err(JournalError::NotAtGroup {
                from: self.from,
                path,
            });
        }
        self.group_end = end;
        self.payloads = payloads.into_iter();
        Ok(())
    }

    /// Goes on with the next file, which must start where this one ends.
    fn open_next_file(&mut self) -> Result<bool, JournalError> {
        let (file, bytes) = match self.files.pop_front() {
            Some(file) => {
                let mut bytes = read_file(self.disk.as_ref(), &file)?;
                let next = self.files.front();
                let next = next.or(self.last.as_ref().map(|(last, _)| last));
                let next = next.expect("the last file comes after all others");
                bytes.truncate(file.bytes_before(next));
                (file, bytes)
            }
            None => match self.last.take() {
                Some(last) => last,
                None => return Ok(false),
            },
        };
        if let Some(before) = self.open.take()
            && before.position != file.first
        {
            return Err(JournalError::Gap {
                path: before.file.path,
                end: before.position,
                next: file.first,
            });
        }
        let (position, rest) = (file.first, bytes.slice(FILE_HEADER_BYTES..));
        self.open = Some(OpenFile {
            file,
            rest,
            position,
        });
        Ok(true)
    }
}

impl OpenFile {
    fn next_group(
        &mut self,
    ) -> Result<Option<(JournalPosition, JournalPosition, Vec<Bytes>)>, JournalError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let header = GroupHeader::decode(&self.rest, self.position);
        let whole = header.and_then(|header| Some((header, header.payloads(&self.rest)?)));
        let Some((header, payloads)) = whole else {
            return Err(JournalError::Damaged {
                path: self.file.path.clone(),
                offset: FILE_HEADER_BYTES as u64 + (self.position.0 - self.file.first.0),
                what: "a group does not hold, and another file follows it",
            });
        };
        let start = self.position;
        self.position = start.plus(header.group_bytes());
        self.rest = self.rest.split_off(header.group_bytes());
        Ok(Some((start, self.position, payloads)))
    }
}

impl Iterator for Replay {
    type Item = Result<(JournalPosition, Bytes), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.step();
        if result.is_err() {
            self.stop();
        }
        result.transpose()
    }
}
