//! Walks a request against its layout before anything is allocated for it.
//!
//! The walk reads what the generated decoder will read, in the same order, and moves on only when
//! the bytes are there. A request that passes has no length that points past its end and no more
//! than [`ELEMENTS_MAX`] elements.

use super::ELEMENTS_MAX;
use super::cursor::Cursor;
use super::request::WireError;

/// What stands in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// So many bytes.
    Fixed(usize),
    /// A string: two bytes of length, or compact.
    Text,
    /// Bytes: four bytes of length, or compact.
    Bytes,
    /// A structure.
    Struct(&'static Layout),
    /// A structure that may be absent: a byte says so, 1 when it is there.
    Nullable(&'static Layout),
    /// An array of structures.
    Array(&'static Layout),
    /// An array of so many bytes each.
    FixedArray(usize),
    /// An array of strings.
    TextArray,
}

/// A field and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) from: i16,
    pub(super) to: i16,
    pub(super) shape: Shape,
}

/// A structure: its fields in order, then the tagged fields whose content is decoded.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) fields: &'static [Field],
    pub(super) tags: &'static [(u32, Field)],
}

/// Checks `body`, a request of `version` laid out as `layout`; returns the bytes that it takes.
pub(super) fn walk(
    layout: &'static Layout,
    body: &[u8],
    version: i16,
    flexible: bool,
) -> Result<usize, WireError> {
    let mut walk = Walk {
        cursor: Cursor::new(body),
        version,
        flexible,
        elements: 0,
    };
    walk.structure(layout)?;
    Ok(body.len() - walk.cursor.left())
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    version: i16,
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, layout: &'static Layout) -> Result<(), WireError> {
        for field in layout.fields {
            if field.from <= self.version && self.version <= field.to {
                self.shape(field.shape)?;
            }
        }
        if self.flexible {
            self.tagged_fields(layout)?;
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) -> Result<(), WireError> {
        match shape {
            Shape::Fixed(bytes) => self.cursor.take(bytes).map(drop),
            Shape::Text => self.text(),
            Shape::Bytes => {
                let bytes = self.length()?.unwrap_or(0);
                self.cursor.take(bytes).map(drop)
            }
            Shape::Struct(layout) => self.structure(layout),
            Shape::Nullable(layout) => match self.cursor.i8()? {
                1 => self.structure(layout),
                _ => Ok(()),
            },
            Shape::Array(layout) => {
                for _ in 0..self.count()? {
                    self.structure(layout)?;
                }
                Ok(())
            }
            Shape::FixedArray(bytes) => {
                let count = self.count()?;
                self.cursor.take(count * bytes).map(drop)
            }
            Shape::TextArray => {
                for _ in 0..self.count()? {
                    self.text()?;
                }
                Ok(())
            }
        }
    }

    fn text(&mut self) -> Result<(), WireError> {
        let length = if self.flexible {
            self.cursor.length_compact()?
        } else {
            self.cursor.length_i16()?
        };
        self.cursor.take(length.unwrap_or(0)).map(drop)
    }

    fn length(&mut self) -> Result<Option<usize>, WireError> {
        if self.flexible {
            self.cursor.length_compact()
        } else {
            self.cursor.length_i32()
        }
    }

    /// An array's element count, added to the request's total.
    fn count(&mut self) -> Result<usize, WireError> {
        let count = self.length()?.unwrap_or(0);
        self.add_elements(count)?;
        Ok(count)
    }

    fn add_elements(&mut self, count: usize) -> Result<(), WireError> {
        // Both are at most 2^32, so the sum cannot overflow.
        self.elements += count;
        if self.elements > ELEMENTS_MAX {
            return Err(WireError::TooManyElements {
                elements: self.elements,
            });
        }
        Ok(())
    }

    /// Unknown tagged fields are skipped and counted. The content of a known one is walked too:
    /// the generated decoder reads it by its own shape and never looks at the size before it.
    fn tagged_fields(&mut self, layout: &'static Layout) -> Result<(), WireError> {
        let count = usize::try_from(self.cursor.varint()?).map_err(|_| WireError::Varint)?;
        self.add_elements(count)?;
        for _ in 0..count {
            let tag = self.cursor.varint()?;
            let size = usize::try_from(self.cursor.varint()?).map_err(|_| WireError::Varint)?;
            let known = layout.tags.iter().find(|(number, _)| *number == tag);
            match known {
                Some((_, field)) => {
                    let before = self.cursor.left();
                    self.shape(field.shape)?;
                    let read = before - self.cursor.left();
                    if read != size {
                        return Err(WireError::TagSize { tag, size, read });
                    }
                }
                None => self.cursor.take(size).map(drop)?,
            }
        }
        Ok(())
    }
}
