//! What can be set: plain data, with the defaults that suit one machine.
//!
//! [`Options`] is for embedders. [`Settings`] is what `siltstone serve` reads from a file, the
//! environment and its flags; each later one wins.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ingest::broker::{GroupOptions, PARTITIONS_MAX};
use ingest::group::GroupLimits;
use serde::Deserialize;
use storage::maintenance::{MERGE_BYTES_MAX, MERGE_ROWS_MAX};
use storage::memory::MEMORY_BYTES;
use storage::store::{DISK_RESERVE_BYTES, STAGED_BYTES_MAX};

use crate::elastic::Personality;
use crate::error::{Error, ErrorKind, Result};

/// Rows that are sealed into a segment at once, at the latest.
pub const SEAL_ROWS: usize = 1 << 20;
/// Bytes of active rows that are sealed at the latest.
pub const SEAL_BYTES: usize = 64 << 20;
/// Age of the oldest active row at which it is sealed at the latest, in milliseconds.
pub const SEAL_AGE_MS: i64 = 10 * 60 * 1000;
/// Bytes a second that background merges write at most.
pub const MERGE_BYTES_PER_SECOND: u64 = 64 << 20;
/// Time between checkpoints, in milliseconds.
pub const CHECKPOINT_INTERVAL_MS: i64 = 60 * 1000;
/// Bytes of log that one step of materialization reads at most.
pub const MATERIALIZE_BYTES: usize = 8 << 20;
/// Active rows of a topic are sealed when they take one part in so many of the memory.
const SEAL_PART: usize = 4;
/// A step of materialization reads one part in so many of the memory at most: compressed records
/// become many times as many bytes of rows.
const MATERIALIZE_PART: usize = 32;
/// Records that wait for a commit take one part in so many of the memory at most...
const STAGED_PART: usize = 4;
/// ... but as much as the largest batch that is taken.
const STAGED_BYTES_MIN: usize = 16 << 20;
/// Threads that one step of materialization may decode on.
const MATERIALIZE_THREADS_MAX: NonZero<usize> = NonZero::new(4).expect("four");
/// Time that committed offsets are kept after a group has lost its last member, as Kafka's
/// `offsets.retention.minutes`, in milliseconds.
pub const OFFSETS_RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Bytes that scrubbing reads in a second at most.
pub const SCRUB_BYTES_PER_SECOND: u64 = 16 << 20;
/// Time from the end of one pass of scrubbing to the start of the next, in milliseconds.
pub const SCRUB_INTERVAL_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Time between looks for records and rows that have become too old, as Kafka's
/// `log.retention.check.interval.ms`, in milliseconds.
pub const RETENTION_CHECK_INTERVAL_MS: i64 = 5 * 60 * 1000;
/// Time between looks for logs to compact, as Kafka's `log.cleaner.backoff.ms`, in milliseconds.
pub const COMPACTION_INTERVAL_MS: i64 = 15 * 1000;
/// Where HTTP listens unless told otherwise.
pub const HTTP_ADDRESS: &str = "127.0.0.1:9200";
/// Where Kafka clients are awaited unless told otherwise.
pub const KAFKA_ADDRESS: &str = "127.0.0.1:9092";
/// The Elasticsearch version shown to clients; shippers refuse servers older than themselves.
pub const ELASTIC_VERSION: &str = "8.19.0";
/// The OpenSearch version shown to clients.
pub const OPENSEARCH_VERSION: &str = "3.1.0";

/// Where the time of day comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Milliseconds since the epoch that the caller moves, for tests.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                Err(before) => {
                    i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms)
                }
            },
            Self::Manual(now_ms) => now_ms.load(Ordering::Acquire),
        }
    }
}

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whole milliseconds since the start.
    pub(crate) fn elapsed_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Who does the work that nobody waits for: committing, materializing, sealing, checkpointing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Work {
    /// Threads of the store.
    #[default]
    Background,
    /// The caller, through `refresh`, `flush` and `close`. Appends are durable all the same.
    Caller,
}

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows that are sealed into a segment at once, at the latest.
    pub seal_rows: usize,
    /// Bytes of active rows that are sealed at the latest.
    pub seal_bytes: usize,
    /// Age of the oldest active row at which it is sealed at the latest, in milliseconds.
    pub seal_age_ms: i64,
    /// Whether segments are merged in the background.
    pub merge: bool,
    /// Rows that a merged segment may have.
    pub merge_rows: u64,
    /// Bytes that the files of one merge may have together.
    pub merge_bytes: u64,
    /// Bytes a second that background merges write at most.
    pub merge_bytes_per_second: u64,
    /// Bytes of the disk that must be free for a write to be taken.
    pub disk_reserve_bytes: u64,
    /// Bytes that rows not yet sealed, caches and searches may take in memory together.
    pub memory_bytes: usize,
    /// Time between checkpoints, in milliseconds.
    pub checkpoint_interval_ms: i64,
    /// Bytes of log that one step of materialization reads at most.
    pub materialize_bytes: usize,
    /// Threads that one step of materialization may decode on.
    pub materialize_threads: NonZero<usize>,
    /// Partitions of a topic whose creator does not say.
    pub partitions: u32,
    /// Whether writing to a topic that does not exist creates it.
    pub auto_create_topics: bool,
    /// Bytes that scrubbing reads in a second at most; 0 turns it off.
    pub scrub_bytes_per_second: u64,
    /// Time from the end of one pass of scrubbing to the start of the next, in milliseconds.
    pub scrub_interval_ms: i64,
    /// Threads that one search may run on.
    pub query_threads: NonZero<usize>,
    /// How long committed offsets are kept after a group has lost its last member, in
    /// milliseconds.
    pub offsets_retention_ms: i64,
    /// How long the first member of a group of consumers waits for others, in milliseconds.
    pub group_initial_delay_ms: i64,
    /// Time between looks for records and rows that have become too old, in milliseconds.
    pub retention_check_interval_ms: i64,
    /// Time between looks for logs to compact, in milliseconds.
    pub compaction_interval_ms: i64,
    /// Groups of consumers, those included that only have committed offsets.
    pub groups_max: usize,
    /// Members of one group of consumers.
    pub group_members_max: usize,
    /// Partitions of all topics together.
    pub partitions_max: u32,
    /// Who does the work that nobody waits for.
    pub work: Work,
    /// Where the time of day comes from.
    pub clock: Clock,
}

impl Options {
    /// Cuts what arrives at once to what memory allows.
    pub(crate) fn fit_memory(&mut self) {
        let memory_bytes = self.memory_bytes;
        self.seal_bytes = self.seal_bytes.min(memory_bytes / SEAL_PART);
        self.materialize_bytes = self.materialize_bytes.min(memory_bytes / MATERIALIZE_PART);
    }

    /// Bytes of records that may wait for a commit.
    pub(crate) fn staged_bytes_max(&self) -> usize {
        STAGED_BYTES_MAX.min((self.memory_bytes / STAGED_PART).max(STAGED_BYTES_MIN))
    }
}

fn cores() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seal_rows: SEAL_ROWS,
            seal_bytes: SEAL_BYTES,
            seal_age_ms: SEAL_AGE_MS,
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            memory_bytes: MEMORY_BYTES,
            merge: true,
            merge_rows: MERGE_ROWS_MAX,
            merge_bytes: MERGE_BYTES_MAX,
            merge_bytes_per_second: MERGE_BYTES_PER_SECOND,
            checkpoint_interval_ms: CHECKPOINT_INTERVAL_MS,
            materialize_bytes: MATERIALIZE_BYTES,
            materialize_threads: cores().min(MATERIALIZE_THREADS_MAX),
            partitions: 1,
            auto_create_topics: true,
            query_threads: cores(),
            offsets_retention_ms: OFFSETS_RETENTION_MS,
            group_initial_delay_ms: 0,
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND,
            scrub_interval_ms: SCRUB_INTERVAL_MS,
            retention_check_interval_ms: RETENTION_CHECK_INTERVAL_MS,
            compaction_interval_ms: COMPACTION_INTERVAL_MS,
            groups_max: GroupOptions::default().groups_max,
            group_members_max: GroupLimits::default().members_max,
            partitions_max: PARTITIONS_MAX,
            work: Work::Background,
            clock: Clock::System,
        }
    }
}

/// Settings of `siltstone serve`. All may be absent: an absent one comes from the next source.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder that holds everything: log/, segments/, catalog/. Made when it does not exist
    #[arg(long, value_name = "DIR", env = "SILTSTONE_DATA")]
    pub data: Option<PathBuf>,
    /// Where HTTP listens; port 0 takes a free one [default: 127.0.0.1:9200]
    #[arg(long, value_name = "ADDR", env = "SILTSTONE_HTTP")]
    pub http: Option<String>,
    /// Where Kafka clients are awaited; port 0 takes a free one [default: 127.0.0.1:9092]
    #[arg(long, value_name = "ADDR", env = "SILTSTONE_KAFKA")]
    pub kafka: Option<String>,
    /// HOST or HOST:PORT that Kafka clients are told to connect to [default: where it listens]
    #[arg(long, value_name = "HOST[:PORT]", env = "SILTSTONE_KAFKA_ADVERTISED")]
    pub kafka_advertised: Option<String>,
    /// Version of Elasticsearch, or of OpenSearch, shown to clients [default: 8.19.0, 3.1.0]
    #[arg(long, value_name = "VERSION", env = "SILTSTONE_ELASTIC_VERSION")]
    pub elastic_version: Option<String>,
    /// Whose words and manners answers over HTTP have [default: elasticsearch]
    #[arg(long, value_name = "WHOSE", env = "SILTSTONE_PERSONALITY")]
    pub personality: Option<Personality>,
    /// Partitions of a topic whose creator does not say [default: 1]
    #[arg(long, value_name = "N", env = "SILTSTONE_PARTITIONS")]
    pub partitions: Option<u32>,
    /// Whether writing to a topic that does not exist creates it [default: true]
    #[arg(long, value_name = "BOOL", env = "SILTSTONE_AUTO_CREATE_TOPICS")]
    pub auto_create_topics: Option<bool>,
    /// Minutes that committed offsets are kept after a group has lost its last member
    /// [default: 10080]
    #[arg(long, value_name = "MIN", env = "SILTSTONE_OFFSETS_RETENTION_MINUTES")]
    pub offsets_retention_minutes: Option<u32>,
    /// How long the first member of a group of consumers waits for others, in ms [default: 0]
    #[arg(long, value_name = "MS", env = "SILTSTONE_GROUP_INITIAL_DELAY_MS")]
    pub group_initial_delay_ms: Option<u32>,
    /// Active rows are sealed into a segment at this number [default: 1048576]
    #[arg(long, value_name = "ROWS", env = "SILTSTONE_SEAL_ROWS")]
    pub seal_rows: Option<usize>,
    /// Active rows are sealed at this size [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SILTSTONE_SEAL_BYTES")]
    pub seal_bytes: Option<usize>,
    /// Active rows are sealed at this age [default: 600000]
    #[arg(long, value_name = "MS", env = "SILTSTONE_SEAL_AGE_MS")]
    pub seal_age_ms: Option<i64>,
    /// Whether segments are merged in the background [default: true]
    #[arg(long, value_name = "BOOL", env = "SILTSTONE_MERGE")]
    pub merge: Option<bool>,
    /// Rows that a merged segment may have [default: 16777216]
    #[arg(long, value_name = "ROWS", env = "SILTSTONE_MERGE_ROWS")]
    pub merge_rows: Option<u64>,
    /// Bytes a second that background merges write at most [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SILTSTONE_MERGE_BYTES_PER_SECOND")]
    pub merge_bytes_per_second: Option<u64>,
    /// Bytes of the disk that must be free for a write to be taken [default: 268435456]
    #[arg(long, value_name = "BYTES", env = "SILTSTONE_DISK_RESERVE_BYTES")]
    pub disk_reserve_bytes: Option<u64>,
    /// Bytes that rows not yet sealed, caches and searches may take in memory together; the
    /// process takes some 100 MB besides [default: 268435456]
    #[arg(long, value_name = "BYTES", env = "SILTSTONE_MEMORY_BYTES")]
    pub memory_bytes: Option<usize>,
    /// Time between checkpoints [default: 60000]
    #[arg(long, value_name = "MS", env = "SILTSTONE_CHECKPOINT_INTERVAL_MS")]
    pub checkpoint_interval_ms: Option<i64>,
    /// Time between looks for records and rows that have become too old [default: 300000]
    #[arg(long, value_name = "MS", env = "SILTSTONE_RETENTION_CHECK_INTERVAL_MS")]
    pub retention_check_interval_ms: Option<i64>,
    /// Time between looks for logs to compact [default: 15000]
    #[arg(long, value_name = "MS", env = "SILTSTONE_COMPACTION_INTERVAL_MS")]
    pub compaction_interval_ms: Option<i64>,
    /// Connections of Kafka clients; the next one is closed [default: 1000]
    #[arg(long, value_name = "N", env = "SILTSTONE_KAFKA_CONNECTIONS_MAX")]
    pub kafka_connections_max: Option<usize>,
    /// Connections of one address of Kafka clients; the next one is closed [default: 500]
    #[arg(
        long,
        value_name = "N",
        env = "SILTSTONE_KAFKA_CONNECTIONS_PER_ADDRESS_MAX"
    )]
    pub kafka_connections_per_address_max: Option<usize>,
    /// Bytes of a request of a Kafka client; a longer one ends the connection
    /// [default: 104857600]
    #[arg(long, value_name = "BYTES", env = "SILTSTONE_KAFKA_REQUEST_BYTES_MAX")]
    pub kafka_request_bytes_max: Option<usize>,
    /// Bytes of requests between 64 KiB and 2 MiB that are under way; others wait
    /// [default: 67108864]
    #[arg(
        long,
        value_name = "BYTES",
        env = "SILTSTONE_KAFKA_IN_FLIGHT_BYTES_MAX"
    )]
    pub kafka_in_flight_bytes_max: Option<usize>,
    /// Groups of consumers [default: 10000]
    #[arg(long, value_name = "N", env = "SILTSTONE_GROUPS_MAX")]
    pub groups_max: Option<usize>,
    /// Members of one group of consumers [default: 1000]
    #[arg(long, value_name = "N", env = "SILTSTONE_GROUP_MEMBERS_MAX")]
    pub group_members_max: Option<usize>,
    /// Partitions of all topics together [default: 20000]
    #[arg(long, value_name = "N", env = "SILTSTONE_PARTITIONS_MAX")]
    pub partitions_max: Option<u32>,
    /// HTTP connections; further clients wait [default: 1024]
    #[arg(long, value_name = "N", env = "SILTSTONE_HTTP_CONNECTIONS_MAX")]
    pub http_connections_max: Option<usize>,
    /// Threads that answer searches [default: one a core, at least 2]
    #[arg(long, value_name = "N", env = "SILTSTONE_SEARCH_THREADS")]
    pub search_threads: Option<usize>,
    /// What is logged to standard error: error, warn, info, debug, or a filter such as
    /// siltstone=debug [default: info]
    #[arg(long, value_name = "FILTER", env = "SILTSTONE_LOG")]
    pub log: Option<String>,
    /// How the log is written: text, or json with an object a line [default: text]
    #[arg(long, value_name = "FORMAT", env = "SILTSTONE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line of text an event.
    #[default]
    Text,
    /// A JSON object an event.
    Json,
}

impl Settings {
    /// The settings in the TOML file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or names a setting that does not exist.
    pub fn read(path: &Path) -> Result<Self> {
        let invalid = |reason: String| {
            Error::new(
                ErrorKind::Invalid,
                format!("configuration {}: {reason}", path.display()),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
        toml::from_str(&text).map_err(|error| {
            // The first line of TOML's report says where, the last what.
            let report = error.to_string();
            let place = report.lines().next().unwrap_or_default();
            invalid(format!("{place}: {}", error.message()))
        })
    }

    /// These settings, and those of `fallback` where these say nothing.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            data: self.data.or(fallback.data),
            http: self.http.or(fallback.http),
            kafka: self.kafka.or(fallback.kafka),
            kafka_advertised: self.kafka_advertised.or(fallback.kafka_advertised),
            elastic_version: self.elastic_version.or(fallback.elastic_version),
            personality: self.personality.or(fallback.personality),
            partitions: self.partitions.or(fallback.partitions),
            auto_create_topics: self.auto_create_topics.or(fallback.auto_create_topics),
            offsets_retention_minutes: self
                .offsets_retention_minutes
                .or(fallback.offsets_retention_minutes),
            group_initial_delay_ms: self
                .group_initial_delay_ms
                .or(fallback.group_initial_delay_ms),
            seal_rows: self.seal_rows.or(fallback.seal_rows),
            seal_bytes: self.seal_bytes.or(fallback.seal_bytes),
            seal_age_ms: self.seal_age_ms.or(fallback.seal_age_ms),
            disk_reserve_bytes: self.disk_reserve_bytes.or(fallback.disk_reserve_bytes),
            memory_bytes: self.memory_bytes.or(fallback.memory_bytes),
            merge: self.merge.or(fallback.merge),
            merge_rows: self.merge_rows.or(fallback.merge_rows),
            merge_bytes_per_second: self
                .merge_bytes_per_second
                .or(fallback.merge_bytes_per_second),
            checkpoint_interval_ms: self
                .checkpoint_interval_ms
                .or(fallback.checkpoint_interval_ms),
            retention_check_interval_ms: self
                .retention_check_interval_ms
                .or(fallback.retention_check_interval_ms),
            compaction_interval_ms: self
                .compaction_interval_ms
                .or(fallback.compaction_interval_ms),
            kafka_connections_max: self
                .kafka_connections_max
                .or(fallback.kafka_connections_max),
            kafka_connections_per_address_max: self
                .kafka_connections_per_address_max
                .or(fallback.kafka_connections_per_address_max),
            kafka_request_bytes_max: self
                .kafka_request_bytes_max
                .or(fallback.kafka_request_bytes_max),
            kafka_in_flight_bytes_max: self
                .kafka_in_flight_bytes_max
                .or(fallback.kafka_in_flight_bytes_max),
            groups_max: self.groups_max.or(fallback.groups_max),
            group_members_max: self.group_members_max.or(fallback.group_members_max),
            partitions_max: self.partitions_max.or(fallback.partitions_max),
            http_connections_max: self.http_connections_max.or(fallback.http_connections_max),
            search_threads: self.search_threads.or(fallback.search_threads),
            log: self.log.or(fallback.log),
            log_format: self.log_format.or(fallback.log_format),
        }
    }

    /// How the store behaves under these settings.
    #[must_use]
    pub fn store_options(&self) -> Options {
        let default = Options::default();
        Options {
            offsets_retention_ms: self
                .offsets_retention_minutes
                .map_or(default.offsets_retention_ms, |minutes| {
                    i64::from(minutes) * 60_000
                }),
            group_initial_delay_ms: self
                .group_initial_delay_ms
                .map_or(default.group_initial_delay_ms, i64::from),
            seal_rows: self.seal_rows.unwrap_or(default.seal_rows),
            seal_bytes: self.seal_bytes.unwrap_or(default.seal_bytes),
            seal_age_ms: self.seal_age_ms.unwrap_or(default.seal_age_ms),
            disk_reserve_bytes: self
                .disk_reserve_bytes
                .unwrap_or(default.disk_reserve_bytes),
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes),
            merge: self.merge.unwrap_or(default.merge),
            merge_rows: self.merge_rows.unwrap_or(default.merge_rows),
            merge_bytes_per_second: self
                .merge_bytes_per_second
                .unwrap_or(default.merge_bytes_per_second),
            checkpoint_interval_ms: self
                .checkpoint_interval_ms
                .unwrap_or(default.checkpoint_interval_ms),
            partitions: self.partitions.unwrap_or(default.partitions),
            retention_check_interval_ms: self
                .retention_check_interval_ms
                .unwrap_or(default.retention_check_interval_ms),
            compaction_interval_ms: self
                .compaction_interval_ms
                .unwrap_or(default.compaction_interval_ms),
            groups_max: self.groups_max.unwrap_or(default.groups_max),
            group_members_max: self.group_members_max.unwrap_or(default.group_members_max),
            partitions_max: self.partitions_max.unwrap_or(default.partitions_max),
            auto_create_topics: self
                .auto_create_topics
                .unwrap_or(default.auto_create_topics),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_source_wins_setting_by_setting() {
        let flags = Settings {
            http: Some("a:1".into()),
            ..Settings::default()
        };
        let file: Settings = toml::from_str("http = 'b:2'\nkafka = 'c:3'").expect("valid TOML");
        let both = flags.or(file);
        assert_eq!(both.http.as_deref(), Some("a:1"));
        assert_eq!(both.kafka.as_deref(), Some("c:3"));
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("siltstone.toml");
        std::fs::write(&path, "htpp = 'x'").expect("the file can be written");
        let error = Settings::read(&path)
            .expect_err("there is no such setting")
            .to_string();
        assert!(
            error.contains("htpp") && error.contains("siltstone.toml"),
            "{error}"
        );
    }
}
