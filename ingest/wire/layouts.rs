//! The layout of every request that is served, as in Kafka's message definitions.

use super::api::Api;
use super::layout::{Field, Layout, Shape};
use Shape::{Array, Bytes, Fixed, FixedArray, Struct, Text, TextArray};

/// The layout of the API's request.
pub(super) fn of(api: Api) -> &'static Layout {
    match api {
        Api::Produce => &PRODUCE,
        Api::Fetch => &FETCH,
        Api::ListOffsets => &LIST_OFFSETS,
        Api::Metadata => &METADATA,
        Api::ApiVersions => &API_VERSIONS,
        Api::CreateTopics => &CREATE_TOPICS,
        Api::DeleteTopics => &DELETE_TOPICS,
        Api::InitProducerId => &INIT_PRODUCER_ID,
        Api::DescribeConfigs => &DESCRIBE_CONFIGS,
    }
}

const fn every(shape: Shape) -> Field {
    Field {
        from: 0,
        to: i16::MAX,
        shape,
    }
}

const fn since(from: i16, shape: Shape) -> Field {
    Field {
        from,
        to: i16::MAX,
        shape,
    }
}

const fn until(to: i16, shape: Shape) -> Field {
    Field { from: 0, to, shape }
}

const fn between(from: i16, to: i16, shape: Shape) -> Field {
    Field { from, to, shape }
}

const fn fields(fields: &'static [Field]) -> Layout {
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
