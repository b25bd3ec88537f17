//! The layout of every request that is served, as in Kafka's message definitions.

use super::api::Api;
use super::layout::{Field, Layout, Shape};
use super::layouts_groups::{
    CONSUMER_GROUP_DESCRIBE, CONSUMER_GROUP_HEARTBEAT, DELETE_GROUPS, DESCRIBE_GROUPS,
    FIND_COORDINATOR, HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, LIST_GROUPS, OFFSET_COMMIT,
    OFFSET_DELETE, OFFSET_FETCH, SYNC_GROUP,
};
use super::layouts_transactions::{
    ADD_OFFSETS_TO_TXN, ADD_PARTITIONS_TO_TXN, DESCRIBE_TRANSACTIONS, END_TXN, LIST_TRANSACTIONS,
    TXN_OFFSET_COMMIT, WRITE_TXN_MARKERS,
};
use Shape::{Array, Bytes, Fixed, FixedArray, Nullable, Struct, Text, TextArray};

/// The layout of the API's request.
pub(super) fn of(api: Api) -> &'static Layout {
    match api {
        Api::Produce => &PRODUCE,
        Api::Fetch => &FETCH,
        Api::ListOffsets => &LIST_OFFSETS,
        Api::Metadata => &METADATA,
        Api::OffsetCommit => &OFFSET_COMMIT,
        Api::OffsetFetch => &OFFSET_FETCH,
        Api::FindCoordinator => &FIND_COORDINATOR,
        Api::JoinGroup => &JOIN_GROUP,
        Api::Heartbeat => &HEARTBEAT,
        Api::LeaveGroup => &LEAVE_GROUP,
        Api::SyncGroup => &SYNC_GROUP,
        Api::DescribeGroups => &DESCRIBE_GROUPS,
        Api::ListGroups => &LIST_GROUPS,
        Api::SaslHandshake => &SASL_HANDSHAKE,
        Api::ApiVersions => &API_VERSIONS,
        Api::CreateTopics => &CREATE_TOPICS,
        Api::DeleteTopics => &DELETE_TOPICS,
        Api::DeleteRecords => &DELETE_RECORDS,
        Api::InitProducerId => &INIT_PRODUCER_ID,
        Api::OffsetForLeaderEpoch => &OFFSET_FOR_LEADER_EPOCH,
        Api::AddPartitionsToTxn => &ADD_PARTITIONS_TO_TXN,
        Api::AddOffsetsToTxn => &ADD_OFFSETS_TO_TXN,
        Api::EndTxn => &END_TXN,
        Api::WriteTxnMarkers => &WRITE_TXN_MARKERS,
        Api::TxnOffsetCommit => &TXN_OFFSET_COMMIT,
        Api::DescribeAcls => &DESCRIBE_ACLS,
        Api::DescribeConfigs => &DESCRIBE_CONFIGS,
        Api::AlterConfigs => &ALTER_CONFIGS,
        Api::DescribeLogDirs => &DESCRIBE_LOG_DIRS,
        Api::CreatePartitions => &CREATE_PARTITIONS,
        Api::DeleteGroups => &DELETE_GROUPS,
        Api::IncrementalAlterConfigs => &INCREMENTAL_ALTER_CONFIGS,
        Api::ListPartitionReassignments => &LIST_PARTITION_REASSIGNMENTS,
        Api::OffsetDelete => &OFFSET_DELETE,
        Api::DescribeCluster => &DESCRIBE_CLUSTER,
        Api::DescribeProducers => &DESCRIBE_PRODUCERS,
        Api::DescribeTransactions => &DESCRIBE_TRANSACTIONS,
        Api::ListTransactions => &LIST_TRANSACTIONS,
        Api::ConsumerGroupHeartbeat => &CONSUMER_GROUP_HEARTBEAT,
        Api::ConsumerGroupDescribe => &CONSUMER_GROUP_DESCRIBE,
        Api::DescribeTopicPartitions => &DESCRIBE_TOPIC_PARTITIONS,
    }
}

pub(super) const fn every(shape: Shape) -> Field {
    Field {
        from: 0,
        to: i16::MAX,
        shape,
    }
}

pub(super) const fn since(from: i16, shape: Shape) -> Field {
    Field {
        from,
        to: i16::MAX,
        shape,
    }
}

pub(super) const fn until(to: i16, shape: Shape) -> Field {
    Field { from: 0, to, shape }
}

pub(super) const fn between(from: i16, to: i16, shape: Shape) -> Field {
    Field { from, to, shape }
}

pub(super) const fn fields(fields: &'static [Field]) -> Layout {
    Layout { fields, tags: &[] }
}

const UUID: Shape = Fixed(16);

static API_VERSIONS: Layout = fields(&[since(3, Text), since(3, Text)]);

static METADATA: Layout = fields(&[
    every(Array(&METADATA_TOPIC)),
    since(4, Fixed(1)),
    between(8, 10, Fixed(1)),
    since(8, Fixed(1)),
]);
static METADATA_TOPIC: Layout = fields(&[since(10, UUID), every(Text)]);

/// Transactional id, acks and timeout, topics.
static PRODUCE: Layout = fields(&[
    every(Text),
    every(Fixed(2 + 4)),
    every(Array(&PRODUCE_TOPIC)),
]);
static PRODUCE_TOPIC: Layout = fields(&[every(Text), every(Array(&PRODUCE_PARTITION))]);
static PRODUCE_PARTITION: Layout = fields(&[every(Fixed(4)), every(Bytes)]);

/// Replica, {wait, min bytes, max bytes, isolation}, session, topics, forgotten topics, rack.
static FETCH: Layout = Layout {
    fields: &[
        until(14, Fixed(4)),
        every(Fixed(4 + 4 + 4 + 1)),
        since(7, Fixed(4 + 4)),
        every(Array(&FETCH_TOPIC)),
        since(7, Array(&FETCH_FORGOTTEN)),
        since(11, Text),
    ],
    tags: &[(0, every(Text)), (1, since(15, Struct(&FETCH_REPLICA)))],
};
static FETCH_REPLICA: Layout = fields(&[every(Fixed(4 + 8))]);
static FETCH_TOPIC: Layout = fields(&[
    until(12, Text),
    since(13, UUID),
    every(Array(&FETCH_PARTITION)),
]);
/// Partition, leader epoch, offset, last fetched epoch, log start, max bytes.
static FETCH_PARTITION: Layout = Layout {
    fields: &[
        every(Fixed(4)),
        since(9, Fixed(4)),
        every(Fixed(8)),
        since(12, Fixed(4)),
        since(5, Fixed(8)),
        every(Fixed(4)),
    ],
    tags: &[(0, since(17, UUID)), (1, since(18, Fixed(8)))],
};
static FETCH_FORGOTTEN: Layout = fields(&[until(12, Text), since(13, UUID), every(FixedArray(4))]);

static LIST_OFFSETS: Layout = fields(&[
    every(Fixed(4)),
    since(2, Fixed(1)),
    every(Array(&LIST_OFFSETS_TOPIC)),
]);
static LIST_OFFSETS_TOPIC: Layout = fields(&[every(Text), every(Array(&LIST_OFFSETS_PARTITION))]);
/// Partition, leader epoch, time.
static LIST_OFFSETS_PARTITION: Layout =
    fields(&[every(Fixed(4)), since(4, Fixed(4)), every(Fixed(8))]);

/// Topics, timeout and validate-only.
static CREATE_TOPICS: Layout = fields(&[every(Array(&CREATE_TOPIC)), every(Fixed(4 + 1))]);
/// Name, partition count and replication factor, assignments, configs.
static CREATE_TOPIC: Layout = fields(&[
    every(Text),
    every(Fixed(4 + 2)),
    every(Array(&CREATE_ASSIGNMENT)),
    every(Array(&CREATE_CONFIG)),
]);
static CREATE_ASSIGNMENT: Layout = fields(&[every(Fixed(4)), every(FixedArray(4))]);
static CREATE_CONFIG: Layout = fields(&[every(Text), every(Text)]);

static DELETE_TOPICS: Layout = fields(&[
    since(6, Array(&DELETE_TOPIC)),
    until(5, TextArray),
    every(Fixed(4)),
]);
static DELETE_TOPIC: Layout = fields(&[every(Text), every(UUID)]);

/// Transactional id, timeout, producer id and epoch.
static INIT_PRODUCER_ID: Layout = fields(&[every(Text), every(Fixed(4)), since(3, Fixed(8 + 2))]);

static DESCRIBE_CONFIGS: Layout = fields(&[
    every(Array(&DESCRIBE_RESOURCE)),
    every(Fixed(1)),
    since(3, Fixed(1)),
]);
static DESCRIBE_RESOURCE: Layout = fields(&[every(Fixed(1)), every(Text), every(TextArray)]);

static SASL_HANDSHAKE: Layout = fields(&[every(Text)]);

/// Topics and timeout.
static DELETE_RECORDS: Layout = fields(&[every(Array(&DELETE_RECORDS_TOPIC)), every(Fixed(4))]);
static DELETE_RECORDS_TOPIC: Layout =
    fields(&[every(Text), every(Array(&DELETE_RECORDS_PARTITION))]);
static DELETE_RECORDS_PARTITION: Layout = fields(&[every(Fixed(4 + 8))]);

/// Replica, topics.
static OFFSET_FOR_LEADER_EPOCH: Layout =
    fields(&[since(3, Fixed(4)), every(Array(&LEADER_EPOCH_TOPIC))]);
static LEADER_EPOCH_TOPIC: Layout = fields(&[every(Text), every(Array(&LEADER_EPOCH_PARTITION))]);
/// Partition, current epoch, epoch asked for.
static LEADER_EPOCH_PARTITION: Layout = fields(&[every(Fixed(4 + 4 + 4))]);

/// Resource type and name, pattern type, principal, host, operation and permission.
static DESCRIBE_ACLS: Layout = fields(&[
    every(Fixed(1)),
    every(Text),
    since(1, Fixed(1)),
    every(Text),
    every(Text),
    every(Fixed(1 + 1)),
]);

static ALTER_CONFIGS: Layout = fields(&[every(Array(&ALTER_RESOURCE)), every(Fixed(1))]);
static ALTER_RESOURCE: Layout =
    fields(&[every(Fixed(1)), every(Text), every(Array(&CREATE_CONFIG))]);

static INCREMENTAL_ALTER_CONFIGS: Layout =
    fields(&[every(Array(&INCREMENTAL_RESOURCE)), every(Fixed(1))]);
static INCREMENTAL_RESOURCE: Layout = fields(&[
    every(Fixed(1)),
    every(Text),
    every(Array(&INCREMENTAL_CONFIG)),
]);
static INCREMENTAL_CONFIG: Layout = fields(&[every(Text), every(Fixed(1)), every(Text)]);

/// A name and partitions of it.
static NAMED_PARTITIONS: Layout = fields(&[every(Text), every(FixedArray(4))]);
static DESCRIBE_LOG_DIRS: Layout = fields(&[every(Array(&NAMED_PARTITIONS))]);
static DESCRIBE_PRODUCERS: Layout = fields(&[every(Array(&NAMED_PARTITIONS))]);
static LIST_PARTITION_REASSIGNMENTS: Layout =
    fields(&[every(Fixed(4)), every(Array(&NAMED_PARTITIONS))]);

/// Topics, timeout and validate-only.
static CREATE_PARTITIONS: Layout = fields(&[every(Array(&MORE_PARTITIONS)), every(Fixed(4 + 1))]);
static MORE_PARTITIONS: Layout = fields(&[
    every(Text),
    every(Fixed(4)),
    every(Array(&MORE_PARTITIONS_ASSIGNMENT)),
]);
static MORE_PARTITIONS_ASSIGNMENT: Layout = fields(&[every(FixedArray(4))]);

static DESCRIBE_CLUSTER: Layout = fields(&[every(Fixed(1)), since(1, Fixed(1))]);

/// Topics, partitions in the answer, where to go on.
static DESCRIBE_TOPIC_PARTITIONS: Layout = fields(&[
    every(Array(&TOPIC_NAME)),
    every(Fixed(4)),
    every(Nullable(&TOPIC_CURSOR)),
]);
static TOPIC_NAME: Layout = fields(&[every(Text)]);
static TOPIC_CURSOR: Layout = fields(&[every(Text), every(Fixed(4))]);
