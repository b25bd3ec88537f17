//! What the disk gives back: journal, segments, edits, and a whole store.

use std::io;
use std::sync::Arc;

use siltstone::options::Work;
use siltstone::{Db, Options};
use storage::catalog::{Catalog, Edit};
use storage::disk::{Disk, FilePath, MemoryDisk, ReadFile};
use storage::log::{Journal, JournalOptions, JournalPosition};
use storage::segment::{PageCache, RowSource, SegmentReader};

use crate::seeds::JOURNAL_FILE;

/// Bytes as a file.
#[derive(Debug)]
struct BytesFile(Vec<u8>);

impl ReadFile for BytesFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.saturating_add(out.len());
        let bytes = self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
}

/// The only file of a journal, opened and replayed. A journal that opens takes a further group,
/// and gives it back after the next opening.
///
/// # Panics
/// When that group is lost.
pub fn journal(input: &[u8]) {
    let disk: Arc<dyn Disk> = Arc::new(disk_of([(JOURNAL_FILE, input)]));
    let start = JournalPosition(0);
    let open = || Journal::open(Arc::clone(&disk), start, JournalOptions::default());
    let Ok((mut journal, replay)) = open() else {
        return;
    };
    let Ok(before) = replay.collect::<Result<Vec<_>, _>>() else {
        return;
    };
    journal.append(&[b"one more"]).expect("memory takes it");
    drop(journal);
    let (_journal, replay) = open().expect("it was whole before");
    let after: Vec<_> = replay.map(|entry| entry.expect("it is whole")).collect();
    assert_eq!(after.len(), before.len() + 1);
}

/// A segment's file: opened, checked and read as a whole.
pub fn segment(input: &[u8]) {
    let file = Arc::new(BytesFile(input.to_vec()));
    let Ok(reader) = SegmentReader::open_with_cache(file, Arc::new(PageCache::new(0))) else {
        return;
    };
    let reader = Arc::new(reader);
    let _ = reader.verify();
    let _ = reader.read_batch();
    let _ = reader.cells();
    let source = RowSource::from(reader);
    for row in 0..source.row_count().min(8) {
        let _ = source.source(row);
    }
}

/// What is wrong with a segment's file, in words.
#[must_use]
pub fn segment_fault(input: &[u8]) -> Option<String> {
    let file = Arc::new(BytesFile(input.to_vec()));
    let opened = SegmentReader::open_with_cache(file, Arc::new(PageCache::new(0)));
    let verified = opened.and_then(|reader| reader.verify());
    verified.err().map(|error| error.to_string())
}

/// An edit of the catalog: decoded, and applied to a new catalog.
pub fn edit(input: &[u8]) {
    if let Ok(edit) = Edit::decode(input) {
        let _ = Catalog::new([0; 16]).apply(&edit);
    }
}

/// A whole store, one or more of its files damaged: it opens or says why not; what it then
/// answers, if anything, is an answer or an error.
pub fn store<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let options = Options {
        work: Work::Caller,
        ..Options::default()
    };
    let disk = Arc::new(disk_of(files));
    let Ok(db) = Db::builder().disk(disk).options(options).open() else {
        return;
    };
    let _ = db.refresh("*");
    let _ = db.search(
        "*",
        r#"{"aggs": {"terms": {"terms": {"field": "symbol.keyword"}}}}"#,
    );
    let _ = db.verify(|_| ());
    let _ = db.flush("*");
    let _ = db.close();
}

fn disk_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> MemoryDisk {
    let disk = MemoryDisk::new();
    for (path, bytes) in files {
        let path = FilePath::parse(path).expect("a path of a store");
        let mut file = disk.create(&path).expect("a path for each file");
        file.append(bytes).expect("memory takes it");
    }
    disk
}
