//! Which terms each row group of a column has, so that a filter for a rare one skips the others.
//!
//! A bit a term and row group: worth it for columns of few terms, whose groups all cost the same
//! half a kilobyte at most. With more terms a group has hardly fewer of them than rows, and knowing
//! which would cost more than a tenth of the codes themselves.

use super::column_reader::StoredColumn;
use super::encoding::{ByteWriter, Flaw};
use super::layout::{GROUP_ROWS, page};
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw, decode_page};
use super::{Section, SegmentError};
use crate::model::CodeVector;

/// Most terms of a column that gets such a page.
pub(super) const PRESENCE_TERMS_MAX: usize = 4096;

/// The terms of each row group of one column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TermPresence {
    /// A bit for each code, group by group.
    groups: Vec<Vec<u64>>,
}

/// Collects them while a column is written.
#[derive(Debug, Default)]
pub(super) struct PresenceBuilder {
    presence: TermPresence,
    /// A code passed the limit: nothing is kept.
    has_many: bool,
}

impl PresenceBuilder {
    /// Notes the codes of the vector whose first row is `first_row`; vectors ascend.
    pub(super) fn push(&mut self, first_row: usize, codes: &CodeVector) {
        if self.has_many {
            return;
        }
        if first_row.is_multiple_of(GROUP_ROWS) {
            self.presence.groups.push(Vec::new());
        }
        let Some(words) = self.presence.groups.last_mut() else {
            return;
        };
        for code in &codes.codes {
            let place = *code as usize / 64;
            if words.len() <= place {
                if place >= PRESENCE_TERMS_MAX / 64 {
                    self.has_many = true;
                    self.presence.groups = Vec::new();
                    return;
                }
                words.resize(place + 1, 0);
            }
            words[place] |= 1 << (code % 64);
        }
    }

    /// What was noted of a column of `term_count` terms; `None` where it would skip nothing.
    pub(super) fn finish(self, term_count: usize) -> Option<TermPresence> {
        let mut presence = self.presence;
        let count = |words: &Vec<u64>| words.iter().map(|word| word.count_ones() as usize).sum();
        let has_all = |words: &Vec<u64>| -> bool {
            let terms: usize = count(words);
            terms == term_count
        };
        if self.has_many || presence.groups.iter().all(has_all) {
            return None;
        }
        for words in &mut presence.groups {
            words.resize(term_count.div_ceil(64), 0);
        }
        Some(presence)
    }
}

impl TermPresence {
    /// Appends its page.
    pub(super) fn write(&self, column: u32, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        let mut bytes = Vec::new();
        for word in self.groups.iter().flatten() {
            bytes.put(&word.to_le_bytes());
        }
        let name = page(column, Section::TermPresence, 0);
        out.add(name, &bytes, Packing::Zstd)
    }

    /// For each row group whether it has a term that `is_wanted`.
    pub(super) fn groups_with(&self, mut is_wanted: impl FnMut(u32) -> bool) -> Vec<bool> {
        let word_count = self.groups.first().map_or(0, Vec::len);
        let mut wanted = vec![0_u64; word_count];
        for (word, first) in wanted.iter_mut().zip((0..).step_by(64)) {
            // Terms that no group has are behind the last one.
            let met = self
                .groups
                .iter()
                .fold(0, |met, group| met | group[first as usize / 64]);
            for bit in (0..64).filter(|bit| met >> bit & 1 == 1) {
                *word |= u64::from(is_wanted(first + bit)) << bit;
            }
        }
        let has_some = |group: &Vec<u64>| group.iter().zip(&wanted).any(|(a, b)| a & b != 0);
        self.groups.iter().map(has_some).collect()
    }

    /// Memory that it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.groups.iter().map(|words| words.len() * 8).sum()
    }
}

impl StoredColumn {
    /// The terms of each row group, when the file says which they are.
    pub(super) fn term_presence(
        &self,
        file: &PagedFile,
    ) -> Result<Option<&TermPresence>, SegmentError> {
        if let Some(presence) = self.presence.get() {
            return Ok(presence.as_ref());
        }
        let presence = self.read_presence(file)?;
        let kept = self.presence.get_or_init(|| {
            file.keep(presence.as_ref().map_or(0, TermPresence::memory_bytes));
            presence
        });
        Ok(kept.as_ref())
    }

    fn read_presence(&self, file: &PagedFile) -> Result<Option<TermPresence>, SegmentError> {
        let pages = file.pages(self.number(), Section::TermPresence);
        if pages.is_empty() {
            return Ok(None);
        }
        let term_count = self.term_count() as usize;
        let group_count = self.row_count().div_ceil(GROUP_ROWS);
        let name = page(self.number(), Section::TermPresence, 0);
        let bytes = file.read_single(self.number(), Section::TermPresence)?;
        decode_page(name, &bytes, |bytes| {
            let mut presence = TermPresence::default();
            let word_count = term_count.div_ceil(64);
            // More groups or terms than the page has words for end with an error below.
            for _ in 0..group_count {
                let mut words = Vec::with_capacity(word_count.min(PRESENCE_TERMS_MAX / 64));
                for _ in 0..word_count {
                    words.push(bytes.u64()?);
                }
                let last = words.last().copied().unwrap_or(0);
                if !term_count.is_multiple_of(64) && last >> (term_count % 64) != 0 {
                    return Err(Flaw("a row group has a term behind the last"));
                }
                presence.groups.push(words);
            }
            Ok(Some(presence))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(codes: &[u32]) -> CodeVector {
        CodeVector {
            codes: codes.to_vec(),
            ..CodeVector::default()
        }
    }

    #[test]
    fn groups_without_a_term_are_known() {
        let mut builder = PresenceBuilder::default();
        builder.push(0, &vector(&[0, 70, 0]));
        builder.push(1024, &vector(&[2]));
        builder.push(GROUP_ROWS, &vector(&[1, 70]));
        builder.push(2 * GROUP_ROWS, &vector(&[]));
        let presence = builder.finish(71).expect("groups differ");
        let of = |code: u32| presence.groups_with(|wanted| wanted == code);
        assert_eq!(of(0), [true, false, false]);
        assert_eq!(of(1), [false, true, false]);
        assert_eq!(of(2), [true, false, false]);
        assert_eq!(of(70), [true, true, false]);
        assert_eq!(of(3), [false; 3]);
        assert_eq!(presence.groups_with(|code| code > 0), [true, true, false]);
    }

    #[test]
    fn what_skips_nothing_is_not_kept() {
        let mut same = PresenceBuilder::default();
        same.push(0, &vector(&[0, 1]));
        same.push(GROUP_ROWS, &vector(&[1, 0]));
        assert_eq!(same.finish(2), None);
        let mut many = PresenceBuilder::default();
        many.push(0, &vector(&[PRESENCE_TERMS_MAX as u32]));
        many.push(GROUP_ROWS, &vector(&[0]));
        assert_eq!(many.finish(PRESENCE_TERMS_MAX + 1), None);
    }
}
