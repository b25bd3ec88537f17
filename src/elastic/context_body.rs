//! What bodies say of instants that clients come back to: scrolls and points in time.

use serde_json::{Map, Value};

use super::ElasticError;
use super::read;
use super::search::parse_object;

/// `pit` of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PitBody {
    /// The point in time.
    pub(crate) id: String,
    /// How long it is kept from now on.
    pub(crate) keep_alive: Option<String>,
}

/// The point in time that a search names.
///
/// # Errors
/// When it has no id.
pub(crate) fn pit_of(body: &[u8]) -> Result<Option<PitBody>, ElasticError> {
    // Most searches name none, and need not be read twice to know it.
    let needle = b"\"pit\"";
    if !body.windows(needle.len()).any(|window| window == needle) {
        return Ok(None);
    }
    let entries = object(body)?;
    let Some(pit) = entries.get("pit").filter(|pit| !pit.is_null()) else {
        return Ok(None);
    };
    let entries = read::object(pit, "pit")?;
    let id = entries.get("id").ok_or_else(|| {
        ElasticError::illegal_argument("Required [id]: a point in time is named by it")
    })?;
    let keep_alive = entries.get("keep_alive");
    Ok(Some(PitBody {
        id: read::text(id, "id")?,
        keep_alive: keep_alive
            .map(|text| read::text(text, "keep_alive"))
            .transpose()?,
    }))
}

/// The names that `indices_boost` of a search gives, those without wildcards.
///
/// # Errors
/// When the body cannot be read.
pub(crate) fn boosted_indices(body: &[u8]) -> Result<Vec<String>, ElasticError> {
    let needle = b"\"indices_boost\"";
    if !body.windows(needle.len()).any(|window| window == needle) {
        return Ok(Vec::new());
    }
    let entries = object(body)?;
    let boosts = entries.get("indices_boost");
    let boosts = boosts.map_or(&[][..], read::one_or_many).iter();
    let names = boosts.filter_map(Value::as_object).flat_map(Map::keys);
    let names = names.filter(|name| !name.contains('*'));
    Ok(names.cloned().collect())
}

/// The text of the entry `key` of a body, or a list of texts.
pub(crate) fn texts_of(body: &[u8], key: &str) -> Result<Vec<String>, ElasticError> {
    let entries = object(body)?;
    let values = entries.get(key).map_or(&[][..], read::one_or_many);
    values.iter().map(|value| read::text(value, key)).collect()
}

/// `answer`, an object, with an id in front.
pub(crate) fn with_id(answer: &[u8], key: &str, id: &str) -> Vec<u8> {
    let entry = Value::Object(Map::from_iter([(key.to_owned(), id.into())])).to_string();
    let rest = answer.strip_prefix(b"{").unwrap_or(answer);
    let comma = if rest == b"}" { "" } else { "," };
    [
        entry.trim_end_matches('}').as_bytes(),
        comma.as_bytes(),
        rest,
    ]
    .concat()
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    parse_object(text)
}

/// Milliseconds of a time such as `1m`.
///
/// # Errors
/// When it is none.
pub(crate) fn keep_alive_ms(text: &str) -> Result<i64, ElasticError> {
    let wrong = || {
        ElasticError::illegal_argument(format!(
            "failed to parse setting [keep_alive] with value [{text}] as a time value: unit is \
             missing or unrecognized"
        ))
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_are_read() {
        assert_eq!(keep_alive_ms("1m"), Ok(60_000));
        assert_eq!(keep_alive_ms("250ms"), Ok(250));
        keep_alive_ms("1").expect_err("no unit");
        keep_alive_ms("99999999999999d").expect_err("too long");
        let pit = pit_of(br#"{"pit": {"id": "x", "keep_alive": "1m"}}"#).expect("sound");
        assert_eq!(pit.map(|pit| pit.id).as_deref(), Some("x"));
        assert_eq!(pit_of(br#"{"query": {}}"#), Ok(None));
        pit_of(br#"{"pit": {}}"#).expect_err("no id");
        let ids = texts_of(br#"{"scroll_id": ["a", "b"]}"#, "scroll_id");
        assert_eq!(ids, Ok(vec!["a".into(), "b".into()]));
    }
}
