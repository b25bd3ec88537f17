//! The layouts of requests about groups.

use super::layout::{Layout, Shape};
use super::layouts::{between, every, fields, since, until};
use Shape::{Array, Bytes, Fixed, FixedArray, Text, TextArray};

/// Key, its type, keys.
pub(super) static FIND_COORDINATOR: Layout =
    fields(&[until(3, Text), since(1, Fixed(1)), since(4, TextArray)]);

/// Group, session and rebalance timeouts, member, instance, protocol type, protocols, reason.
pub(super) static JOIN_GROUP: Layout = fields(&[
    every(Text),
    every(Fixed(4)),
    since(1, Fixed(4)),
    every(Text),
    since(5, Text),
    every(Text),
    every(Array(&NAMED_BYTES)),
    since(8, Text),
]);
static NAMED_BYTES: Layout = fields(&[every(Text), every(Bytes)]);

/// Group, generation, member, instance, protocol type and name, assignments.
pub(super) static SYNC_GROUP: Layout = fields(&[
    every(Text),
    every(Fixed(4)),
    every(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    every(Array(&NAMED_BYTES)),
]);

/// Group, generation, member, instance.
pub(super) static HEARTBEAT: Layout =
    fields(&[every(Text), every(Fixed(4)), every(Text), since(3, Text)]);

/// Group, member, members.
pub(super) static LEAVE_GROUP: Layout = fields(&[
    every(Text),
    until(2, Text),
    since(3, Array(&LEAVING_MEMBER)),
]);
static LEAVING_MEMBER: Layout = fields(&[every(Text), every(Text), since(5, Text)]);

/// Group, generation, member, instance, retention, topics.
pub(super) static OFFSET_COMMIT: Layout = fields(&[
    every(Text),
    every(Fixed(4)),
    every(Text),
    since(7, Text),
    between(2, 4, Fixed(8)),
    every(Array(&COMMIT_TOPIC)),
]);
static COMMIT_TOPIC: Layout = fields(&[every(Text), every(Array(&COMMIT_PARTITION))]);
/// Partition and offset, leader epoch, metadata.
static COMMIT_PARTITION: Layout = fields(&[every(Fixed(4 + 8)), since(6, Fixed(4)), every(Text)]);

/// Group and topics, groups, whether to wait for transactions.
pub(super) static OFFSET_FETCH: Layout = fields(&[
    until(7, Text),
    until(7, Array(&COMMITTED_TOPIC)),
    since(8, Array(&COMMITTED_GROUP)),
    since(7, Fixed(1)),
]);
static COMMITTED_GROUP: Layout = fields(&[
    every(Text),
    since(9, Text),
    since(9, Fixed(4)),
    every(Array(&COMMITTED_TOPIC)),
]);
static COMMITTED_TOPIC: Layout = fields(&[every(Text), every(FixedArray(4))]);

pub(super) static DESCRIBE_GROUPS: Layout = fields(&[every(TextArray), since(3, Fixed(1))]);

/// States and types.
pub(super) static LIST_GROUPS: Layout = fields(&[since(4, TextArray), since(5, TextArray)]);

pub(super) static DELETE_GROUPS: Layout = fields(&[every(TextArray)]);

pub(super) static OFFSET_DELETE: Layout =
    fields(&[every(Text), every(Array(&OFFSET_DELETE_TOPIC))]);
static OFFSET_DELETE_TOPIC: Layout = fields(&[every(Text), every(FixedArray(4))]);

/// Group, member, epoch, instance, rack, rebalance timeout, names, pattern, assignor, partitions.
pub(super) static CONSUMER_GROUP_HEARTBEAT: Layout = fields(&[
    every(Text),
    every(Text),
    every(Fixed(4)),
    every(Text),
    every(Text),
    every(Fixed(4)),
    every(TextArray),
    since(1, Text),
    every(Text),
    every(Array(&OWNED_TOPIC)),
]);
/// Topic id, partitions.
static OWNED_TOPIC: Layout = fields(&[every(Fixed(16)), every(FixedArray(4))]);

/// Groups, whether to tell what is allowed.
pub(super) static CONSUMER_GROUP_DESCRIBE: Layout = fields(&[every(TextArray), every(Fixed(1))]);
