//! Writing groups, starting files and removing them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::JournalError;
use super::format::{JournalPosition, encode_group, group_bytes};
use super::recovery::{JournalFile, LastFile, create_file, list_files, recover_last};
use super::replay::Replay;
use crate::disk::{AppendFile, Disk};

/// The buffer that groups are put together in is given back beyond this size.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// How the journal uses its files.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// A file that has this many bytes gets no further group. Opening the journal rewrites its
    /// last file, and trimming removes whole files.
    pub file_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
        }
    }
}

/// The end of the journal, where groups are written.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    /// All files, oldest first; `file` is open at the end of the last one.
    files: VecDeque<JournalFile>,
    file: Box<dyn AppendFile>,
    end: JournalPosition,
    torn_bytes: usize,
    buffer: Vec<u8>,
    poisoned: bool,
}

impl Journal {
    /// Opens the journal, or starts one when `from` is the first position of all.
    ///
    /// `from` is the position that the checkpoint covers: the returned [`Replay`] gives
    /// everything after it. The torn tail of the last file is cut off first.
    ///
    /// # Errors
    /// When the disk fails, the last file is damaged before its end or has another format
    /// version, or the journal does not reach from `from` on. Damage in older files is reported
    /// by the replay; the journal must not be written to then.
    pub fn open(
        disk: Arc<dyn Disk>,
        from: JournalPosition,
        options: JournalOptions,
    ) -> Result<(Self, Replay), JournalError> {
        let mut files = VecDeque::from(list_files(disk.as_ref())?);
        if files.is_empty() && from == JournalPosition::default() {
            files.push_back(create_file(disk.as_ref(), from)?);
        }
        let (Some(oldest), Some(last)) = (files.front().cloned(), files.back().cloned()) else {
            return Err(JournalError::Lost { from });
        };
        let LastFile {
            bytes,
            end,
            torn_bytes,
        } = recover_last(disk.as_ref(), &last)?;
        // Files below the one that holds `from` are left over from an interrupted trim.
        let older = files.iter().take_while(|file| file.first <= from).count();
        if older == 0 || end < from {
            return Err(JournalError::Missing {
                from,
                start: oldest.first,
                end,
            });
        }
        let needed = files
            .iter()
            .take(files.len() - 1)
            .skip(older - 1)
            .cloned()
            .collect();
        let replay = Replay::new(Arc::clone(&disk), from, needed, (last.clone(), bytes));
        let file = disk
            .append(&last.path)
            .map_err(JournalError::disk("open", &last.path))?;
        let (buffer, poisoned) = (Vec::new(), false);
        let journal = Self {
            disk,
            options,
            files,
            file,
            end,
            torn_bytes,
            buffer,
            poisoned,
        };
        Ok((journal, replay))
    }

    /// Writes the payloads as one group and returns when they are durable, with the position
    /// after them. No payloads are durable already.
    ///
    /// # Errors
    /// [`JournalError::GroupTooLarge`] and [`JournalError::Full`] change nothing. After any other
    /// error nobody knows whether the group is durable, and every later call fails: recover from
    /// the disk.
    pub fn append(
        &mut self,
        payloads: &[impl AsRef<[u8]>],
    ) -> Result<JournalPosition, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if payloads.is_empty() {
            return Ok(self.end);
        }
        let bytes = group_bytes(payloads)?;
        self.roll_when_full()?;
        self.poisoned = true;
        encode_group(self.end, payloads, &mut self.buffer);
        assert_eq!(
            self.buffer.len(),
            bytes,
            "a group has the size that it was checked for"
        );
        let path = &self.files.back().expect("there is always a last file").path;
        let written = self.file.append(&self.buffer);
        let written = written.map_err(JournalError::disk("write", path));
        written.map_err(|error| self.without_rest(error.unsynced()))?;
        let path = &self.files.back().expect("there is always a last file").path;
        self.file.sync().map_err(JournalError::disk("sync", path))?;
        self.poisoned = false;
        self.end = self.end.plus(bytes);
        if self.buffer.capacity() > KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
        Ok(self.end)
    }

    /// Makes sure that the payloads can be appended as one group, as far as the disk can tell.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn reserve(&mut self, payloads: &[impl AsRef<[u8]>]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let bytes = group_bytes(payloads)?;
        self.roll_when_full()?;
        let path = &self.files.back().expect("there is always a last file").path;
        let reserved = self.file.reserve(bytes as u64);
        let reserved = reserved.map_err(JournalError::disk("reserve room in", path));
        reserved.map_err(JournalError::unsynced)
    }

    /// Starts the next file when the last one gets no further group.
    fn roll_when_full(&mut self) -> Result<(), JournalError> {
        if self.file.len_bytes() < self.options.file_bytes {
            return Ok(());
        }
        self.poisoned = true;
        let rolled = self.roll();
        rolled.map_err(|error| self.sound_if_full(error.unsynced()))?;
        self.poisoned = false;
        Ok(())
    }

    /// Cuts off what a full disk took of a group: the next one may be shorter, and what stands
    /// behind the last group of a file must be nothing once another file follows.
    fn without_rest(&mut self, error: JournalError) -> JournalError {
        let error = self.sound_if_full(error);
        let end = self.file.len_bytes();
        self.poisoned |= self.file.truncate(end).is_err();
        error
    }

    /// After a full disk the journal is what it was before.
    fn sound_if_full(&mut self, error: JournalError) -> JournalError {
        self.poisoned = !matches!(error, JournalError::Full { .. });
        error
    }

    /// Starts the next file. All groups before it are synced by now.
    fn roll(&mut self) -> Result<(), JournalError> {
        let next = create_file(self.disk.as_ref(), self.end)?;
        let file = self.disk.append(&next.path);
        // The file is there now: opening it needs no room.
        self.file = file.map_err(|error| {
            JournalError::disk("open", &next.path)(std::io::Error::other(error))
        })?;
        self.files.push_back(next);
        Ok(())
    }

    /// The position after the last durable group.
    #[must_use]
    pub fn end(&self) -> JournalPosition {
        self.end
    }

    /// The position from which the journal could be replayed.
    #[must_use]
    pub fn start(&self) -> JournalPosition {
        self.files
            .front()
            .expect("there is always a last file")
            .first
    }

    /// How many bytes of an unfinished group were cut off when the journal was opened.
    #[must_use]
    pub fn torn_bytes(&self) -> usize {
        self.torn_bytes
    }

    /// Removes the files that hold nothing from `before` on. A durable checkpoint must cover
    /// everything before `before`.
    ///
    /// # Errors
    /// When the disk fails. What is left then is removed by the next call.
    pub fn trim(&mut self, before: JournalPosition) -> Result<(), JournalError> {
        while let Some(second) = self.files.get(1)
            && second.first <= before
        {
            let path = self.files[0].path.clone();
            match self.disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(JournalError::disk("remove", &path)(error));
                }
                Ok(()) | Err(_) => self.files.pop_front(),
            };
        }
        Ok(())
    }
}
