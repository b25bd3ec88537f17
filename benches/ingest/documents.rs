//! Documents that become rows, on one thread, without a log.

use std::sync::Arc;

use siltstone_ingest::decode::{Document, DocumentDecoder};
use storage::catalog::{Dynamic, Materialize, Topic};
use storage::model::{ColumnBatch, Mapping, Offset, PartitionId, TopicId, TopicName};

use crate::transactions::Transactions;

/// Rows of a batch, as the materializer publishes them.
pub(crate) const BATCH_ROWS: usize = 1 << 16;

/// Synthetic transactions.
pub(crate) fn transactions(count: usize) -> Vec<String> {
    let mut source = Transactions::default();
    let mut next = String::new();
    let mut make = || {
        source.write_next(&mut next);
        next.clone()
    };
    (0..count).map(|_| make()).collect()
}

/// Decodes `documents`, and hands over each batch of rows that is full.
pub(crate) fn decode(documents: &[String], mut take: impl FnMut(ColumnBatch)) {
    let mut decoder = DocumentDecoder::new(&topic());
    for (number, text) in documents.iter().enumerate() {
        let document = Document {
            partition: PartitionId(0),
            offset: Offset(number as u64),
            timestamp_ms: 0,
            id: None,
            source: text.as_bytes(),
        };
        decoder.decode(&document).expect("a document");
        if decoder.row_count() == BATCH_ROWS {
            take(decoder.finish().rows);
        }
    }
}

fn topic() -> Topic {
    Topic {
        id: TopicId(1),
        name: TopicName::parse("bench").expect("a name"),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: Default::default(),
        settings: Default::default(),
        dynamic: Dynamic::True,
        mapping: Arc::new(Mapping::default()),
        time_field: None,
        materialize: Materialize::Auto,
    }
}
