//! Values out of JSON the way Elasticsearch takes them: a number may be a text, a flag too.

use serde_json::{Map, Value};

use super::ElasticError;

/// The name that Elasticsearch's parser has for a value, as its errors say it.
pub(super) fn token_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

/// An object, or the error that `[what]` is malformed.
pub(super) fn object<'v>(
    value: &'v Value,
    what: &str,
) -> Result<&'v Map<String, Value>, ElasticError> {
    value.as_object().ok_or_else(|| {
        ElasticError::parsing(format!(
            "[{what}] query malformed, no start_object after query name"
        ))
        .at_value(what)
    })
}

/// A text; numbers and flags are taken as they are written.
pub(super) fn text(value: &Value, name: &str) -> Result<String, ElasticError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong(value, name)),
    }
}

/// An integer; a fraction is cut off, as Elasticsearch does.
pub(super) fn integer(value: &Value, name: &str) -> Result<i64, ElasticError> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(whole))
            .ok_or_else(|| wrong(value, name)),
        Value::String(text) => {
            integer_text(text.trim()).ok_or_else(|| number_format(text).at_key(name))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(value, name))
        }
    }
}

/// A finite number.
pub(super) fn float(value: &Value, name: &str) -> Result<f64, ElasticError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => Some(
            text.trim()
                .parse()
                .map_err(|_| number_format(text).at_key(name))?,
        ),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let finite = number.filter(|number: &f64| number.is_finite());
    finite.ok_or_else(|| wrong(value, name))
}

/// The integer that a text says; a fraction is cut off.
pub(super) fn integer_text(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().and_then(whole))
}

/// The whole part of a number that fits 64 bits.
fn whole(number: f64) -> Option<i64> {
    // 2^63 is exact in a double; the largest double below it fits.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    fits.then_some(number.trunc() as i64)
}

/// A number that counts things.
pub(super) fn count(value: &Value, name: &str) -> Result<usize, ElasticError> {
    let number = integer(value, name)?;
    usize::try_from(number).map_err(|_| {
        ElasticError::illegal_argument(format!(
            "[{name}] must be greater than or equal to 0. Found [{number}]"
        ))
    })
}

/// A flag.
pub(super) fn flag(value: &Value, name: &str) -> Result<bool, ElasticError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" || text.is_empty() => Ok(false),
        other => Err(ElasticError::illegal_argument(format!(
            "Failed to parse value [{}] as only [true] or [false] are allowed.",
            shown(other)
        ))
        .at_key(name)),
    }
}

/// One value or a list of them, as a list.
pub(super) fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
}

/// A value of the wrong kind.
pub(super) fn wrong(value: &Value, name: &str) -> ElasticError {
    ElasticError::parsing(format!(
        "[{name}] does not support values of {}",
        token_name(value)
    ))
    .at_value(name)
}

/// A text that is no number.
pub(super) fn number_format(text: &str) -> ElasticError {
    ElasticError::new(
        400,
        "number_format_exception",
        format!("For input string: \"{text}\""),
    )
}

/// ` -> did you mean [x]?` with the names of `known` that are like `name`, as messages about
/// parameters have it.
#[must_use]
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    match alike(name, known).as_str() {
        "" => String::new(),
        hint => format!(" ->{hint}"),
    }
}

/// ` did you mean [x]?` with the names of `known` that are like `name`; empty when none is.
pub(super) fn alike(name: &str, known: &[&str]) -> String {
    let likenesses = known.iter().map(|known| (likeness(known, name), *known));
    let mut similar: Vec<(f64, &str)> = likenesses.filter(|(of, _)| *of > LIKENESS_MIN).collect();
    similar.sort_by(|(a, left), (b, right)| b.total_cmp(a).then(left.cmp(right)));
    let names: Vec<&str> = similar.into_iter().map(|(_, known)| known).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" did you mean [{one}]?"),
        several => format!(" did you mean any of [{}]?", several.join(", ")),
    }
}

/// How like a name must be to be offered.
const LIKENESS_MIN: f64 = 0.5;

/// Longest name that is compared with others.
const LIKENESS_CHARS_MAX: usize = 64;

/// What share of the longer of two names need not be changed to get from one to the other.
fn likeness(known: &str, given: &str) -> f64 {
    let (known, given): (Vec<char>, Vec<char>) = (known.chars().collect(), given.chars().collect());
    let longer = known.len().max(given.len());
    if longer > LIKENESS_CHARS_MAX {
        return 0.0;
    }
    // Levenshtein's distance, row by row.
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (at, from) in known.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (place, to) in given.iter().enumerate() {
            let changed = before + usize::from(from != to);
            before = row[place + 1];
            row[place + 1] = changed.min(before + 1).min(row[place] + 1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "names have few letters")]
    let share = row[given.len()] as f64 / longer.max(1) as f64;
    1.0 - share
}

/// Whether one wrong, missing, added or exchanged letter may be the whole difference.
pub(super) fn is_similar(known: &str, given: &str) -> bool {
    let (known, given) = (known.as_bytes(), given.as_bytes());
    if known.len().abs_diff(given.len()) > 1 {
        return false;
    }
    let same_start = known.iter().zip(given).take_while(|(a, b)| a == b).count();
    let (rest, other) = (&known[same_start..], &given[same_start..]);
    let same_end = rest
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (left, right) = (rest.len() - same_end, other.len() - same_end);
    let exchanged = left == 2 && right == 2 && rest[0] == other[1] && rest[1] == other[0];
    (left <= 1 && right <= 1) || exchanged
}

/// A value as errors show it: a text without quotes.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
