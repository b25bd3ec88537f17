//! What an operator may choose about the broker.

use std::fmt;

use storage::catalog::{Catalog, Topic};
use storage::model::TopicName;

use super::groups::GroupOptions;
use super::transactions::TransactionOptions;

/// Makes a topic of a name: number, identity, and what templates of the catalog say, also about its
/// number of partitions. The broker adds what the client said about it, and the time.
pub type NewTopic = Box<dyn Fn(&TopicName, &Catalog) -> Topic + Send + Sync>;

/// Makes sixteen random bytes, for ids that nobody is to guess.
pub type NewUuid = Box<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Most partitions of all topics together, unless somebody chooses another number.
pub const PARTITIONS_MAX: u32 = 20_000;

/// Options of a [`super::Broker`].
pub struct BrokerOptions {
    /// This broker's number, which is the controller's too.
    pub node_id: i32,
    /// The host that clients are told to connect to.
    pub host: String,
    /// The port that clients are told to connect to.
    pub port: u16,
    /// Whether asking for the metadata of an unknown topic creates it.
    pub auto_create_topics: bool,
    /// Partitions of a topic when neither its creator nor a template says a number; for show, since
    /// `new_topic` applies it.
    pub partitions_default: u32,
    /// Most partitions of all topics together; each one is a log with files of its own.
    pub partitions_max: u32,
    /// Most bytes of records in one fetch, unless one batch alone is larger.
    pub fetch_bytes_max: usize,
    /// What is shown as the folder of the logs.
    pub log_folder: String,
    /// What groups may hold, and how long what they have read is kept.
    pub groups: GroupOptions,
    /// What transactions may take.
    pub transactions: TransactionOptions,
    /// See [`NewTopic`].
    pub new_topic: NewTopic,
    /// See [`NewUuid`].
    pub new_uuid: NewUuid,
}

impl BrokerOptions {
    /// The defaults, for a broker that clients reach at `host` and `port`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, new_topic: NewTopic, new_uuid: NewUuid) -> Self {
        Self {
            node_id: 1,
            host: host.into(),
            port,
            auto_create_topics: true,
            partitions_default: 1,
            partitions_max: PARTITIONS_MAX,
            fetch_bytes_max: 16 << 20,
            log_folder: "log".to_owned(),
            groups: GroupOptions::default(),
            transactions: TransactionOptions::default(),
            new_topic,
            new_uuid,
        }
    }
}

impl fmt::Debug for BrokerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BrokerOptions")
            .field("node_id", &self.node_id)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("auto_create_topics", &self.auto_create_topics)
            .field("partitions_default", &self.partitions_default)
            .field("partitions_max", &self.partitions_max)
            .field("fetch_bytes_max", &self.fetch_bytes_max)
            .field("log_folder", &self.log_folder)
            .field("groups", &self.groups)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}
