//! Damaged, cut and lying files.

use std::sync::Arc;

use proptest::prelude::*;

use super::rows::{Row, batch_of, read_rows};
use super::samples::{Random, SCHEMA, sample_rows};
use super::{BytesFile, open, write};
use crate::model::{CodeVector, ColumnKind, NumberVector};
use crate::segment::layout::{TRAILER_BYTES, Trailer};
use crate::segment::pages::{Packing, PageWriter};
use crate::segment::{
    Cells, PageCache, RowSource, SEGMENT_FORMAT_VERSION, SegmentError, SegmentReader,
};

/// A segment with something of everything that is small enough to try each of its bits.
fn small_segment() -> Vec<u8> {
    let rows: Vec<Row> = (0..)
        .map(|seed| sample_rows(seed, 12))
        .find(|rows| rows[0].id.is_some())
        .expect("half of all samples have ids");
    write(&[&batch_of(&rows, &SCHEMA)]).bytes
}

/// Everything that can be asked of a segment; the first error ends it.
fn read_everything(source: &RowSource) -> Result<(), SegmentError> {
    let (mut times, mut partitions, mut offsets) = Default::default();
    let mut numbers = NumberVector::default();
    let mut codes = CodeVector::default();
    for vector in 0..source.vector_count() {
        source.times_ms(vector, &mut times)?;
        source.origins(vector, &mut partitions, &mut offsets)?;
        for path in source.column_paths() {
            let column = source.column(path).expect("the path was listed");
            if source.column_info(column).kind == ColumnKind::Text {
                let dictionary = source.dictionary(column)?;
                source.codes(column, vector, &mut codes)?;
                for code in &codes.codes {
                    assert!(dictionary.term(*code).len() <= dictionary.text_bytes());
                }
            } else {
                let _ = source.number_summary(column, vector);
                source.numbers(column, vector, &mut numbers)?;
            }
        }
    }
    for row in 0..source.row_count() {
        source.source(row)?;
        if let Some(id) = source.id(row)? {
            source.find_id(&id)?;
        }
    }
    source.cells().map(drop)
}

/// Opens and reads what may be damaged; whole content or an error.
fn survive(bytes: Vec<u8>, rows: &[Row], cells: &Cells) -> Result<(), SegmentError> {
    let cache = Arc::new(PageCache::new(0));
    let reader = SegmentReader::open_with_cache(Arc::new(BytesFile(bytes)), cache)?;
    let reader = Arc::new(reader);
    let source = RowSource::from(reader.clone());
    let verified = reader.verify();
    if read_everything(&source).is_ok() {
        assert_eq!(read_rows(&source), rows);
        assert_eq!(*reader.cells()?, *cells);
    }
    verified
}

fn content(bytes: &[u8]) -> (Vec<Row>, Arc<Cells>) {
    let reader = Arc::new(open(bytes.to_vec()).expect("an intact segment"));
    let cells = reader.cells().expect("an intact segment");
    (read_rows(&RowSource::from(reader)), cells)
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = small_segment();
    let (rows, cells) = content(&bytes);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        survive(damaged, &rows, &cells).expect_err("a flipped bit");
    }
}

#[test]
fn every_cut_is_found() {
    let bytes = small_segment();
    let (rows, cells) = content(&bytes);
    for length in 0..bytes.len() {
        survive(bytes[..length].to_vec(), &rows, &cells).expect_err("a cut file");
        survive(bytes[length + 1..].to_vec(), &rows, &cells).expect_err("a file without its head");
    }
}

#[test]
fn an_unknown_version_is_refused_by_name() {
    let mut bytes = small_segment();
    let place = bytes.len() - TRAILER_BYTES + 8;
    bytes[place] = 9;
    let error = open(bytes).expect_err("version 9");
    assert_eq!(
        error.to_string(),
        format!(
            "segment has format version 9; this program reads version {SEGMENT_FORMAT_VERSION}"
        )
    );
}

#[test]
fn a_page_of_another_segment_is_found() {
    let segment = |seed| write(&[&batch_of(&sample_rows(seed, 64), &SCHEMA)]).bytes;
    let (ours, theirs) = (segment(1), segment(2));
    let pages = |bytes: &[u8]| {
        open(bytes.to_vec())
            .expect("a fresh segment")
            .file
            .footer
            .pages
            .clone()
    };
    let mut swapped = 0;
    for (our, their) in pages(&ours).iter().zip(pages(&theirs)) {
        if our.name != their.name || our.stored_bytes != their.stored_bytes {
            continue;
        }
        let range = |offset: u64| offset as usize..offset as usize + our.stored_bytes as usize;
        let mut mixed = ours.clone();
        mixed[range(our.offset)].copy_from_slice(&theirs[range(their.offset)]);
        if mixed != ours {
            let error = open(mixed).expect("the footer is ours").verify();
            assert!(matches!(error, Err(SegmentError::Checksum { page }) if page == our.name));
            swapped += 1;
        }
    }
    assert!(swapped > 0, "no two pages have one length");
}

/// The segment again with some bytes of its pages and footer changed, and every checksum right.
fn lie(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let reader = open(bytes.to_vec()).expect("an intact segment");
    let mut footer = reader.file.footer.clone();
    let mut file = Vec::new();
    let mut writer = PageWriter::new(footer.seed, &mut file).expect("memory takes it");
    let target = random.below(footer.pages.len() as u64 + 1) as usize;
    for number in 0..footer.pages.len() {
        let mut raw = reader.file.read_page(number).expect("an intact page");
        if number == target {
            for _ in 0..=random.below(3) {
                let place = random.below(raw.len().max(1) as u64) as usize;
                if let Some(byte) = raw.get_mut(place) {
                    *byte = random.next() as u8;
                }
            }
            raw.truncate(raw.len() - usize::from(random.below(5) == 0 && !raw.is_empty()));
        }
        let name = footer.pages[number].name;
        writer
            .add(name, &raw, Packing::Plain)
            .expect("a small page");
    }
    footer.pages = std::mem::take(&mut writer.pages);
    let is_footer_target = target == footer.pages.len();
    let last = footer.pages.last().expect("every segment has pages");
    let pages_end = (last.offset + u64::from(last.stored_bytes)) as usize;
    writer.finish(&footer).expect("a small footer");
    if is_footer_target {
        let footer_end = file.len() - TRAILER_BYTES;
        let place = pages_end + random.below((footer_end - pages_end) as u64) as usize;
        file[place] = random.next() as u8;
        let footer = file[pages_end..footer_end].to_vec();
        let trailer = Trailer::encode(&footer, footer.len() as u32);
        file[footer_end..].copy_from_slice(&trailer);
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn lies_with_right_checksums_never_panic(seed in any::<u64>()) {
        let mut random = Random(seed);
        let bytes = lie(&small_segment(), &mut random);
        if let Ok(reader) = open(bytes) {
            let reader = Arc::new(reader);
            let _ = reader.verify();
            let _ = read_everything(&RowSource::from(reader));
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        open(bytes).expect_err("random bytes");
    }
}
