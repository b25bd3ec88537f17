//! `rescore`: a second query that moves hits up. It weighs all rows that match, not only those of
//! the window: the answer is that of a window without end.

use query::request::{Filter, NamedFilter, Scoring};
use serde_json::{Map, Value};

use super::context::Context;
use super::filter::parse_filter;
use super::{ElasticError, read, scoring};

/// Most rows of a window unless the index says otherwise.
const WINDOW_MAX: usize = 10_000;

/// What a hit scores once the second queries have had their say.
///
/// # Errors
/// When a window is too large, and on what does not fit.
pub(super) fn apply(
    context: &Context<'_>,
    body: &Map<String, Value>,
    mut scoring: Scoring,
    named: &mut Vec<NamedFilter>,
) -> Result<Scoring, ElasticError> {
    let steps = body.get("rescore").map_or(&[][..], read::one_or_many);
    let has_sort = body.get("sort").is_some_and(|sort| !sort.is_null());
    if !steps.is_empty() && has_sort {
        return Err(context.fail(ElasticError::illegal_argument(
            "Cannot use [sort] option in conjunction with [rescore].",
        )));
    }
    for step in steps {
        scoring = one(context, read::object(step, "rescore")?, scoring, named)?;
    }
    Ok(scoring)
}

fn one(
    context: &Context<'_>,
    step: &Map<String, Value>,
    scoring: Scoring,
    named: &mut Vec<NamedFilter>,
) -> Result<Scoring, ElasticError> {
    let mut said = None;
    for (key, value) in step {
        match key.as_str() {
            "window_size" => check_window(context, read::count(value, key)?)?,
            "query" => said = Some(read::object(value, key)?),
            other => return Err(ElasticError::unsupported(format!("[{other}] of [rescore]"))),
        }
    }
    let said =
        said.ok_or_else(|| ElasticError::parsing("missing rescore type").at_key("rescore"))?;
    let query = said
        .get("rescore_query")
        .ok_or_else(|| ElasticError::content("[query] Required [rescore_query]").at_key("query"))?;
    let weight = |key: &str| {
        said.get(key)
            .map_or(Ok(1.0), |value| read::float(value, key))
    };
    let (own, more) = (weight("query_weight")?, weight("rescore_query_weight")?);
    let filter = parse_filter(context, query)?;
    let second = scoring::parse(context, query)?;
    named.extend(second.named);
    let times = |factor, of| Scoring::Times {
        factor,
        of: Box::new(of),
    };
    let first = times(own, scoring);
    let second = Scoring::When {
        filter: filter.clone(),
        of: Box::new(times(more, second.scoring)),
    };
    let both = |of| Scoring::When {
        filter: filter.clone(),
        of: Box::new(of),
    };
    let alone = Scoring::When {
        filter: Filter::Not(Box::new(filter.clone())),
        of: Box::new(first.clone()),
    };
    let mode = said.get("score_mode");
    let mode = mode.map_or(Ok("total".into()), |mode| read::text(mode, "score_mode"))?;
    Ok(match mode.as_str() {
        "total" => Scoring::Sum(vec![first, second]),
        "max" => Scoring::Best {
            of: vec![first, second],
            others: 0.0,
        },
        "multiply" => Scoring::Sum(vec![both(Scoring::Product(vec![first, second])), alone]),
        "avg" => {
            let sum = Scoring::Sum(vec![first, second]);
            Scoring::Sum(vec![both(times(0.5, sum)), alone])
        }
        other => {
            return Err(ElasticError::unsupported(format!(
                "[score_mode] [{other}] of [rescore]"
            )));
        }
    })
}

fn check_window(context: &Context<'_>, window: usize) -> Result<(), ElasticError> {
    let most = context.limit("max_rescore_window", WINDOW_MAX);
    if window <= most {
        return Ok(());
    }
    Err(context.fail(ElasticError::illegal_argument(format!(
        "Rescore window [{window}] is too large. It must be less than [{most}]. This prevents \
         allocating massive heaps for storing the results to be rescored. This limit can be set \
         by changing the [index.max_rescore_window] index level setting."
    ))))
}
