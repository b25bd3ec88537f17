//! The records inside a batch, borrowed from its bytes.

use super::cursor::{Cursor, Short};
use super::header::{BatchError, BatchHeader, RecordFault};
use crate::model::Offset;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its time.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; without one it is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, in the producer's order.
    pub headers: Headers<'a>,
}

/// The headers of a record, checked already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, UTF-8 by agreement among the clients.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Walks over the records of one batch. After an error there is no next record.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    header: BatchHeader,
    rest: Cursor<'a>,
    index: u32,
    /// Distance of the last record's offset from the base, -1 before the first one.
    last_delta: i64,
}

impl<'a> Records<'a> {
    pub(super) fn new(header: &BatchHeader, body: &'a [u8]) -> Self {
        Self {
            header: *header,
            rest: Cursor::new(body),
            index: 0,
            last_delta: -1,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordFault> {
        let len = usize::try_from(self.rest.varint()?).map_err(|_| RecordFault::Short)?;
        let mut record = Cursor::new(self.rest.take(len)?);
        let _attributes = record.i8()?;
        let time_delta_ms = record.varlong()?;
        let offset_delta = i64::from(record.varint()?);
        let key = record.nullable()?;
        let value = record.nullable()?;
        let headers = Headers::read(&mut record)?;
        if !record.rest().is_empty() {
            return Err(RecordFault::Trailing);
        }
        if offset_delta <= self.last_delta
            || offset_delta > i64::from(self.header.last_offset_delta)
        {
            return Err(RecordFault::Offset);
        }
        self.last_delta = offset_delta;
        let timestamp_ms = if self.header.is_log_append_time() {
            self.header.max_timestamp_ms
        } else {
            let time_ms = self.header.base_timestamp_ms.checked_add(time_delta_ms);
            time_ms.ok_or(RecordFault::Time)?
        };
        let offset = self.header.base_offset.plus(offset_delta.cast_unsigned());
        Ok(Record {
            offset,
            timestamp_ms,
            key,
            value,
            headers,
        })
    }
}

impl<'a> Records<'a> {
    /// The next record, and its bytes as they stand in the batch.
    pub(super) fn next_with_bytes(&mut self) -> Option<Result<(Record<'a>, &'a [u8]), BatchError>> {
        let before = self.rest.rest();
        let record = self.next()?;
        let len = before.len() - self.rest.rest().len();
        Some(record.map(|record| (record, &before[..len])))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.header.record_count {
            return None;
        }
        let index = self.index;
        self.index += 1;
        let mut result = self.read();
        let is_last = self.index == self.header.record_count;
        if result.is_ok() && is_last && !self.rest.rest().is_empty() {
            result = Err(RecordFault::NotLast);
        }
        if result.is_err() {
            self.index = self.header.record_count;
        }
        Some(result.map_err(|fault| BatchError::Record { index, fault }))
    }
}

impl<'a> Headers<'a> {
    /// Reads the headers of a record to their end, so that walking over them cannot fail.
    fn read(record: &mut Cursor<'a>) -> Result<Self, RecordFault> {
        let count = u32::try_from(record.varint()?).map_err(|_| RecordFault::Short)?;
        let bytes = record.rest();
        // Each header takes two bytes at least, so that a false count ends with the bytes.
        for _ in 0..count {
            read_header(record)?;
        }
        Ok(Self { count, bytes })
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        usize::try_from(self.count).expect("each header took bytes of a slice")
    }

    /// The headers in the producer's order.
    pub fn iter(self) -> impl Iterator<Item = Header<'a>> {
        let mut cursor = Cursor::new(self.bytes);
        (0..self.count).map(move |_| read_header(&mut cursor).expect("headers were checked"))
    }

    /// The value of the last header named `key`, as clients look headers up.
    #[must_use]
    pub fn last(self, key: &[u8]) -> Option<Option<&'a [u8]>> {
        self.iter()
            .filter(|header| header.key == key)
            .last()
            .map(|header| header.value)
    }
}

fn read_header<'a>(cursor: &mut Cursor<'a>) -> Result<Header<'a>, Short> {
    let key = cursor.nullable()?.ok_or(Short)?;
    let value = cursor.nullable()?;
    Ok(Header { key, value })
}

impl From<Short> for RecordFault {
    fn from(_: Short) -> Self {
        Self::Short
    }
}
