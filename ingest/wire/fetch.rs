//! Fetch responses, written so that stored batches are never copied.

use bytes::{BufMut, Bytes, BytesMut};

use super::KafkaError;
use super::response::error_code;

/// First version with compact lengths and tagged fields.
const FLEXIBLE_FROM: i16 = 12;

/// What a fetch found. The session id is always 0: no fetch session is granted.
#[derive(Debug, Clone, Default)]
pub struct FetchResponse {
    /// An error of the request as a whole.
    pub error: Option<KafkaError>,
    /// The topics in the order of the request.
    pub topics: Vec<FetchedTopic>,
}

/// One topic of a [`FetchResponse`].
#[derive(Debug, Clone)]
pub struct FetchedTopic {
    /// The name as the client wrote it; sent up to version 12.
    pub name: String,
    /// Its id; sent from version 13.
    pub uuid: [u8; 16],
    /// Its partitions in the order of the request.
    pub partitions: Vec<FetchedPartition>,
}

/// One partition of a [`FetchedTopic`].
#[derive(Debug, Clone)]
pub struct FetchedPartition {
    /// Its number.
    pub index: i32,
    /// Why it has no records.
    pub error: Option<KafkaError>,
    /// First offset that is not durable; -1 with an error.
    pub high_watermark: i64,
    /// First offset of a transaction that is open, or the high watermark; -1 with an error.
    pub last_stable: i64,
    /// First offset that is kept; -1 with an error.
    pub log_start: i64,
    /// Producer and first offset of each aborted transaction that has some of the records; `None`
    /// when the client did not ask.
    pub aborted: Option<Vec<(i64, i64)>>,
    /// Stored batches as they are.
    pub records: Bytes,
}

impl FetchedPartition {
    /// A partition that cannot be read.
    #[must_use]
    pub fn refused(index: i32, error: KafkaError) -> Self {
        Self {
            index,
            error: Some(error),
            high_watermark: -1,
            last_stable: -1,
            aborted: None,
            log_start: -1,
            records: Bytes::new(),
        }
    }
}

/// The body of a response of `version` as pieces: what is written here, and between it the
/// records.
pub(super) fn encode(response: &FetchResponse, version: i16) -> Vec<Bytes> {
    let mut out = Pieces {
        written: BytesMut::with_capacity(256),
        done: Vec::new(),
    };
    let flexible = version >= FLEXIBLE_FROM;
    // Throttle time.
    out.written.put_i32(0);
    if version >= 7 {
        out.written.put_i16(error_code(response.error));
        // Session id.
        out.written.put_i32(0);
    }
    put_count(&mut out.written, response.topics.len(), flexible);
    for topic in &response.topics {
        put_topic(&mut out, topic, version);
    }
    if flexible {
        put_no_tags(&mut out.written);
    }
    out.finish()
}

fn put_topic(out: &mut Pieces, topic: &FetchedTopic, version: i16) {
    let flexible = version >= FLEXIBLE_FROM;
    if version >= 13 {
        out.written.put_slice(&topic.uuid);
    } else {
        put_text(&mut out.written, &topic.name, flexible);
    }
    put_count(&mut out.written, topic.partitions.len(), flexible);
    for partition in &topic.partitions {
        put_partition(out, partition, version);
    }
    if flexible {
        put_no_tags(&mut out.written);
    }
}

fn put_partition(out: &mut Pieces, partition: &FetchedPartition, version: i16) {
    let flexible = version >= FLEXIBLE_FROM;
    let written = &mut out.written;
    written.put_i32(partition.index);
    written.put_i16(error_code(partition.error));
    written.put_i64(partition.high_watermark);
    written.put_i64(partition.last_stable);
    if version >= 5 {
        written.put_i64(partition.log_start);
    }
    put_aborted(written, partition.aborted.as_deref(), flexible);
    if version >= 11 {
        // No preferred replica.
        written.put_i32(-1);
    }
    put_count(written, partition.records.len(), flexible);
    out.append(&partition.records);
    if flexible {
        put_no_tags(&mut out.written);
    }
}

fn put_aborted(out: &mut BytesMut, aborted: Option<&[(i64, i64)]>, flexible: bool) {
    let Some(aborted) = aborted else {
        return match flexible {
            true => out.put_u8(0),
            false => out.put_i32(-1),
        };
    };
    put_count(out, aborted.len(), flexible);
    for (producer_id, first) in aborted {
        out.put_i64(*producer_id);
        out.put_i64(*first);
        if flexible {
            put_no_tags(out);
        }
    }
}

fn put_count(out: &mut BytesMut, count: usize, flexible: bool) {
    let count = u32::try_from(count).expect("responses are bounded far below 4 GiB");
    if flexible {
        put_varint(out, count + 1);
    } else {
        out.put_u32(count);
    }
}

fn put_text(out: &mut BytesMut, text: &str, flexible: bool) {
    if flexible {
        put_count(out, text.len(), flexible);
    } else {
        let length = i16::try_from(text.len()).expect("the request's own name had such a length");
        out.put_i16(length);
    }
    out.put_slice(text.as_bytes());
}

fn put_no_tags(out: &mut BytesMut) {
    out.put_u8(0);
}

fn put_varint(out: &mut BytesMut, mut value: u32) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

/// Written bytes and shared bytes in turn.
struct Pieces {
    written: BytesMut,
    done: Vec<Bytes>,
}

impl Pieces {
    fn append(&mut self, shared: &Bytes) {
        if !shared.is_empty() {
            self.done.push(self.written.split().freeze());
            self.done.push(shared.clone());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.done.push(self.written.freeze());
        self.done
    }
}
