//! What hits score: whether it must be computed, and what is said about it.

use query::request::{NamedFilter, Scoring};
use serde_json::{Map, Value};

use super::context::Context;
use super::shape::{HitShape, SortKind, SortShape};
use super::{ElasticError, SearchParams, read, rescore, scoring};

/// What hits score, and what is said about it.
pub(super) struct Scores {
    /// The score of all hits, where it is the same.
    pub(super) same: Option<f64>,
    pub(super) scoring: Option<Scoring>,
    pub(super) least: Option<f64>,
    pub(super) says_max: bool,
    pub(super) named: Vec<NamedFilter>,
}

impl Scores {
    /// Reads what a search says about scores.
    ///
    /// # Errors
    /// On options that do not fit.
    pub(super) fn of(
        context: &Context<'_>,
        body: &Map<String, Value>,
        params: &SearchParams,
        has_aggregations: bool,
        hits: &HitShape,
    ) -> Result<Self, ElasticError> {
        let query = body.get("query").filter(|_| params.q.is_none());
        let scoring::Scored { scoring, mut named } = match query {
            Some(query) => scoring::parse(context, query)?,
            None => scoring::Scored {
                scoring: Scoring::Always(1.0),
                named: Vec::new(),
            },
        };
        if let Some(filter) = body.get("post_filter").filter(|filter| !filter.is_null()) {
            named.extend(scoring::parse(context, filter)?.named);
        }
        let scoring = rescore::apply(context, body, scoring, &mut named)?;
        let least = body.get("min_score").filter(|least| !least.is_null());
        let least = least.map(|least| read::float(least, "min_score"));
        let least = least.transpose()?;
        let boost = scoring::index_boost(context, body.get("indices_boost"))?;
        let tracks = body.get("track_scores");
        let tracks = tracks.map_or(Ok(false), |flag| read::flag(flag, "track_scores"))?;
        let first = hits.sort.first();
        let is_by_score = |shape: &SortShape| shape.kind == SortKind::Score;
        let is_asked = tracks || first.is_none() || hits.sort.iter().any(is_by_score);
        let says_max = tracks || first.is_none_or(|key| is_by_score(key) && key.descending);
        if least.is_some() && has_aggregations {
            return Err(ElasticError::unsupported("[min_score] with aggregations"));
        }
        let same = match boost {
            Some(_) => None,
            None => scoring::same_for_all(&scoring),
        };
        let is_plain = same.is_some() && least.is_none() && first.is_none();
        let scoring = match boost {
            Some(factor) => Scoring::Times {
                factor,
                of: Box::new(scoring),
            },
            None => scoring,
        };
        let is_needed = is_asked || least.is_some() || hits.explain;
        Ok(Self {
            same: same.filter(|_| is_plain),
            scoring: (is_needed && !is_plain).then_some(scoring),
            least,
            says_max,
            named,
        })
    }
}
