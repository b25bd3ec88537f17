//! `_cat`: tables for people and scripts.

mod node_tables;
mod shard_tables;
mod tables;

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::edge::Edge;
use super::reply::Reply;
use super::request::Request;
use crate::elastic::{ElasticError, matches_wildcard};
use crate::error::Result;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    /// Other names, with commas.
    aliases: &'static str,
    /// Whether it is shown unless columns are chosen.
    shown: bool,
    /// Numbers stand at the right.
    right: bool,
}

/// A column that is shown.
const fn column(name: &'static str, aliases: &'static str) -> Column {
    Column {
        name,
        aliases,
        shown: true,
        right: false,
    }
}

/// A column of numbers that is shown.
const fn number(name: &'static str, aliases: &'static str) -> Column {
    Column {
        right: true,
        ..column(name, aliases)
    }
}

/// A column that is shown when it is asked for.
const fn hidden(name: &'static str, aliases: &'static str) -> Column {
    Column {
        shown: false,
        ..column(name, aliases)
    }
}

/// Columns and rows; a cell without anything is empty.
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// `/_cat[/{table}[/{names}]]`
pub(super) fn table(
    edge: &Edge,
    request: &Request,
    table: Option<&str>,
    names: Option<&str>,
) -> Result<Reply> {
    let Some(name) = table else {
        let lines = tables::NAMES.iter().map(|name| format!("/_cat/{name}\n"));
        return Ok(Reply::text(format!("=^.^=\n{}", lines.collect::<String>())));
    };
    let mut table = tables::table(edge, request, name, names)?;
    if request.switch("help")? == Some(true) {
        let line = |column: &Column| {
            let aliases = if column.aliases.is_empty() {
                "-"
            } else {
                column.aliases
            };
            format!(
                "{} | {aliases} | {}\n",
                column.name,
                column.name.replace('.', " ")
            )
        };
        return Ok(Reply::text(table.columns.iter().map(line).collect()));
    }
    table.sort(request.param("s"))?;
    let chosen = table.choose(request.param("h"));
    let accept = request.accept.as_deref().unwrap_or("");
    let accepts = |kind: &str| accept.contains(kind) && !accept.contains("text/plain");
    let (wants_json, wants_yaml) = match request.param("format") {
        Some(format) => (format == "json", format == "yaml"),
        None => (accepts("json"), accepts("yaml")),
    };
    if wants_yaml {
        return Ok(Reply::yaml(table.to_yaml(&chosen)));
    }
    if wants_json {
        return Ok(Reply::value(200, &table.to_json(&chosen)));
    }
    let with_head = request.switch("v")? == Some(true);
    Ok(Reply::text(table.to_text(&chosen, with_head)))
}

/// A chosen column: its place and the name it was asked for by.
type Chosen = (usize, String);

impl Table {
    fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| {
            column.name == name || column.aliases.split(',').any(|alias| alias == name)
        })
    }

    /// The columns of `h=a,b*`; those that are shown by default without it.
    fn choose(&self, wanted: Option<&str>) -> Vec<Chosen> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
            let shown = self.columns.iter().enumerate();
            let shown = shown.filter(|(_, column)| column.shown);
            return shown.map(|(at, column)| (at, column.name.into())).collect();
        };
        let mut chosen: Vec<Chosen> = Vec::new();
        for part in wanted.split(',').map(str::trim) {
            if part.contains('*') {
                for (at, column) in self.columns.iter().enumerate() {
                    let is_new = chosen.iter().all(|(known, _)| *known != at);
                    if matches_wildcard(part, column.name) && is_new {
                        chosen.push((at, column.name.into()));
                    }
                }
            } else if let Some(at) = self.find(part) {
                chosen.push((at, part.into()));
            }
        }
        chosen
    }

    /// Sorts rows by `s=a,b:desc`.
    fn sort(&mut self, order: Option<&str>) -> Result<()> {
        let mut keys = Vec::new();
        for part in order.into_iter().flat_map(|order| order.split(',')) {
            let (name, direction) = part.rsplit_once(':').unwrap_or((part, "asc"));
            let at = self.find(name.trim()).ok_or_else(|| {
                ElasticError::new(
                    400,
                    "unsupported_operation_exception",
                    format!("Unable to sort by unknown sort key `{name}`"),
                )
            })?;
            keys.push((at, direction == "desc"));
        }
        self.rows.sort_by(|a, b| {
            keys.iter()
                .fold(Ordering::Equal, |known, (at, descending)| {
                    let ordering = compare(&a[*at], &b[*at]);
                    known.then(if *descending {
                        ordering.reverse()
                    } else {
                        ordering
                    })
                })
        });
        Ok(())
    }

    fn to_json(&self, chosen: &[Chosen]) -> Value {
        let row = |row: &Vec<String>| {
            let cells = chosen.iter().map(|(at, name)| {
                let cell = &row[*at];
                let value = match cell.is_empty() {
                    true => Value::Null,
                    false => Value::String(cell.clone()),
                };
                (name.clone(), value)
            });
            Value::Object(cells.collect::<Map<_, _>>())
        };
        self.rows.iter().map(row).collect()
    }

    /// A list of maps; each text is quoted as in JSON, which YAML reads too.
    fn to_yaml(&self, chosen: &[Chosen]) -> String {
        let mut text = String::from("---\n");
        for row in &self.rows {
            for (number, (at, name)) in chosen.iter().enumerate() {
                let mark = if number == 0 { "- " } else { "  " };
                let cell = Value::String(row[*at].clone());
                let name = Value::String(name.clone());
                text.push_str(&format!("{mark}{name}: {cell}\n"));
            }
        }
        text
    }

    fn to_text(&self, chosen: &[Chosen], with_head: bool) -> String {
        let head: Vec<&str> = chosen.iter().map(|(_, name)| name.as_str()).collect();
        let mut lines: Vec<Vec<&str>> = Vec::new();
        if with_head {
            lines.push(head);
        }
        for row in &self.rows {
            lines.push(chosen.iter().map(|(at, _)| cell(row, *at)).collect());
        }
        let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max();
        let widths: Vec<usize> = (0..chosen.len()).map(|at| width(at).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in &lines {
            for (place, cell) in line.iter().enumerate() {
                let is_last = place + 1 == line.len();
                let padding = " ".repeat(widths[place] - cell.chars().count());
                match (self.columns[chosen[place].0].right, is_last) {
                    (true, _) => text.extend([padding.as_str(), cell]),
                    (false, true) => text.push_str(cell),
                    (false, false) => text.extend([cell, padding.as_str()]),
                }
                text.push_str(if is_last { "\n" } else { " " });
            }
        }
        text
    }
}

fn cell(row: &[String], at: usize) -> &str {
    row.get(at).map_or("", String::as_str)
}

/// Numbers by value, everything else as texts; nothing comes first.
fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::elastic::Personality;

    fn example() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Table {
            columns: vec![
                column("name", "n"),
                number("docs.count", "dc"),
                hidden("id", ""),
            ],
            rows: vec![row(["bb", "10", "x"]), row(["a", "9", ""])],
        }
    }

    fn check(columns: Option<&str>, order: Option<&str>, with_head: bool, expected: &str) {
        let mut table = example();
        table.sort(order).expect("known columns");
        let chosen = table.choose(columns);
        assert_eq!(table.to_text(&chosen, with_head), expected);
    }

    #[test]
    fn tables_are_lists_in_yaml() {
        let table = example();
        let chosen = table.choose(Some("n,dc"));
        let expected = "---\n- \"n\": \"bb\"\n  \"dc\": \"10\"\n- \"n\": \"a\"\n  \"dc\": \"9\"\n";
        assert_eq!(table.to_yaml(&chosen), expected);
    }

    #[test]
    fn tables_are_laid_out() {
        check(None, None, false, "bb 10\na   9\n");
        check(
            None,
            Some("n"),
            true,
            "name docs.count\na             9\nbb           10\n",
        );
        check(Some("id,n"), Some("dc"), false, "  a\nx bb\n");
        check(Some("d*"), Some("docs.count:desc"), false, "10\n 9\n");
        assert!(example().sort(Some("x")).is_err());
        let table = example();
        let json = table.to_json(&table.choose(Some("n,id"))).to_string();
        assert_eq!(json, r#"[{"n":"bb","id":"x"},{"n":"a","id":null}]"#);
    }

    #[test]
    fn every_table_has_a_head_and_a_help() {
        let db = Db::builder().in_memory().open().expect("a store in memory");
        let edge = Edge::new(db, Personality::Elasticsearch, "8.19.0", "x:1");
        let ask = |uri: &str| {
            let (status, text) = edge.ask("GET", uri, b"");
            assert_eq!(status, 200, "{uri}");
            String::from_utf8(text).expect("text")
        };
        assert_eq!(edge.ask("PUT", "/a/_doc/1?refresh", b"{}").0, 201);
        for name in tables::NAMES {
            let rows = ask(&format!("/_cat/{name}?v"));
            assert!(rows.lines().count() >= 1, "{name}: {rows}");
            let help = ask(&format!("/_cat/{name}?help"));
            let first = rows.split_whitespace().next().expect("a column");
            let names = |line: &str| line.split(" | ").next() == Some(first);
            assert!(help.lines().any(names), "{name}: {first} in {help}");
            // Every row has a cell for each column.
            ask(&format!("/_cat/{name}?format=json&h=*"));
        }
        let segments = ask("/_cat/segments/a?h=index,docs.count,committed");
        assert_eq!(segments, "a 1 false\n");
        assert_eq!(ask("/_cat/shards?h=index,docs,seq_no.max"), "a 1 \n");
    }
}
