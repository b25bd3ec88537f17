//! Memory that is bounded: what does not fit is refused or read again, and answers stay right.

use serde_json::{Value, json};
use siltstone::{Db, ErrorKind, Options};
use tempfile::TempDir;

/// Rows of the tests, in records of one append each.
const ROWS: usize = 300_000;
const ROWS_PER_APPEND: usize = 20_000;

/// What the store may keep in memory: less than a third of what the segments hold.
const MEMORY_BYTES: usize = 2 << 20;

fn open(folder: &TempDir) -> Db {
    let options = Options {
        memory_bytes: MEMORY_BYTES,
        merge_rows: 1 << 17,
        ..Options::default()
    };
    let opened = Db::builder().path(folder.path()).options(options).open();
    opened.expect("a store")
}

/// An id that does not compress: two rounds of a mixing function.
fn id(row: usize) -> String {
    let mix = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    let first = mix(row as u64 + 1);
    let second = mix(first);
    format!("{first:016x}{second:016x}{:016x}", mix(second))
}

fn document(row: usize) -> String {
    let minute = row / 60 % 1440;
    let time = format!(
        "2026-01-02T{:02}:{:02}:{:02}Z",
        minute / 60,
        minute % 60,
        row % 60
    );
    let (id, miner, fee) = (id(row), row % 7, row % 1000);
    format!(r#"{{"@timestamp":"{time}","id":"{id}","miner":"m{miner}","fee":{fee}}}"#)
}

fn search(db: &Db, question: &Value) -> Value {
    let answer = db.search("t", &question.to_string()).expect("an answer");
    serde_json::from_str(&answer).expect("JSON")
}

fn segment_bytes(folder: &TempDir) -> u64 {
    let topics = std::fs::read_dir(folder.path().join("segments")).expect("segments");
    let files = topics.flat_map(|topic| {
        let topic = topic.expect("a folder").path();
        std::fs::read_dir(topic).expect("files")
    });
    files
        .map(|file| file.expect("a file").metadata().expect("its size").len())
        .sum()
}

#[test]
fn data_three_times_the_memory_still_answers() {
    let folder = TempDir::new().expect("a folder");
    let db = open(&folder);
    let mapping = json!({"mappings": {"properties": {
        "@timestamp": {"type": "date"},
        "id": {"type": "keyword"},
        "miner": {"type": "keyword"},
        "fee": {"type": "long"},
    }}});
    db.create_topic("t", &mapping.to_string()).expect("a topic");
    for start in (0..ROWS).step_by(ROWS_PER_APPEND) {
        let documents: Vec<_> = (start..start + ROWS_PER_APPEND).map(document).collect();
        db.append("t", documents.iter().map(String::as_str))
            .expect("durable");
    }
    db.flush("t").expect("sealed");
    // A merge needs memory too, and a search beside it may be refused.
    db.merge("t", None).expect("merged");
    let bytes = segment_bytes(&folder);
    assert!(bytes > 3 * MEMORY_BYTES as u64, "{bytes} bytes of segments");

    for _ in 0..2 {
        let by_miner = search(
            &db,
            &json!({"size": 0, "track_total_hits": true, "aggs": {
                "miners": {"terms": {"field": "miner"}, "aggs": {"fees": {"sum": {"field": "fee"}}}},
            }}),
        );
        assert_eq!(by_miner["hits"]["total"]["value"], ROWS);
        assert_eq!(by_miner["_shards"]["failed"], 0);
        let buckets = by_miner["aggregations"]["miners"]["buckets"].as_array();
        let fees = buckets.expect("buckets").iter();
        let fees: f64 = fees
            .filter_map(|bucket| bucket["fees"]["value"].as_f64())
            .sum();
        assert_eq!(fees, (ROWS / 1000 * (999 * 1000 / 2)) as f64);
        for row in [0, ROWS / 2, ROWS - 1] {
            let found = search(&db, &json!({"query": {"term": {"id": id(row)}}}));
            assert_eq!(found["hits"]["total"]["value"], 1, "{row}");
            assert_eq!(found["hits"]["hits"][0]["_source"]["id"], id(row));
        }
        let used: usize = db.memory_uses().iter().map(|(_, bytes)| bytes).sum();
        assert!(used <= MEMORY_BYTES, "{:?}", db.memory_uses());
    }

    // Groups of all ids together want more than there is, and only they are refused.
    let question = json!({"size": 0, "aggs": {"ids": {
        "terms": {"field": "id", "size": 10},
        "aggs": {"fees": {"extended_stats": {"field": "fee"}}},
    }}});
    let error = db.search("t", &question.to_string()).expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("Data too large"), "{error}");
    let count = search(&db, &json!({"size": 0, "track_total_hits": true}));
    assert_eq!(count["hits"]["total"]["value"], ROWS);
    db.close().expect("closed in good order");
}

#[test]
fn a_page_that_a_scan_finds_damaged_leaves_its_segment_out() {
    let folder = TempDir::new().expect("a folder");
    let options = Options {
        merge: false,
        scrub_bytes_per_second: 0,
        ..Options::default()
    };
    let db = Db::builder().path(folder.path()).options(options).open();
    let db = db.expect("a store");
    for round in 0..3 {
        let start = round * 5_000;
        let documents: Vec<_> = (start..start + 5_000).map(document).collect();
        db.append("t", documents.iter().map(String::as_str))
            .expect("durable");
        db.flush("t").expect("sealed");
    }
    damage_one(&folder);
    let question = json!({"size": 0, "track_total_hits": true, "aggs": {
        "some": {"filter": {"range": {"fee": {"lt": 500}}}, "aggs": {
            "sum": {"sum": {"field": "fee"}}
        }},
    }});
    for _ in 0..2 {
        let answer = search(&db, &question);
        assert_eq!(answer["_shards"]["failed"], 1, "{answer}");
        let failure = &answer["_shards"]["failures"][0]["reason"];
        let reason = failure["reason"].as_str().expect("a reason");
        assert!(reason.contains(".segment"), "{answer}");
        assert_eq!(answer["hits"]["total"]["value"], 10_000);
        assert_eq!(answer["aggregations"]["some"]["doc_count"], 5_000);
    }
    // The log reaches back: it is made anew.
    let report = db.repair(|_, _| {}).expect("it works");
    assert_eq!((report.repaired.len(), report.remaining.len()), (1, 0));
    let answer = search(&db, &question);
    assert_eq!(answer["_shards"]["failed"], 0, "{answer}");
    assert_eq!(answer["aggregations"]["some"]["doc_count"], 7_500);
    db.close().expect("closed in good order");
}

/// Changes each eighth byte of a segment's pages; its footer stays sound.
fn damage_one(folder: &TempDir) {
    let topics = std::fs::read_dir(folder.path().join("segments")).expect("segments");
    let topic = topics.map(|topic| topic.expect("a folder").path()).next();
    let files = std::fs::read_dir(topic.expect("a topic")).expect("files");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut bytes = std::fs::read(&files[0]).expect("a segment");
    let pages = bytes.len() * 3 / 4;
    for byte in bytes[64..pages].iter_mut().step_by(8) {
        *byte ^= 0x10;
    }
    std::fs::write(&files[0], bytes).expect("a segment");
}
