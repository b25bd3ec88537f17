//! A damaged segment is left out on every way of reading, and each of them says so.

use export::{Decimals, RollupChoice};
use query::Stop;
use query::request::Filter;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Db;
use super::by_query::ByQuery;
use crate::elastic::{ByQueryKind, ByQueryRequest, SearchParams};
use crate::options::{Options, Work};

/// Rows of each of the three segments: numbers from 0, a second apart.
const ROWS: usize = 3_000;

/// A store of three segments, of which `damage` has spoilt the first.
fn store(folder: &TempDir, damage: impl Fn(&mut [u8])) -> Db {
    let options = Options {
        // Nothing is mended behind the test's back.
        work: Work::Caller,
        merge: false,
        ..Options::default()
    };
    let db = Db::builder().path(folder.path()).options(options).open();
    let db = db.expect("a store");
    for segment in 0..3 {
        let rows = segment * ROWS..(segment + 1) * ROWS;
        let time = |n: usize| {
            let (minute, second) = (n / 60, n % 60);
            let (hour, minute) = (minute / 60, minute % 60);
            format!("2026-01-02T{hour:02}:{minute:02}:{second:02}Z")
        };
        let documents = rows.map(|n| format!(r#"{{"@timestamp":"{}","n":{n}}}"#, time(n)));
        let documents: Vec<_> = documents.collect();
        db.append("t", documents.iter().map(String::as_str))
            .expect("durable");
        db.refresh("t").expect("rows");
        db.flush("t").expect("sealed");
    }
    let first = db.catalog().topic_named("t").expect("the topic").segments[0].clone();
    let folder = folder.path().join("segments");
    let topics = std::fs::read_dir(folder).expect("segments");
    let topic = topics.map(|topic| topic.expect("a folder").path()).next();
    let file = topic.expect("a topic").join(&first.file);
    let mut bytes = std::fs::read(&file).expect("a segment");
    damage(&mut bytes);
    std::fs::write(&file, bytes).expect("a segment");
    db
}

/// Changes each eighth byte of the pages; the footer stays sound.
fn spoil_pages(bytes: &mut [u8]) {
    let pages = bytes.len() * 3 / 4;
    for byte in bytes[64..pages].iter_mut().step_by(8) {
        *byte ^= 0x10;
    }
}

/// Changes the last bytes: it is no segment any more.
fn spoil_end(bytes: &mut [u8]) {
    let end = bytes.len();
    bytes[end - 20..].fill(0);
}

fn found(db: &Db, question: &Value) -> Value {
    let answer = db.search("t", &question.to_string()).expect("an answer");
    serde_json::from_str(&answer).expect("JSON")
}

#[test]
fn hits_of_the_others_are_found() {
    for damage in [spoil_pages, spoil_end] {
        let folder = TempDir::new().expect("a folder");
        let db = store(&folder, damage);
        let question = json!({"size": 5, "sort": [{"n": "asc"}], "track_total_hits": true,
            "query": {"range": {"n": {"gte": 100}}}});
        let answer = found(&db, &question);
        assert_eq!(answer["_shards"]["failed"], 1, "{answer}");
        assert_eq!(answer["hits"]["total"]["value"], 2 * ROWS);
        assert_eq!(answer["hits"]["hits"][0]["_source"]["n"], ROWS);
    }
}

#[test]
fn documents_of_the_others_are_deleted() {
    for damage in [spoil_pages, spoil_end] {
        let folder = TempDir::new().expect("a folder");
        let db = store(&folder, damage);
        let query = json!({"query": {"range": {"n": {"gte": 10, "lt": ROWS + 10}}}});
        let request = ByQueryRequest::parse(ByQueryKind::Delete, query.to_string().as_bytes());
        let work = ByQuery {
            request: ByQueryRequest {
                index: "t".into(),
                batch_documents: 4,
                ..request.expect("a query")
            },
            params: SearchParams::default(),
            goes_on: false,
            refreshes: false,
        };
        let done = db.by_query(&work, &Stop::default(), |_| {});
        let done = done.expect("it reads past the damage");
        assert_eq!((done.total, done.deleted, done.batches), (10, 10, 3));
        assert_eq!(done.unread.len(), 1, "each damage is told of once");
        assert_eq!(done.status(false), 500);
        let answer = done.to_value(ByQueryKind::Delete, 1);
        let failure = &answer["failures"][0];
        assert_eq!(failure["index"], "t");
        assert_eq!(failure["reason"]["type"], "corrupt_index_exception");
    }
}

#[test]
fn rows_and_cells_of_the_others_are_exported() {
    for damage in [spoil_pages, spoil_end] {
        let folder = TempDir::new().expect("a folder");
        let db = store(&folder, damage);
        let mut batches = db.rows("t", Default::default()).expect("rows");
        let rows = batches.by_ref().map(|batch| batch.expect("a batch"));
        let rows: usize = rows.map(|batch| batch.num_rows()).sum();
        let [unread] = batches.unread() else {
            panic!("one segment is damaged: {:?}", batches.unread());
        };
        assert_eq!(rows + unread.rows as usize, 3 * ROWS);
        assert!(unread.rows > 0 && rows >= 2 * ROWS, "{rows} and {unread}");

        let choice = RollupChoice {
            filter: Filter::All,
            dimension: None,
            measures: None,
            decimals: Decimals::default(),
        };
        let mut cells = db.rollup("t", choice).expect("cells");
        let hours = cells.by_ref().map(|batch| batch.expect("a batch"));
        // Rows are a second apart: the others begin in the first hour and end in the third.
        let hours: usize = hours.map(|batch| batch.num_rows()).sum();
        assert!((2..=3).contains(&hours), "{hours}");
        assert!(cells.unread().len() <= 1);
    }
}
