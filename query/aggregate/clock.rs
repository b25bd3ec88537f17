//! Rounding that widens itself when an instant lies outside of what it was made for.

use std::sync::Arc;

use crate::request::DateHistogram;
use crate::rounding::{BucketRun, Rounding};

/// How far a rounding reaches around an instant that nobody announced: ten years.
const REACH_MS: i64 = 10 * 366 * 86_400_000;

/// The rounding of a histogram, shared by all sources of a search.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    rounding: Arc<Rounding>,
    first_ms: i64,
    last_ms: i64,
    /// Where the last instant was.
    run: BucketRun,
}

impl Clock {
    /// Boundaries for instants from `first_ms` to `last_ms`.
    pub(crate) fn new(by: &DateHistogram, first_ms: i64, last_ms: i64) -> Self {
        let rounding = rounding(by, first_ms, last_ms);
        let run = rounding.run(first_ms);
        Self {
            rounding: Arc::new(rounding),
            first_ms,
            last_ms,
            run,
        }
    }

    /// The bucket of `time_ms` and the instants that share it.
    pub(crate) fn run(&mut self, by: &DateHistogram, time_ms: i64) -> BucketRun {
        if !self.run.contains(time_ms) {
            if !(self.first_ms..=self.last_ms).contains(&time_ms) {
                self.widen(by, time_ms);
            }
            self.run = self.rounding.run(time_ms);
        }
        self.run
    }

    /// The starts of all buckets from the first to the second instant, unless there are more than
    /// `count_max`, or the clock does not reach so far.
    pub(crate) fn keys(
        &self,
        (first_ms, last_ms): (i64, i64),
        count_max: usize,
    ) -> Option<Vec<i64>> {
        let reaches = self.first_ms <= first_ms && last_ms <= self.last_ms;
        let mut keys = Vec::new();
        let mut next = reaches.then(|| self.rounding.round(first_ms));
        let last_key_ms = self.rounding.round(last_ms);
        while let Some(key_ms) = next.filter(|key_ms| *key_ms <= last_key_ms) {
            if keys.len() == count_max {
                return None;
            }
            keys.push(key_ms);
            next = self.rounding.next(key_ms);
        }
        reaches.then_some(keys)
    }

    /// At least doubles the range, so that few instants ever widen it.
    fn widen(&mut self, by: &DateHistogram, time_ms: i64) {
        let reach_ms = self.last_ms.saturating_sub(self.first_ms).max(REACH_MS);
        self.first_ms = self.first_ms.min(time_ms.saturating_sub(reach_ms));
        self.last_ms = self.last_ms.max(time_ms.saturating_add(reach_ms));
        self.rounding = Arc::new(rounding(by, self.first_ms, self.last_ms));
    }
}

fn rounding(by: &DateHistogram, first_ms: i64, last_ms: i64) -> Rounding {
    Rounding::new(by.interval, &by.time_zone, by.offset_ms, first_ms, last_ms)
}
