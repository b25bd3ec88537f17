//! Bucket boundaries on a wall clock, counted in milliseconds since the local epoch.
//!
//! Plain integer arithmetic on the proleptic Gregorian calendar, so it holds for any instant that
//! 64 bits can name; sums stop at the ends of time instead of wrapping.

use crate::request::{CalendarUnit, Interval};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Days from 1970-01-01, a Thursday, back to the Monday before it.
const EPOCH_DAYS_AFTER_MONDAY: i64 = 3;

/// How boundaries repeat on a wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many milliseconds, from the local epoch.
    Fixed(i64),
    /// A calendar unit below a day, so many milliseconds.
    Clock(i64),
    /// Whole local days, so many, from this day on.
    Days { count: i64, from: i64 },
    /// Whole local months, so many, from this month on.
    Months { count: i64, from: i64 },
}

impl Step {
    pub(super) fn new(interval: Interval) -> Self {
        match interval {
            Interval::Fixed(width_ms) => Self::Fixed(width_ms.max(1)),
            Interval::Calendar(unit) => match unit {
                CalendarUnit::Second => Self::Clock(SECOND_MS),
                CalendarUnit::Minute => Self::Clock(MINUTE_MS),
                CalendarUnit::Hour => Self::Clock(HOUR_MS),
                CalendarUnit::Day => Self::Days { count: 1, from: 0 },
                CalendarUnit::Week => Self::Days {
                    count: 7,
                    from: -EPOCH_DAYS_AFTER_MONDAY,
                },
                CalendarUnit::Month => Self::Months { count: 1, from: 0 },
                CalendarUnit::Quarter => Self::Months { count: 3, from: 0 },
                CalendarUnit::Year => Self::Months { count: 12, from: 0 },
            },
            Interval::Days { count, from } => Self::Days {
                count: i64::from(count.max(1)),
                from,
            },
            Interval::Months { count, from } => Self::Months {
                count: i64::from(count.max(1)),
                from,
            },
        }
    }

    /// No step is longer on any wall clock.
    pub(super) fn width_ms_max(self) -> i64 {
        match self {
            Self::Fixed(width_ms) | Self::Clock(width_ms) => width_ms,
            Self::Days { count, .. } => count * DAY_MS,
            Self::Months { count, .. } => count * 31 * DAY_MS,
        }
    }

    /// The last boundary at or before `local_ms`.
    pub(super) fn floor(self, local_ms: i64) -> i64 {
        match self {
            Self::Fixed(width_ms) | Self::Clock(width_ms) => {
                local_ms.div_euclid(width_ms).saturating_mul(width_ms)
            }
            Self::Days { count, from } => {
                let days = local_ms.div_euclid(DAY_MS) - from;
                let first = days.div_euclid(count) * count + from;
                first.saturating_mul(DAY_MS)
            }
            Self::Months { count, from } => {
                let months = month_of_day(local_ms.div_euclid(DAY_MS)) - from;
                let first = months.div_euclid(count) * count + from;
                first_day_of_month(first).saturating_mul(DAY_MS)
            }
        }
    }

    /// The boundary behind the boundary `floor_ms`.
    pub(super) fn next(self, floor_ms: i64) -> i64 {
        match self {
            Self::Fixed(width_ms) | Self::Clock(width_ms) => floor_ms.saturating_add(width_ms),
            Self::Days { count, .. } => floor_ms.saturating_add(count * DAY_MS),
            Self::Months { count, .. } => {
                let months = month_of_day(floor_ms.div_euclid(DAY_MS));
                first_day_of_month(months + count).saturating_mul(DAY_MS)
            }
        }
    }
}

/// Days of 400 years, after which the Gregorian calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// Months since January of year 0 of the day `days` after 1970-01-01. Years are counted from
/// March so that leap days come last (H. Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn month_of_day(days: i64) -> i64 {
    let days = days + EPOCH_DAYS;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + month_from_march + 2
}

/// Days from 1970-01-01 to the first day of the month that `month_of_day` counts as `months`.
fn first_day_of_month(months: i64) -> i64 {
    let from_march = months - 2;
    let (year, month_from_march) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}
