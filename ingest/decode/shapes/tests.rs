//! Documents come back byte for byte from everywhere, and a guess never reads another row.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use storage::catalog::Topic;
use storage::disk::ReadFile;
use storage::model::{ColumnBatch, Shape};
use storage::segment::{
    ActiveChunk, ColumnRoles, MergeInput, RowSource, SegmentOptions, SegmentReader, SourceRows,
    merge_segments, write_segment,
};

use crate::decode::tests::{document, rows_by_offset, topic};
use crate::decode::{DecodedRows, DocumentDecoder};

#[derive(Debug)]
struct BytesFile(Vec<u8>);

impl ReadFile for BytesFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(())
    }
}

fn open(bytes: Vec<u8>) -> Arc<SegmentReader> {
    let reader = SegmentReader::open(Arc::new(BytesFile(bytes))).unwrap();
    reader.verify().unwrap();
    Arc::new(reader)
}

/// Each document of `rows` is what was sent with its offset.
fn check_documents(rows: &RowSource, documents: &[String]) {
    let mut reader = rows.document_reader().unwrap();
    let (mut partitions, mut offsets) = (Vec::new(), Vec::new());
    for vector in 0..rows.vector_count() {
        rows.origins(vector, &mut partitions, &mut offsets).unwrap();
        for (row, offset) in rows.vector_rows(vector).zip(&offsets) {
            let sent = &documents[usize::try_from(*offset).unwrap()];
            let found = String::from_utf8(reader.document(row).unwrap()).unwrap();
            assert_eq!(&found, sent);
        }
    }
}

/// Decodes `documents` in batches that end before each of `cuts`, and looks at them everywhere.
fn check(topic: &Topic, documents: &[String], cut: usize) -> Vec<DecodedRows> {
    let mut decoder = DocumentDecoder::new(topic);
    let mut batches = Vec::new();
    for (number, text) in documents.iter().enumerate() {
        if number == cut {
            batches.push(decoder.finish());
        }
        let _ = decoder.decode(&document(number as u64, text.as_bytes()));
    }
    batches.push(decoder.finish());

    let rows: Vec<&ColumnBatch> = batches.iter().map(|batch| &batch.rows).collect();
    let chunks: Vec<_> = rows
        .iter()
        .map(|rows| Arc::new(ActiveChunk::new((*rows).clone())))
        .collect();
    for chunk in &chunks {
        check_documents(&RowSource::from(Arc::clone(chunk)), documents);
    }
    let live: Vec<_> = chunks.iter().cloned().map(SourceRows::from).collect();
    let Ok(all) = ActiveChunk::concat(&live) else {
        return batches;
    };
    check_documents(&RowSource::from(Arc::new(all)), documents);

    let fields = batches
        .iter()
        .rev()
        .find_map(|batch| batch.new_fields.as_ref());
    let mapping = fields.map_or(&topic.mapping, |fields| &fields.mapping);
    let roles = ColumnRoles::from_mapping(mapping, None);
    let options = SegmentOptions::default();
    let mut readers = Vec::new();
    for rows in rows.iter().filter(|rows| rows.row_count() > 0) {
        let mut bytes = Vec::new();
        write_segment(&[*rows], &roles, &options, &mut bytes).unwrap();
        readers.push(open(bytes));
        check_documents(
            &RowSource::from(Arc::clone(&readers[readers.len() - 1])),
            documents,
        );
    }
    if !readers.is_empty() {
        let inputs: Vec<_> = readers
            .iter()
            .map(|reader| MergeInput {
                reader,
                deleted: None,
            })
            .collect();
        let mut bytes = Vec::new();
        merge_segments(&inputs, &roles, &options, &mut bytes).unwrap();
        check_documents(&RowSource::from(open(bytes)), documents);
    }
    batches
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().into()).collect()
}

/// The shapes of `documents` as people read them, and how many bytes rows keep.
fn check_shapes(fields: &Value, documents: &str, expected: &[&str], own_bytes: usize) {
    let documents = lines(documents.trim());
    let batches = check(&topic(fields), &documents, usize::MAX);
    let sources = &batches[0].rows.sources;
    let shown: Vec<String> = sources
        .shapes
        .terms()
        .map(|shape| match shape.is_empty() {
            true => "(raw)".into(),
            false => show(&Shape::decode(shape).unwrap()),
        })
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(sources.bytes.len(), own_bytes);
}

fn show(shape: &Shape) -> String {
    let mut out = String::new();
    for (before, hole) in &shape.holes {
        out += std::str::from_utf8(before).unwrap();
        out += &match hole {
            storage::model::Hole::Own => "<own>".into(),
            storage::model::Hole::Value { path, index, style } => match index {
                0 => format!("<{path} {style:?}>"),
                _ => format!("<{path}[{index}] {style:?}>"),
            },
        };
    }
    out + std::str::from_utf8(&shape.tail).unwrap()
}

#[test]
fn documents_of_one_program_have_one_shape() {
    check_shapes(
        &json!({}),
        r#"
        {"n":1,"price":40000.0,"s":"a","ok":true,"tags":["x","y"],"o":{"k":-7}, "e":[]}
        {"n":22,"price":39999.96,"s":"b c","ok":false,"tags":["z",""],"o":{"k":0}, "e":[]}
        {"n":-3,"price":0.5,"s":"é","ok":true,"tags":["x","x"],"o":{"k":8}, "e":[]}
        "#,
        &[
            "{\"n\":<n Plain>,\"price\":<price Point>,\"s\":\"<s Text>\",\"ok\":<ok Boolean>,\
           \"tags\":[\"<tags Text>\",\"<tags[1] Text>\"],\"o\":{\"k\":<o.k Plain>}, \"e\":[]}",
        ],
        0,
    );
}

#[test]
fn what_no_column_says_is_kept() {
    let fields = json!({"k": {"field_type": "keyword", "ignore_above": 3}, "d": {"field_type": "double"},
        "t": {"field_type": "date"}, "n": {"field_type": "long"}});
    // An integer that may be rounded once, a text that is ignored, a date without a style.
    check_shapes(&fields, r#"{"n":9007199254740993}"#, &["{\"n\":<own>}"], 17);
    check_shapes(&fields, r#"{"k":"long"}"#, &["{\"k\":\"<own>\"}"], 5);
    check_shapes(
        &fields,
        r#"{"t":"2024-03-05T01:02:03.5Z"}"#,
        &["{\"t\":\"<own>\"}"],
        23,
    );
    // Long arrays and those of objects.
    check_shapes(&fields, r#"{"d":[1,2,3,4,5]}"#, &["{\"d\":<own>}"], 12);
    check_shapes(
        &fields,
        r#"{"o":[{"n":1},{"n":2}]}"#,
        &["{\"o\":<own>}"],
        18,
    );
}

#[test]
fn values_have_styles() {
    let fields = json!({"d": {"field_type": "double"}, "t": {"field_type": "date"},
        "k": {"field_type": "keyword"}});
    let style = |document: &str, expected: &str| check_shapes(&fields, document, &[expected], 0);
    style(r#"{"d":1.50}"#, "{\"d\":<d Places(2)>}");
    style(r#"{"d":"0.00000001"}"#, "{\"d\":\"<d Plain>\"}");
    style(
        r#"{"d":1.5e-07}"#,
        "{\"d\":<d Exponent(ExponentStyle { is_upper: false, has_point: false, has_plus: false, is_padded: true })>}",
    );
    style(r#"{"k":7}"#, "{\"k\":<k Text>}");
    style(r#"{"k":"a\"\n"}"#, "{\"k\":\"<k Escaped>\"}");
    style(r#"{"k":"\u00e9"}"#, "{\"k\":\"<k Ascii>\"}");
    style(r#"{"t":1769904000488}"#, "{\"t\":<t Plain>}");
    style(
        r#"{"t":"2026-02-01T00:00:00.488000+01:00"}"#,
        "{\"t\":\"<t Date(DateStyle { has_slashes: false, has_time: true, has_space: false, \
         has_millis: true, offset_minutes: 60 })>000+01:00\"}",
    );
}

#[test]
fn too_many_shapes_are_none() {
    let documents: Vec<String> = (0..400)
        .map(|number| format!("{{{}\"n\":{number}}}", " ".repeat(number)))
        .collect();
    let batches = check(&topic(&json!({})), &documents, 390);
    let shapes: Vec<usize> = batches
        .iter()
        .map(|batch| batch.rows.sources.shapes.len())
        .collect();
    assert_eq!(shapes, [257, 10]);
}

/// Numbers as programs and people write them, and some that are none.
fn number() -> impl Strategy<Value = String> {
    let odd = [
        "-0",
        "-0.0",
        "0.0",
        "1E5",
        "1.0e5",
        "0.1e-7",
        "00",
        "1.",
        "123456789012345678",
        "0.1234567890123456789",
    ];
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-999..999_i64).prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}").replace(['N', 'i'], "0")),
        (-99_999..99_999_i64, 0..5_usize)
            .prop_map(|(number, places)| format!("{:.places$}", number as f64 / 100.0)),
        (any::<f32>(), 0..20_usize).prop_map(|(number, places)| format!("{number:.places$}")),
        select(odd.to_vec()).prop_map(String::from),
    ]
}

/// Dates in formats that fields read, and some that they do not.
fn date() -> impl Strategy<Value = String> {
    let formats = [
        "%FT%T.%3fZ",
        "%F",
        "%FT%TZ",
        "%F %T",
        "%Y/%m/%d %H:%M:%S",
        "%FT%T.%6f+00:00",
        "%FT%T",
        "%Y",
    ];
    (0..2_000_000_000_000_i64, select(formats.to_vec())).prop_map(|(ms, format)| {
        let instant = jiff::Timestamp::from_millisecond(ms).unwrap();
        let local = instant.to_zoned(jiff::tz::TimeZone::UTC);
        local.strftime(format).to_string()
    })
}

/// A JSON value of a field of any type, in one of many spellings.
fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-z ]{0,12}",
        any::<String>(),
        number(),
        date(),
        select(vec!["true", "", " 5 ", "nan", "1769904000488"]).prop_map(String::from),
    ];
    let quoted = (text, 0..3).prop_map(|(text, how)| {
        let quoted = json!(text).to_string();
        match how {
            0 => quoted,
            1 => quoted.replace('/', "\\/"),
            _ => quoted.chars().map(ascii).collect(),
        }
    });
    let word = select(vec!["true", "false", "null"]).prop_map(String::from);
    prop_oneof![6 => number(), 6 => quoted, 3 => word]
}

/// A character of a JSON string as programs write it that trust nothing but ASCII.
fn ascii(character: char) -> String {
    if character.is_ascii() {
        return character.into();
    }
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Names with types of their own, and one that finds its type.
const NAMES: [&str; 9] = ["l", "d", "k", "t", "b", "x", "o.p", "ms", "i"];

fn fields() -> Value {
    json!({
        "l": {"field_type": "long"},
        "d": {"field_type": "double"},
        "k": {"field_type": "keyword", "ignore_above": 20},
        "t": {"field_type": "date"},
        "b": {"field_type": "boolean", "attributes": {"null_value": true, "ignore_malformed": true}},
        "o.p": {"field_type": "text"},
        "ms": {"field_type": "date", "format": "epoch_millis", "attributes": {"ignore_malformed": true}},
        "i": {"field_type": "short", "attributes": {"ignore_malformed": true}},
    })
}

/// A document of some names in some order, with spaces that vary.
fn any_document() -> impl Strategy<Value = String> {
    let space = select(vec!["", "", "", " ", "\n\t"]);
    let member = (
        select(NAMES.to_vec()),
        value(),
        proptest::collection::vec(value(), 0..6),
        0..8,
        space,
    );
    let member = member.prop_map(|(name, value, values, kind, space)| {
        let value = match kind {
            0 => format!("[{}{space}]", values.join(&format!(",{space}"))),
            1 => format!("[{{\"q\":{value}}}]"),
            _ => value,
        };
        match (name, kind) {
            ("o.p", 2 | 3) => format!("\"o\":{space}{{\"p\":{value}}}"),
            _ => format!("\"{name}\"{space}:{value}"),
        }
    });
    proptest::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// Documents that are much like each other: a few, each with some values exchanged.
fn many_documents() -> impl Strategy<Value = Vec<String>> {
    let template = (
        proptest::sample::subsequence(NAMES.to_vec(), 1..5),
        proptest::collection::vec(proptest::collection::vec(value(), 4), 1..12),
    );
    let alike = template.prop_map(|(names, rows)| {
        rows.iter()
            .map(|values| {
                let members = names.iter().zip(values);
                let members = members.map(|(name, value)| format!("\"{name}\": {value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            })
            .collect()
    });
    prop_oneof![alike, proptest::collection::vec(any_document(), 1..12)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_document_comes_back(documents in many_documents(), cut in 0..12_usize) {
        check(&topic(&fields()), &documents, cut);
    }

    /// A decoder that never saw a document before has nothing to guess from.
    #[test]
    fn guesses_read_what_the_long_way_reads(
        documents in many_documents(),
        dynamic in any::<bool>(),
    ) {
        let mut topic = topic(&fields());
        if !dynamic {
            topic.dynamic = storage::catalog::Dynamic::False;
        }
        // Fields and times that come with the documents are known from the start.
        let mut decoder = DocumentDecoder::new(&topic);
        for (text, offset) in documents.iter().zip(0..) {
            let _ = decoder.decode(&document(offset, text.as_bytes()));
        }
        if let Some(fields) = decoder.finish().new_fields {
            topic.mapping = fields.mapping;
            topic.time_field = fields.time_field;
        }
        let mut guessing = DocumentDecoder::new(&topic);
        for (text, offset) in documents.iter().chain(&documents).zip(0..) {
            let guessed = guessing.decode(&document(offset, text.as_bytes()));
            let mut fresh = DocumentDecoder::new(&topic);
            let read = fresh.decode(&document(offset, text.as_bytes()));
            prop_assert_eq!(&guessed, &read);
            // One row at a time, so that columns show the kind that each gave them.
            let (guessed, read) = (guessing.finish(), fresh.finish());
            prop_assert_eq!(rows_by_offset(&guessed.rows), rows_by_offset(&read.rows));
            prop_assert_eq!(guessed.rows.times_are_field, read.rows.times_are_field);
        }
    }
}
