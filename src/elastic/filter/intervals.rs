//! `intervals`: words at places that fit together.

use query::request::{
    Filter, IntervalFilter, IntervalOrder, Intervals, Pattern, TextPredicate, WordMatch,
};
use query::text::Analyzer;
use serde_json::{Map, Value};
use storage::model::FieldType;

use super::FieldClause;
use super::leaf::{analyzed, analyzer_of};
use super::pattern::{prefix_pattern, regexp_pattern, wildcard_pattern};
use super::words::near;
use crate::elastic::ElasticError;
use crate::elastic::context::{Context, NamedField};
use crate::elastic::read;

/// Deepest nesting of rules.
const DEPTH_MAX: usize = 32;

/// Reads the query.
pub(super) fn parse(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let clause = FieldClause::read("intervals", body)?;
    let Some(field) = context.field(clause.path) else {
        return Ok(Filter::None);
    };
    if field.field_type() != FieldType::Text {
        return Err(context.query_error(format!(
            "Can only use interval queries on text fields - not on [{}] which is of type [{}]",
            field.path,
            field.type_name()
        )));
    }
    let rules = read::object(clause.body, "intervals")?;
    let intervals = rule(context, &field, rules, 0)?;
    Ok(analyzed(&field, TextPredicate::Intervals(intervals)))
}

/// One rule: an object with its kind, and options of any query beside.
fn rule(
    context: &Context<'_>,
    field: &NamedField<'_>,
    rules: &Map<String, Value>,
    depth: usize,
) -> Result<Intervals, ElasticError> {
    if depth == DEPTH_MAX {
        let reason = format!("[intervals] rules are nested deeper than {DEPTH_MAX}");
        return Err(ElasticError::illegal_argument(reason));
    }
    let mut kinds = rules
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "boost" | "_name"));
    let (kind, body) = kinds.next().ok_or_else(|| {
        ElasticError::parsing("Missing intervals source, expected one of [match, any_of, all_of]")
    })?;
    let body = read::object(body, kind)?;
    let of = match kind.as_str() {
        "match" => words(field, body)?,
        "any_of" => Intervals::Any(inner(context, field, body, depth)?),
        "all_of" => Intervals::All {
            of: inner(context, field, body, depth)?,
            order: order(body)?,
            gaps_max: gaps(body)?,
        },
        "prefix" => {
            let text = required(body, "prefix")?;
            Intervals::Word(WordMatch::Fits(prefix_pattern(&text, false)))
        }
        "wildcard" => {
            let text = required(body, "pattern")?;
            Intervals::Word(WordMatch::Fits(wildcard_pattern(&text, any_case(body)?)))
        }
        "regexp" => {
            let text = required(body, "pattern")?;
            let pattern = regexp_pattern(context, &text, any_case(body)?)?;
            Intervals::Word(WordMatch::Fits(pattern))
        }
        "fuzzy" => Intervals::Word(WordMatch::Fits(fuzzy(body)?)),
        unknown => {
            return Err(ElasticError::parsing(format!(
                "Unknown interval type [{unknown}], expecting one of [match, any_of, all_of, \
                 prefix, wildcard, regexp]"
            )));
        }
    };
    match body.get("filter") {
        None | Some(Value::Null) => Ok(of),
        Some(value) => filtered(context, field, of, value, depth),
    }
}

fn any_case(body: &Map<String, Value>) -> Result<bool, ElasticError> {
    let flag = body.get("case_insensitive");
    flag.map_or(Ok(false), |value| read::flag(value, "case_insensitive"))
}

fn required(body: &Map<String, Value>, key: &str) -> Result<String, ElasticError> {
    match body.get(key) {
        Some(value) => read::text(value, key),
        None => Err(ElasticError::illegal_argument(format!("Required [{key}]"))),
    }
}

fn gaps(body: &Map<String, Value>) -> Result<Option<u32>, ElasticError> {
    match body.get("max_gaps") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(u32::try_from(read::integer(value, "max_gaps")?).ok()),
    }
}

fn order(body: &Map<String, Value>) -> Result<IntervalOrder, ElasticError> {
    let mode = match (body.get("mode"), body.get("ordered")) {
        (Some(mode), _) => read::text(mode, "mode")?,
        (None, Some(ordered)) if read::flag(ordered, "ordered")? => "ordered".into(),
        (None, _) => "unordered".into(),
    };
    match mode.as_str() {
        "ordered" => Ok(IntervalOrder::Ordered),
        "unordered" => Ok(IntervalOrder::Unordered),
        "unordered_no_overlap" => Ok(IntervalOrder::Apart),
        other => Err(ElasticError::illegal_argument(format!(
            "Invalid mode: {other}, mode can only be one of [ordered, unordered, \
             unordered_no_overlap]"
        ))),
    }
}

fn inner(
    context: &Context<'_>,
    field: &NamedField<'_>,
    body: &Map<String, Value>,
    depth: usize,
) -> Result<Vec<Intervals>, ElasticError> {
    let rules = body.get("intervals").map_or(&[][..], read::one_or_many);
    rules
        .iter()
        .map(|value| rule(context, field, read::object(value, "intervals")?, depth + 1))
        .collect()
}

/// `match`: the words of a text.
fn words(field: &NamedField<'_>, body: &Map<String, Value>) -> Result<Intervals, ElasticError> {
    let text = required(body, "query")?;
    let analyzer = match body.get("analyzer") {
        None => analyzer_of(field),
        Some(name) => {
            let name = read::text(name, "analyzer")?;
            Analyzer::parse(&name)
                .ok_or_else(|| ElasticError::unsupported(format!("[analyzer] [{name}]")))?
        }
    };
    let of = analyzer.tokens(&text).into_iter();
    Ok(Intervals::All {
        of: of
            .map(|word| Intervals::Word(WordMatch::Is(word)))
            .collect(),
        order: order(body)?,
        gaps_max: gaps(body)?,
    })
}

fn fuzzy(body: &Map<String, Value>) -> Result<Pattern, ElasticError> {
    let word = required(body, "term")?;
    let prefix = match body.get("prefix_length") {
        None => 0,
        Some(value) => read::count(value, "prefix_length")?,
    };
    let auto = Value::from("AUTO");
    near(&word, body.get("fuzziness").unwrap_or(&auto), prefix)
}

/// `filter`: how intervals stand to others.
fn filtered(
    context: &Context<'_>,
    field: &NamedField<'_>,
    of: Intervals,
    value: &Value,
    depth: usize,
) -> Result<Intervals, ElasticError> {
    let entries = read::object(value, "filter")?;
    let Some((kind, by)) = entries.iter().next() else {
        return Ok(of);
    };
    let filter = match kind.as_str() {
        "containing" => IntervalFilter::Containing,
        "not_containing" => IntervalFilter::NotContaining,
        "contained_by" => IntervalFilter::ContainedBy,
        "not_contained_by" => IntervalFilter::NotContainedBy,
        "overlapping" => IntervalFilter::Overlapping,
        "not_overlapping" => IntervalFilter::NotOverlapping,
        "before" => IntervalFilter::Before,
        "after" => IntervalFilter::After,
        "script" => return Err(ElasticError::unsupported("[script] of [intervals]")),
        unknown => {
            return Err(ElasticError::parsing(format!(
                "Unknown filter type [{unknown}]"
            )));
        }
    };
    Ok(Intervals::Filtered {
        of: Box::new(of),
        filter,
        by: Box::new(rule(context, field, read::object(by, kind)?, depth + 1)?),
    })
}
