//! The merge policy over tables of segments, and over a long life.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use super::*;
use crate::catalog::{OverlayMeta, SegmentId, SegmentMeta};

/// Rows that the bounds of most tests allow.
const ROWS_MAX: u64 = 16 << 20;

fn policy() -> MergePolicy {
    MergePolicy {
        rows_max: ROWS_MAX,
        bytes_max: u64::MAX,
    }
}

fn segment(id: u64, rows: u64, first_ms: i64, last_ms: i64) -> SegmentMeta {
    SegmentMeta {
        id: SegmentId(id),
        file: format!("{id}.segment"),
        bytes: rows * 50,
        row_count: rows,
        time_first_ms: first_ms,
        time_last_ms: last_ms,
        format_version: 1,
        has_ids: false,
        times_are_field: true,
        overlay: None,
        offsets: vec![],
    }
}

/// Reads lines `rows first..last`; `k` and `M` are 1024 and its square. Numbers count from 1.
fn table(text: &str) -> Vec<SegmentMeta> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let number = |text: &str| match text.split_at(text.len() - 1) {
        (digits, "k") => digits.parse::<u64>().unwrap() << 10,
        (digits, "M") => digits.parse::<u64>().unwrap() << 20,
        _ => text.parse().unwrap(),
    };
    let segment = |(id, line): (u64, &str)| {
        let (rows, times) = line.split_once(' ').unwrap();
        let (first, last) = times.trim().split_once("..").unwrap();
        segment(
            id,
            number(rows),
            first.parse().unwrap(),
            last.parse().unwrap(),
        )
    };
    (1..).zip(lines).map(segment).collect()
}

#[track_caller]
fn check(text: &str, expected: &[u64]) {
    let chosen = policy().next(&table(text)).unwrap_or_default();
    let chosen: Vec<_> = chosen.iter().map(|id| id.0).collect();
    assert_eq!(chosen, expected, "{text}");
}

#[test]
fn few_segments_are_left_alone() {
    check("", &[]);
    check("5 0..1\n5 1..2\n5 2..3", &[]);
    check(&"256k 0..1\n".repeat(7), &[]);
}

/// As [`check`], with so many rows of each segment deleted.
#[track_caller]
fn check_deleted(text: &str, deleted: &[u64], expected: &[u64]) {
    let mut segments = table(text);
    for (segment, deleted) in segments.iter_mut().zip(deleted) {
        segment.overlay = (*deleted > 0).then(|| OverlayMeta {
            file: "o.overlay".into(),
            bytes: 1,
            deleted_rows: *deleted,
        });
    }
    let chosen = policy().next(&segments).unwrap_or_default();
    let chosen: Vec<_> = chosen.iter().map(|id| id.0).collect();
    assert_eq!(chosen, expected, "{text} without {deleted:?}");
}

#[test]
fn a_segment_of_mostly_deleted_rows_is_written_again() {
    check_deleted("100 0..1\n100 1..2", &[50, 0], &[]);
    check_deleted("100 0..1\n100 1..2", &[0, 51], &[2]);
    check_deleted("16M 0..1\n100 1..2", &[10 << 20, 0], &[1]);
    // Nothing would be left: a neighbour goes along.
    check_deleted("100 0..1\n100 1..2\n100 2..3", &[0, 100, 0], &[1, 2]);
    check_deleted("100 0..1\n100 1..2", &[100, 0], &[1, 2]);
    check_deleted("100 0..1", &[100], &[]);
    check_deleted("16M 0..1\n100 1..2", &[0, 100], &[1, 2]);
    check_deleted("100 0..1\n100 1..2", &[100, 100], &[]);
}

#[test]
fn small_seals_are_folded_soon_and_larger_ones_later() {
    check("5 0..1\n5 1..2\n5 2..3\n7 3..4", &[1, 2, 3, 4]);
    check(&"256k 0..1\n".repeat(8), &[1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_large_segment_is_not_written_again_for_a_little() {
    check("60k 0..1\n5 1..2\n5 2..3\n7 3..4", &[]);
    check("60k 0..1\n5 1..2\n5 2..3\n7 3..4\n9 4..5", &[2, 3, 4, 5]);
}

#[test]
fn neighbours_in_time_come_first() {
    check(
        "9 0..10
         9 1000..1010
         9 2000..2010
         9 10..20
         9 20..30
         9 30..40
         9M 0..90",
        // All fit, so all are taken.
        &[1, 4, 5, 6, 2, 3],
    );
    let near = MergePolicy {
        rows_max: 40,
        ..policy()
    };
    let segments = table(
        "9 0..10
         9 1000..1010
         9 2000..2010
         9 3000..3010
         9 3010..3020
         9 3020..3030
         9 3030..3040",
    );
    let chosen = near.next(&segments).unwrap();
    assert_eq!(chosen, [4, 5, 6, 7].map(SegmentId));
}

#[test]
fn late_rows_are_folded_over_what_lies_between() {
    check(
        "7M 0..100
         7M 100..200
         7M 200..300
         50 20..30
         50 120..130
         50 220..230
         50 250..260",
        &[4, 5, 6, 7],
    );
}

#[test]
fn bounds_hold() {
    // Each is more than half of what a segment may have.
    check(&"9M 0..1\n".repeat(20), &[]);
    let chosen = policy().next(&table(&"3M 0..1\n".repeat(20)));
    assert_eq!(chosen, None, "five are too few, six too many");
    let narrow = MergePolicy {
        bytes_max: 50 * 20,
        ..policy()
    };
    let chosen = narrow.next(&table(&"5 0..1\n".repeat(20))).unwrap();
    assert_eq!(chosen.len(), 4);
    let chosen = policy().next(&table(&"5 0..1\n".repeat(1000))).unwrap();
    assert_eq!(chosen.len(), MERGE_INPUTS_MAX);
}

#[test]
fn a_number_of_segments_can_be_asked_for() {
    let segments = table("5 0..1\n900k 1..2\n5 2..3\n7 3..4");
    let towards = |max| policy().next_towards(max, &segments);
    assert_eq!(towards(4), None);
    assert_eq!(towards(3), Some([3, 4].map(SegmentId).to_vec()));
    assert_eq!(towards(1), Some([1, 2, 3, 4].map(SegmentId).to_vec()));
    assert_eq!(towards(0), towards(1));
    let full = table(&"9M 0..1\n".repeat(3));
    assert_eq!(policy().next_towards(1, &full), None);
}

/// What a life of seals and merges comes to.
struct Life {
    segments: Vec<SegmentMeta>,
    sealed_rows: u64,
    merged_rows: u64,
    most: usize,
}

/// Seals `seals` times the rows that `rows` says, over the time that `times` says, and merges
/// whenever the policy wants it.
fn live(seals: u64, rows: impl Fn(u64) -> u64, times: impl Fn(u64) -> (i64, i64)) -> Life {
    let mut life = Life {
        segments: Vec::new(),
        sealed_rows: 0,
        merged_rows: 0,
        most: 0,
    };
    let mut next = 1;
    for seal in 0..seals {
        let (first_ms, last_ms) = times(seal);
        let sealed = segment(next, rows(seal), first_ms, last_ms);
        next += 1;
        life.sealed_rows += sealed.row_count;
        life.segments.push(sealed);
        while let Some(chosen) = policy().next(&life.segments) {
            let is_chosen = |meta: &SegmentMeta| chosen.contains(&meta.id);
            let inputs: Vec<_> = life
                .segments
                .extract_if(.., |meta| is_chosen(meta))
                .collect();
            let rows = inputs.iter().map(|meta| meta.row_count).sum();
            assert!(inputs.len() > 1 && rows <= ROWS_MAX);
            let first_ms = inputs.iter().map(|meta| meta.time_first_ms).min().unwrap();
            let last_ms = inputs.iter().map(|meta| meta.time_last_ms).max().unwrap();
            life.segments.push(segment(next, rows, first_ms, last_ms));
            life.merged_rows += rows;
            next += 1;
        }
        life.most = life.most.max(life.segments.len());
    }
    life
}

#[track_caller]
fn check_life(name: &str, life: &Life, amplification_max: u64) {
    let full = life.sealed_rows / (ROWS_MAX / 2);
    let amplification = life.merged_rows * 100 / life.sealed_rows;
    eprintln!(
        "{name}: {} segments, at most {}, each row written again {amplification} % times",
        life.segments.len(),
        life.most,
    );
    assert!(
        life.most as u64 <= full + 60,
        "{name}: {} segments",
        life.most
    );
    assert!(
        amplification <= amplification_max,
        "{name}: {amplification} %"
    );
    let rows: u64 = life.segments.iter().map(|meta| meta.row_count).sum();
    assert_eq!(rows, life.sealed_rows);
}

#[test]
fn ten_thousand_seals_stay_few_segments() {
    let minute = |seal: u64| i64::try_from(seal * 60_000).unwrap();
    let in_order = |seal| (minute(seal), minute(seal + 1));
    check_life("busy", &live(10_000, |_| 256 << 10, in_order), 300);
    check_life("full", &live(10_000, |_| 1 << 20, in_order), 200);
    check_life("slow", &live(10_000, |seal| 1 + seal % 50, in_order), 800);
    let uneven = |seal: u64| 1 + (seal * 2_654_435_761) % (400 << 10);
    check_life("uneven", &live(10_000, uneven, in_order), 350);
    // Each tenth seal holds rows of any time before.
    let late = |seal: u64| match seal % 10 {
        0 => {
            let then = (seal * 7919) % (seal + 1);
            (minute(then), minute(then + 1))
        }
        _ => in_order(seal),
    };
    check_life("late", &live(10_000, uneven, late), 350);
    // Each seal reaches back an hour, as a stream with a few late rows has it.
    let overlapping = |seal| (minute(seal) - 3_600_000, minute(seal + 1));
    check_life(
        "overlapping",
        &live(10_000, |_| 256 << 10, overlapping),
        300,
    );
    // Seals of the same size from no time in particular.
    let anywhere = |seal: u64| {
        (
            minute(seal * 7919 % 10_000),
            minute(seal * 7919 % 10_000 + 1),
        )
    };
    check_life("anywhere", &live(10_000, |_| 256 << 10, anywhere), 300);
}
