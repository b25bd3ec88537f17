//! What the documents of a topic look like: stored once, and guessed for the next one.
//!
//! 1. A document is first read by the *plan* of a shape that was seen lately ([`plan`]).
//! 2. Where no plan fits, it is read the long way, and its shape found from the trace of that
//!    ([`recognise`]).
//! 3. Where it has no shape, or there are too many, its own bytes are the document.

mod plan;
mod recognise;
mod scan;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;
use storage::model::{DictionaryBuilder, SourceColumn};

use self::plan::Plan;
use self::recognise::recognise;
use super::row::{RowState, Staged};

/// Most shapes that are known at a time. Documents of further ones are stored as they are.
const SHAPES_MAX: usize = 256;

/// Most bytes of all known shapes together.
const SHAPE_BYTES_MAX: usize = 256 << 10;

/// So many plans are tried before a document is read the long way.
const GUESSES_MAX: usize = 8;

/// The shapes of a topic, and the documents of the rows being collected.
#[derive(Debug, Default)]
pub(super) struct ShapeBook {
    known: Vec<Known>,
    by_bytes: FxHashMap<Box<[u8]>, usize>,
    known_bytes: usize,
    /// Places in `known` of shapes that have plans, the latest first.
    recent: Vec<usize>,
    /// Shapes of the rows so far.
    shapes: DictionaryBuilder,
    documents: SourceColumn,
}

#[derive(Debug)]
struct Known {
    bytes: Box<[u8]>,
    plan: Option<Plan>,
    /// Its code among the shapes of the rows so far, once one of them has it.
    code: Option<u32>,
}

/// A known shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShapeIndex(usize);

impl ShapeBook {
    /// Reads `document` by a plan, values into `staged`, which is empty, and texts as ranges of
    /// `document`. `None`, with nothing staged, when no plan fits.
    pub(super) fn guess(
        &mut self,
        document: &[u8],
        staged: &mut Vec<Staged>,
    ) -> Option<ShapeIndex> {
        for turn in 0..self.recent.len() {
            let index = self.recent[turn];
            let plan = self.known[index].plan.as_ref();
            if plan.is_some_and(|plan| plan.read(document, staged).is_some()) {
                self.recent[..=turn].rotate_right(1);
                return Some(ShapeIndex(index));
            }
            staged.clear();
        }
        None
    }

    /// Adds a row whose document has a shape and nothing else.
    pub(super) fn push(&mut self, shape: ShapeIndex) {
        let code = self.code(shape);
        self.documents.push_parts(code, &[]);
    }

    /// Adds the row that was just read the long way from `document`.
    pub(super) fn push_read(&mut self, document: &[u8], state: &RowState) {
        let found = recognise(document, state);
        let known = found.and_then(|found| {
            let plan = || match found.is_complete {
                true => Plan::new(&found.shape, state.staged(), &state.fields),
                false => None,
            };
            Some((self.learn(found.shape.encode(), plan)?, found.own))
        });
        match known {
            Some((shape, own)) => {
                let code = self.code(shape);
                self.documents.push_parts(code, &own);
            }
            None => {
                let code = self.shapes.code(&[]);
                self.documents.push_parts(code, document);
            }
        }
    }

    /// Forgets plans: the types of fields have changed.
    pub(super) fn forget_plans(&mut self) {
        self.recent.clear();
        self.known.clear();
        self.by_bytes.clear();
        self.known_bytes = 0;
    }

    /// The documents of the rows so far.
    pub(super) fn finish(&mut self) -> SourceColumn {
        // Shapes that come once must not keep out those that come now.
        if self.known.len() > SHAPES_MAX / 2 || self.known_bytes > SHAPE_BYTES_MAX / 2 {
            self.forget_plans();
        }
        self.known.iter_mut().for_each(|known| known.code = None);
        let mut documents = std::mem::take(&mut self.documents);
        documents.shapes = std::mem::take(&mut self.shapes).finish().into();
        documents
    }

    /// The place of a shape; `None` when it is one too many.
    fn learn(&mut self, bytes: Vec<u8>, plan: impl FnOnce() -> Option<Plan>) -> Option<ShapeIndex> {
        if let Some(index) = self.by_bytes.get(bytes.as_slice()) {
            return Some(ShapeIndex(*index));
        }
        if self.known.len() >= SHAPES_MAX || self.known_bytes + bytes.len() > SHAPE_BYTES_MAX {
            return None;
        }
        let (index, bytes) = (self.known.len(), bytes.into_boxed_slice());
        let plan = plan();
        if plan.is_some() {
            self.recent.truncate(GUESSES_MAX - 1);
            self.recent.insert(0, index);
        }
        self.known_bytes += bytes.len();
        self.by_bytes.insert(bytes.clone(), index);
        self.known.push(Known {
            bytes,
            plan,
            code: None,
        });
        Some(ShapeIndex(index))
    }

    fn code(&mut self, ShapeIndex(index): ShapeIndex) -> u32 {
        let known = &mut self.known[index];
        *known
            .code
            .get_or_insert_with(|| self.shapes.code(&known.bytes))
    }
}
