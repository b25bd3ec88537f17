//! Which files of a log expire.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use super::*;

/// Files of 100 bytes and ten records each, with these latest times.
fn first(latest_ms: &[i64], config: &[(&str, &str)]) -> Option<u64> {
    let files: Vec<FileFigures> = latest_ms
        .iter()
        .zip(1..)
        .map(|(latest_ms, number)| FileFigures {
            end: Offset(number * 10),
            bytes: 100,
            latest_ms: Some(*latest_ms),
        })
        .collect();
    let config = config
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    let rules = LogRules::of(&config.collect());
    first_kept(&files, &rules, 1_000).map(|offset| offset.0)
}

#[test]
fn files_expire_by_time_from_the_oldest_on() {
    let keep = [("retention.ms", "100")];
    assert_eq!(first(&[800, 850, 950], &keep), Some(20));
    assert_eq!(first(&[950, 800], &keep), None);
    assert_eq!(first(&[800, 899], &keep), Some(20));
    assert_eq!(first(&[800, 850], &[("retention.ms", "-1")]), None);
    assert_eq!(first(&[], &keep), None);
}

#[test]
fn files_expire_by_size_but_never_the_last_one() {
    let keep = |bytes| [("retention.ms", "-1"), ("retention.bytes", bytes)];
    assert_eq!(first(&[0, 0, 0], &keep("200")), Some(10));
    assert_eq!(first(&[0, 0, 0], &keep("201")), None);
    assert_eq!(first(&[0, 0, 0], &keep("0")), Some(20));
    assert_eq!(first(&[0, 0, 0], &keep("-1")), None);
}
