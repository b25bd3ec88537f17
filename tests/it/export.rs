//! `siltstone export`, read back by programs that we did not write.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::server::{self, Server, python};

/// Rows of the topic: numbers from 0, a minute apart.
const ROWS: u32 = 500;

/// Prints what pyarrow and DuckDB find in the files of the folder that it is given.
const READER: &str = r#"
import sys, pyarrow as pa, pyarrow.parquet as pq, duckdb
folder = sys.argv[1]
parquet = pq.read_table(f"{folder}/rows.parquet")
arrow = pa.ipc.open_stream(f"{folder}/rows.arrows").read_all()
decoded = lambda table, name: table.column(name).to_pylist()
for name in parquet.schema.names:
    assert decoded(parquet, name) == decoded(arrow, name), name
print(parquet.num_rows, parquet.schema.field("time").type, parquet.schema.field("tags").type)
print(decoded(parquet, "tags")[:3], decoded(parquet, "symbol")[:3], decoded(parquet, "n")[:3])
print(decoded(parquet, "price.decimal")[:4])
rows = duckdb.sql(f"""select epoch_ms(date_trunc('hour', time)) h, symbol s, count(*), count(n),
    sum(n) from '{folder}/rows.parquet' group by all order by all""").fetchall()
cells = duckdb.sql(f"""select epoch_ms(hour), symbol, count, "n.count", "n.sum"
    from '{folder}/hours.parquet' order by all""").fetchall()
assert rows == cells, (rows[:3], cells[:3])
print(len(cells), "cells")
"#;

fn export(arguments: &[&str]) -> Output {
    let output = Command::new(server::binary())
        .arg("export")
        .args(arguments)
        .env_clear()
        .output();
    output.expect("the binary starts")
}

fn exported(arguments: &[&str]) -> String {
    let output = export(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty() || arguments.contains(&"-"));
    error
}

/// A store of `ROWS` rows, some of them sealed.
fn store(folder: &Path) {
    let server = Server::start(folder);
    let fields = r#"{"settings": {"index": {"time_field": "time"}}, "mappings": {"properties": {
        "time": {"type": "date"}, "symbol": {"type": "keyword"}, "tags": {"type": "keyword"},
        "n": {"type": "long"}, "price": {"type": "double"}}}}"#;
    server.ok("PUT", "/trades", fields);
    let bulk = |range: std::ops::Range<u32>| {
        let lines = range.map(|n| {
            let tags = ["[]", r#"["a"]"#, r#"["a","b"]"#][n as usize % 3];
            let number = if n % 2 == 0 {
                format!(",\"n\":{n}")
            } else {
                String::new()
            };
            format!(
                "{{\"index\":{{}}}}\n{{\"time\":{},\"symbol\":\"s{}\",\"tags\":{tags},\
                 \"price\":{}.5{number}}}\n",
                n * 60_000,
                n % 3,
                n
            )
        });
        server.ok("POST", "/trades/_bulk", &lines.collect::<String>());
    };
    bulk(0..ROWS - 100);
    server.ok("POST", "/trades/_flush", "");
    bulk(ROWS - 100..ROWS);
    assert!(server.terminate().success());
}

#[test]
fn exports_are_read_by_others() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("data");
    store(&data);
    let data = data.display().to_string();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let rows = ["rows", "trades", "--data", &data, "--decimals", "--output"];
    let said = exported(&[&rows[..], &[&file("rows.parquet")]].concat());
    assert!(said.contains("500 rows"), "{said}");
    assert!(
        !said.contains('\r'),
        "no bar where no terminal is: {said:?}"
    );
    exported(&[&rows[..], &[&file("rows.arrows"), "--format", "arrow"]].concat());
    let rollup = [
        "rollup", "trades", "--by", "symbol", "--data", &data, "--output",
    ];
    exported(&[&rollup[..], &[&file("hours.parquet")]].concat());
    assert!(!Path::new(&file("rows.parquet.partial")).exists());

    let narrow = [
        "--from",
        "1970-01-01T01:00:00Z",
        "--to",
        "1970-01-01T02:00:00Z",
        "--query",
    ];
    let some = [
        &rows[..5],
        &narrow,
        &["symbol:s1 AND price:<100", "--output", "-"],
    ]
    .concat();
    let said = exported(&some);
    assert!(said.starts_with("13 rows"), "61 to 97, every third: {said}");

    let Some(python) = python() else { return };
    let has_packages = Command::new(&python)
        .args(["-c", "import pyarrow, duckdb"])
        .output();
    if !has_packages.expect("python starts").status.success() {
        assert!(
            std::env::var_os("SILTSTONE_BINARY").is_none(),
            "run `make test`"
        );
        eprintln!("skipped: pyarrow and duckdb are missing; `make test` installs them");
        return;
    }
    let read = Command::new(python)
        .args(["-c", READER, &folder.path().display().to_string()])
        .output()
        .expect("python starts");
    let error = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{error}");
    assert_eq!(
        String::from_utf8_lossy(&read.stdout),
        "500 timestamp[ms, tz=UTC] list<item: dictionary<values=string, indices=int32, ordered=0> \
         not null>\n\
         [None, ['a'], ['a', 'b']] ['s0', 's1', 's2'] [0, None, 2]\n\
         ['0.5', '1.5', '2.5', '3.5']\n\
         27 cells\n"
    );
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("data");
    store(&data);
    let data = data.display().to_string();
    let file = folder.path().join("x.parquet");
    let check = |arguments: &[&str], word: &str| {
        let path = file.display().to_string();
        let output = export(&[arguments, &["--data", &data, "--output", &path]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && error.contains(word),
            "{arguments:?}: {error}"
        );
        assert!(!file.exists());
    };
    check(&["rows", "absent"], "absent");
    check(
        &["rows", "trades", "--field", "nothing"],
        "'nothing' does not exist",
    );
    check(&["rows", "trades", "--query", "n:["], "n:[");
    check(&["rollup", "trades", "--by", "price"], "decimal");
    check(&["rollup", "trades", "--measure", "symbol"], "no number");
}
