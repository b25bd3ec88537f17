//! Identities: random, and as texts that fit a URL.

use crate::error::{Error, ErrorKind, Result};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Sixteen random bytes.
pub(super) fn random_uuid() -> Result<[u8; 16]> {
    let mut uuid = [0; 16];
    getrandom::fill(&mut uuid).map_err(|error| {
        let text = format!("the system gives no random bytes: {error}");
        Error::new(ErrorKind::Internal, text)
    })?;
    Ok(uuid)
}

/// An identity as clients see it: 22 characters of base64 that fit a URL.
pub(crate) fn uuid_text(uuid: [u8; 16]) -> String {
    text(&uuid)
}

/// Base64 in the alphabet of URLs, without padding.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut bits = 0_usize;
        for index in 0..3 {
            bits = bits << 8 | usize::from(chunk.get(index).copied().unwrap_or(0));
        }
        for index in 0..=chunk.len() {
            text.push(char::from(ALPHABET[bits >> (18 - 6 * index) & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_base64_of_urls() {
        assert_eq!(text(b""), "");
        assert_eq!(text(b"f"), "Zg");
        assert_eq!(text(b"fo"), "Zm8");
        assert_eq!(text(b"foobar"), "Zm9vYmFy");
        assert_eq!(text(&[0xfb, 0xff]), "-_8");
        assert_eq!(uuid_text([7; 16]).len(), 22);
    }
}
