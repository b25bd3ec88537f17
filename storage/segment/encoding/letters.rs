//! Texts of few different letters as numbers of few bits each, in an order that is kept.
//!
//! All texts of a dictionary share a beginning, which is dropped. The letters behind it are
//! numbered ascending by byte and take so many bits as the largest number needs, the first letter
//! in the highest bits: packed texts are in the order of the texts.

use super::bytes::Flaw;

/// Most bits of a letter for which packing pays.
const BITS_MAX: u32 = 6;

/// How the texts of one dictionary are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::segment) struct LetterPacking {
    prefix: Vec<u8>,
    /// The letters by number.
    letters: Vec<u8>,
    /// The number of each letter; that of others does not matter.
    numbers: [u8; 256],
    bits: u32,
}

impl LetterPacking {
    /// The packing for texts that begin with `prefix` and have the letters of `alphabet`, a set of
    /// 256 bits, behind it. `None` where it would not make them smaller.
    pub(in crate::segment) fn new(prefix: &[u8], alphabet: &[u64; 4]) -> Option<Self> {
        let letters: Vec<u8> = (0..=u8::MAX)
            .filter(|letter| alphabet[usize::from(letter / 64)] >> (letter % 64) & 1 == 1)
            .collect();
        let count = u32::try_from(letters.len()).expect("there are 256 bytes");
        let bits = (u32::BITS - count.saturating_sub(1).leading_zeros()).max(1);
        if bits > BITS_MAX {
            return None;
        }
        let mut numbers = [0; 256];
        for (number, letter) in (0..).zip(&letters) {
            numbers[usize::from(*letter)] = number;
        }
        Some(Self {
            prefix: prefix.to_vec(),
            letters,
            numbers,
            bits,
        })
    }

    /// Bytes of a text of `text_bytes` bytes when packed.
    pub(in crate::segment) fn packed_bytes(&self, text_bytes: usize) -> Result<usize, Flaw> {
        let letters = text_bytes.checked_sub(self.prefix.len());
        let letters = letters.ok_or(Flaw("a term is shorter than what all begin with"))?;
        let bits = letters.checked_mul(self.bits as usize);
        Ok(bits.ok_or(Flaw("a term is too long"))?.div_ceil(8))
    }

    /// Replaces `out` by `text`, which fits.
    pub(in crate::segment) fn pack(&self, text: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let (mut word, mut filled) = (0_u64, 0_u32);
        for letter in &text[self.prefix.len()..] {
            word = word << self.bits | u64::from(self.numbers[usize::from(*letter)]);
            filled += self.bits;
            if filled >= 8 {
                filled -= 8;
                out.push((word >> filled & 0xff) as u8);
            }
        }
        if filled > 0 {
            out.push((word << (8 - filled) & 0xff) as u8);
        }
    }

    /// As [`LetterPacking::pack`] for any text; false when it has a letter, or begins, as no packed
    /// text does.
    pub(in crate::segment) fn try_pack(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(letters) = text.strip_prefix(self.prefix.as_slice()) else {
            return false;
        };
        let is_known = |letter: &u8| {
            let number = usize::from(self.numbers[usize::from(*letter)]);
            self.letters.get(number) == Some(letter)
        };
        let all_known = letters.iter().all(is_known);
        if all_known {
            self.pack(text, out);
        }
        all_known
    }

    /// Replaces `out` by the text of `text_bytes` bytes whose packed form is `packed`.
    pub(in crate::segment) fn unpack(
        &self,
        packed: &[u8],
        text_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Flaw> {
        if packed.len() != self.packed_bytes(text_bytes)? {
            return Err(Flaw("a packed term has another length"));
        }
        let unknown = Flaw("a letter has no number");
        out.clear();
        out.extend_from_slice(&self.prefix);
        let mask = (1 << self.bits) - 1;
        let group_bytes = self.bits as usize;
        let mut groups = packed.chunks_exact(group_bytes);
        // Eight letters are as many bytes as a letter has bits.
        for group in groups.by_ref().take((text_bytes - self.prefix.len()) / 8) {
            let word = group
                .iter()
                .fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                let number = (word >> (place * self.bits) & mask) as usize;
                out.push(*self.letters.get(number).ok_or(unknown)?);
            }
        }
        let done = (out.len() - self.prefix.len()) / 8 * group_bytes;
        let (mut word, mut filled) = (0_u64, 0_u32);
        for byte in &packed[done..] {
            word = word << 8 | u64::from(*byte);
            filled += 8;
            while filled >= self.bits && out.len() < text_bytes {
                filled -= self.bits;
                let number = (word >> filled & mask) as usize;
                out.push(*self.letters.get(number).ok_or(unknown)?);
            }
        }
        match out.len() == text_bytes {
            true => Ok(()),
            false => Err(Flaw("a packed term has another length")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet_of(letters: &[u8]) -> [u64; 4] {
        let mut alphabet = [0; 4];
        for letter in letters {
            alphabet[usize::from(letter / 64)] |= 1 << (letter % 64);
        }
        alphabet
    }

    #[test]
    fn texts_come_back_in_order() {
        let sets: [&[u8]; 5] = [
            b"a",
            b"01",
            b"0123456789abcdef",
            b"qpzry9x8gf2tvdw0s3jn54khce6mua7l",
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        ];
        for letters in sets {
            let packing = LetterPacking::new(b"bc1", &alphabet_of(letters)).expect("few letters");
            let mut terms: Vec<Vec<u8>> = (0..200_usize)
                .map(|seed| {
                    let letter =
                        |place: usize| letters[(seed * 31 + place * place) % letters.len()];
                    let length = seed % 41;
                    b"bc1"
                        .iter()
                        .copied()
                        .chain((0..length).map(letter))
                        .collect()
                })
                .collect();
            terms.sort();
            terms.dedup();
            let (mut packed, mut text) = (Vec::new(), Vec::new());
            let mut before: Option<(Vec<u8>, usize)> = None;
            for term in &terms {
                packing.pack(term, &mut packed);
                packing
                    .unpack(&packed, term.len(), &mut text)
                    .expect("what was packed");
                assert_eq!(text, *term);
                let key = (packed.clone(), term.len());
                assert!(before.is_none_or(|before| before < key), "order is kept");
                before = Some(key);
            }
        }
        assert_eq!(LetterPacking::new(b"", &[u64::MAX, 1, 0, 0]), None);
        let packing = LetterPacking::new(b"x", &alphabet_of(b"bc")).expect("few letters");
        let mut packed = Vec::new();
        assert!(packing.try_pack(b"xbbcb", &mut packed));
        for other in [b"".as_slice(), b"b", b"xa", b"xbd", b"X"] {
            assert!(!packing.try_pack(other, &mut packed));
        }
    }

    #[test]
    fn a_letter_that_is_none_is_found() {
        let packing = LetterPacking::new(b"", &alphabet_of(b"abc")).expect("few letters");
        let mut out = Vec::new();
        packing
            .unpack(&[0b1100_0000], 1, &mut out)
            .expect_err("number 3");
        packing
            .unpack(&[0, 0], 1, &mut out)
            .expect_err("a byte too many");
        packing
            .unpack(&[], 1, &mut out)
            .expect_err("a byte too few");
    }
}
