//! What disks promise, and how the faulty one breaks what nobody promised.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use super::{Disk, Fault, FaultyDisk, FileDisk, FilePath, MemoryDisk};

const SEEDS: u64 = 300;

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

fn content(disk: &dyn Disk, path: &FilePath) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = vec![0; usize::try_from(file.len_bytes()?).unwrap()];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

#[test]
fn paths_stay_inside() {
    for good in ["a", "a/b", "log/1-0/00000000000000000000.log", "a..b"] {
        assert_eq!(path(good).as_str(), good);
    }
    for bad in [
        "", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a/./b", "a\0",
    ] {
        assert!(FilePath::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
    assert_eq!(path("a").parent(), None);
    assert_eq!(path("a/b").name(), "b");
}

/// What every disk does the same way when nothing goes wrong.
fn check_disk(disk: &dyn Disk) {
    let (file, folder) = (path("log/1-0/a"), path("log/1-0"));
    assert_eq!(disk.list(&folder).unwrap(), []);
    assert_eq!(disk.open(&file).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.append(&file).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove(&file).unwrap_err().kind(), ErrorKind::NotFound);

    let mut writer = disk.create(&file).unwrap();
    assert_eq!(
        disk.create(&file).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    writer.append(b"hello ").unwrap();
    writer.append(b"world").unwrap();
    writer.sync().unwrap();
    disk.sync_directory(&folder).unwrap();
    assert_eq!(writer.len_bytes(), 11);
    writer.truncate(100).unwrap();
    writer.truncate(5).unwrap();
    drop(writer);
    let mut writer = disk.append(&file).unwrap();
    assert_eq!(writer.len_bytes(), 5);
    writer.append(b"!").unwrap();
    assert_eq!(content(disk, &file).unwrap(), b"hello!");

    let reader = disk.open(&file).unwrap();
    let mut two = [0; 2];
    reader.read_exact_at(3, &mut two).unwrap();
    assert_eq!(&two, b"lo");
    let end = reader.read_exact_at(5, &mut two).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);

    disk.replace(&path("log/b"), b"old").unwrap();
    disk.replace(&path("log/b"), b"new").unwrap();
    disk.rename(&file, &path("log/1-0/c")).unwrap();
    assert_eq!(content(disk, &path("log/b")).unwrap(), b"new");
    assert_eq!(disk.list(&folder).unwrap(), [path("log/1-0/c")]);
    assert_eq!(disk.list(&path("log")).unwrap(), [path("log/b")]);
    assert_eq!(
        disk.list_directories(&path("log")).unwrap(),
        std::slice::from_ref(&folder)
    );

    assert!(disk.remove_directory(&folder).is_err());
    disk.remove(&path("log/1-0/c")).unwrap();
    disk.remove_directory(&folder).unwrap();
    disk.remove_directory(&folder).unwrap();
    assert_eq!(disk.list_directories(&path("log")).unwrap(), []);
    reader.read_exact_at(0, &mut two).unwrap();
    assert_eq!(&two, b"he");
}

#[test]
fn all_disks_behave_alike() {
    let folder = tempfile::tempdir().unwrap();
    check_disk(&FileDisk::open(folder.path().join("deep/store")).unwrap());
    check_disk(&MemoryDisk::new());
    check_disk(&FaultyDisk::new());
}

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let owner = FileDisk::open(folder.path()).unwrap();
    let error = FileDisk::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let text = error.to_string();
    assert!(text.contains("is in use by another process"), "{text}");
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    drop(owner);
    FileDisk::open(folder.path()).unwrap();
}

/// A disk with a durable file of 1,000 bytes, and 1,000 more that are not synced.
fn half_synced() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let mut file = disk.create(&path("d/a")).unwrap();
    file.append(&[1; 1000]).unwrap();
    file.sync().unwrap();
    disk.sync_directory(&path("d")).unwrap();
    file.append(&[2; 1000]).unwrap();
    disk
}

#[test]
fn synced_bytes_survive_and_others_may_be_lost_kept_or_torn() {
    let (mut lost, mut kept, mut shorter, mut torn) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let left = content(&half_synced().crash(seed), &path("d/a")).unwrap();
        assert_eq!(&left[..1000], &[1; 1000], "seed {seed}");
        let tail = &left[1000..];
        let is_ours = tail.iter().all(|byte| *byte == 2);
        match tail.len() {
            0 => lost += 1,
            1000 if is_ours => kept += 1,
            _ if is_ours => shorter += 1,
            _ => torn += 1,
        }
    }
    assert!(
        lost > 0 && kept > 0 && shorter > 0 && torn > 0,
        "{lost} {kept} {shorter} {torn}"
    );
}

#[test]
fn an_unsynced_cut_may_be_undone() {
    let mut lens = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = FaultyDisk::new();
        let mut file = disk.create(&path("d/a")).unwrap();
        file.append(&[1; 1000]).unwrap();
        file.sync().unwrap();
        disk.sync_directory(&path("d")).unwrap();
        file.truncate(400).unwrap();
        let left = content(&disk.crash(seed), &path("d/a")).unwrap();
        assert_eq!(&left[..400], &[1; 400]);
        lens.insert(left.len());
    }
    assert!(lens.contains(&400) && lens.contains(&1000));
}

#[test]
fn a_name_survives_when_its_folder_is_synced() {
    let mut forgotten = 0;
    for seed in 0..SEEDS {
        let disk = FaultyDisk::new();
        for (name, synced) in [("d/a", true), ("d/b", false)] {
            let mut file = disk.create(&path(name)).unwrap();
            file.sync().unwrap();
            if synced {
                disk.sync_directory(&path("d")).unwrap();
            }
        }
        let left = disk.crash(seed).list(&path("d")).unwrap();
        assert!(left.contains(&path("d/a")));
        forgotten += usize::from(!left.contains(&path("d/b")));
    }
    assert!(forgotten > 0 && forgotten < 300);
}

#[test]
fn a_removed_file_may_come_back_until_its_folder_is_synced() {
    let mut back = 0;
    for seed in 0..SEEDS {
        let disk = half_synced();
        disk.remove(&path("d/a")).unwrap();
        back += disk.crash(seed).list(&path("d")).unwrap().len();
        let disk = half_synced();
        disk.remove(&path("d/a")).unwrap();
        disk.sync_directory(&path("d")).unwrap();
        assert_eq!(disk.crash(seed).list(&path("d")).unwrap(), []);
    }
    assert!(back > 0 && back < 300);
}

#[test]
fn replacing_leaves_the_old_content_or_the_new_one() {
    let file = path("d/state");
    let (old, new) = ([1; 3000], [2; 5000]);
    for operation in 0..5 {
        for seed in 0..SEEDS {
            let disk = FaultyDisk::new();
            disk.replace(&file, &old).unwrap();
            let first = disk.operation_count();
            disk.inject(first + operation, Fault::PowerCut);
            let result = disk.replace(&file, &new);
            let left = content(&disk.crash(seed), &file).unwrap();
            assert!(
                left == old || left == new,
                "operation {operation}, seed {seed}"
            );
            assert!(result.is_err() || left == new);
        }
    }
    // An interrupted one does not get in the way of the next.
    let disk = FaultyDisk::new();
    disk.inject(1, Fault::Full);
    disk.replace(&file, &old).unwrap_err();
    disk.replace(&file, &new).unwrap();
    assert_eq!(content(&disk, &file).unwrap(), new);
}

#[test]
fn a_failed_sync_loses_bytes_that_a_later_one_pretends_to_have_written() {
    let mut lost = 0;
    for seed in 0..SEEDS {
        let disk = half_synced();
        let mut file = disk.append(&path("d/a")).unwrap();
        disk.inject(disk.operation_count(), Fault::InputOutput);
        file.sync().unwrap_err();
        file.append(b"x").unwrap_err();
        file.sync().unwrap_err();
        // Another process sees the bytes and syncs without an error.
        let mut file = disk.append(&path("d/a")).unwrap();
        assert_eq!(content(&disk, &path("d/a")).unwrap()[1000..], [2; 1000]);
        file.sync().unwrap();
        let left = content(&disk.crash(seed), &path("d/a")).unwrap();
        lost += usize::from(left[1000..] != [2; 1000]);
    }
    assert!(lost > 0);
    // Bytes that are written once more are written for good.
    let disk = half_synced();
    let mut file = disk.append(&path("d/a")).unwrap();
    disk.inject(disk.operation_count(), Fault::InputOutput);
    file.sync().unwrap_err();
    let mut file = disk.append(&path("d/a")).unwrap();
    file.truncate(0).unwrap();
    file.append(&[3; 2000]).unwrap();
    file.sync().unwrap();
    for seed in 0..SEEDS {
        let left = content(&disk.clone().crash(seed), &path("d/a"));
        assert_eq!(left.unwrap(), [3; 2000]);
    }
}

#[test]
fn a_full_disk_keeps_the_old_length() {
    for disk in [FaultyDisk::new(), FaultyDisk::new()] {
        let mut file = disk.create(&path("d/a")).unwrap();
        file.append(b"ab").unwrap();
        disk.inject(disk.operation_count(), Fault::Full);
        assert_eq!(
            file.append(b"cdef").unwrap_err().kind(),
            ErrorKind::StorageFull
        );
        assert_eq!(file.len_bytes(), 2);
        disk.limit_capacity(Some(5));
        assert_eq!(
            file.append(b"cdef").unwrap_err().kind(),
            ErrorKind::StorageFull
        );
        disk.limit_capacity(None);
        file.append(b"CDEF").unwrap();
        assert_eq!(content(&disk, &path("d/a")).unwrap(), b"abCDEF");
    }
}

#[test]
fn nothing_works_after_a_power_cut() {
    let disk = half_synced();
    let reader = disk.open(&path("d/a")).unwrap();
    disk.inject(disk.operation_count(), Fault::PowerCut);
    assert!(disk.create(&path("d/b")).is_err());
    assert!(disk.list(&path("d")).is_err());
    assert!(disk.open(&path("d/a")).is_err());
    assert!(reader.read_exact_at(0, &mut [0]).is_err());
    assert!(disk.crash(0).list(&path("d")).is_ok());
}

#[test]
fn the_same_seed_leaves_the_same_things() {
    for seed in 0..20 {
        let left = |_: u32| content(&half_synced().crash(seed), &path("d/a")).unwrap();
        assert_eq!(left(1), left(2));
    }
}

#[test]
fn bits_flip_and_files_become_unreadable_on_demand() {
    let disk = half_synced();
    disk.flip_bit(&path("d/a"), 10, 3).unwrap();
    assert_eq!(content(&disk, &path("d/a")).unwrap()[10], 9);
    assert!(disk.flip_bit(&path("d/a"), 2000, 0).is_err());
    disk.make_unreadable(&path("d/a"));
    assert!(content(&disk, &path("d/a")).is_err());
}
