//! The topics in what a consumer says about itself. The rest of those bytes is for other members.
//!
//! ```text
//! version i16 · number of topics i32 · (length i16 · name)… · …        (big-endian)
//! ```

use bytes::{Buf, Bytes};

/// The topics of a subscription; `None` when the bytes are none.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut rest = &metadata[..];
    let version = rest.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    // Each takes at least its length, so what is claimed here was sent.
    let mut topics = Vec::with_capacity(count.min(rest.len() / 2));
    for _ in 0..count {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?.to_owned());
        rest = after;
    }
    Some(topics)
}
