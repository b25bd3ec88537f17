//! Reading numbers from bytes that may lie about their own length.

/// What is left to read. Every method checks that the bytes are there and takes them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

/// The bytes ended early, or a variable-length number did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn i8(&mut self) -> Result<i8, Short> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Short> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Short> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Short> {
        self.array().map(i64::from_be_bytes)
    }

    /// A zig-zag number of up to ten bytes, lowest seven bits first.
    pub(super) fn varlong(&mut self) -> Result<i64, Short> {
        let mut folded = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(Short);
            }
            folded |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed());
            }
        }
        Err(Short)
    }

    /// A zig-zag number that fits 32 bits.
    pub(super) fn varint(&mut self) -> Result<i32, Short> {
        i32::try_from(self.varlong()?).map_err(|_| Short)
    }

    /// Bytes behind their length; a length of -1 means none.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, Short> {
        match self.varint()? {
            -1 => Ok(None),
            len => self
                .take(usize::try_from(len).map_err(|_| Short)?)
                .map(Some),
        }
    }
}

/// Writes what [`Cursor::varlong`] reads.
pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut folded = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while folded >= 0x80 {
        out.push(0x80 | u8::try_from(folded & 0x7f).expect("seven bits fit a byte"));
        folded >>= 7;
    }
    out.push(u8::try_from(folded).expect("less than eight bits are left"));
}

/// Writes what [`Cursor::nullable`] reads.
pub(super) fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(out, -1),
        Some(bytes) => {
            put_varlong(
                out,
                i64::try_from(bytes.len()).expect("no slice is longer than i64"),
            );
            out.extend_from_slice(bytes);
        }
    }
}
