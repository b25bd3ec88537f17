//! Stand-ins for partition logs and producer states until they come from the log module.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::disk::{AppendFile, Disk, FilePath};
use crate::log::{BatchHeader, Batches, RecordBatch};
use crate::model::{Offset, Partition};

#[derive(Debug, Clone, Copy, Default)]
pub struct LogOptions;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    bytes: u64,
}

#[derive(Debug, Error)]
#[error(transparent)]
pub struct LogError(#[from] io::Error);

#[derive(Debug)]
pub(super) struct PartitionLog(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    file: Box<dyn AppendFile>,
    batches: Vec<(BatchHeader, Bytes)>,
}

impl PartitionLog {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        partition: Partition,
        end: &LogEnd,
        _options: LogOptions,
    ) -> Result<Self, LogError> {
        let path = format!("log/{partition}/00000000000000000000.log");
        let path = FilePath::parse(&path).expect("plain");
        let mut file = match disk.append(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&path)?,
            result => result?,
        };
        disk.sync_directory(&path.parent().expect("in a folder"))?;
        file.truncate(end.bytes)?;
        let mut bytes = vec![0; usize::try_from(end.bytes).expect("small")];
        disk.open(&path)?.read_exact_at(0, &mut bytes)?;
        let batches = Batches::new(bytes.into()).map(|batch| {
            let batch = batch.map_err(io::Error::other)?;
            Ok((*batch.header(), batch.bytes().clone()))
        });
        let batches = batches.collect::<io::Result<Vec<_>>>()?;
        Ok(Self(Mutex::new(Inner { file, batches })))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panics")
    }

    pub(super) fn append(&self, batch: &RecordBatch) -> Result<(), LogError> {
        let mut inner = self.inner();
        inner.file.append(batch.bytes())?;
        inner.batches.push((*batch.header(), batch.bytes().clone()));
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<LogEnd, LogError> {
        let mut inner = self.inner();
        inner.file.sync()?;
        Ok(LogEnd {
            bytes: inner.file.len_bytes(),
        })
    }

    pub(super) fn start(&self) -> Offset {
        Offset(0)
    }

    pub(super) fn end(&self) -> Offset {
        let inner = self.inner();
        inner
            .batches
            .last()
            .map_or_else(Offset::default, |(header, _)| header.next_offset())
    }

    pub(super) fn read(
        &self,
        from: Offset,
        end: Offset,
        bytes_max: usize,
    ) -> Result<Bytes, LogError> {
        let inner = self.inner();
        let mut out = BytesMut::new();
        for (header, bytes) in &inner.batches {
            if header.next_offset() <= from || header.next_offset() > end {
                continue;
            }
            if !out.is_empty() && out.len() + bytes.len() > bytes_max {
                break;
            }
            out.extend_from_slice(bytes);
        }
        Ok(out.freeze())
    }

    pub(super) fn offset_at_time(&self, time_ms: i64) -> Result<Option<(Offset, i64)>, LogError> {
        let inner = self.inner();
        let found = inner
            .batches
            .iter()
            .find(|(header, _)| header.max_timestamp_ms >= time_ms);
        Ok(found.map(|(header, _)| (header.base_offset, header.max_timestamp_ms)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProducerError {
    #[error("sequence {found} of producer {producer_id} does not follow {expected}")]
    OutOfOrderSequence {
        producer_id: i64,
        expected: i32,
        found: i32,
    },
    #[error("epoch {found} of producer {producer_id} is older than {current}")]
    InvalidProducerEpoch {
        producer_id: i64,
        current: i16,
        found: i16,
    },
}

pub(super) enum ProducerCheck {
    Accept,
    Duplicate { base: Offset },
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ProducerStates(BTreeMap<i64, (i16, VecDeque<(i32, i32, Offset)>)>);

impl ProducerStates {
    pub(super) fn check(&self, header: &BatchHeader) -> Result<ProducerCheck, ProducerError> {
        if header.producer_id < 0 {
            return Ok(ProducerCheck::Accept);
        }
        let producer_id = header.producer_id;
        let mut expected = 0;
        if let Some((epoch, last)) = self.0.get(&producer_id) {
            if header.producer_epoch < *epoch {
                return Err(ProducerError::InvalidProducerEpoch {
                    producer_id,
                    current: *epoch,
                    found: header.producer_epoch,
                });
            }
            if header.producer_epoch == *epoch {
                for (first, end, base) in last {
                    if *first == header.base_sequence && *end == header.last_sequence() {
                        return Ok(ProducerCheck::Duplicate { base: *base });
                    }
                }
                expected = last
                    .back()
                    .map_or(0, |(_, end, _)| end.wrapping_add(1) & i32::MAX);
            }
        } else {
            return Ok(ProducerCheck::Accept);
        }
        match header.base_sequence == expected {
            true => Ok(ProducerCheck::Accept),
            false => Err(ProducerError::OutOfOrderSequence {
                producer_id,
                expected,
                found: header.base_sequence,
            }),
        }
    }

    pub(super) fn expire(&mut self, _now_ms: i64) {}

    pub(super) fn apply(&mut self, header: &BatchHeader) {
        if header.producer_id < 0 {
            return;
        }
        let entry = self.0.entry(header.producer_id).or_default();
        if entry.0 != header.producer_epoch {
            *entry = (header.producer_epoch, VecDeque::new());
        }
        if entry.1.len() == 5 {
            entry.1.pop_front();
        }
        entry.1.push_back((
            header.base_sequence,
            header.last_sequence(),
            header.base_offset,
        ));
    }
}
