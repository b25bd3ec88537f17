//! Power cuts, dead processes and failing disks at any moment.

use super::world::World;
use crate::disk::Fault;

/// Crashes of the random test.
const CRASHES: u64 = 10_000;

/// Crashes that one store goes through.
const CRASHES_PER_STORE: u64 = 8;

/// Runs one store through crashes; `seed` decides everything.
fn crash_repeatedly(seed: u64) {
    let mut world = World::new(seed);
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
            if world
                .store
                .as_ref()
                .is_none_or(|store| store.check().is_err())
            {
                break;
            }
        }
    }
    // A process may die without its machine; then nothing unsynced is lost yet.
    let is_fault_over = fault.is_none() || world.disk.operation_count() > at;
    let may_die_alone = fault != Some(Fault::PowerCut) && is_fault_over;
    let seed = world.random().number();
    let mut disk = match may_die_alone && seed % 2 == 0 {
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

/// Says which seed fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn ten_thousand_crashes_lose_nothing_and_double_nothing() {
    for seed in 0..CRASHES / CRASHES_PER_STORE {
        let _named = Named(seed);
        crash_repeatedly(seed);
    }
}
