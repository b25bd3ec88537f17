//! Queries made of queries.

use query::request::Filter;
use serde_json::Value;

use super::{CLAUSES_MAX, all_of, any_of, at_least, not, parse_filter, unknown_key};
use crate::elastic::ElasticError;
use crate::elastic::context::Context;
use crate::elastic::read;

/// `bool`: all of `must` and `filter`, none of `must_not`, some of `should`.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let (mut required, mut choices) = (Vec::new(), Vec::new());
    let mut choices_min: Option<Value> = None;
    let mut clause_count = 0;
    let mut has_required = false;
    for (key, clause) in read::object(body, "bool")? {
        let mut clauses = || clauses(context, key, clause, &mut clause_count);
        match key.as_str() {
            "must" | "filter" => {
                let clauses = clauses()?;
                has_required |= !clauses.is_empty();
                required.extend(clauses);
            }
            "must_not" | "mustNot" => required.extend(clauses()?.into_iter().map(not)),
            "should" => choices.extend(clauses()?),
            "minimum_should_match" => choices_min = Some(clause.clone()),
            "boost" | "_name" | "adjust_pure_negative" => {}
            unknown => return Err(unknown_key("bool", unknown)),
        }
    }
    // Where nothing is required, one choice is, even if `minimum_should_match` comes down to none.
    let count_min = usize::from(!has_required && !choices.is_empty());
    let count = match &choices_min {
        Some(value) => minimum_should_match(value, choices.len())?.max(count_min),
        None => count_min,
    };
    required.push(at_least(count, choices));
    Ok(all_of(required))
}

fn clauses(
    context: &Context<'_>,
    key: &str,
    clause: &Value,
    clause_count: &mut usize,
) -> Result<Vec<Filter>, ElasticError> {
    if !clause.is_object() && !clause.is_array() && !clause.is_null() {
        return Err(read::wrong(clause, key));
    }
    let clauses = read::one_or_many(clause);
    *clause_count += clauses.len();
    if *clause_count > CLAUSES_MAX {
        return Err(ElasticError::new(
            400,
            "too_many_clauses",
            format!("too_many_clauses: maxClauseCount is set to {CLAUSES_MAX}"),
        )
        .on_shard(context.index));
    }
    clauses
        .iter()
        .map(|clause| parse_filter(context, clause))
        .collect()
}

/// How many of `choices` must match: `2`, `-1`, `"75%"`, `"-25%"`, `"2<75% 9<-3"`.
///
/// # Errors
/// When it is none of these.
pub(super) fn minimum_should_match(value: &Value, choices: usize) -> Result<usize, ElasticError> {
    let text = read::text(value, "minimum_should_match")?;
    let wrong = || read::number_format(&text).at_key("minimum_should_match");
    let total = i64::try_from(choices).expect("clauses are bounded");
    let mut applies = text.trim();
    if text.contains('<') {
        // The condition with the largest number below the choices; all of them below the first.
        let mut chosen = None;
        for condition in text.split_whitespace() {
            let (above, then) = condition.split_once('<').ok_or_else(wrong)?;
            let above: i64 = above.trim().parse().map_err(|_| wrong())?;
            if total > above {
                chosen = Some(then);
            }
        }
        match chosen {
            Some(then) => applies = then.trim(),
            None => return Ok(choices),
        }
    }
    let count = match applies.strip_suffix('%') {
        Some(percent) => {
            let percent: i64 = percent.trim().parse().map_err(|_| wrong())?;
            if !(-100..=100).contains(&percent) {
                return Err(wrong());
            }
            let part = total * percent / 100;
            if percent < 0 { total + part } else { part }
        }
        None => {
            let count: i64 = applies.parse().map_err(|_| wrong())?;
            if count < 0 {
                total.saturating_add(count)
            } else {
                count
            }
        }
    };
    Ok(usize::try_from(count.max(0)).unwrap_or(usize::MAX))
}

/// A query that only scores another one differently: the query under `inner`.
pub(super) fn parse_wrapping(
    context: &Context<'_>,
    name: &str,
    body: &Value,
    inner: &str,
) -> Result<Filter, ElasticError> {
    const SCORING: &[&str] = &[
        "_name",
        "boost",
        "boost_mode",
        "field_value_factor",
        "functions",
        "max_boost",
        "negative",
        "negative_boost",
        "random_score",
        "score_mode",
        "weight",
    ];
    let mut filter = None;
    for (key, value) in read::object(body, name)? {
        match key.as_str() {
            key if key == inner => filter = Some(parse_filter(context, value)?),
            key if SCORING.contains(&key) => {}
            "script_score" | "min_score" => {
                return Err(ElasticError::unsupported(format!("[{key}] of [{name}]")));
            }
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[{name}] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    match filter {
        Some(filter) => Ok(filter),
        // Without a query of its own, a function score applies to everything.
        None if name == "function_score" => Ok(Filter::All),
        None => Err(
            ElasticError::parsing(format!("[{name}] requires a '{inner}' element")).at_value(name),
        ),
    }
}

/// `dis_max`: one of `queries`.
pub(super) fn parse_dis_max(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let mut choices = None;
    let mut clause_count = 0;
    for (key, value) in read::object(body, "dis_max")? {
        match key.as_str() {
            "queries" => choices = Some(clauses(context, key, value, &mut clause_count)?),
            "tie_breaker" | "boost" | "_name" => {}
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "[dis_max] query does not support [{unknown}]"
                ))
                .at_value(unknown));
            }
        }
    }
    let choices = choices.ok_or_else(|| {
        ElasticError::parsing("[dis_max] requires 'queries' field with at least one clause")
            .at_value("dis_max")
    })?;
    Ok(any_of(choices))
}
