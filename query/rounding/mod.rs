//! Which time bucket an instant falls into.
//!
//! Rounding follows the wall clock of a time zone, by Elasticsearch's rules:
//!
//! - **Day and longer** go from the first instant of a local day to the first instant of another.
//!   A day has 23 to 25 hours where clocks change; where midnight does not exist the day starts at
//!   the change; where midnight happens twice it starts at the first.
//! - **Hour and shorter** of the calendar start where the wall clock shows a whole unit. The hour
//!   that is repeated makes two buckets; a piece cut off by a clock change belongs to the bucket
//!   before it.
//! - **Fixed widths** count from the local epoch. A boundary that a clock change skips moves to the
//!   change itself.
//!
//! The calendar is asked once a query: [`Rounding::new`] lists the spans of constant UTC offset in
//! the range that will be rounded. Inside a span local time is linear, so finding a bucket is a
//! search among a few spans and a division. The answer names the instants that share the bucket,
//! and callers look again only when they leave them.
//!
//! ```text
//! spans      |---- +01:00 ----|------- +02:00 -------|---- +01:00 ---
//! buckets  |------|------|-----|------|------|------|-------|------|
//! ```

mod local;
mod spans;
#[cfg(test)]
pub(crate) mod tests;

use jiff::tz::TimeZone;

use crate::request::{CalendarUnit, Interval};
use spans::{Spans, local_ms, shift};

/// Rounds instants down to the start of their bucket.
#[derive(Debug, Clone)]
pub struct Rounding {
    spans: Spans,
    offset_ms: i64,
}

/// A run of instants in one bucket: `start_ms <= t < end_ms`. Around a clock change one bucket may
/// have several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRun {
    /// Names the bucket: its first instant.
    pub key_ms: i64,
    /// First instant of the run.
    pub start_ms: i64,
    /// First instant behind the run.
    pub end_ms: i64,
}

impl BucketRun {
    /// Whether `time_ms` lies in the run.
    #[must_use]
    pub fn contains(&self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }
}

impl Rounding {
    /// Rounding to `interval` on the clock of `time_zone`, every boundary moved by `offset_ms`;
    /// exact for instants from `first_ms` to `last_ms` and one bucket around them.
    #[must_use]
    pub fn new(
        interval: Interval,
        time_zone: &TimeZone,
        offset_ms: i64,
        first_ms: i64,
        last_ms: i64,
    ) -> Self {
        let first_ms = first_ms.saturating_sub(offset_ms);
        let last_ms = last_ms.saturating_sub(offset_ms);
        Self {
            spans: Spans::new(interval, time_zone, first_ms, last_ms),
            offset_ms,
        }
    }

    /// The run of instants around `time_ms` that share its bucket.
    #[must_use]
    pub fn run(&self, time_ms: i64) -> BucketRun {
        let run = self.spans.run(time_ms.saturating_sub(self.offset_ms));
        BucketRun {
            key_ms: shift(run.key_ms, self.offset_ms),
            start_ms: shift(run.start_ms, self.offset_ms),
            end_ms: shift(run.end_ms, self.offset_ms),
        }
    }

    /// The start of the bucket of `time_ms`.
    #[must_use]
    pub fn round(&self, time_ms: i64) -> i64 {
        self.run(time_ms).key_ms
    }

    /// The start of the bucket behind the one that starts at `key_ms`; `None` at the end of time.
    #[must_use]
    pub fn next(&self, key_ms: i64) -> Option<i64> {
        let mut run = self.run(key_ms);
        while run.key_ms <= key_ms {
            if run.end_ms == i64::MAX {
                return None;
            }
            run = self.run(run.end_ms);
        }
        Some(run.key_ms)
    }
}

/// Buckets of several units, counted from the one that starts at `start_ms`: interval, time zone
/// and offset of a histogram.
pub(crate) fn several(
    unit: CalendarUnit,
    count: u32,
    time_zone: &TimeZone,
    start_ms: i64,
) -> (Interval, TimeZone, i64) {
    let day = local_ms(time_zone, start_ms).div_euclid(local::DAY_MS);
    let clock = |width_ms: i64| {
        let width_ms = width_ms * i64::from(count);
        let interval = Interval::Fixed(width_ms);
        (interval, TimeZone::UTC, start_ms.rem_euclid(width_ms))
    };
    let months = |months: u32| Interval::Months {
        count: count * months,
        from: local::month_of_day(day),
    };
    let interval = match unit {
        CalendarUnit::Second => return clock(1_000),
        CalendarUnit::Minute => return clock(60_000),
        CalendarUnit::Hour => return clock(3_600_000),
        CalendarUnit::Day => Interval::Days { count, from: day },
        CalendarUnit::Week => Interval::Days {
            count: count * 7,
            from: day,
        },
        CalendarUnit::Month => months(1),
        CalendarUnit::Quarter => months(3),
        CalendarUnit::Year => months(12),
    };
    (interval, time_zone.clone(), 0)
}

/// The start of the calendar `unit` that `time_ms` lies in.
#[must_use]
pub fn unit_start(unit: CalendarUnit, time_zone: &TimeZone, time_ms: i64) -> i64 {
    Rounding::new(Interval::Calendar(unit), time_zone, 0, time_ms, time_ms).round(time_ms)
}

/// The start of the calendar `unit` behind the one that `time_ms` lies in; `i64::MAX` at the end of
/// time.
#[must_use]
pub fn unit_end(unit: CalendarUnit, time_zone: &TimeZone, time_ms: i64) -> i64 {
    let rounding = Rounding::new(Interval::Calendar(unit), time_zone, 0, time_ms, time_ms);
    rounding.next(rounding.round(time_ms)).unwrap_or(i64::MAX)
}
