//! The threads of one store.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wake::{Wake, Woken};
use crate::db::{Core, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Stopwatch;

/// How long the committing thread sleeps when nothing is staged, before it looks whether to end.
const COMMIT_WAIT: Duration = Duration::from_millis(100);
/// How long the materializer sleeps without a commit. Commits wake it, so this only bounds what a
/// lost wake-up could cost.
const MATERIALIZE_WAIT: Duration = Duration::from_millis(50);
/// How long a thread waits for a disk that has no room.
const ROOM_WAIT: Duration = Duration::from_millis(1000);
/// How often limits of active rows are looked at.
const SEAL_WAIT: Duration = Duration::from_millis(250);
/// How often it is looked at whether segments are to be merged.
const MERGE_WAIT: Duration = Duration::from_millis(1000);
/// How often it is looked at whether old records are to be let go.
const UPKEEP_WAIT: Duration = Duration::from_millis(1000);
/// How often it is looked at whether a checkpoint is due.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(1000);

/// Threads that work until [`Workers::stop`].
#[derive(Debug)]
pub(crate) struct Workers {
    wakes: Vec<Arc<Wake>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Nobody works: the caller does.
    pub(crate) fn none() -> Self {
        Self {
            wakes: Vec::new(),
            threads: Mutex::default(),
        }
    }

    /// Starts all threads.
    pub(crate) fn start(core: &Arc<Core>) -> Result<Self> {
        let mut workers = Self::none();
        let on_commit = workers.spawn("materialize", core, materialize)?;
        core.store.on_commit(Box::new(move || on_commit.ring()));
        workers.spawn("commit", core, commit)?;
        core.ring_when_full(workers.spawn("seal", core, seal)?);
        workers.spawn("merge", core, merge)?;
        workers.spawn("checkpoint", core, checkpoint)?;
        workers.spawn("scrub", core, scrub)?;
        workers.spawn("upkeep", core, upkeep)?;
        Ok(workers)
    }

    /// Ends the threads after the step that each is in. A second call finds none.
    pub(crate) fn stop(&self) {
        for wake in &self.wakes {
            wake.stop();
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The last handle of a store may be dropped by one of its own threads' callbacks.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().expect("workers catch their panics");
            }
        }
    }

    /// Starts a thread that runs `work` until it is told to end. Its failure is the store's.
    fn spawn(
        &mut self,
        name: &'static str,
        core: &Arc<Core>,
        work: fn(&Core, &Wake) -> Result<()>,
    ) -> Result<Arc<Wake>> {
        let (core, wake) = (Arc::clone(core), Arc::new(Wake::default()));
        let bell = Arc::clone(&wake);
        let body = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&core, &bell)));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => core.health.fail(&format!("{name}: {error}")),
                Err(_) => core
                    .health
                    .fail(&format!("{name}: a defect, see the panic above")),
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(body);
        let thread = thread.map_err(|error| {
            Error::caused(ErrorKind::Internal, error).while_doing("cannot start a thread")
        })?;
        self.wakes.push(Arc::clone(&wake));
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Ok(wake)
    }
}

/// Commits what nobody waits for: records sent with `acks=1` or `acks=0`.
fn commit(core: &Core, wake: &Wake) -> Result<()> {
    while !wake.must_stop() {
        if core.store.wait_for_work(COMMIT_WAIT) {
            match core.store.commit() {
                Ok(_) => {}
                // What was staged is refused, and so is what comes until there is room.
                Err(error) if error.is_disk_full() => {
                    tracing::warn!(%error, "records were refused");
                    let _ = wake.wait(ROOM_WAIT);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn materialize(core: &Core, wake: &Wake) -> Result<()> {
    loop {
        while core.materialize_step()? == Progress::More {
            if wake.must_stop() {
                return Ok(());
            }
        }
        if wake.wait(MATERIALIZE_WAIT) == Woken::Stop {
            return Ok(());
        }
    }
}

fn upkeep(core: &Core, wake: &Wake) -> Result<()> {
    while wake.wait(UPKEEP_WAIT) != Woken::Stop {
        core.upkeep_step()?;
    }
    Ok(())
}

fn seal(core: &Core, wake: &Wake) -> Result<()> {
    while wake.wait(SEAL_WAIT) == Woken::Work {
        core.seal_step()?;
    }
    Ok(())
}

/// Merges one after the other, at a bounded rate; stops in the middle of one to end.
fn merge(core: &Core, wake: &Wake) -> Result<()> {
    let bytes_per_second = core.options.merge_bytes_per_second.max(1);
    while wake.wait(MERGE_WAIT) == Woken::Work {
        let mut progress = Progress::More;
        while progress == Progress::More && !wake.must_stop() {
            let watch = Stopwatch::start();
            progress = core.merge_step(&mut |written_bytes| {
                let due_ms = written_bytes.saturating_mul(1000) / bytes_per_second;
                let ahead_ms = due_ms.saturating_sub(watch.elapsed_ms());
                let woken = match ahead_ms {
                    0 if wake.must_stop() => Woken::Stop,
                    0 => Woken::Work,
                    _ => wake.wait(Duration::from_millis(ahead_ms)),
                };
                match woken {
                    Woken::Work => ControlFlow::Continue(()),
                    Woken::Stop => ControlFlow::Break(()),
                }
            })?;
        }
    }
    Ok(())
}

fn checkpoint(core: &Core, wake: &Wake) -> Result<()> {
    while wake.wait(CHECKPOINT_WAIT) == Woken::Work {
        core.checkpoint_step()?;
    }
    Ok(())
}

fn scrub(core: &Core, wake: &Wake) -> Result<()> {
    while wake.wait(core.scrub_step()?) == Woken::Work {}
    Ok(())
}
