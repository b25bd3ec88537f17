//! The proleptic Gregorian calendar over 64-bit integers, and local time in a zone.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(in crate::model) const DAY_MS: i64 = 24 * HOUR_MS;

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Date {
    pub(in crate::model) year: i64,
    /// 1 to 12.
    pub(in crate::model) month: i64,
    /// 1 to 31.
    pub(in crate::model) day: i64,
}

impl Date {
    /// The day `days` after 1970-01-01. Counts from March, so that the leap day ends a year
    /// (Hinnant, "chrono-compatible low-level date algorithms").
    pub(in crate::model) fn from_epoch_days(days: i64) -> Self {
        let days = days + EPOCH_DAYS;
        let era = days.div_euclid(ERA_DAYS);
        let day_of_era = days.rem_euclid(ERA_DAYS);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Days since 1970-01-01.
    pub(in crate::model) fn epoch_days(self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * ERA_DAYS + day_of_era - EPOCH_DAYS
    }

    /// Whether the calendar has this day.
    pub(in crate::model) fn is_valid(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
    }

    /// 1 to 366.
    pub(super) fn day_of_year(self) -> i64 {
        self.epoch_days()
            - Self {
                month: 1,
                day: 1,
                ..self
            }
            .epoch_days()
            + 1
    }

    /// ISO week-based year and week of it: the week belongs to the year that its Thursday is in.
    pub(super) fn iso_week(self) -> (i64, i64) {
        let days = self.epoch_days();
        let thursday = Self::from_epoch_days(days + 4 - weekday(days));
        (thursday.year, (thursday.day_of_year() - 1) / 7 + 1)
    }
}

/// 1 for Monday to 7 for Sunday.
pub(super) fn weekday(epoch_days: i64) -> i64 {
    (epoch_days + 3).rem_euclid(7) + 1
}

/// The Monday of week `week` of the ISO week-based year `year`.
pub(super) fn iso_week_monday(year: i64, week: i64) -> i64 {
    // The fourth of January is always in week 1.
    let fourth = Date {
        year,
        month: 1,
        day: 4,
    }
    .epoch_days();
    fourth - (weekday(fourth) - 1) + (week - 1) * 7
}

/// 52 or 53.
pub(super) fn iso_weeks_of_year(year: i64) -> i64 {
    // The 28th of December is always in the last week.
    Date {
        year,
        month: 12,
        day: 28,
    }
    .iso_week()
    .1
}

/// 28 to 31.
pub(super) fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether `year` has a 29th of February.
pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Seconds east of Greenwich in `zone` at the instant `ms`. Instants outside jiff's range have
/// the offset of its nearest end.
pub(super) fn offset_seconds(ms: i64, zone: &TimeZone) -> i64 {
    i64::from(zone.to_offset(timestamp(ms)).seconds())
}

/// The nearest whole second that jiff knows; offsets change on whole seconds.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let second = ms
        .div_euclid(SECOND_MS)
        .clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second).expect("clamped to jiff's range")
}

/// The instant of local time `local_ms` (milliseconds as if the zone were UTC). In a gap the time
/// is moved forward by the gap, in an overlap the earlier offset counts: what `java.time` does.
/// `None` when 64 bits cannot count it.
pub(super) fn instant_ms(local_ms: i64, zone: &TimeZone) -> Option<i64> {
    let offset_seconds = match zone.to_fixed_offset() {
        Ok(offset) => i64::from(offset.seconds()),
        Err(_) => {
            // Local time taken as UTC names the civil date and time.
            let as_utc = timestamp(local_ms);
            let civil = Offset::UTC.to_datetime(as_utc);
            match zone.to_ambiguous_timestamp(civil).compatible() {
                Ok(instant) => as_utc.as_second() - instant.as_second(),
                Err(_) => offset_seconds(local_ms, zone),
            }
        }
    };
    local_ms.checked_sub(offset_seconds * SECOND_MS)
}

/// Milliseconds since the epoch of a day's start plus a time of day; `None` beyond 64 bits.
pub(super) fn local_ms(epoch_days: i64, time_ms: i64) -> Option<i64> {
    epoch_days.checked_mul(DAY_MS)?.checked_add(time_ms)
}
