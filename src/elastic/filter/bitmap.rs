//! Bitmaps as values of `terms`: Roaring's portable format in base64.

/// Most numbers of a bitmap.
const NUMBERS_MAX: usize = 4 << 20;

/// First word of a bitmap without runs.
const COOKIE_PLAIN: u32 = 12_346;

/// Lower half of the first word of a bitmap that may have runs.
const COOKIE_RUNS: u32 = 12_347;

/// With fewer containers, a bitmap with runs has no offsets.
const CONTAINERS_WITHOUT_OFFSETS: usize = 4;

/// A container of more numbers than this is a field of bits.
const LIST_MAX: usize = 4_096;

/// Words of a field of bits.
const FIELD_BYTES: usize = 8_192;

/// The numbers of a bitmap in base64: of 32 bits, or of 64 bits by their upper halves.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn numbers(text: &str) -> Result<Vec<i64>, String> {
    let bytes = base64(text).ok_or("it is no base64")?;
    let mut narrow = Vec::new();
    let mut reader = Reader(&bytes);
    match bitmap(&mut reader, 0, &mut narrow) {
        Ok(()) if reader.0.is_empty() => Ok(narrow),
        _other => wide(&bytes),
    }
}

/// So many bitmaps, each behind the upper half of its numbers.
fn wide(bytes: &[u8]) -> Result<Vec<i64>, String> {
    let mut reader = Reader(bytes);
    let mut numbers = Vec::new();
    let count = reader.u64()?;
    if count > bytes.len() as u64 {
        return Err("it is cut off".into());
    }
    for _ in 0..count {
        let upper = i64::from(reader.u32()?);
        bitmap(&mut reader, upper << 32, &mut numbers)?;
    }
    match reader.0 {
        [] => Ok(numbers),
        _rest => Err("it goes on behind its end".into()),
    }
}

fn bitmap(reader: &mut Reader<'_>, upper: i64, numbers: &mut Vec<i64>) -> Result<(), String> {
    let cookie = reader.u32()?;
    let (count, runs) = if cookie == COOKIE_PLAIN {
        (reader.u32()? as usize, Vec::new())
    } else if cookie & 0xffff == COOKIE_RUNS {
        let count = (cookie >> 16) as usize + 1;
        (count, reader.take(count.div_ceil(8))?.to_vec())
    } else {
        return Err("it is no bitmap".into());
    };
    if count > 1 << 16 {
        return Err("it has too many containers".into());
    }
    let mut containers = Vec::with_capacity(count);
    for _ in 0..count {
        containers.push((reader.u16()?, usize::from(reader.u16()?) + 1));
    }
    if runs.is_empty() || count >= CONTAINERS_WITHOUT_OFFSETS {
        reader.take(count * size_of::<u32>())?;
    }
    for (index, (key, length)) in containers.into_iter().enumerate() {
        let base = upper | i64::from(key) << 16;
        let has_runs = runs
            .get(index / 8)
            .is_some_and(|byte| byte >> (index % 8) & 1 == 1);
        container(reader, base, length, has_runs, numbers)?;
        if numbers.len() > NUMBERS_MAX {
            return Err(format!("it has more than {NUMBERS_MAX} numbers"));
        }
    }
    Ok(())
}

fn container(
    reader: &mut Reader<'_>,
    base: i64,
    length: usize,
    has_runs: bool,
    numbers: &mut Vec<i64>,
) -> Result<(), String> {
    if has_runs {
        for _ in 0..reader.u16()? {
            let (first, more) = (i64::from(reader.u16()?), i64::from(reader.u16()?));
            numbers.extend((first..=first + more).map(|low| base | low));
            if numbers.len() > NUMBERS_MAX {
                return Err(format!("it has more than {NUMBERS_MAX} numbers"));
            }
        }
    } else if length > LIST_MAX {
        for (place, byte) in (0..).zip(reader.take(FIELD_BYTES)?) {
            let set = (0..8).filter(|bit| byte >> bit & 1 == 1);
            numbers.extend(set.map(|bit| base | (place * 8 + bit)));
        }
    } else {
        for _ in 0..length {
            numbers.push(base | i64::from(reader.u16()?));
        }
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("so many were taken"))
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }
}

/// The bytes of a text in base64, padded or not.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.trim().trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _other => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).expect("it was masked"));
        }
    }
    (bits < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bitmaps_of_both_widths() {
        let check =
            |text: &str, expected: &[i64]| assert_eq!(numbers(text).as_deref(), Ok(expected));
        check("OjAAAAEAAAAAAAEAEAAAAG8A3gA=", &[111, 222]);
        check("OjAAAAEAAAAAAAAAEAAAAE0B", &[333]);
        check(
            "AgAAAAAAAADoAAAAOjAAAAEAAACl1AAAEAAAAAEQ0QEAADowAAABAAAASqkAABAAAAACIA==",
            &[1_000_000_000_001, 2_000_000_000_002],
        );
        assert!(numbers("!").is_err());
        assert!(numbers("OjAAAAEAAAAAAAEAEAAAAG8A").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = wide(&bytes);
            let _ = bitmap(&mut Reader(&bytes), 0, &mut Vec::new());
        }
    }
}
