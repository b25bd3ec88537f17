//! The APIs that are served, and their versions.

/// A Kafka API that works here from end to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// Appends batches.
    Produce,
    /// Reads batches.
    Fetch,
    /// Finds offsets by time.
    ListOffsets,
    /// Names brokers, topics and partitions.
    Metadata,
    /// Says what this table says.
    ApiVersions,
    /// Makes topics.
    CreateTopics,
    /// Removes topics.
    DeleteTopics,
    /// Gives producers their ids.
    InitProducerId,
    /// Shows the settings of topics and of the broker.
    DescribeConfigs,
}

/// First and last version, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// First.
    pub min: i16,
    /// Last.
    pub max: i16,
}

impl VersionRange {
    /// Whether `version` lies inside.
    #[must_use]
    pub fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

impl Api {
    /// Every API, in the order of their keys.
    pub const ALL: [Self; 9] = [
        Self::Produce,
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::ApiVersions,
        Self::CreateTopics,
        Self::DeleteTopics,
        Self::InitProducerId,
        Self::DescribeConfigs,
    ];

    /// The API with this key, when it is served.
    #[must_use]
    pub fn from_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Fetch => 1,
            Self::ListOffsets => 2,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::CreateTopics => 19,
            Self::DeleteTopics => 20,
            Self::InitProducerId => 22,
            Self::DescribeConfigs => 32,
        }
    }

    /// The versions that are answered.
    #[must_use]
    pub fn served(self) -> VersionRange {
        let (min, max) = match self {
            Self::Produce => (3, 11),
            Self::Fetch => (4, 17),
            Self::ListOffsets => (1, 9),
            Self::Metadata => (0, 12),
            Self::ApiVersions => (0, 4),
            Self::CreateTopics => (2, 7),
            Self::DeleteTopics => (1, 6),
            Self::InitProducerId => (0, 5),
            Self::DescribeConfigs => (1, 4),
        };
        VersionRange { min, max }
    }

    /// The versions that are listed. They differ from [`Api::served`] for Produce alone: librdkafka
    /// before 2.11 compresses only when version 0 is listed, and Kafka 4 lists it for that reason.
    #[must_use]
    pub fn advertised(self) -> VersionRange {
        let served = self.served();
        match self {
            Self::Produce => VersionRange {
                min: 0,
                max: served.max,
            },
            Self::Fetch
            | Self::ListOffsets
            | Self::Metadata
            | Self::ApiVersions
            | Self::CreateTopics
            | Self::DeleteTopics
            | Self::InitProducerId
            | Self::DescribeConfigs => served,
        }
    }

    /// First version with compact lengths and tagged fields.
    #[must_use]
    pub fn flexible_from(self) -> i16 {
        match self {
            Self::Produce | Self::Metadata => 9,
            Self::Fetch => 12,
            Self::ListOffsets => 6,
            Self::ApiVersions => 3,
            Self::CreateTopics => 5,
            Self::DeleteTopics | Self::DescribeConfigs => 4,
            Self::InitProducerId => 2,
        }
    }
}
