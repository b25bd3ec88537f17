//! A fixed number of threads and a bounded queue before them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that run jobs one after another. Dropping it finishes what is queued, then ends them.
#[derive(Debug)]
pub(crate) struct Pool {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// All threads are busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all threads are busy and the queue is full")]
pub(crate) struct Full;

impl Pool {
    /// Starts `threads` threads named `name` with room for `waiting_max` jobs before them.
    ///
    /// # Errors
    /// When the machine gives no more threads.
    pub(crate) fn start(name: &str, threads: usize, waiting_max: usize) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(waiting_max);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..threads)
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .name(name.into())
                    .spawn(move || work(&queue))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            jobs: Some(jobs),
            threads,
        })
    }

    /// Queues `job`.
    ///
    /// # Errors
    /// When the queue is full: nothing waits here.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        let jobs = self
            .jobs
            .as_ref()
            .expect("the queue lives as long as the pool");
        jobs.try_send(Box::new(job)).map_err(|_| Full)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // A pool dropped by its own last job cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().expect("jobs cannot unwind through the loop");
            }
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            // The panic's text is on standard error already. Whoever waits for the job sees its
            // answer's sender dropped and reports an internal error.
            tracing::error!("a job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_panic_costs_one_job() {
        let pool = Pool::start("test", 1, 1).expect("a thread");
        let (started, on_start) = channel();
        let (release, on_release) = channel::<()>();
        pool.submit(move || {
            started.send(()).expect("the test waits");
            on_release.recv().expect("the test releases");
            panic!("expected by the test");
        })
        .expect("room");
        on_start.recv().expect("the job starts");
        let (done, on_done) = channel();
        pool.submit(move || done.send(7).expect("the test waits"))
            .expect("room for one");
        assert_eq!(pool.submit(|| ()), Err(Full));
        release.send(()).expect("the job waits");
        assert_eq!(on_done.recv(), Ok(7));
    }
}
