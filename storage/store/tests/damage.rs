//! Each bit of each file of a store: flipped, it is found when the store opens or when it verifies
//! itself, and so is each cut.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use super::deletes::new_rows;
use super::fixture::{batch, create_topic, partition, records};
use super::world::options;
use crate::catalog::MemoryCheckpoint;
use crate::disk::{Disk, FilePath, MemoryDisk};
use crate::model::{Offset, Partition};
use crate::store::{Store, StoreError};

/// All files of a store.
type Files = BTreeMap<FilePath, Vec<u8>>;

/// The folders of a store.
const FOLDERS: [&str; 3] = ["catalog", "log", "segments"];

/// Ends of the names of the files that a store has at least.
const KINDS: [&str; 6] = [
    ".journal",
    ".log",
    ".index",
    ".segment",
    ".overlay",
    "checkpoint",
];

fn open(disk: &Arc<MemoryDisk>) -> Result<Store, StoreError> {
    let disk: Arc<dyn Disk> = Arc::clone(disk) as _;
    let checkpoint = Box::new(MemoryCheckpoint::new(Arc::clone(&disk)));
    Store::open(disk, checkpoint, options(), 0).map(|(store, _)| store)
}

/// Makes `values` records and rows.
fn write(store: &Store, partition: Partition, values: &[&str]) {
    let from = store.log_bounds(partition).unwrap().high_watermark;
    let staged = store
        .stage_batch(partition, batch(values, None), 0)
        .unwrap();
    store.wait_durable(staged.lsn).unwrap();
    let mut fresh = records(store, partition);
    fresh.retain(|(offset, _)| *offset >= from.0);
    let next = [(partition.id, Offset(from.0 + fresh.len() as u64))];
    let rows = new_rows(partition, &fresh);
    store
        .publish(partition.topic, rows, &next, Vec::new(), 0)
        .unwrap();
}

/// A store with a file of each kind, closed in good order.
fn closed_store() -> Files {
    let disk = Arc::new(MemoryDisk::new());
    let store = open(&disk).unwrap();
    let topic = create_topic(&store, "t", 1).unwrap();
    let partition = partition(topic, 0);
    write(&store, partition, &["put a 1", "put b 2", "row 3"]);
    store.seal(topic).unwrap().unwrap();
    write(&store, partition, &["put a 4", "row 5"]);
    store.seal(topic).unwrap().unwrap();
    // Enough that the log goes on in a second file.
    for _ in 0..20 {
        write(&store, partition, &["row 6"]);
    }
    store.close().unwrap();
    let mut files = Files::new();
    for folder in FOLDERS {
        collect(&disk, &FilePath::parse(folder).unwrap(), &mut files);
    }
    files
}

fn read(disk: &MemoryDisk, path: &FilePath) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn collect(disk: &MemoryDisk, folder: &FilePath, files: &mut Files) {
    for path in disk.list(folder).unwrap() {
        let bytes = read(disk, &path);
        files.insert(path, bytes);
    }
    for folder in disk.list_directories(folder).unwrap() {
        collect(disk, &folder, files);
    }
}

/// Whether a store of `files`, of which the one at `path` was damaged, does not open, says that
/// something is wrong, or has made that file again as it was.
fn is_found(files: &Files, path: &FilePath, intact: &[u8]) -> bool {
    let disk = Arc::new(MemoryDisk::new());
    for (path, bytes) in files {
        disk.replace(path, bytes).unwrap();
    }
    match open(&disk) {
        Err(_) => true,
        Ok(store) => !store.verify(&mut |_| {}).is_ok() || read(&disk, path) == intact,
    }
}

/// Does `damage` to `bytes` of a copy of each file, for each number below what `ways` says of its
/// length, and names what was not found.
fn check(ways: fn(usize) -> usize, damage: fn(&mut Vec<u8>, usize)) {
    let files = closed_store();
    let sound = Arc::new(MemoryDisk::new());
    for (path, bytes) in &files {
        sound.replace(path, bytes).unwrap();
    }
    let report = open(&sound).unwrap().verify(&mut |_| {});
    assert!(report.is_ok(), "an intact store: {:?}", report.problems);
    for kind in KINDS {
        let has_kind = files.keys().any(|path| path.to_string().ends_with(kind));
        assert!(has_kind, "no file of kind {kind} in {:?}", files.keys());
    }
    // A journal file that waits to be written over holds nothing.
    let in_use = |(path, _): &(&FilePath, &Vec<u8>)| !path.name().ends_with(".spare");
    let all: Vec<(&FilePath, usize)> = files
        .iter()
        .filter(in_use)
        .flat_map(|(path, bytes)| (0..ways(bytes.len())).map(move |way| (path, way)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for part in all.chunks(all.len().div_ceil(threads)) {
            let files = &files;
            scope.spawn(move || {
                let mut damaged = files.clone();
                for (path, way) in part {
                    let intact = &files[*path];
                    damage(damaged.get_mut(*path).unwrap(), *way);
                    let is_found = is_found(&damaged, path, intact);
                    assert!(is_found, "{path}: {way} is not found");
                    damaged.insert((*path).clone(), intact.clone());
                }
            });
        }
    });
}

#[test]
fn every_flipped_bit_of_every_file_is_found() {
    check(|len| len * 8, |bytes, bit| bytes[bit / 8] ^= 1 << (bit % 8));
}

#[test]
fn every_cut_of_every_file_is_found() {
    check(|len| len, Vec::truncate);
}
