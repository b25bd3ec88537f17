//! Where the parts of a JSON text end. The text was read as JSON before, or the caller compares
//! what it finds with what it expects; so nothing here says what is wrong.

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

impl Scan<'_> {
    /// The next byte, if there is one.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes `byte`.
    pub(super) fn pass(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Passes a string from quote to quote.
    pub(super) fn pass_string(&mut self) -> Option<()> {
        self.pass(b'"')?;
        loop {
            self.at += plain_bytes(self.text.get(self.at..)?).0;
            match self.peek()? {
                b'"' => break self.pass(b'"'),
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Passes a number, a word or a string.
    pub(super) fn pass_scalar(&mut self) -> Option<()> {
        if self.peek()? == b'"' {
            return self.pass_string();
        }
        let start = self.at;
        while let Some(b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Passes a value of any kind.
    pub(super) fn pass_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_space();
            match self.peek()? {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => self.pass_scalar()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// How many bytes stand before the first quote, backslash or control character, and whether all of
/// them are ASCII. Eight bytes at a time (Mycroft's test for a zero byte).
pub(super) fn plain_bytes(text: &[u8]) -> (usize, bool) {
    let mut beyond_ascii = 0;
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let ends = zero_bytes(word ^ (LOW_BITS * u64::from(b'"')))
            | zero_bytes(word ^ (LOW_BITS * u64::from(b'\\')))
            | (word.wrapping_sub(LOW_BITS * 0x20) & !word & HIGH_BITS);
        if ends != 0 {
            // Only the first mark is certain, and it is all that counts.
            let count = (ends.trailing_zeros() / 8) as usize;
            let before = word & ((1_u64 << (8 * count)) - 1);
            return (at + count, (beyond_ascii | before) & HIGH_BITS == 0);
        }
        beyond_ascii |= word;
        at += 8;
    }
    for byte in &text[at..] {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        beyond_ascii |= u64::from(*byte);
        at += 1;
    }
    (at, beyond_ascii & HIGH_BITS == 0)
}

/// Marks the zero bytes of `word`; behind the first one marks may be wrong.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, values: &[&str]) {
        let mut scan = Scan {
            text: text.as_bytes(),
            at: 0,
        };
        for value in values {
            scan.skip_space();
            let start = scan.at;
            assert!(scan.pass_value().is_some(), "{text}");
            assert_eq!(&text[start..scan.at], *value);
        }
        scan.skip_space();
        assert_eq!(scan.pass_value(), None);
    }

    #[test]
    fn values_end_where_they_end() {
        check("", &[]);
        check(r#" "a\"b" -1.5e+3 true"#, &[r#""a\"b""#, "-1.5e+3", "true"]);
        check(
            r#"[1,[{}],"]"] {"a":[] , "}":{"b":null}}"#,
            &[r#"[1,[{}],"]"]"#, r#"{"a":[] , "}":{"b":null}}"#],
        );
        check("\"open", &[]);
        check("[1", &[]);
    }

    proptest! {
        #[test]
        fn plain_bytes_are_counted(text in proptest::collection::vec(
            prop_oneof![9 => b'a'..=b'z', 1 => any::<u8>()], 0..40))
        {
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let count = text.iter().position(ends).unwrap_or(text.len());
            prop_assert_eq!(plain_bytes(&text), (count, text[..count].is_ascii()));
        }
    }
}
