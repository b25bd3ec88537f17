//! `siltstone topic`: what there is, and changing it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::print_line;
use super::target::{Target, Where, encode};
use crate::error::{Error, ErrorKind, Result};

/// Create, list, describe and delete topics (which are indices, too)
#[derive(Debug, Args)]
#[command(after_help = "Example:
  siltstone topic create trades --partitions 2 --field time=date --field symbol=keyword
  siltstone topic list --json
  siltstone topic delete trades --data /var/lib/siltstone")]
pub(super) struct Topic {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a topic
    #[command(after_help = "Example:
  siltstone topic create trades --partitions 2 --time-field time --field time=date --field price=double")]
    Create {
        /// Its name
        name: String,
        /// Its number of partitions
        #[arg(long, value_name = "N")]
        partitions: Option<u32>,
        /// The field that says when a row happened
        #[arg(long, value_name = "FIELD")]
        time_field: Option<String>,
        /// A field and its type, such as price=double; again for each field
        #[arg(long = "field", value_name = "FIELD=TYPE")]
        fields: Vec<String>,
        #[command(flatten)]
        target: Where,
    },
    /// List topics
    #[command(after_help = "Example:
  siltstone topic list --url http://127.0.0.1:9200 --json")]
    List {
        #[command(flatten)]
        target: Where,
        /// JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Show a topic's fields and settings
    #[command(after_help = "Example:
  siltstone topic describe trades")]
    Describe {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Where,
        /// On one line, for programs
        #[arg(long)]
        json: bool,
    },
    /// Say which records could not become rows, and why
    #[command(after_help = "Example:
  siltstone topic rejected trades")]
    Rejected {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Where,
        /// JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Delete a topic with all its records and rows
    #[command(after_help = "Example:
  siltstone topic delete trades")]
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Where,
    },
}

impl Topic {
    pub(super) fn run(&self) -> Result<ExitCode> {
        match &self.action {
            Action::Create {
                name,
                partitions,
                time_field,
                fields,
                target,
            } => {
                let definition = definition(*partitions, time_field.as_deref(), fields)?;
                let target = target.open()?;
                let body = definition.to_string();
                target.ask("PUT", &format!("/{}", encode(name)), body.as_bytes())?;
                target.close()?;
                print_line(&format!("created {name}"))?;
            }
            Action::List { target, json } => {
                let target = target.open()?;
                list(&target, *json)?;
                target.close()?;
            }
            Action::Describe { name, target, json } => {
                let target = target.open()?;
                let uri = format!("/{}?pretty={}", encode(name), !json);
                let answer = target.ask("GET", &uri, b"")?;
                print_line(String::from_utf8_lossy(&answer).trim_end())?;
                target.close()?;
            }
            Action::Rejected { name, target, json } => {
                let target = target.open()?;
                rejected(&target, name, *json)?;
                target.close()?;
            }
            Action::Delete { name, target } => {
                let target = target.open()?;
                target.ask("DELETE", &format!("/{}", encode(name)), b"")?;
                target.close()?;
                print_line(&format!("deleted {name}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The body of `PUT /{index}`.
fn definition(
    partitions: Option<u32>,
    time_field: Option<&str>,
    fields: &[String],
) -> Result<Value> {
    let mut settings = Map::new();
    if let Some(partitions) = partitions {
        settings.insert("number_of_shards".into(), partitions.into());
    }
    if let Some(field) = time_field {
        settings.insert("time_field".into(), field.into());
    }
    let mut properties = Map::new();
    for field in fields {
        let Some((path, field_type)) = field.split_once('=') else {
            let text = format!("field '{field}' has no type; say {field}=keyword, for example");
            return Err(Error::new(ErrorKind::Invalid, text));
        };
        properties.insert(path.into(), json!({ "type": field_type }));
    }
    Ok(json!({ "settings": { "index": settings }, "mappings": { "properties": properties } }))
}

fn rejected(target: &Target, name: &str, as_json: bool) -> Result<()> {
    let index = encode(name);
    if let Target::Directory(_) = target {
        // Nobody has tried to make rows of the last records yet.
        target.ask("POST", &format!("/{index}/_refresh"), b"")?;
    }
    let answer = target.ask_json("GET", &format!("/{index}/_rejected"), b"")?;
    if as_json {
        return print_line(&answer.to_string());
    }
    for (topic, rejected) in answer.as_object().into_iter().flatten() {
        print_line(&format!("{topic}: {} rejected", rejected["total"]))?;
        let reasons = rejected["reasons"].as_object();
        for (reason, count) in reasons.into_iter().flatten() {
            print_line(&format!("{count:>12}  {reason}"))?;
        }
        let newest = rejected["newest"].as_array();
        for record in newest.into_iter().flatten() {
            let (partition, offset) = (&record["partition"], &record["offset"]);
            let reason = record["reason"].as_str().unwrap_or_default();
            print_line(&format!(
                "  partition {partition} offset {offset}: {reason}"
            ))?;
        }
    }
    Ok(())
}

fn list(target: &Target, as_json: bool) -> Result<()> {
    let topics = target.ask_json("GET", "/_cat/indices?format=json", b"")?;
    if as_json {
        return print_line(&topics.to_string());
    }
    let topics = topics.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |topic: &Value, key: &str| topic[key].as_str().unwrap_or_default().to_owned();
    let names = topics.iter().map(|topic| text(topic, "index").len());
    let width = names.max().unwrap_or(0).max("TOPIC".len());
    print_line(&format!("{:width$}  PARTITIONS          ROWS", "TOPIC"))?;
    for topic in topics {
        let (name, rows) = (text(topic, "index"), text(topic, "docs.count"));
        print_line(&format!(
            "{name:width$}  {:>10}  {rows:>12}",
            text(topic, "pri")
        ))?;
    }
    Ok(())
}
