//! Round trips of every encoding, and decoders that are told lies.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::bytes::{ByteReader, ByteWriter};
use super::choose::encode;
use super::integers::{Encoding, Lanes, decode_codes, decode_integers};
use super::vectors::{
    CodeCheck, HEADER_BYTES, VectorHeader, decode_code_vector, decode_number_vector,
    encode_code_vector, encode_number_vector,
};
use super::{
    LetterPacking, TermFormat, TermReader, decode_offsets, encode_offsets, encode_terms,
    make_canonical,
};
use crate::model::{CodeVector, Decimal, Dictionary, Exponents, NumberVector, VectorOccurrence};

fn check_integers(values: &[i64]) -> Encoding {
    let mut bytes = Vec::new();
    let code = encode(values, Lanes::Bits64, &mut bytes);
    let mut reader = ByteReader::new(&bytes);
    let mut decoded = vec![7; 3];
    decode_integers(code, values.len(), &mut reader, &mut decoded).expect("what was encoded");
    reader.finish().expect("nothing is left over");
    assert_eq!(decoded, values);
    code.encoding
}

fn check_codes(values: &[u32]) -> Encoding {
    let wide: Vec<i64> = values.iter().map(|value| i64::from(*value)).collect();
    let mut bytes = Vec::new();
    let code = encode(&wide, Lanes::Bits32, &mut bytes);
    let mut reader = ByteReader::new(&bytes);
    let mut decoded = vec![7; 3];
    decode_codes(code, values.len(), &mut reader, &mut decoded).expect("what was encoded");
    reader.finish().expect("nothing is left over");
    assert_eq!(decoded, values);
    code.encoding
}

#[test]
fn each_encoding_has_its_case() {
    let noise = |index: i64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) >> 44;
    assert_eq!(check_integers(&[]), Encoding::Constant);
    assert_eq!(check_integers(&[5; 1024]), Encoding::Constant);
    assert_eq!(check_integers(&[i64::MIN, i64::MAX]), Encoding::Plain);
    let steps: Vec<i64> = (0..1024).map(|index| 1_000 - 3 * index).collect();
    assert_eq!(check_integers(&steps), Encoding::Sequence);
    let noisy: Vec<i64> = (0..1024).map(noise).collect();
    assert_eq!(check_integers(&noisy), Encoding::Packed);
    assert_eq!(check_integers(&noisy[..9]), Encoding::Plain);
    let runs: Vec<i64> = (0..1024).map(|index| noise(index / 300)).collect();
    assert_eq!(check_integers(&runs), Encoding::Runs);
    let several_blocks: Vec<i64> = (0..5_000).map(noise).collect();
    assert_eq!(check_integers(&several_blocks), Encoding::Packed);
    let mut outliers: Vec<i64> = (0..1024).map(|index| noise(index) & 15).collect();
    assert_eq!(check_integers(&outliers), Encoding::Packed);
    (outliers[5], outliers[600]) = (1 << 40, -70_000);
    assert_eq!(check_integers(&outliers), Encoding::Patched);
    outliers[7] = i64::MAX;
    assert_eq!(check_integers(&outliers), Encoding::Patched);
    outliers[8] = i64::MIN;
    assert_eq!(check_integers(&outliers), Encoding::Patched);
    let ascending: Vec<i64> = (0..1024)
        .map(|index| 1000 * index + (noise(index) & 255))
        .collect();
    assert_eq!(check_integers(&ascending), Encoding::Steps);
    let mut jump = ascending.clone();
    jump[99] = -(1 << 50);
    check_integers(&jump);
    let walk: Vec<i64> = ascending.iter().map(|value| value % 7_777_777).collect();
    assert_eq!(check_integers(&walk), Encoding::Steps);
}

#[test]
fn codes_reach_every_width() {
    for width in 0..=32_u32 {
        let largest = u32::MAX.checked_shr(32 - width).unwrap_or(0);
        let codes: Vec<u32> = (0..1_024_u32)
            .map(|index| index.wrapping_mul(0x9e37_79b9) & largest)
            .chain([largest])
            .collect();
        check_codes(&codes);
    }
    assert_eq!(check_codes(&[u32::MAX, 0, u32::MAX]), Encoding::Plain);
    let mut outliers: Vec<u32> = (0..1024).map(|index| 1000 + index % 7).collect();
    (outliers[3], outliers[700]) = (3_000_000_000, 0);
    assert_eq!(check_codes(&outliers), Encoding::Patched);
}

/// Integers of one magnitude, so that every width comes up.
fn integers(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<i64>> {
    let count = count.into();
    (0..64_u32, any::<i64>()).prop_flat_map(move |(shift, base)| {
        let value = any::<i64>().prop_map(move |value| base.wrapping_add(value >> shift));
        proptest::collection::vec(value, count.clone())
    })
}

fn decimals(count: usize) -> impl Strategy<Value = Vec<Decimal>> {
    let money = (-9_999_999_i64..9_999_999, -8_i16..=0)
        .prop_map(|(mantissa, exponent)| Decimal { mantissa, exponent });
    let wild = any::<f64>().prop_map(|value| Decimal::from_f64(value).unwrap_or_default());
    prop_oneof![
        proptest::collection::vec(money.prop_map(Decimal::normalized), count),
        proptest::collection::vec(wild, count),
    ]
}

fn vector_of(decimals: &[Decimal], occurrence: VectorOccurrence, rows: usize) -> NumberVector {
    NumberVector {
        row_count: rows,
        mantissas: decimals.iter().map(|value| value.mantissa).collect(),
        exponents: Exponents::Each(decimals.iter().map(|value| value.exponent).collect()),
        occurrence,
    }
}

/// One, none or several values a row.
fn occurrence(rows: usize) -> impl Strategy<Value = (VectorOccurrence, usize)> {
    let optional = proptest::collection::vec(any::<bool>(), rows).prop_map(|present| {
        let mut words = Box::new([0_u64; 16]);
        for (row, present) in present.iter().enumerate() {
            words[row / 64] |= u64::from(*present) << (row % 64);
        }
        let count = present.iter().filter(|present| **present).count();
        (VectorOccurrence::Optional(words), count)
    });
    let many = proptest::collection::vec(0..4_u32, rows).prop_map(|counts| {
        let mut starts = vec![0];
        starts.extend(counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        }));
        let count = counts.iter().sum::<u32>() as usize;
        (VectorOccurrence::Many(starts), count)
    });
    prop_oneof![Just((VectorOccurrence::One, rows)), optional, many]
}

fn number_vector() -> impl Strategy<Value = NumberVector> {
    (1..=1_024_usize)
        .prop_flat_map(|rows| (Just(rows), occurrence(rows)))
        .prop_flat_map(|(rows, (occurrence, count))| {
            let decimal = decimals(count);
            (Just(rows), Just(occurrence), decimal)
        })
        .prop_map(|(rows, occurrence, decimals)| vector_of(&decimals, occurrence, rows))
}

fn values(vector: &NumberVector) -> Vec<Decimal> {
    vector
        .mantissas
        .iter()
        .enumerate()
        .map(|(index, mantissa)| Decimal {
            mantissa: *mantissa,
            exponent: vector.exponents.get(index),
        })
        .map(Decimal::normalized)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn integers_come_back(values in integers(0..2_500)) {
        check_integers(&values);
    }

    #[test]
    fn codes_come_back(values in integers(0..2_500)) {
        let codes: Vec<u32> = values.iter().map(|value| *value as u32).collect();
        check_codes(&codes);
    }

    #[test]
    fn number_vectors_come_back(mut vector in number_vector()) {
        make_canonical(&mut vector);
        let mut page = vec![1, 2, 3];
        let header = encode_number_vector(&vector, &mut page);
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        prop_assert_eq!(bytes.len(), HEADER_BYTES);
        let decoded_header = VectorHeader::decode(&mut ByteReader::new(&bytes), vector.row_count)
            .expect("what was encoded");
        prop_assert_eq!(decoded_header, header);
        let mut decoded = NumberVector::default();
        decode_number_vector(&header, vector.row_count, &page, &mut decoded)
            .expect("what was encoded");
        prop_assert_eq!(values(&decoded), values(&vector));
        prop_assert_eq!(&decoded.occurrence, &vector.occurrence);
        prop_assert_eq!(decoded.row_count, vector.row_count);
        // Words are read in place there; elsewhere they are as good.
        prop_assert_eq!(header.data_offset % 8, 0);
        page.insert(0, 9);
        let elsewhere = VectorHeader { data_offset: header.data_offset + 1, ..header };
        let mut again = NumberVector::default();
        decode_number_vector(&elsewhere, vector.row_count, &page, &mut again)
            .expect("what was encoded");
        prop_assert_eq!(again, decoded);
    }

    #[test]
    fn code_vectors_come_back((rows, (occurrence, count)) in (1..=1_024_usize)
        .prop_flat_map(|rows| (Just(rows), occurrence(rows))), seed in any::<u32>()) {
        let codes = (0..count as u32).map(|code| code.wrapping_mul(seed) % 1_000).collect();
        let vector = CodeVector { row_count: rows, codes, occurrence };
        let mut page = Vec::new();
        let header = encode_code_vector(&vector, &mut page);
        let mut decoded = CodeVector::default();
        let decode = |terms, out: &mut CodeVector| {
            decode_code_vector(&header, rows, &page, CodeCheck { term_count: terms }, out)
        };
        decode(1_000, &mut decoded).expect("what was encoded");
        prop_assert_eq!(&decoded, &vector);
        if let Some(largest) = vector.codes.iter().max() {
            decode(*largest, &mut decoded).expect_err("a code without a term");
        }
    }

    #[test]
    fn lies_are_flaws_and_no_panics(
        mut vector in number_vector(),
        lies in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
    ) {
        let mut page = Vec::new();
        make_canonical(&mut vector);
        let header = encode_number_vector(&vector, &mut page);
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let target = if in_header { &mut bytes } else { &mut page };
        for (place, value) in lies {
            if !target.is_empty() {
                let place = place.index(target.len());
                target[place] = value;
            }
        }
        let mut reader = ByteReader::new(&bytes);
        let mut numbers = NumberVector::default();
        let mut codes = CodeVector::default();
        if let Ok(header) = VectorHeader::decode(&mut reader, vector.row_count) {
            let _ = decode_number_vector(&header, vector.row_count, &page, &mut numbers);
            let check = CodeCheck { term_count: 9 };
            let _ = decode_code_vector(&header, vector.row_count, &page, check, &mut codes);
        }
    }

    #[test]
    fn varints_come_back(value in any::<i128>(), shift in 0..128_u32) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        bytes.put_signed(value);
        bytes.put_varint(value.cast_unsigned());
        let mut reader = ByteReader::new(&bytes);
        prop_assert_eq!(reader.signed::<i128>(), Ok(value));
        prop_assert_eq!(reader.varint(), Ok(value.cast_unsigned()));
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = ByteReader::new(&bytes);
        while reader.varint().is_ok() && reader.sized().is_ok() {}
        let formats = [
            TermFormat::default(),
            TermFormat { packing: LetterPacking::new(b"x", &[1 << 48, 7, 0, 0]), length: None },
            TermFormat { packing: LetterPacking::new(b"", &[1 << 48, 7, 0, 0]), length: Some(9) },
        ];
        for format in &formats {
            let mut terms = TermReader::new(&bytes, 40, format);
            while let Ok(Some(_)) = terms.next() {}
        }
    }

    #[test]
    fn terms_come_back(
        terms in proptest::collection::btree_set("[ab]{0,9}", 0..70),
        one_length in any::<bool>(),
    ) {
        let terms: BTreeSet<String> = match one_length {
            true => terms.into_iter().filter(|term| term.len() == 5).collect(),
            false => terms,
        };
        let dictionary = Dictionary::from_terms(terms.iter().map(String::as_bytes));
        let alphabet = [0, 3 << (b'a' - 64), 0, 0];
        for packing in [None, LetterPacking::new(b"", &alphabet)] {
            let format = TermFormat { packing, length: one_length.then_some(5) };
            let bytes = encode_terms(&dictionary, &format);
            let mut reader = TermReader::new(&bytes, terms.len(), &format);
            let mut decoded = BTreeSet::new();
            while let Some(term) = reader.next().expect("what was encoded") {
                decoded.insert(String::from_utf8(term.to_vec()).expect("letters"));
            }
            prop_assert_eq!(&decoded, &terms);
            let find = |term: &str| {
                let mut reader = TermReader::new(&bytes, terms.len(), &format);
                reader.find(term.as_bytes()).expect("what was encoded")
            };
            for (number, term) in (0..).zip(&terms) {
                prop_assert_eq!(find(term), Some(number));
                let longer = format!("{term}a");
                prop_assert_eq!(find(&longer).is_some(), terms.contains(&longer));
            }
            for other in ["", "a", "abc", "c", "bbbbbbbbbbbb"] {
                prop_assert_eq!(find(other).is_some(), terms.contains(other));
            }
        }
    }

    #[test]
    fn canonical_decimals_do_not_show_their_digits(
        mut vector in number_vector(),
        zeros in proptest::collection::vec(0..4_u32, 1..9),
    ) {
        let expected = values(&vector);
        let mut padded = vector.clone();
        let each = padded.exponents.make_each();
        for (index, value) in expected.iter().enumerate() {
            let up = zeros[index % zeros.len()];
            let scaled = value.mantissa.checked_mul(10_i64.pow(up));
            padded.mantissas[index] = scaled.unwrap_or(value.mantissa);
            let down = if scaled.is_some() { up as i16 } else { 0 };
            // The power of 0 says nothing.
            each.push(if value.mantissa == 0 { 3 } else { value.exponent - down });
        }
        make_canonical(&mut vector);
        make_canonical(&mut padded);
        prop_assert_eq!(&vector, &padded);
        prop_assert_eq!(values(&vector), expected);
    }

    #[test]
    fn offsets_come_back(
        rows in proptest::collection::vec((0..400_i64, 0..3_i64), 1..1_024),
        noise in any::<bool>(),
    ) {
        let mut newest = std::collections::BTreeMap::new();
        let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
        for (partition, step) in rows {
            let partition = if noise { partition } else { partition % 7 };
            let offset = newest.entry(partition).or_insert(partition << 40);
            *offset += step - 1;
            partitions.push(partition);
            offsets.push(*offset);
        }
        let mut page = vec![9];
        let header = encode_offsets(&partitions, &offsets, &mut page);
        let mut decoded = Vec::new();
        decode_offsets(&header, &partitions, &page, &mut decoded).expect("what was encoded");
        prop_assert_eq!(&decoded, &offsets);
        decode_offsets(&header, &partitions[1..], &page, &mut decoded)
            .expect_err("a row too few");
    }
}
