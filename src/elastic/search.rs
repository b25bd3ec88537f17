//! Search bodies: JSON and URL parameters to requests and the shape of the answer.

use query::request::{Filter, HitsRequest, Limits, RollupUse, SearchRequest, Slice};
use serde_json::{Map, Value};
use storage::model::Mapping;

use super::aggregation::{ParsedAggregations, parse_aggregations};
use super::collapse::InnerSearch;
use super::context::{Context, IndexFacts};
use super::filter::{QueryStringOptions, parse_filter, parse_query_string};
use super::highlight;
use super::hits;
use super::read;
use super::scores::Scores;
use super::shape::{ResponseShape, SearchedIndex, TotalShape};
use super::{ElasticError, SearchParams, collapse, slice};

/// Most hits that `from` and `size` may reach.
pub const RESULT_WINDOW_MAX: usize = 10_000;

/// Hits returned unless the request says otherwise.
const SIZE_DEFAULT: usize = 10;

/// Most fields that a request may want computed, unless the index says otherwise.
const SCRIPT_FIELDS_MAX: usize = 32;

/// Hits are counted up to here unless the request says otherwise.
const TRACK_TOTAL_DEFAULT: u64 = 10_000;

/// An index that is searched.
#[derive(Debug, Clone, Copy)]
pub struct SearchTarget<'a> {
    /// Its name.
    pub index: &'a str,
    /// Its fields.
    pub mapping: &'a Mapping,
    /// Queries, any of which lets a row take part; all rows do when there are none.
    pub filters: &'a [Value],
    /// What else is known of it.
    pub facts: IndexFacts<'a>,
}

/// What a search asks of each index, and how its answer is printed.
#[derive(Debug, Clone)]
pub struct ParsedSearch {
    /// A request for each target, in their order.
    pub requests: Vec<SearchRequest>,
    /// Where a `post_filter` leaves hits out that aggregations take: for each target the request
    /// whose aggregations are answered instead.
    pub unfiltered: Vec<SearchRequest>,
    /// Hits that each hit shows of those it stands for.
    pub(crate) inner: Vec<InnerSearch>,
    /// How the merged answer is printed.
    pub shape: ResponseShape,
}

/// Reads a search over `targets`. An empty body asks for everything. `now_ms` is what date math
/// calls `now`.
///
/// # Errors
/// What Elasticsearch would answer, type and status included.
pub fn parse_search(
    body: &[u8],
    params: &SearchParams,
    targets: &[SearchTarget<'_>],
    now_ms: i64,
) -> Result<ParsedSearch, ElasticError> {
    parse_each(body, targets, now_ms, |context, body| {
        parse_one(context, body, params)
    })
}

/// Reads the body of a count: a query and nothing else.
///
/// # Errors
/// As [`parse_search`].
pub fn parse_count(
    body: &[u8],
    params: &SearchParams,
    targets: &[SearchTarget<'_>],
    now_ms: i64,
) -> Result<ParsedSearch, ElasticError> {
    parse_each(body, targets, now_ms, |context, body| {
        if let Some(unknown) = body.keys().find(|key| *key != "query") {
            let reason = format!("request does not support [{unknown}]");
            return Err(ElasticError::parsing(reason).at_value(unknown));
        }
        let mut body = body.clone();
        body.insert("size".into(), 0.into());
        // A count is never cut short.
        body.insert("track_total_hits".into(), true.into());
        parse_one(context, &body, params)
    })
}

/// Reads the same body against each target and joins what is printed.
fn parse_each(
    body: &[u8],
    targets: &[SearchTarget<'_>],
    now_ms: i64,
    parse: impl Fn(&Context<'_>, &Map<String, Value>) -> Result<Parsed, ElasticError>,
) -> Result<ParsedSearch, ElasticError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ElasticError::new(400, "json_parse_exception", "Invalid UTF-8"))?;
    let entries = parse_object(text)?;
    let nothing = Mapping::default();
    let none = [SearchTarget {
        index: "",
        mapping: &nothing,
        filters: &[],
        facts: IndexFacts::default(),
    }];
    let mut joined: Option<ParsedSearch> = None;
    for target in if targets.is_empty() { &none } else { targets } {
        let context = Context {
            index: target.index,
            mapping: target.mapping,
            now_ms,
            facts: target.facts,
        };
        let Parsed {
            mut request,
            post_filter,
            shape,
            inner,
        } = parse(&context, &entries).map_err(|error| error.locate(text))?;
        if !target.filters.is_empty() {
            let filters = target.filters.iter();
            let filters = filters.map(|filter| parse_filter(&context, filter));
            let any = Filter::AtLeast {
                count: 1,
                of: filters.collect::<Result<_, _>>()?,
            };
            request.filter = and(request.filter, any);
        }
        let unfiltered = post_filter.and_then(|filter| filter_hits(&mut request, filter));
        match &mut joined {
            None => {
                joined = Some(ParsedSearch {
                    requests: vec![request],
                    unfiltered: unfiltered.into_iter().collect(),
                    inner,
                    shape,
                });
            }
            Some(joined) => {
                joined.requests.push(request);
                joined.unfiltered.extend(unfiltered);
                for (own, other) in joined.inner.iter_mut().zip(inner) {
                    own.join(other);
                }
                joined.shape.join(shape);
            }
        }
    }
    let mut joined = joined.expect("there is at least one target");
    if targets.is_empty() {
        joined.requests.clear();
        joined.unfiltered.clear();
        joined.shape.indices.clear();
        joined.shape.shards = 0;
    }
    Ok(joined)
}

/// A request and how its answer is printed.
struct Parsed {
    request: SearchRequest,
    /// What hits must match beside it.
    post_filter: Option<Filter>,
    shape: ResponseShape,
    inner: Vec<InnerSearch>,
}

/// Lets `filter` choose among the hits of `request`. Its aggregations, where it has some, go to the
/// request that is returned.
fn filter_hits(request: &mut SearchRequest, filter: Filter) -> Option<SearchRequest> {
    let mut unfiltered = request.clone();
    request.filter = and(std::mem::replace(&mut request.filter, Filter::All), filter);
    if request.aggregations.is_empty() {
        return None;
    }
    request.aggregations.clear();
    unfiltered.hits.size = 0;
    unfiltered.hits.from = 0;
    unfiltered.limits.counted_rows_max = 0;
    Some(unfiltered)
}

/// The object that a body is; nothing at all is an empty one.
///
/// # Errors
/// When it is no JSON, or no object.
pub(super) fn parse_object(text: &str) -> Result<Map<String, Value>, ElasticError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(entries)) => Ok(entries),
        Ok(other) => Err(ElasticError::parsing(format!(
            "Expected [START_OBJECT] but found [{}]",
            read::token_name(&other)
        ))
        .with("line", 1)
        .with("col", 1)),
        Err(error) => Err(json_error(&error)),
    }
}

/// A body that is no JSON.
pub(super) fn json_error(error: &serde_json::Error) -> ElasticError {
    let error_type = if error.is_eof() {
        "unexpected_end_of_input_exception"
    } else {
        "json_parse_exception"
    };
    ElasticError::new(400, error_type, error.to_string())
}

/// Parts of a body as they were written.
struct Written {
    size: usize,
    from: usize,
    total: TotalShape,
    filter: Filter,
    post_filter: Option<Filter>,
    aggregations: ParsedAggregations,
    profile: bool,
    slice: Option<Slice>,
}

fn parse_one(
    context: &Context<'_>,
    body: &Map<String, Value>,
    params: &SearchParams,
) -> Result<Parsed, ElasticError> {
    let mut written = Written::new();
    for (key, value) in body {
        written.entry(context, key, value, params)?;
    }
    written.parameters(context, params)?;
    written.check(context, body, params)?;
    written.take_slice();
    let (mut hits, sort) = hits::parse(context, body, params)?;
    let said = |key: &str| body.get(key).filter(|value| !value.is_null());
    if let Some(value) = said("highlight") {
        hits.highlight = Some(highlight::parse(context, value, &written.filter)?);
    }
    let after = match said("search_after") {
        Some(after) => Some(hits::after(context, &hits, &sort, after)?),
        None => None,
    };
    let collapsed = collapse::parse(context, body, params, &sort)?;
    hits.collapse = collapsed.as_ref().map(|collapsed| collapsed.path.clone());
    let has_aggregations = !written.aggregations.requests.is_empty();
    let scores = Scores::of(context, body, params, has_aggregations, &hits)?;
    hits.named = scores
        .named
        .iter()
        .map(|named| named.name.clone())
        .collect();
    hits.named_scores = params.named_scores;
    let inner = collapsed.as_ref();
    let inner = inner.map(|collapsed| collapsed.inner(context, body, params));
    let inner = inner.transpose()?.unwrap_or_default();
    let request = SearchRequest {
        hits: HitsRequest {
            size: written.size,
            from: written.from,
            sort,
            after,
            collapse: collapsed.map(|collapsed| collapsed.by),
            score: scores.scoring,
            score_min: scores.least,
            named: scores.named,
        },
        rollup: rollup(params),
        limits: limits(written.total),
        filter: written.filter,
        aggregations: written.aggregations.requests,
    };
    let shape = ResponseShape {
        indices: vec![SearchedIndex::of(context)],
        shards: usize::try_from(context.shards()).unwrap_or(usize::MAX),
        total: written.total,
        total_as_int: params.total_hits_as_int,
        score: scores.same,
        says_score_max: scores.says_max,
        hits,
        inner: Vec::new(),
        aggregations: written.aggregations.shapes,
        profile: written.profile,
        ended_early: false,
    };
    Ok(Parsed {
        request,
        post_filter: written.post_filter,
        shape,
        inner,
    })
}

fn rollup(params: &SearchParams) -> RollupUse {
    match params.rollup {
        Some(false) => RollupUse::Never,
        Some(true) | None => RollupUse::WhereExact,
    }
}

fn limits(total: TotalShape) -> Limits {
    Limits {
        counted_rows_max: match total {
            TotalShape::Exact => u64::MAX,
            TotalShape::UpTo(limit) => limit.max(1),
            TotalShape::Absent => 0,
        },
        ..Limits::default()
    }
}

/// Reads a search for hits below a hit.
pub(super) fn parse_below(
    context: &Context<'_>,
    body: &Map<String, Value>,
    params: &SearchParams,
) -> Result<(SearchRequest, ResponseShape), ElasticError> {
    let Parsed {
        mut request,
        post_filter,
        shape,
        ..
    } = parse_one(context, body, params)?;
    if let Some(filter) = post_filter {
        request.filter = and(request.filter, filter);
    }
    Ok((request, shape))
}

impl Written {
    /// Lets only the rows of its share match.
    fn take_slice(&mut self) {
        let slice = self.slice.take().map_or(Filter::All, Filter::Slice);
        let filter = std::mem::replace(&mut self.filter, Filter::All);
        self.filter = and(filter, slice);
    }

    fn new() -> Self {
        Self {
            size: SIZE_DEFAULT,
            from: 0,
            total: TotalShape::UpTo(TRACK_TOTAL_DEFAULT),
            filter: Filter::All,
            post_filter: None,
            aggregations: ParsedAggregations::default(),
            profile: false,
            slice: None,
        }
    }

    fn entry(
        &mut self,
        context: &Context<'_>,
        key: &str,
        value: &Value,
        params: &SearchParams,
    ) -> Result<(), ElasticError> {
        match key {
            "query" => self.filter = parse_filter(context, value)?,
            "post_filter" if !value.is_null() => {
                self.post_filter = Some(parse_filter(context, value)?);
            }
            "aggs" | "aggregations" => {
                self.aggregations = parse_aggregations(context, value, params.typed_keys)?;
            }
            "size" => self.size = non_negative(value, key)?,
            "from" => self.from = non_negative(value, key)?,
            "track_total_hits" => self.total = total(value)?,
            "profile" => self.profile = read::flag(value, key)?,
            // Read with the hits, later.
            "sort"
            | "_source"
            | "fields"
            | "docvalue_fields"
            | "stored_fields"
            | "version"
            | "seq_no_primary_term"
            | "search_after"
            | "highlight"
            | "collapse"
            | "indices_boost"
            | "min_score"
            | "rescore"
            | "explain"
            | "track_scores"
            | "pit" => {}
            "slice" if !value.is_null() => {
                self.slice = Some(slice::parse(context, value, params)?);
            }
            // They change scores, timing or the server's own bookkeeping.
            "timeout" | "terminate_after" | "stats" | "ext" | "preference" => {}
            "script_fields" => script_fields(context, value)?,
            "runtime_mappings" | "suggest" | "slice" | "knn" | "post_filter" | "derived"
            | "rank" | "retriever" => {
                if !says_nothing(value) {
                    return Err(ElasticError::unsupported(format!("[{key}]")));
                }
            }
            unknown => {
                return Err(ElasticError::parsing(format!(
                    "Unknown key for a {} in [{unknown}].",
                    read::token_name(value)
                ))
                .at_value(unknown));
            }
        }
        Ok(())
    }

    /// Parameters of the URL win over the body.
    fn parameters(
        &mut self,
        context: &Context<'_>,
        params: &SearchParams,
    ) -> Result<(), ElasticError> {
        let text = |text: &String| Value::String(text.clone());
        if let Some(size) = &params.size {
            self.size = non_negative(&text(size), "size")?;
        }
        if let Some(from) = &params.from {
            self.from = non_negative(&text(from), "from")?;
        }
        if let Some(tracked) = &params.track_total_hits {
            self.total = total(&text(tracked))?;
        }
        if let Some(q) = &params.q {
            let mut options = QueryStringOptions::new();
            options.fields.extend(params.df.clone());
            options.lenient = params.lenient.unwrap_or(false);
            options.all_required = params
                .default_operator
                .as_deref()
                .is_some_and(|op| op.eq_ignore_ascii_case("and"));
            self.filter = parse_query_string(context, q, &options)?;
        }
        Ok(())
    }

    fn check(
        &self,
        context: &Context<'_>,
        body: &Map<String, Value>,
        params: &SearchParams,
    ) -> Result<(), ElasticError> {
        let after = body
            .get("search_after")
            .filter(|after| !says_nothing(after));
        if after.is_some() && self.from > 0 {
            let reason = "`from` parameter must be set to 0 when `search_after` is used.";
            return Err(context.fail(ElasticError::new(500, "search_exception", reason)));
        }
        if params.scroll.is_some() && self.size > RESULT_WINDOW_MAX {
            return Err(context.fail(ElasticError::illegal_argument(format!(
                "Batch size is too large, size must be less than or equal to: \
                 [{RESULT_WINDOW_MAX}] but was [{}]. Scroll batch sizes cost as much memory as \
                 result windows so they are controlled by the [index.max_result_window] index \
                 level setting.",
                self.size
            ))));
        }
        let is_said = body.contains_key("track_total_hits") || params.track_total_hits.is_some();
        if let (true, TotalShape::UpTo(limit)) = (params.total_hits_as_int, self.total)
            && is_said
        {
            return Err(ElasticError::inexact_total(limit));
        }
        let window = self.from.saturating_add(self.size);
        if window > RESULT_WINDOW_MAX {
            return Err(context.fail(ElasticError::illegal_argument(format!(
                "Result window is too large, from + size must be less than or equal to: \
                 [{RESULT_WINDOW_MAX}] but was [{window}]. See the scroll api for a more efficient \
                 way to request large data sets. This limit can be set by changing the \
                 [index.max_result_window] index level setting."
            ))));
        }
        Ok(())
    }
}

fn and(filter: Filter, other: Filter) -> Filter {
    match (filter, other) {
        (filter, Filter::All) | (Filter::All, filter) => filter,
        (filter, other) => Filter::And(vec![filter, other]),
    }
}

/// Whether an option is there without asking for anything, as dashboards write them.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(entries) => entries.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

fn non_negative(value: &Value, key: &str) -> Result<usize, ElasticError> {
    let number = read::integer(value, key)?;
    if number > i64::from(i32::MAX) {
        return Err(ElasticError::new(
            400,
            "input_coercion_exception",
            format!(
                "Numeric value ({number}) out of range of int ({} - {})",
                i32::MIN,
                i32::MAX
            ),
        ));
    }
    usize::try_from(number).map_err(|_| {
        ElasticError::illegal_argument(format!(
            "[{key}] parameter cannot be negative, found [{number}]"
        ))
    })
}

/// `script_fields`: none can be computed.
fn script_fields(context: &Context<'_>, value: &Value) -> Result<(), ElasticError> {
    if says_nothing(value) {
        return Ok(());
    }
    let count = value.as_object().map_or(1, Map::len);
    let most = context.limit("max_script_fields", SCRIPT_FIELDS_MAX);
    if count > most {
        return Err(context.fail(ElasticError::illegal_argument(format!(
            "Trying to retrieve too many script_fields. Must be less than or equal to: [{most}] \
             but was [{count}]. This limit can be set by changing the [index.max_script_fields] \
             index level setting."
        ))));
    }
    Err(ElasticError::unsupported("[script_fields]"))
}

/// `track_total_hits`: all, none, or up to a number.
fn total(value: &Value) -> Result<TotalShape, ElasticError> {
    match read::shown(value).as_str() {
        "true" => return Ok(TotalShape::Exact),
        "false" => return Ok(TotalShape::Absent),
        _number => {}
    }
    match read::integer(value, "track_total_hits")? {
        -1 => Ok(TotalShape::Absent),
        limit => u64::try_from(limit).map(TotalShape::UpTo).map_err(|_| {
            ElasticError::illegal_argument(format!(
                "[track_total_hits] parameter must be positive or equals to -1, got {limit}"
            ))
        }),
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
