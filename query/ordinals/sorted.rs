//! Ascending terms in little memory.

use std::cmp::Ordering;

use storage::model::Dictionary;

/// Terms between two that are stored whole.
const RESTART_TERMS: usize = 16;

/// Ascending terms: every sixteenth is stored whole, the others as what they do not share with the
/// one before.
#[derive(Debug, Default)]
pub(super) struct SortedTerms {
    count: u32,
    /// Where each sixteenth term begins.
    restarts: Vec<u32>,
    /// For each term: how many bytes it shares, how many follow, and those.
    bytes: Vec<u8>,
}

impl SortedTerms {
    /// Adds `term`, which is larger than `previous`, the last one.
    pub(super) fn push(&mut self, previous: &[u8], term: &[u8]) {
        let mut shared = 0;
        if (self.count as usize).is_multiple_of(RESTART_TERMS) {
            let start = u32::try_from(self.bytes.len()).expect("runs of terms are small");
            self.restarts.push(start);
        } else {
            shared = previous
                .iter()
                .zip(term)
                .take_while(|(a, b)| a == b)
                .count();
        }
        put_length(shared, &mut self.bytes);
        put_length(term.len() - shared, &mut self.bytes);
        self.bytes.extend_from_slice(&term[shared..]);
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// The first term.
    pub(super) fn first(&self) -> Option<&[u8]> {
        (self.count > 0).then(|| self.restart(0))
    }

    /// The term at `place`.
    pub(super) fn term(&self, place: u32) -> Vec<u8> {
        let mut term = Vec::new();
        let restart = place as usize / RESTART_TERMS;
        let mut at = self.restarts[restart] as usize;
        for _ in 0..=place as usize % RESTART_TERMS {
            at = self.read(at, &mut term);
        }
        term
    }

    /// How many terms are smaller than `term`, and whether it is one of them.
    pub(super) fn rank(&self, term: &[u8]) -> (u32, bool) {
        let after = partition(self.restarts.len(), |restart| self.restart(restart) <= term);
        let Some(restart) = after.checked_sub(1) else {
            return (0, false);
        };
        let mut at = self.restarts[restart] as usize;
        let mut candidate = Vec::new();
        let first = restart * RESTART_TERMS;
        let end = self.len().min(first + RESTART_TERMS);
        let place = |place| u32::try_from(place).expect("runs of terms are small");
        for number in first..end {
            at = self.read(at, &mut candidate);
            match candidate.as_slice().cmp(term) {
                Ordering::Less => {}
                Ordering::Equal => return (place(number), true),
                Ordering::Greater => return (place(number), false),
            }
        }
        (place(end), false)
    }

    /// Shows every term with its place.
    pub(super) fn each(&self, mut visit: impl FnMut(u32, &[u8])) {
        let mut term = Vec::new();
        let mut at = 0;
        for place in 0..self.count {
            at = self.read(at, &mut term);
            visit(place, &term);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.restarts.capacity() * size_of::<u32>()
    }

    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.restarts.shrink_to_fit();
    }

    fn restart(&self, restart: usize) -> &[u8] {
        let (_, at) = length(&self.bytes, self.restarts[restart] as usize);
        let (rest, at) = length(&self.bytes, at);
        &self.bytes[at..at + rest]
    }

    /// Turns the term before into the one at `at`; says where the next one is.
    fn read(&self, at: usize, term: &mut Vec<u8>) -> usize {
        let (shared, at) = length(&self.bytes, at);
        let (rest, at) = length(&self.bytes, at);
        term.truncate(shared);
        term.extend_from_slice(&self.bytes[at..at + rest]);
        at + rest
    }
}

/// The first of `count` places of which `holds` is false; it is true of those before.
fn partition(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// Seven bits a byte, lowest first.
fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// A length at `at`, and what is behind it.
fn length(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (length, at);
        }
        shift += 7;
    }
}

/// The codes of a dictionary in order of their terms.
pub(super) fn order(dictionary: &Dictionary) -> Vec<u32> {
    order_of(dictionary.len(), |code| dictionary.term(code))
}

/// The numbers of `count` terms in order of these; terms that came sorted are in few runs.
pub(super) fn order_of<'a>(count: usize, term: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    let shared = shared_bytes(count, &term);
    // Nearly always the eight bytes behind what all share decide.
    let numbers = (0..).take(count);
    let mut keyed: Vec<(u64, u32)> = numbers
        .map(|number| (prefix(&term(number)[shared..]), number))
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| term(a.1).cmp(term(b.1))));
    keyed.into_iter().map(|(_, number)| number).collect()
}

/// How many bytes all terms begin with.
fn shared_bytes<'a>(count: usize, term: impl Fn(u32) -> &'a [u8]) -> usize {
    if count == 0 {
        return 0;
    }
    let first = term(0);
    (1..).take(count - 1).fold(first.len(), |shared, number| {
        let pairs = first[..shared].iter().zip(term(number));
        pairs.take_while(|(a, b)| a == b).count()
    })
}

/// The first eight bytes as a number that orders like them; shorter terms are padded with zeros.
fn prefix(term: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let count = term.len().min(8);
    bytes[..count].copy_from_slice(&term[..count]);
    u64::from_be_bytes(bytes)
}
