//! Little-endian integers and varints, with every read checked.

/// What is wrong with some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) struct Flaw(pub(in crate::segment) &'static str);

/// Longest varint: 128 bits in groups of seven.
const VARINT_BYTES_MAX: usize = 19;

/// Reads from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(in crate::segment) struct ByteReader<'a> {
    rest: &'a [u8],
}

impl<'a> ByteReader<'a> {
    pub(in crate::segment) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub(in crate::segment) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub(in crate::segment) fn take(&mut self, count: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Flaw("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Ends the reading; bytes left over are a flaw.
    pub(in crate::segment) fn finish(self) -> Result<(), Flaw> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Flaw("it has bytes behind its end"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Flaw("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(in crate::segment) fn u8(&mut self) -> Result<u8, Flaw> {
        self.array().map(u8::from_le_bytes)
    }

    pub(in crate::segment) fn u16(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_le_bytes)
    }

    pub(in crate::segment) fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }

    pub(in crate::segment) fn u64(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_le_bytes)
    }

    pub(in crate::segment) fn i16(&mut self) -> Result<i16, Flaw> {
        self.array().map(i16::from_le_bytes)
    }

    pub(in crate::segment) fn i64(&mut self) -> Result<i64, Flaw> {
        self.array().map(i64::from_le_bytes)
    }

    pub(in crate::segment) fn i128(&mut self) -> Result<i128, Flaw> {
        self.array().map(i128::from_le_bytes)
    }

    /// An unsigned integer in groups of seven bits, lowest first.
    pub(in crate::segment) fn varint(&mut self) -> Result<u128, Flaw> {
        // Nearly all are this short.
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u128::from(*byte));
        }
        let mut value = 0_u128;
        for group in 0..VARINT_BYTES_MAX {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            let shift = 7 * group;
            if shift + 7 > 128 && bits >> (128 - shift) != 0 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Flaw("a varint is too long"))
    }

    /// A varint that fits the wanted width.
    pub(in crate::segment) fn unsigned<T: TryFrom<u128>>(&mut self) -> Result<T, Flaw> {
        T::try_from(self.varint()?).map_err(|_| Flaw("a number is too large"))
    }

    /// A signed integer in zigzag form that fits the wanted width.
    pub(in crate::segment) fn signed<T: TryFrom<i128>>(&mut self) -> Result<T, Flaw> {
        let zigzag = self.varint()?;
        let value = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        T::try_from(value).map_err(|_| Flaw("a number is too large"))
    }

    /// A number of things of which each takes at least `bytes_min` of the bytes that follow, so
    /// that a lie cannot make anyone allocate.
    pub(in crate::segment) fn count(&mut self, bytes_min: usize) -> Result<usize, Flaw> {
        let count: usize = self.unsigned()?;
        if count > self.remaining() / bytes_min.max(1) {
            return Err(Flaw("a count is larger than what follows"));
        }
        Ok(count)
    }

    /// A text or other bytes behind their length.
    pub(in crate::segment) fn sized(&mut self) -> Result<&'a [u8], Flaw> {
        let length = self.unsigned()?;
        self.take(length)
    }
}

/// Appends what [`ByteReader`] reads.
pub(in crate::segment) trait ByteWriter {
    fn put(&mut self, bytes: &[u8]);
    fn put_varint(&mut self, value: u128);

    fn put_unsigned(&mut self, value: usize) {
        self.put_varint(value as u128);
    }

    fn put_signed(&mut self, value: i128) {
        self.put_varint((value << 1 ^ value >> 127).cast_unsigned());
    }

    fn put_sized(&mut self, bytes: &[u8]) {
        self.put_unsigned(bytes.len());
        self.put(bytes);
    }
}

impl ByteWriter for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_varint(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }
}
