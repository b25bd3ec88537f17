//! The layouts of requests about transactions.

use super::layout::{Layout, Shape};
use super::layouts::{every, fields, since};
use Shape::{Array, Fixed, FixedArray, Text, TextArray};

/// Transactional id, producer id and epoch, topics.
pub(super) static ADD_PARTITIONS_TO_TXN: Layout = fields(&[
    every(Text),
    every(Fixed(8 + 2)),
    every(Array(&NAMED_PARTITIONS)),
]);
static NAMED_PARTITIONS: Layout = fields(&[every(Text), every(FixedArray(4))]);

/// Transactional id, producer id and epoch, group.
pub(super) static ADD_OFFSETS_TO_TXN: Layout =
    fields(&[every(Text), every(Fixed(8 + 2)), every(Text)]);

/// Transactional id, producer id and epoch, whether it counts.
pub(super) static END_TXN: Layout = fields(&[every(Text), every(Fixed(8 + 2 + 1))]);

pub(super) static WRITE_TXN_MARKERS: Layout = fields(&[every(Array(&MARKER))]);
/// Producer id and epoch, whether it counts, topics, epoch of the coordinator.
static MARKER: Layout = fields(&[
    every(Fixed(8 + 2 + 1)),
    every(Array(&NAMED_PARTITIONS)),
    every(Fixed(4)),
]);

/// Transactional id, group, producer id and epoch, generation, member, instance, topics.
pub(super) static TXN_OFFSET_COMMIT: Layout = fields(&[
    every(Text),
    every(Text),
    every(Fixed(8 + 2)),
    since(3, Fixed(4)),
    since(3, Text),
    since(3, Text),
    every(Array(&COMMIT_TOPIC)),
]);
static COMMIT_TOPIC: Layout = fields(&[every(Text), every(Array(&COMMIT_PARTITION))]);
/// Partition and offset, leader epoch, metadata.
static COMMIT_PARTITION: Layout = fields(&[every(Fixed(4 + 8)), since(2, Fixed(4)), every(Text)]);

pub(super) static DESCRIBE_TRANSACTIONS: Layout = fields(&[every(TextArray)]);

/// States, producer ids, duration.
pub(super) static LIST_TRANSACTIONS: Layout =
    fields(&[every(TextArray), every(FixedArray(8)), since(1, Fixed(8))]);
