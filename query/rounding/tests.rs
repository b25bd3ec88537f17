//! Tables of the cases that people get wrong, and an oracle that asks the calendar every time.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the database")
}

fn instant(text: &str) -> i64 {
    let timestamp: Timestamp = text.parse().expect("an instant");
    timestamp.as_millisecond()
}

fn show(time_ms: i64, time_zone: &TimeZone) -> String {
    let timestamp = Timestamp::from_millisecond(time_ms).expect("in range");
    let zoned = timestamp.to_zoned(time_zone.clone());
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Keys of all buckets from `first` to `last`, each checked against the run it came from.
fn keys(interval: Interval, zone_name: &str, offset_ms: i64, first: &str, last: &str) -> String {
    let time_zone = zone(zone_name);
    let (first_ms, last_ms) = (instant(first), instant(last));
    let rounding = Rounding::new(interval, &time_zone, offset_ms, first_ms, last_ms);
    let mut keys = Vec::new();
    let mut key_ms = rounding.round(first_ms);
    while key_ms <= last_ms {
        keys.push(show(key_ms, &time_zone));
        key_ms = rounding.next(key_ms).expect("time goes on");
    }
    keys.join(" ")
}

fn check(
    interval: Interval,
    zone_name: &str,
    (first, last): (&str, &str),
    expected: &expect_test::Expect,
) {
    expected.assert_eq(&keys(interval, zone_name, 0, first, last).replace(' ', "\n"));
}

#[test]
fn days_of_23_and_25_hours() {
    check(
        Interval::Calendar(CalendarUnit::Day),
        "Europe/Berlin",
        ("2024-03-30T12:00:00Z", "2024-04-01T12:00:00Z"),
        &expect_test::expect![[r#"
            2024-03-30T00:00:00+01:00
            2024-03-31T00:00:00+01:00
            2024-04-01T00:00:00+02:00"#]],
    );
    check(
        Interval::Calendar(CalendarUnit::Day),
        "Europe/Berlin",
        ("2024-10-26T12:00:00Z", "2024-10-28T12:00:00Z"),
        &expect_test::expect![[r#"
            2024-10-26T00:00:00+02:00
            2024-10-27T00:00:00+02:00
            2024-10-28T00:00:00+01:00"#]],
    );
}

#[test]
fn the_repeated_hour_is_two_buckets() {
    check(
        Interval::Calendar(CalendarUnit::Hour),
        "Europe/Berlin",
        ("2024-10-26T23:00:00Z", "2024-10-27T02:00:00Z"),
        &expect_test::expect![[r#"
            2024-10-27T01:00:00+02:00
            2024-10-27T02:00:00+02:00
            2024-10-27T02:00:00+01:00
            2024-10-27T03:00:00+01:00"#]],
    );
}

#[test]
fn the_skipped_hour_is_no_bucket() {
    check(
        Interval::Calendar(CalendarUnit::Hour),
        "Europe/Berlin",
        ("2024-03-31T00:00:00Z", "2024-03-31T02:00:00Z"),
        &expect_test::expect![[r#"
            2024-03-31T01:00:00+01:00
            2024-03-31T03:00:00+02:00
            2024-03-31T04:00:00+02:00"#]],
    );
}

#[test]
fn half_hour_changes_make_an_hour_and_a_half() {
    // The clock goes back from 02:00 to 01:30, and forward from 02:00 to 02:30.
    check(
        Interval::Calendar(CalendarUnit::Hour),
        "Australia/Lord_Howe",
        ("2024-04-06T13:30:00Z", "2024-04-06T16:30:00Z"),
        &expect_test::expect![[r#"
            2024-04-07T00:00:00+11:00
            2024-04-07T01:00:00+11:00
            2024-04-07T02:00:00+10:30
            2024-04-07T03:00:00+10:30"#]],
    );
    check(
        Interval::Calendar(CalendarUnit::Hour),
        "Australia/Lord_Howe",
        ("2024-10-05T14:30:00Z", "2024-10-05T17:30:00Z"),
        &expect_test::expect![[r#"
            2024-10-06T01:00:00+10:30
            2024-10-06T03:00:00+11:00
            2024-10-06T04:00:00+11:00"#]],
    );
    check(
        Interval::Fixed(HOUR_MS),
        "Australia/Lord_Howe",
        ("2024-10-05T14:30:00Z", "2024-10-05T17:30:00Z"),
        &expect_test::expect![[r#"
            2024-10-06T01:00:00+10:30
            2024-10-06T02:30:00+11:00
            2024-10-06T03:00:00+11:00
            2024-10-06T04:00:00+11:00"#]],
    );
}

#[test]
fn midnights_that_do_not_exist_start_at_the_change() {
    check(
        Interval::Calendar(CalendarUnit::Day),
        "America/Sao_Paulo",
        ("2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z"),
        &expect_test::expect![[r#"
            2018-11-03T00:00:00-03:00
            2018-11-04T01:00:00-02:00
            2018-11-05T00:00:00-02:00"#]],
    );
    check(
        Interval::Fixed(DAY_MS),
        "America/Sao_Paulo",
        ("2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z"),
        &expect_test::expect![[r#"
            2018-11-03T00:00:00-03:00
            2018-11-04T01:00:00-02:00
            2018-11-05T00:00:00-02:00"#]],
    );
    // A whole day is missing.
    check(
        Interval::Calendar(CalendarUnit::Day),
        "Pacific/Apia",
        ("2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z"),
        &expect_test::expect![[r#"
            2011-12-29T00:00:00-10:00
            2011-12-31T00:00:00+14:00
            2012-01-01T00:00:00+14:00"#]],
    );
}

#[test]
fn midnights_that_happen_twice_start_at_the_first() {
    // At 00:01 the clock goes back to 23:01 of the day before.
    let time_zone = zone("America/St_Johns");
    let rounding = Rounding::new(
        Interval::Calendar(CalendarUnit::Day),
        &time_zone,
        0,
        instant("2006-10-27T00:00:00Z"),
        instant("2006-10-31T00:00:00Z"),
    );
    let day = |text: &str| show(rounding.round(instant(text)), &time_zone);
    assert_eq!(day("2006-10-29T02:30:00Z"), "2006-10-29T00:00:00-02:30");
    assert_eq!(day("2006-10-29T02:31:00Z"), "2006-10-28T00:00:00-02:30");
    assert_eq!(day("2006-10-29T03:30:00Z"), "2006-10-29T00:00:00-02:30");
}

#[test]
fn quarter_hour_zones() {
    check(
        Interval::Calendar(CalendarUnit::Hour),
        "Asia/Kathmandu",
        ("2024-01-01T00:00:00Z", "2024-01-01T02:00:00Z"),
        &expect_test::expect![[r#"
            2024-01-01T05:00:00+05:45
            2024-01-01T06:00:00+05:45
            2024-01-01T07:00:00+05:45"#]],
    );
    check(
        Interval::Calendar(CalendarUnit::Month),
        "Asia/Kathmandu",
        ("1985-12-15T00:00:00Z", "1986-02-15T00:00:00Z"),
        &expect_test::expect![[r#"
            1985-12-01T00:00:00+05:30
            1986-01-01T00:15:00+05:45
            1986-02-01T00:00:00+05:45"#]],
    );
}

#[test]
fn before_1970() {
    check(
        Interval::Calendar(CalendarUnit::Year),
        "Europe/Berlin",
        ("1892-06-01T00:00:00Z", "1895-06-01T00:00:00Z"),
        &expect_test::expect![[r#"
            1892-01-01T00:00:00+00:53:28
            1893-01-01T00:00:00+00:53:28
            1894-01-01T00:00:00+01:00
            1895-01-01T00:00:00+01:00"#]],
    );
    check(
        Interval::Calendar(CalendarUnit::Week),
        "UTC",
        ("1969-12-20T00:00:00Z", "1970-01-06T00:00:00Z"),
        &expect_test::expect![[r#"
            1969-12-15T00:00:00+00:00
            1969-12-22T00:00:00+00:00
            1969-12-29T00:00:00+00:00
            1970-01-05T00:00:00+00:00"#]],
    );
}

#[test]
fn offsets_move_boundaries() {
    let text = keys(
        Interval::Calendar(CalendarUnit::Month),
        "Europe/Berlin",
        DAY_MS + 6 * HOUR_MS,
        "2024-02-10T00:00:00Z",
        "2024-04-10T00:00:00Z",
    );
    expect_test::expect![[r#"
        2024-02-02T06:00:00+01:00
        2024-03-02T06:00:00+01:00
        2024-04-02T06:00:00+02:00"#]]
    .assert_eq(&text.replace(' ', "\n"));
}

#[test]
fn fixed_widths_drift_across_changes() {
    check(
        Interval::Fixed(2 * DAY_MS),
        "America/New_York",
        ("2024-11-01T12:00:00Z", "2024-11-06T12:00:00Z"),
        &expect_test::expect![[r#"
            2024-11-01T00:00:00-04:00
            2024-11-03T00:00:00-04:00
            2024-11-05T00:00:00-05:00"#]],
    );
    check(
        Interval::Fixed(7 * HOUR_MS),
        "Europe/Berlin",
        ("2024-10-26T18:00:00Z", "2024-10-27T12:00:00Z"),
        &expect_test::expect![[r#"
            2024-10-26T15:00:00+02:00
            2024-10-26T22:00:00+02:00
            2024-10-27T05:00:00+01:00
            2024-10-27T12:00:00+01:00"#]],
    );
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    for interval in intervals() {
        for time_ms in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
            let rounding = Rounding::new(interval, &zone("Europe/Berlin"), 1, time_ms, time_ms);
            let run = rounding.run(time_ms);
            assert!(
                run.start_ms <= time_ms && time_ms <= run.end_ms,
                "{run:?} {time_ms}"
            );
            let next_ms = rounding.next(run.key_ms);
            assert!(next_ms.is_none_or(|next_ms| next_ms > run.key_ms));
        }
    }
}

fn intervals() -> Vec<Interval> {
    let units = [
        CalendarUnit::Second,
        CalendarUnit::Minute,
        CalendarUnit::Hour,
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ];
    let widths = [
        1,
        977,
        60_000,
        5_400_000,
        HOUR_MS,
        7 * HOUR_MS,
        DAY_MS,
        30 * DAY_MS,
    ];
    let units = units.into_iter().map(Interval::Calendar);
    units
        .chain(widths.into_iter().map(Interval::Fixed))
        .collect()
}

/// Elasticsearch's rounding, one instant at a time, from civil dates and time zone transitions.
pub(crate) mod oracle {
    use super::*;

    pub(crate) fn round(interval: Interval, time_zone: &TimeZone, time_ms: i64) -> i64 {
        match interval {
            Interval::Fixed(width_ms) => fixed(width_ms, time_zone, time_ms),
            Interval::Calendar(unit) => match unit {
                CalendarUnit::Second | CalendarUnit::Minute | CalendarUnit::Hour => {
                    clock(unit, time_zone, time_ms)
                }
                CalendarUnit::Day
                | CalendarUnit::Week
                | CalendarUnit::Month
                | CalendarUnit::Quarter
                | CalendarUnit::Year => midnight(unit, time_zone, time_ms),
            },
            Interval::Days { .. } | Interval::Months { .. } => {
                panic!("several units are checked beside the ladder that chooses them")
            }
        }
    }

    fn local(time_zone: &TimeZone, time_ms: i64) -> DateTime {
        time_zone.to_datetime(Timestamp::from_millisecond(time_ms).expect("in range"))
    }

    /// Instants whose wall clock shows `local`, earliest first.
    fn instants(time_zone: &TimeZone, local: DateTime) -> Vec<i64> {
        let ambiguous = time_zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => vec![],
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                let earlier = ambiguous.earlier().expect("in range").as_millisecond();
                let later = ambiguous.later().expect("in range").as_millisecond();
                if earlier == later {
                    vec![earlier]
                } else {
                    vec![earlier, later]
                }
            }
        }
    }

    /// The last change of the clock before or at `time_ms`.
    fn change(time_zone: &TimeZone, time_ms: i64) -> Option<i64> {
        let mut at = Timestamp::from_millisecond(time_ms + 1).expect("in range");
        loop {
            let transition = time_zone.preceding(at).next()?.timestamp();
            let before = transition - 1.nanosecond();
            if time_zone.to_offset(before) != time_zone.to_offset(transition) {
                return Some(transition.as_millisecond());
            }
            at = transition;
        }
    }

    /// The change that skips `local`.
    fn skipped_by(time_zone: &TimeZone, local: DateTime) -> i64 {
        let behind = time_zone
            .to_ambiguous_timestamp(local)
            .later()
            .expect("in range");
        change(time_zone, behind.as_millisecond()).expect("a change made the gap")
    }

    fn midnight(unit: CalendarUnit, time_zone: &TimeZone, time_ms: i64) -> i64 {
        let date = local(time_zone, time_ms).date();
        let first = match unit {
            CalendarUnit::Week => {
                let since_monday = date.weekday().since(Weekday::Monday);
                date - i64::from(since_monday).days()
            }
            CalendarUnit::Month => date.first_of_month(),
            CalendarUnit::Quarter => {
                let month = (date.month() - 1) / 3 * 3 + 1;
                date.first_of_month()
                    .with()
                    .month(month)
                    .build()
                    .expect("a month")
            }
            CalendarUnit::Year => date.first_of_year(),
            CalendarUnit::Day
            | CalendarUnit::Second
            | CalendarUnit::Minute
            | CalendarUnit::Hour => date,
        };
        let midnight = first.at(0, 0, 0, 0);
        match instants(time_zone, midnight).first() {
            Some(first) => *first,
            None => skipped_by(time_zone, midnight),
        }
    }

    fn clock(unit: CalendarUnit, time_zone: &TimeZone, time_ms: i64) -> i64 {
        let time = local(time_zone, time_ms);
        let start = match unit {
            CalendarUnit::Second => time.with().subsec_nanosecond(0),
            CalendarUnit::Minute => time.with().second(0).subsec_nanosecond(0),
            _ => time.with().minute(0).second(0).subsec_nanosecond(0),
        };
        let start = start.build().expect("a time");
        let changed = change(time_zone, time_ms).unwrap_or(i64::MIN);
        let latest = instants(time_zone, start)
            .into_iter()
            .rfind(|at| *at <= time_ms);
        match latest {
            Some(at) if at >= changed => at,
            _ => clock(unit, time_zone, changed - 1),
        }
    }

    fn fixed(width_ms: i64, time_zone: &TimeZone, time_ms: i64) -> i64 {
        let utc = |time: DateTime| {
            let zoned = time.to_zoned(TimeZone::UTC).expect("in range");
            zoned.timestamp().as_millisecond()
        };
        let local_ms = utc(local(time_zone, time_ms));
        let floor_ms = local_ms.div_euclid(width_ms) * width_ms;
        let floor = local(&TimeZone::UTC, floor_ms);
        let found = instants(time_zone, floor);
        if found.is_empty() {
            return skipped_by(time_zone, floor);
        }
        let changed = change(time_zone, time_ms).unwrap_or(i64::MIN);
        match found.into_iter().rfind(|at| *at <= time_ms) {
            Some(at) if at >= changed => at,
            _ => fixed(width_ms, time_zone, changed - 1),
        }
    }
}

const ZONES: [&str; 14] = [
    "UTC",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/New_York",
    "Pacific/Apia",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "Europe/Dublin",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_instant_rounds_as_the_calendar_says(
        zone_index in 0..ZONES.len(),
        interval in proptest::sample::select(intervals()),
        year_ms in -3_000_000_000_000_i64..4_000_000_000_000,
        near_change in any::<bool>(),
        distance_ms in -5 * HOUR_MS..5 * HOUR_MS,
    ) {
        let time_zone = zone(ZONES[zone_index]);
        let mut time_ms = year_ms;
        if near_change {
            let from = Timestamp::from_millisecond(year_ms).expect("in range");
            if let Some(transition) = time_zone.following(from).next() {
                time_ms = transition.timestamp().as_millisecond() + distance_ms;
            }
        }
        let rounding = Rounding::new(interval, &time_zone, 0, time_ms, time_ms);
        let run = rounding.run(time_ms);
        let expected = oracle::round(interval, &time_zone, time_ms);
        let context = (show(time_ms, &time_zone), show(expected, &time_zone));
        prop_assert_eq!(run.key_ms, expected, "{:?}", context);
        prop_assert!(run.contains(time_ms));
        prop_assert_eq!(oracle::round(interval, &time_zone, run.start_ms), expected);
        prop_assert_eq!(oracle::round(interval, &time_zone, run.end_ms - 1), expected);
        // The range that a rounding was made for does not show.
        let (first_ms, last_ms) = (time_ms - 400 * DAY_MS, time_ms + 400 * DAY_MS);
        let wide = Rounding::new(interval, &time_zone, 0, first_ms, last_ms);
        prop_assert_eq!(wide.run(time_ms), run);
        // Gap filling: the next key is a key, and no bucket lies between.
        let next_ms = rounding.next(run.key_ms).expect("time goes on");
        prop_assert!(next_ms > run.key_ms);
        prop_assert_eq!(oracle::round(interval, &time_zone, next_ms), next_ms);
        prop_assert!(oracle::round(interval, &time_zone, next_ms - 1) <= run.key_ms);
    }
}
