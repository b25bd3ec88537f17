//! The width of time buckets by what lies between the first and the last instant.
//!
//! The first unit is taken that needs no more buckets than asked after its largest multiple put
//! them together; of its multiples the first that is enough. Buckets of several units count from
//! the first unit with rows.

use jiff::tz::TimeZone;

use super::request::{AutoDates, LadderStep, LadderUnit};
use crate::request::{CalendarUnit, DateHistogram, FieldRef, Interval};
use crate::rounding::{Rounding, several};

/// Units with their multiples and their shortest width.
const LADDER: &[(LadderUnit, CalendarUnit, &[u32], i64)] = &[
    (
        LadderUnit::Second,
        CalendarUnit::Second,
        &[1, 5, 10, 30],
        1_000,
    ),
    (
        LadderUnit::Minute,
        CalendarUnit::Minute,
        &[1, 5, 10, 30],
        60_000,
    ),
    (LadderUnit::Hour, CalendarUnit::Hour, &[1, 3, 12], 3_600_000),
    (LadderUnit::Day, CalendarUnit::Day, &[1, 7], 82_800_000),
    (
        LadderUnit::Month,
        CalendarUnit::Month,
        &[1, 3],
        28 * 82_800_000,
    ),
    (
        LadderUnit::Year,
        CalendarUnit::Year,
        &[1, 5, 10, 20, 50, 100],
        365 * 82_800_000,
    ),
];

/// The width of buckets for instants from the first to the second, and where buckets start.
pub(super) fn choose(by: &AutoDates, times_ms: Option<(i64, i64)>) -> (LadderStep, DateHistogram) {
    let Some((first_ms, last_ms)) = times_ms else {
        let step = LadderStep {
            unit: by.unit_min,
            count: 1,
        };
        return (
            step,
            histogram(
                by,
                by.field.as_ref(),
                Interval::Calendar(CalendarUnit::Second),
            ),
        );
    };
    let ladder = LADDER.iter().filter(|(unit, ..)| *unit >= by.unit_min);
    let mut chosen = None;
    for (unit, calendar, multiples, width_ms) in ladder {
        let largest = multiples.last().copied().unwrap_or(1);
        let room = by.count_max.saturating_mul(largest as usize);
        let interval = Interval::Calendar(*calendar);
        let count = count_buckets(
            interval,
            &by.time_zone,
            (first_ms, last_ms),
            *width_ms,
            room,
        );
        let enough = |multiple: &&u32| count.div_ceil(**multiple as usize) <= by.count_max;
        let multiple = multiples.iter().find(enough).copied().unwrap_or(1);
        chosen = Some((*unit, *calendar, multiple));
        if count <= room {
            break;
        }
    }
    let (unit, calendar, count) = chosen.unwrap_or((LadderUnit::Year, CalendarUnit::Year, 1));
    let interval = Interval::Calendar(calendar);
    let start_ms = Rounding::new(interval, &by.time_zone, 0, first_ms, first_ms).round(first_ms);
    let step = LadderStep { unit, count };
    let mut made = histogram(by, by.field.as_ref(), interval);
    if count > 1 {
        let (interval, zone, offset_ms) = several(calendar, count, &by.time_zone, start_ms);
        made.interval = interval;
        made.time_zone = zone;
        made.offset_ms = offset_ms;
    }
    (step, made)
}

fn histogram(by: &AutoDates, field: Option<&FieldRef>, interval: Interval) -> DateHistogram {
    DateHistogram {
        field: field.cloned(),
        interval,
        time_zone: by.time_zone.clone(),
        offset_ms: 0,
        doc_count_min: 0,
        extended_bounds_ms: None,
        hard_bounds_ms: None,
        missing_ms: by.missing_ms,
        order: Vec::new(),
    }
}

/// How many buckets there are between two instants; more than `room` are not all counted.
fn count_buckets(
    interval: Interval,
    zone: &TimeZone,
    (first_ms, last_ms): (i64, i64),
    width_ms: i64,
    room: usize,
) -> usize {
    // A day has up to 25 hours, a month up to 31 days, a year 366 days: no unit is a sixth longer
    // than its shortest.
    let longest_ms = width_ms.saturating_add(width_ms / 6);
    let least = usize::try_from(last_ms.saturating_sub(first_ms) / longest_ms);
    if least.is_ok_and(|least| least > room.saturating_add(2)) {
        return usize::MAX;
    }
    let rounding = Rounding::new(interval, zone, 0, first_ms, last_ms);
    let last_key_ms = rounding.round(last_ms);
    let mut key_ms = rounding.round(first_ms);
    let mut count = 1;
    while key_ms < last_key_ms && count <= room {
        let Some(next_ms) = rounding.next(key_ms) else {
            break;
        };
        key_ms = next_ms;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, count_max: usize, (first, last): (&str, &str), expected: (&str, u32)) {
        let ms = |text: &str| {
            let at: jiff::Timestamp = text.parse().expect("an instant");
            at.as_millisecond()
        };
        let by = AutoDates {
            field: None,
            count_max,
            unit_min: LadderUnit::Second,
            time_zone: TimeZone::get(zone).expect("a zone"),
            missing_ms: None,
        };
        let (step, made) = choose(&by, Some((ms(first), ms(last))));
        assert_eq!((format!("{:?}", step.unit).as_str(), step.count), expected);
        let rounding = Rounding::new(
            made.interval,
            &made.time_zone,
            made.offset_ms,
            ms(first),
            ms(last),
        );
        let mut keys = vec![rounding.round(ms(first))];
        while keys
            .last()
            .is_some_and(|key| *key < rounding.round(ms(last)))
        {
            keys.extend(rounding.next(keys[keys.len() - 1]));
        }
        assert!(keys.len() <= count_max, "{keys:?}");
    }

    #[test]
    fn widths_are_those_of_opensearch() {
        let month = ("2021-06-26T03:00:00Z", "2021-07-26T08:00:00Z");
        check("UTC", 5, month, ("Day", 7));
        check("America/New_York", 40, month, ("Day", 1));
        let week = ("2020-03-01T00:00:00Z", "2020-03-09T00:00:00Z");
        check("UTC", 2, week, ("Day", 7));
        check("UTC", 10, week, ("Day", 1));
        check("UTC", 20, week, ("Hour", 12));
        check("UTC", 10, (week.0, week.0), ("Second", 1));
        let years = ("1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
        check("Europe/Berlin", 10, years, ("Year", 10));
        check("Europe/Berlin", 1, years, ("Year", 100));
        check(
            "UTC",
            100,
            ("2024-01-31T12:00:00Z", "2024-01-31T12:06:00Z"),
            ("Second", 5),
        );
    }
}
