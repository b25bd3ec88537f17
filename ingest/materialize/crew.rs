//! Who decodes: this thread, or several that the caller has.

/// Something to be done once.
pub type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Does jobs, side by side if it can.
pub trait Crew {
    /// How many jobs are worth making of so many bytes of log.
    fn width(&self, bytes: usize) -> usize;

    /// Does all of `jobs`, and returns when the last has ended.
    fn work(&self, jobs: Vec<Job<'_>>);
}

/// The calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Crew for Alone {
    fn width(&self, _: usize) -> usize {
        1
    }

    fn work(&self, jobs: Vec<Job<'_>>) {
        jobs.into_iter().for_each(|job| job());
    }
}
