//! `_rollover`: when an alias or a data stream goes on with a new index, and how that is called.

use serde_json::{Map, Value, json};

use super::context_body::keep_alive_ms;
use super::search::parse_object;
use super::{ElasticError, read};

/// Most digits of the number at the end of a name.
const DIGITS_MAX: usize = 18;

/// What a rollover asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloverRequest {
    /// It happens when one of them holds, or when there is none.
    pub conditions: Vec<RolloverCondition>,
    /// What is said about the new index, as a request that creates it.
    pub body: Vec<u8>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloverCondition {
    /// As the answer names it: `[max_docs: 5]`.
    pub name: String,
    limit: Limit,
    /// Whether it must hold, instead of being one reason of several.
    is_needed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    AgeMs(i64),
    Rows(u64),
    Bytes(u64),
    /// Of one partition.
    PartitionRows(u64),
    PartitionBytes(u64),
}

/// How an index is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloverFacts {
    /// Since it was created.
    pub age_ms: i64,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Its partitions, over which rows are spread evenly.
    pub partitions: u64,
}

/// What became of a rollover.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolled {
    /// The index that was written to.
    pub old_index: String,
    /// The one that is written to from now on, or would be.
    pub new_index: String,
    /// Whether it happened.
    pub happened: bool,
    /// Which conditions hold.
    pub met: Vec<(String, bool)>,
}

impl RolloverRequest {
    /// Which conditions hold, and whether they are enough.
    #[must_use]
    pub fn judge(&self, facts: RolloverFacts) -> (Vec<(String, bool)>, bool) {
        let met = |condition: &RolloverCondition| {
            let partitions = facts.partitions.max(1);
            match condition.limit {
                Limit::AgeMs(limit) => facts.age_ms >= limit,
                Limit::Rows(limit) => facts.rows >= limit,
                Limit::Bytes(limit) => facts.bytes >= limit,
                Limit::PartitionRows(limit) => facts.rows / partitions >= limit,
                Limit::PartitionBytes(limit) => facts.bytes / partitions >= limit,
            }
        };
        let (needed, reasons): (Vec<_>, Vec<_>) = self
            .conditions
            .iter()
            .partition(|condition| condition.is_needed);
        let is_enough =
            needed.into_iter().all(met) && (reasons.is_empty() || reasons.into_iter().any(met));
        let named = self.conditions.iter();
        let named = named.map(|condition| (condition.name.clone(), met(condition)));
        (named.collect(), is_enough)
    }
}

/// Reads the body of a rollover.
///
/// # Errors
/// On a condition that does not exist, and on a limit that is none.
pub fn parse_rollover(body: &[u8]) -> Result<RolloverRequest, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let mut entries = parse_object(text)?;
    let conditions = match entries.remove("conditions") {
        None | Some(Value::Null) => Vec::new(),
        Some(given) => {
            let given = read::object(&given, "conditions")?;
            let read = given.iter().map(|(name, value)| condition(name, value));
            read.collect::<Result<_, _>>()?
        }
    };
    let body = match entries.is_empty() {
        true => Vec::new(),
        false => Value::Object(entries).to_string().into_bytes(),
    };
    Ok(RolloverRequest { conditions, body })
}

fn condition(name: &str, value: &Value) -> Result<RolloverCondition, ElasticError> {
    let text = read::text(value, name)?;
    let count = || {
        let count: Result<u64, _> = text.parse();
        count.map_err(|_| read::number_format(&text))
    };
    let bare = name.strip_prefix("max_").or(name.strip_prefix("min_"));
    let limit = match bare {
        Some("age") => Limit::AgeMs(keep_alive_ms(&text)?),
        Some("docs") => Limit::Rows(count()?),
        Some("size") => Limit::Bytes(bytes(name, &text)?),
        Some("primary_shard_docs") => Limit::PartitionRows(count()?),
        Some("primary_shard_size") => Limit::PartitionBytes(bytes(name, &text)?),
        Some(_) | None => {
            return Err(ElasticError::content(format!(
                "[conditions] unknown field [{name}]"
            )));
        }
    };
    Ok(RolloverCondition {
        name: format!("[{name}: {text}]"),
        limit,
        is_needed: name.starts_with("min_"),
    })
}

/// `50gb`: a number and its unit.
fn bytes(name: &str, text: &str) -> Result<u64, ElasticError> {
    let wrong = || {
        let reason = format!(
            "failed to parse setting [{name}] with value [{text}] as a size in bytes: unit is \
             missing or unrecognized"
        );
        ElasticError::new(400, "parse_exception", reason)
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "b" => 0,
        "kb" | "k" => 10,
        "mb" | "m" => 20,
        "gb" | "g" => 30,
        "tb" | "t" => 40,
        "pb" | "p" => 50,
        _unknown => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// The name of the index behind `name`, which ends with a number: `logs-7` before `logs-000008`.
///
/// # Errors
/// When it does not.
pub fn next_index_name(name: &str) -> Result<String, ElasticError> {
    let number = name.rsplit_once('-').and_then(|(stem, digits)| {
        let are_digits = digits.len() <= DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = digits.parse().ok().filter(|_| are_digits)?;
        Some((stem, number))
    });
    let (stem, number) = number.ok_or_else(|| {
        ElasticError::illegal_argument(format!(
            "index name [{name}] does not match pattern '^.*-\\d+$'"
        ))
    })?;
    Ok(format!("{stem}-{:06}", number + 1))
}

/// The answer of a rollover.
#[must_use]
pub fn render_rollover(rolled: &Rolled, is_dry_run: bool) -> Value {
    let conditions: Map<String, Value> = rolled
        .met
        .iter()
        .map(|(name, met)| (name.clone(), (*met).into()))
        .collect();
    json!({
        "acknowledged": rolled.happened,
        "shards_acknowledged": rolled.happened,
        "old_index": rolled.old_index,
        "new_index": rolled.new_index,
        "rolled_over": rolled.happened,
        "dry_run": is_dry_run,
        "conditions": conditions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_name_counts_on() {
        let check = |name: &str, expected: &str| {
            let found = next_index_name(name);
            let found = found.unwrap_or_else(|error| error.error_type().to_owned());
            assert_eq!(found, expected, "{name}");
        };
        check("logs-1", "logs-000002");
        check("logs-a-000099", "logs-a-000100");
        check("logs-9999999", "logs-10000000");
        check("logs", "illegal_argument_exception");
        check("logs-", "illegal_argument_exception");
        check("logs-1x", "illegal_argument_exception");
        check("logs-+1", "illegal_argument_exception");
    }

    #[test]
    fn one_reason_is_enough_and_what_is_needed_must_hold() {
        let facts = RolloverFacts {
            age_ms: 86_400_000,
            rows: 10,
            bytes: 4096,
            partitions: 4,
        };
        let check = |conditions: &str, expected: &str, expected_enough: bool| {
            let body = format!(r#"{{"conditions": {conditions}}}"#);
            let request = parse_rollover(body.as_bytes()).expect("a rollover");
            let (met, is_enough) = request.judge(facts);
            let met: Vec<String> = met
                .iter()
                .map(|(name, met)| format!("{name}={met}"))
                .collect();
            assert_eq!(met.join(" "), expected);
            assert_eq!(is_enough, expected_enough, "{conditions}");
        };
        check("{}", "", true);
        check(
            r#"{"max_docs": 11, "max_age": "1d"}"#,
            "[max_docs: 11]=false [max_age: 1d]=true",
            true,
        );
        check(r#"{"max_size": "5kb"}"#, "[max_size: 5kb]=false", false);
        check(
            r#"{"max_primary_shard_size": "1kb", "min_docs": 11}"#,
            "[max_primary_shard_size: 1kb]=true [min_docs: 11]=false",
            false,
        );
        for wrong in [
            r#"{"max_hats": 1}"#,
            r#"{"max_size": "1"}"#,
            r#"{"max_docs": "x"}"#,
        ] {
            let body = format!(r#"{{"conditions": {wrong}}}"#);
            parse_rollover(body.as_bytes()).expect_err(wrong);
        }
    }
}
