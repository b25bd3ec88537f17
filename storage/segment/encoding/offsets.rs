//! Offsets of rows in order of time: each continues where its partition was, nearly always by one.
//!
//! A vector holds the first offset of each partition, in order of appearance, and for every other
//! row how far it lies behind the row of the same partition before it.

use rustc_hash::FxHashMap;

use super::bytes::{ByteReader, Flaw};
use super::choose::{encode, encode_with_code};
use super::integers::{Encoding, IntegerCode, Lanes, decode_integers, decode_with_code};
use super::occurrences::OccurrenceCode;
use super::vectors::{VectorHeader, begin_vector, page_offset};

/// Partitions below this number are found without hashing.
const DENSE_PARTITIONS: usize = 256;

/// The newest offset of each partition.
#[derive(Debug)]
struct Newest {
    dense: [Option<i64>; DENSE_PARTITIONS],
    sparse: FxHashMap<i64, i64>,
}

impl Newest {
    fn new() -> Self {
        Self {
            dense: [None; DENSE_PARTITIONS],
            sparse: FxHashMap::default(),
        }
    }

    fn get(&self, partition: i64) -> Option<i64> {
        match usize::try_from(partition)
            .ok()
            .and_then(|place| self.dense.get(place))
        {
            Some(newest) => *newest,
            None => self.sparse.get(&partition).copied(),
        }
    }

    fn set(&mut self, partition: i64, offset: i64) {
        match usize::try_from(partition)
            .ok()
            .and_then(|place| self.dense.get_mut(place))
        {
            Some(newest) => *newest = Some(offset),
            None => {
                self.sparse.insert(partition, offset);
            }
        }
    }
}

/// Appends a vector of offsets to `page`.
pub(in crate::segment) fn encode_offsets(
    partitions: &[i64],
    offsets: &[i64],
    page: &mut Vec<u8>,
) -> VectorHeader {
    let data_offset = begin_vector(page);
    let mut newest = Newest::new();
    let (mut firsts, mut steps) = (Vec::new(), Vec::with_capacity(offsets.len()));
    for (partition, offset) in partitions.iter().zip(offsets) {
        match newest.get(*partition) {
            None => firsts.push(*offset),
            Some(newest) => steps.push(offset.wrapping_sub(newest)),
        }
        newest.set(*partition, *offset);
    }
    let (mut by_partition, mut as_they_are) = (Vec::new(), Vec::new());
    encode_with_code(&firsts, &mut by_partition);
    encode_with_code(&steps, &mut by_partition);
    let mut code = encode(offsets, Lanes::Bits64, &mut as_they_are);
    if by_partition.len() < as_they_are.len() {
        code = IntegerCode {
            encoding: Encoding::ByPartition,
            width: 0,
            base: 0,
        };
        page.append(&mut by_partition);
    } else {
        page.append(&mut as_they_are);
    }
    VectorHeader {
        code,
        occurrence: OccurrenceCode::One,
        has_each_exponent: false,
        exponent: 0,
        value_count: u32::try_from(offsets.len()).expect("a vector has few rows"),
        data_offset,
        data_bytes: page_offset(page) - data_offset,
        statistics: None,
    }
}

/// Replaces `out` by the offsets of the rows of `partitions`.
pub(in crate::segment) fn decode_offsets(
    header: &VectorHeader,
    partitions: &[i64],
    page: &[u8],
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let mut bytes = header.data(page)?;
    let is_one = header.occurrence == OccurrenceCode::One && !header.has_each_exponent;
    if !is_one || header.value_count as usize != partitions.len() {
        return Err(Flaw("a row has not one offset"));
    }
    match header.code.encoding {
        Encoding::ByPartition => decode_by_partition(partitions, &mut bytes, out)?,
        Encoding::Constant
        | Encoding::Sequence
        | Encoding::Packed
        | Encoding::Plain
        | Encoding::Runs
        | Encoding::Patched
        | Encoding::Steps => decode_integers(header.code, partitions.len(), &mut bytes, out)?,
    }
    bytes.finish()
}

fn decode_by_partition(
    partitions: &[i64],
    bytes: &mut ByteReader<'_>,
    out: &mut Vec<i64>,
) -> Result<(), Flaw> {
    let mut newest = Newest::new();
    let mut first_count = 0;
    for partition in partitions {
        if newest.get(*partition).is_none() {
            newest.set(*partition, 0);
            first_count += 1;
        }
    }
    let (mut firsts, mut steps) = (Vec::new(), Vec::new());
    decode_with_code(first_count, bytes, &mut firsts)?;
    decode_with_code(partitions.len() - first_count, bytes, &mut steps)?;
    let (mut firsts, mut steps) = (firsts.into_iter(), steps.into_iter());
    let mut newest = Newest::new();
    out.clear();
    for partition in partitions {
        // Both lists have exactly as many values as are asked for.
        let offset = match newest.get(*partition) {
            None => firsts.next().unwrap_or(0),
            Some(newest) => newest.wrapping_add(steps.next().unwrap_or(0)),
        };
        newest.set(*partition, offset);
        out.push(offset);
    }
    Ok(())
}
