//! A filter that nearly always knows when an id is not there, so that the dictionary need not be
//! read: a split-block Bloom filter (Putze, Sanders and Singler 2007; the variant of Apache
//! Parquet) of 8 to 16 bits an id.
//!
//! The number of blocks is a power of two and a block is chosen by low bits, so a filter that was
//! begun too large folds into exactly that which a smaller one would have been.

use super::encoding::Flaw;
use super::layout::{IDS, page};
use super::pages::{Packing, PageWriter, PagedFile, WriteFlaw};
use super::{Section, SegmentError};

/// Words of a block.
const BLOCK_WORDS: usize = 8;

/// Bytes of a block.
const BLOCK_BYTES: usize = BLOCK_WORDS * size_of::<u32>();

/// Blocks in one page.
const PAGE_BLOCKS: usize = 2048;

/// Most ids for each block.
const BLOCK_IDS_MAX: usize = 32;

/// Where the bit of an id lies in each word of its block.
const SALTS: [u32; BLOCK_WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// Collects ids.
#[derive(Debug)]
pub(super) struct IdFilter {
    blocks: Vec<[u32; BLOCK_WORDS]>,
    count: usize,
}

impl IdFilter {
    /// A filter for at most `count_max` ids.
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            blocks: vec![[0; BLOCK_WORDS]; block_count(count_max)],
            count: 0,
        }
    }

    /// Adds an id that it does not have yet.
    pub(super) fn insert(&mut self, id: &[u8]) {
        let hash = hash(id);
        let place = block_of(hash, self.blocks.len());
        for (word, mask) in self.blocks[place].iter_mut().zip(masks(hash)) {
            *word |= mask;
        }
        self.count += 1;
    }

    /// The pages of the filter, no larger than its ids need.
    pub(super) fn pages(mut self) -> impl Iterator<Item = Vec<u8>> {
        let wanted = block_count(self.count);
        // Every id was counted before it came, so there are no fewer blocks.
        let (kept, folded) = self.blocks.split_at_mut(wanted);
        for (number, block) in folded.iter().enumerate() {
            let target = &mut kept[number % wanted];
            for (word, more) in target.iter_mut().zip(block) {
                *word |= more;
            }
        }
        self.blocks.truncate(wanted);
        let blocks = self.blocks;
        (0..blocks.len().div_ceil(PAGE_BLOCKS)).map(move |number| {
            let blocks = blocks.iter().skip(number * PAGE_BLOCKS).take(PAGE_BLOCKS);
            blocks
                .flatten()
                .flat_map(|word| word.to_le_bytes())
                .collect()
        })
    }

    /// Appends the pages.
    pub(super) fn write(self, out: &mut PageWriter<'_>) -> Result<(), WriteFlaw> {
        for (number, bytes) in (0..).zip(self.pages()) {
            out.add(page(IDS, Section::IdFilter, number), &bytes, Packing::Plain)?;
        }
        Ok(())
    }
}

/// Whether `id` may be one of the `id_count` ids of `file`; reads one page at most.
pub(super) fn may_have_id(
    id: &[u8],
    id_count: u32,
    file: &PagedFile,
) -> Result<bool, SegmentError> {
    let hash = hash(id);
    let place = block_of(hash, block_count(id_count as usize));
    let pages = file.pages(IDS, Section::IdFilter);
    let number = pages.start + place / PAGE_BLOCKS;
    if !pages.contains(&number) {
        let name = page(IDS, Section::IdFilter, 0);
        return Err(name.malformed(Flaw("it is too small for its ids")));
    }
    let bytes = file.page(number)?;
    let start = place % PAGE_BLOCKS * BLOCK_BYTES;
    let block = bytes.get(start..start + BLOCK_BYTES).ok_or_else(|| {
        let name = file.footer.pages[number].name;
        name.malformed(Flaw("it is too small for its ids"))
    })?;
    let words = block
        .as_chunks()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word));
    Ok(words.zip(masks(hash)).all(|(word, mask)| word & mask != 0))
}

/// Blocks of a filter of `count` ids.
fn block_count(count: usize) -> usize {
    count.div_ceil(BLOCK_IDS_MAX).next_power_of_two()
}

/// The block of an id among a power of two of them.
fn block_of(hash: u64, block_count: usize) -> usize {
    (hash >> 32) as usize & (block_count - 1)
}

/// One bit for each word of a block.
fn masks(hash: u64) -> impl Iterator<Item = u32> {
    let key = (hash & u64::from(u32::MAX)) as u32;
    SALTS
        .into_iter()
        .map(move |salt| 1 << (key.wrapping_mul(salt) >> 27))
}

/// FNV-1a of the bytes, mixed once more as in SplitMix64. It is part of the format.
fn hash(id: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(pages: &[Vec<u8>], id: &[u8], count: usize) -> bool {
        let hash = hash(id);
        let place = block_of(hash, block_count(count));
        let block = &pages[place / PAGE_BLOCKS][place % PAGE_BLOCKS * BLOCK_BYTES..][..BLOCK_BYTES];
        let words = block
            .as_chunks()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word));
        words.zip(masks(hash)).all(|(word, mask)| word & mask != 0)
    }

    #[test]
    fn ids_are_found_and_few_others() {
        for count in [1, 32, 33, 5_000, 200_000_usize] {
            let mut filter = IdFilter::new(count);
            let mut too_large = IdFilter::new(5 * count);
            for number in 0..count {
                filter.insert(format!("id {number}").as_bytes());
                too_large.insert(format!("id {number}").as_bytes());
            }
            let pages: Vec<_> = filter.pages().collect();
            assert!(too_large.pages().eq(pages.iter().cloned()), "folding shows");
            let known =
                (0..count).filter(|number| has(&pages, format!("id {number}").as_bytes(), count));
            assert_eq!(known.count(), count);
            let others = 0..10_000;
            let wrong =
                others.filter(|number| has(&pages, format!("no {number}").as_bytes(), count));
            let wrong = wrong.count();
            assert!(wrong < 600, "{wrong} of 10,000 among {count}");
        }
    }
}
