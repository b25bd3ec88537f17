//! Valid inputs, damaged: random bytes alone seldom get past a checksum or a length.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use siltstone::options::Work;
use siltstone::{Db, Options};
use storage::catalog::{CatalogChange, Dynamic, Edit, RejectedRecords, SegmentId, SegmentMeta};
use storage::disk::{Disk, FilePath, MemoryDisk};
use storage::log::{BatchBuilder, Codec, Journal, JournalOptions, JournalPosition, NewRecord};
use storage::model::{Offset, OffsetRange, PartitionId, TopicId};

use crate::arrival::topic;

/// A segment with something of everything.
pub const SEGMENT: &[u8] = include_bytes!("../storage/segment/testdata/version-1.segment");

/// Where a journal's first file lies.
pub(crate) const JOURNAL_FILE: &str = "log/journal/00000000000000000000.journal";

/// Where a batch keeps its checksum, and the first byte that it covers.
const CHECKSUM_AT: usize = 17;
const CHECKED_FROM: usize = 21;

/// Where a checkpoint keeps its checksum, and the first byte that it covers.
const CHECKPOINT_CHECKSUM_AT: usize = 12;
const CHECKPOINT_CHECKED_FROM: usize = 16;

/// The end of a segment: length and checksum of the footer before it, version, magic.
const SEGMENT_TRAILER_BYTES: usize = 20;

/// What the checksum of a segment's footer begins with: its name among the pages.
const SEGMENT_FOOTER_NAME: [u8; 9] = [9, 0, 0, 0, 0, 0, 0, 0, 0];

/// `seed` with the edits that `script` spells, three bytes each: a place (as a fraction of the
/// length) and a byte. The byte replaces what is there, inserts a zero before it, or cuts.
#[must_use]
pub fn mutate(seed: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for edit in script.chunks_exact(3) {
        let fraction = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        let place = bytes.len() * fraction / (usize::from(u16::MAX) + 1);
        match edit[2] {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, 0),
            byte => {
                if let Some(target) = bytes.get_mut(place) {
                    *target = byte.wrapping_sub(2);
                }
            }
        }
    }
    bytes
}

/// A record batch with every part that one can have.
///
/// # Panics
/// Never: the records are small.
#[must_use]
pub fn batch(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new();
    for number in 0..20_u8 {
        let value =
            format!(r#"{{"@timestamp":{number},"text":"{number}","deep":{{"a":[1,2.5]}}}}"#);
        let key = [number];
        let record = NewRecord {
            timestamp_ms: 1_500_000_000_000 + i64::from(number),
            key: (number % 2 == 0).then_some(&key[..]),
            value: (number != 7).then_some(value.as_bytes()),
            headers: &[("name", Some(b"value")), ("none", None)],
        };
        builder
            .push(record)
            .expect("twenty small records fit a batch");
    }
    builder.finish(codec).bytes().clone()
}

/// Makes the checksum of a damaged batch right again, so that what is behind it is reached.
pub fn reseal_batch(bytes: &mut [u8]) {
    if bytes.len() > CHECKED_FROM {
        let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        bytes[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Makes the checksum of a damaged checkpoint file right again.
pub fn reseal_checkpoint(bytes: &mut [u8]) {
    if bytes.len() > CHECKPOINT_CHECKED_FROM {
        let checksum = crc32fast::hash(&bytes[CHECKPOINT_CHECKED_FROM..]);
        bytes[CHECKPOINT_CHECKSUM_AT..CHECKPOINT_CHECKED_FROM]
            .copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Makes the checksum of a segment's damaged footer right again, if its length still is.
pub fn reseal_segment(bytes: &mut [u8]) {
    let Some((rest, trailer)) = bytes.split_last_chunk_mut::<SEGMENT_TRAILER_BYTES>() else {
        return;
    };
    let length = u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]);
    let start = usize::try_from(length).map_or(0, |length| rest.len().saturating_sub(length));
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&SEGMENT_FOOTER_NAME);
    hasher.update(&rest[start..]);
    trailer[4..8].copy_from_slice(&hasher.finalize().to_le_bytes());
}

/// The file of a journal with three groups.
#[must_use]
pub fn journal_file() -> Vec<u8> {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = Journal::open(
        Arc::clone(&disk),
        JournalPosition(0),
        JournalOptions::default(),
    );
    let (mut journal, _) = opened.expect("a new journal");
    for group in [&[&b"a"[..], b""][..], &[b"bcd"], &[&[b'x'; 300]]] {
        journal.append(group).expect("memory takes it");
    }
    read(&*disk, &path(JOURNAL_FILE))
}

/// An edit with a change of several kinds, as the journal holds it.
#[must_use]
pub fn edit_bytes() -> Vec<u8> {
    let partition = PartitionId(0);
    let segment = SegmentMeta {
        id: SegmentId(1),
        file: "0.segment".into(),
        bytes: 1,
        row_count: 1,
        time_first_ms: 0,
        time_last_ms: 0,
        format_version: 1,
        times_are_field: true,
        has_ids: false,
        overlay: None,
        offsets: vec![(partition, OffsetRange::new(Offset(0), Offset(5)))],
    };
    Edit {
        changes: vec![
            CatalogChange::CreateTopic(Box::new(topic(Dynamic::True))),
            CatalogChange::Seal {
                topic: TopicId(1),
                segment: Some(segment),
                watermarks: vec![(partition, Offset(5))],
                rejected: RejectedRecords::default(),
                deletions: Vec::new(),
                dropped: 0,
            },
            CatalogChange::ReserveProducerIds { next: 7 },
            CatalogChange::DeleteTopic(TopicId(1)),
        ],
    }
    .encode()
}

/// The files of a store with a segment, active rows and a checkpoint, by path.
#[must_use]
pub fn store_files() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let db = small_store(&disk);
        db.close().expect("memory takes it");
        // Not closed this time, so that there is something to replay.
        drop(small_store(&disk));
        let mut files = Vec::new();
        for root in ["catalog", "log", "segments"] {
            collect(&*disk, &path(root), &mut files);
        }
        files
    })
}

/// A store with sealed rows and active ones, a rejected record and a template.
fn small_store(disk: &Arc<dyn Disk>) -> Db {
    let options = Options {
        work: Work::Caller,
        ..Options::default()
    };
    let db = Db::builder().disk(Arc::clone(disk)).options(options).open();
    let db = db.expect("a sound store");
    let document = |number: u32| {
        format!(
            r#"{{"@timestamp":{},"symbol":"s{}","price":{number}.25}}"#,
            number * 60_000,
            number % 3
        )
    };
    let append = |numbers: std::ops::Range<u32>| {
        let records: Vec<String> = numbers.map(document).collect();
        db.append("trades", records.iter().map(String::as_bytes))
            .expect("memory takes it");
    };
    append(0..40);
    db.append("trades", ["no document"])
        .expect("memory takes it");
    db.flush("trades").expect("memory takes it");
    append(40..50);
    db.refresh("trades").expect("memory takes it");
    db
}

fn collect(disk: &dyn Disk, folder: &FilePath, files: &mut Vec<(String, Vec<u8>)>) {
    for file in disk.list(folder).expect("memory lists") {
        files.push((file.to_string(), read(disk, &file)));
    }
    for inner in disk.list_directories(folder).expect("memory lists") {
        collect(disk, &inner, files);
    }
}

fn read(disk: &dyn Disk, path: &FilePath) -> Vec<u8> {
    let file = disk.open(path).expect("the file was listed");
    let len = file.len_bytes().expect("memory tells");
    let mut bytes = vec![0; usize::try_from(len).expect("a small file")];
    file.read_exact_at(0, &mut bytes).expect("memory gives");
    bytes
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).expect("a plain path")
}

/// Bytes of a journal file's header, and of a group's header: marker, length of the body, the
/// group's position, the body's checksum, and that of these fields.
const JOURNAL_HEADER_BYTES: usize = 24;
const GROUP_HEADER_BYTES: usize = 24;

/// Makes the checksums of the groups of a damaged journal file right again, as far as their
/// lengths lead.
pub fn reseal_journal(bytes: &mut [u8]) {
    let mut at = JOURNAL_HEADER_BYTES;
    while let Some(group) = bytes
        .get_mut(at..)
        .filter(|rest| rest.len() >= GROUP_HEADER_BYTES)
    {
        let length = u32::from_le_bytes([group[4], group[5], group[6], group[7]]);
        let end = usize::try_from(length).map_or(usize::MAX, |length| length + GROUP_HEADER_BYTES);
        let Some(body) = group.get(GROUP_HEADER_BYTES..end) else {
            return;
        };
        let checksum = crc32fast::hash(body);
        let position = (at - JOURNAL_HEADER_BYTES) as u64;
        group[8..16].copy_from_slice(&position.to_le_bytes());
        group[16..20].copy_from_slice(&checksum.to_le_bytes());
        let checksum = crc32fast::hash(&group[..20]);
        group[20..24].copy_from_slice(&checksum.to_le_bytes());
        at += end;
    }
}

/// The field of a segment's footer that lists its pages, and where the first page begins.
const SEGMENT_PAGES_TAG: u64 = 6;
const SEGMENT_HEADER_BYTES: usize = 16;

/// Makes the checksums of a damaged segment's pages right again, in the footer that lists them, as
/// far as the footer can be read.
pub fn reseal_pages(bytes: &mut [u8]) {
    // `None` ends it early; what was made right until then is.
    let _ = try_reseal_pages(bytes);
}

fn try_reseal_pages(bytes: &mut [u8]) -> Option<()> {
    let footer_end = bytes.len().checked_sub(SEGMENT_TRAILER_BYTES)?;
    let length = u32::from_le_bytes(*bytes[footer_end..].first_chunk()?);
    let mut at = footer_end.checked_sub(usize::try_from(length).ok()?)?;
    let seed = u32::from_le_bytes(*bytes.get(12..)?.first_chunk()?);
    let mut page = SEGMENT_HEADER_BYTES;
    while at < footer_end {
        let tag = varint(bytes, &mut at)?;
        let field = usize::try_from(varint(bytes, &mut at)?).ok()?;
        if tag != SEGMENT_PAGES_TAG {
            at = at.checked_add(field)?;
            continue;
        }
        for _ in 0..varint(bytes, &mut at)? {
            let column = u32::try_from(varint(bytes, &mut at)?).ok()?;
            let section = *bytes.get(at)?;
            at += 1;
            let index = u32::try_from(varint(bytes, &mut at)?).ok()?;
            let stored = usize::try_from(varint(bytes, &mut at)?).ok()?;
            varint(bytes, &mut at)?;
            let mut hasher = crc32fast::Hasher::new_with_initial(seed);
            hasher.update(&[section]);
            hasher.update(&column.to_le_bytes());
            hasher.update(&index.to_le_bytes());
            hasher.update(bytes.get(page..page.checked_add(stored)?)?);
            bytes
                .get_mut(at..at + 4)?
                .copy_from_slice(&hasher.finalize().to_le_bytes());
            at += 4;
            page += stored;
        }
    }
    Some(())
}

/// A number of seven bits a byte, lowest first.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
