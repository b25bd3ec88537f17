//! What the journal promises, with and without disasters.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::format::{FILE_HEADER_BYTES, file_first, file_path};
use super::*;
use crate::disk::{Disk, Fault, FaultyDisk, FilePath, MemoryDisk};

const START: JournalPosition = JournalPosition(0);

/// Files of two or three groups.
const SMALL: JournalOptions = JournalOptions { file_bytes: 200 };

type Group = Vec<Vec<u8>>;

fn open(
    disk: &(impl Disk + Clone + 'static),
    from: JournalPosition,
) -> Result<(Journal, Vec<Bytes>), JournalError> {
    let (journal, replay) = Journal::open(Arc::new(disk.clone()), from, SMALL)?;
    let payloads = replay.map(|item| item.map(|(_, payload)| payload));
    Ok((journal, payloads.collect::<Result<_, _>>()?))
}

fn bytes_of(disk: &dyn Disk, path: &FilePath) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn rewrite(disk: &dyn Disk, path: &FilePath, bytes: &[u8]) {
    disk.replace(path, bytes).unwrap();
}

/// A journal of one file with three groups, and the positions after each.
fn three_groups() -> (MemoryDisk, [usize; 3]) {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), START, SMALL).unwrap();
    let ends = [b"one".as_slice(), b"two", b"three"].map(|payload| {
        let end = journal.append(&[payload, b"", b"more"]).unwrap();
        usize::try_from(end.0).unwrap()
    });
    (disk, ends)
}

fn payloads_of(names: &[&'static str]) -> Vec<Bytes> {
    let group = |name: &&'static str| {
        ["", "more"].iter().fold(vec![*name], |mut group, more| {
            group.push(more);
            group
        })
    };
    names.iter().flat_map(group).map(Bytes::from).collect()
}

#[test]
fn payloads_come_back_in_order() {
    let (disk, ends) = three_groups();
    let (journal, payloads) = open(&disk, START).unwrap();
    assert_eq!(payloads, payloads_of(&["one", "two", "three"]));
    assert_eq!(journal.end(), JournalPosition(ends[2] as u64));
    assert_eq!(journal.torn_bytes(), 0);
}

#[test]
fn replay_starts_where_the_checkpoint_ends() {
    let (disk, ends) = three_groups();
    let from = JournalPosition(ends[1] as u64);
    assert_eq!(open(&disk, from).unwrap().1, payloads_of(&["three"]));
    assert_eq!(
        open(&disk, JournalPosition(ends[2] as u64)).unwrap().1,
        [""; 0]
    );
    let inside = open(&disk, JournalPosition(ends[1] as u64 + 1)).unwrap_err();
    assert!(
        matches!(inside, JournalError::NotAtGroup { .. }),
        "{inside}"
    );
    let beyond = open(&disk, JournalPosition(ends[2] as u64 + 1)).unwrap_err();
    assert!(matches!(beyond, JournalError::Missing { .. }), "{beyond}");
}

#[test]
fn replay_names_the_position_that_covers_a_payload() {
    let (disk, ends) = three_groups();
    let (_, replay) = Journal::open(Arc::new(disk), START, SMALL).unwrap();
    let positions: Vec<u64> = replay.map(|item| item.unwrap().0.0).collect();
    let expected = ends.map(|end| [end as u64; 3]).concat();
    assert_eq!(positions, expected);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    let (_, ends) = three_groups();
    for len in ends[1]..ends[2] {
        let (disk, _) = three_groups();
        let path = file_path(START);
        let bytes = bytes_of(&disk, &path);
        rewrite(&disk, &path, &bytes[..FILE_HEADER_BYTES + len]);
        let (mut journal, payloads) = open(&disk, START).unwrap();
        assert_eq!(payloads, payloads_of(&["one", "two"]), "{len}");
        assert_eq!(journal.torn_bytes(), len - ends[1]);
        journal.append(&[b"four"]).unwrap();
        let (_, payloads) = open(&disk, START).unwrap();
        assert_eq!(payloads.last().unwrap(), "four");
        assert_eq!(payloads.len(), 7);
    }
}

#[test]
fn a_tail_of_other_bytes_is_cut_off() {
    for other in [
        vec![0; 5000],
        vec![0xff; 3],
        b"GRP\nGRP\nGRP\nGRP\nGRP\nGRP\n".to_vec(),
    ] {
        let (disk, ends) = three_groups();
        let mut file = disk.append(&file_path(START)).unwrap();
        file.append(&other).unwrap();
        let (journal, payloads) = open(&disk, START).unwrap();
        assert_eq!(payloads.len(), 9);
        assert_eq!(journal.torn_bytes(), other.len());
        assert_eq!(journal.end(), JournalPosition(ends[2] as u64));
    }
}

#[test]
fn an_old_group_that_shows_through_is_no_group() {
    let (disk, ends) = three_groups();
    let bytes = bytes_of(&disk, &file_path(START));
    let mut file = disk.append(&file_path(START)).unwrap();
    file.append(&bytes[FILE_HEADER_BYTES..]).unwrap();
    let (journal, payloads) = open(&disk, START).unwrap();
    assert_eq!(payloads.len(), 9);
    assert_eq!(journal.torn_bytes(), ends[2]);
}

#[test]
fn every_flipped_bit_is_reported_or_costs_the_last_group() {
    let (intact, ends) = three_groups();
    let path = file_path(START);
    let bytes = bytes_of(&intact, &path);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let disk = MemoryDisk::new();
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            rewrite(&disk, &path, &flipped);
            let result = open(&disk, START);
            if at < FILE_HEADER_BYTES + ends[1] {
                let error = result.unwrap_err();
                let named = matches!(
                    error,
                    JournalError::Damaged { .. } | JournalError::UnknownVersion { .. }
                );
                assert!(named, "byte {at} bit {bit}: {error}");
                assert_eq!(bytes_of(&disk, &path), flipped, "evidence is left alone");
            } else {
                assert_eq!(
                    result.unwrap().1,
                    payloads_of(&["one", "two"]),
                    "byte {at} bit {bit}"
                );
            }
        }
    }
}

#[test]
fn damage_before_the_last_file_is_always_an_error() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk, START).unwrap();
    for n in 0..12 {
        journal.append(&[vec![n; 50]]).unwrap();
    }
    let directory = FilePath::parse(DIRECTORY).unwrap();
    let files = disk.list(&directory).unwrap();
    assert!(files.len() > 2);
    for path in &files[..files.len() - 1] {
        let bytes = bytes_of(&disk, path);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            rewrite(&disk, path, &flipped);
            assert!(open(&disk, START).is_err(), "{path} byte {at}");
        }
        for len in FILE_HEADER_BYTES..bytes.len() {
            rewrite(&disk, path, &bytes[..len]);
            assert!(open(&disk, START).is_err(), "{path} cut to {len}");
        }
        rewrite(&disk, path, &bytes);
    }
    disk.remove(&files[1]).unwrap();
    let error = open(&disk, START).unwrap_err();
    assert!(matches!(error, JournalError::Gap { .. }), "{error}");
}

#[test]
fn unknown_versions_are_refused_by_name() {
    let (disk, _) = three_groups();
    let path = file_path(START);
    let mut bytes = bytes_of(&disk, &path);
    bytes[8] = 2;
    rewrite(&disk, &path, &bytes);
    let text = open(&disk, START).unwrap_err().to_string();
    assert_eq!(
        text,
        "journal file 'log/journal/00000000000000000000.journal' has format version 2, this \
         program reads version 1; open it with the program that wrote it"
    );
}

#[test]
fn damage_says_what_to_do() {
    let (disk, _) = three_groups();
    let path = file_path(START);
    let mut bytes = bytes_of(&disk, &path);
    bytes[FILE_HEADER_BYTES + 20] ^= 1;
    rewrite(&disk, &path, &bytes);
    let text = open(&disk, START).unwrap_err().to_string();
    assert!(text.contains("is damaged at byte 24"), "{text}");
    assert!(text.contains("restore the file from a copy"), "{text}");
    // And doing it works.
    disk.append(&path).unwrap().truncate(24).unwrap();
    assert_eq!(open(&disk, START).unwrap().1, [""; 0]);
}

#[test]
fn a_checkpoint_without_its_journal_is_refused() {
    let error = open(&MemoryDisk::new(), JournalPosition(5)).unwrap_err();
    assert!(matches!(error, JournalError::Lost { .. }), "{error}");
}

#[test]
fn trimming_removes_files_that_are_covered() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk, START).unwrap();
    let ends: Vec<JournalPosition> = (0..12)
        .map(|n| journal.append(&[vec![n; 50]]).unwrap())
        .collect();
    let count = || {
        let files = disk.list(&FilePath::parse(DIRECTORY).unwrap()).unwrap();
        files
            .iter()
            .filter_map(|path| file_first(path.name()))
            .count()
    };
    let before = count();
    journal.trim(ends[0]).unwrap();
    assert_eq!(count(), before);
    journal.trim(ends[7]).unwrap();
    assert!(count() < before && journal.start() <= ends[7]);
    assert_eq!(open(&disk, ends[7]).unwrap().1.len(), 4);
    let early = open(&disk, START).unwrap_err();
    assert!(matches!(early, JournalError::Missing { .. }), "{early}");
    let (mut journal, _) = open(&disk, ends[11]).unwrap();
    journal.trim(ends[11]).unwrap();
    assert_eq!(count(), 1);
    assert_eq!(open(&disk, ends[11]).unwrap().1, [""; 0]);
}

/// Appends groups, trims behind each, and gives the names in the journal's folder after all.
fn names_after(disk: &(impl Disk + Clone + 'static), sizes: &[usize]) -> Vec<String> {
    let (mut journal, _) = open(disk, START).unwrap();
    for size in sizes {
        let end = journal.append(&[vec![7; *size]]).unwrap();
        journal.trim(end).unwrap();
    }
    let files = disk.list(&FilePath::parse(DIRECTORY).unwrap()).unwrap();
    files.iter().map(|path| path.name().to_owned()).collect()
}

#[test]
fn files_are_used_again() {
    let disk = MemoryDisk::new();
    let names = names_after(&disk, &[150; 40]);
    assert_eq!(
        names,
        ["00000000000000006764.spare", "00000000000000006942.journal"]
    );
    // What a file held before is neither replayed nor damage, in the last file or before it.
    let (mut journal, payloads) = open(&disk, JournalPosition(6942)).unwrap();
    assert_eq!(payloads, [vec![7; 150]]);
    let ends = [b"x"; 3].map(|payload| journal.append(&[payload]).unwrap());
    let seen = inspect_journal(&disk, &mut |sight| {
        assert!(matches!(sight, JournalSight::Payload { .. }), "{sight:?}");
    });
    assert_eq!(seen.unwrap().len(), 2);
    let (_, payloads) = open(&disk, JournalPosition(6942)).unwrap();
    assert_eq!(payloads.len(), 4);
    assert!(open(&disk, ends[2]).unwrap().1.is_empty());
}

#[test]
fn a_long_file_is_removed_and_does_not_wait() {
    let names = names_after(&MemoryDisk::new(), &[1000, 10, 10]);
    assert_eq!(names, ["00000000000000001028.journal"]);
}

#[test]
fn a_disk_with_little_room_keeps_no_files_and_prepares_nothing() {
    let disk = FaultyDisk::new();
    disk.limit_capacity(Some(3000));
    assert_eq!(names_after(&disk, &[150; 8]).len(), 1);
    let path = file_path(JournalPosition(7 * 178));
    assert_eq!(bytes_of(&disk, &path).len(), FILE_HEADER_BYTES + 178);
}

#[test]
fn a_disk_that_gets_full_has_the_room_of_spares_back() {
    let disk = FaultyDisk::new();
    let (mut journal, _) = open(&disk, START).unwrap();
    let ends = [(); 4].map(|()| journal.append(&[vec![7; 150]]).unwrap());
    journal.trim(ends[2]).unwrap();
    let names = || -> Vec<FilePath> {
        let files = disk.list(&FilePath::parse(DIRECTORY).unwrap()).unwrap();
        let spares = files
            .into_iter()
            .filter(|path| path.name().ends_with(".spare"));
        spares.collect()
    };
    assert_eq!(names().len(), 2);
    disk.limit_capacity(Some(1000));
    journal.trim(ends[2]).unwrap();
    assert_eq!(names(), []);
    journal.append(&[b"more"]).unwrap();
    assert_eq!(open(&disk, ends[2]).unwrap().1.len(), 2);
}

/// Groups and trims until the power is cut at operation `cut`; recovers from the last trim.
fn check_crash_of_used_files(cut: u64, seed: u64) {
    let disk = FaultyDisk::new();
    disk.inject(cut, Fault::PowerCut);
    let group = |n: u8| vec![vec![n; 40 + usize::from(n) * 7]];
    let mut ends = vec![START];
    let mut covered = 0;
    if let Ok((mut journal, _)) = open(&disk, START) {
        for n in 0..14 {
            let Ok(end) = journal.append(&group(n)) else {
                break;
            };
            ends.push(end);
            covered = (ends.len() - 1).saturating_sub(2);
            if journal.trim(ends[covered]).is_err() {
                break;
            }
        }
    }
    let acknowledged = ends.len() - 1;
    let (_, payloads) = open(&disk.crash(seed), ends[covered]).unwrap();
    let expected = |count: usize| -> Vec<Vec<u8>> {
        (covered..count)
            .flat_map(|n| group(u8::try_from(n).unwrap()))
            .collect()
    };
    let is_one_more = payloads == expected(acknowledged + 1);
    assert!(
        payloads == expected(acknowledged) || is_one_more,
        "cut {cut} seed {seed}: {} of {acknowledged} from {covered}",
        payloads.len()
    );
}

#[test]
fn files_that_are_used_again_survive_a_cut_at_every_operation() {
    for cut in 0..90 {
        for seed in 0..40 {
            check_crash_of_used_files(cut, seed);
        }
    }
}

#[test]
fn a_group_that_is_too_large_changes_nothing() {
    let (disk, _) = three_groups();
    let (mut journal, _) = open(&disk, START).unwrap();
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    let error = journal.append(&vec![megabyte; 256]).unwrap_err();
    assert!(
        matches!(error, JournalError::GroupTooLarge { .. }),
        "{error}"
    );
    journal.append(&[b"four"]).unwrap();
    assert_eq!(open(&disk, START).unwrap().1.len(), 10);
}

#[test]
fn after_a_failed_write_nothing_is_written() {
    for fault in [Fault::InputOutput, Fault::Full] {
        for operation in 0..2 {
            let disk = FaultyDisk::new();
            let (mut journal, _) = open(&disk, START).unwrap();
            journal.append(&[b"one"]).unwrap();
            disk.inject(disk.operation_count() + operation, fault);
            journal.append(&[b"two"]).unwrap_err();
            if (fault, operation) == (Fault::Full, 0) {
                // Nothing was synced yet: there may be room for the next.
                journal.append(&[b"three"]).unwrap();
                let (_, payloads) = open(&disk.crash(operation), START).unwrap();
                assert_eq!(payloads, ["one", "three"]);
                continue;
            }
            let count = disk.operation_count();
            let error = journal.append(&[b"three"]).unwrap_err();
            assert!(matches!(error, JournalError::Poisoned), "{error}");
            assert_eq!(disk.operation_count(), count);
        }
    }
}

#[test]
fn what_a_failed_sync_left_readable_is_durable_before_anything_follows_it() {
    for seed in 0..200 {
        let disk = FaultyDisk::new();
        let (mut journal, _) = open(&disk, START).unwrap();
        journal.append(&[b"one"]).unwrap();
        disk.inject(disk.operation_count() + 1, Fault::InputOutput);
        journal.append(&[b"two"]).unwrap_err();
        // The process starts again on the same kernel, and reads "two".
        let (mut journal, payloads) = open(&disk, START).unwrap();
        assert_eq!(payloads.len(), 2);
        journal.append(&[b"three"]).unwrap();
        let (_, payloads) = open(&disk.crash(seed), START).unwrap();
        assert_eq!(payloads, ["one", "two", "three"]);
    }
}

/// Appends groups until the disk fails. Returns how many were acknowledged.
fn append_until_failure(disk: &FaultyDisk, from: usize, groups: &[Group]) -> usize {
    let Ok((mut journal, _)) = open(disk, START) else {
        return from;
    };
    for (index, group) in groups.iter().enumerate().skip(from) {
        if journal.append(group).is_err() {
            return index;
        }
    }
    groups.len()
}

/// Cuts the power at an operation, recovers, goes on until a second cut, and recovers again.
fn check_crash(groups: &[Group], cuts: [u64; 2], seed: u64) {
    let mut disk = FaultyDisk::new();
    let mut durable = 0;
    for cut in cuts {
        disk.inject(cut, Fault::PowerCut);
        let acknowledged = append_until_failure(&disk, durable, groups);
        disk = disk.crash(seed);
        let (_, payloads) = open(&disk, START).unwrap();
        let expected = |count: usize| groups[..count].concat();
        let next = (acknowledged + 1).min(groups.len());
        durable = if payloads == expected(acknowledged) {
            acknowledged
        } else {
            assert_eq!(payloads, expected(next), "acknowledged {acknowledged}");
            next
        };
    }
}

proptest! {
    #[test]
    fn groups_come_back_from_every_position(
        groups in vec(vec(vec(any::<u8>(), 0..40), 1..4), 1..20),
    ) {
        let disk = MemoryDisk::new();
        let mut starts = vec![START];
        for group in &groups {
            // A new process for each group.
            let (mut journal, _) = open(&disk, START).unwrap();
            starts.push(journal.append(group).unwrap());
        }
        for (index, start) in starts.iter().enumerate() {
            let (_, payloads) = open(&disk, *start).unwrap();
            prop_assert_eq!(payloads, groups[index..].concat());
        }
    }

    #[test]
    fn acknowledged_groups_survive_power_cuts(
        groups in vec(vec(vec(any::<u8>(), 0..900), 1..4), 1..8),
        cuts in [0_u64..40, 0_u64..40],
        seed in any::<u64>(),
    ) {
        check_crash(&groups, cuts, seed);
    }

    #[test]
    fn random_files_never_panic(bytes in vec(any::<u8>(), 0..400), keep_header in any::<bool>()) {
        let (disk, _) = three_groups();
        let path = file_path(START);
        let mut content = bytes_of(&disk, &path);
        content.truncate(if keep_header { FILE_HEADER_BYTES } else { 0 });
        content.extend_from_slice(&bytes);
        rewrite(&disk, &path, &content);
        let _ = open(&disk, START);
    }
}

#[test]
fn a_cut_at_every_operation_loses_nothing_acknowledged() {
    let groups: Vec<Group> = (0..8).map(|n| vec![vec![n; 70], vec![n; 30]]).collect();
    for cut in 0..50 {
        for seed in 0..20 {
            check_crash(&groups, [cut, 50 - cut], seed);
        }
    }
}

#[test]
fn writes_go_through_one_handle() {
    // A group is one write and one sync, whatever the number of payloads.
    let disk = FaultyDisk::new();
    let (mut journal, _) = open(&disk, START).unwrap();
    let before = disk.operation_count();
    journal.append(&vec![b"payload"; 100]).unwrap();
    assert_eq!(disk.operation_count() - before, 2);
}
