//! Bytes to be sent, in pieces that need not lie together.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// A response with its length before it. As a [`Buf`] it is written with one call to the system
/// for many pieces.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    pieces: VecDeque<Bytes>,
    bytes_left: usize,
}

impl Frame {
    /// A frame of `pieces`, whose bytes are complete with the length before them.
    #[must_use]
    pub(super) fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: VecDeque<Bytes> = pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .collect();
        let bytes_left = pieces.iter().map(Bytes::len).sum();
        Self { pieces, bytes_left }
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.bytes_left
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes_left, "advance past the end of a frame");
        self.bytes_left -= count;
        let mut left = count;
        while left > 0 {
            let front = self
                .pieces
                .front_mut()
                .expect("bytes are left, so a piece is");
            if left < front.len() {
                front.advance(left);
                return;
            }
            left -= front.len();
            self.pieces.pop_front();
        }
    }
}
