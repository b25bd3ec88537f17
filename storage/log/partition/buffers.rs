//! Large buffers for what is read from logs, used again.
//!
//! A reader that has fallen behind reads a megabyte at a time. The system gives such a block as
//! new pages each time, and clearing and mapping them costs more than to copy the records; so a few
//! buffers are kept.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Smaller reads have blocks of a heap, which the allocator uses again by itself.
const POOLED_BYTES_MIN: usize = 256 << 10;

/// Larger ones are rare: few ask for more than a megabyte at once.
const POOLED_BYTES_MAX: usize = 1 << 20;

/// Buffers that are kept, for as many reads at the same time.
const KEPT_MAX: usize = 8;

/// Buffers of [`POOLED_BYTES_MAX`] that nobody uses now.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that goes back when its last reader is done.
struct Lent {
    buffer: Vec<u8>,
    len: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT_MAX {
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

/// `len` bytes that `read` fills.
pub(super) fn filled<E>(
    len: usize,
    read: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Bytes, E> {
    if !(POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&len) {
        let mut bytes = vec![0; len];
        read(&mut bytes)?;
        return Ok(Bytes::from(bytes));
    }
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let buffer = free.unwrap_or_else(|| vec![0; POOLED_BYTES_MAX]);
    let mut lent = Lent { buffer, len };
    read(&mut lent.buffer[..len])?;
    Ok(Bytes::from_owner(lent))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn filled_with(byte: u8, len: usize) -> Bytes {
        let read = |out: &mut [u8]| {
            out.fill(byte);
            Ok::<_, Infallible>(())
        };
        filled(len, read).expect("it cannot fail")
    }

    #[test]
    fn what_is_held_is_not_written_over() {
        let sizes = [
            0,
            1,
            POOLED_BYTES_MIN,
            POOLED_BYTES_MAX,
            POOLED_BYTES_MAX + 1,
        ];
        let mut held = Vec::new();
        for round in 0..20u8 {
            for len in sizes {
                let whole = filled_with(round, len);
                let mut part = whole.slice(len / 2..);
                part.truncate(len / 4);
                held.push((round, len / 4, part));
            }
            if round % 3 == 0 {
                held.drain(..held.len() / 2);
            }
        }
        for (round, len, part) in &held {
            assert_eq!(part.len(), *len);
            assert!(part.iter().all(|byte| byte == round));
        }
        drop(held);
        let kept = FREE.lock().expect("nobody panics with it").len();
        assert!((1..=KEPT_MAX).contains(&kept), "{kept} buffers are kept");
    }

    #[test]
    fn a_failed_read_gives_its_buffer_back() {
        let failed = filled(POOLED_BYTES_MIN, |_| Err("no disk"));
        assert_eq!(failed, Err("no disk"));
    }
}
