//! `percentiles`, `percentile_ranks`, `median_absolute_deviation`: what is asked of a distribution.
//!
//! `tdigest` and `hdr` say how Elasticsearch estimates. They are checked; `hdr` also says by which
//! rule a percentile is picked, and to how many digits it is told.

use serde_json::{Map, Value};

use super::Definition;
use crate::elastic::ElasticError;
use crate::elastic::read;
use crate::elastic::shape::MetricForm;

/// Percents unless the request says otherwise.
const PERCENTS_DEFAULT: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

/// Significant digits of the other estimate unless the request says otherwise.
const DIGITS_DEFAULT: u32 = 3;

/// Most of them.
const DIGITS_MAX: u32 = 5;

/// Most percents or values of one request.
const POINTS_MAX: usize = 1_024;

/// What is printed, and the type in its typed key.
type Form = (MetricForm, &'static str);

/// `percentiles`.
pub(super) fn percentiles(definition: &Definition<'_>) -> Result<Form, ElasticError> {
    let percents = match definition.body.get("percents") {
        None => PERCENTS_DEFAULT.to_vec(),
        Some(value) => points(definition, "percents", value)?,
    };
    let mut percents = percents;
    percents.sort_by(f64::total_cmp);
    let wrong = percents
        .iter()
        .find(|percent| !(0.0..=100.0).contains(*percent));
    if let Some(wrong) = wrong {
        return Err(unfit(
            definition,
            format!(
                "percent must be in [0,100], got [{wrong:?}]: [{}]",
                definition.name
            ),
        ));
    }
    let digits = hdr_digits(definition)?;
    let typed = match digits {
        Some(_) => "hdr_percentiles",
        None => "tdigest_percentiles",
    };
    let form = MetricForm::Percentiles {
        percents,
        keyed: keyed(definition)?,
        digits,
    };
    Ok((form, typed))
}

/// `percentile_ranks`.
pub(super) fn ranks(definition: &Definition<'_>) -> Result<Form, ElasticError> {
    let values = definition
        .body
        .get("values")
        .ok_or_else(|| ElasticError::illegal_argument("Required [values]".to_owned()))?;
    let mut values = points(definition, "values", values)?;
    values.sort_by(f64::total_cmp);
    let typed = if hdr_digits(definition)?.is_some() {
        "hdr_percentile_ranks"
    } else {
        "tdigest_percentile_ranks"
    };
    let keyed = keyed(definition)?;
    Ok((MetricForm::Ranks { values, keyed }, typed))
}

/// `median_absolute_deviation`.
pub(super) fn deviation(definition: &Definition<'_>) -> Result<Form, ElasticError> {
    if let Some(value) = definition.body.get("compression") {
        let compression = read::float(value, "compression")?;
        if compression <= 0.0 {
            let reason = format!(
                "[compression] must be greater than 0. Found [{compression:?}] in [{}]",
                definition.name
            );
            let cause = ElasticError::illegal_argument(reason);
            return Err(definition.wrong("compression", cause));
        }
    }
    Ok((
        MetricForm::MedianAbsoluteDeviation,
        "median_absolute_deviation",
    ))
}

fn keyed(definition: &Definition<'_>) -> Result<bool, ElasticError> {
    let keyed = definition.body.get("keyed");
    keyed.map_or(Ok(true), |value| read::flag(value, "keyed"))
}

/// A list of numbers with at least one.
fn points(definition: &Definition<'_>, key: &str, value: &Value) -> Result<Vec<f64>, ElasticError> {
    let list = value
        .as_array()
        .ok_or_else(|| definition.wrong_kind(key, value))?;
    if list.is_empty() {
        let reason = format!("[{key}] must not be an empty array: [{}]", definition.name);
        return Err(unfit(definition, reason));
    }
    if list.len() > POINTS_MAX {
        let reason = format!("[{key}] may have up to {POINTS_MAX} entries");
        return Err(unfit(definition, reason));
    }
    list.iter()
        .map(|value| match value {
            Value::Number(_) | Value::String(_) => read::float(value, key),
            other => Err(definition.wrong_kind(key, other)),
        })
        .collect::<Result<_, _>>()
        .map_err(|error| definition.wrong(key, error))
}

/// Parts that each may have, but not together.
fn unfit(definition: &Definition<'_>, reason: String) -> ElasticError {
    ElasticError::content(format!(
        "Failed to build [{}] after last required field arrived",
        definition.type_name
    ))
    .caused_by(ElasticError::illegal_argument(reason))
}

/// Significant digits of the other estimate, if the request asks for it. Its parameters are
/// checked.
fn hdr_digits(definition: &Definition<'_>) -> Result<Option<u32>, ElasticError> {
    check_compression(definition, definition.body)?;
    if let Some(options) = options(definition, "tdigest")? {
        check_compression(definition, options)?;
        check_keys(options, &["compression", "execution_hint"], "tdigest")?;
    }
    let Some(options) = options(definition, "hdr")? else {
        return Ok(None);
    };
    let mut digits = DIGITS_DEFAULT;
    check_keys(options, &["number_of_significant_value_digits"], "hdr")?;
    if let Some(value) = options.get("number_of_significant_value_digits") {
        let given = read::integer(value, "number_of_significant_value_digits")?;
        let Some(given) = u32::try_from(given)
            .ok()
            .filter(|given| *given <= DIGITS_MAX)
        else {
            let reason = format!(
                "[numberOfSignificantValueDigits] must be between 0 and 5: [{}]",
                definition.name
            );
            return Err(definition.wrong("hdr", ElasticError::illegal_argument(reason)));
        };
        digits = given;
    }
    if definition.body.contains_key("tdigest") {
        return Err(unfit(
            definition,
            "Only one percentiles method should be declared.".into(),
        ));
    }
    Ok(Some(digits))
}

fn options<'v>(
    definition: &Definition<'v>,
    key: &str,
) -> Result<Option<&'v Map<String, Value>>, ElasticError> {
    match definition.body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(options)) => Ok(Some(options)),
        Some(other) => Err(definition.wrong_kind(key, other)),
    }
}

fn check_keys(
    options: &Map<String, Value>,
    known: &[&str],
    name: &str,
) -> Result<(), ElasticError> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(
            ElasticError::content(format!("[{name}] unknown field [{unknown}]")).at_key(unknown),
        ),
    }
}

fn check_compression(
    definition: &Definition<'_>,
    options: &Map<String, Value>,
) -> Result<(), ElasticError> {
    let Some(value) = options.get("compression") else {
        return Ok(());
    };
    let compression = read::float(value, "compression")?;
    if compression < 0.0 {
        return Err(ElasticError::illegal_argument(format!(
            "[compression] must be greater than or equal to 0. Found [{compression:?}] in [{}]",
            definition.name
        )));
    }
    Ok(())
}
