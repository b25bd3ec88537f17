//! Reads numbers and lengths from bytes that nobody vouches for.

use super::request::WireError;

/// The unread rest of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(WireError::Truncated {
                wanted: count,
                left: self.rest.len(),
            })?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated {
                wanted: N,
                left: self.rest.len(),
            })?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn i8(&mut self) -> Result<i8, WireError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(super) fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// An unsigned varint of up to five bytes. One whose value passes 32 bits is refused.
    pub(super) fn varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| WireError::Varint);
            }
        }
        Err(WireError::Varint)
    }

    /// A length of two bytes; `None` is null.
    pub(super) fn length_i16(&mut self) -> Result<Option<usize>, WireError> {
        length(i64::from(self.i16()?))
    }

    /// A length of four bytes; `None` is null.
    pub(super) fn length_i32(&mut self) -> Result<Option<usize>, WireError> {
        length(i64::from(self.i32()?))
    }

    /// A compact length, one more than what it says; `None` (zero) is null.
    pub(super) fn length_compact(&mut self) -> Result<Option<usize>, WireError> {
        length(i64::from(self.varint()?) - 1)
    }
}

fn length(value: i64) -> Result<Option<usize>, WireError> {
    match value {
        -1 => Ok(None),
        length => usize::try_from(length)
            .map(Some)
            .map_err(|_| WireError::NegativeLength { length }),
    }
}
