//! Documents in, columns and mapping out as text.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use storage::catalog::{Dynamic, Materialize, TimeField, Topic};
use storage::model::{
    Column, ColumnBatch, Decimal, Field, Mapping, Occurrence, Offset, PartitionId, TopicId,
    TopicName,
};
use storage::segment::{ActiveChunk, RowSource};

use super::{DecodedRows, Document, DocumentDecoder, DocumentError, WHOLE_TEXTS_SETTING};

pub(super) fn topic(fields: &Value) -> Topic {
    let fields: BTreeMap<String, Field> = serde_json::from_value(fields.clone()).unwrap();
    Topic {
        id: TopicId(1),
        name: TopicName::parse("events").unwrap(),
        uuid: [0; 16],
        partitions: 1,
        routing_partitions: None,
        created_ms: 0,
        config: BTreeMap::new(),
        settings: BTreeMap::new(),
        dynamic: Dynamic::True,
        mapping: Arc::new(Mapping {
            fields,
            ..Mapping::default()
        }),
        time_field: None,
        materialize: Materialize::Auto,
    }
}

pub(super) fn document(offset: u64, source: &[u8]) -> Document<'_> {
    Document {
        partition: PartitionId(0),
        offset: Offset(offset),
        timestamp_ms: 1_000 + i64::try_from(offset).unwrap(),
        id: None,
        source,
    }
}

/// Decodes the lines of `documents`; the rejected ones with their reasons.
fn decode(topic: &Topic, documents: &str) -> (DecodedRows, Vec<DocumentError>) {
    let mut decoder = DocumentDecoder::new(topic);
    let mut rejected = Vec::new();
    for (line, offset) in documents.lines().map(str::trim).zip(0..) {
        if let Err(error) = decoder.decode(&document(offset, line.as_bytes())) {
            rejected.push(error);
        }
    }
    (decoder.finish(), rejected)
}

/// Each row's values of `column`, as they would be written.
fn values(column: &Column, row_count: usize) -> Vec<Vec<String>> {
    let (occurrence, texts): (&Occurrence, Vec<String>) = match column {
        Column::Integer(numbers) => (
            &numbers.occurrence,
            numbers.mantissas.iter().map(ToString::to_string).collect(),
        ),
        Column::Decimal(numbers) => {
            let value = |(index, mantissa): (usize, &i64)| {
                let exponent = numbers.exponents.get(index);
                format!(
                    "{:?}",
                    Decimal {
                        mantissa: *mantissa,
                        exponent
                    }
                    .to_f64()
                )
            };
            (
                &numbers.occurrence,
                numbers.mantissas.iter().enumerate().map(value).collect(),
            )
        }
        Column::Text(texts) => {
            let value =
                |code: &u32| String::from_utf8_lossy(texts.dictionary.term(*code)).into_owned();
            (&texts.occurrence, texts.codes.iter().map(value).collect())
        }
    };
    let mut rest = texts.into_iter();
    (0..row_count)
        .map(|row| {
            let count = match occurrence {
                Occurrence::One => 1,
                Occurrence::Optional(bits) => (bits[row / 64] >> (row % 64) & 1) as usize,
                Occurrence::Many(starts) => (starts[row + 1] - starts[row]) as usize,
            };
            rest.by_ref().take(count).collect()
        })
        .collect()
}

fn print_rows(rows: &ColumnBatch, out: &mut String) {
    let is_field = if rows.times_are_field { " (field)" } else { "" };
    writeln!(out, "times {:?}{is_field}", rows.times_ms).unwrap();
    for (path, column) in &rows.columns {
        let cells: Vec<String> = values(column, rows.row_count())
            .iter()
            .map(|values| values.join(","))
            .collect();
        writeln!(out, "{path} {:?} [{}]", column.kind(), cells.join(" | ")).unwrap();
    }
}

fn print_result(decoded: &DecodedRows, rejected: &[DocumentError]) -> String {
    let mut out = String::new();
    print_rows(&decoded.rows, &mut out);
    if let Some(new) = &decoded.new_fields {
        writeln!(out, "time field {:?}", new.time_field).unwrap();
        for (path, field) in &new.mapping.fields {
            if new.base.fields.get(path) != Some(field) {
                let field = serde_json::to_string(field).unwrap();
                writeln!(out, "new {path} {field}").unwrap();
            }
        }
    }
    for error in rejected {
        writeln!(out, "rejected \"{error}\"").unwrap();
        if let Some((preview, cause)) = error.value_cause() {
            writeln!(out, "    \"{preview}\": {cause}").unwrap();
        }
    }
    out
}

#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
fn check(topic: &Topic, documents: &str, expected: Expect) {
    let (decoded, rejected) = decode(topic, documents.trim());
    expected.assert_eq(&print_result(&decoded, &rejected));
}

#[test]
fn types_are_found() {
    check(
        &topic(&json!({})),
        r#"
        {"i":1,"d":1.5,"b":true,"t":"x","n":null,"e":[],"o":{},"day":"2024-03-05","slash":"2024/03/05 10:20:30"}
        {"i":-2,"d":2,"b":false,"t":"y","day":"2024-03-06T01:00:00+01:00","slash":"2024/03/06","number":"17"}
        "#,
        expect![[r#"
            times [1000, 1001]
            b Integer [1 | 0]
            d Decimal [1.5 | 2.0]
            day Integer [1709596800000 | 1709683200000]
            i Integer [1 | -2]
            number Text [ | 17]
            slash Integer [1709634030000 | 1709683200000]
            t Text [x | y]
            time field Some(RecordTime)
            new b {"field_type":"boolean"}
            new d {"field_type":"double"}
            new day {"field_type":"date"}
            new i {"field_type":"long"}
            new number {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}}}
            new slash {"field_type":"date","format":"yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"}
            new t {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}}}
        "#]],
    );
}

#[test]
fn an_empty_object_behind_the_first_value_of_a_new_field_leaves_names_alone() {
    let documents = [
        r#"{"name":[1,{"d":null},2]}"#,
        r#"{"around":{"x":[1,{"d":null,"e":{"f":[]}},2],"y":3},"z":4}"#,
    ];
    let (decoded, rejected) = decode(&topic(&json!({})), &documents.join("\n"));
    assert_eq!(rejected.len(), 0, "{rejected:?}");
    let columns = decoded.rows.columns.iter();
    let names: Vec<_> = columns.map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, ["around.x", "around.y", "name", "z"]);
}

#[test]
fn objects_and_arrays_are_flattened() {
    check(
        &topic(&json!({})),
        r#"
        {"a":{"b":{"c":1},"d":[1,2,[3,null]]},"e.f":"x"}
        {"a":{"b.c":2,"b":{"c":3}},"e":{"f":["y","z"]}}
        {"a":[{"d":4},{"d":5},{}],"a.b":{"c":6}}
        {}
        {"a":{"d":7}}
        "#,
        expect![[r#"
            times [1000, 1001, 1002, 1003, 1004]
            a.b.c Integer [1 | 2,3 | 6 |  | ]
            a.d Integer [1,2,3 |  | 4,5 |  | 7]
            e.f Text [x | y,z |  |  | ]
            time field Some(RecordTime)
            new a.b.c {"field_type":"long"}
            new a.d {"field_type":"long"}
            new e.f {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}}}
        "#]],
    );
}

#[test]
fn a_long_widens_to_a_double() {
    check(
        &topic(&json!({})),
        r#"
        {"v":1,"w":5}
        {"v":9007199254740993,"w":5.0}
        {"v":[2,12.5]}
        {"v":"3.25","w":"7"}
        {"v":3.7706872799999998}
        {"v":1e-8}
        {"v":1e30}
        {"w":1e30}
        {"w":18446744073709551615}
        {"w":99999999999999999999}
        "#,
        expect![[r#"
            times [1000, 1001, 1002, 1003, 1004, 1005]
            v Decimal [1.0 | 9007199254740992.0 | 2.0,12.5 | 3.25 | 3.7706872799999998 | 1e-8]
            w Integer [5 | 5 |  | 7 |  | ]
            time field Some(RecordTime)
            new v {"field_type":"double","widened":true}
            new w {"field_type":"long"}
            rejected "failed to parse field [v] of type [double]"
                "1e30": Value [1e30] is out of range for a long
            rejected "failed to parse field [w] of type [long]"
                "1e30": Value [1e30] is out of range for a long
            rejected "failed to parse field [w] of type [long]"
                "18446744073709551615": Value [18446744073709551615] is out of range for a long
            rejected "failed to parse field [w] of type [long]"
                "1e20": Value [1e20] is out of range for a long
        "#]],
    );
}

#[test]
fn the_time_is_the_only_mapped_date() {
    check(
        &topic(&json!({
            "btc_timestamp": {"field_type": "date", "format": "epoch_second"},
            "rate": {"field_type": "double"}
        })),
        r#"
        {"btc_timestamp":1503532800,"rate":3509.6476}
        {"btc_timestamp":"1503534323","other":"2024-01-01"}
        {"btc_timestamp":1503534323.25,"rate":"1.5"}
        "#,
        expect![[r#"
            times [1503532800000, 1503534323000, 1503534323250] (field)
            btc_timestamp Integer [1503532800000 | 1503534323000 | 1503534323250]
            other Integer [ | 1704067200000 | ]
            rate Decimal [3509.6476 |  | 1.5]
            time field Some(Field("btc_timestamp"))
            new other {"field_type":"date"}
        "#]],
    );
}

#[test]
fn a_row_without_a_time_has_its_records_time() {
    check(
        &topic(&json!({"day": {"field_type": "date"}})),
        r#"
        {"day":"2024"}
        {"x":1}
        {"day":["2025","2026"]}
        "#,
        expect![[r#"
            times [1704067200000, 1001, 1735689600000]
            day Integer [1704067200000 |  | 1735689600000,1767225600000]
            x Integer [ | 1 | ]
            time field Some(Field("day"))
            new x {"field_type":"long"}
        "#]],
    );
}

#[test]
fn a_timestamp_is_the_time_when_it_is_there() {
    check(
        &topic(&json!({"day": {"field_type": "date"}})),
        r#"{"day":"2024","@timestamp":1503532800000}"#,
        expect![[r#"
            times [1503532800000] (field)
            @timestamp Integer [1503532800000]
            day Integer [1704067200000]
            time field Some(Field("@timestamp"))
            new @timestamp {"field_type":"date"}
        "#]],
    );
    check(
        &topic(&json!({})),
        r#"{"day":"2024-01-01","@timestamp":"yesterday"}"#,
        expect![[r#"
            times [1704067200000] (field)
            @timestamp Text [yesterday]
            day Integer [1704067200000]
            time field Some(Field("day"))
            new @timestamp {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}}}
            new day {"field_type":"date"}
        "#]],
    );
}

#[test]
fn a_configured_time_is_a_date() {
    let mut configured = topic(&json!({}));
    configured
        .settings
        .insert("index.time_field".into(), "at.ms".into());
    check(
        &configured,
        r#"
        {"at":{"ms":1503532800000}}
        {"at":{"ms":"soon"}}
        {"at":{"ms":"2017-08-24"}}
        "#,
        expect![[r#"
            times [1503532800000, 1503532800000] (field)
            at.ms Integer [1503532800000 | 1503532800000]
            time field Some(Field("at.ms"))
            new at.ms {"field_type":"date"}
            rejected "failed to parse field [at.ms] of type [date]"
                "soon": failed to parse date field [soon] with format [strict_date_optional_time||epoch_millis]
        "#]],
    );
}

/// One field of each type, with the attributes that matter to values.
fn every_type() -> Value {
    json!({
        "l": {"field_type": "long"},
        "c": {"field_type": "long", "attributes": {"coerce": true}},
        "u": {"field_type": "long", "attributes": {"coerce": false}},
        "i": {"field_type": "integer"},
        "s": {"field_type": "short"},
        "b": {"field_type": "byte"},
        "d": {"field_type": "double"},
        "f": {"field_type": "float"},
        "h": {"field_type": "half_float"},
        "bool": {"field_type": "boolean"},
        "ip": {"field_type": "ip"},
        "k": {"field_type": "keyword", "ignore_above": 3},
        "n": {"field_type": "keyword", "attributes": {"null_value": "none"}},
        "m": {"field_type": "integer", "attributes": {"ignore_malformed": true}},
        "nanos": {"field_type": "date_nanos"}
    })
}

const EVERY_TYPE_DOCUMENTS: &str = r#"
{"l":"7","c":"8.9","u":9,"i":1.9,"s":" -3 ","b":127,"d":"1e3","f":0.1,"h":"2.5"}
{"bool":"true","ip":"192.168.000.1"}
{"bool":"","ip":"::ffff:10.0.0.1","k":"abc","n":null,"m":"x"}
{"bool":false,"ip":"2001:DB8:0:0::1","k":"abcd","n":"some","m":{"a":1}}
{"k":[1,true,2.50],"l":""}
{"nanos":"2018-10-29T12:12:12.123456789Z"}
{"nanos":1540815132123}
{"l":"abc"}
{"l":true}
{"l":{"x":1}}
{"u":"9"}
{"u":1.5}
{"i":2147483648}
{"s":40000}
{"b":-129}
{"d":"NaN"}
{"d":"infinity"}
{"f":1e39}
{"h":70000}
{"bool":1}
{"bool":"yes"}
{"nanos":-1}
{"nanos":"2300-01-01"}
{"ip":"somewhere"}
"#;

#[test]
fn values_fit_their_fields() {
    check(
        &topic(&every_type()),
        EVERY_TYPE_DOCUMENTS,
        expect![[r#"
            times [1000, 1002, 1003, 1004, 1540815132123, 1540815132123]
            _ignored Text [ | m | k,m | k |  | ]
            b Integer [127 |  |  |  |  | ]
            bool Integer [ | 0 | 0 |  |  | ]
            c Integer [8 |  |  |  |  | ]
            d Decimal [1000.0 |  |  |  |  | ]
            f Decimal [0.1 |  |  |  |  | ]
            h Decimal [2.5 |  |  |  |  | ]
            i Integer [1 |  |  |  |  | ]
            ip Text [ | 10.0.0.1 | 2001:db8::1 |  |  | ]
            k Text [ | abc |  | 1,2.5 |  | ]
            l Integer [7 |  |  |  |  | ]
            n Text [ | none | some |  |  | ]
            nanos Integer [ |  |  |  | 1540815132123456789 | 1540815132123000000]
            s Integer [-3 |  |  |  |  | ]
            u Integer [9 |  |  |  |  | ]
            time field Some(Field("nanos"))
            rejected "failed to parse field [ip] of type [ip]"
                "192.168.000.1": '192.168.000.1' is not an IP string literal.
            rejected "failed to parse field [l] of type [long]"
                "abc": For input string: "abc"
            rejected "failed to parse field [l] of type [long]"
                "true": Current token (true) not numeric
            rejected "failed to parse field [l] of type [long]"
                "{...}": found an object
            rejected "failed to parse field [u] of type [long]"
                "9": Integer value passed as String
            rejected "failed to parse field [u] of type [long]"
                "1.5": 1.5 cannot be converted to Long without data loss
            rejected "failed to parse field [i] of type [integer]"
                "2147483648": Value [2147483648] is out of range for an integer
            rejected "failed to parse field [s] of type [short]"
                "40000": Value [40000] is out of range for a short
            rejected "failed to parse field [b] of type [byte]"
                "-129": Value [-129] is out of range for a byte
            rejected "failed to parse field [d] of type [double]"
                "NaN": For input string: "NaN"
            rejected "failed to parse field [d] of type [double]"
                "infinity": For input string: "infinity"
            rejected "failed to parse field [f] of type [float]"
                "1e39": [float] supports only finite values, but got [1e39]
            rejected "failed to parse field [h] of type [half_float]"
                "70000": [half_float] supports only finite values, but got [70000]
            rejected "failed to parse field [bool] of type [boolean]"
                "1": Failed to parse value [1] as only [true] or [false] are allowed.
            rejected "failed to parse field [bool] of type [boolean]"
                "yes": Failed to parse value [yes] as only [true] or [false] are allowed.
            rejected "failed to parse field [nanos] of type [date_nanos]"
                "-1": date[-1] is before the epoch in 1970 and cannot be stored in nanosecond resolution
            rejected "failed to parse field [nanos] of type [date_nanos]"
                "2300-01-01": date[2300-01-01] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond resolution
            rejected "failed to parse field [ip] of type [ip]"
                "somewhere": 'somewhere' is not an IP string literal.
        "#]],
    );
}

const BROKEN_DOCUMENTS: &str = r#"
{"a":5}
{"a":{"b":{"c":1}}}
{"a":{"b":1,"b":2}}
{"new":1,"new":2}
{"new":{"x":1,"x":2}}
{"new":1,"a":{"b":"not a number"}}
{"":1}
{".":1}
{"a.":1}
{"x..y":1}
{"_id":"1"}
{"day":"2024-01-01","n":1}
{"day":"someday","n":2}
{"n":[3,{"x":4}]}
{"mixed":[3,{"x":4}]}
{"n.x":4}
{"open":
[1,2]
17
null
"text"
{"number":1e999}
{"number":NaN}
{} {}

{"a":{"b":7}}
"#;

#[test]
fn what_cannot_be_a_row_is_rejected() {
    check(
        &topic(&json!({"a.b": {"field_type": "long"}})),
        BROKEN_DOCUMENTS,
        expect![[r#"
            times [1704067200000, 1025]
            a.b Integer [ | 7]
            day Integer [1704067200000 | ]
            n Integer [1 | ]
            time field Some(Field("day"))
            new day {"field_type":"date"}
            new n {"field_type":"long"}
            rejected "object mapping for [a] tried to parse field [a] as object, but found a concrete value"
            rejected "failed to parse field [a.b] of type [long]"
                "{...}": found an object
            rejected "Duplicate field 'b'"
            rejected "Duplicate field 'new'"
            rejected "Duplicate field 'x'"
            rejected "failed to parse field [a.b] of type [long]"
                "not a number": For input string: "not a number"
            rejected "field name cannot be an empty string: []"
            rejected "field name cannot contain only the character [.]: [.]"
            rejected "field name starting or ending with a [.] makes object resolution ambiguous: [a.]"
            rejected "field name starting or ending with a [.] makes object resolution ambiguous: [x..y]"
            rejected "Field [_id] is a metadata field and cannot be added inside a document. Use the index API request parameters."
            rejected "failed to parse field [day] of type [date]"
                "someday": failed to parse date field [someday] with format [strict_date_optional_time||epoch_millis]
            rejected "failed to parse field [n] of type [long]"
                "{...}": found an object
            rejected "failed to parse field [mixed] of type [long]"
                "{...}": found an object
            rejected "Could not dynamically add mapping for field [n.x]. Existing mapping for [n] must be of type object but found [long]."
            rejected "failed to parse: EOF while parsing a value"
            rejected "failed to parse: a document must be a JSON object"
            rejected "failed to parse: a document must be a JSON object"
            rejected "failed to parse: a document must be a JSON object"
            rejected "failed to parse: a document must be a JSON object"
            rejected "failed to parse: number out of range"
            rejected "failed to parse: expected value"
            rejected "failed to parse: trailing characters"
            rejected "failed to parse: EOF while parsing a value"
        "#]],
    );
}

#[test]
fn unknown_fields_follow_the_mapping() {
    let mut topic = topic(&json!({"known": {"field_type": "long"}}));
    topic.dynamic = Dynamic::False;
    let documents = r#"
        {"known":1,"new":{"x":[1,{"y":2}]}}
        {"known":2,"new":null}
        {"new":1,"new":2}
    "#;
    check(
        &topic,
        documents,
        expect![[r#"
            times [1000, 1001]
            known Integer [1 | 2]
            time field Some(RecordTime)
            rejected "Duplicate field 'new'"
        "#]],
    );
    topic.dynamic = Dynamic::Strict;
    check(
        &topic,
        documents,
        expect![[r#"
            times []
            rejected "mapping set to strict, dynamic introduction of [new] within [_doc] is not allowed"
            rejected "mapping set to strict, dynamic introduction of [new] within [_doc] is not allowed"
            rejected "mapping set to strict, dynamic introduction of [new] within [_doc] is not allowed"
        "#]],
    );
}

#[test]
fn fields_are_limited() {
    let mut topic = topic(&json!({}));
    topic
        .settings
        .insert("index.mapping.total_fields.limit".into(), "3".into());
    topic
        .settings
        .insert("index.mapping.depth.limit".into(), 2.into());
    check(
        &topic,
        r#"
        {"text":"counts twice"}
        {"a":1,"b":2}
        {"a":{"b":{"c":1}}}
        {"a":1}
        "#,
        expect![[r#"
            times [1000, 1003]
            a Integer [ | 1]
            text Text [counts twice | ]
            time field Some(RecordTime)
            new a {"field_type":"long"}
            new text {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}}}
            rejected "Limit of total fields [3] has been exceeded"
            rejected "Limit of mapping depth [2] has been exceeded due to object field [a.b.c]"
        "#]],
    );
}

#[test]
fn new_texts_can_be_used_whole_where_the_topic_says_so() {
    let mut topic = topic(&json!({}));
    let setting = (WHOLE_TEXTS_SETTING.into(), json!(true));
    topic.settings.extend([setting]);
    check(
        &topic,
        r#"{"miner":"miner-007"}"#,
        expect![[r#"
            times [1000]
            miner Text [miner-007]
            time field Some(RecordTime)
            new miner {"field_type":"text","subfields":{"keyword":{"field_type":"keyword","ignore_above":256}},"attributes":{"fielddata":true}}
        "#]],
    );
}

#[test]
fn a_document_may_not_be_too_deep() {
    let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    let arrays = format!("{{\"a\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let (_, rejected) = decode(&topic(&json!({})), &format!("{deep}\n{arrays}"));
    let reasons: Vec<String> = rejected.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, ["failed to parse: recursion limit exceeded"; 2]);
}

#[test]
fn bytes_that_are_no_text_are_rejected() {
    let mut decoder = DocumentDecoder::new(&topic(&json!({})));
    let error = decoder
        .decode(&document(0, b"{\"a\":\"\xff\"}"))
        .unwrap_err();
    assert_eq!(error, DocumentError::Utf8);
    assert_eq!(decoder.finish().rows, ColumnBatch::default());
}

#[test]
fn ids_and_sources_stay_as_they_are() {
    let mut decoder = DocumentDecoder::new(&topic(&json!({})));
    let source = b" {\"a\" : 1.50 } ";
    decoder.decode(&document(0, source)).unwrap();
    decoder
        .decode(&Document {
            id: Some(b"second"),
            ..document(1, b"{}")
        })
        .unwrap();
    let rows = decoder.finish().rows;
    let ids = Column::Text(rows.ids.clone().unwrap());
    assert_eq!(values(&ids, 2), [vec![], vec!["second".to_string()]]);
    let rows = RowSource::from(Arc::new(ActiveChunk::new(rows)));
    assert_eq!(rows.source(0).unwrap(), source);
}

#[test]
fn fields_are_told_once() {
    let topic = topic(&json!({}));
    let mut decoder = DocumentDecoder::new(&topic);
    decoder.decode(&document(0, b"{\"a\":1}")).unwrap();
    let new = decoder.finish().new_fields.unwrap();
    assert_eq!(new.base, topic.mapping);
    let mut changed = topic.clone();
    changed.mapping = new.mapping;
    changed.time_field = new.time_field;
    assert!(decoder.is_current(&changed));
    assert!(!decoder.is_current(&topic));
    decoder.decode(&document(1, b"{\"a\":2}")).unwrap();
    assert_eq!(decoder.finish().new_fields, None);
}

#[test]
fn a_time_in_nanoseconds_is_not_the_sort_key() {
    let mut topic = topic(&json!({"at": {"field_type": "date_nanos"}}));
    topic.time_field = Some(TimeField::Field("at".into()));
    check(
        &topic,
        r#"{"at":"2018-10-29T12:12:12.123456789Z"}"#,
        expect![[r#"
            times [1540815132123]
            at Integer [1540815132123456789]
        "#]],
    );
}

/// What each row says, by its offset.
pub(super) fn rows_by_offset(rows: &ColumnBatch) -> BTreeMap<u64, String> {
    let mut texts: Vec<String> = rows.times_ms.iter().map(|time| format!("{time}")).collect();
    for (path, column) in &rows.columns {
        let values = values(column, rows.row_count());
        for (text, values) in texts
            .iter_mut()
            .zip(values)
            .filter(|(_, values)| !values.is_empty())
        {
            write!(text, " {path}={values:?}").unwrap();
        }
    }
    rows.offsets.iter().copied().zip(texts).collect()
}

/// Any JSON value with names and texts that often meet.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-100i64..100).prop_map(Value::from),
        "[a-c]{0,3}|2024-0[1-9]|[0-9]{1,3}(\\.[0-9])?".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c](\\.[a-c])?|[.]|", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn a_record_means_the_same_after_its_field_was_widened() {
    let documents = r#"{"v":1}
        {"v":1e30}
        {"v":"18446744073709551615"}
        {"v":2.5}
        {"v":1e30}"#;
    let mut topic = topic(&json!({}));
    let (first, rejected_first) = decode(&topic, documents);
    topic.mapping = first.new_fields.unwrap().mapping;
    topic.time_field = Some(TimeField::RecordTime);
    let (second, rejected_second) = decode(&topic, documents);
    assert_eq!(first.rows, second.rows);
    assert_eq!((rejected_first.len(), rejected_second.len()), (3, 3));
}

proptest! {
    #[test]
    fn a_document_is_one_row_or_one_reject(
        documents in proptest::collection::vec(any_json(), 0..8),
    ) {
        let topic = topic(&json!({}));
        let texts: Vec<String> = documents.iter().map(ToString::to_string).collect();
        let (decoded, rejected) = decode(&topic, &texts.join("\n"));
        prop_assert_eq!(decoded.rows.row_count() + rejected.len(), documents.len());

        // With the mapping that came out, the same rows come out again.
        if let Some(new) = &decoded.new_fields {
            let mut known = topic.clone();
            known.mapping = Arc::clone(&new.mapping);
            known.time_field = new.time_field.clone();
            let (again, rejected_again) = decode(&known, &texts.join("\n"));
            // A document that was rejected because of a field that it would have made may fit the
            // field that another one made; none that was a row is lost or different.
            prop_assert!(rejected_again.len() <= rejected.len());
            let again = rows_by_offset(&again.rows);
            for (offset, row) in rows_by_offset(&decoded.rows) {
                prop_assert_eq!(again.get(&offset), Some(&row));
            }
        }
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut decoder = DocumentDecoder::new(&topic(&json!({})));
        let accepted = decoder.decode(&document(0, &bytes)).is_ok();
        prop_assert_eq!(decoder.finish().rows.row_count(), usize::from(accepted));
    }

    #[test]
    fn numbers_are_what_their_text_says(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let (decoded, _) = decode(
            &topic(&json!({"v": {"field_type": "double"}})),
            &format!("{{\"v\":{number:e}}}"),
        );
        let Some(Column::Decimal(column)) = decoded.rows.column("v") else {
            return Err(TestCaseError::fail("no decimal column"));
        };
        let value = Decimal { mantissa: column.mantissas[0], exponent: column.exponents.get(0) };
        prop_assert_eq!(Some(value), Decimal::from_f64(number));
    }
}
