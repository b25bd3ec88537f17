//! Queries: the JSON of the query language to a typed filter. Nothing is scored, so what only
//! changes scores is read and left aside.

mod boolean;
mod geo;
mod intervals;
mod leaf;
mod pattern;
mod query_string;
mod range;
mod script;
mod spans;
mod syntax;
mod term;
mod words;

use query::request::Filter;
use serde_json::{Map, Value};

use super::ElasticError;
use super::context::Context;
use super::read;

pub(super) use leaf::analyzer_of;
pub(super) use pattern::regexp_pattern;
pub(super) use query_string::{QueryStringOptions, parse_query_string};

/// Most clauses of one boolean query.
const CLAUSES_MAX: usize = 4_096;

/// Queries that Elasticsearch has and this server does not have yet.
pub(super) const UNSUPPORTED: &[&str] = &[
    "combined_fields",
    "distance_feature",
    "geo_bounding_box",
    "geo_polygon",
    "geo_shape",
    "has_child",
    "has_parent",
    "knn",
    "more_like_this",
    "nested",
    "parent_id",
    "percolate",
    "pinned",
    "rank_feature",
    "script_score",
    "simple_query_string",
    "span_first",
    "span_near",
    "span_not",
    "span_or",
    "span_term",
    "terms_set",
    "wrapper",
];

/// Reads one query: an object with one key, its type.
///
/// # Errors
/// On an unknown type, a shape that does not fit, and a value that its field cannot have.
pub(super) fn parse_filter(context: &Context<'_>, value: &Value) -> Result<Filter, ElasticError> {
    let query = value.as_object().ok_or_else(|| {
        ElasticError::parsing("[_na] query malformed, must start with start_object")
    })?;
    let mut entries = query.iter();
    let Some((name, body)) = entries.next() else {
        return Err(ElasticError::illegal_argument(
            "query malformed, empty clause found",
        ));
    };
    if let Some((second, _)) = entries.next() {
        return Err(ElasticError::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        ))
        .at_key(second));
    }
    parse_named(context, name, body)
}

fn parse_named(context: &Context<'_>, name: &str, body: &Value) -> Result<Filter, ElasticError> {
    match name {
        "match_all" => options_only(name, body, &[]).map(|()| Filter::All),
        "match_none" => options_only(name, body, &[]).map(|()| Filter::None),
        "bool" => boolean::parse(context, body),
        "constant_score" => boolean::parse_wrapping(context, name, body, "filter"),
        "function_score" => boolean::parse_wrapping(context, name, body, "query"),
        "boosting" => boolean::parse_wrapping(context, name, body, "positive"),
        "dis_max" => boolean::parse_dis_max(context, body),
        "geo_distance" => geo::parse_distance(context, body),
        "range" => range::parse(context, body),
        "script" => script::parse(context, body),
        "term" => term::parse_term(context, body),
        "terms" => term::parse_terms(context, body),
        "exists" => term::parse_exists(context, body),
        "ids" => term::parse_ids(body),
        "prefix" | "wildcard" | "regexp" => pattern::parse(context, name, body),
        "match" => words::parse_match(context, body),
        "match_phrase" => words::parse_match_phrase(context, body),
        "match_phrase_prefix" => words::parse_match_phrase_prefix(context, body),
        "match_bool_prefix" => words::parse_match_bool_prefix(context, body),
        "multi_match" => words::parse_multi_match(context, body),
        "fuzzy" => words::parse_fuzzy(context, body),
        "intervals" => intervals::parse(context, body),
        "query_string" => query_string::parse(context, body),
        "nested" => nested(context, body),
        known if UNSUPPORTED.contains(&known) => {
            Err(ElasticError::unsupported(format!("query [{known}]")))
        }
        unknown => {
            let cause = ElasticError::new(
                400,
                "named_object_not_found_exception",
                format!("unknown field [{unknown}]"),
            );
            Err(ElasticError::parsing(format!("unknown query [{unknown}]"))
                .at_value(unknown)
                .caused_by(cause))
        }
    }
}

/// `nested`: objects of their own are not looked into, and where there are none it is told.
fn nested(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let entries = read::object(body, "nested")?;
    let path = entries
        .get("path")
        .map_or("", |path| path.as_str().unwrap_or_default());
    if context
        .field(path)
        .is_some_and(|field| field.type_name() == "nested")
    {
        return Err(ElasticError::unsupported("query [nested]"));
    }
    match entries.get("ignore_unmapped") {
        Some(value) if read::flag(value, "ignore_unmapped")? => Ok(Filter::None),
        Some(_) | None => Err(context.query_error(format!(
            "[nested] failed to find nested object under path [{path}]"
        ))),
    }
}

/// Keys that any query may have and that do not change which rows match.
const WITHOUT_EFFECT: &[&str] = &["boost", "_name"];

/// Checks that `body` has no other keys than `known` and those of any query.
fn options_only(name: &str, body: &Value, known: &[&str]) -> Result<(), ElasticError> {
    for key in read::object(body, name)?.keys() {
        if !known.contains(&key.as_str()) && !WITHOUT_EFFECT.contains(&key.as_str()) {
            return Err(unknown_key(name, key));
        }
    }
    Ok(())
}

fn unknown_key(name: &str, key: &str) -> ElasticError {
    ElasticError::content(format!("[{name}] unknown field [{key}]")).at_key(key)
}

/// A query's field and what is said about it: `{"field": ..}`, with options of any query beside.
struct FieldClause<'v> {
    path: &'v str,
    body: &'v Value,
}

impl<'v> FieldClause<'v> {
    fn read(name: &str, body: &'v Value) -> Result<Self, ElasticError> {
        let entries = read::object(body, name)?;
        let mut fields = entries
            .iter()
            .filter(|(key, _)| !WITHOUT_EFFECT.contains(&key.as_str()));
        let Some((path, body)) = fields.next() else {
            return Err(ElasticError::illegal_argument(
                "field name is null or empty",
            ));
        };
        if let Some((second, _)) = fields.next() {
            return Err(ElasticError::parsing(format!(
                "[{name}] query doesn't support multiple fields, found [{path}] and [{second}]"
            ))
            .at_value(second));
        }
        Ok(Self { path, body })
    }

    /// What is said about the field: an object's entries, or a plain value under `key`.
    fn options(&self, key: &str) -> Map<String, Value> {
        match self.body {
            Value::Object(options) => options.clone(),
            plain => Map::from_iter([(key.to_owned(), plain.clone())]),
        }
    }
}

/// All of them; simpler forms where there are any.
fn all_of(mut filters: Vec<Filter>) -> Filter {
    filters.retain(|filter| !matches!(filter, Filter::All));
    if filters.iter().any(|filter| matches!(filter, Filter::None)) {
        return Filter::None;
    }
    match filters.len() {
        0 => Filter::All,
        1 => filters.remove(0),
        _ => Filter::And(filters),
    }
}

/// At least `count` of them; simpler forms where there are any.
fn at_least(count: usize, mut of: Vec<Filter>) -> Filter {
    of.retain(|filter| !matches!(filter, Filter::None));
    if count == 0 {
        return Filter::All;
    }
    if of.len() < count {
        return Filter::None;
    }
    if count == 1 && of.iter().any(|filter| matches!(filter, Filter::All)) {
        return Filter::All;
    }
    if of.len() == 1 {
        return of.remove(0);
    }
    if of.len() == count {
        return all_of(of);
    }
    Filter::AtLeast { count, of }
}

/// One of them, none when there is no choice.
fn any_of(filters: Vec<Filter>) -> Filter {
    at_least(1, filters)
}

fn not(filter: Filter) -> Filter {
    match filter {
        Filter::All => Filter::None,
        Filter::None => Filter::All,
        Filter::Not(inner) => *inner,
        other => Filter::Not(Box::new(other)),
    }
}

#[cfg(test)]
mod tests;
