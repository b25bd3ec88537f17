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
    /// Notes how far a group has read.
    OffsetCommit,
    /// Says how far groups have read.
    OffsetFetch,
    /// Says who keeps a group.
    FindCoordinator,
    /// Enters a group, or its next generation.
    JoinGroup,
    /// Says that a member is alive.
    Heartbeat,
    /// Takes members out of a group.
    LeaveGroup,
    /// Hands out what each member of a group reads.
    SyncGroup,
    /// Shows groups and their members.
    DescribeGroups,
    /// Names the groups.
    ListGroups,
    /// Chooses how to authenticate; nothing is asked for here, and it says so.
    SaslHandshake,
    /// Says what this table says.
    ApiVersions,
    /// Makes topics.
    CreateTopics,
    /// Removes topics.
    DeleteTopics,
    /// Moves the start of a log.
    DeleteRecords,
    /// Gives producers their ids.
    InitProducerId,
    /// Says where an epoch ends.
    OffsetForLeaderEpoch,
    /// Lets a transaction write to partitions.
    AddPartitionsToTxn,
    /// Lets a transaction commit offsets of a group.
    AddOffsetsToTxn,
    /// Commits or aborts a transaction.
    EndTxn,
    /// Ends a transaction whose producer does not.
    WriteTxnMarkers,
    /// Notes how far a group has read, once a transaction is committed.
    TxnOffsetCommit,
    /// Shows permissions; there are none, and it says so.
    DescribeAcls,
    /// Shows the settings of topics and of the broker.
    DescribeConfigs,
    /// Replaces the settings of topics.
    AlterConfigs,
    /// Shows how large logs are.
    DescribeLogDirs,
    /// Gives topics more partitions.
    CreatePartitions,
    /// Removes groups.
    DeleteGroups,
    /// Changes some settings of topics.
    IncrementalAlterConfigs,
    /// Shows partitions that move between brokers; none does.
    ListPartitionReassignments,
    /// Forgets how far a group has read.
    OffsetDelete,
    /// Names the brokers.
    DescribeCluster,
    /// Shows the producers that a partition remembers.
    DescribeProducers,
    /// Shows transactions.
    DescribeTransactions,
    /// Names the transactional ids.
    ListTransactions,
    /// Says that a member is alive, and what it may read.
    ConsumerGroupHeartbeat,
    /// Shows groups in which the broker shares out.
    ConsumerGroupDescribe,
    /// Names partitions, page by page.
    DescribeTopicPartitions,
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

/// What the protocol fixes about an API, and what is served of it.
struct Row {
    key: i16,
    served: VersionRange,
    flexible_from: i16,
}

const fn row(key: i16, min: i16, max: i16, flexible_from: i16) -> Row {
    Row {
        key,
        served: VersionRange { min, max },
        flexible_from,
    }
}

/// In [`Row::flexible_from`]: no version has compact lengths.
const NEVER: i16 = i16::MAX;

impl Api {
    /// Every API, in the order of their keys.
    pub const ALL: [Self; 41] = [
        Self::Produce,
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::OffsetCommit,
        Self::OffsetFetch,
        Self::FindCoordinator,
        Self::JoinGroup,
        Self::Heartbeat,
        Self::LeaveGroup,
        Self::SyncGroup,
        Self::DescribeGroups,
        Self::ListGroups,
        Self::SaslHandshake,
        Self::ApiVersions,
        Self::CreateTopics,
        Self::DeleteTopics,
        Self::DeleteRecords,
        Self::InitProducerId,
        Self::OffsetForLeaderEpoch,
        Self::AddPartitionsToTxn,
        Self::AddOffsetsToTxn,
        Self::EndTxn,
        Self::WriteTxnMarkers,
        Self::TxnOffsetCommit,
        Self::DescribeAcls,
        Self::DescribeConfigs,
        Self::AlterConfigs,
        Self::DescribeLogDirs,
        Self::CreatePartitions,
        Self::DeleteGroups,
        Self::IncrementalAlterConfigs,
        Self::ListPartitionReassignments,
        Self::OffsetDelete,
        Self::DescribeCluster,
        Self::DescribeProducers,
        Self::DescribeTransactions,
        Self::ListTransactions,
        Self::ConsumerGroupHeartbeat,
        Self::ConsumerGroupDescribe,
        Self::DescribeTopicPartitions,
    ];

    /// Key, first and last version served, first version with compact lengths.
    fn row(self) -> Row {
        match self {
            Self::Produce => row(0, 3, 11, 9),
            Self::Fetch => row(1, 4, 17, 12),
            Self::ListOffsets => row(2, 1, 9, 6),
            Self::Metadata => row(3, 0, 12, 9),
            Self::OffsetCommit => row(8, 2, 9, 8),
            Self::OffsetFetch => row(9, 1, 9, 6),
            Self::FindCoordinator => row(10, 0, 5, 3),
            Self::JoinGroup => row(11, 0, 9, 6),
            Self::Heartbeat => row(12, 0, 4, 4),
            Self::LeaveGroup => row(13, 0, 5, 4),
            Self::SyncGroup => row(14, 0, 5, 4),
            Self::DescribeGroups => row(15, 0, 5, 5),
            Self::ListGroups => row(16, 0, 5, 3),
            Self::SaslHandshake => row(17, 0, 1, NEVER),
            Self::ApiVersions => row(18, 0, 4, 3),
            Self::CreateTopics => row(19, 2, 7, 5),
            Self::DeleteTopics => row(20, 1, 6, 4),
            Self::DeleteRecords => row(21, 0, 2, 2),
            Self::InitProducerId => row(22, 0, 5, 2),
            Self::OffsetForLeaderEpoch => row(23, 2, 4, 4),
            Self::AddPartitionsToTxn => row(24, 0, 3, 3),
            Self::AddOffsetsToTxn => row(25, 0, 4, 3),
            Self::EndTxn => row(26, 0, 4, 3),
            Self::WriteTxnMarkers => row(27, 1, 1, 1),
            Self::TxnOffsetCommit => row(28, 0, 4, 3),
            Self::DescribeAcls => row(29, 1, 3, 2),
            Self::DescribeConfigs => row(32, 1, 4, 4),
            Self::AlterConfigs => row(33, 0, 2, 2),
            Self::DescribeLogDirs => row(35, 0, 4, 2),
            Self::CreatePartitions => row(37, 0, 3, 2),
            Self::DeleteGroups => row(42, 0, 2, 2),
            Self::IncrementalAlterConfigs => row(44, 0, 1, 1),
            Self::ListPartitionReassignments => row(46, 0, 0, 0),
            Self::OffsetDelete => row(47, 0, 0, NEVER),
            Self::DescribeCluster => row(60, 0, 1, 0),
            Self::DescribeProducers => row(61, 0, 0, 0),
            Self::DescribeTransactions => row(65, 0, 0, 0),
            Self::ListTransactions => row(66, 0, 1, 0),
            Self::ConsumerGroupHeartbeat => row(68, 0, 1, 0),
            Self::ConsumerGroupDescribe => row(69, 0, 1, 0),
            Self::DescribeTopicPartitions => row(75, 0, 0, 0),
        }
    }

    /// The API with this key, when it is served.
    #[must_use]
    pub fn from_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn key(self) -> i16 {
        self.row().key
    }

    /// The versions that are answered.
    #[must_use]
    pub fn served(self) -> VersionRange {
        self.row().served
    }

    /// The versions that are listed. They differ from [`Api::served`] for Produce alone: librdkafka
    /// before 2.11 compresses only when version 0 is listed, and Kafka 4 lists it for that reason.
    #[must_use]
    pub fn advertised(self) -> VersionRange {
        let served = self.served();
        let min = if self == Self::Produce { 0 } else { served.min };
        VersionRange { min, ..served }
    }

    /// First version with compact lengths and tagged fields.
    #[must_use]
    pub fn flexible_from(self) -> i16 {
        self.row().flexible_from
    }

    /// The version that the generated code reads and writes for `version`. Version 0 of
    /// DescribeLogDirs, which it does not know, has the bytes of version 1.
    pub(super) fn coded(self, version: i16) -> i16 {
        if self == Self::DescribeLogDirs {
            version.max(1)
        } else {
            version
        }
    }
}
