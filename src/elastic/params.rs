//! Parameters of URLs, checked by name and by value.

use query::Stop;

use super::{ElasticError, Expand, IndexOptions};

/// Parameters that every path knows; the server acts on them.
const GENERAL: &[&str] = &[
    "pretty",
    "human",
    "error_trace",
    "filter_path",
    "format",
    "source",
    "source_content_type",
];

/// Parameters of searches that tell a cluster how to go about it; one node has no choice.
const WITHOUT_EFFECT: &[&str] = &[
    "allow_partial_search_results",
    "cancel_after_time_interval",
    "ccs_minimize_roundtrips",
    "ignore_throttled",
    "max_concurrent_searches",
    "max_concurrent_shard_requests",
    "phase_took",
    "preference",
    "terminate_after",
    "timeout",
    "track_scores",
];

/// Which indices a URL's expression may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexParams {
    /// See [`IndexOptions::ignore_unavailable`].
    pub ignore_unavailable: Option<bool>,
    /// See [`IndexOptions::allow_no_indices`].
    pub allow_no_indices: Option<bool>,
    /// See [`IndexOptions::expand`].
    pub expand: Option<Expand>,
}

impl IndexParams {
    /// The options of a search, which closed indices take no part in.
    #[must_use]
    pub fn options(self) -> IndexOptions {
        self.on(IndexOptions {
            closed: false,
            ..IndexOptions::default()
        })
    }

    /// The options, `default` where nothing is said.
    #[must_use]
    pub fn on(self, default: IndexOptions) -> IndexOptions {
        IndexOptions {
            expand: self.expand.unwrap_or(default.expand),
            ignore_unavailable: self
                .ignore_unavailable
                .unwrap_or(default.ignore_unavailable),
            allow_no_indices: self.allow_no_indices.unwrap_or(default.allow_no_indices),
            ..default
        }
    }
}

/// Parameters of `_search`, `_msearch` and `_count`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchParams {
    /// Which indices may be left out.
    pub indices: IndexParams,
    /// A query in query-string syntax.
    pub q: Option<String>,
    /// The field of words without one.
    pub df: Option<String>,
    /// `and` between words instead of `or`.
    pub default_operator: Option<String>,
    /// Values of a wrong type match nothing instead of an error.
    pub lenient: Option<bool>,
    /// Hits returned.
    pub size: Option<String>,
    /// Hits skipped.
    pub from: Option<String>,
    /// Order: `field:desc,other`.
    pub sort: Option<String>,
    /// `true`, `false` or a list of fields.
    pub source: Option<String>,
    /// Fields of `_source` to return.
    pub source_includes: Option<String>,
    /// Fields of `_source` to leave out.
    pub source_excludes: Option<String>,
    /// How exactly hits are counted.
    pub track_total_hits: Option<String>,
    /// The total as a number instead of an object.
    pub total_hits_as_int: bool,
    /// Names of aggregations carry their type.
    pub typed_keys: bool,
    /// `false`: answer from rows alone.
    pub rollup: Option<bool>,
    /// Whether the answer may be kept for those who ask the same.
    pub caches: bool,
    /// How long the rest of the hits is kept for.
    pub scroll: Option<String>,
    /// Fields of hits out of columns.
    pub docvalue_fields: Option<String>,
    /// Fields of hits that are stored.
    pub stored_fields: Option<String>,
    /// Whether hits have their sequence numbers.
    pub sequence_numbers: bool,
    /// Whether hits have their versions.
    pub versions: bool,
    /// Whether answers say what only OpenSearch says.
    pub says_early_end: bool,
    /// Whether an order ends with the row's place, so that no two rows are alike in it.
    pub tie_break: bool,
    /// What the client calls its request.
    pub opaque_id: Option<String>,
    /// Says when nobody waits for the answer any more.
    pub stop: Stop,
    /// Whether the search is over a point in time.
    pub has_pit: bool,
    /// What a document is looked for with that is named by its id.
    pub routing: Option<String>,
    /// Whether hits explain their scores.
    pub explain: bool,
    /// Whether hits say what they score by each named query.
    pub named_scores: bool,
}

impl SearchParams {
    /// Whether the URL asks for the document.
    pub(crate) fn wants_source(&self) -> bool {
        let is_said = |text: &Option<String>| text.is_some();
        let parts = is_said(&self.source_includes) || is_said(&self.source_excludes);
        parts || self.source.as_deref().is_some_and(|text| text != "false")
    }

    /// Reads the parameters of `path`, which errors name.
    ///
    /// # Errors
    /// On a name that no search knows, and on a value that does not fit.
    pub fn parse<'a>(
        path: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ElasticError> {
        let mut params = Self::default();
        let text = |value: &str| Some(value.to_owned());
        for (name, value) in pairs {
            match name {
                "ignore_unavailable" => {
                    params.indices.ignore_unavailable = Some(flag(name, value)?);
                }
                "allow_no_indices" => params.indices.allow_no_indices = Some(flag(name, value)?),
                "expand_wildcards" => params.indices.expand = Some(Expand::parse(value)?),
                "q" => params.q = text(value),
                "df" => params.df = text(value),
                "default_operator" => params.default_operator = text(value),
                "lenient" => params.lenient = Some(flag(name, value)?),
                "analyze_wildcard" => _ = flag(name, value)?,
                "size" => params.size = text(value),
                "from" => params.from = text(value),
                "sort" => params.sort = text(value),
                "_source" => params.source = text(value),
                "_source_includes" => params.source_includes = text(value),
                "_source_excludes" => params.source_excludes = text(value),
                "track_total_hits" => params.track_total_hits = text(value),
                "rest_total_hits_as_int" => params.total_hits_as_int = flag(name, value)?,
                "typed_keys" => params.typed_keys = flag(name, value)?,
                "rollup" => params.rollup = Some(flag(name, value)?),
                "scroll" => params.scroll = text(value),
                "docvalue_fields" => params.docvalue_fields = text(value),
                "stored_fields" => params.stored_fields = text(value),
                "seq_no_primary_term" => params.sequence_numbers = flag(name, value)?,
                "version" => params.versions = flag(name, value)?,
                "routing" => params.routing = text(value),
                "explain" => params.explain = flag(name, value)?,
                "include_named_queries_score" => params.named_scores = flag(name, value)?,
                "search_type" => check_search_type(value)?,
                "batched_reduce_size" => check_least(value, "batchedReduceSize", 2)?,
                "pre_filter_shard_size" => check_least(value, "preFilterShardSize", 1)?,
                "request_cache" => params.caches |= flag(name, value)?,
                known if GENERAL.contains(&known) || WITHOUT_EFFECT.contains(&known) => {}
                unknown => return Err(unrecognized(path, unknown)),
            }
        }
        Ok(params)
    }
}

/// A parameter that nobody knows.
#[must_use]
pub(crate) fn unrecognized(path: &str, name: &str) -> ElasticError {
    ElasticError::illegal_argument(format!(
        "request [{path}] contains unrecognized parameter: [{name}]"
    ))
}

/// A number that has no effect here, but must make sense.
fn check_least(value: &str, name: &str, least: i64) -> Result<(), ElasticError> {
    let number: i64 = value
        .parse()
        .map_err(|_| super::read::number_format(value))?;
    if number < least {
        let reason = format!("{name} must be >= {least}");
        return Err(ElasticError::illegal_argument(reason));
    }
    Ok(())
}

/// All types find the same here; some are no types any more.
fn check_search_type(value: &str) -> Result<(), ElasticError> {
    match value {
        "query_then_fetch" | "dfs_query_then_fetch" => Ok(()),
        other => Err(ElasticError::illegal_argument(format!(
            "Unsupported search type [{other}]"
        ))),
    }
}

/// A flag: present without a value is true.
fn flag(name: &str, value: &str) -> Result<bool, ElasticError> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(ElasticError::illegal_argument(format!(
            "Failed to parse value [{other}] of [{name}] as only [true] or [false] are allowed."
        ))),
    }
}
