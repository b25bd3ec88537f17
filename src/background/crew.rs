//! Threads that decode side by side.

use ingest::materialize::{Crew, Job};

/// Bytes of log for which a second thread is worth its start.
const THREAD_BYTES_MIN: usize = 512 << 10;

/// Up to so many threads, started for the jobs and ended with them. That costs microseconds, and
/// between bursts nobody idles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads {
    pub(crate) count: usize,
}

impl Crew for Threads {
    fn width(&self, bytes: usize) -> usize {
        self.count.min(bytes / THREAD_BYTES_MIN).max(1)
    }

    fn work(&self, mut jobs: Vec<Job<'_>>) {
        let own = jobs.pop();
        std::thread::scope(|scope| {
            for job in jobs {
                let decode = std::thread::Builder::new().name("decode".into());
                decode
                    .spawn_scoped(scope, job)
                    .expect("the machine has threads for its own work");
            }
            if let Some(job) = own {
                job();
            }
        });
    }
}
