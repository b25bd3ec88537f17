//! Queries: the JSON of the query language to a typed filter. Nothing is scored, so what only
//! changes scores is read and left aside.

mod bitmap;
mod boolean;
mod geo;
mod intervals;
mod leaf;
mod pattern;
mod query_string;
mod range;
mod script;
mod simple_string;
mod span_queries;
mod spans;
mod syntax;
mod term;
mod words;

use query::request::Filter;
use serde_json::{Map, Value};

use super::ElasticError;
use super::context::{Context, NamedField};
use super::{areas, read, scoring};

pub(super) use leaf::{analyzer_of, search_analyzer_of};
pub(super) use pattern::regexp_pattern;
pub(super) use query_string::{QueryStringOptions, parse_query_string};

/// Most clauses of one boolean query.
const CLAUSES_MAX: usize = 4_096;

/// Queries that work.
pub(super) const WORKING: &[&str] = &[
    "match_all",
    "match_none",
    "bool",
    "constant_score",
    "dis_max",
    "boosting",
    "function_score",
    "term",
    "terms",
    "range",
    "exists",
    "ids",
    "prefix",
    "wildcard",
    "regexp",
    "fuzzy",
    "match",
    "match_bool_prefix",
    "match_phrase",
    "match_phrase_prefix",
    "multi_match",
    "combined_fields",
    "intervals",
    "query_string",
    "geo_distance",
    "geo_bounding_box",
    "distance_feature",
    "simple_query_string",
    "span_term",
    "span_near",
    "span_or",
    "span_not",
    "span_multi",
    "span_containing",
    "span_within",
    "wrapper",
];

/// Queries that Elasticsearch has and this server does not have yet.
pub(super) const UNSUPPORTED: &[&str] = &[
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
    "span_first",
    "terms_set",
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

/// Queries that look at every distinct text, which a server may forbid.
const EXPENSIVE: &[&str] = &["fuzzy", "prefix", "regexp", "wildcard"];

fn check_cost(context: &Context<'_>, name: &str) -> Result<(), ElasticError> {
    let hint = match name {
        "prefix" => " For optimised prefix queries on text fields please enable [index_prefixes].",
        _others => "",
    };
    let kind = match name {
        "nested" | "has_child" | "has_parent" | "parent_id" => "joining",
        other if EXPENSIVE.contains(&other) => other,
        _cheap => return Ok(()),
    };
    if !context.facts.cheap_only {
        return Ok(());
    }
    Err(context.fail(ElasticError::illegal_argument(format!(
        "[{kind}] queries cannot be executed when 'search.allow_expensive_queries' is set to \
         false.{hint}"
    ))))
}

fn parse_named(context: &Context<'_>, name: &str, body: &Value) -> Result<Filter, ElasticError> {
    check_cost(context, name)?;
    match name {
        "match_all" => options_only(name, body, &[]).map(|()| Filter::All),
        "match_none" => options_only(name, body, &[]).map(|()| Filter::None),
        "bool" => boolean::parse(context, body),
        "constant_score" => boolean::parse_wrapping(context, name, body, "filter"),
        "function_score" => boolean::parse_wrapping(context, name, body, "query"),
        "boosting" => boolean::parse_wrapping(context, name, body, "positive"),
        "dis_max" => boolean::parse_dis_max(context, body),
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
        "combined_fields" => words::parse_combined_fields(context, body),
        "fuzzy" => words::parse_fuzzy(context, body),
        "intervals" => intervals::parse(context, body),
        "query_string" => query_string::parse(context, body),
        "nested" => nested(context, body),
        "simple_query_string" => simple_string::parse(context, body),
        "span_term" | "span_near" | "span_or" | "span_not" | "span_multi" | "span_containing"
        | "span_within" => span_queries::parse(context, name, body),
        "wrapper" => parse_wrapped(context, body),
        "geo_distance" => geo::parse_distance(context, body),
        "geo_bounding_box" => areas::parse_box(context, body),
        "distance_feature" => parse_near(context, body),
        known if UNSUPPORTED.contains(&known) => {
            Err(ElasticError::unsupported(format!("query [{known}]")))
        }
        unknown => {
            let cause = ElasticError::new(
                400,
                "named_object_not_found_exception",
                format!("unknown field [{unknown}]"),
            );
            let hint = read::alike(unknown, &[WORKING, UNSUPPORTED].concat());
            let reason = format!("unknown query [{unknown}]{hint}");
            Err(ElasticError::parsing(reason)
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

/// `wrapper`: a query in base64.
fn parse_wrapped(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    options_only("wrapper", body, &["query"])?;
    let text = read::text(body.get("query").unwrap_or(&Value::Null), "query")?;
    let wrong =
        || ElasticError::parsing("[wrapper] query is no JSON in base64").at_value("wrapper");
    let bytes = bitmap::base64(&text).ok_or_else(wrong)?;
    let inner: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    parse_filter(context, &inner)
}

/// `distance_feature`: every row with a value, the nearer the better.
fn parse_near(context: &Context<'_>, body: &Value) -> Result<Filter, ElasticError> {
    let (field, ..) = scoring::distance_feature(context, body)?;
    Ok(field.map_or(Filter::None, |field| Filter::Exists(field.place)))
}

/// Words of `field` that begin so.
pub(super) fn prefix_filter(field: &NamedField<'_>, prefix: &str) -> Filter {
    leaf::pattern(field, pattern::prefix_pattern(prefix, false))
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
