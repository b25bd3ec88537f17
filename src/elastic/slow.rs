//! When a search or a write is slow enough to be told: the thresholds of an index.

use std::collections::BTreeMap;

use serde_json::Value;

use super::keep_alive_ms;

/// What may be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowWork {
    /// A search.
    Search,
    /// Writes of documents, all of a request together.
    Write,
}

/// How loudly it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowLevel {
    /// `warn`
    Warn,
    /// `info`
    Info,
    /// `debug`
    Debug,
    /// `trace`
    Trace,
}

/// The levels, the loudest first.
const LEVELS: [(SlowLevel, &str); 4] = [
    (SlowLevel::Warn, "warn"),
    (SlowLevel::Info, "info"),
    (SlowLevel::Debug, "debug"),
    (SlowLevel::Trace, "trace"),
];

/// The loudest level whose threshold in `settings` was reached. A threshold below 0, or none, is
/// never reached.
#[must_use]
pub fn slow_level(
    settings: &BTreeMap<String, Value>,
    work: SlowWork,
    took_ms: u64,
) -> Option<SlowLevel> {
    let prefix = match work {
        SlowWork::Search => "index.search.slowlog.threshold.query.",
        SlowWork::Write => "index.indexing.slowlog.threshold.index.",
    };
    // Most indices have none.
    let (first, _) = settings.range(prefix.to_owned()..).next()?;
    if !first.starts_with(prefix) {
        return None;
    }
    let reached = |name: &str| {
        let threshold = settings.get(&format!("{prefix}{name}"))?.as_str()?;
        let threshold_ms = keep_alive_ms(threshold).ok()?;
        let threshold_ms = u64::try_from(threshold_ms).ok()?;
        Some(took_ms >= threshold_ms)
    };
    let mut levels = LEVELS.iter();
    let found = levels.find(|(_, name)| reached(name) == Some(true));
    found.map(|(level, _)| *level)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(settings: &[(&str, &str)], took_ms: u64, expected: Option<SlowLevel>) {
        let settings = settings.iter().map(|(name, threshold)| {
            let name = format!("index.search.slowlog.threshold.query.{name}");
            (name, json!(threshold))
        });
        let settings: BTreeMap<String, Value> = settings.collect();
        let found = slow_level(&settings, SlowWork::Search, took_ms);
        assert_eq!(found, expected, "{settings:?} at {took_ms}");
        assert_eq!(slow_level(&settings, SlowWork::Write, took_ms), None);
    }

    #[test]
    fn the_loudest_threshold_that_was_reached_counts() {
        let both = [("warn", "2s"), ("info", "500ms")];
        check(&both, 499, None);
        check(&both, 500, Some(SlowLevel::Info));
        check(&both, 2000, Some(SlowLevel::Warn));
        check(&[("trace", "0ms")], 0, Some(SlowLevel::Trace));
        check(&[("warn", "-1")], 1_000_000, None);
        check(&[], 1_000_000, None);
    }
}
