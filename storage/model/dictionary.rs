//! The distinct texts of a column.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// Terms by code: code `c` is `term(c)`. Terms are distinct; their order is the owner's matter
/// (segments sort them by bytes, active rows keep order of arrival).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dictionary {
    /// One entry more than terms; term `c` is `bytes[ends[c]..ends[c + 1]]`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Dictionary {
    /// A dictionary of `terms` in this order. The caller keeps them distinct.
    ///
    /// # Panics
    /// When the terms hold 4 GiB or more together; segments are cut long before.
    pub fn from_terms<'a>(terms: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut dictionary = Self::default();
        for term in terms {
            dictionary.push(term);
        }
        dictionary
    }

    /// Number of terms.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    /// Whether there is no term.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The term of `code`.
    ///
    /// # Panics
    /// When `code` is not below `len`.
    #[must_use]
    pub fn term(&self, code: u32) -> &[u8] {
        let code = code as usize;
        &self.bytes[self.ends[code] as usize..self.ends[code + 1] as usize]
    }

    /// All terms in order of code.
    pub fn terms(&self) -> impl Iterator<Item = &[u8]> {
        self.ends
            .windows(2)
            .map(|ends| &self.bytes[ends[0] as usize..ends[1] as usize])
    }

    /// Removes all terms and keeps the memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// Bytes of all terms together.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back memory that terms to come would have used.
    pub fn shrink_to_fit(&mut self) {
        self.ends.shrink_to_fit();
        self.bytes.shrink_to_fit();
    }

    /// Memory that they take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice())
    }

    /// Adds a term that begins with the first `shared_bytes` bytes of the newest term and ends
    /// with `rest`; `None`, and nothing is added, when the newest term is shorter or when the
    /// terms would reach 4 GiB.
    pub fn push_sharing(&mut self, shared_bytes: usize, rest: &[u8]) -> Option<u32> {
        let newest = match self.ends.as_slice() {
            [.., start, end] => *start as usize..*end as usize,
            [] | [_] => 0..0,
        };
        let bytes_after = self.bytes.len() + shared_bytes + rest.len();
        if shared_bytes > newest.len() || u32::try_from(bytes_after).is_err() {
            return None;
        }
        let shared = newest.start..newest.start + shared_bytes;
        self.bytes.extend_from_within(shared);
        Some(self.push(rest))
    }

    /// Ends a term whose beginning may already be in `bytes`.
    fn push(&mut self, rest: &[u8]) -> u32 {
        if self.ends.is_empty() {
            self.ends.push(0);
        }
        self.bytes.extend_from_slice(rest);
        self.ends
            .push(u32::try_from(self.bytes.len()).expect("a dictionary stays below 4 GiB"));
        u32::try_from(self.len() - 1).expect("a dictionary has fewer than 2^32 terms")
    }
}

/// Collects distinct terms in order of arrival.
///
/// The table is open and probed in line: a term costs one hash, and mostly one look at the table
/// and one at the text.
#[derive(Debug, Default)]
pub struct DictionaryBuilder {
    dictionary: Dictionary,
    /// A power of two of places, at most three quarters of them taken.
    places: Vec<Place>,
}

/// A place of the table: a term, or nobody's.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u32,
    code: u32,
}

/// The code of a place that is free; dictionaries end before it.
const FREE: u32 = u32::MAX;

/// Places of the smallest table.
const PLACES_MIN: usize = 16;

impl DictionaryBuilder {
    /// The code of `term`, new or known.
    pub fn code(&mut self, term: &[u8]) -> u32 {
        if self.dictionary.len() >= self.places.len() / 4 * 3 {
            self.grow();
        }
        let hash = hash(term);
        let mask = self.places.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let Place { hash: known, code } = self.places[place];
            if code == FREE {
                let code = self.dictionary.push(term);
                assert!(code != FREE, "a dictionary has fewer than 2^32 - 1 terms");
                self.places[place] = Place { hash, code };
                return code;
            }
            if known == hash && self.dictionary.term(code) == term {
                return code;
            }
            place = (place + 1) & mask;
        }
    }

    /// Doubles the table.
    fn grow(&mut self) {
        let count = (self.places.len() * 2).max(PLACES_MIN);
        let free = Place {
            hash: 0,
            code: FREE,
        };
        let old = std::mem::replace(&mut self.places, vec![free; count]);
        let mask = count - 1;
        for taken in old.into_iter().filter(|place| place.code != FREE) {
            let mut place = taken.hash as usize & mask;
            while self.places[place].code != FREE {
                place = (place + 1) & mask;
            }
            self.places[place] = taken;
        }
    }

    /// The terms so far.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Ends the collection.
    #[must_use]
    pub fn finish(self) -> Dictionary {
        self.dictionary
    }
}

/// Both halves of the hash, since neither is good alone for every text.
fn hash(term: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(term);
    let hash = hasher.finish();
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equal_terms_have_equal_codes(
            terms in proptest::collection::vec(proptest::collection::vec(0..3_u8, 0..5), 0..300),
        ) {
            let mut builder = DictionaryBuilder::default();
            let mut expected = HashMap::new();
            for term in &terms {
                let next = u32::try_from(expected.len()).expect("few terms");
                let code = *expected.entry(term).or_insert(next);
                prop_assert_eq!(builder.code(term), code);
            }
            let dictionary = builder.finish();
            prop_assert_eq!(dictionary.len(), expected.len());
            for (term, code) in expected {
                prop_assert_eq!(dictionary.term(code), term.as_slice());
            }
        }
    }
}
