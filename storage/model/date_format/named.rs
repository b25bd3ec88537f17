//! The formats that have a name.

use super::pattern::{Dialect, Item, compile};

/// Name without `strict_`, and its pattern. See [`Dialect::Named`] for `f`, `o` and `b`.
const NAMED: &[(&str, &str)] = &[
    ("basic_date", "yyyyMMdd"),
    ("basic_date_time", "yyyyMMdd'T'HHmmss.fb"),
    ("basic_date_time_no_millis", "yyyyMMdd'T'HHmmssb"),
    ("basic_ordinal_date", "yyyyDDD"),
    ("basic_ordinal_date_time", "yyyyDDD'T'HHmmss.fb"),
    ("basic_ordinal_date_time_no_millis", "yyyyDDD'T'HHmmssb"),
    ("basic_time", "HHmmss.fb"),
    ("basic_time_no_millis", "HHmmssb"),
    ("basic_t_time", "'T'HHmmss.fb"),
    ("basic_t_time_no_millis", "'T'HHmmssb"),
    ("basic_week_date", "YYYY'W'wwe"),
    ("basic_week_date_time", "YYYY'W'wwe'T'HHmmss.fb"),
    ("basic_week_date_time_no_millis", "YYYY'W'wwe'T'HHmmssb"),
    ("date", "yyyy-MM-dd"),
    ("date_hour", "yyyy-MM-dd'T'HH"),
    ("date_hour_minute", "yyyy-MM-dd'T'HH:mm"),
    ("date_hour_minute_second", "yyyy-MM-dd'T'HH:mm:ss"),
    (
        "date_hour_minute_second_fraction",
        "yyyy-MM-dd'T'HH:mm:ss.f",
    ),
    ("date_hour_minute_second_millis", "yyyy-MM-dd'T'HH:mm:ss.f"),
    (
        "date_optional_time",
        "yyyy[-MM[-dd]]['T'[HH[:mm[:ss[.f][,f]]]][o][VV]]",
    ),
    ("date_time", "yyyy-MM-dd'T'HH:mm:ss.fo"),
    ("date_time_no_millis", "yyyy-MM-dd'T'HH:mm:sso"),
    ("hour", "HH"),
    ("hour_minute", "HH:mm"),
    ("hour_minute_second", "HH:mm:ss"),
    ("hour_minute_second_fraction", "HH:mm:ss.f"),
    ("hour_minute_second_millis", "HH:mm:ss.f"),
    ("ordinal_date", "yyyy-DDD"),
    ("ordinal_date_time", "yyyy-DDD'T'HH:mm:ss.fo"),
    ("ordinal_date_time_no_millis", "yyyy-DDD'T'HH:mm:sso"),
    ("time", "HH:mm:ss.fo"),
    ("time_no_millis", "HH:mm:sso"),
    ("t_time", "'T'HH:mm:ss.fo"),
    ("t_time_no_millis", "'T'HH:mm:sso"),
    ("week_date", "YYYY-'W'ww-e"),
    ("week_date_time", "YYYY-'W'ww-e'T'HH:mm:ss.fo"),
    ("week_date_time_no_millis", "YYYY-'W'ww-e'T'HH:mm:sso"),
    ("weekyear", "YYYY"),
    ("weekyear_week", "YYYY-'W'ww"),
    ("weekyear_week_day", "YYYY-'W'ww-e"),
    ("week_year", "YYYY"),
    ("year", "yyyy"),
    ("year_month", "yyyy-MM"),
    ("year_month_day", "yyyy-MM-dd"),
];

/// The items of the format called `name`, if there is one.
pub(super) fn items(name: &str) -> Option<Vec<Item>> {
    let (plain, strict) = match name.strip_prefix("strict_") {
        Some(plain) => (plain, true),
        None => (name, name.starts_with("basic_")),
    };
    let (_, pattern) = NAMED.iter().find(|(known, _)| *known == plain)?;
    let dialect = if strict {
        Dialect::Named
    } else {
        Dialect::NamedLenient
    };
    Some(compile(pattern, dialect).expect("the table's patterns are valid"))
}

/// All names of the table, for its test.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}
