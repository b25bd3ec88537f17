//! How a document is rebuilt from the values of its row.
//!
//! A [`Shape`] is the text of a document with holes. A hole takes a value of a column, printed in a
//! [`Style`], or bytes that the row keeps of its own. Whoever makes a shape compares each print
//! with the text that it stands for, so a rebuilt document is the original byte for byte.
//!
//! Nothing here reads JSON.

mod date;
mod number;
mod style;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thiserror::Error;

pub use date::DateStyle;
pub use number::ExponentStyle;
pub use style::{ShapeValue, Style};

/// The text of documents between their values, and where these come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// The holes in order, each behind the text before it.
    pub holes: Vec<(Box<[u8]>, Hole)>,
    /// The text behind the last hole.
    pub tail: Box<[u8]>,
}

/// What stands in a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hole {
    /// The next of the row's own bytes: a length in seven-bit groups, lowest first, and so many.
    Own,
    /// A value of a column.
    Value {
        /// The column.
        path: Arc<str>,
        /// Which of the row's values there, from 0.
        index: u32,
        /// How it is printed.
        style: Style,
    },
}

/// Bytes that are no shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no shape of documents: {0}")]
pub struct MalformedShape(&'static str);

const OWN: u8 = 0;

impl Shape {
    /// The shape as bytes, which are never empty.
    ///
    /// # Panics
    /// When a text in it has 4 GiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_length(self.holes.len(), &mut out);
        for (before, hole) in &self.holes {
            put_sized(before, &mut out);
            match hole {
                Hole::Own => out.push(OWN),
                Hole::Value { path, index, style } => {
                    style.encode(&mut out);
                    put_sized(path.as_bytes(), &mut out);
                    out.extend_from_slice(&index.to_le_bytes());
                }
            }
        }
        put_sized(&self.tail, &mut out);
        out
    }

    /// The shape that `bytes`, which are not empty, say.
    ///
    /// # Errors
    /// When they say none.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedShape> {
        let mut rest = bytes;
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut holes = Vec::new();
        for _ in 0..count {
            let before = sized(&mut rest)?.into();
            let [tag] = take(&mut rest)?;
            if tag == OWN {
                holes.push((before, Hole::Own));
                continue;
            }
            let style = Style::decode(tag, &mut rest)?;
            let path = std::str::from_utf8(sized(&mut rest)?);
            let hole = Hole::Value {
                path: path
                    .map_err(|_| MalformedShape("a path is no UTF-8"))?
                    .into(),
                index: u32::from_le_bytes(take(&mut rest)?),
                style,
            };
            holes.push((before, hole));
        }
        let tail = sized(&mut rest)?.into();
        match rest.is_empty() {
            true => Ok(Self { holes, tail }),
            false => Err(MalformedShape("it has bytes behind its end")),
        }
    }
}

/// Adds bytes for a [`Hole::Own`] to those of a row.
pub fn push_own(bytes: &[u8], out: &mut Vec<u8>) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

/// The bytes for the next [`Hole::Own`]; `None` when there are not so many.
#[must_use]
pub fn take_own<'a>(own: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let (byte, rest) = own.split_first()?;
        *own = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (bytes, rest) = own.split_at_checked(length)?;
            *own = rest;
            return Some(bytes);
        }
    }
    None
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    let length = u32::try_from(length).expect("a document is far below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
}

fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], MalformedShape> {
    let (taken, behind) = rest.split_first_chunk().ok_or(SHORT)?;
    *rest = behind;
    Ok(*taken)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], MalformedShape> {
    let length = u32::from_le_bytes(take(rest)?);
    let length = usize::try_from(length).map_err(|_| SHORT)?;
    let (taken, behind) = rest.split_at_checked(length).ok_or(SHORT)?;
    *rest = behind;
    Ok(taken)
}

const SHORT: MalformedShape = MalformedShape("it ends too early");
