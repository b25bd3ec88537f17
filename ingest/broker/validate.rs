//! What a batch must be before it may enter the log.
//!
//! The order of the checks is Kafka's, so that a batch with several faults gets Kafka's answer.
//! Records are read once, decompressed when they must be: what cannot be read is refused here and
//! never met by a consumer. The bytes themselves stay as they came.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use storage::log::{BATCH_HEADER_BYTES, BatchError, DecompressionBuffer, Record, RecordBatch};

use super::configs::AppendRules;
use super::refusal::Refusal;
use crate::wire::KafkaError;

/// Where a batch's format number stands, in every format that there was.
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// "No time", in records.
const NO_TIMESTAMP: i64 = -1;

/// Most records whose faults are told one by one.
const RECORD_FAULTS_MAX: usize = 100;
/// Most records whose faults are told in the message, as in Kafka.
const RECORD_FAULTS_TOLD: usize = 3;

/// Buffers to decompress into, one for each batch that is being checked.
#[derive(Debug, Default)]
pub(super) struct Scratches {
    free: Mutex<Vec<DecompressionBuffer>>,
}

/// Most buffers that are kept while nobody uses them.
const SCRATCHES_KEPT_MAX: usize = 4;

impl Scratches {
    fn with<T>(&self, work: impl FnOnce(&mut DecompressionBuffer) -> T) -> T {
        let mut scratch = self.lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        let mut free = self.lock();
        if free.len() < SCRATCHES_KEPT_MAX {
            free.push(scratch);
        }
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<DecompressionBuffer>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a batch may not enter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) refusal: Refusal,
    /// Records at fault, by index.
    pub(super) records: Vec<RecordError>,
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordError {
    pub(super) index: i32,
    pub(super) message: String,
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, message } = self;
        write!(
            formatter,
            "RecordError(batchIndex={index}, message='{message}')"
        )
    }
}

impl From<Refusal> for Invalid {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            records: Vec::new(),
        }
    }
}

impl From<KafkaError> for Invalid {
    fn from(error: KafkaError) -> Self {
        Refusal::from(error).into()
    }
}

fn invalid_record(message: impl Into<String>) -> Invalid {
    Refusal::new(KafkaError::InvalidRecord, message).into()
}

/// Checks the records that a client sent for `place`, the partition as messages name it.
pub(super) fn check_batch(
    records: Bytes,
    rules: &AppendRules,
    place: &Place<'_>,
    scratches: &Scratches,
    now_ms: i64,
) -> Result<RecordBatch, Invalid> {
    check_frame(&records)?;
    let bytes = records.len();
    if bytes > rules.batch_bytes_max {
        let message = format!(
            "The record batch size in the append to {place} is {bytes} bytes which exceeds the \
             maximum configured value of {}.",
            rules.batch_bytes_max
        );
        return Err(Refusal::new(KafkaError::MessageTooLarge, message).into());
    }
    let batch = RecordBatch::parse(records).map_err(|error| refuse(&error))?;
    let header = batch.header();
    header.check_from_client().map_err(|error| refuse(&error))?;
    if header.record_count == 0 {
        return Err(invalid_record("record batch holds no record"));
    }
    if header.is_log_append_time() && !rules.log_append_time {
        let message = "Invalid timestamp type in message. Producer should not set timestamp type \
                       to LogAppendTime.";
        return Err(Refusal::new(KafkaError::InvalidTimestamp, message).into());
    }
    scratches.with(|scratch| check_records(&batch, rules, place, scratch, now_ms))?;
    if bytes > rules.file_bytes_max {
        let message = format!(
            "Message batch size is {bytes} bytes in append to partition {place}, which exceeds \
             the maximum configured segment size of {}.",
            rules.file_bytes_max
        );
        return Err(Refusal::new(KafkaError::RecordListTooLarge, message).into());
    }
    match rules.codec {
        Some(codec) if codec != batch.header().codec => {
            let written = scratches.with(|scratch| batch.rewritten(codec, scratch, |_| true));
            written.map_err(|error| refuse(&error))
        }
        Some(_) | None => Ok(batch),
    }
}

/// A partition by the names that clients know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) index: i32,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.index)
    }
}

/// Exactly one batch of format 2, by its first bytes.
fn check_frame(records: &Bytes) -> Result<(), Invalid> {
    match records.get(MAGIC_AT) {
        Some(&MAGIC) => {}
        Some(magic) if *magic < MAGIC => {
            return Err(invalid_record(format!(
                "record batch has message format {magic}, only format 2 is supported"
            )));
        }
        Some(magic) => {
            let message = format!("Invalid magic found in record: {magic}");
            return Err(Refusal::new(KafkaError::CorruptMessage, message).into());
        }
        None => return Err(invalid_record("produce request holds no record batch")),
    }
    if records.len() < BATCH_HEADER_BYTES {
        return Err(invalid_record("record batch is shorter than its header"));
    }
    Ok(())
}

/// Kafka's answer to a batch that is none.
fn refuse(error: &BatchError) -> Invalid {
    let code = match error {
        BatchError::Checksum { .. } | BatchError::Length { .. } => KafkaError::CorruptMessage,
        // Kafka's own, odd as they are.
        BatchError::UnknownCodec { .. } | BatchError::Decompress { .. } => {
            KafkaError::UnknownServerError
        }
        BatchError::TooLarge { .. } => KafkaError::MessageTooLarge,
        BatchError::Unnumbered { producer_epoch, .. } if *producer_epoch < 0 => {
            KafkaError::InvalidProducerEpoch
        }
        BatchError::Unnumbered { .. }
        | BatchError::Truncated { .. }
        | BatchError::Trailing { .. }
        | BatchError::Magic { .. }
        | BatchError::Offsets { .. }
        | BatchError::Count { .. }
        | BatchError::ControlFromClient
        | BatchError::Record { .. }
        | BatchError::Full { .. } => KafkaError::InvalidRecord,
    };
    Refusal::new(code, error.to_string()).into()
}

fn check_records(
    batch: &RecordBatch,
    rules: &AppendRules,
    place: &Place<'_>,
    scratch: &mut DecompressionBuffer,
    now_ms: i64,
) -> Result<(), Invalid> {
    let mut faults = Faults::default();
    for (index, record) in batch
        .records(scratch)
        .map_err(|error| refuse(&error))?
        .enumerate()
    {
        let record = record.map_err(|error| refuse(&error))?;
        if let Some((error, message)) = record_fault(index, &record, rules, place, now_ms) {
            faults.add(index, error, message);
        }
    }
    faults.finish()
}

fn record_fault(
    index: usize,
    record: &Record<'_>,
    rules: &AppendRules,
    place: &Place<'_>,
    now_ms: i64,
) -> Option<(KafkaError, String)> {
    if rules.compacted && record.key.is_none() {
        let message =
            format!("Compacted topic cannot accept message without key in topic partition {place}");
        return Some((KafkaError::InvalidRecord, message));
    }
    let time_ms = record.timestamp_ms;
    if rules.log_append_time || time_ms == NO_TIMESTAMP {
        return None;
    }
    let first_ms = now_ms.saturating_sub(rules.before_ms_max);
    let last_ms = now_ms.saturating_add(rules.after_ms_max);
    if (first_ms..=last_ms).contains(&time_ms) {
        return None;
    }
    let message = format!(
        "Timestamp {time_ms} of message with offset {index} is out of range. The timestamp \
         should be within [{first_ms}, {last_ms}]"
    );
    Some((KafkaError::InvalidTimestamp, message))
}

/// Records at fault, told in Kafka's way.
#[derive(Debug, Default)]
struct Faults {
    first: Option<KafkaError>,
    told: Vec<RecordError>,
    count: usize,
}

impl Faults {
    fn add(&mut self, index: usize, error: KafkaError, message: String) {
        self.first.get_or_insert(error);
        self.count += 1;
        if self.told.len() < RECORD_FAULTS_MAX {
            let index = i32::try_from(index).expect("a batch counts its records in 31 bits");
            self.told.push(RecordError { index, message });
        }
    }

    fn finish(self) -> Result<(), Invalid> {
        let Some(error) = self.first else {
            return Ok(());
        };
        let message = if error == KafkaError::InvalidTimestamp {
            "One or more records have been rejected due to invalid timestamp".to_owned()
        } else {
            let told: Vec<String> = self
                .told
                .iter()
                .take(RECORD_FAULTS_TOLD)
                .map(ToString::to_string)
                .collect();
            format!(
                "One or more records have been rejected due to {} record errors in total, and \
                 only showing the first three errors at most: [{}]",
                self.count,
                told.join(", ")
            )
        };
        Err(Invalid {
            refusal: Refusal::new(error, message),
            records: self.told,
        })
    }
}
