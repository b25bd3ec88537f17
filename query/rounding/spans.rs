//! Buckets from spans of constant UTC offset.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::BucketRun;
use super::local::{DAY_MS, Step};
use crate::request::Interval;

/// Instants further from the epoch (146 million years) share its outermost buckets, so that sums of
/// instants and offsets never overflow.
const TIME_MS_MAX: i64 = 1 << 62;

/// Spans of constant UTC offset, the first open to the past and the last to the future.
#[derive(Debug, Clone)]
pub(super) struct Spans {
    step: Step,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start_ms: i64,
    end_ms: i64,
    /// What the wall clock is ahead of UTC.
    offset_ms: i64,
    /// The bucket that the span starts in the middle of.
    lead_key_ms: i64,
}

impl Span {
    /// What the wall clock shows at the span's first instant if it runs by `offset_ms`.
    fn local_start_ms(&self, offset_ms: i64) -> i64 {
        self.start_ms.saturating_add(offset_ms)
    }
}

impl Spans {
    pub(super) fn new(
        interval: Interval,
        time_zone: &TimeZone,
        first_ms: i64,
        last_ms: i64,
    ) -> Self {
        let step = Step::new(interval);
        // A bucket may start a width earlier, and clocks differ by less than two days.
        let margin_ms = step.width_ms_max().saturating_add(2 * DAY_MS);
        let first = timestamp(first_ms.saturating_sub(margin_ms));
        let last = timestamp(last_ms.saturating_add(margin_ms));
        let mut spans = Self {
            step,
            spans: vec![Span {
                start_ms: i64::MIN,
                end_ms: i64::MAX,
                offset_ms: offset_ms(time_zone, first),
                lead_key_ms: i64::MIN,
            }],
        };
        for transition in time_zone.following(first) {
            if transition.timestamp() > last {
                break;
            }
            let start_ms = transition.timestamp().as_millisecond();
            spans.push(start_ms, i64::from(transition.offset().seconds()) * 1_000);
        }
        spans
    }

    /// Ends the last span at `start_ms` and begins one of `offset_ms`.
    fn push(&mut self, start_ms: i64, offset_ms: i64) {
        let last = self.spans.last_mut().expect("there is a first span");
        if last.offset_ms == offset_ms {
            return;
        }
        last.end_ms = start_ms;
        let before = *last;
        let lead_key_ms = self.lead_key_ms(before, start_ms, offset_ms);
        self.spans.push(Span {
            start_ms,
            end_ms: i64::MAX,
            offset_ms,
            lead_key_ms,
        });
    }

    /// The bucket that goes on, or starts, where clocks change from `before` to `offset_ms`.
    fn lead_key_ms(&self, before: Span, start_ms: i64, offset_ms: i64) -> i64 {
        let floor_ms = self.step.floor(start_ms.saturating_add(offset_ms));
        let is_skipped = floor_ms >= start_ms.saturating_add(before.offset_ms);
        match self.step {
            // Day boundaries and fixed widths that are skipped move to the change.
            Step::Fixed(_) | Step::Days { .. } | Step::Months { .. } if is_skipped => start_ms,
            Step::Fixed(_) | Step::Clock(_) => self.run(start_ms - 1).key_ms,
            Step::Days { .. } | Step::Months { .. } => {
                self.first_instant_ms(self.spans.len() - 1, floor_ms)
            }
        }
    }

    pub(super) fn run(&self, time_ms: i64) -> BucketRun {
        let inside_ms = time_ms.clamp(-TIME_MS_MAX, TIME_MS_MAX);
        let mut run = self.run_inside(inside_ms);
        if inside_ms == -TIME_MS_MAX {
            run.start_ms = i64::MIN;
        }
        if inside_ms == TIME_MS_MAX {
            run.end_ms = i64::MAX;
        }
        run
    }

    fn run_inside(&self, time_ms: i64) -> BucketRun {
        let index = self
            .spans
            .partition_point(|span| span.start_ms <= time_ms)
            .saturating_sub(1);
        let span = &self.spans[index];
        let floor_ms = self.step.floor(time_ms + span.offset_ms);
        let start_ms = floor_ms.saturating_sub(span.offset_ms);
        let next_ms = self.step.next(floor_ms).saturating_sub(span.offset_ms);
        let end_ms = next_ms.min(span.end_ms);
        if start_ms < span.start_ms {
            return BucketRun {
                key_ms: span.lead_key_ms,
                start_ms: span.start_ms,
                end_ms,
            };
        }
        let key_ms = match self.step {
            Step::Fixed(_) | Step::Clock(_) => start_ms,
            Step::Days { .. } | Step::Months { .. } => self.first_instant_ms(index, floor_ms),
        };
        BucketRun {
            key_ms,
            start_ms,
            end_ms,
        }
    }

    /// The first instant whose wall clock shows `local_ms`, or where a change skips it, the change;
    /// looked for from span `index` back.
    fn first_instant_ms(&self, index: usize, local_ms: i64) -> i64 {
        for pair in self.spans[..=index].windows(2).rev() {
            let [before, span] = pair else {
                unreachable!("windows of two have two elements")
            };
            if local_ms >= span.local_start_ms(before.offset_ms) {
                // Behind everything that the earlier clock showed: skipped or shown here first.
                return local_ms.saturating_sub(span.offset_ms).max(span.start_ms);
            }
            if local_ms >= span.local_start_ms(span.offset_ms) {
                // Shown by both clocks.
                return local_ms.saturating_sub(before.offset_ms);
            }
        }
        local_ms.saturating_sub(self.spans[0].offset_ms)
    }
}

/// `time_ms` moved by `by_ms`; the ends of time stay where they are.
pub(super) fn shift(time_ms: i64, by_ms: i64) -> i64 {
    match time_ms {
        i64::MIN | i64::MAX => time_ms,
        _ => time_ms.saturating_add(by_ms),
    }
}

/// The instant, or the nearest one that the time zone database speaks of.
fn timestamp(time_ms: i64) -> Timestamp {
    let second = time_ms
        .div_euclid(1_000)
        .clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second).expect("the second was clamped to the range")
}

/// What the wall clock shows at `time_ms`.
pub(super) fn local_ms(time_zone: &TimeZone, time_ms: i64) -> i64 {
    time_ms.saturating_add(offset_ms(time_zone, timestamp(time_ms)))
}

fn offset_ms(time_zone: &TimeZone, at: Timestamp) -> i64 {
    i64::from(time_zone.to_offset(at).seconds()) * 1_000
}
