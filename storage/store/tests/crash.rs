//! Power cuts, dead processes and failing disks at any moment.

use super::world::{Step, World, seeds};
use crate::disk::Fault;

/// Crashes of the random test.
const CRASHES: u64 = 10_000;

/// Decides what a life that is told to the step does at each.
const LIFE_SEED: u64 = 7;

/// Crashes that one store goes through.
const CRASHES_PER_STORE: u64 = 8;

/// Runs one store through crashes; `seed` decides everything.
fn crash_repeatedly(seed: u64) {
    let mut world = World::new(seed);
    world.reopen(world.disk.clone()).unwrap();
    for _ in 0..CRASHES_PER_STORE {
        live_and_die(&mut world);
    }
    world.check_rows();
}

fn live_and_die(world: &mut World) {
    let steps = 1 + world.random().below(25);
    let at = world.disk.operation_count() + world.random().below(4 * steps);
    let fault = match world.random().below(10) {
        0..6 => Some(Fault::PowerCut),
        6 => Some(Fault::InputOutput),
        7 => Some(Fault::Full),
        _ => None,
    };
    if let Some(fault) = fault {
        world.disk.inject(at, fault);
    }
    for _ in 0..steps {
        if let Err(error) = world.step() {
            assert!(fault.is_some(), "without a fault: {error}");
            if !world.is_alive() {
                break;
            }
        }
    }
    // A process may die without its machine; then nothing unsynced is lost yet.
    let is_fault_over = fault.is_none() || world.disk.operation_count() > at;
    let may_die_alone = fault != Some(Fault::PowerCut) && is_fault_over;
    let seed = world.random().number();
    let mut disk = match may_die_alone && seed.is_multiple_of(2) {
        true => world.disk.clone(),
        false => world.disk.crash(seed),
    };
    // And die again while it recovers.
    while world.random().below(4) == 0 {
        let at = disk.operation_count() + world.random().below(12);
        disk.inject(at, Fault::PowerCut);
        let result = world.reopen(disk.clone());
        let cut = disk.operation_count() > at;
        assert!(
            result.is_ok() || cut,
            "without a fault: {}",
            result.unwrap_err()
        );
        let seed = world.random().number();
        disk = world.disk.crash(seed);
    }
    if let Err(error) = world.reopen(disk) {
        panic!("what a crash left does not open: {error}");
    }
}

/// Says which seed or operation fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed or operation {}", self.0);
        }
    }
}

#[test]
fn ten_thousand_crashes_lose_nothing_and_double_nothing() {
    for seed in seeds("CRASH_SEEDS", CRASHES / CRASHES_PER_STORE) {
        let _named = Named(seed);
        crash_repeatedly(seed);
    }
}

/// A small life in which everything happens.
const LIFE: [Step; 26] = [
    Step::CreateTopic,
    Step::Produce,
    Step::ProduceIdempotent,
    Step::Produce,
    Step::Publish,
    Step::PutTemplate,
    Step::Seal,
    Step::ProduceIdempotent,
    Step::Publish,
    Step::Checkpoint,
    Step::Produce,
    Step::CreateTopic,
    Step::Produce,
    Step::Publish,
    Step::Publish,
    Step::Seal,
    Step::Seal,
    Step::ProduceIdempotent,
    Step::DeleteTopic,
    Step::Commit,
    Step::Checkpoint,
    Step::PutTemplate,
    Step::Produce,
    Step::Restart,
    Step::Produce,
    Step::Commit,
];

/// A life of one topic in which segments are made and merged.
const MERGING_LIFE: [Step; 19] = [
    Step::CreateTopic,
    Step::Produce,
    Step::Publish,
    Step::Seal,
    Step::Produce,
    Step::Publish,
    Step::Seal,
    Step::Merge,
    Step::Checkpoint,
    Step::Produce,
    Step::Publish,
    Step::Seal,
    Step::Merge,
    Step::Produce,
    Step::Publish,
    Step::Seal,
    Step::Merge,
    Step::Restart,
    Step::Produce,
];

/// Runs `life` until `fault` at operation `at` of the disk, which counts from an empty one, and
/// goes on from what `crash_seed` leaves. Returns how many operations that life took.
fn die_at(life: &[Step], seed: u64, at: u64, fault: Fault, crash_seed: u64) -> u64 {
    let mut world = World::new(seed);
    world.disk.inject(at, fault);
    let opened = world.reopen(world.disk.clone());
    if opened.is_ok() {
        for step in life {
            let result = world.take(*step);
            let is_hit = world.disk.operation_count() > at;
            assert!(
                result.is_ok() || is_hit,
                "without a fault: {}",
                result.unwrap_err()
            );
            if !world.is_alive() {
                break;
            }
        }
    }
    let operations = world.disk.operation_count();
    let left = world.disk.crash(crash_seed);
    if let Err(error) = world.reopen(left) {
        panic!("what a crash left does not open: {error}");
    }
    world.check_rows();
    operations
}

fn die_at_each_operation(life: &[Step], seed: u64) {
    let operations = die_at(life, seed, u64::MAX, Fault::PowerCut, 0);
    assert!(operations > 100, "{operations} operations are no life");
    for fault in [Fault::PowerCut, Fault::InputOutput, Fault::Full] {
        for at in 0..operations {
            for crash_seed in 0..4 {
                let _named = Named(at);
                die_at(life, seed, at, fault, crash_seed);
            }
        }
    }
}

#[test]
fn a_crash_at_each_operation_loses_nothing_and_doubles_nothing() {
    die_at_each_operation(&LIFE, LIFE_SEED);
}

#[test]
fn a_crash_at_each_operation_of_merges_loses_nothing_and_doubles_nothing() {
    // What is produced and published is up to the seed; few segments may have nothing to merge.
    let merges = |seed: &u64| {
        let mut world = World::new(*seed);
        world.reopen(world.disk.clone()).unwrap();
        for step in MERGING_LIFE {
            world.take(step).unwrap();
        }
        world.merge_count
    };
    let seed = (0..100).max_by_key(merges).unwrap();
    assert!(merges(&seed) >= 3);
    die_at_each_operation(&MERGING_LIFE, seed);
}
