//! The bytes of a journal file. `docs/formats/journal.md` draws them.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DIRECTORY, JournalError};
use crate::disk::FilePath;

/// The newest version of the format, and the only one so far.
pub(super) const JOURNAL_FORMAT_VERSION: u32 = 1;

/// The most that the payloads of one group may take, their lengths included. Recovery holds a
/// file with one such group in memory.
pub const GROUP_BYTES_MAX: usize = 256 << 20;

const MAGIC: [u8; 8] = *b"SILTJRNL";
const MARKER: [u8; 4] = *b"GRP\n";
const ENDING: &str = ".journal";
/// The ending of a file whose groups are not needed any more and whose blocks are.
const SPARE_ENDING: &str = ".spare";

pub(super) const FILE_HEADER_BYTES: usize = 24;
const GROUP_HEADER_BYTES: usize = 24;
const GROUP_HEADER_CHECKED_BYTES: usize = GROUP_HEADER_BYTES - 4;
const LENGTH_BYTES: usize = 4;

/// A byte position in the endless journal. File headers take no positions, so that the position
/// after a group is the one before it plus its bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct JournalPosition(pub u64);

impl fmt::Display for JournalPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl JournalPosition {
    pub(super) fn plus(self, bytes: usize) -> Self {
        let sum = self.0.checked_add(bytes as u64);
        Self(sum.expect("a disk has fewer than 2^64 bytes"))
    }
}

/// The file that starts at `first`.
pub(super) fn file_path(first: JournalPosition) -> FilePath {
    let directory = FilePath::parse(DIRECTORY).expect("a constant path is plain");
    directory.join(&format!("{:020}{ENDING}", first.0))
}

/// The name under which the file that started at `first` waits to be used again.
pub(super) fn spare_path(first: JournalPosition) -> FilePath {
    let directory = FilePath::parse(DIRECTORY).expect("a constant path is plain");
    directory.join(&format!("{:020}{SPARE_ENDING}", first.0))
}

/// Whether a file called `name` waits to be used again.
pub(super) fn is_spare(name: &str) -> bool {
    first_before(name, SPARE_ENDING).is_some()
}

/// Where the file called `name` starts; `None` when it is no journal file.
pub(super) fn file_first(name: &str) -> Option<JournalPosition> {
    first_before(name, ENDING)
}

fn first_before(name: &str, ending: &str) -> Option<JournalPosition> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| digits.parse().ok().map(JournalPosition))
        .flatten()
}

pub(super) fn encode_file_header(first: JournalPosition) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&JOURNAL_FORMAT_VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&first.0.to_le_bytes());
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Checks the header of the file that should start at `first`.
pub(super) fn check_file_header(
    bytes: &[u8],
    first: JournalPosition,
    path: &FilePath,
) -> Result<(), JournalError> {
    let damaged = |what| JournalError::Damaged {
        path: path.clone(),
        offset: 0,
        what,
    };
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(damaged("the file header is cut short"));
    };
    let Some((version, _)) = rest.split_first_chunk::<4>() else {
        return Err(damaged("the file header is cut short"));
    };
    if *magic != MAGIC {
        return Err(damaged("the file does not start as a journal file does"));
    }
    // The version stands at this place in every version; what follows it may move.
    let version = u32::from_le_bytes(*version);
    if version != JOURNAL_FORMAT_VERSION {
        return Err(JournalError::UnknownVersion {
            path: path.clone(),
            version,
        });
    }
    if bytes.first_chunk::<FILE_HEADER_BYTES>() != Some(&encode_file_header(first)) {
        return Err(damaged(
            "the file header contradicts its checksum or the file's name",
        ));
    }
    Ok(())
}

/// How many bytes a group of these payloads takes in the file, or the error of one too large.
pub(super) fn group_bytes(payloads: &[impl AsRef<[u8]>]) -> Result<usize, JournalError> {
    let size = |payload: &_| LENGTH_BYTES + AsRef::<[u8]>::as_ref(payload).len();
    let body_bytes: usize = payloads.iter().map(size).sum();
    if body_bytes > GROUP_BYTES_MAX {
        return Err(JournalError::GroupTooLarge { bytes: body_bytes });
    }
    Ok(GROUP_HEADER_BYTES + body_bytes)
}

/// Makes `out` the group of `payloads` at `position`.
pub(super) fn encode_group(
    position: JournalPosition,
    payloads: &[impl AsRef<[u8]>],
    out: &mut Vec<u8>,
) {
    let field = |len: usize| u32::try_from(len).expect("a group is smaller than its limit");
    out.clear();
    out.resize(GROUP_HEADER_BYTES, 0);
    for payload in payloads {
        let payload = payload.as_ref();
        out.extend_from_slice(&field(payload.len()).to_le_bytes());
        out.extend_from_slice(payload);
    }
    let (header, body) = out.split_at_mut(GROUP_HEADER_BYTES);
    header[..4].copy_from_slice(&MARKER);
    header[4..8].copy_from_slice(&field(body.len()).to_le_bytes());
    header[8..16].copy_from_slice(&position.0.to_le_bytes());
    header[16..20].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let checksum = crc32fast::hash(&header[..GROUP_HEADER_CHECKED_BYTES]);
    header[GROUP_HEADER_CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
}

/// A group whose header holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupHeader {
    body_bytes: usize,
    body_checksum: u32,
}

impl GroupHeader {
    /// Reads a header at `position` from the start of `bytes`; `None` when there is none. A header
    /// says where it stands, so that an old group is never taken for a new one, whether the file
    /// held it before or the file system used its sector for another file.
    pub(super) fn decode(bytes: &[u8], position: JournalPosition) -> Option<Self> {
        let header: &[u8; GROUP_HEADER_BYTES] = bytes.first_chunk()?;
        let field = |at: usize| {
            let bytes: [u8; 4] = header[at..at + 4].try_into().expect("four bytes are four");
            u32::from_le_bytes(bytes)
        };
        let holds = header[..4] == MARKER
            && header[8..16] == position.0.to_le_bytes()
            && field(20) == crc32fast::hash(&header[..GROUP_HEADER_CHECKED_BYTES]);
        let body_bytes = usize::try_from(field(4)).ok()?;
        holds.then_some(Self {
            body_bytes,
            body_checksum: field(16),
        })
    }

    /// How many bytes the whole group takes.
    pub(super) fn group_bytes(self) -> usize {
        GROUP_HEADER_BYTES + self.body_bytes
    }

    /// The payloads, when the body that follows the header in `group` is whole.
    pub(super) fn payloads(self, group: &Bytes) -> Option<Vec<Bytes>> {
        let body = group.get(GROUP_HEADER_BYTES..self.group_bytes())?;
        if crc32fast::hash(body) != self.body_checksum {
            return None;
        }
        let mut payloads = Vec::new();
        let mut start = GROUP_HEADER_BYTES;
        while start < self.group_bytes() {
            let (length, _) = group.get(start..)?.split_first_chunk::<LENGTH_BYTES>()?;
            start += LENGTH_BYTES;
            let end = start.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            if end > self.group_bytes() {
                return None;
            }
            payloads.push(group.slice(start..end));
            start = end;
        }
        Some(payloads)
    }
}

/// Whether a group's header holds anywhere in `bytes`, whose first byte stands at `position`.
pub(super) fn holds_a_group(bytes: &[u8], position: JournalPosition) -> bool {
    find_group(bytes, position).is_some()
}

/// Where in `bytes`, whose first byte stands at `position`, the first group's header holds.
pub(super) fn find_group(bytes: &[u8], position: JournalPosition) -> Option<usize> {
    let starts = bytes.windows(MARKER.len()).enumerate();
    let mut starts = starts.filter(|(_, window)| *window == MARKER);
    starts
        .find(|(at, _)| GroupHeader::decode(&bytes[*at..], position.plus(*at)).is_some())
        .map(|(at, _)| at)
}
