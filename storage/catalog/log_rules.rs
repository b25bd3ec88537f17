//! What a topic's configuration says about its log: the words are Kafka's, and so are the defaults.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Topic;
use crate::log::{CompactionRules, LogRolls};

/// What a topic's configuration says about its log. Texts that are no numbers count as absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRules {
    /// When the log begins another file.
    pub rolls: LogRolls,
    /// Whether old records are deleted.
    pub deletes: bool,
    /// How old records may become; `None` is for ever.
    pub retention_ms: Option<i64>,
    /// How many bytes a partition's log may take; `None` is any number.
    pub retention_bytes: Option<u64>,
    /// Whether records go that have a later one with their key.
    pub compacts: bool,
    /// How.
    pub compaction: CompactionRules,
}

impl LogRules {
    /// The rules of a topic with this configuration.
    #[must_use]
    pub fn of(config: &BTreeMap<String, String>) -> Self {
        let policy = config
            .get("cleanup.policy")
            .map_or("delete", String::as_str);
        let has = |wanted: &str| policy.split(',').any(|policy| policy.trim() == wanted);
        Self {
            rolls: LogRolls {
                file_bytes: number(config, "segment.bytes", 1 << 30),
                file_ms: number(config, "segment.ms", 604_800_000),
            },
            deletes: has("delete"),
            retention_ms: Some(number(config, "retention.ms", 604_800_000)).filter(|ms| *ms >= 0),
            retention_bytes: u64::try_from(number::<i64>(config, "retention.bytes", -1)).ok(),
            compacts: has("compact"),
            compaction: CompactionRules {
                dirty_ratio_min: number(config, "min.cleanable.dirty.ratio", 0.5),
                lag_ms_min: number(config, "min.compaction.lag.ms", 0),
                lag_ms_max: number(config, "max.compaction.lag.ms", i64::MAX),
                tombstones_ms: number(config, "delete.retention.ms", 86_400_000),
            },
        }
    }
}

impl Topic {
    /// What its configuration says about its log.
    #[must_use]
    pub fn log_rules(&self) -> LogRules {
        LogRules::of(&self.config)
    }
}

fn number<N: FromStr>(config: &BTreeMap<String, String>, name: &str, default: N) -> N {
    let own = config.get(name).and_then(|text| text.trim().parse().ok());
    own.unwrap_or(default)
}
