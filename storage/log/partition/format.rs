//! Names and headers of a partition's files. `docs/formats/log.md` draws them.

use crate::disk::FilePath;
use crate::model::{Offset, Partition, PartitionId, TopicId};

use super::LogError;

/// The newest version of both formats, and the only one so far.
pub(super) const LOG_FORMAT_VERSION: u32 = 1;

pub(super) const LOG_MAGIC: [u8; 8] = *b"SILTPLOG";
pub(super) const INDEX_MAGIC: [u8; 8] = *b"SILTINDX";

pub(super) const LOG_ENDING: &str = ".log";
pub(super) const INDEX_ENDING: &str = ".index";

/// A log file's header, which its batches follow.
pub(super) const FILE_HEADER_BYTES: u64 = 32;
const CHECKED_BYTES: usize = 28;

/// The folder of all partitions' folders.
pub(super) const DIRECTORY: &str = "log";

pub(super) fn directory(partition: Partition) -> FilePath {
    let folder = FilePath::parse(DIRECTORY).expect("a constant path is plain");
    folder.join(&partition.to_string())
}

/// The partition of a folder's name; `None` when it is no partition's folder.
pub(super) fn directory_partition(name: &str) -> Option<Partition> {
    let (topic, id) = name.split_once('-')?;
    let partition = Partition {
        topic: TopicId(topic.parse().ok()?),
        id: PartitionId(id.parse().ok()?),
    };
    // Numbers can be written in many ways, folders in one.
    (partition.to_string() == name).then_some(partition)
}

pub(super) fn file_path(partition: Partition, base: Offset, ending: &str) -> FilePath {
    directory(partition).join(&format!("{:020}{ending}", base.0))
}

/// The base offset of the file called `name`; `None` when it has another ending.
pub(super) fn file_base(name: &str, ending: &str) -> Option<Offset> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Offset)).flatten()
}

pub(super) fn encode_file_header(partition: Partition, base: Offset) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(&LOG_MAGIC);
    header.extend_from_slice(&LOG_FORMAT_VERSION.to_le_bytes());
    header.extend_from_slice(&partition.topic.0.to_le_bytes());
    header.extend_from_slice(&partition.id.0.to_le_bytes());
    header.extend_from_slice(&base.0.to_le_bytes());
    debug_assert_eq!(header.len(), CHECKED_BYTES);
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header
}

/// Checks magic and version, which every version has at the same place.
pub(super) fn check_version(bytes: &[u8], magic: [u8; 8], path: &FilePath) -> Result<(), LogError> {
    let damaged = |what| LogError::Damaged {
        path: path.clone(),
        offset: 0,
        what,
    };
    let found = bytes.split_first_chunk::<8>();
    let Some((found, (version, _))) =
        found.and_then(|(magic, rest)| Some((magic, rest.split_first_chunk::<4>()?)))
    else {
        return Err(damaged("its header is cut short"));
    };
    if *found != magic {
        return Err(damaged("it starts as no such file does"));
    }
    let version = u32::from_le_bytes(*version);
    if version != LOG_FORMAT_VERSION {
        return Err(LogError::UnknownVersion {
            path: path.clone(),
            version,
        });
    }
    Ok(())
}

/// Checks the header of the log file of `partition` that should start at `base`.
pub(super) fn check_file_header(
    bytes: &[u8],
    partition: Partition,
    base: Offset,
    path: &FilePath,
) -> Result<(), LogError> {
    check_version(bytes, LOG_MAGIC, path)?;
    if bytes != encode_file_header(partition, base) {
        let what = "its header contradicts its checksum or its name";
        return Err(LogError::Damaged {
            path: path.clone(),
            offset: 0,
            what,
        });
    }
    Ok(())
}
