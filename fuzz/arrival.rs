//! What Kafka clients send: frames, batches, documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ingest::decode::{Document, DocumentDecoder};
use storage::catalog::{Dynamic, Materialize, Topic};
use storage::log::{DecompressionBuffer, RecordBatch};
use storage::model::{Field, FieldType, Mapping, Offset, PartitionId, TopicId, TopicName};

/// A Kafka request frame.
pub fn wire_request(input: &[u8]) {
    // Either answer will do; what counts is that there is one.
    let _ = ingest::wire::decode_request(&Bytes::copy_from_slice(input));
}

/// A record batch of a producer: parsed, and every record of it read.
pub fn record_batch(input: &[u8]) {
    let Ok(batch) = RecordBatch::parse(Bytes::copy_from_slice(input)) else {
        return;
    };
    let mut buffer = DecompressionBuffer::default();
    let Ok(records) = batch.records(&mut buffer) else {
        return;
    };
    for record in records {
        if record.is_err() {
            return;
        }
    }
}

/// A document, decoded twice by a decoder that knows a field of each type: what the first one
/// teaches must hold for the second. Rows and rejections together are the documents.
///
/// # Panics
/// When a document is lost.
pub fn document(input: &[u8], dynamic: Dynamic) {
    let mut decoder = DocumentDecoder::new(&topic(dynamic));
    let mut rejected = 0;
    for offset in 0..2 {
        let decoded = decoder.decode(&Document {
            partition: PartitionId(0),
            offset: Offset(offset),
            timestamp_ms: 1_500_000_000_000,
            id: None,
            source: input,
        });
        rejected += usize::from(decoded.is_err());
    }
    assert_eq!(decoder.finish().rows.row_count() + rejected, 2);
}

/// A topic with a field of each type.
pub(crate) fn topic(dynamic: Dynamic) -> Topic {
    let mut mapping = Mapping::default();
    for (path, field_type) in [
        ("date", FieldType::Date),
        ("nanos", FieldType::DateNanos),
        ("keyword", FieldType::Keyword),
        ("text", FieldType::Text),
        ("long", FieldType::Long),
        ("double", FieldType::Double),
        ("flag", FieldType::Boolean),
        ("ip", FieldType::Ip),
    ] {
        mapping.fields.insert(path.into(), Field::new(field_type));
    }
    Topic {
        id: TopicId(1),
        name: TopicName::parse("fuzz").expect("a plain name"),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: BTreeMap::new(),
        settings: BTreeMap::new(),
        dynamic,
        mapping: Arc::new(mapping),
        time_field: None,
        materialize: Materialize::Auto,
    }
}
