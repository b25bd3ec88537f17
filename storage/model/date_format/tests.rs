//! Tables of texts and instants.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::civil::Date;
use super::pattern::{Dialect, compile};
use super::{DATE_FORMAT_DEFAULT, DateError, DateFormat, DateUnit, named};

const DEFAULT: &str = DATE_FORMAT_DEFAULT;

fn zone(name: &str) -> TimeZone {
    match name {
        "" => TimeZone::UTC,
        _ => TimeZoneDatabase::bundled().get(name).unwrap(),
    }
}

fn iso(ms: i64, nanos: u32) -> String {
    let format = DateFormat::parse("strict_date_optional_time").unwrap();
    format.print_nanos(ms * 1_000_000 + i64::from(nanos), &TimeZone::UTC)
}

/// `expected` is the first and the last instant that `text` names, or "error".
#[track_caller]
fn check_read(format: &str, text: &str, zone_name: &str, expected: &str) {
    let format = DateFormat::parse(format).unwrap();
    let zone = zone(zone_name);
    let actual = match (format.read(text, &zone), format.read_last(text, &zone)) {
        (Ok(first), Ok(last)) => {
            format!(
                "{} {}",
                iso(first.ms, first.nanos),
                iso(last.ms, last.nanos)
            )
        }
        (Err(_), Err(_)) => "error".into(),
        mixed => panic!("only one end can be read: {mixed:?}"),
    };
    assert_eq!(actual, expected, "{text} with {}", format.as_str());
}

#[track_caller]
fn check_print(format: &str, ms: i64, zone_name: &str, expected: &str) {
    assert_eq!(
        DateFormat::parse(format)
            .unwrap()
            .print(ms, &zone(zone_name)),
        expected
    );
}

/// A text, and the first and the last instant that it names.
const ENDS: &[(&str, &str)] = &[
    (
        "2024",
        "2024-01-01T00:00:00.000Z 2024-01-01T23:59:59.999999999Z",
    ),
    (
        "2024-02",
        "2024-02-01T00:00:00.000Z 2024-02-01T23:59:59.999999999Z",
    ),
    (
        "2024-03-05",
        "2024-03-05T00:00:00.000Z 2024-03-05T23:59:59.999999999Z",
    ),
    (
        "2024-03-05T",
        "2024-03-05T00:00:00.000Z 2024-03-05T23:59:59.999999999Z",
    ),
    (
        "2024-03-05T10",
        "2024-03-05T10:00:00.000Z 2024-03-05T10:59:59.999999999Z",
    ),
    (
        "2024-03-05T10:20",
        "2024-03-05T10:20:00.000Z 2024-03-05T10:20:59.999999999Z",
    ),
    (
        "2024-03-05T10:20:30",
        "2024-03-05T10:20:30.000Z 2024-03-05T10:20:30.999999999Z",
    ),
    (
        "2024-03-05T10:20:30.1",
        "2024-03-05T10:20:30.100Z 2024-03-05T10:20:30.100999999Z",
    ),
    (
        "2024-03-05T10:20:30,123",
        "2024-03-05T10:20:30.123Z 2024-03-05T10:20:30.123999999Z",
    ),
    (
        "2024-03-05T10:20:30.123456789Z",
        "2024-03-05T10:20:30.123456789Z 2024-03-05T10:20:30.123456789Z",
    ),
    (
        "2024-03-05T10:20+01:00",
        "2024-03-05T09:20:00.000Z 2024-03-05T09:20:59.999999999Z",
    ),
    (
        "2024-03-05T10-0130",
        "2024-03-05T11:30:00.000Z 2024-03-05T12:29:59.999999999Z",
    ),
    (
        "2024-03-05T10:20Europe/Paris",
        "2024-03-05T09:20:00.000Z 2024-03-05T09:20:59.999999999Z",
    ),
    (
        "1231731025000",
        "2009-01-12T03:30:25.000Z 2009-01-12T03:30:25.000999999Z",
    ),
    (
        "-1",
        "1969-12-31T23:59:59.999Z 1969-12-31T23:59:59.999999999Z",
    ),
    (
        "-12345",
        "1969-12-31T23:59:47.655Z 1969-12-31T23:59:47.655999999Z",
    ),
    (
        "1540815132123.456789",
        "2018-10-29T12:12:12.123456789Z 2018-10-29T12:12:12.123456789Z",
    ),
    (
        "-1.5",
        "1969-12-31T23:59:59.9985Z 1969-12-31T23:59:59.9985Z",
    ),
    ("99999999999999999999", "error"),
    ("2024-13", "error"),
    ("2023-02-29", "error"),
    ("2024-3-05", "error"),
    ("2024-03-05 10:20", "error"),
    ("2024-03-05T24:00", "error"),
    ("2024-03-05T10:60", "error"),
    ("2024-03-05T10:20:30.", "error"),
    ("2024-03-05TZ", "error"),
    ("2024-03-05T10:20Mars/Base", "error"),
    ("2024-03-05T10:20:30.1234567890", "error"),
    ("", "error"),
    ("1.", "error"),
    ("--1", "error"),
    ("2024-03-05T10:20+19:00", "error"),
];

#[test]
fn missing_units_are_filled_to_either_end() {
    for (text, expected) in ENDS {
        check_read(DEFAULT, text, "", expected);
    }
}

#[test]
fn local_time_is_read_in_the_zone() {
    for (text, expected) in [
        (
            "2015-01-01",
            "2014-12-31T23:00:00.000Z 2015-01-01T22:59:59.999999999Z",
        ),
        // The day that clocks go forward has 23 hours.
        (
            "2015-03-29",
            "2015-03-28T23:00:00.000Z 2015-03-29T21:59:59.999999999Z",
        ),
        (
            "2015-03-29T02:30",
            "2015-03-29T01:30:00.000Z 2015-03-29T01:30:59.999999999Z",
        ),
        (
            "2015-10-25T02:30",
            "2015-10-25T00:30:00.000Z 2015-10-25T00:30:59.999999999Z",
        ),
        (
            "2015-01-01T00:00Z",
            "2015-01-01T00:00:00.000Z 2015-01-01T00:00:59.999999999Z",
        ),
    ] {
        check_read(DEFAULT, text, "Europe/Paris", expected);
    }
}

/// The format, a text, and the instant that it names.
const READ: &[(&str, &str, &str)] = &[
    ("epoch_second", "1503534323", "2017-08-24T00:25:23.000Z"),
    ("epoch_second", "1503534323.25", "2017-08-24T00:25:23.250Z"),
    ("epoch_second", "-1", "1969-12-31T23:59:59.000Z"),
    ("basic_date", "20240305", "2024-03-05T00:00:00.000Z"),
    (
        "basic_date_time",
        "20240305T102030.5+0100",
        "2024-03-05T09:20:30.500Z",
    ),
    ("basic_ordinal_date", "2024060", "2024-02-29T00:00:00.000Z"),
    ("strict_date", "2024-03-05", "2024-03-05T00:00:00.000Z"),
    ("strict_date", "2024-3-5", "error"),
    ("date", "2024-3-5", "2024-03-05T00:00:00.000Z"),
    (
        "date_optional_time",
        "2024-3-5T1:2",
        "2024-03-05T01:02:00.000Z",
    ),
    (
        "date_optional_time",
        "2024-3-5T1:2:3.4Z",
        "2024-03-05T01:02:03.400Z",
    ),
    (
        "strict_date_time",
        "2024-03-05T10:20:30.5Z",
        "2024-03-05T10:20:30.500Z",
    ),
    ("strict_date_time", "2024-03-05T10:20:30Z", "error"),
    (
        "strict_date_time_no_millis",
        "2024-03-05T10:20:30+02:00",
        "2024-03-05T08:20:30.000Z",
    ),
    (
        "date_hour_minute_second",
        "2024-03-05T10:20:30",
        "2024-03-05T10:20:30.000Z",
    ),
    ("week_date", "2020-W53-7", "2021-01-03T00:00:00.000Z"),
    ("week_date", "2021-W53-7", "error"),
    ("weekyear_week", "2024-W01", "2024-01-01T00:00:00.000Z"),
    (
        "yyyy-MM-dd HH:mm:ss",
        "2024-01-02 03:04:05",
        "2024-01-02T03:04:05.000Z",
    ),
    (
        "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
        "2024/01/02",
        "2024-01-02T00:00:00.000Z",
    ),
    (
        "yyyyMMddHHmmssSSS",
        "20240102030405678",
        "2024-01-02T03:04:05.678Z",
    ),
    (
        "dd/MMM/yyyy:HH:mm:ss Z",
        "10/Oct/2000:13:55:36 -0700",
        "2000-10-10T20:55:36.000Z",
    ),
    (
        "EEE, d MMM uuuu h:mm a",
        "Sat, 9 Mar 2024 1:05 PM",
        "2024-03-09T13:05:00.000Z",
    ),
    ("EEE, d MMM uuuu h:mm a", "Sun, 9 Mar 2024 1:05 PM", "error"),
    ("MMMM d, yy", "December 7, 23", "2023-12-07T00:00:00.000Z"),
    ("yyyy[-MM[-dd]]", "2024-02", "2024-02-01T00:00:00.000Z"),
    ("yyyy-'W'ww'", "", "format"),
    ("yyyy-DDD", "2024-366", "2024-12-31T00:00:00.000Z"),
    (
        "yyyy-MM-dd'T'HH:mm:ss\u{58}XX",
        "2024-01-01T00:00:00-05:00",
        "2024-01-01T05:00:00.000Z",
    ),
    (
        "yyyy-MM-dd HH:mm VV",
        "2024-07-01 12:00 America/New_York",
        "2024-07-01T16:00:00.000Z",
    ),
    ("uuuu-MM-dd kk", "2024-07-01 24", "2024-07-01T00:00:00.000Z"),
    (
        "yyyy 'o''clock' HH",
        "2024 o'clock 07",
        "2024-01-01T07:00:00.000Z",
    ),
    ("yyyy-bb", "", "format"),
    ("yyyy]", "", "format"),
    ("", "", "format"),
    ("yyyy||", "", "format"),
    ("yyyy#", "", "format"),
];

#[test]
fn patterns_and_names_are_read() {
    for (format, text, expected) in READ {
        let actual = match DateFormat::parse(format) {
            Ok(format) => match format.read(text, &TimeZone::UTC) {
                Ok(reading) => iso(reading.ms, reading.nanos),
                Err(_) => "error".into(),
            },
            Err(_) => "format".into(),
        };
        assert_eq!(actual, *expected, "{text} with {format}");
    }
}

#[test]
fn instants_are_printed_as_elasticsearch_prints() {
    let summer = 1_503_534_323_045;
    for (format, zone_name, expected) in [
        (DEFAULT, "", "2017-08-24T00:25:23.045Z"),
        (DEFAULT, "Europe/Paris", "2017-08-24T02:25:23.045+02:00"),
        (DEFAULT, "Asia/Kathmandu", "2017-08-24T06:10:23.045+05:45"),
        ("date_optional_time", "", "2017-08-24T00:25:23.045Z"),
        ("epoch_millis", "Europe/Paris", "1503534323045"),
        ("epoch_second", "", "1503534323.045"),
        ("basic_date", "", "20170824"),
        (
            "basic_date_time",
            "Europe/Paris",
            "20170824T022523.045+0200",
        ),
        ("strict_date", "America/New_York", "2017-08-23"),
        ("strict_date_time_no_millis", "", "2017-08-24T00:25:23Z"),
        ("date_hour_minute_second", "", "2017-08-24T00:25:23"),
        ("week_date", "", "2017-W34-4"),
        ("yyyy-MM-dd HH:mm:ss", "", "2017-08-24 00:25:23"),
        (
            "EEEE d MMMM y, K:mm a",
            "",
            "Thursday 24 August 2017, 0:25 AM",
        ),
        ("h h k e E D w W Q Y", "", "12 12 24 4 Thu 236 34 4 3 2017"),
        ("Z X \u{58}XX x xxx", "", "+0000 Z Z +00 +00:00"),
        (
            "Z X \u{58}XX ZZZZ",
            "Asia/Kathmandu",
            "+0545 +0545 +05:45 GMT+05:45",
        ),
        ("VV z", "Europe/Paris", "Europe/Paris CEST"),
        ("yy.SS", "", "17.04"),
        ("yyyy[-MM]", "", "2017-08"),
    ] {
        check_print(format, summer, zone_name, expected);
    }
    check_print(DEFAULT, 1_451_606_400_000, "", "2016-01-01T00:00:00.000Z");
    check_print(
        DEFAULT,
        1_420_070_400_000,
        "Europe/Paris",
        "2015-01-01T01:00:00.000+01:00",
    );
    check_print(
        DEFAULT,
        -62_198_755_200_000,
        "",
        "-0001-01-01T00:00:00.000Z",
    );
    check_print(
        DEFAULT,
        253_402_300_800_000,
        "",
        "+10000-01-01T00:00:00.000Z",
    );
    check_print(DEFAULT, i64::MAX, "", "+292278994-08-17T07:12:55.807Z");
}

#[test]
fn nanoseconds_are_printed() {
    for (format, expected) in [
        (DEFAULT, "2018-10-29T12:12:12.123456789Z"),
        (
            "strict_date_optional_time_nanos",
            "2018-10-29T12:12:12.123456789Z",
        ),
        ("epoch_millis", "1540815132123.456789"),
        ("epoch_second", "1540815132.123456789"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "2018-10-29T12:12:12.123456"),
    ] {
        let format = DateFormat::parse(format).unwrap();
        assert_eq!(
            format.print_nanos(1_540_815_132_123_456_789, &TimeZone::UTC),
            expected
        );
    }
    let epoch = DateFormat::parse("epoch_millis").unwrap();
    assert_eq!(epoch.print_nanos(-1_500_000, &TimeZone::UTC), "-1.5");
}

#[test]
fn the_finest_unit_is_told() {
    for (text, unit) in [
        ("2024", DateUnit::Year),
        ("2024-03", DateUnit::Month),
        ("2024-03-05", DateUnit::Day),
        ("2024-03-05T10:20:30.123456", DateUnit::Nanosecond),
        ("1540815132123", DateUnit::Millisecond),
    ] {
        let format = DateFormat::default();
        assert_eq!(format.read(text, &TimeZone::UTC).unwrap().unit, unit);
    }
}

#[test]
fn errors_say_what_was_tried() {
    let error = DateFormat::parse("yyyy-bb").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid format: [yyyy-bb]: Unknown pattern letter: b"
    );
    let error = DateFormat::default()
        .read("soon", &TimeZone::UTC)
        .unwrap_err();
    let expected = format!("failed to parse date field [soon] with format [{DEFAULT}]");
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, DateError::Text { .. }));
}

#[test]
fn every_name_reads_what_it_prints() {
    for plain in named::names() {
        for name in [plain.to_string(), format!("strict_{plain}")] {
            let format = DateFormat::parse(&name).unwrap();
            let printed = format.print(1_503_534_323_045, &TimeZone::UTC);
            let read = format.read(&printed, &TimeZone::UTC).unwrap();
            assert_eq!(format.print(read.ms, &TimeZone::UTC), printed, "{name}");
        }
    }
}

proptest! {
    #[test]
    fn any_instant_reads_back(ms in any::<i64>()) {
        // Years of more than nine digits do not exist in 64 bits of milliseconds.
        let format = DateFormat::default();
        let printed = format.print(ms, &TimeZone::UTC);
        prop_assert_eq!(format.read(&printed, &TimeZone::UTC).unwrap().ms, ms);
    }

    #[test]
    fn any_day_has_its_number(days in -200_000_000i64..200_000_000) {
        let date = Date::from_epoch_days(days);
        prop_assert!(date.is_valid());
        prop_assert_eq!(date.epoch_days(), days);
    }

    #[test]
    fn no_text_panics(pattern in "[yMdHmsSZXxzVaeEDwYQ'\\[\\]:\\-. 0-9é]{0,20}", text in ".{0,24}") {
        let _ = compile(&pattern, Dialect::Java);
        if let Ok(format) = DateFormat::parse(&pattern) {
            let _ = format.read(&text, &TimeZone::UTC);
            let _ = format.read_last(&format.print(0, &TimeZone::UTC), &TimeZone::UTC);
        }
        let _ = DateFormat::default().read_last(&text, &TimeZone::UTC);
    }
}
