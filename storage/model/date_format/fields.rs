//! What a text said about an instant, and the instant that follows from it.

use jiff::tz::TimeZone;

use super::civil::{self, DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::format::{DateReading, DateUnit};

/// The parts that were read; what was not read is `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) year: Option<i64>,
    pub(super) week_year: Option<i64>,
    pub(super) quarter: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) week: Option<i64>,
    pub(super) week_of_month: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) day_of_year: Option<i64>,
    pub(super) weekday: Option<i64>,
    pub(super) hour: Option<i64>,
    pub(super) half_day_hour: Option<i64>,
    pub(super) afternoon: Option<bool>,
    pub(super) before_christ: bool,
    pub(super) minute: Option<i64>,
    pub(super) second: Option<i64>,
    pub(super) nanos: Option<i64>,
    pub(super) fraction_digits: usize,
    pub(super) offset_seconds: Option<i64>,
    pub(super) zone: Option<TimeZone>,
}

/// Which end of what was named is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

impl Fields {
    /// The instant; `None` when a part is out of its range or the calendar has no such day.
    pub(super) fn resolve(&self, zone: &TimeZone, end: End) -> Option<DateReading> {
        let unit = self.finest();
        let days = self.epoch_days()?;
        let (hour, minute) = (self.hour_of_day()?, in_range(self.minute, 0, 59)?);
        let second = in_range(self.second, 0, 59)?;
        let nanos_of_second = self.nanos.unwrap_or(0);
        let time_ms =
            hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + nanos_of_second / 1_000_000;
        let nanos = u32::try_from(nanos_of_second % 1_000_000).expect("below a million");
        let first = self.instant(civil::local_ms(days, time_ms)?, zone)?;
        if end == End::First {
            return Some(DateReading {
                ms: first,
                nanos,
                unit,
            });
        }
        if unit == DateUnit::Nanosecond {
            return Some(DateReading {
                ms: first,
                nanos,
                unit,
            });
        }
        let next = match unit {
            DateUnit::Hour => first.checked_add(HOUR_MS)?,
            DateUnit::Minute => first.checked_add(MINUTE_MS)?,
            DateUnit::Second => first.checked_add(SECOND_MS)?,
            DateUnit::Millisecond | DateUnit::Nanosecond => first.checked_add(1)?,
            DateUnit::Year
            | DateUnit::Quarter
            | DateUnit::Month
            | DateUnit::Week
            | DateUnit::Day => {
                // Elasticsearch takes the first of months and days that are not named, and the end
                // of the day. Days begin in local time: one of 23 hours ends an hour earlier.
                self.instant((days + 1).checked_mul(DAY_MS)?, zone)?
            }
        };
        Some(DateReading {
            ms: next.checked_sub(1)?,
            nanos: 999_999,
            unit,
        })
    }

    fn finest(&self) -> DateUnit {
        match self {
            _ if self.nanos.is_some() && self.fraction_digits > 3 => DateUnit::Nanosecond,
            _ if self.nanos.is_some() => DateUnit::Millisecond,
            _ if self.second.is_some() => DateUnit::Second,
            _ if self.minute.is_some() => DateUnit::Minute,
            _ if self.hour.is_some() || self.half_day_hour.is_some() => DateUnit::Hour,
            _ if self.day.is_some() || self.day_of_year.is_some() => DateUnit::Day,
            _ if self.weekday.is_some() => DateUnit::Day,
            _ if self.week.is_some() => DateUnit::Week,
            _ if self.month.is_some() => DateUnit::Month,
            _ if self.quarter.is_some() => DateUnit::Quarter,
            _ => DateUnit::Year,
        }
    }

    fn epoch_days(&self) -> Option<i64> {
        if let Some(year) = self.week_year {
            let week = in_range(self.week.or(Some(1)), 1, civil::iso_weeks_of_year(year))?;
            let weekday = in_range(self.weekday.or(Some(1)), 1, 7)?;
            return Some(civil::iso_week_monday(year, week) + weekday - 1);
        }
        let mut year = self.year.unwrap_or(1970);
        if self.before_christ {
            year = 1 - year;
        }
        let date = if let Some(day_of_year) = self.day_of_year {
            let length = if civil::is_leap(year) { 366 } else { 365 };
            let day = in_range(Some(day_of_year), 1, length)?;
            Date::from_epoch_days(
                Date {
                    year,
                    month: 1,
                    day: 1,
                }
                .epoch_days()
                    + day
                    - 1,
            )
        } else {
            let quarter = in_range(self.quarter.or(Some(1)), 1, 4)?;
            let month = self.month.unwrap_or(quarter * 3 - 2);
            Date {
                year,
                month,
                day: self.day.unwrap_or(1),
            }
        };
        if !date.is_valid() {
            return None;
        }
        let days = date.epoch_days();
        // A weekday beside a whole date must agree with it, as in "Sat, 2024-03-09".
        let agrees = self
            .weekday
            .is_none_or(|weekday| weekday == civil::weekday(days));
        agrees.then_some(days)
    }

    fn hour_of_day(&self) -> Option<i64> {
        match (self.half_day_hour, self.afternoon) {
            (Some(hour), afternoon) => {
                let hour = in_range(Some(hour), 0, 12)? % 12;
                Some(hour + if afternoon == Some(true) { 12 } else { 0 })
            }
            (None, _) => {
                // 24:00 is a clock hour (`k`) alone, and is read as 0.
                in_range(self.hour, 0, 23)
            }
        }
    }

    fn instant(&self, local_ms: i64, zone: &TimeZone) -> Option<i64> {
        match (self.offset_seconds, &self.zone) {
            (Some(seconds), _) => local_ms.checked_sub(seconds * SECOND_MS),
            (None, Some(named)) => civil::instant_ms(local_ms, named),
            (None, None) => civil::instant_ms(local_ms, zone),
        }
    }
}

/// `value`, 0 when absent, if it lies in the range.
fn in_range(value: Option<i64>, min: i64, max: i64) -> Option<i64> {
    let value = value.unwrap_or(0);
    (min..=max).contains(&value).then_some(value)
}
