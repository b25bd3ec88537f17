//! The topic configs that Kafka has: their defaults, types and what their values may be.

use std::collections::BTreeMap;
use std::str::FromStr;

use storage::log::Codec;

use super::refusal::Refusal;
use crate::wire::KafkaError;

/// A config's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigKind {
    Boolean,
    Text,
    Int,
    Long,
    Double,
    List,
}

impl ConfigKind {
    /// Its number in DescribeConfigs.
    pub(super) fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text => 2,
            Self::Int => 3,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
        }
    }

    /// Its name in Kafka's messages.
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
        }
    }
}

/// What a value may be, beyond its type.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    OneOf(&'static [&'static str]),
}

/// One topic config.
#[derive(Debug)]
pub(super) struct TopicConfig {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) kind: ConfigKind,
    /// The broker's config that the default comes from; empty when there is none.
    pub(super) synonym: &'static str,
    rule: Rule,
}

const fn config(
    name: &'static str,
    default: &'static str,
    kind: ConfigKind,
    synonym: &'static str,
    rule: Rule,
) -> TopicConfig {
    TopicConfig {
        name,
        default,
        kind,
        synonym,
        rule,
    }
}

const LONG_MAX: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

use ConfigKind::{Boolean, Double, Int, List, Long, Text};
use Rule::{Any, AtLeast, Between, OneOf};

/// Every topic config, sorted by name.
#[rustfmt::skip]
pub(super) static TOPIC_CONFIGS: &[TopicConfig] = &[
    config("cleanup.policy", "delete", List, "log.cleanup.policy", OneOf(&["compact", "delete"])),
    config("compression.gzip.level", "-1", Int, "compression.gzip.level", Between(-1, 9)),
    config("compression.lz4.level", "9", Int, "compression.lz4.level", Between(1, 17)),
    config("compression.type", "producer", Text, "compression.type", OneOf(CODECS)),
    config("compression.zstd.level", "3", Int, "compression.zstd.level", Between(-131_072, 22)),
    config("delete.retention.ms", "86400000", Long, "log.cleaner.delete.retention.ms", AtLeast(0)),
    config("file.delete.delay.ms", "60000", Long, "log.segment.delete.delay.ms", AtLeast(0)),
    config("flush.messages", LONG_MAX, Long, "log.flush.interval.messages", AtLeast(1)),
    config("flush.ms", LONG_MAX, Long, "", AtLeast(0)),
    config("follower.replication.throttled.replicas", "", List, "", Any),
    config("index.interval.bytes", "4096", Int, "log.index.interval.bytes", AtLeast(0)),
    config("leader.replication.throttled.replicas", "", List, "", Any),
    config("local.retention.bytes", "-2", Long, "log.local.retention.bytes", AtLeast(-2)),
    config("local.retention.ms", "-2", Long, "log.local.retention.ms", AtLeast(-2)),
    config("max.compaction.lag.ms", LONG_MAX, Long, "log.cleaner.max.compaction.lag.ms", AtLeast(1)),
    config("max.message.bytes", "1048588", Int, "message.max.bytes", AtLeast(0)),
    config("message.timestamp.after.max.ms", "3600000", Long, "log.message.timestamp.after.max.ms", AtLeast(0)),
    config("message.timestamp.before.max.ms", LONG_MAX, Long, "log.message.timestamp.before.max.ms", AtLeast(0)),
    config("message.timestamp.type", "CreateTime", Text, "log.message.timestamp.type", OneOf(&["CreateTime", "LogAppendTime"])),
    config("min.cleanable.dirty.ratio", "0.5", Double, "log.cleaner.min.cleanable.ratio", Between(0, 1)),
    config("min.compaction.lag.ms", "0", Long, "log.cleaner.min.compaction.lag.ms", AtLeast(0)),
    config("min.insync.replicas", "1", Int, "min.insync.replicas", AtLeast(1)),
    config("preallocate", "false", Boolean, "log.preallocate", Any),
    config("remote.log.copy.disable", "false", Boolean, "", Any),
    config("remote.log.delete.on.disable", "false", Boolean, "", Any),
    config("remote.storage.enable", "false", Boolean, "", Any),
    config("retention.bytes", "-1", Long, "log.retention.bytes", Any),
    config("retention.ms", "604800000", Long, "", AtLeast(-1)),
    config("segment.bytes", "1073741824", Int, "log.segment.bytes", AtLeast(1 << 20)),
    config("segment.index.bytes", "10485760", Int, "log.index.size.max.bytes", AtLeast(4)),
    config("segment.jitter.ms", "0", Long, "", AtLeast(0)),
    config("segment.ms", "604800000", Long, "", AtLeast(1)),
    config("unclean.leader.election.enable", "false", Boolean, "unclean.leader.election.enable", Any),
];

/// What is obeyed, sorted by name. The others are shown as read-only.
const OBEYED: &[&str] = &[
    "cleanup.policy",
    "compression.type",
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
];

/// Whether the broker does what the config `name` says. With one copy of everything,
/// `min.insync.replicas` has nothing to say.
pub(super) fn is_obeyed(name: &str) -> bool {
    OBEYED.binary_search(&name).is_ok()
}

/// The config with this name.
pub(super) fn named(name: &str) -> Option<&'static TopicConfig> {
    TOPIC_CONFIGS.iter().find(|config| config.name == name)
}

/// Checks a value for the config `name` of a topic; returns it as it is kept.
pub(super) fn check(name: &str, value: &str) -> Result<String, Refusal> {
    let Some(config) = named(name) else {
        return Err(refused(format!("Unknown topic config name: {name}")));
    };
    let value = value.trim();
    if let Err(reason) = config.accepts(value) {
        let text = format!("Invalid value {value} for configuration {name}: {reason}");
        return Err(refused(text));
    }
    if name == "remote.storage.enable" && value.eq_ignore_ascii_case("true") {
        return Err(refused(
            "Tiered Storage functionality is disabled in the broker. \
             Topic cannot be configured with remote log storage.",
        ));
    }
    Ok(value.to_owned())
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::new(KafkaError::InvalidConfig, message)
}

impl TopicConfig {
    fn accepts(&self, value: &str) -> Result<(), String> {
        let not_a_number = || format!("Not a number of type {}", self.kind.name());
        match self.kind {
            Boolean if !is_boolean(value) => {
                Err("Expected value to be either true or false".to_owned())
            }
            Int => {
                let number: i32 = value.parse().map_err(|_| not_a_number())?;
                self.rule.accepts_long(i64::from(number))
            }
            Long => {
                let number: i64 = value.parse().map_err(|_| not_a_number())?;
                self.rule.accepts_long(number)
            }
            Double => {
                let number: f64 = value.parse().map_err(|_| not_a_number())?;
                self.rule.accepts_double(number)
            }
            List => value
                .split(',')
                .try_for_each(|part| self.rule.accepts_text(part.trim())),
            Text => self.rule.accepts_text(value),
            Boolean => Ok(()),
        }
    }
}

fn is_boolean(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
}

impl Rule {
    fn accepts_long(self, value: i64) -> Result<(), String> {
        match self {
            AtLeast(min) | Between(min, _) if value < min => {
                Err(format!("Value must be at least {min}"))
            }
            Between(_, max) if value > max => Err(format!("Value must be no more than {max}")),
            Any | AtLeast(_) | Between(..) | OneOf(_) => Ok(()),
        }
    }

    fn accepts_double(self, value: f64) -> Result<(), String> {
        if value.is_nan() {
            return Err("Not a number of type DOUBLE".to_owned());
        }
        // Rounding up below a bound and down above it leaves the comparison with whole bounds.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and stays out of bounds"
        )]
        let whole = if value < 0.0 {
            value.floor()
        } else {
            value.ceil()
        } as i64;
        self.accepts_long(whole)
    }

    fn accepts_text(self, value: &str) -> Result<(), String> {
        match self {
            OneOf(words) if !words.contains(&value) => {
                Err(format!("String must be one of: {}", words.join(", ")))
            }
            Any | AtLeast(_) | Between(..) | OneOf(_) => Ok(()),
        }
    }
}

/// What a topic's config says about batches that come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AppendRules {
    /// Largest batch.
    pub(super) batch_bytes_max: usize,
    /// Largest batch that a file of the log could hold.
    pub(super) file_bytes_max: usize,
    /// How far a record's time may lie before now.
    pub(super) before_ms_max: i64,
    /// How far a record's time may lie after now.
    pub(super) after_ms_max: i64,
    /// Whether old records are deleted, not only replaced.
    pub(super) deletes: bool,
    /// Whether records are found by key, so that each must have one.
    pub(super) compacted: bool,
    /// Whether the append gives batches their time.
    pub(super) log_append_time: bool,
    /// How batches are compressed; `None` leaves that to their producers.
    pub(super) codec: Option<Codec>,
}

impl AppendRules {
    pub(super) fn of(config: &BTreeMap<String, String>) -> Self {
        Self {
            batch_bytes_max: number(config, "max.message.bytes"),
            file_bytes_max: number(config, "segment.bytes"),
            before_ms_max: number(config, "message.timestamp.before.max.ms"),
            after_ms_max: number(config, "message.timestamp.after.max.ms"),
            deletes: has_policy(config, "delete"),
            compacted: has_policy(config, "compact"),
            log_append_time: value(config, "message.timestamp.type") == "LogAppendTime",
            codec: match value(config, "compression.type") {
                "uncompressed" => Some(Codec::None),
                "gzip" => Some(Codec::Gzip),
                "snappy" => Some(Codec::Snappy),
                "lz4" => Some(Codec::Lz4),
                "zstd" => Some(Codec::Zstd),
                _ => None,
            },
        }
    }
}

fn has_policy(config: &BTreeMap<String, String>, wanted: &str) -> bool {
    let mut policies = value(config, "cleanup.policy").split(',');
    policies.any(|policy| policy.trim() == wanted)
}

/// The value of a config: the topic's own, or Kafka's default.
pub(super) fn value<'a>(config: &'a BTreeMap<String, String>, name: &'static str) -> &'a str {
    config
        .get(name)
        .map_or_else(|| default(name), String::as_str)
}

/// The value of a number; a topic made elsewhere with something unreadable has the default.
fn number<N: FromStr>(config: &BTreeMap<String, String>, name: &'static str) -> N {
    let own = config.get(name).and_then(|text| text.parse().ok());
    own.unwrap_or_else(|| {
        let parsed = default(name).parse().ok();
        parsed.expect("the defaults of numbers are numbers")
    })
}

fn default(name: &'static str) -> &'static str {
    named(name)
        .expect("only configs of the table are asked for")
        .default
}

#[cfg(test)]
mod tests {
    use storage::catalog::LogRules;

    use super::*;

    #[test]
    fn what_the_store_obeys_has_the_defaults_that_clients_are_shown() {
        let defaults = TOPIC_CONFIGS.iter();
        let shown = defaults.map(|config| (config.name.to_owned(), config.default.to_owned()));
        assert_eq!(
            LogRules::of(&shown.collect()),
            LogRules::of(&BTreeMap::new())
        );
    }

    #[test]
    fn what_is_obeyed_is_in_the_table_and_sorted() {
        assert!(OBEYED.is_sorted());
        assert!(OBEYED.iter().all(|name| named(name).is_some()));
    }
}
