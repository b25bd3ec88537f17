//! `function_score`: scores out of weights and of numbers of the rows themselves.

use query::request::{Filter, Scoring, ValueChange, ValueScoring};
use serde_json::Value;

use super::context::Context;
use super::filter::parse_filter;
use super::scoring::times;
use super::{ElasticError, read};

/// Functions that cannot be computed.
const UNSUPPORTED: &[&str] = &["random_score", "gauss", "exp", "linear", "script_score"];

/// A function, and which rows it is for.
struct Function {
    filter: Option<Filter>,
    of: Scoring,
}

/// What rows score that score `inner` by their query.
///
/// # Errors
/// On functions and ways to put them together that are not known.
pub(super) fn apply(
    context: &Context<'_>,
    body: &Value,
    inner: Scoring,
) -> Result<Scoring, ElasticError> {
    let mode = |key: &str| {
        body.get(key)
            .map_or(Ok("multiply".into()), |value| read::text(value, key))
    };
    let (score_mode, boost_mode) = (mode("score_mode")?, mode("boost_mode")?);
    let functions = match body.get("functions") {
        Some(functions) => read::one_or_many(functions)
            .iter()
            .map(|function| read_function(context, function))
            .collect::<Result<Vec<_>, _>>()?,
        None => {
            let own = read_function(context, body)?;
            let is_said = |key: &str| body.get(key).is_some();
            let says_something = is_said("weight") || is_said("field_value_factor");
            says_something.then_some(own).into_iter().collect()
        }
    };
    if functions.is_empty() {
        return Ok(inner);
    }
    let combined = combined(functions, &score_mode)?;
    Ok(match boost_mode.as_str() {
        "multiply" => Scoring::Product(vec![inner, combined]),
        "replace" => combined,
        "sum" => Scoring::Sum(vec![inner, combined]),
        "max" => Scoring::Best {
            of: vec![inner, combined],
            others: 0.0,
        },
        "avg" => times(0.5, Scoring::Sum(vec![inner, combined])),
        other => return Err(unknown_mode("boost_mode", other)),
    })
}

fn unknown_mode(key: &str, mode: &str) -> ElasticError {
    ElasticError::unsupported(format!("[{key}] [{mode}] of [function_score]"))
}

fn read_function(context: &Context<'_>, function: &Value) -> Result<Function, ElasticError> {
    let filter = function.get("filter");
    let filter = filter.map(|filter| parse_filter(context, filter));
    let weight = function.get("weight");
    let weight = weight.map_or(Ok(1.0), |weight| read::float(weight, "weight"))?;
    if let Some(key) = UNSUPPORTED.iter().find(|key| function.get(key).is_some()) {
        return Err(ElasticError::unsupported(format!(
            "[{key}] of [function_score]"
        )));
    }
    let of = match function.get("field_value_factor") {
        Some(said) => Scoring::Value(value(context, said)?),
        None => Scoring::Always(1.0),
    };
    Ok(Function {
        filter: filter.transpose()?,
        of: times(weight, of),
    })
}

fn value(context: &Context<'_>, value: &Value) -> Result<ValueScoring, ElasticError> {
    let path = value.get("field").ok_or_else(|| {
        ElasticError::parsing("[field_value_factor] required field [field] missing")
    })?;
    let number = |key: &str| {
        value
            .get(key)
            .map(|value| read::float(value, key))
            .transpose()
    };
    let modifier = value.get("modifier");
    let modifier = modifier.map_or(Ok("none".into()), |text| read::text(text, "modifier"))?;
    let change = match modifier.to_lowercase().as_str() {
        "none" => ValueChange::None,
        "log" => ValueChange::Log,
        "log1p" => ValueChange::Log1p,
        "log2p" => ValueChange::Log2p,
        "ln" => ValueChange::Ln,
        "ln1p" => ValueChange::Ln1p,
        "ln2p" => ValueChange::Ln2p,
        "square" => ValueChange::Square,
        "sqrt" => ValueChange::Sqrt,
        "reciprocal" => ValueChange::Reciprocal,
        other => {
            return Err(ElasticError::illegal_argument(format!(
                "No enum constant for [modifier] [{other}]"
            )));
        }
    };
    let field = context.field(&read::text(path, "field")?);
    Ok(ValueScoring {
        field: field.map(|field| field.place),
        factor: number("factor")?.unwrap_or(1.0),
        change,
        missing: number("missing")?,
    })
}

/// Functions put together: `multiply`, `sum`, `max` or `first`.
fn combined(functions: Vec<Function>, mode: &str) -> Result<Scoring, ElasticError> {
    // Rows that no function is for keep their scores.
    let is_for_all = functions.iter().any(|function| function.filter.is_none());
    let filters = functions
        .iter()
        .filter_map(|function| function.filter.clone());
    let any = Filter::AtLeast {
        count: 1,
        of: filters.collect(),
    };
    let otherwise = (!is_for_all).then(|| Scoring::Matching {
        filter: not(any),
        score: 1.0,
    });
    let gated = functions.iter().map(|function| match &function.filter {
        Some(filter) => when(filter.clone(), function.of.clone()),
        None => function.of.clone(),
    });
    Ok(match mode {
        "multiply" => Scoring::Product(functions.into_iter().map(factor).collect()),
        "sum" => Scoring::Sum(gated.chain(otherwise).collect()),
        "max" => Scoring::Best {
            of: gated.chain(otherwise).collect(),
            others: 0.0,
        },
        "first" => Scoring::Sum(one_by_one(functions).chain(otherwise).collect()),
        other => return Err(unknown_mode("score_mode", other)),
    })
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn when(filter: Filter, of: Scoring) -> Scoring {
    Scoring::When {
        filter,
        of: Box::new(of),
    }
}

/// What rows are multiplied by: 1 where the function is not for them.
fn factor(function: Function) -> Scoring {
    match function.filter {
        None => function.of,
        Some(filter) => Scoring::Sum(vec![
            when(filter.clone(), function.of),
            Scoring::Matching {
                filter: not(filter),
                score: 1.0,
            },
        ]),
    }
}

/// Each function for the rows that none before it is for.
fn one_by_one(functions: Vec<Function>) -> impl Iterator<Item = Scoring> {
    let mut before: Vec<Filter> = Vec::new();
    functions.into_iter().map(move |function| {
        let own = function.filter.unwrap_or(Filter::All);
        let mut all: Vec<Filter> = before.iter().cloned().map(not).collect();
        all.push(own.clone());
        before.push(own);
        when(Filter::And(all), function.of)
    })
}
